//! `earnest-fleet policy new`.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use earnest_files::{self as files, Readers};
use earnest_verifier::endorsement::MAX_CERTIFICATE_BYTES;
use earnest_verifier::policy::Policy;
use serde_json::{Value, json};

use super::super::context::{Context, text};
use crate::exit::{Exit, Failure};
use crate::state::State;

/// The banks that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Bank {
    Sha256,
    Sha384,
    Sha512,
}

impl Bank {
    const fn name(self) -> &'static str {
        match self {
            Bank::Sha256 => "sha256",
            Bank::Sha384 => "sha384",
            Bank::Sha512 => "sha512",
        }
    }
}

/// What evidence must show.
#[derive(Debug, Args)]
pub(in crate::commands) struct New {
    /// Its name, which stands in results.
    #[arg(long, value_name = "NAME")]
    name: String,

    /// The state in which it is the policy; the folder is made if it is not there.
    #[arg(long, value_name = "DIR", required_unless_present = "out")]
    state: Option<PathBuf>,

    /// A file to write it to instead.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// The PCRs that must be quoted, and have reference values.
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = [4, 7, 11])]
    pcrs: Vec<u8>,

    /// The bank of these PCRs.
    #[arg(long, value_enum, default_value_t = Bank::Sha256)]
    bank: Bank,

    /// An authority whose TPM certificates are taken, by the file of its certificate in PEM;
    /// may be given several times.
    #[arg(long, value_name = "FILE")]
    anchor: Vec<PathBuf>,

    /// An authority of software TPMs, for development.
    #[arg(long, value_name = "FILE", requires = "allow_software_tpm")]
    software_anchor: Vec<PathBuf>,

    /// Let software TPMs pass, with a warning in the result.
    #[arg(long)]
    allow_software_tpm: bool,

    /// Appraise the firmware's log where it is there, and do not ask for it.
    #[arg(long)]
    firmware_log_optional: bool,

    /// Appraise Earnest's own log where it is there, and do not ask for it.
    #[arg(long)]
    measured_log_optional: bool,

    /// PCRs, of those quoted, that more goes into than the firmware's log tells.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    unlogged_pcrs: Vec<u8>,

    /// Seconds that a nonce is good for.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    nonce_lifetime: u32,

    /// Seconds that a result is good for.
    #[arg(long, value_name = "SECONDS", default_value_t = 300)]
    result_lifetime: u32,

    /// Overwrite the policy that is there.
    #[arg(long)]
    replace: bool,
}

impl New {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let mut anchors = Vec::new();
        for (files, software) in [(&self.anchor, false), (&self.software_anchor, true)] {
            for file in files {
                anchors.push(anchor(file, software)?);
            }
        }
        let choice = |optional| if optional { "optional" } else { "required" };
        let software_tpm = if self.allow_software_tpm {
            "allow"
        } else {
            "refuse"
        };
        let policy = json!({
            "format": "earnest-policy/1",
            "name": self.name,
            "bank": self.bank.name(),
            "pcrs": self.pcrs,
            "nonce_lifetime_seconds": self.nonce_lifetime,
            "result_lifetime_seconds": self.result_lifetime,
            "software_tpm": software_tpm,
            "firmware_log": choice(self.firmware_log_optional),
            "measured_log": choice(self.measured_log_optional),
            "unlogged_pcrs": self.unlogged_pcrs,
            "endorsement_anchors": anchors,
        });
        let mut text = serde_json::to_string_pretty(&policy)
            .map_err(|error| Failure::of(Exit::Internal, &error))?;
        text.push('\n');
        // What verification would refuse is not written in the first place.
        Policy::from_json(&text).map_err(|error| Failure::of(Exit::Usage, &error))?;
        let path = match (&self.out, &self.state) {
            (Some(out), _) => out.clone(),
            (None, Some(state)) => State::create(state)?.policy(),
            (None, None) => return Err(Failure::new(Exit::Usage, "name --out or --state")),
        };
        self.write(&path, &text)?;
        context.say(&format!("The policy is in {}.", path.display()));
        if anchors.is_empty() {
            context.say(
                "It trusts no authority, so no device can be enrolled under it: name some with --anchor.",
            );
        }
        Ok(Exit::Success)
    }

    fn write(&self, path: &Path, text: &str) -> Result<(), Failure> {
        match self.replace {
            true => Ok(files::write(path, text.as_bytes(), Readers::Others)?),
            false => files::create(path, text.as_bytes(), Readers::Others)
                .map_err(|error| Failure::from(error).advise("Overwrite it with --replace.")),
        }
    }
}

/// An authority as policies have it, under the name of its file.
fn anchor(file: &Path, software: bool) -> Result<Value, Failure> {
    let path = file.display().to_string();
    // Base64 and lines make a third more of a certificate.
    let pem = text(&path, files::read_input(file, MAX_CERTIFICATE_BYTES * 2)?)?;
    let name = file
        .file_stem()
        .map_or(path, |stem| stem.to_string_lossy().into_owned());
    Ok(json!({"name": name, "certificate": pem, "software_tpm": software}))
}
