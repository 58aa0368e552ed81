//! Sized buffers, the `TPM2B` types, as values that cannot be too long to marshal.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use super::StructureError;
use crate::bytes::Reader;
use crate::hex::{self, HexError};
use crate::{Digest, HashAlgorithm};

/// At most `MOST` bytes with their length in front: a `TPM2B` (TPM 2.0 Part 2, "Sized Buffers").
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Buffer<const MOST: usize>(Vec<u8>);

impl<const MOST: usize> Buffer<MOST> {
    /// A buffer of these bytes, or nothing if they are more than `MOST`.
    pub fn new(bytes: &[u8]) -> Option<Buffer<MOST>> {
        // The length in front has sixteen bits.
        (bytes.len() <= MOST.min(usize::from(u16::MAX))).then(|| Buffer(bytes.to_vec()))
    }

    pub(super) fn read(
        reader: &mut Reader<'_>,
        field: &'static str,
    ) -> Result<Buffer<MOST>, StructureError> {
        let offset = reader.offset();
        let found = usize::from(reader.u16(field)?);
        if found > MOST {
            return Err(StructureError::TooLong {
                field,
                offset,
                limit: MOST,
                found,
            });
        }
        Ok(Buffer(reader.take(field, found)?.to_vec()))
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        // No constructor lets in more than sixteen bits count.
        out.extend((self.0.len() as u16).to_be_bytes());
        out.extend(&self.0);
    }
}

impl<const MOST: usize> Deref for Buffer<MOST> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl<const MOST: usize> fmt::Debug for Buffer<MOST> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Buffer({})", hex::encode(&self.0))
    }
}

impl<const MOST: usize> From<&Digest> for Buffer<MOST> {
    /// Panics never: `MOST` is at least [`crate::MAX_DIGEST_BYTES`] wherever this compiles.
    fn from(digest: &Digest) -> Buffer<MOST> {
        const { assert!(MOST >= crate::MAX_DIGEST_BYTES) };
        Buffer(digest.as_bytes().to_vec())
    }
}

/// Most bytes of a name: an algorithm identifier and a digest.
pub const MAX_NAME_BYTES: usize = 2 + crate::MAX_DIGEST_BYTES;

/// What a TPM calls an object by: the identifier of a hash algorithm and the digest of the
/// public area (TPM 2.0 Part 1, "Names"), or the four bytes of a handle for what has no public
/// area. As text it is lower-case hexadecimal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Name(Buffer<MAX_NAME_BYTES>);

impl Name {
    /// A name of these bytes, or nothing if they are more than [`MAX_NAME_BYTES`].
    pub fn from_bytes(bytes: &[u8]) -> Option<Name> {
        Buffer::new(bytes).map(Name)
    }

    /// The name of what has this digest over its public area.
    pub fn of_digest(digest: &Digest) -> Name {
        let mut bytes = Vec::with_capacity(MAX_NAME_BYTES);
        bytes.extend(digest.algorithm().id().to_be_bytes());
        bytes.extend(digest.as_bytes());
        Name(Buffer(bytes))
    }

    /// The digest in it, if it is made of a known algorithm and a digest of its length.
    pub fn digest(&self) -> Option<Digest> {
        let (id, bytes) = self.0.split_at_checked(2)?;
        let algorithm = HashAlgorithm::from_id(u16::from_be_bytes([id[0], id[1]]))?;
        Digest::from_bytes(algorithm, bytes).ok()
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn read(
        reader: &mut Reader<'_>,
        field: &'static str,
    ) -> Result<Name, StructureError> {
        Buffer::read(reader, field).map(Name)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        self.0.write(out);
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Name({self})")
    }
}

impl FromStr for Name {
    type Err = HexError;

    fn from_str(text: &str) -> Result<Name, HexError> {
        let bytes = hex::decode(text)?;
        Name::from_bytes(&bytes).ok_or(HexError::Length {
            expected: MAX_NAME_BYTES,
            found: bytes.len(),
        })
    }
}

impl serde::Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Name, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
