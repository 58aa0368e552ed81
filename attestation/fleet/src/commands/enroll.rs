//! `earnest-fleet enroll`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use earnest_evidence::enrolment::{Answer, MAX_FILE_BYTES, Request};
use earnest_files as files;
use earnest_verifier::enrolment::Candidate;

use super::context::{Context, open_state, read_policy, write_file};
use super::device;
use crate::exit::{Exit, Failure};
use crate::show;
use crate::state::{ANSWER_SECONDS, Labels, State};

/// The two steps of an enrolment.
#[derive(Debug, Subcommand)]
pub(super) enum Enroll {
    /// Check a device's certificate and key, and make the challenge for its TPM.
    ///
    /// The certificate must lead to an authority of the policy, and the attestation key be one
    /// that signs what the TPM made and nothing else. The challenge is a secret that only this
    /// TPM can read, if it holds both keys.
    Challenge(Challenge),
    /// Take the device's answer, and record the device.
    Finish(Finish),
}

#[derive(Debug, Args)]
pub(super) struct Challenge {
    /// The device's request.
    #[arg(long, value_name = "REQUEST")]
    device: PathBuf,

    /// The state's folder, which is made if it is not there.
    #[arg(long, value_name = "DIR")]
    state: PathBuf,

    /// Where the challenge for the device goes.
    #[arg(long, value_name = "CHALLENGE")]
    out: PathBuf,

    /// The policy, with the authorities that are trusted [default: policy.json in the state].
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// The name to enrol the device under [default: the one in its request].
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Let it take the place of an enrolled device that has its name or its TPM.
    #[arg(long)]
    replace: bool,
}

#[derive(Debug, Args)]
pub(super) struct Finish {
    /// The device's answer.
    #[arg(long, value_name = "FILE")]
    answer: PathBuf,

    /// The state's folder.
    #[arg(long, value_name = "DIR")]
    state: PathBuf,

    /// A label for the device, for your own use; may be given several times.
    #[arg(long = "label", value_name = "KEY=VALUE")]
    labels: Vec<String>,

    /// Let it take the place of an enrolled device that has its name or its TPM.
    #[arg(long)]
    replace: bool,

    /// Write JSON.
    #[arg(long)]
    json: bool,
}

impl Enroll {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        match self {
            Enroll::Challenge(challenge) => challenge.run(context),
            Enroll::Finish(finish) => finish.run(context),
        }
    }
}

impl Challenge {
    fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let bytes = files::read_input(&self.device, MAX_FILE_BYTES)?;
        let request = Request::from_json(&bytes)
            .map_err(|error| Failure::bad_input(&self.device.display().to_string(), &error))?;
        let state = State::create(&self.state)?;
        let policy = read_policy(self.policy.as_deref(), Some(&state))?;
        let device = self.name_of(&request);
        let candidate = Candidate::check(&device, &request, &policy, context.now)?;
        let endorsement = candidate.endorsement();
        if !self.replace {
            let ak_name = request.ak_public().name();
            state.check_free(&device, &ak_name, &endorsement.certificate_digest())?;
        }
        let challenge = state.begin_enrolment(&candidate, context.now, &context.random)?;
        write_file(&self.out, challenge.to_json().as_bytes())?;
        context.say(&format!(
            "Device {:?} has a TPM that {:?} vouches for ({}). Its answer to challenge {} is awaited until {}.",
            device,
            endorsement.anchor(),
            endorsement.tpm(),
            challenge.id(),
            show::time(context.now.saturating_add(ANSWER_SECONDS)),
        ));
        if endorsement.is_software() {
            context.say("It is a software TPM: it protects nothing from whoever owns the machine.");
        }
        Ok(Exit::Success)
    }

    /// The name to enrol under: the option's, the request's, or one made of the AK's name.
    fn name_of(&self, request: &Request) -> String {
        match self.name.as_deref().or(request.name()) {
            Some(name) => name.to_owned(),
            None => {
                let ak_name = request.ak_public().name().to_string();
                // The first four digits name the algorithm.
                let digits: String = ak_name.chars().skip(4).take(16).collect();
                format!("device-{digits}")
            }
        }
    }
}

impl Finish {
    fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let labels =
            Labels::parse(&self.labels).map_err(|error| Failure::of(Exit::Usage, &error))?;
        let bytes = files::read_input(&self.answer, MAX_FILE_BYTES)?;
        let answer = Answer::from_json(&bytes)
            .map_err(|error| Failure::bad_input(&self.answer.display().to_string(), &error))?;
        let state = open_state(&self.state)?;
        let enrolment = state.answered(&answer, context.now)?;
        state.enrol(&enrolment, &labels, self.replace)?;
        // Recorded first: if this is cut short the device answers again, and is recorded again.
        state.end_enrolment(answer.id())?;
        let log = state.audit_log(enrolment.ak_name())?;
        device::print(&enrolment, &labels, log.as_ref(), self.json, context)?;
        Ok(Exit::Success)
    }
}
