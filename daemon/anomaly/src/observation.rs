//! Who is watched, and what is seen of it.

use std::fmt;

use earnest_telemetry::{App, Refusal};
use serde::{Deserialize, Serialize};

/// Whose behaviour is learned and answered for.
///
/// A request that was let in counts for its application. A failed proof counts for the user who
/// made the connection and never for the application that it named: else anybody could bring an
/// application into quarantine by guessing in its name. Where a user's programs may take any
/// name, the user is watched beside the name, or a new name would be a clean slate.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// An application that proved who it is.
    App(App),
    /// A user of the machine.
    Uid(u32),
    /// Everybody about whom nothing is known, together. It is throttled at worst: a quarantine
    /// would shut out strangers for what another stranger did.
    Unknown,
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::App(app) => write!(formatter, "{app}"),
            Subject::Uid(uid) => write!(formatter, "uid {uid}"),
            Subject::Unknown => write!(formatter, "unknown"),
        }
    }
}

/// Something that a subject did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// A request ended.
    Request(Request),
    /// It was turned away.
    Refused {
        /// Why.
        reason: Refusal,
    },
}

/// A request that ended, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// Milliseconds from first byte to last.
    pub milliseconds: u64,
    /// Milliseconds of sound that it brought.
    pub sound_milliseconds: u64,
    /// Milliseconds of speech in it.
    pub speech_milliseconds: u64,
    /// Whether the model was uncertain of its text, or the text was withheld.
    pub certainty_low: bool,
    /// The HTTP status of the answer.
    pub status: u16,
    /// A keyed digest of the bytes that came, where they were all seen. It stays in memory and
    /// is forgotten with the subject.
    pub payload: Option<u64>,
    /// A fingerprint of the sound of which like sounds have like bits. Stays in memory, too.
    pub shape: Option<u64>,
    /// How fast its bytes came, where they came slowly enough to measure.
    pub bytes_per_second: Option<u64>,
}
