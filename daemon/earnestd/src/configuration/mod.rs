//! What the daemon was told: one TOML file, read raw with unknown keys refused, then checked.
//!
//! `dist/earnestd.toml` is the example that explains every key; a test holds it to the defaults
//! that stand here. What is checked is a value of its own: an address of a [`Configuration`] is
//! a loopback address, a path is absolute, a number lies within bounds.
//!
//! ```
//! use earnestd::configuration::{Accounts, Configuration};
//!
//! let text = "[listen]\ntls = [\"0.0.0.0:8473\"]";
//! let refused = Configuration::parse(text, &Accounts::of_this_machine()).unwrap_err();
//! assert!(refused.to_string().contains("`listen.tls`"));
//! ```

mod check;
mod conduct;
mod error;
mod microphone;
mod raw;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use earnest_anomaly::Thresholds;
use earnest_evidence::{Digest, HashAlgorithm};
use earnest_listen::{LoopbackAddress, UnixPath, WyomingPlace};
use earnest_policy::{AnswerRules, AppLimits};
use nix::unistd::{Gid, Group, Uid, User};

pub use error::ConfigurationError;
pub use microphone::{GuardSettings, MicrophoneSettings};

/// Where the file is, unless told otherwise.
pub const DEFAULT_PATH: &str = "/etc/earnest/earnestd.toml";

/// Where sealed models are, unless told otherwise.
const MODELS_FOLDER: &str = "/var/lib/earnest/models";

/// Longer than any that says something.
const MAX_FILE_BYTES: usize = 64 << 10;

/// The daemon's checked configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Configuration {
    /// The folder of the provisioned device.
    pub device: PathBuf,
    /// The folder of what the daemon keeps.
    pub state: PathBuf,
    /// The sealed models.
    pub model: ModelFiles,
    /// What opens the gate, and how often that is looked at.
    pub gate: GateSettings,
    /// Where the daemon is asked.
    pub listen: ListenSettings,
    /// Who may ask.
    pub allow: AllowSettings,
    /// What each app may take.
    pub apps: AppSettings,
    /// What is done to answers.
    pub answers: AnswerRules,
    /// The microphone, and how it is listened to.
    pub microphone: MicrophoneSettings,
    /// The guard beside the microphone; none where there is none.
    pub guard: Option<GuardSettings>,
    /// The processes that hear.
    pub workers: WorkerSettings,
    /// What a request may take.
    pub limits: LimitSettings,
    /// What becomes of the audit log.
    pub audit: AuditSettings,
    /// From when on unusual use is told, slowed and stopped.
    pub anomalies: Thresholds,
    /// How long each key is used.
    pub keys: KeySettings,
    /// Where spans are sent.
    pub collector: Option<LoopbackAddress>,
    /// As whom and how guarded the daemon runs.
    pub run: RunSettings,
    /// What the daemon writes to standard error.
    pub log: LogSettings,
    /// The SHA-256 of the file's bytes, which every start is measured with.
    pub digest: Digest,
}

/// How large a speech model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// Moonshine tiny.
    Tiny,
    /// Moonshine base.
    Base,
}

impl Size {
    /// The name of the model's card.
    pub const fn card(self) -> &'static str {
        match self {
            Size::Tiny => "moonshine-tiny-en-int8",
            Size::Base => "moonshine-base-en-int8",
        }
    }

    /// The name that clients ask for the model by.
    pub const fn id(self) -> &'static str {
        match self {
            Size::Tiny => "moonshine-tiny-en",
            Size::Base => "moonshine-base-en",
        }
    }
}

/// The sealed models, and the key that they must be signed by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFiles {
    /// Which speech model.
    pub size: Size,
    /// Its package.
    pub speech: PathBuf,
    /// The package of the model that tells speech from the rest.
    pub voice: PathBuf,
    /// The key that signs releases, in PEM.
    pub release_key: PathBuf,
}

/// What opens the gate besides the unsealed model and its known answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// Nothing: that the TPM unseals is the proof.
    Local,
    /// A live result of the fleet's verifier.
    Fleet {
        /// The key that signs results, in PEM.
        result_key: PathBuf,
        /// How long the gate stays open once the result has expired.
        grace: Duration,
    },
}

/// What opens the gate, and how often that is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateSettings {
    /// What must be there.
    pub mode: Mode,
    /// How often the boot PCRs are read.
    pub check: Duration,
    /// How often the model must give its known answers.
    pub self_test: Duration,
}

/// Where the daemon is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenSettings {
    /// Addresses for TLS.
    pub tls: Vec<LoopbackAddress>,
    /// Addresses for clear text: none, unless told so.
    pub clear_text: Vec<LoopbackAddress>,
    /// The Unix socket.
    pub unix: Option<UnixPath>,
    /// Where the Wyoming protocol is spoken: nowhere, unless told so.
    pub wyoming: Vec<WyomingPlace>,
    /// The group that may connect to the Unix socket, besides the daemon's own.
    pub group: Option<Gid>,
    /// Connections that one listener serves at once.
    pub connections: usize,
    /// How long a TLS certificate holds. It is replaced at half of that.
    pub leaf: Duration,
}

/// Who may ask. Whoever is not listed gets nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowSettings {
    /// Users whose programs get transcripts.
    pub apps: Vec<u32>,
    /// Users who may see how the daemon fares, and change what it does.
    pub operators: Vec<u32>,
    /// Users who may see how the daemon fares, and read the audit log.
    pub auditors: Vec<u32>,
}

/// What each app may take unless its own entry says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppSettings {
    /// Its limits.
    pub limits: AppLimits,
    /// How long a token lasts.
    pub token: Duration,
}

/// What becomes of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSettings {
    /// How long it is kept.
    pub keep: Duration,
    /// Bytes of it at most.
    pub most: u64,
    /// How often its head is measured.
    pub anchor: Duration,
}

/// How long each key is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySettings {
    /// The one that signs tokens.
    pub tokens: Duration,
    /// The one that the audit log is encrypted to.
    pub audit: Duration,
    /// The one that apps are renamed with in what leaves.
    pub pseudonyms: Duration,
    /// The one that the daemon's state is encrypted under.
    pub state: Duration,
}

/// The processes that hear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerSettings {
    /// How many wait ready for an app that comes.
    pub warm: usize,
    /// How many are at work at most.
    pub most: usize,
    /// Requests of one app that may wait for one.
    pub queue: usize,
    /// How long a request waits for one.
    pub patience: Duration,
    /// How long an app's worker waits for its next request.
    pub idle: Duration,
    /// Threads of each.
    pub threads: usize,
    /// Bytes of memory of each, beyond the weights that all share.
    pub memory: u64,
}

/// What a request may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitSettings {
    /// Bytes of an upload.
    pub upload: u64,
    /// How long one request may last.
    pub request: Duration,
    /// How long a client may send nothing while something is expected of it.
    pub quiet: Duration,
    /// How long requests may go on once the daemon was told to end.
    pub drain: Duration,
}

/// What happens where memory cannot be kept out of swap and dumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposed {
    /// The daemon does not start.
    Refuse,
    /// The daemon says so and goes on.
    Warn,
}

/// As whom and how guarded the daemon runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSettings {
    /// The user that the daemon becomes when root starts it.
    pub user: String,
    /// What happens where memory cannot be guarded.
    pub exposed_memory: Exposed,
}

/// The form of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Plain,
    /// A JSON object a line.
    Json,
}

/// How much the log says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// What failed.
    Error,
    /// And what is not as it should be.
    Warn,
    /// And what happened.
    Info,
    /// And how.
    Debug,
}

/// What the daemon writes to standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogSettings {
    /// In which form.
    pub format: LogFormat,
    /// How much.
    pub level: LogLevel,
}

impl Configuration {
    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// When it cannot be read, others may change it, or as [`Configuration::parse`].
    pub fn load(path: &Path, accounts: &Accounts) -> Result<Configuration, ConfigurationError> {
        let bytes = earnest_files::read_trusted(path, MAX_FILE_BYTES)?;
        Configuration::parse(str::from_utf8(&bytes)?, accounts)
    }

    /// The port that spans are sent to, where they are.
    pub fn collector_port(&self) -> Vec<u16> {
        self.collector.iter().map(LoopbackAddress::port).collect()
    }

    /// Reads a configuration from its text.
    ///
    /// # Errors
    ///
    /// When it is no TOML, has a key that is not known, or a value that cannot be.
    pub fn parse(text: &str, accounts: &Accounts) -> Result<Configuration, ConfigurationError> {
        let digest = HashAlgorithm::Sha256.digest(text.as_bytes());
        check::configuration(toml::from_str(text)?, accounts, digest)
    }
}

/// Who has an account here, asked by name.
pub struct Accounts {
    user: fn(&str) -> Option<Uid>,
    group: fn(&str) -> Option<Gid>,
}

impl Accounts {
    /// The accounts of this machine.
    pub fn of_this_machine() -> Accounts {
        // A database of users that cannot be read knows nobody.
        Accounts {
            user: |name| Some(User::from_name(name).ok()??.uid),
            group: |name| Some(Group::from_name(name).ok()??.gid),
        }
    }
}
