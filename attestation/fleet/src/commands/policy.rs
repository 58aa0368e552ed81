//! `earnest-fleet policy`: what verification asks for, and what opens sealed models.

mod new;
mod sign;
mod signed;

use clap::Subcommand;

use super::context::Context;
use crate::exit::{Exit, Failure};

/// What is done with policies.
#[derive(Debug, Subcommand)]
pub(super) enum Policy {
    /// Write a policy of verification: what evidence must show.
    New(new::New),
    /// Approve boot states in which the model opens.
    ///
    /// The policy key signs the PCRs of the states, so that an update opens the seal without
    /// provisioning anything anew. The file goes to devices as it is.
    Sign(sign::Sign),
    /// Permit devices to raise the least version of policies that still open the model.
    ///
    /// Policies of a lower version, and with --end-older-keys those of older policy keys, open
    /// nothing any more on devices that took it. Nothing takes it back.
    AllowVersion(sign::AllowVersion),
    /// Show a signed policy or a signed version, if its signatures lead to the root.
    Show(signed::Show),
}

impl Policy {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        match self {
            Policy::New(new) => new.run(context),
            Policy::Sign(sign) => sign.run(context),
            Policy::AllowVersion(allow) => allow.run(context),
            Policy::Show(show) => show.run(context),
        }
    }
}
