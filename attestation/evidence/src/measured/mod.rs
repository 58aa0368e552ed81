//! Earnest's own measured log: what happened after boot, one entry for each start of the
//! daemon, and one for each time that it anchored the head of its audit log.
//!
//! The entry of a start says with which configuration, which model package, which version of
//! the software and how far sandboxed it went; that of a head, how many entries the audit log
//! had and the digest that its chain had come to. An entry's digest is extended into one PCR, so
//! that a quote vouches for every entry since boot; none can be left out, changed or moved. A
//! restart appends, it does not undo, and sealing does not depend on this PCR, so restarts cost
//! nothing. The log goes with the boot that it tells of: it is kept where a reboot clears it.
//!
//! The audit log itself stays on the device; a head tells nothing of what is in it. Where a
//! verifier saw a head, the device cannot show an audit log any more that ends before it, or
//! that has something else there. That heads only grow is for the verifier to check: the format
//! takes any.
//!
//! # Which PCR
//!
//! [`DEFAULT_PCR`] is 14. PCRs 16 and 23 can be reset by any program, so what they hold proves
//! nothing about the past. Firmware owns 0 to 7, boot loaders 8 and 9, IMA 10, and the unified
//! kernel image with systemd 11 to 13 and 15. PCR 14 is that of shim, a boot loader for
//! machines whose Secure Boot keys belong to others, which the appliance does without. Where
//! shim does boot the machine, its events stand in the firmware log, and the replay of this
//! log starts at what that one ends with.
//!
//! # Format
//!
//! A CBOR sequence (RFC 8742) of maps in the deterministic encoding (RFC 8949, 4.2.1). That of
//! a start has at most [`MAX_ENTRY_BYTES`], and there are at most [`MAX_STARTS`]:
//!
//! | Key | Value |
//! |---|---|
//! | 0 | 1, the format of a start |
//! | 1 | the entry's number: 1 for the first since boot, of either kind, then one more each |
//! | 2 | SHA-256 of the configuration, 32 bytes |
//! | 3 | SHA-256 of the model package's manifest, 32 bytes, or null for a start without one |
//! | 4 | the sandbox level reached: 0 none, 1 partial, 2 full |
//! | 5 | the version of the software, up to 64 printable ASCII characters |
//!
//! That of a head has at most [`MAX_HEAD_BYTES`], and there are at most [`MAX_HEADS`]. A log of
//! starts alone has the bytes that it had before there were heads, and a reader of those days
//! refuses a head:
//!
//! | Key | Value |
//! |---|---|
//! | 0 | 2, the format of a head |
//! | 1 | the entry's number, as above |
//! | 2 | the sequence: the number of the audit log's last entry, up to 64 bits |
//! | 3 | SHA-256 of the audit log's chain up to that entry, 32 bytes |
//!
//! An entry's digest, in each bank, is that of its bytes.
//!
//! ```
//! use earnest_evidence::HashAlgorithm;
//! use earnest_evidence::measured::{MeasuredLog, SandboxLevel, Start};
//!
//! let configuration = HashAlgorithm::Sha256.digest(b"[listen]");
//! let mut log = MeasuredLog::new();
//! let entry = log.append(Start::new(configuration, None, SandboxLevel::Full, "0.1.0")?)?;
//! let measured = entry.digest(HashAlgorithm::Sha256); // what goes to the TPM
//!
//! let reset = HashAlgorithm::Sha256.zero();
//! assert_eq!(log.replay(&reset), reset.extended_by(&measured));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod entry;
mod error;
mod head;
#[cfg(test)]
mod tests;

use crate::Digest;

pub(crate) use entry::is_version;
pub use entry::{
    Entry, EntryKind, MAX_ENTRY_BYTES, MAX_HEAD_BYTES, MAX_VERSION_BYTES, Measured, SandboxLevel,
    Start,
};
pub use error::{EntryError, LogFull, MeasuredLogError, StartError};
pub use head::{Head, HeadError};

/// The PCR that the log is extended into, unless a policy says otherwise.
pub const DEFAULT_PCR: u8 = 14;

/// Most starts of a log. A daemon that was started so often since boot is not well: it
/// starts no more until a reboot, which is safer than a log that grows without end.
pub const MAX_STARTS: usize = 1024;

/// Most heads of a log: one an hour for a year of 366 days. Updates reboot a device more often.
/// Heads are no reason not to start, so starts have their own bound.
pub const MAX_HEADS: usize = 24 * 366;

/// Most entries of a log.
pub const MAX_ENTRIES: usize = MAX_STARTS + MAX_HEADS;

/// Bytes of the longest log.
pub const MAX_MEASURED_LOG_BYTES: usize = MAX_STARTS * MAX_ENTRY_BYTES + MAX_HEADS * MAX_HEAD_BYTES;

impl EntryKind {
    /// Most entries of this kind in a log.
    pub const fn limit(self) -> usize {
        match self {
            EntryKind::Start => MAX_STARTS,
            EntryKind::Head => MAX_HEADS,
        }
    }
}

/// The starts of the daemon since boot, and the heads of its audit log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MeasuredLog(Vec<Entry>);

impl MeasuredLog {
    /// A log without an entry.
    pub const fn new() -> MeasuredLog {
        MeasuredLog(Vec::new())
    }

    /// Reads a log that is all of `bytes`; no bytes are a log without an entry.
    ///
    /// # Errors
    ///
    /// When an entry is cut short, not in its one encoding, or not numbered by its place, or
    /// there are more than [`MAX_STARTS`] or [`MAX_HEADS`].
    pub fn parse(bytes: &[u8]) -> Result<MeasuredLog, MeasuredLogError> {
        match MeasuredLog::recover(bytes) {
            (log, _, None) => Ok(log),
            (_, _, Some(error)) => Err(error),
        }
    }

    /// Reads as many entries as are whole, and says how many bytes they take and what ended
    /// them. A daemon that died while it was writing an entry leaves a part of it behind,
    /// which was not extended yet: entries are written first.
    pub fn recover(bytes: &[u8]) -> (MeasuredLog, usize, Option<MeasuredLogError>) {
        let mut log = MeasuredLog::new();
        let mut offset = 0;
        let (mut starts, mut heads) = (0, 0);
        while let Some(rest) = bytes.get(offset..).filter(|rest| !rest.is_empty()) {
            let number = log.next_number();
            match Entry::read(rest, number) {
                Ok((entry, length)) => {
                    let kind = entry.kind();
                    let count = match kind {
                        EntryKind::Start => &mut starts,
                        EntryKind::Head => &mut heads,
                    };
                    let limit = kind.limit();
                    if *count == limit {
                        let error = MeasuredLogError::TooManyEntries { kind, limit };
                        return (log, offset, Some(error));
                    }
                    *count += 1;
                    log.0.push(entry);
                    offset += length;
                }
                Err(source) => {
                    let error = MeasuredLogError::Entry {
                        entry: number,
                        offset,
                        source,
                    };
                    return (log, offset, Some(error));
                }
            }
        }
        (log, offset, None)
    }

    /// The log's bytes.
    pub fn encode(&self) -> Vec<u8> {
        self.0.iter().flat_map(Entry::encode).collect()
    }

    /// Adds a start or a head. The entry's bytes belong at the end of the log's file, and then
    /// its digest into the PCR, in this order.
    ///
    /// # Errors
    ///
    /// When there are [`MAX_STARTS`] or [`MAX_HEADS`] already.
    pub fn append(&mut self, measured: impl Into<Measured>) -> Result<&Entry, LogFull> {
        let entry = Entry::new(self.next_number(), measured.into());
        let (kind, limit) = (entry.kind(), entry.kind().limit());
        let there = self.0.iter().filter(|entry| entry.kind() == kind);
        if there.count() >= limit {
            return Err(LogFull { kind, limit });
        }
        let place = self.0.len();
        self.0.push(entry);
        Ok(&self.0[place])
    }

    /// The entries, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// The starts, in order.
    pub fn starts(&self) -> impl DoubleEndedIterator<Item = &Start> {
        self.0.iter().filter_map(Entry::start)
    }

    /// The heads of the audit log, in order.
    pub fn heads(&self) -> impl DoubleEndedIterator<Item = &Head> {
        self.0.iter().filter_map(Entry::head)
    }

    /// What the PCR holds after these entries if it held `from` before them: zeros, or what
    /// firmware's log replays to. The bank is that of `from`.
    pub fn replay(&self, from: &Digest) -> Digest {
        let digests = self.0.iter().map(|entry| entry.digest(from.algorithm()));
        digests.fold(*from, |pcr, digest| pcr.extended_by(&digest))
    }

    /// How many of these entries, from the first on, the PCR was extended with, if it held
    /// `from` before them and holds `pcr` now. All of them, and the log is right. All but the
    /// last, and a daemon died between writing and extending: the next one extends it. Nothing,
    /// and something else was extended.
    pub fn extended(&self, from: &Digest, pcr: &Digest) -> Option<usize> {
        let mut value = *from;
        let mut found = (value == *pcr).then_some(0);
        for (place, entry) in self.0.iter().enumerate() {
            value = value.extended_by(&entry.digest(from.algorithm()));
            if value == *pcr {
                found = Some(place + 1);
            }
        }
        found
    }

    fn next_number(&self) -> u32 {
        // No more than MAX_ENTRIES.
        self.0.len() as u32 + 1
    }
}
