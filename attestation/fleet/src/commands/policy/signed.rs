//! `earnest-fleet policy show`.

use std::path::PathBuf;

use clap::Args;
use earnest_evidence::hex;
use earnest_evidence::sealing::{
    GRANT_BYTES, MAX_APPROVALS, PolicyKey, SIGNATURE_BYTES, SIGNED_VERSION_BYTES, SignedPolicy,
    SignedVersion,
};
use earnest_evidence::tpm::{MAX_PEM_BYTES, PublicKey};
use earnest_files as files;
use serde_json::{Value, json};

use super::super::context::{Context, keys_path, open_keys, text};
use crate::exit::{Exit, Failure};
use crate::show;

/// Most bytes of either file.
const MAX_SIGNED_BYTES: usize =
    SIGNED_VERSION_BYTES + GRANT_BYTES + MAX_APPROVALS * (32 + SIGNATURE_BYTES);

/// Which file is shown.
#[derive(Debug, Args)]
pub(in crate::commands) struct Show {
    /// A signed policy or a signed version.
    file: PathBuf,

    /// The root's public key in PEM.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["keys", "state"])]
    root: Option<PathBuf>,

    /// The folder of keys, in which the root's public key is [default: the folder keys in the
    /// state].
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,

    /// The state's folder.
    #[arg(long, value_name = "DIR", required_unless_present_any = ["root", "keys"])]
    state: Option<PathBuf>,

    /// Write JSON.
    #[arg(long)]
    json: bool,
}

impl Show {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let name = self.file.display().to_string();
        let bytes = files::read_input(&self.file, MAX_SIGNED_BYTES)?;
        let root = self.root()?;
        let refused = |error: &dyn std::error::Error| {
            Failure::new(
                Exit::Refused,
                Failure::bad_input(&name, error).message().to_owned(),
            )
            .advise("It is of another fleet, or was changed.")
        };
        let shown = match (SignedPolicy::parse(&bytes), SignedVersion::parse(&bytes)) {
            (Ok(policy), _) => {
                policy.verify(&root).map_err(|error| refused(&error))?;
                policy_json(&policy)
            }
            (_, Ok(version)) => {
                version.verify(&root).map_err(|error| refused(&error))?;
                version_json(&version)
            }
            // Whose magic it is tells which of the two errors is meant.
            (Err(error), Err(_)) if bytes.starts_with(b"earnpol") => {
                return Err(Failure::bad_input(&name, &error));
            }
            (Err(_), Err(error)) => return Err(Failure::bad_input(&name, &error)),
        };
        if self.json {
            context.json(&shown)?;
            return Ok(Exit::Success);
        }
        let rows: Vec<Vec<String>> = shown
            .as_object()
            .into_iter()
            .flatten()
            .flat_map(|(key, value)| rows(key, value))
            .collect();
        context.data(&show::table(&rows))?;
        Ok(Exit::Success)
    }

    fn root(&self) -> Result<PolicyKey, Failure> {
        let Some(path) = &self.root else {
            let path = keys_path(self.keys.as_deref(), self.state.as_deref());
            return Ok(open_keys(&path)?.root()?);
        };
        let name = path.display().to_string();
        let pem = text(&name, files::read_input(path, MAX_PEM_BYTES)?)?;
        let key = PublicKey::from_pem(&pem).map_err(|error| Failure::bad_input(&name, &error))?;
        PolicyKey::from_spki_der(&key.to_spki_der())
            .map_err(|error| Failure::bad_input(&name, &error))
    }
}

fn policy_json(policy: &SignedPolicy) -> Value {
    let states = policy.approvals().iter();
    let digests: Vec<String> = states
        .map(|state| format!("sha256:{}", hex::encode(&state.pcr_digest)))
        .collect();
    json!({
        "kind": "signed policy",
        "version": policy.version(),
        "generation": policy.grant().generation,
        "policy_key": policy.grant().key.to_string(),
        "pcrs": policy.pcrs().to_string(),
        "states": digests,
    })
}

fn version_json(version: &SignedVersion) -> Value {
    json!({
        "kind": "signed version",
        "least_version": version.least().version,
        "least_generation": version.least().generation,
        "first": version.is_first(),
        "generation": version.grant().generation,
        "policy_key": version.grant().key.to_string(),
    })
}

/// A member as rows of a table: one, or one for each item of a list.
fn rows(key: &str, value: &Value) -> Vec<Vec<String>> {
    let row = |value: &Value| {
        let text = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        vec![key.replace('_', " "), text]
    };
    match value {
        Value::Array(items) => items.iter().map(row).collect(),
        other => vec![row(other)],
    }
}
