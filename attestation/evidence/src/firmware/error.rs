//! Why bytes are no firmware event log.

use super::{MAX_ALGORITHMS, event};
use crate::{HashAlgorithm, Truncated};

/// Why bytes are no firmware event log. Events are counted from 0, offsets in bytes from the
/// start of the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// There are no bytes.
    #[error("the event log is empty")]
    Empty,
    /// More bytes than are read.
    #[error("an event log of {found} bytes is more than {limit}")]
    TooLong {
        /// The most that is read.
        limit: usize,
        /// Bytes of the log.
        found: usize,
    },
    /// The log ends within an event.
    #[error("event {event} is cut short: {source}")]
    Truncated {
        /// Which event.
        event: usize,
        /// Where, and what is missing.
        source: Truncated,
    },
    /// An event that is extended names a PCR that is none.
    #[error("event {event}, at byte {offset}, is extended into PCR {found}; the last is 23")]
    NoSuchPcr {
        /// Which event.
        event: usize,
        /// Where it starts.
        offset: usize,
        /// The PCR.
        found: u32,
    },
    /// An event has no digest or more than there are algorithms.
    #[error(
        "event {event}, at byte {offset}, has {found} digests; expected are 1 to {limit}",
        limit = event::MAX_DIGESTS
    )]
    DigestCount {
        /// Which event.
        event: usize,
        /// Where it starts.
        offset: usize,
        /// Digests by the event.
        found: u32,
    },
    /// A digest whose length nobody tells.
    #[error(
        "event {event} has at byte {offset} a digest by the algorithm {found:#06x}, whose length \
         the log's head does not tell"
    )]
    UnknownAlgorithm {
        /// Which event.
        event: usize,
        /// Where the digest starts.
        offset: usize,
        /// Its `TPM_ALG_ID`.
        found: u16,
    },
    /// An event has two digests by one algorithm.
    #[error("event {event} has at byte {offset} a second digest by {algorithm}")]
    DigestTwice {
        /// Which event.
        event: usize,
        /// Where the second starts.
        offset: usize,
        /// The algorithm.
        algorithm: HashAlgorithm,
    },
    /// The head lists no algorithm or too many.
    #[error("the log's head lists {found} algorithms; expected are 1 to {limit}", limit = MAX_ALGORITHMS)]
    AlgorithmCount {
        /// How many it lists.
        found: u32,
    },
    /// The head gives an algorithm another length than it has, or one that no digest has.
    #[error(
        "the log's head gives digests by the algorithm {algorithm:#06x} {found} bytes; expected \
         are {expected}"
    )]
    AlgorithmSize {
        /// Its `TPM_ALG_ID`.
        algorithm: u16,
        /// The bytes of its digests, or the most that any has.
        expected: usize,
        /// Bytes by the head.
        found: usize,
    },
    /// The head lists an algorithm twice.
    #[error("the log's head lists the algorithm {found:#06x} twice")]
    AlgorithmTwice {
        /// Its `TPM_ALG_ID`.
        found: u16,
    },
}
