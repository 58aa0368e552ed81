//! Firmware's event log: what was measured before the operating system, in which order.
//!
//! Source: TCG PC Client Platform Firmware Profile (PFP), "Event Logging". Two forms are read,
//! told apart by the first event: the SHA-1 form (`TCG_PCClientPCREvent` throughout), and the
//! crypto-agile form (a `TCG_EfiSpecIDEvent` in the first, `TCG_PCR_EVENT2` after it). All
//! numbers are little-endian.
//!
//! The log is no proof: firmware hands it over unsigned. It proves something once
//! [`EventLog::replay`] gives what a quote says that the PCRs hold, and then it proves the
//! digests, their PCRs and their order in each PCR. Types, texts and events of
//! [`EventKind::NO_ACTION`] prove nothing, ever; whoever appraises a log looks at digests
//! alone. Real firmware writes odd events, so what is in an event's data is never read, except
//! for the locality at which the TPM started, a wrong one of which gives wrong PCRs.
//!
//! `tpm2_eventlog` (tpm2-tools 5.4) replays the same, except where a log has events of that
//! type behind its head: it extends their digests of zeros and leaves PCR 0 at zero for every
//! startup locality, which no TPM does.
//!
//! ```
//! use earnest_evidence::HashAlgorithm;
//! use earnest_evidence::firmware::EventLog;
//!
//! // One event of the SHA-1 form: PCR 4, EV_SEPARATOR, digest, four bytes of data.
//! let mut bytes = vec![4, 0, 0, 0, 4, 0, 0, 0];
//! bytes.extend(HashAlgorithm::Sha1.digest(&[0; 4]).as_bytes());
//! bytes.extend([4, 0, 0, 0, 0, 0, 0, 0]);
//!
//! let log = EventLog::parse(&bytes)?;
//! let replay = log.replay(HashAlgorithm::Sha1);
//! assert_eq!(replay.touched().to_string(), "4");
//! # Ok::<(), earnest_evidence::firmware::LogError>(())
//! ```

mod allow_list;
mod error;
mod event;
mod kind;
mod replay;
mod specification;
#[cfg(test)]
mod tests;

use crate::HashAlgorithm;
use crate::bytes::Reader;

pub use allow_list::AllowList;
pub use error::LogError;
pub use event::Event;
pub use kind::EventKind;
pub use replay::Replay;
pub use specification::{DigestSize, MAX_ALGORITHMS, Specification};

/// Most bytes of a log that are read. Firmware reserves 64 kB at least, and logs of real
/// machines have 10 to 100 kB; those that measure whole file systems stay below this.
pub const MAX_LOG_BYTES: usize = 2 << 20;

/// A firmware event log, read and not copied.
#[derive(Debug, Clone)]
pub struct EventLog<'b> {
    specification: Option<Specification<'b>>,
    events: Vec<Event<'b>>,
}

impl<'b> EventLog<'b> {
    /// Reads a log of either form that is all of `bytes`.
    ///
    /// # Errors
    ///
    /// When the bytes are empty or more than [`MAX_LOG_BYTES`], an event is cut short, or one
    /// could not have been extended: into a PCR that is none, without a digest, with a digest
    /// of unknown length or two by one algorithm. Each error says which event it is, counted
    /// from 0, and at which byte.
    pub fn parse(bytes: &'b [u8]) -> Result<EventLog<'b>, LogError> {
        match bytes.len() {
            0 => return Err(LogError::Empty),
            found if found > MAX_LOG_BYTES => {
                return Err(LogError::TooLong {
                    limit: MAX_LOG_BYTES,
                    found,
                });
            }
            _ => {}
        }
        let mut reader = Reader::new(bytes);
        let first = Event::read_sha1(&mut reader, 0)?;
        let specification = match Specification::is_in(&first) {
            true => Some(Specification::parse(&first)?),
            false => None,
        };
        let mut events = vec![first];
        // Each event takes 32 bytes or more in the one form and 16 in the other, so the list
        // is bounded by the input's own length.
        while reader.left() > 0 {
            let index = events.len();
            events.push(match &specification {
                None => Event::read_sha1(&mut reader, index)?,
                Some(specification) => Event::read_agile(&mut reader, index, specification)?,
            });
        }
        Ok(EventLog {
            specification,
            events,
        })
    }

    /// What the head of a crypto-agile log says; nothing for the SHA-1 form.
    pub const fn specification(&self) -> Option<&Specification<'b>> {
        self.specification.as_ref()
    }

    /// Whether the log is of the crypto-agile form.
    pub const fn is_crypto_agile(&self) -> bool {
        self.specification.is_some()
    }

    /// The events in order, the head of a crypto-agile log included.
    pub fn events(&self) -> &[Event<'b>] {
        &self.events
    }

    /// The algorithms by which at least one extended event has a digest, ascending.
    pub fn algorithms(&self) -> Vec<HashAlgorithm> {
        let has = |algorithm: &HashAlgorithm| {
            let mut extended = self.events.iter().filter(|event| event.is_extended());
            extended.any(|event| event.digest(*algorithm).is_some())
        };
        HashAlgorithm::ALL.into_iter().filter(has).collect()
    }

    /// What PCRs of the bank of `algorithm` hold, if the log is right.
    pub fn replay(&self, algorithm: HashAlgorithm) -> Replay {
        Replay::of(self, algorithm)
    }

    /// The locality at which the TPM was started, by the first event that tells it (PFP,
    /// "Startup Locality Event").
    pub fn startup_locality(&self) -> Option<u8> {
        self.events.iter().find_map(Event::startup_locality)
    }

    /// The log without the event data that `allowed` does not let out. All digests, PCRs and
    /// types stay, so it replays to the same PCRs.
    pub fn filtered(&self, allowed: &AllowList) -> Vec<u8> {
        let mut out = Vec::new();
        for event in &self.events {
            match &self.specification {
                Some(specification) if event.index() == 0 => {
                    event.write(&specification.without_vendor_info(), &mut out);
                }
                _ if allowed.allows(event) => event.write(event.data(), &mut out),
                _ => event.write(&[], &mut out),
            }
        }
        out
    }
}
