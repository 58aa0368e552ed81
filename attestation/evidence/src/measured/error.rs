//! Why there is no measured log, no entry, or no start.

use super::EntryKind;
use crate::HashAlgorithm;

/// Why bytes are no measured log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MeasuredLogError {
    /// More entries of a kind than are read.
    #[error("the measured log has more than {limit} {kind}")]
    TooManyEntries {
        /// Of which kind.
        kind: EntryKind,
        /// The most that are read.
        limit: usize,
    },
    /// An entry is none.
    #[error("entry {entry} of the measured log, at byte {offset}: {source}")]
    Entry {
        /// Its number by its place, counted from 1.
        entry: u32,
        /// Where it starts, in bytes from the start of the log.
        offset: usize,
        /// What is wrong with it.
        source: EntryError,
    },
}

/// Why bytes are no entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// The CBOR is not that of an entry.
    #[error("{field} is not there as expected: {reason}")]
    Cbor {
        /// What was being read.
        field: &'static str,
        /// What the CBOR reader says.
        reason: String,
    },
    /// An entry of no kind that is read.
    #[error("the entry's format is {found}; known are 1, a start, and 2, a head of the audit log")]
    Format {
        /// Its number.
        found: u64,
    },
    /// A number is another one.
    #[error("{field} is {found}; expected is {expected}")]
    Number {
        /// Which.
        field: &'static str,
        /// What belongs there.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// A digest of another length.
    #[error("{field} has {found} bytes; a SHA-256 has {expected}")]
    DigestLength {
        /// Which.
        field: &'static str,
        /// Bytes of a SHA-256.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// A sandbox level that is none.
    #[error("the sandbox level is {found}; known are 0 to 2")]
    SandboxLevel {
        /// Its number.
        found: u64,
    },
    /// What the entry says cannot be.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The entry says the same in other bytes than it would be written with.
    #[error("the entry is not in the deterministic encoding")]
    Encoding,
}

/// Why a start cannot be logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// A digest by another algorithm.
    #[error("a start is told by digests of sha256, not {found}")]
    Algorithm {
        /// The algorithm.
        found: HashAlgorithm,
    },
    /// A version that is empty, too long, or not printable.
    #[error("a version is 1 to {limit} printable ASCII characters; this is {found:?}")]
    Version {
        /// The most characters.
        limit: usize,
        /// The start of the version.
        found: String,
    },
}

/// The log takes no more entries of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the measured log has {limit} {kind} already; a reboot starts a new one")]
pub struct LogFull {
    /// Of which kind.
    pub kind: EntryKind,
    /// The most that it takes.
    pub limit: usize,
}
