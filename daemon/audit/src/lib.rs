//! The audit log: encrypted, chained, bounded in size and time.
//!
//! - [`Log`]: writes. An entry that was acknowledged is on the disk for good
//!   ([`Log::append`]); others are handed over and never waited for ([`Log::note`]). A full disk
//!   refuses entries, and with them the work that they were to record.
//! - [`verify()`]: tells without any key whether the log was cut, reordered, edited or rolled back,
//!   and where. The log's [`Head`] belongs in the device's evidence: whoever can write the folder
//!   can write another log, and only a head that is kept elsewhere tells.
//! - [`Reader`]: reads, with the secret keys, which the TPM releases to a device in an approved
//!   state.
//! - [`ocsf`] and [`cef`]: entries for an incident process, with [`Pseudonyms`] in the place of
//!   names. [`Summary`]: counts for the transparency report.
//!
//! Constraints: one process writes; entries have no field for text, so nothing that was said is
//! in them; all bounds are in [`Options`] and beside the constants.
//!
//! ```
//! use std::time::Duration;
//! use earnest_audit::{Log, Options, Reader, SecretKey, verify};
//! use earnest_telemetry::{Clock, Event, Telemetry, WallClock};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! let secret = SecretKey::from_bytes(&[7; 32]);
//! let telemetry = Telemetry::new(Clock::boot_time());
//! let (log, recovered) = Log::open(
//!     folder.path(),
//!     Options::default(),
//!     secret.public(),
//!     &telemetry,
//!     WallClock::system(),
//! )?;
//! assert_eq!(recovered.entries, 0);
//! log.note(Event::Started);
//! log.close();
//! assert_eq!(verify(folder.path(), Some(log.head()))?.entries, 1);
//! let mut entries = Reader::open(folder.path(), &[secret])?.after(0);
//! let entry = entries.next().expect("one was written")?;
//! assert_eq!(entry.event, Event::Started);
//! # Ok(())
//! # }
//! ```

mod chain;
mod coalesce;
mod disk;
mod entry;
mod error;
mod export;
mod folder;
mod key;
mod log;
mod pseudonym;
mod purge;
mod read;
mod recover;
mod segment;
mod summary;
#[cfg(test)]
mod tests;
mod verify;
mod writer;

pub use chain::Anchored;
pub use entry::{Entry, Head, Note};
pub use error::{AppendError, Flaw, OpenError, ReadError};
pub use export::{Device, cef, ocsf};
pub use key::{BadKey, KeyId, PublicKey, SecretKey};
pub use log::{Log, LogStatus, Options, Receipt};
pub use pseudonym::Pseudonyms;
pub use read::{Entries, Reader, read_segment};
pub use recover::{Cut, Recovered};
pub use segment::{Examined, MAX_SEGMENT_BYTES, examine};
pub use summary::{Day, Summary};
pub use verify::{Damage, Finding, Verified, VerifyError, verify};
