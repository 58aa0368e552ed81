//! `earnest-fleet device`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use earnest_evidence::Digest;
use earnest_evidence::tpm::Name;
use earnest_verifier::ear::TpmClaim;
use earnest_verifier::enrolment::Enrolment;
use serde::Serialize;

use super::context::{Context, open_state};
use super::verify::went_back;
use crate::exit::{Exit, Failure};
use crate::show;
use crate::state::{AuditLog, Labels};

/// What is done with enrolled devices.
#[derive(Debug, Subcommand)]
pub(super) enum Device {
    /// Show a device.
    Show(Show),
    /// Forget a device: its evidence is refused from now on.
    Forget(Forget),
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// Its name, or the name of its AK in hexadecimal.
    device: String,

    /// The state's folder.
    #[arg(long, value_name = "DIR")]
    state: PathBuf,

    /// Write JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Forget {
    /// Its name, or the name of its AK in hexadecimal.
    device: String,

    /// The state's folder.
    #[arg(long, value_name = "DIR")]
    state: PathBuf,
}

impl Device {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        match self {
            Device::Show(show) => {
                let state = open_state(&show.state)?;
                let enrolment = state.named(&show.device)?;
                let labels = state.labels(enrolment.ak_name())?;
                let log = state.audit_log(enrolment.ak_name())?;
                print(&enrolment, &labels, log.as_ref(), show.json, context)?;
            }
            Device::Forget(forget) => {
                let state = open_state(&forget.state)?;
                let enrolment = state.named(&forget.device)?;
                state.forget(&enrolment)?;
                context.say(&format!("Device {:?} is forgotten.", enrolment.device()));
            }
        }
        Ok(Exit::Success)
    }
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    device: &'a str,
    ak_name: &'a Name,
    endorsement_certificate: Digest,
    anchor: &'a str,
    tpm: &'a TpmClaim,
    enrolled_at: i64,
    labels: &'a Labels,
    audit_log: Option<&'a AuditLog>,
}

/// Prints a device.
pub(super) fn print(
    enrolment: &Enrolment,
    labels: &Labels,
    log: Option<&AuditLog>,
    json: bool,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let tpm = enrolment.tpm();
    if json {
        return context.json(&Shown {
            device: enrolment.device(),
            ak_name: enrolment.ak_name(),
            endorsement_certificate: enrolment.endorsement_certificate(),
            anchor: enrolment.anchor(),
            tpm,
            enrolled_at: enrolment.enrolled_at(),
            labels,
            audit_log: log,
        });
    }
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let kind = if tpm.software { ", a program" } else { "" };
    let mut rows = vec![
        row("device", enrolment.device().to_owned()),
        row("AK", enrolment.ak_name().to_string()),
        row(
            "EK certificate",
            enrolment.endorsement_certificate().to_string(),
        ),
        row("authority", enrolment.anchor().to_owned()),
        row(
            "TPM",
            format!("{} {} {}{kind}", tpm.manufacturer, tpm.model, tpm.version),
        ),
        row("enrolled", show::time(enrolment.enrolled_at())),
    ];
    if let Some(log) = log {
        let seen = format!("{}, seen {}", log.newest, show::time(log.seen_at));
        rows.push(row("audit log", seen));
    }
    rows.extend(labels.iter().map(|(key, value)| row(key, value.to_owned())));
    context.data(&show::table(&rows))?;
    if let Some(back) = log.and_then(|log| log.went_back.as_ref()) {
        context.say(&went_back(back));
    }
    Ok(())
}
