//! What can go wrong, an operation at a time.

use std::io;
use std::path::PathBuf;

use earnest_files::FileError;

use crate::KeyId;

/// Why the log was not opened. A full disk is no reason: the log then refuses entries until
/// there is room.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The bounds contradict each other.
    #[error("an audit log of {most} bytes has no room for four segments of {segment} bytes")]
    Bounds {
        /// Bytes of a segment.
        segment: u64,
        /// Bytes of the log.
        most: u64,
    },
    /// Another process writes it.
    #[error("the audit log is written by another process")]
    Held(#[source] FileError),
    /// The folder is not to be had.
    #[error("the folder of the audit log is not to be had")]
    Folder(#[source] FileError),
    /// The folder cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// What.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The thread that writes was not to be had.
    #[error("there is no thread to write the audit log")]
    Thread(#[source] io::Error),
}

/// Why an entry is not in the log. Whatever the reason, what it was to record must not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The disk has no room for more.
    #[error("there is no room for more of the audit log")]
    Full,
    /// The disk does not take it.
    #[error("the audit log cannot be written")]
    Unavailable,
    /// Too many entries wait.
    #[error("more entries wait for the audit log than may")]
    Busy,
    /// The log is closed.
    #[error("the audit log is closed")]
    Closed,
}

/// Why the log was not read, or not on from here.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The folder or a segment in it cannot be read.
    #[error("cannot read {}", .path.display())]
    Read {
        /// What.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// A segment is none from its first bytes on.
    #[error("segment {segment} of the audit log is none: {flaw}")]
    Segment {
        /// Its number.
        segment: u32,
        /// What is wrong.
        flaw: Flaw,
    },
    /// None of the given keys opens a segment.
    #[error("segment {segment} of the audit log is encrypted to the key {key}, which is not here")]
    NoKey {
        /// Its number.
        segment: u32,
        /// The key's name.
        key: KeyId,
    },
    /// An entry does not decrypt, or is none.
    #[error("entry {sequence} in segment {segment} of the audit log is not what was written")]
    Entry {
        /// The segment's number.
        segment: u32,
        /// The entry's number.
        sequence: u64,
    },
    /// The entries of a segment end before they should.
    #[error("segment {segment} of the audit log is damaged after entry {after}: {flaw}")]
    Damaged {
        /// The segment's number.
        segment: u32,
        /// The last entry that is whole.
        after: u64,
        /// What is wrong.
        flaw: Flaw,
    },
}

/// What is wrong with a segment's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The file is longer than segments are.
    #[error("it has more bytes than a segment may have")]
    TooLong,
    /// It does not begin as segments do.
    #[error("it does not begin as segments do")]
    Header,
    /// It is of another version.
    #[error("it is of version {found}, and version {expected} is what is read")]
    Version {
        /// What is read.
        expected: u32,
        /// What it has.
        found: u32,
    },
    /// It calls itself by another number than its name.
    #[error("it calls itself segment {found}")]
    Number {
        /// What it calls itself.
        found: u32,
    },
    /// It does not go on from the segment before.
    #[error("it does not go on from the segment before it")]
    Link,
    /// Entries before it are missing.
    #[error("entries before it are missing: it begins with {found} and not with {expected}")]
    Gap {
        /// The number of the first entry that it should begin with.
        expected: u64,
        /// The number that it begins with.
        found: u64,
    },
    /// An entry has a length that entries have not.
    #[error("an entry has a length that entries have not")]
    Length,
    /// An entry is not the one that the chain goes on with.
    #[error("an entry is not the one that the chain goes on with")]
    Chain,
    /// A write was cut short.
    #[error("a write was cut short")]
    Torn,
}
