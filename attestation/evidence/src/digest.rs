//! Hash algorithms by their TPM names, and digests that know which one made them.

use std::fmt;
use std::str::FromStr;

use ring::digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::hex::{self, HexError};

/// Bytes of the longest digest, that of SHA-512.
pub const MAX_DIGEST_BYTES: usize = 64;

/// A hash algorithm that is computed here. Source of the identifiers: TCG Algorithm Registry,
/// `TPM_ALG_ID`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashAlgorithm {
    /// SHA-1: read, so that old logs can be shown; enough for no appraisal.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl HashAlgorithm {
    /// Every one of them, in the order of their identifiers.
    pub const ALL: [HashAlgorithm; 4] = [
        HashAlgorithm::Sha1,
        HashAlgorithm::Sha256,
        HashAlgorithm::Sha384,
        HashAlgorithm::Sha512,
    ];

    /// The `TPM_ALG_ID`.
    pub const fn id(self) -> u16 {
        match self {
            HashAlgorithm::Sha1 => 0x0004,
            HashAlgorithm::Sha256 => 0x000b,
            HashAlgorithm::Sha384 => 0x000c,
            HashAlgorithm::Sha512 => 0x000d,
        }
    }

    /// The algorithm of this `TPM_ALG_ID`, if it is one that is computed here.
    pub const fn from_id(id: u16) -> Option<HashAlgorithm> {
        match id {
            0x0004 => Some(HashAlgorithm::Sha1),
            0x000b => Some(HashAlgorithm::Sha256),
            0x000c => Some(HashAlgorithm::Sha384),
            0x000d => Some(HashAlgorithm::Sha512),
            _ => None,
        }
    }

    /// Bytes of its digests.
    pub const fn digest_bytes(self) -> usize {
        match self {
            HashAlgorithm::Sha1 => 20,
            HashAlgorithm::Sha256 => 32,
            HashAlgorithm::Sha384 => 48,
            HashAlgorithm::Sha512 => MAX_DIGEST_BYTES,
        }
    }

    /// Its name in lower case, as the TPM tools write it.
    pub const fn name(self) -> &'static str {
        match self {
            HashAlgorithm::Sha1 => "sha1",
            HashAlgorithm::Sha256 => "sha256",
            HashAlgorithm::Sha384 => "sha384",
            HashAlgorithm::Sha512 => "sha512",
        }
    }

    /// The digest of `bytes`.
    pub fn digest(self, bytes: &[u8]) -> Digest {
        self.digest_parts(&[bytes])
    }

    /// The digest of these parts, one behind the other.
    pub fn digest_parts(self, parts: &[&[u8]]) -> Digest {
        let mut context = digest::Context::new(self.ring());
        for part in parts {
            context.update(part);
        }
        let computed = context.finish();
        let mut bytes = [0; MAX_DIGEST_BYTES];
        bytes[..self.digest_bytes()].copy_from_slice(computed.as_ref());
        Digest {
            algorithm: self,
            bytes,
        }
    }

    /// The digest of which every byte is zero: what most PCRs hold at a reset.
    pub const fn zero(self) -> Digest {
        Digest {
            algorithm: self,
            bytes: [0; MAX_DIGEST_BYTES],
        }
    }

    fn ring(self) -> &'static digest::Algorithm {
        match self {
            HashAlgorithm::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            HashAlgorithm::Sha256 => &digest::SHA256,
            HashAlgorithm::Sha384 => &digest::SHA384,
            HashAlgorithm::Sha512 => &digest::SHA512,
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for HashAlgorithm {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<HashAlgorithm, DigestError> {
        HashAlgorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.name() == text)
            .ok_or_else(|| DigestError::Algorithm {
                found: text.chars().take(16).collect(),
            })
    }
}

impl Serialize for HashAlgorithm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for HashAlgorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<HashAlgorithm, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// A digest, with the algorithm that made it. As text, and in serde's formats, it is
/// `sha256:` and lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest {
    algorithm: HashAlgorithm,
    /// Zero behind the algorithm's length, so that comparing the whole array compares the digest.
    bytes: [u8; MAX_DIGEST_BYTES],
}

impl Digest {
    /// The digest of these bytes.
    ///
    /// # Errors
    ///
    /// When their number is not the algorithm's.
    pub fn from_bytes(algorithm: HashAlgorithm, bytes: &[u8]) -> Result<Digest, DigestError> {
        if bytes.len() != algorithm.digest_bytes() {
            return Err(DigestError::Length {
                algorithm,
                expected: algorithm.digest_bytes(),
                found: bytes.len(),
            });
        }
        let mut padded = [0; MAX_DIGEST_BYTES];
        padded[..bytes.len()].copy_from_slice(bytes);
        Ok(Digest {
            algorithm,
            bytes: padded,
        })
    }

    /// The algorithm that made it.
    pub const fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// Its bytes, as many as the algorithm has.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.algorithm.digest_bytes()]
    }

    /// Its bytes in lower-case hexadecimal, without the algorithm's name.
    pub fn to_hex(&self) -> String {
        hex::encode(self.as_bytes())
    }

    /// Whether every byte is zero.
    pub fn is_zero(&self) -> bool {
        self.bytes == [0; MAX_DIGEST_BYTES]
    }

    /// What a PCR that holds this digest holds after `measured` was extended into it: the
    /// digest of both, one behind the other (TPM 2.0 Part 1, "PCR operations"). `measured`
    /// is of the same algorithm where a TPM does this; here its bytes are taken as they are.
    #[must_use]
    pub fn extended_by(&self, measured: &Digest) -> Digest {
        self.algorithm
            .digest_parts(&[self.as_bytes(), measured.as_bytes()])
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.algorithm, self.to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Digest, DigestError> {
        let (algorithm, digits) = text.split_once(':').ok_or_else(|| DigestError::Algorithm {
            found: text.chars().take(16).collect(),
        })?;
        Digest::from_bytes(algorithm.parse()?, &hex::decode(digits)?)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// Why a text or a run of bytes is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// No algorithm that is computed here.
    #[error("{found:?} names no hash algorithm; sha1, sha256, sha384 and sha512 are known")]
    Algorithm {
        /// The start of what stands in the name's place.
        found: String,
    },
    /// Another length than the algorithm's.
    #[error("a digest by {algorithm} has {expected} bytes; this has {found}")]
    Length {
        /// The algorithm.
        algorithm: HashAlgorithm,
        /// Bytes of its digests.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// The digits are none.
    #[error(transparent)]
    Hex(#[from] HexError),
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 180 examples: the digests of "abc".
    #[test]
    fn the_digests_are_those_of_the_standard() {
        let check = |algorithm: HashAlgorithm, start: &str| {
            let digest = algorithm.digest(b"abc");
            assert!(digest.to_hex().starts_with(start), "{digest}");
            assert_eq!(digest.as_bytes().len(), algorithm.digest_bytes());
            assert_eq!(algorithm.digest_parts(&[b"a", b"", b"bc"]), digest);
        };
        check(HashAlgorithm::Sha1, "a9993e364706816aba3e25717850c26c");
        check(HashAlgorithm::Sha256, "ba7816bf8f01cfea414140de5dae2223");
        check(HashAlgorithm::Sha384, "cb00753f45a35e8bb5a03d699ac65007");
        check(HashAlgorithm::Sha512, "ddaf35a193617abacc417349ae204131");
    }

    #[test]
    fn text_and_identifiers_go_there_and_back() {
        for algorithm in HashAlgorithm::ALL {
            assert_eq!(HashAlgorithm::from_id(algorithm.id()), Some(algorithm));
            assert_eq!(algorithm.name().parse(), Ok(algorithm));
            let digest = algorithm.digest(b"x");
            assert_eq!(digest.to_string().parse(), Ok(digest));
            let json = serde_json::to_string(&digest).unwrap();
            assert_eq!(serde_json::from_str::<Digest>(&json).unwrap(), digest);
        }
        assert_eq!(HashAlgorithm::from_id(0x0012), None);
    }

    #[test]
    fn a_digest_of_another_length_is_refused() {
        let error = Digest::from_bytes(HashAlgorithm::Sha256, &[0; 20]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a digest by sha256 has 32 bytes; this has 20"
        );
        assert!("sha256:00".parse::<Digest>().is_err());
        assert!("md5:00".parse::<Digest>().is_err());
        assert!("00".parse::<Digest>().is_err());
    }

    #[test]
    fn digests_of_two_algorithms_differ_though_their_bytes_agree() {
        assert_ne!(HashAlgorithm::Sha1.zero(), HashAlgorithm::Sha256.zero());
    }
}
