//! Why bytes are no envelope, and why none can be written.

use crate::measured::MAX_VERSION_BYTES;
use crate::tpm::{PcrFileError, StructureError};

/// Why bytes are no envelope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// More bytes than are read.
    #[error("an envelope of {found} bytes is more than {limit}")]
    TooLong {
        /// The most that is read.
        limit: usize,
        /// Bytes of the envelope.
        found: usize,
    },
    /// The bytes do not start as a collection does, in CBOR or in JSON.
    #[error("the envelope is no CMW collection in CBOR or JSON: it starts with {found:02x?}")]
    NoCollection {
        /// The first byte, if there is one.
        found: Option<u8>,
    },
    /// The CBOR is not that of a collection.
    #[error("the envelope's {field}, at byte {offset}, is not there as expected: {reason}")]
    Cbor {
        /// What was being read.
        field: &'static str,
        /// Where, in bytes.
        offset: usize,
        /// What the CBOR reader says.
        reason: String,
    },
    /// The JSON is not that of a collection.
    #[error("the envelope is not the JSON that is expected: {reason}")]
    Json {
        /// What the JSON reader says, with line and column.
        reason: String,
    },
    /// Bytes follow the collection.
    #[error("{found} bytes follow the envelope")]
    Trailing {
        /// How many.
        found: usize,
    },
    /// More members than there are labels.
    #[error("the envelope has {found} members, more than {limit}")]
    TooManyMembers {
        /// The most that are read.
        limit: usize,
        /// How many there are.
        found: u64,
    },
    /// The collection is of another type, or of none.
    #[error("the envelope is a collection of the type {found:?}; expected is {expected}")]
    CollectionType {
        /// Earnest's type.
        expected: &'static str,
        /// The start of the collection's, if it has one.
        found: Option<String>,
    },
    /// A label that no part has.
    #[error("the envelope has a part {found:?}, which is unknown")]
    UnknownPart {
        /// The start of the label.
        found: String,
    },
    /// A label stands twice.
    #[error("the envelope has the part {label} twice")]
    Twice {
        /// The label.
        label: &'static str,
    },
    /// A part is missing.
    #[error("the envelope lacks the part {label}")]
    Missing {
        /// Its label.
        label: &'static str,
    },
    /// A part is of another media type.
    #[error("the part {label} is of the type {found:?}; expected is {expected}")]
    MediaType {
        /// The part.
        label: &'static str,
        /// The label's type.
        expected: &'static str,
        /// The start of the type found.
        found: String,
    },
    /// A part says that it is no evidence.
    #[error("the part {label} has the indicator {found}; evidence has {expected}")]
    Indicator {
        /// The part.
        label: &'static str,
        /// The indicator of evidence.
        expected: u64,
        /// The part's.
        found: u64,
    },
    /// A part is longer than is read.
    #[error("the part {label} has {found} bytes, more than {limit}")]
    PartTooLong {
        /// The part.
        label: &'static str,
        /// The most that is read.
        limit: usize,
        /// Bytes of the part.
        found: usize,
    },
    /// A part in JSON is not in base64url without padding.
    #[error("the part {label} is not base64url without padding")]
    Base64 {
        /// The part.
        label: &'static str,
    },
    /// A part is no TPM structure.
    #[error("the part {label}: {source}")]
    Structure {
        /// The part.
        label: &'static str,
        /// What is wrong with it.
        source: StructureError,
    },
    /// The PCR values are none.
    #[error("the PCR values: {0}")]
    Pcrs(#[from] PcrFileError),
    /// The nonce has another length.
    #[error("the nonce has {found} bytes; expected are {expected}")]
    NonceLength {
        /// Bytes of a nonce.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// The version of the software is none.
    #[error("the version of the software is not 1 to {limit} printable ASCII characters", limit = MAX_VERSION_BYTES)]
    Software,
}

/// Why an envelope cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// A part is longer than a reader takes.
    #[error("the part {label} has {found} bytes; a reader takes {limit}")]
    PartTooLong {
        /// The part.
        label: &'static str,
        /// The most that a reader takes.
        limit: usize,
        /// Bytes of the part.
        found: usize,
    },
    /// The version of the software is none.
    #[error("the version of the software is not 1 to {limit} printable ASCII characters", limit = MAX_VERSION_BYTES)]
    Software,
}
