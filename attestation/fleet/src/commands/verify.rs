//! `earnest-fleet verify`.

use std::path::PathBuf;

use clap::Args;
use earnest_evidence::Evidence;
use earnest_evidence::tpm::Name;
use earnest_verifier::appraisal::appraise;
use earnest_verifier::ear::{Ear, Outcome};
use earnest_verifier::enrolment::Enrolment;
use earnest_verifier::policy::Policy;
use earnest_verifier::reference::ReferenceValues;
use serde_json::json;

use super::context::{
    Context, keys_path, open_keys, open_state, read_evidence, read_policy, write_file,
};
use super::reference;
use crate::exit::{Exit, Failure};
use crate::show;
use crate::state::{AuditLog, State, StateError, WentBack};

/// What is verified, and against what.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The evidence, in CBOR or JSON; - is standard input.
    evidence: PathBuf,

    /// The reference values.
    #[arg(long, value_name = "FILE")]
    reference: PathBuf,

    /// The state's folder, in which the device is enrolled and the nonce was issued.
    #[arg(long, value_name = "DIR")]
    state: PathBuf,

    /// The policy [default: policy.json in the state].
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// Write the result there: an EAR, signed with the result key, whatever the verdict.
    #[arg(long, value_name = "OUT")]
    ear: Option<PathBuf>,

    /// The folder of keys, for --ear [default: the folder keys in the state].
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,

    /// Write JSON.
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let state = open_state(&self.state)?;
        let policy = read_policy(self.policy.as_deref(), Some(&state))?;
        let reference = reference::read(&self.reference)?;
        // The key is read before the nonce is consumed, so that a wrong mode or place of it does
        // not cost the device its answer.
        let key = match &self.ear {
            None => None,
            Some(_) => {
                let path = keys_path(self.keys.as_deref(), Some(&self.state));
                Some(open_keys(&path)?.result_key(&context.random)?)
            }
        };
        let evidence = read_evidence(&self.evidence)?;
        let ak_name = evidence.ak_public.name();
        let Some(enrolment) = state.device(&ak_name)? else {
            return self.not_enrolled(&ak_name, context);
        };
        let ear = verdict(
            &state,
            &evidence,
            &enrolment,
            &reference,
            &policy,
            context.now,
        )?;
        if let (Some(path), Some(key)) = (&self.ear, &key) {
            let token = ear
                .sign(key, &context.random)
                .map_err(|error| Failure::of(Exit::Internal, &error))?;
            write_file(path, token.as_bytes())?;
        }
        let log = seen(&state, &ear, context.now)?;
        self.print(&ear, log.as_ref(), context)
    }

    fn not_enrolled(&self, ak_name: &Name, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let detail = format!("no device with AK {ak_name} is enrolled");
        if self.json {
            context.json(&json!({
                "pass": false,
                "reason": "device_not_enrolled",
                "detail": detail,
                "ak_name": ak_name,
                "audit_log": null,
                "result": null,
            }))?;
        }
        Err(Failure::new(Exit::Refused, format!("the evidence is refused: {detail}")).advise(
            "Enrol the device with `earnest-fleet enroll`. If it was enrolled, its attestation key is another one now: find out why.",
        ))
    }

    fn print(
        &self,
        ear: &Ear,
        log: Option<&AuditLog>,
        context: &mut Context<'_>,
    ) -> Result<Exit, Failure> {
        let checks = &ear.submodules.device.verifier.checks;
        let first = checks.iter().find(|check| check.outcome == Outcome::Failed);
        if self.json {
            context.json(&json!({
                "pass": ear.is_pass(),
                "reason": first.map(|check| &check.reason),
                "detail": first.map(|check| &check.detail),
                "ak_name": ear.submodules.device.verifier.ak_name,
                "audit_log": log,
                "result": ear,
            }))?;
        } else {
            context.data(&table(ear))?;
        }
        if let Some(back) = log.and_then(|log| log.went_back.as_ref()) {
            context.say(&went_back(back));
        }
        if ear.is_pass() {
            return Ok(Exit::Success);
        }
        let mut said: Vec<&str> = Vec::new();
        let reasons = checks.iter().filter_map(|check| check.reason.as_deref());
        for advice in reasons.map(advice) {
            if !said.contains(&advice) {
                said.push(advice);
            }
        }
        let device = &ear.submodules.device.verifier.device;
        let failure = Failure::new(Exit::Refused, format!("device {device:?} is refused"));
        Err(match said.is_empty() {
            true => failure,
            false => failure.advise(said.join("\n  ")),
        })
    }
}

/// Consumes the nonce and appraises the evidence.
fn verdict(
    state: &State,
    evidence: &Evidence,
    enrolment: &Enrolment,
    reference: &ReferenceValues,
    policy: &Policy,
    now: i64,
) -> Result<Ear, Failure> {
    let freshness = match state.consume(&evidence.nonce, enrolment.device(), now) {
        Ok(fresh) => Ok(fresh),
        Err(StateError::Freshness(error)) => Err(error),
        Err(error) => return Err(error.into()),
    };
    let appraisal = appraise(evidence, enrolment, reference, policy, &freshness);
    Ok(appraisal.to_ear(now))
}

/// Takes the head of the audit log that the evidence anchors, and says what is known of the
/// device's audit log after it. A head is under the quote, whatever else was refused.
fn seen(state: &State, ear: &Ear, now: i64) -> Result<Option<AuditLog>, Failure> {
    let device = &ear.submodules.device;
    let ak_name = &device.verifier.ak_name;
    match (device.verifier.audit_head, &device.attester) {
        (Some(head), Some(tpm)) => {
            let log = state.saw_head(ak_name, head, tpm.tpm_reset_count, now)?;
            Ok(Some(log))
        }
        _ => Ok(state.audit_log(ak_name)?),
    }
}

/// That an audit log went back, for a person.
pub(super) fn went_back(back: &WentBack) -> String {
    format!(
        "warning: the audit log went back: the device showed {} at {}, after {} was seen. It was \
         cut or rolled back: find out by whom. This is said until the device is forgotten or \
         replaced.",
        back.found,
        show::time(back.seen_at),
        back.expected
    )
}

/// A result as a table for a person.
pub(super) fn table(ear: &Ear) -> String {
    let device = &ear.submodules.device;
    let found = &device.verifier;
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let verdict = match ear.is_pass() {
        true => format!("passed ({})", ear.status),
        false => format!("refused ({})", ear.status),
    };
    let kind = if found.tpm.software {
        ", a program"
    } else {
        ""
    };
    let mut head = vec![
        row("verdict", verdict),
        row("device", found.device.clone()),
        row("AK", found.ak_name.to_string()),
        row(
            "TPM",
            format!("{} {}{kind}", found.tpm.manufacturer, found.tpm.model),
        ),
        row("nonce", ear.nonce.to_string()),
        row("policies", device.policies.join(", ")),
        row(
            "holds",
            format!(
                "from {} until {}",
                show::time(ear.not_before),
                show::time(ear.expires_at)
            ),
        ),
    ];
    if let Some(anchored) = &found.audit_head {
        head.push(row("audit log", anchored.to_string()));
    }
    let mut checks = vec![
        ["check", "outcome", "reason", ""]
            .map(str::to_owned)
            .to_vec(),
    ];
    for check in &found.checks {
        checks.push(vec![
            check.check.clone(),
            check.outcome.to_string(),
            check.reason.clone().unwrap_or_default(),
            check.detail.clone().unwrap_or_default(),
        ]);
    }
    format!("{}\n{}", show::table(&head), show::table(&checks))
}

/// What to do about a reason.
fn advice(reason: &str) -> &'static str {
    match reason {
        "nonce_not_issued" | "nonce_stale" | "nonce_replayed" | "nonce_from_the_future" => {
            "Ask anew: `earnest-fleet challenge`, and `earnest attest` with its nonce. One nonce is good for one answer."
        }
        "nonce_of_other_device" | "envelope_nonce" | "quote_nonce" => {
            "The evidence answers another challenge: it may be an old one that is shown again."
        }
        "other_attestation_key"
        | "key_not_restricted"
        | "key_malformed"
        | "key_kind"
        | "key_scheme"
        | "key_name_algorithm"
        | "enrolment_unreadable" => {
            "The attestation key is not the enrolled one, or none to believe: enrol the device anew once you know why."
        }
        "quote_signature" | "quote_malformed" | "not_a_quote" | "pcr_digest" | "pcr_selection"
        | "pcr_digest_length" => {
            "The evidence was changed after the TPM signed it, or another TPM signed it: trust nothing in it."
        }
        "sha1_only" | "wrong_bank" | "missing_pcrs" => {
            "The device must quote the policy's PCRs of the policy's bank: compare its configuration with the policy, and see that the firmware has that bank switched on."
        }
        "unmeasured_pcr" => {
            "Nothing was measured into that PCR: the firmware measures nothing, or the TPM was reset apart from the machine."
        }
        "no_firmware_log" | "firmware_log_malformed" | "firmware_log_replay" => {
            "The firmware's log does not tell what the PCRs hold: look at it with `earnest-fleet log show`."
        }
        "boot_state" | "no_reference" | "reference_bank" => {
            "The device booted something that the reference values do not have. If it is an approved update, add its state: `earnest-fleet reference from-evidence`, then `reference diff`."
        }
        "no_measured_log" | "measured_log_malformed" | "measured_log_replay" => {
            "Earnest's own log does not tell what its PCR holds: something else extended it, or the log was changed. A reboot starts both anew."
        }
        "audit_log_went_back" => {
            "The device's audit log was cut or begun anew since it booted: somebody on the device does not want something to be read."
        }
        "no_reference_of_starts" | "start_not_allowed" | "software_version" => {
            "The daemon was started as the reference values do not allow; after a reboot only later starts count."
        }
        "no_authority_key" | "authority_signature" | "authority_name" | "authority_attributes" => {
            "The device's authority key is not certified by its attestation key: provision it anew."
        }
        "software_tpm" => "A software TPM is for development: this policy refuses it on purpose.",
        _ => "See the detail of the check.",
    }
}
