//! What every command has: the time, a random source, and where its words go; and the options
//! that several commands share.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use earnest_evidence::Evidence;
use earnest_evidence::envelope::MAX_ENVELOPE_BYTES;
use earnest_files::{self as files, FileError, Readers};
use earnest_verifier::policy::{MAX_POLICY_BYTES, Policy};
use ring::rand::SystemRandom;
use serde::Serialize;

use crate::exit::{Exit, Failure};
use crate::keys::KeyFolder;
use crate::show;
use crate::state::State;

/// What every command has.
pub(super) struct Context<'a> {
    /// Seconds since 1970.
    pub(super) now: i64,
    /// Where nonces and keys come from.
    pub(super) random: SystemRandom,
    out: &'a mut dyn Write,
    talk: &'a mut dyn Write,
}

impl<'a> Context<'a> {
    pub(super) fn new(now: i64, out: &'a mut dyn Write, talk: &'a mut dyn Write) -> Context<'a> {
        Context {
            now,
            random: SystemRandom::new(),
            out,
            talk,
        }
    }

    /// Writes data. A reader that has closed the pipe wants no more, which changes no verdict.
    pub(super) fn data(&mut self, text: &str) -> Result<(), Failure> {
        let written = self
            .out
            .write_all(text.as_bytes())
            .and_then(|()| self.out.flush());
        match written {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::new(
                Exit::Files,
                format!("cannot write to standard output: {error}"),
            )),
            _ => Ok(()),
        }
    }

    /// Writes data as JSON, over several lines.
    pub(super) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let mut text = serde_json::to_string_pretty(value)
            .map_err(|error| Failure::of(Exit::Internal, &error))?;
        text.push('\n');
        self.data(&text)
    }

    /// Says a line to a person.
    pub(super) fn say(&mut self, line: &str) {
        // A standard error that is closed is no reason to stop.
        let _ = writeln!(self.talk, "{}", show::printable(line));
    }
}

/// Where the keys are.
#[derive(Debug, Args)]
pub(super) struct KeysPlace {
    /// The folder of keys [default: the folder keys in the state].
    #[arg(long, value_name = "DIR")]
    keys: Option<PathBuf>,

    /// The state's folder.
    #[arg(long, value_name = "DIR", required_unless_present = "keys")]
    state: Option<PathBuf>,
}

impl KeysPlace {
    /// The folder.
    pub(super) fn path(&self) -> PathBuf {
        keys_path(self.keys.as_deref(), self.state.as_deref())
    }

    /// The keys in it.
    pub(super) fn open(&self) -> Result<KeyFolder, Failure> {
        open_keys(&self.path())
    }

    /// The state, if it was named.
    pub(super) fn state(&self) -> Option<&Path> {
        self.state.as_deref()
    }
}

/// The folder of keys, if it was named or is in the state.
pub(super) fn keys_path(keys: Option<&Path>, state: Option<&Path>) -> PathBuf {
    match (keys, state) {
        (Some(keys), _) => keys.to_owned(),
        (None, state) => state.unwrap_or(Path::new(".")).join("keys"),
    }
}

pub(super) fn open_keys(path: &Path) -> Result<KeyFolder, Failure> {
    Ok(KeyFolder::open(path)?)
}

/// Opens the state that must be there.
pub(super) fn open_state(path: &Path) -> Result<State, Failure> {
    Ok(State::open(path)?)
}

/// Reads the policy: the file that was named, or that of the state.
pub(super) fn read_policy(named: Option<&Path>, state: Option<&State>) -> Result<Policy, Failure> {
    let path = match (named, state) {
        (Some(path), _) => path.to_owned(),
        (None, Some(state)) => state.policy(),
        (None, None) => {
            return Err(Failure::new(Exit::Usage, "name a --policy or a --state"));
        }
    };
    let bytes = files::read_input(&path, MAX_POLICY_BYTES).map_err(|error| match error {
        FileError::NotFound { .. } => Failure::from(error)
            .advise("Write a policy with `earnest-fleet policy new`, or name one with --policy."),
        error => error.into(),
    })?;
    let name = path.display().to_string();
    Policy::from_json(&text(&name, bytes)?).map_err(|error| Failure::bad_input(&name, &error))
}

/// Reads evidence, of any form.
pub(super) fn read_evidence(path: &Path) -> Result<Evidence, Failure> {
    let bytes = files::read_input(path, MAX_ENVELOPE_BYTES)?;
    Evidence::decode(&bytes)
        .map_err(|error| Failure::bad_input(&path.display().to_string(), &error))
}

/// The bytes of a file as text.
pub(super) fn text(name: &str, bytes: Vec<u8>) -> Result<String, Failure> {
    String::from_utf8(bytes).map_err(|error| Failure::bad_input(name, &error))
}

/// Writes a file that others may read.
pub(super) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    Ok(files::write(path, bytes, Readers::Others)?)
}
