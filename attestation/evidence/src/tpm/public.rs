//! A TPM object's public area: `TPMT_PUBLIC`.

use std::fmt;

use super::error::{finish, hash};
use super::signature::{MAX_ECC_BYTES, MAX_RSA_BYTES};
use super::{Buffer, Curve, KeyError, Name, PublicKey, StructureError};
use crate::bytes::Reader;
use crate::{HashAlgorithm, MAX_DIGEST_BYTES};

const ALG_RSA: u16 = 0x0001;
const ALG_HMAC: u16 = 0x0005;
const ALG_KEYEDHASH: u16 = 0x0008;
const ALG_NULL: u16 = 0x0010;
const ALG_RSAES: u16 = 0x0015;
const ALG_ECDAA: u16 = 0x001a;
const ALG_ECC: u16 = 0x0023;

/// Ciphers of a parent's or an EK's symmetric definition: AES, SM4 and Camellia.
const CIPHERS: [u16; 3] = [0x0006, 0x0013, 0x0026];

/// The exponent that 0 stands for.
const DEFAULT_EXPONENT: u32 = 65_537;

/// The public area of a key or of sealed data: `TPMT_PUBLIC` (TPM 2.0 Part 2, "Key/Object
/// Complex").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Public {
    /// What its name is made with.
    pub name_algorithm: HashAlgorithm,
    /// What it may be used for, and how.
    pub attributes: ObjectAttributes,
    /// The digest of the policy that it is used under, or nothing.
    pub auth_policy: Buffer<MAX_DIGEST_BYTES>,
    /// Of which kind it is, and the key itself.
    pub parameters: Parameters,
}

/// The kind of an object with its parameters and its unique field: `TPMU_PUBLIC_PARMS` and
/// `TPMU_PUBLIC_ID`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parameters {
    /// An RSA key.
    Rsa(RsaParameters),
    /// A key on an elliptic curve.
    Ecc(EccParameters),
    /// Sealed data, or an HMAC key.
    KeyedHash(KeyedHashParameters),
}

/// `TPMS_RSA_PARMS`, and the modulus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RsaParameters {
    /// What a storage key or an EK protects its children and sessions with.
    pub symmetric: Symmetric,
    /// The one scheme that the key is used with.
    pub scheme: Scheme,
    /// Bits of the modulus.
    pub key_bits: u16,
    /// The public exponent; 0 stands for 65,537.
    pub exponent: u32,
    /// The modulus, big-endian; empty in a template.
    pub modulus: Buffer<MAX_RSA_BYTES>,
}

/// `TPMS_ECC_PARMS`, and the point. Key derivation schemes are reserved and always none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EccParameters {
    /// What a storage key or an EK protects its children and sessions with.
    pub symmetric: Symmetric,
    /// The one scheme that the key is used with.
    pub scheme: Scheme,
    /// `TPM_ECC_CURVE`; [`Curve::from_id`] knows it or not.
    pub curve_id: u16,
    /// The point's x, big-endian.
    pub x: Buffer<MAX_ECC_BYTES>,
    /// The point's y, big-endian.
    pub y: Buffer<MAX_ECC_BYTES>,
}

/// `TPMS_KEYEDHASH_PARMS`, and the unique field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedHashParameters {
    /// The hash of an HMAC key; nothing for sealed data.
    pub hmac: Option<HashAlgorithm>,
    /// The digest over seed and secret.
    pub unique: Buffer<MAX_DIGEST_BYTES>,
}

/// `TPMT_SYM_DEF_OBJECT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symmetric {
    /// None: a key that is no parent.
    Null,
    /// A block cipher.
    Cipher {
        /// Its `TPM_ALG_ID`: 6 is AES.
        algorithm: u16,
        /// Bits of its key.
        key_bits: u16,
        /// `TPM_ALG_ID` of its mode: 0x43 is CFB.
        mode: u16,
    },
}

/// `TPMT_RSA_SCHEME` or `TPMT_ECC_SCHEME`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// None is fixed.
    Null,
    /// RSAES-PKCS1-v1_5, which takes no hash.
    RsaEs,
    /// A scheme with its hash: RSASSA (0x14), RSAPSS (0x16), OAEP (0x17), ECDSA (0x18),
    /// ECDH (0x19), SM2 (0x1b), EC-Schnorr (0x1c), ECMQV (0x1d).
    Hashed {
        /// Its `TPM_ALG_ID`.
        scheme: u16,
        /// Its hash.
        hash: HashAlgorithm,
    },
    /// ECDAA, which takes a count besides.
    Ecdaa {
        /// Its hash.
        hash: HashAlgorithm,
        /// The counter between commit and sign.
        count: u16,
    },
}

impl Scheme {
    /// RSASSA with SHA-256.
    pub const RSASSA_SHA256: Scheme = Scheme::Hashed {
        scheme: 0x0014,
        hash: HashAlgorithm::Sha256,
    };
    /// RSAPSS with SHA-256.
    pub const RSAPSS_SHA256: Scheme = Scheme::Hashed {
        scheme: 0x0016,
        hash: HashAlgorithm::Sha256,
    };
    /// ECDSA with SHA-256.
    pub const ECDSA_SHA256: Scheme = Scheme::Hashed {
        scheme: 0x0018,
        hash: HashAlgorithm::Sha256,
    };

    /// Its `TPM_ALG_ID`.
    pub const fn id(self) -> u16 {
        match self {
            Scheme::Null => ALG_NULL,
            Scheme::RsaEs => ALG_RSAES,
            Scheme::Hashed { scheme, .. } => scheme,
            Scheme::Ecdaa { .. } => ALG_ECDAA,
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Scheme, StructureError> {
        let offset = reader.offset();
        Ok(match reader.u16("the key's scheme")? {
            ALG_NULL => Scheme::Null,
            ALG_RSAES => Scheme::RsaEs,
            ALG_ECDAA => Scheme::Ecdaa {
                hash: hash(reader, "the scheme's hash")?,
                count: reader.u16("the scheme's count")?,
            },
            scheme @ (0x0014 | 0x0016..=0x0019 | 0x001b..=0x001d) => Scheme::Hashed {
                scheme,
                hash: hash(reader, "the scheme's hash")?,
            },
            found => {
                return Err(StructureError::Value {
                    field: "the key's scheme",
                    offset,
                    expected: "an asymmetric scheme or none",
                    found: found.into(),
                });
            }
        })
    }

    fn write(self, out: &mut Vec<u8>) {
        out.extend(self.id().to_be_bytes());
        match self {
            Scheme::Null | Scheme::RsaEs => {}
            Scheme::Hashed { hash, .. } => out.extend(hash.id().to_be_bytes()),
            Scheme::Ecdaa { hash, count } => {
                out.extend(hash.id().to_be_bytes());
                out.extend(count.to_be_bytes());
            }
        }
    }
}

impl Symmetric {
    /// AES-128 in CFB, as the TCG's default templates have it.
    pub const AES_128_CFB: Symmetric = Symmetric::Cipher {
        algorithm: 0x0006,
        key_bits: 128,
        mode: 0x0043,
    };

    fn read(reader: &mut Reader<'_>) -> Result<Symmetric, StructureError> {
        let offset = reader.offset();
        let algorithm = reader.u16("the symmetric algorithm")?;
        if algorithm == ALG_NULL {
            return Ok(Symmetric::Null);
        }
        if !CIPHERS.contains(&algorithm) {
            return Err(StructureError::Value {
                field: "the symmetric algorithm",
                offset,
                expected: "AES, SM4, Camellia or none",
                found: algorithm.into(),
            });
        }
        Ok(Symmetric::Cipher {
            algorithm,
            key_bits: reader.u16("the symmetric key's bits")?,
            mode: reader.u16("the symmetric mode")?,
        })
    }

    fn write(self, out: &mut Vec<u8>) {
        match self {
            Symmetric::Null => out.extend(ALG_NULL.to_be_bytes()),
            Symmetric::Cipher {
                algorithm,
                key_bits,
                mode,
            } => {
                out.extend(algorithm.to_be_bytes());
                out.extend(key_bits.to_be_bytes());
                out.extend(mode.to_be_bytes());
            }
        }
    }
}

impl Public {
    /// Reads a `TPMT_PUBLIC` that is all of `bytes`.
    ///
    /// # Errors
    ///
    /// When the bytes are none, are of a kind that is not read, or go on behind it.
    pub fn parse(bytes: &[u8]) -> Result<Public, StructureError> {
        let mut reader = Reader::new(bytes);
        let public = Public::read(&mut reader)?;
        finish(&reader, "public area")?;
        Ok(public)
    }

    /// Reads a `TPM2B_PUBLIC`, which is a `TPMT_PUBLIC` with its length in front and what the
    /// tools write to a file, that is all of `bytes`.
    ///
    /// # Errors
    ///
    /// As [`Public::parse`], and when the length is not that of what follows.
    pub fn parse_sized(bytes: &[u8]) -> Result<Public, StructureError> {
        let mut reader = Reader::new(bytes);
        let size = usize::from(reader.u16("the length of the public area")?);
        let public = Public::parse(reader.take("the public area", size)?)?;
        finish(&reader, "public area")?;
        Ok(public)
    }

    /// The `TPMT_PUBLIC`'s bytes, as a TPM writes them.
    pub fn marshal(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(self.parameters.kind().to_be_bytes());
        out.extend(self.name_algorithm.id().to_be_bytes());
        out.extend(self.attributes.0.to_be_bytes());
        self.auth_policy.write(&mut out);
        self.parameters.write(&mut out);
        out
    }

    /// The `TPM2B_PUBLIC`'s bytes.
    pub fn marshal_sized(&self) -> Vec<u8> {
        let public = self.marshal();
        // Every field is bounded, so the sum is far below sixteen bits.
        let mut out = (public.len() as u16).to_be_bytes().to_vec();
        out.extend(public);
        out
    }

    /// The object's name: the digest of the public area behind the algorithm's identifier
    /// (TPM 2.0 Part 1, "Names").
    pub fn name(&self) -> Name {
        Name::of_digest(&self.name_algorithm.digest(&self.marshal()))
    }

    /// The key that it holds.
    ///
    /// # Errors
    ///
    /// When it holds none, or one that cannot be: sealed data, a template, an unknown curve.
    pub fn key(&self) -> Result<PublicKey, KeyError> {
        match &self.parameters {
            Parameters::Rsa(rsa) => {
                let exponent = match rsa.exponent {
                    0 => DEFAULT_EXPONENT,
                    exponent => exponent,
                };
                let key = PublicKey::rsa(&rsa.modulus, exponent)?;
                match key.bits() {
                    bits if bits == usize::from(rsa.key_bits) => Ok(key),
                    found => Err(KeyError::Bits {
                        expected: rsa.key_bits.into(),
                        found,
                    }),
                }
            }
            Parameters::Ecc(ecc) => {
                let curve = Curve::from_id(ecc.curve_id).ok_or(KeyError::Curve {
                    found: ecc.curve_id,
                })?;
                PublicKey::ecc(curve, &ecc.x, &ecc.y)
            }
            Parameters::KeyedHash(_) => Err(KeyError::NoKey),
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<Public, StructureError> {
        let offset = reader.offset();
        let kind = reader.u16("the kind of object")?;
        Ok(Public {
            name_algorithm: hash(reader, "the name's hash")?,
            attributes: ObjectAttributes(reader.u32("the object's attributes")?),
            auth_policy: Buffer::read(reader, "the policy's digest")?,
            parameters: match kind {
                ALG_RSA => Parameters::Rsa(RsaParameters {
                    symmetric: Symmetric::read(reader)?,
                    scheme: Scheme::read(reader)?,
                    key_bits: reader.u16("the RSA key's bits")?,
                    exponent: reader.u32("the RSA exponent")?,
                    modulus: Buffer::read(reader, "the RSA modulus")?,
                }),
                ALG_ECC => Parameters::Ecc(EccParameters {
                    symmetric: Symmetric::read(reader)?,
                    scheme: Scheme::read(reader)?,
                    curve_id: reader.u16("the curve")?,
                    x: {
                        null(reader, "the key derivation scheme")?;
                        Buffer::read(reader, "the point's x")?
                    },
                    y: Buffer::read(reader, "the point's y")?,
                }),
                ALG_KEYEDHASH => Parameters::KeyedHash(KeyedHashParameters {
                    hmac: KeyedHashParameters::read_scheme(reader)?,
                    unique: Buffer::read(reader, "the unique digest")?,
                }),
                found => {
                    return Err(StructureError::Value {
                        field: "the kind of object",
                        offset,
                        expected: "RSA, ECC or KEYEDHASH",
                        found: found.into(),
                    });
                }
            },
        })
    }
}

impl KeyedHashParameters {
    fn read_scheme(reader: &mut Reader<'_>) -> Result<Option<HashAlgorithm>, StructureError> {
        let offset = reader.offset();
        match reader.u16("the keyed hash's scheme")? {
            ALG_NULL => Ok(None),
            ALG_HMAC => hash(reader, "the HMAC's hash").map(Some),
            found => Err(StructureError::Value {
                field: "the keyed hash's scheme",
                offset,
                expected: "HMAC or none",
                found: found.into(),
            }),
        }
    }
}

impl Parameters {
    /// `TPM_ALG_ID` of the kind of object.
    pub const fn kind(&self) -> u16 {
        match self {
            Parameters::Rsa(_) => ALG_RSA,
            Parameters::Ecc(_) => ALG_ECC,
            Parameters::KeyedHash(_) => ALG_KEYEDHASH,
        }
    }

    /// The scheme that a key is bound to; nothing for sealed data and HMAC keys.
    pub const fn scheme(&self) -> Option<Scheme> {
        match self {
            Parameters::Rsa(rsa) => Some(rsa.scheme),
            Parameters::Ecc(ecc) => Some(ecc.scheme),
            Parameters::KeyedHash(_) => None,
        }
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Parameters::Rsa(rsa) => {
                rsa.symmetric.write(out);
                rsa.scheme.write(out);
                out.extend(rsa.key_bits.to_be_bytes());
                out.extend(rsa.exponent.to_be_bytes());
                rsa.modulus.write(out);
            }
            Parameters::Ecc(ecc) => {
                ecc.symmetric.write(out);
                ecc.scheme.write(out);
                out.extend(ecc.curve_id.to_be_bytes());
                out.extend(ALG_NULL.to_be_bytes());
                ecc.x.write(out);
                ecc.y.write(out);
            }
            Parameters::KeyedHash(keyed) => {
                match keyed.hmac {
                    None => out.extend(ALG_NULL.to_be_bytes()),
                    Some(hash) => {
                        out.extend(ALG_HMAC.to_be_bytes());
                        out.extend(hash.id().to_be_bytes());
                    }
                }
                keyed.unique.write(out);
            }
        }
    }
}

/// Reads a field that must be `TPM_ALG_NULL`.
fn null(reader: &mut Reader<'_>, field: &'static str) -> Result<(), StructureError> {
    let offset = reader.offset();
    match reader.u16(field)? {
        ALG_NULL => Ok(()),
        found => Err(StructureError::Value {
            field,
            offset,
            expected: "TPM_ALG_NULL",
            found: found.into(),
        }),
    }
}

/// `TPMA_OBJECT` (TPM 2.0 Part 2, "TPMA_OBJECT (Object Attributes)").
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ObjectAttributes(pub u32);

impl ObjectAttributes {
    /// The object cannot leave its TPM.
    pub const FIXED_TPM: ObjectAttributes = ObjectAttributes(1 << 1);
    /// Saved contexts do not survive a TPM restart.
    pub const ST_CLEAR: ObjectAttributes = ObjectAttributes(1 << 2);
    /// The object cannot get another parent.
    pub const FIXED_PARENT: ObjectAttributes = ObjectAttributes(1 << 4);
    /// The TPM itself drew the secret.
    pub const SENSITIVE_DATA_ORIGIN: ObjectAttributes = ObjectAttributes(1 << 5);
    /// Its authorization value is enough to use it.
    pub const USER_WITH_AUTH: ObjectAttributes = ObjectAttributes(1 << 6);
    /// Administration takes a policy.
    pub const ADMIN_WITH_POLICY: ObjectAttributes = ObjectAttributes(1 << 7);
    /// A failed authorization counts toward no lockout.
    pub const NO_DA: ObjectAttributes = ObjectAttributes(1 << 10);
    /// Duplicates are encrypted.
    pub const ENCRYPTED_DUPLICATION: ObjectAttributes = ObjectAttributes(1 << 11);
    /// The key works on structures that the TPM made, and on nothing else.
    pub const RESTRICTED: ObjectAttributes = ObjectAttributes(1 << 16);
    /// The key decrypts.
    pub const DECRYPT: ObjectAttributes = ObjectAttributes(1 << 17);
    /// The key signs.
    pub const SIGN: ObjectAttributes = ObjectAttributes(1 << 18);

    /// Each with its name in the specification.
    const NAMES: [(ObjectAttributes, &'static str); 11] = [
        (ObjectAttributes::FIXED_TPM, "fixedTPM"),
        (ObjectAttributes::ST_CLEAR, "stClear"),
        (ObjectAttributes::FIXED_PARENT, "fixedParent"),
        (
            ObjectAttributes::SENSITIVE_DATA_ORIGIN,
            "sensitiveDataOrigin",
        ),
        (ObjectAttributes::USER_WITH_AUTH, "userWithAuth"),
        (ObjectAttributes::ADMIN_WITH_POLICY, "adminWithPolicy"),
        (ObjectAttributes::NO_DA, "noDA"),
        (
            ObjectAttributes::ENCRYPTED_DUPLICATION,
            "encryptedDuplication",
        ),
        (ObjectAttributes::RESTRICTED, "restricted"),
        (ObjectAttributes::DECRYPT, "decrypt"),
        (ObjectAttributes::SIGN, "sign"),
    ];

    /// Whether every attribute of `other` is set.
    pub const fn contains(self, other: ObjectAttributes) -> bool {
        self.0 & other.0 == other.0
    }

    /// The attributes of both.
    #[must_use]
    pub const fn union(self, other: ObjectAttributes) -> ObjectAttributes {
        ObjectAttributes(self.0 | other.0)
    }
}

impl fmt::Display for ObjectAttributes {
    /// As the tools write it: `fixedtpm|sign`, in the specification's own spelling; bits
    /// without a name follow in hexadecimal.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = self.0;
        let mut bar = "";
        for (attribute, name) in ObjectAttributes::NAMES {
            if self.contains(attribute) {
                write!(formatter, "{bar}{name}")?;
                left &= !attribute.0;
                bar = "|";
            }
        }
        match left {
            0 => Ok(()),
            left => write!(formatter, "{bar}{left:#x}"),
        }
    }
}

impl fmt::Debug for ObjectAttributes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ObjectAttributes({self})")
    }
}
