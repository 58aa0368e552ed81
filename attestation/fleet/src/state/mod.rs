//! The folder of what the fleet knows.
//!
//! ```text
//! STATE/
//!   state.json                     what this folder is
//!   policy.json                    the policy, unless a command names another
//!   keys/                          the keys, unless a command names another folder
//!   devices.lock                   held by whoever enrols or forgets a device
//!   devices/<shard>/<AK name>.json     an enrolment
//!   devices/<shard>/<AK name>.labels   its labels, if it has any
//!   names/<shard>/<device name>        the AK name of the device of this name
//!   tpms/<shard>/<certificate digest>  the AK name of the device with this TPM
//!   heads/<shard>/<AK name>.json       the newest head of the device's audit log
//!   heads/<shard>/heads.lock           held by whoever compares a head with it
//!   pending/<shard>/<challenge>.json   an enrolment that waits for its answer
//!   nonces/<shard>/<nonce>.json        a nonce that waits for its evidence
//!   spent/<shard>/<nonce>.json         a nonce that was answered
//! ```
//!
//! Each thing is one small file, found by its name: nothing lists a folder to find something,
//! there is no index of everything, and so a lookup touches the same few files whether there are
//! ten devices or a hundred thousand. The shard is the first byte of SHA-256 over the file's
//! name without its ending, so that folders stay short under whatever names.
//!
//! Several processes may work on one folder at once. Each file appears whole; of several that
//! create one, the first wins and the others are told. Enrolling takes several files, so one
//! process does it at a time; verifying waits for nobody, but for a moment where two evidences
//! show heads of audit logs in one shard.

mod devices;
mod heads;
mod nonces;
mod pending;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use earnest_evidence::HashAlgorithm;
use earnest_files::{self as files, FileError, Readers};
use earnest_verifier::enrolment::EnrolmentError;
use earnest_verifier::freshness::FreshnessError;
use serde::{Deserialize, Serialize};

pub use devices::{Labels, LabelsError, MAX_LABELS};
pub use heads::{AuditLog, WentBack};
pub(crate) use pending::ANSWER_SECONDS;

/// What `state.json` says the folder is.
const FORMAT: &str = "earnest-fleet-state/1";

/// Most bytes of `state.json`.
const MAX_MARK_BYTES: usize = 1024;

/// Most files of a shard that are looked at when old ones are cleared away, so that this takes
/// a time that is bounded whatever was left behind.
const MAX_CLEARED: usize = 1024;

/// Why the state could not be read or changed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The folder is not there, or is no state.
    #[error("{} is no state folder: it has no state.json", .path.display())]
    NoState {
        /// The folder.
        path: PathBuf,
    },
    /// The folder is of another version, or of something else.
    #[error("{}: expected a state of format {FORMAT:?}, found {found:?}", .path.display())]
    Format {
        /// The folder.
        path: PathBuf,
        /// What `state.json` says.
        found: String,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file of the state is damaged.
    #[error("{} is damaged: {reason}", .path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Another device has the name.
    #[error("a device of the name {device:?} is enrolled already, with AK {ak_name}")]
    NameTaken {
        /// The name.
        device: String,
        /// The AK of the device that has it.
        ak_name: String,
    },
    /// The TPM belongs to an enrolled device.
    #[error("the TPM is enrolled already, as device {device:?} with AK {ak_name}")]
    TpmTaken {
        /// The device's name.
        device: String,
        /// The device's AK.
        ak_name: String,
    },
    /// There is no such device.
    #[error("no device {found:?} is enrolled")]
    NoDevice {
        /// The name or AK name that was asked for.
        found: String,
    },
    /// There is no such enrolment under way.
    #[error("no enrolment waits for the answer to challenge {challenge}")]
    NotPending {
        /// The challenge.
        challenge: String,
    },
    /// The enrolment is refused.
    #[error(transparent)]
    Enrolment(#[from] EnrolmentError),
    /// The nonce is not fresh.
    #[error(transparent)]
    Freshness(#[from] FreshnessError),
    /// The random source failed.
    #[error("the random source failed")]
    Random,
}

/// The folder of what the fleet knows.
#[derive(Debug, Clone)]
pub struct State {
    root: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    format: String,
}

/// The folders of the state, by what is in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Devices,
    Names,
    Tpms,
    Heads,
    Pending,
    Nonces,
    Spent,
}

impl Kind {
    const fn folder(self) -> &'static str {
        match self {
            Kind::Devices => "devices",
            Kind::Names => "names",
            Kind::Tpms => "tpms",
            Kind::Heads => "heads",
            Kind::Pending => "pending",
            Kind::Nonces => "nonces",
            Kind::Spent => "spent",
        }
    }
}

impl State {
    /// Opens the state in `root`, or makes an empty one there.
    ///
    /// # Errors
    ///
    /// When the folder is something else, or cannot be made.
    pub fn create(root: &Path) -> Result<State, StateError> {
        let mark = root.join("state.json");
        if files::read_if_there(&mark, MAX_MARK_BYTES)?.is_none() {
            files::create_folder(root)?;
            let text = format!("{{\"format\":\"{FORMAT}\"}}\n");
            match files::create(&mark, text.as_bytes(), Readers::Owner) {
                // Somebody else was faster.
                Ok(()) | Err(FileError::Exists { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        State::open(root)
    }

    /// Opens the state in `root`.
    ///
    /// # Errors
    ///
    /// When there is none, or one of another version.
    pub fn open(root: &Path) -> Result<State, StateError> {
        let path = root.join("state.json");
        let Some(bytes) = files::read_if_there(&path, MAX_MARK_BYTES)? else {
            return Err(StateError::NoState {
                path: root.to_owned(),
            });
        };
        let mark: Mark = serde_json::from_slice(&bytes).map_err(|error| StateError::Damaged {
            path,
            reason: error.to_string(),
        })?;
        match mark.format == FORMAT {
            true => Ok(State {
                root: root.to_owned(),
            }),
            false => Err(StateError::Format {
                path: root.to_owned(),
                found: mark.format,
            }),
        }
    }

    /// Where the policy is, unless a command names another.
    pub fn policy(&self) -> PathBuf {
        self.root.join("policy.json")
    }

    /// The folder in which a file of this key is.
    fn shard(&self, kind: Kind, key: &str) -> PathBuf {
        let digest = HashAlgorithm::Sha256.digest(key.as_bytes());
        let shard = digest.as_bytes().first().copied().unwrap_or(0);
        self.shard_of(kind, shard)
    }

    fn shard_of(&self, kind: Kind, shard: u8) -> PathBuf {
        self.root.join(kind.folder()).join(format!("{shard:02x}"))
    }

    /// The file of this key. Keys are hexadecimal, or device names, which were checked to be
    /// plain.
    fn path(&self, kind: Kind, key: &str) -> PathBuf {
        let ending = match kind {
            Kind::Names | Kind::Tpms => "",
            Kind::Devices | Kind::Heads | Kind::Pending | Kind::Nonces | Kind::Spent => ".json",
        };
        self.shard(kind, key).join(format!("{key}{ending}"))
    }

    /// The text of the file of this key, if there is one.
    fn read(&self, kind: Kind, key: &str, limit: usize) -> Result<Option<String>, StateError> {
        let path = self.path(kind, key);
        match files::read_if_there(&path, limit)? {
            None => Ok(None),
            Some(bytes) => String::from_utf8(bytes)
                .map(Some)
                .map_err(|error| damaged(&path, &error)),
        }
    }

    fn write(&self, kind: Kind, key: &str, text: &str) -> Result<(), StateError> {
        files::create_folder(&self.shard(kind, key))?;
        let path = self.path(kind, key);
        Ok(files::write(&path, text.as_bytes(), Readers::Owner)?)
    }

    /// Writes a file that must not be there yet.
    fn create_file(&self, kind: Kind, key: &str, text: &str) -> Result<(), FileError> {
        files::create_folder(&self.shard(kind, key))?;
        files::create(&self.path(kind, key), text.as_bytes(), Readers::Owner)
    }

    /// Removes the files of one shard of which `is_over` says so by their text. What cannot be
    /// read stays: clearing up is no reason for a command to fail.
    fn clear(&self, kind: Kind, shard: u8, limit: usize, is_over: impl Fn(&str) -> bool) {
        let Ok(entries) = fs::read_dir(self.shard_of(kind, shard)) else {
            return;
        };
        for entry in entries.take(MAX_CLEARED).flatten() {
            let path = entry.path();
            let text = files::read(&path, limit)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok());
            if text.is_some_and(|text| is_over(&text)) {
                // Another process may have been faster.
                let _ = fs::remove_file(&path);
            }
        }
    }
}

fn damaged(path: &Path, error: &dyn std::error::Error) -> StateError {
    StateError::Damaged {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}
