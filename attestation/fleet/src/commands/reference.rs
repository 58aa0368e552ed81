//! `earnest-fleet reference`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use earnest_files as files;
use earnest_verifier::quote;
use earnest_verifier::reference::{MAX_REFERENCE_BYTES, ReferenceValues};
use serde_json::json;

use super::context::{Context, open_state, read_evidence, read_policy, text, write_file};
use crate::exit::{Exit, Failure};
use crate::show;

/// What is done with reference values.
#[derive(Debug, Subcommand)]
pub(super) enum Reference {
    /// Make reference values of the evidence of a device that is known to be right.
    ///
    /// The quote must be signed by the key in the evidence, and the PCR values be those quoted;
    /// that the device is in the state that you want is yours to say.
    FromEvidence(FromEvidence),
    /// Show reference values.
    Show(Show),
    /// Compare two files of reference values; exits with 15 if they differ.
    Diff(Diff),
}

#[derive(Debug, Args)]
pub(super) struct FromEvidence {
    /// The evidence; - is standard input.
    evidence: PathBuf,

    /// The name of the reference values, which stands in results.
    #[arg(long, value_name = "NAME")]
    name: String,

    /// Where they go.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// The policy, which says which PCRs of which bank [default: policy.json in the state].
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,

    /// The state's folder.
    #[arg(long, value_name = "DIR", required_unless_present = "policy")]
    state: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The reference values.
    file: PathBuf,

    /// Write JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The earlier reference values.
    before: PathBuf,

    /// The later ones.
    after: PathBuf,

    /// Write JSON.
    #[arg(long)]
    json: bool,
}

impl Reference {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        match self {
            Reference::FromEvidence(from) => from.run(context),
            Reference::Show(show) => show.run(context),
            Reference::Diff(diff) => diff.run(context),
        }
    }
}

/// Reads reference values.
pub(super) fn read(path: &Path) -> Result<ReferenceValues, Failure> {
    let name = path.display().to_string();
    let bytes = files::read_input(path, MAX_REFERENCE_BYTES).map_err(|error| {
        Failure::from(error).advise(
            "Reference values are made with `earnest-fleet reference from-evidence`, or come with an image.",
        )
    })?;
    ReferenceValues::from_json(&text(&name, bytes)?)
        .map_err(|error| Failure::bad_input(&name, &error))
}

impl FromEvidence {
    fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let state = match &self.state {
            Some(path) => Some(open_state(path)?),
            None => None,
        };
        let policy = read_policy(self.policy.as_deref(), state.as_ref())?;
        let evidence = read_evidence(&self.evidence)?;
        let name = self.evidence.display().to_string();
        let key = evidence
            .ak_public
            .key()
            .map_err(|error| Failure::bad_input(&name, &error))?;
        let refused = |error: &dyn std::error::Error| {
            Failure::of(Exit::Refused, error)
                .advise("Take evidence that the device made itself, as it was sent.")
        };
        let (attest, signature) = (evidence.attest.marshal(), evidence.signature.marshal());
        quote::verify(&key, &attest, &signature, evidence.nonce.as_bytes())
            .map_err(|error| refused(&error))?
            .check_values(&evidence.pcrs)
            .map_err(|error| refused(&error))?;
        let reference = ReferenceValues::from_evidence(&self.name, &evidence, &policy)
            .map_err(|error| Failure::bad_input(&name, &error))?;
        write_file(&self.out, reference.to_json().as_bytes())?;
        let ak_name = evidence.ak_public.name();
        let device = match &state {
            Some(state) => state.device(&ak_name)?,
            None => None,
        };
        context.say(&match device {
            Some(device) => format!(
                "Made of evidence of the enrolled device {:?}.",
                device.device()
            ),
            None => format!(
                "Made of evidence with AK {ak_name}, which was not held against any enrolment."
            ),
        });
        Ok(Exit::Success)
    }
}

impl Show {
    fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let reference = read(&self.file)?;
        if self.json {
            context.data(&reference.to_json())?;
            return Ok(Exit::Success);
        }
        let row = |what: String, value: String| vec![what, value];
        let mut rows = vec![
            row("name".to_owned(), reference.name().to_owned()),
            row("bank".to_owned(), reference.bank().to_string()),
        ];
        for (pcr, allowed) in reference.pcrs() {
            for value in &allowed.values {
                let events = match value.events.len() {
                    0 => String::new(),
                    count => format!(" by {count} events"),
                };
                let value = format!("{}{events}", value.value.to_hex());
                rows.push(row(format!("PCR {pcr}"), value));
            }
            if !allowed.events.is_empty() {
                let any = format!("any of {} events", allowed.events.len());
                rows.push(row(format!("PCR {pcr}"), any));
            }
        }
        if let Some(starts) = reference.starts() {
            let mut several = |what: &str, values: Vec<String>| {
                rows.extend(values.into_iter().map(|value| row(what.to_owned(), value)));
            };
            let texts = |digests: &std::collections::BTreeSet<earnest_evidence::Digest>| {
                digests.iter().map(|digest| digest.to_string()).collect()
            };
            several("configuration", texts(&starts.configurations));
            several("model", texts(&starts.models));
            if starts.without_model {
                several("model", vec!["none".to_owned()]);
            }
            several("version", starts.versions.iter().cloned().collect());
            several(
                "least sandbox",
                vec![starts.least_sandbox.name().to_owned()],
            );
        }
        context.data(&show::table(&rows))?;
        Ok(Exit::Success)
    }
}

impl Diff {
    fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let (before, after) = (read(&self.before)?, read(&self.after)?);
        let differences: Vec<String> = before
            .diff(&after)
            .iter()
            .map(|difference| difference.to_string())
            .collect();
        if self.json {
            context.json(&json!({
                "same": differences.is_empty(),
                "differences": differences,
            }))?;
        } else {
            let lines: String = differences.iter().map(|line| format!("{line}\n")).collect();
            context.data(&lines)?;
        }
        Ok(match differences.is_empty() {
            true => Exit::Success,
            false => Exit::Differs,
        })
    }
}
