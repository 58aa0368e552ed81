//! What a TPM signs with: `TPMT_SIGNATURE`.

use super::error::{finish, hash};
use super::{Buffer, Curve, StructureError};
use crate::HashAlgorithm;
use crate::bytes::Reader;

const ALG_RSASSA: u16 = 0x0014;
const ALG_RSAPSS: u16 = 0x0016;
const ALG_ECDSA: u16 = 0x0018;

/// Most bytes of an RSA key or signature: 4,096 bits.
pub(super) const MAX_RSA_BYTES: usize = 512;

/// Most bytes of a coordinate or a signature's half: P-521.
pub(super) const MAX_ECC_BYTES: usize = 66;

/// A signature: `TPMT_SIGNATURE` (TPM 2.0 Part 2, "Signatures"), of the schemes that AKs use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signature {
    /// RSASSA-PKCS1-v1_5 (RFC 8017, 8.2).
    RsaSsa {
        /// What the message was digested with.
        hash: HashAlgorithm,
        /// As many bytes as the modulus.
        signature: Buffer<MAX_RSA_BYTES>,
    },
    /// RSASSA-PSS (RFC 8017, 8.1); the salt is as long as the digest or as the key allows.
    RsaPss {
        /// What the message was digested with.
        hash: HashAlgorithm,
        /// As many bytes as the modulus.
        signature: Buffer<MAX_RSA_BYTES>,
    },
    /// ECDSA.
    Ecdsa {
        /// What the message was digested with.
        hash: HashAlgorithm,
        /// Big-endian, with or without leading zeros.
        r: Buffer<MAX_ECC_BYTES>,
        /// Big-endian, with or without leading zeros.
        s: Buffer<MAX_ECC_BYTES>,
    },
}

impl Signature {
    /// Reads a signature that is all of `bytes`.
    ///
    /// # Errors
    ///
    /// When the bytes are none, are of another scheme, or go on behind it.
    pub fn parse(bytes: &[u8]) -> Result<Signature, StructureError> {
        let mut reader = Reader::new(bytes);
        let signature = match reader.u16("the signature scheme")? {
            ALG_RSASSA => Signature::RsaSsa {
                hash: hash(&mut reader, "the signature's hash")?,
                signature: Buffer::read(&mut reader, "the RSA signature")?,
            },
            ALG_RSAPSS => Signature::RsaPss {
                hash: hash(&mut reader, "the signature's hash")?,
                signature: Buffer::read(&mut reader, "the RSA signature")?,
            },
            ALG_ECDSA => Signature::Ecdsa {
                hash: hash(&mut reader, "the signature's hash")?,
                r: Buffer::read(&mut reader, "the signature's r")?,
                s: Buffer::read(&mut reader, "the signature's s")?,
            },
            found => {
                return Err(StructureError::Value {
                    field: "the signature scheme",
                    offset: 0,
                    expected: "RSASSA, RSAPSS or ECDSA",
                    found: found.into(),
                });
            }
        };
        finish(&reader, "signature")?;
        Ok(signature)
    }

    /// The structure's bytes, as a TPM writes them.
    pub fn marshal(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(self.scheme_id().to_be_bytes());
        out.extend(self.hash().id().to_be_bytes());
        match self {
            Signature::RsaSsa { signature, .. } | Signature::RsaPss { signature, .. } => {
                signature.write(&mut out);
            }
            Signature::Ecdsa { r, s, .. } => {
                r.write(&mut out);
                s.write(&mut out);
            }
        }
        out
    }

    /// What the message was digested with. A quote's PCR digest is made with the same.
    pub const fn hash(&self) -> HashAlgorithm {
        match self {
            Signature::RsaSsa { hash, .. }
            | Signature::RsaPss { hash, .. }
            | Signature::Ecdsa { hash, .. } => *hash,
        }
    }

    /// The scheme's `TPM_ALG_ID`.
    pub const fn scheme_id(&self) -> u16 {
        match self {
            Signature::RsaSsa { .. } => ALG_RSASSA,
            Signature::RsaPss { .. } => ALG_RSAPSS,
            Signature::Ecdsa { .. } => ALG_ECDSA,
        }
    }

    /// The scheme's name, for people.
    pub const fn scheme_name(&self) -> &'static str {
        match self {
            Signature::RsaSsa { .. } => "RSASSA",
            Signature::RsaPss { .. } => "RSAPSS",
            Signature::Ecdsa { .. } => "ECDSA",
        }
    }

    /// An ECDSA signature as r and s, each of as many bytes as the curve has, one behind the
    /// other: the form that JWTs and most libraries take. Nothing for RSA, or where a half is
    /// longer than the curve.
    pub fn ecdsa_fixed(&self, curve: Curve) -> Option<Vec<u8>> {
        let Signature::Ecdsa { r, s, .. } = self else {
            return None;
        };
        let mut fixed = super::key::padded(r, curve)?;
        fixed.extend(super::key::padded(s, curve)?);
        Some(fixed)
    }

    /// An ECDSA signature out of r and s of equal length, one behind the other. Nothing if
    /// the bytes are odd in number or too many.
    pub fn from_ecdsa_fixed(hash: HashAlgorithm, fixed: &[u8]) -> Option<Signature> {
        if !fixed.len().is_multiple_of(2) {
            return None;
        }
        let (r, s) = fixed.split_at_checked(fixed.len() / 2)?;
        Some(Signature::Ecdsa {
            hash,
            r: Buffer::new(r)?,
            s: Buffer::new(s)?,
        })
    }
}
