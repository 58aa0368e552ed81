//! Where the audit log stood, as the measured log tells it.

use std::fmt;

use minicbor::decode::Decoder;
use minicbor::encode::Encoder;
use serde::{Deserialize, Serialize};

use super::EntryError;
use super::entry::{cbor, digest, key};
use crate::{Digest, HashAlgorithm};

/// The head of the audit log at some moment: how many entries it had had since it began, and
/// the digest that its chain had come to. Whoever has a later head can tell a log that was cut
/// or rolled back behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "RawHead")]
pub struct Head {
    sequence: u64,
    digest: Digest,
}

impl Head {
    /// The head after the entry of this number, where the chain's SHA-256 is this.
    pub fn new(sequence: u64, digest: [u8; 32]) -> Head {
        let digest = Digest::from_bytes(HashAlgorithm::Sha256, &digest);
        Head {
            sequence,
            digest: digest.expect("32 bytes are a SHA-256"),
        }
    }

    /// The number of the log's last entry.
    pub const fn sequence(&self) -> u64 {
        self.sequence
    }

    /// SHA-256 of the chain up to it.
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Whether a log that had this head later than `earlier` only grew in between, as far as
    /// two heads can tell: the number is higher, or the head is the same.
    pub fn follows(&self, earlier: &Head) -> bool {
        self.sequence > earlier.sequence || self == earlier
    }

    /// Writes the fields behind the entry's number.
    pub(super) fn write<W: minicbor::encode::Write>(
        &self,
        encoder: &mut Encoder<W>,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.u8(2)?.u64(self.sequence)?;
        encoder.u8(3)?.bytes(self.digest.as_bytes())?;
        Ok(())
    }

    /// Reads the fields behind the entry's number.
    pub(super) fn read(decoder: &mut Decoder<'_>) -> Result<Head, EntryError> {
        key(decoder, 2)?;
        let sequence = decoder.u64().map_err(cbor("the head's sequence"))?;
        key(decoder, 3)?;
        let digest = digest(decoder, "the head's digest")?;
        Ok(Head { sequence, digest })
    }
}

impl fmt::Display for Head {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.sequence, self.digest)
    }
}

/// A head as it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHead {
    sequence: u64,
    digest: Digest,
}

impl TryFrom<RawHead> for Head {
    type Error = HeadError;

    fn try_from(raw: RawHead) -> Result<Head, HeadError> {
        match raw.digest.algorithm() {
            HashAlgorithm::Sha256 => Ok(Head {
                sequence: raw.sequence,
                digest: raw.digest,
            }),
            found => Err(HeadError::Algorithm { found }),
        }
    }
}

/// Why there is no head.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// A digest by another algorithm.
    #[error("a head is told by a digest of sha256, not {found}")]
    Algorithm {
        /// The algorithm.
        found: HashAlgorithm,
    },
}
