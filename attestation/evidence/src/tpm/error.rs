//! Why bytes are not the TPM structure that they are read as.

use crate::Truncated;
use crate::bytes::Reader;

/// Why bytes are not the TPM structure that they are read as.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StructureError {
    /// The input ends within a field.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// Bytes follow the structure.
    #[error("{found} bytes follow the {structure}")]
    Trailing {
        /// What was read.
        structure: &'static str,
        /// Bytes behind it.
        found: usize,
    },
    /// The attestation does not start as one that a TPM made.
    #[error("an attestation starts with {expected:#010x}; this starts with {found:#010x}")]
    Magic {
        /// `TPM_GENERATED_VALUE`.
        expected: u32,
        /// What stands in its place.
        found: u32,
    },
    /// A length or a count beyond what a TPM gives.
    #[error("at byte {offset}, {field} has {found}; at most {limit} are read")]
    TooLong {
        /// Which field.
        field: &'static str,
        /// Where it starts, in bytes.
        offset: usize,
        /// The most that is read.
        limit: usize,
        /// What the input says.
        found: usize,
    },
    /// A value that is not read here.
    #[error("at byte {offset}, {field} is {found:#06x}; expected is {expected}")]
    Value {
        /// Which field.
        field: &'static str,
        /// Where it stands, in bytes.
        offset: usize,
        /// What is read.
        expected: &'static str,
        /// What stands there.
        found: u32,
    },
}

/// Refuses what follows a structure that should have been all of the input.
pub(super) fn finish(reader: &Reader<'_>, structure: &'static str) -> Result<(), StructureError> {
    match reader.left() {
        0 => Ok(()),
        found => Err(StructureError::Trailing { structure, found }),
    }
}

/// The hash algorithm that a field names, if it is one that is computed here.
pub(super) fn hash(
    reader: &mut Reader<'_>,
    field: &'static str,
) -> Result<crate::HashAlgorithm, StructureError> {
    let offset = reader.offset();
    let id = reader.u16(field)?;
    crate::HashAlgorithm::from_id(id).ok_or(StructureError::Value {
        field,
        offset,
        expected: "SHA-1, SHA-256, SHA-384 or SHA-512",
        found: id.into(),
    })
}
