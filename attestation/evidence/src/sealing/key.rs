//! Keys that sign policies, as the TPM loads them and as ring checks them.

use std::fmt;

use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

use super::digest::sha256;
use crate::hex;

/// Bytes of a [`PolicyKey`]: the coordinates x and y of its point.
pub const POLICY_KEY_BYTES: usize = 64;

/// Bytes of a signature: r and s.
pub const SIGNATURE_BYTES: usize = 64;

/// An ECDSA signature as r and s, 32 bytes each, big-endian.
pub type SignatureBytes = [u8; SIGNATURE_BYTES];

/// What stands before the point in the `SubjectPublicKeyInfo` of every P-256 key
/// (RFC 5480, section 2): the algorithm and the curve, and 4 for an uncompressed point.
const SPKI_START: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];

/// The `TPMT_PUBLIC` of a policy key up to its point: an ECC key with names by SHA-256,
/// `userWithAuth` and `sign`, no policy, no symmetric algorithm, ECDSA with SHA-256, NIST P-256
/// and no key derivation (TPM 2.0 Part 2, `TPMT_PUBLIC`).
const PUBLIC_START: [u8; 22] = [
    0x00, 0x23, 0x00, 0x0b, 0x00, 0x04, 0x00, 0x40, 0x00, 0x00, 0x00, 0x10, 0x00, 0x18, 0x00, 0x0b,
    0x00, 0x03, 0x00, 0x10, 0x00, 0x20,
];

/// The public part of a root or policy key: ECDSA with SHA-256 on P-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyKey([u8; POLICY_KEY_BYTES]);

impl PolicyKey {
    /// The key of these coordinates. Whether they are a point of the curve is seen at the
    /// first signature that is checked by them.
    pub const fn from_bytes(bytes: [u8; POLICY_KEY_BYTES]) -> PolicyKey {
        PolicyKey(bytes)
    }

    /// The key of an uncompressed point, as ring gives it: 4, x, y.
    ///
    /// # Errors
    ///
    /// When it has another form.
    pub fn from_point(point: &[u8]) -> Result<PolicyKey, PolicyKeyError> {
        match point.split_first() {
            Some((4, coordinates)) => {
                coordinates
                    .try_into()
                    .map(PolicyKey)
                    .map_err(|_| PolicyKeyError::Length {
                        expected: POLICY_KEY_BYTES + 1,
                        found: point.len(),
                    })
            }
            first => Err(PolicyKeyError::NoUncompressedPoint {
                found: first.map(|(first, _)| *first),
            }),
        }
    }

    /// The key in a `SubjectPublicKeyInfo` in DER (RFC 5480).
    ///
    /// # Errors
    ///
    /// When it is none of P-256 with an uncompressed point.
    pub fn from_spki_der(der: &[u8]) -> Result<PolicyKey, PolicyKeyError> {
        let expected = SPKI_START.len() + POLICY_KEY_BYTES;
        if der.len() != expected {
            return Err(PolicyKeyError::Length {
                expected,
                found: der.len(),
            });
        }
        der.strip_prefix(&SPKI_START)
            .and_then(|point| point.try_into().ok())
            .map(PolicyKey)
            .ok_or(PolicyKeyError::NotP256)
    }

    /// The key as a `SubjectPublicKeyInfo` in DER, which every public tool reads.
    pub fn to_spki_der(&self) -> Vec<u8> {
        [&SPKI_START[..], &self.0].concat()
    }

    /// The coordinates x and y.
    pub const fn as_bytes(&self) -> &[u8; POLICY_KEY_BYTES] {
        &self.0
    }

    /// The `TPMT_PUBLIC` under which a TPM loads it.
    pub fn public_area(&self) -> Vec<u8> {
        let (x, y) = self.0.split_at(32);
        [&PUBLIC_START[..], x, &[0x00, 0x20], y].concat()
    }

    /// The TPM's name of it: SHA-256's identifier, and the SHA-256 of [`Self::public_area`].
    pub fn name(&self) -> [u8; 34] {
        let mut name = [0; 34];
        name[1] = 0x0b;
        name[2..].copy_from_slice(&sha256(&[&self.public_area()]));
        name
    }

    /// Checks a signature by this key over the SHA-256 of `message`.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn verify(&self, message: &[u8], signature: &SignatureBytes) -> Result<(), SignatureError> {
        let point = [&[4], &self.0[..]].concat();
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(message, signature)
            .map_err(|_| SignatureError { key: *self })
    }
}

impl fmt::Display for PolicyKey {
    /// The SHA-256 of the public area, as in its name.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(&self.name()[2..]))
    }
}

impl fmt::Debug for PolicyKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PolicyKey({self})")
    }
}

/// Why bytes are no policy key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyKeyError {
    /// Another length.
    #[error("a policy key has {expected} bytes in this form; this has {found}")]
    Length {
        /// Bytes of the form.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// Not the form of a point that is written out.
    #[error("an uncompressed point starts with 4; this starts with {found:?}")]
    NoUncompressedPoint {
        /// The first byte, if there is any.
        found: Option<u8>,
    },
    /// A public key of another kind.
    #[error("the public key is none of P-256 with an uncompressed point")]
    NotP256,
}

/// A signature that is none by the key that should have made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature is none by the key {key}")]
pub struct SignatureError {
    /// The key that should have signed.
    pub key: PolicyKey,
}
