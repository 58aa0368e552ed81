//! `earnest-fleet challenge`.

use std::path::PathBuf;

use clap::Args;
use earnest_evidence::Nonce;
use serde::Serialize;

use super::context::{Context, open_state, read_policy};
use crate::exit::{Exit, Failure};
use crate::show;

/// Which nonce is issued.
#[derive(Debug, Args)]
pub(super) struct Challenge {
    /// The state's folder.
    #[arg(long, value_name = "DIR")]
    state: PathBuf,

    /// The device that may answer, by its name or that of its AK [default: any enrolled one].
    #[arg(long, value_name = "DEVICE")]
    device: Option<String>,

    /// The policy, with the nonce's lifetime [default: policy.json in the state].
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// Write JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Issued<'a> {
    nonce: Nonce,
    device: Option<&'a str>,
    expires_at: i64,
}

impl Challenge {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let state = open_state(&self.state)?;
        let policy = read_policy(self.policy.as_deref(), Some(&state))?;
        let enrolment = match &self.device {
            Some(device) => Some(state.named(device)?),
            None => None,
        };
        let device = enrolment.as_ref().map(|enrolment| enrolment.device());
        let lifetime = policy.nonce_lifetime_seconds();
        let record = state.issue(device, lifetime, context.now, &context.random)?;
        let issued = Issued {
            nonce: record.nonce(),
            device,
            expires_at: context.now.saturating_add(lifetime.into()),
        };
        if self.json {
            context.json(&issued)?;
        } else {
            context.data(&format!("{}\n", issued.nonce))?;
            context.say(&format!(
                "{} may answer until {}.",
                device.unwrap_or("Any enrolled device"),
                show::time(issued.expires_at)
            ));
        }
        Ok(Exit::Success)
    }
}
