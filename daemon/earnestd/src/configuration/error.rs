//! Why a configuration cannot be used.

use earnest_anomaly::ThresholdsError;
use earnest_audio::PatternError;
use earnest_files::FileError;
use earnest_guardian::PlaceError;
use earnest_listen::{AddressError, UnixPathError, WyomingPlaceError};
use earnest_policy::{AnswerRulesError, LimitsError};

/// Why a configuration cannot be used. Every value that is refused comes with its key, what was
/// expected and what was found.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is no text.
    #[error("the configuration is no text")]
    NotText(#[from] std::str::Utf8Error),
    /// It is no TOML, has a key that is not known, or a value of another kind.
    #[error("the configuration cannot be read: {0}")]
    NotToml(#[from] toml::de::Error),
    /// A number is too small or too large.
    #[error("`{key}` is {found}; expected is {least} to {most}, because {reason}")]
    Range {
        /// The key, with its section.
        key: &'static str,
        /// The least that is taken.
        least: u64,
        /// The most that is taken.
        most: u64,
        /// Why there are bounds.
        reason: &'static str,
        /// What the file says.
        found: u64,
    },
    /// A rule of answers is out of its range.
    #[error("`answers`: {0}")]
    Answers(#[from] AnswerRulesError),
    /// The thresholds of anomalies are none.
    #[error("`anomalies`: {0}")]
    Thresholds(#[from] ThresholdsError),
    /// A limit of apps is out of its range.
    #[error("`apps`: {0}")]
    Limits(#[from] LimitsError),
    /// A word that is none of those that have a meaning here.
    #[error("`{key}` is \"{found}\"; expected is {expected}")]
    Word {
        /// The key, with its section.
        key: &'static str,
        /// The words that have a meaning.
        expected: &'static str,
        /// What the file says.
        found: String,
    },
    /// A path that depends on where the daemon was started.
    #[error("`{key}` is \"{found}\"; expected is a path that starts with /")]
    Path {
        /// The key, with its section.
        key: &'static str,
        /// What the file says.
        found: String,
    },
    /// An address that is not this machine's own.
    #[error("`{key}` has \"{found}\": {reason}")]
    Address {
        /// The key, with its section.
        key: &'static str,
        /// What the file says.
        found: String,
        /// Why it is refused.
        #[source]
        reason: AddressError,
    },
    /// A path that no socket can have.
    #[error("`{key}`: {reason}")]
    Socket {
        /// The key, with its section.
        key: &'static str,
        /// Why it is refused.
        #[source]
        reason: UnixPathError,
    },
    /// A place where the Wyoming protocol is not spoken.
    #[error("`{key}`: \"{found}\": {reason}")]
    Wyoming {
        /// The key, with its section.
        key: &'static str,
        /// What was written.
        found: String,
        /// Why it is refused.
        #[source]
        reason: WyomingPlaceError,
    },
    /// No name of a device.
    #[error("`{key}`: {reason}")]
    Device {
        /// The key, with its section.
        key: &'static str,
        /// Why it is refused.
        #[source]
        reason: PatternError,
    },
    /// No place of a guard.
    #[error("`{key}`: {reason}")]
    Guard {
        /// The key, with its section.
        key: &'static str,
        /// Why it is refused.
        #[source]
        reason: PlaceError,
    },
    /// More entries than a list may have.
    #[error("`{key}` has {found} entries; expected are at most {most}")]
    Entries {
        /// The key, with its section.
        key: &'static str,
        /// The most that are taken.
        most: usize,
        /// How many there are.
        found: usize,
    },
    /// There is no such user or group here.
    #[error("`{key}` names \"{found}\"; expected is a {kind} of this machine")]
    Stranger {
        /// The key, with its section.
        key: &'static str,
        /// A user or a group.
        kind: &'static str,
        /// The name.
        found: String,
    },
    /// A key that another one makes necessary is not there.
    #[error("`{key}` is missing; expected is one, because {because}")]
    Missing {
        /// The key, with its section.
        key: &'static str,
        /// What makes it necessary.
        because: &'static str,
    },
    /// A key that another one leaves without a meaning.
    #[error("`{key}` is there; expected is none, because {because}")]
    Idle {
        /// The key, with its section.
        key: &'static str,
        /// What leaves it without a meaning.
        because: &'static str,
    },
    /// Nothing would be listened on.
    #[error("`listen` names no address and no socket: nobody could ask anything")]
    Deaf,
}
