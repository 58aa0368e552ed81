//! Public keys outside of a TPM: `SubjectPublicKeyInfo`, in DER and in PEM.
//!
//! Sources: RFC 5280, 4.1.2.7 (the structure); RFC 8017, A.1.1 (RSA); RFC 5480 (curves);
//! RFC 7468, 13 (PEM). DER is read strictly: one encoding for each key, which is also the
//! one that is written.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::signature::{MAX_ECC_BYTES, MAX_RSA_BYTES};
use crate::hex;

/// Most bytes of a PEM file that are read: an RSA key of 4,096 bits takes 800.
pub const MAX_PEM_BYTES: usize = 8192;

const PEM_BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const PEM_END: &str = "-----END PUBLIC KEY-----";

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_IDENTIFIER: u8 = 0x06;

/// `AlgorithmIdentifier` of RSA: rsaEncryption, with NULL parameters.
const RSA_ALGORITHM: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
/// The object identifier id-ecPublicKey.
const EC_PUBLIC_KEY: &[u8] = b"\x2a\x86\x48\xce\x3d\x02\x01";

/// A curve of NIST's, by its TPM identifier (TCG Algorithm Registry, `TPM_ECC_CURVE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Curve {
    /// P-256.
    P256,
    /// P-384.
    P384,
    /// P-521.
    P521,
}

impl Curve {
    /// Every one of them.
    pub const ALL: [Curve; 3] = [Curve::P256, Curve::P384, Curve::P521];

    /// `TPM_ECC_CURVE`.
    pub const fn id(self) -> u16 {
        match self {
            Curve::P256 => 3,
            Curve::P384 => 4,
            Curve::P521 => 5,
        }
    }

    /// The curve of this `TPM_ECC_CURVE`, if it is known.
    pub const fn from_id(id: u16) -> Option<Curve> {
        match id {
            3 => Some(Curve::P256),
            4 => Some(Curve::P384),
            5 => Some(Curve::P521),
            _ => None,
        }
    }

    /// Bytes of a coordinate.
    pub const fn coordinate_bytes(self) -> usize {
        match self {
            Curve::P256 => 32,
            Curve::P384 => 48,
            Curve::P521 => MAX_ECC_BYTES,
        }
    }

    /// The object identifier's content (RFC 5480, 2.1.1.1).
    const fn object_identifier(self) -> &'static [u8] {
        match self {
            Curve::P256 => b"\x2a\x86\x48\xce\x3d\x03\x01\x07",
            Curve::P384 => b"\x2b\x81\x04\x00\x22",
            Curve::P521 => b"\x2b\x81\x04\x00\x23",
        }
    }
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PublicKey {
    /// An RSA key.
    Rsa {
        /// Big-endian, without leading zeros, at most 512 bytes.
        modulus: Vec<u8>,
        /// Odd, 3 or more.
        exponent: u32,
    },
    /// A point on a curve. Whether it is on the curve is checked by whoever verifies with it.
    Ecc {
        /// The curve.
        curve: Curve,
        /// Big-endian, as many bytes as the curve has.
        x: Vec<u8>,
        /// Big-endian, as many bytes as the curve has.
        y: Vec<u8>,
    },
}

impl PublicKey {
    /// The RSA key of this modulus, big-endian with or without leading zeros.
    ///
    /// # Errors
    ///
    /// When the modulus is empty or too long, or the exponent is no odd number above 1.
    pub fn rsa(modulus: &[u8], exponent: u32) -> Result<PublicKey, KeyError> {
        let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
        let modulus = modulus.get(zeros..).unwrap_or_default();
        if !(1..=MAX_RSA_BYTES).contains(&modulus.len()) {
            return Err(KeyError::Modulus {
                limit: MAX_RSA_BYTES,
                found: modulus.len(),
            });
        }
        if exponent < 3 || exponent.is_multiple_of(2) {
            return Err(KeyError::Exponent { found: exponent });
        }
        Ok(PublicKey::Rsa {
            modulus: modulus.to_vec(),
            exponent,
        })
    }

    /// The point of these coordinates, big-endian with or without leading zeros.
    ///
    /// # Errors
    ///
    /// When a coordinate is empty or longer than the curve's.
    pub fn ecc(curve: Curve, x: &[u8], y: &[u8]) -> Result<PublicKey, KeyError> {
        let coordinate = |bytes: &[u8]| {
            padded(bytes, curve)
                .filter(|_| !bytes.is_empty())
                .ok_or(KeyError::Coordinate {
                    expected: curve.coordinate_bytes(),
                    found: bytes.len(),
                })
        };
        Ok(PublicKey::Ecc {
            curve,
            x: coordinate(x)?,
            y: coordinate(y)?,
        })
    }

    /// Bits of the modulus or of the curve.
    pub fn bits(&self) -> usize {
        match self {
            PublicKey::Rsa { modulus, .. } => {
                let zeros = modulus.first().map_or(0, |byte| byte.leading_zeros());
                (modulus.len() * 8).saturating_sub(zeros as usize)
            }
            PublicKey::Ecc { curve, .. } => match curve {
                Curve::P256 => 256,
                Curve::P384 => 384,
                Curve::P521 => 521,
            },
        }
    }

    /// The point, uncompressed (SEC 1, 2.3.3): 4, x, y. Nothing for RSA.
    pub fn uncompressed_point(&self) -> Option<Vec<u8>> {
        match self {
            PublicKey::Rsa { .. } => None,
            PublicKey::Ecc { x, y, .. } => Some([&[4], x.as_slice(), y].concat()),
        }
    }

    /// The `SubjectPublicKeyInfo`, in DER.
    pub fn to_spki_der(&self) -> Vec<u8> {
        let (algorithm, key) = match self {
            PublicKey::Rsa { modulus, exponent } => {
                let exponent = integer(&exponent.to_be_bytes());
                let key = element(SEQUENCE, &[integer(modulus), exponent].concat());
                (RSA_ALGORITHM.to_vec(), key)
            }
            PublicKey::Ecc { curve, x, y } => {
                let kind = element(OBJECT_IDENTIFIER, EC_PUBLIC_KEY);
                let curve = element(OBJECT_IDENTIFIER, curve.object_identifier());
                ([kind, curve].concat(), [&[4], x.as_slice(), y].concat())
            }
        };
        let algorithm = element(SEQUENCE, &algorithm);
        // No bit of the last byte is unused.
        let key = element(BIT_STRING, &[&[0], key.as_slice()].concat());
        element(SEQUENCE, &[algorithm, key].concat())
    }

    /// Reads a `SubjectPublicKeyInfo` in DER that is all of `bytes`.
    ///
    /// # Errors
    ///
    /// When the bytes are none, of another kind of key, or not in DER's one encoding.
    pub fn from_spki_der(bytes: &[u8]) -> Result<PublicKey, KeyError> {
        let mut input = Der(bytes);
        let mut info = Der(input.element(SEQUENCE, "the key's structure")?);
        let algorithm = info.element(SEQUENCE, "the algorithm")?;
        let Some((0, bits)) = info
            .element(BIT_STRING, "the key")?
            .split_first()
            .map(|(unused, bits)| (*unused, bits))
        else {
            return Err(KeyError::Der { field: "the key" });
        };
        info.end("what follows the key")?;
        input.end("what follows the structure")?;
        let key = if algorithm == RSA_ALGORITHM {
            rsa_of_der(bits)?
        } else {
            ecc_of_der(algorithm, bits)?
        };
        // One key, one encoding: minimal lengths and integers, without listing every rule.
        match key.to_spki_der() == bytes {
            true => Ok(key),
            false => Err(KeyError::Der {
                field: "the encoding, which is not the shortest,",
            }),
        }
    }

    /// The key in PEM, as `openssl pkey -pubout` writes it.
    pub fn to_pem(&self) -> String {
        let encoded = STANDARD.encode(self.to_spki_der());
        let mut pem = format!("{PEM_BEGIN}\n");
        for line in encoded.as_bytes().chunks(64) {
            pem.extend(line.iter().copied().map(char::from));
            pem.push('\n');
        }
        pem.push_str(PEM_END);
        pem.push('\n');
        pem
    }

    /// Reads the first public key of a PEM text; what stands around it is not looked at.
    ///
    /// # Errors
    ///
    /// When there is none, the text has more than [`MAX_PEM_BYTES`], or the key is refused.
    pub fn from_pem(text: &str) -> Result<PublicKey, KeyError> {
        if text.len() > MAX_PEM_BYTES {
            return Err(KeyError::PemTooLong {
                limit: MAX_PEM_BYTES,
                found: text.len(),
            });
        }
        let (_, behind) = text.split_once(PEM_BEGIN).ok_or(KeyError::Pem {
            expected: PEM_BEGIN,
        })?;
        let (body, _) = behind
            .split_once(PEM_END)
            .ok_or(KeyError::Pem { expected: PEM_END })?;
        let body: String = body.split_ascii_whitespace().collect();
        let der = STANDARD.decode(body).map_err(|_| KeyError::Pem {
            expected: "base64 between the two lines",
        })?;
        PublicKey::from_spki_der(&der)
    }

    /// SHA-256 over the `SubjectPublicKeyInfo`, in hexadecimal: by which people compare keys.
    pub fn fingerprint(&self) -> String {
        let digest = crate::HashAlgorithm::Sha256.digest(&self.to_spki_der());
        hex::encode(digest.as_bytes())
    }
}

/// Why there is no public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The object is sealed data or an HMAC key.
    #[error("the object holds no asymmetric key")]
    NoKey,
    /// A curve that is not known here.
    #[error("the curve is {found:#06x}; known are P-256, P-384 and P-521")]
    Curve {
        /// `TPM_ECC_CURVE`.
        found: u16,
    },
    /// The modulus is empty or too long.
    #[error("an RSA modulus has 1 to {limit} bytes; this has {found}")]
    Modulus {
        /// The most that is taken.
        limit: usize,
        /// Bytes of the modulus.
        found: usize,
    },
    /// The modulus is not as long as the public area says.
    #[error("the RSA key says {expected} bits and has {found}")]
    Bits {
        /// Bits by the public area.
        expected: usize,
        /// Bits of the modulus.
        found: usize,
    },
    /// An exponent with which RSA does not work.
    #[error("an RSA exponent is odd and 3 or more; this is {found}")]
    Exponent {
        /// The exponent.
        found: u32,
    },
    /// A coordinate that the curve does not have.
    #[error("a coordinate has 1 to {expected} bytes on this curve; this has {found}")]
    Coordinate {
        /// Bytes of the curve's coordinates.
        expected: usize,
        /// Bytes of this one.
        found: usize,
    },
    /// The DER is not that of an RSA or NIST-curve public key.
    #[error("{field} is not that of an RSA or NIST-curve public key in DER")]
    Der {
        /// What was being read.
        field: &'static str,
    },
    /// The text has no public key in PEM.
    #[error("the PEM text lacks {expected}")]
    Pem {
        /// What was looked for.
        expected: &'static str,
    },
    /// The text is longer than any key.
    #[error("a PEM text of {found} bytes is more than {limit}")]
    PemTooLong {
        /// The most that is read.
        limit: usize,
        /// Bytes of the text.
        found: usize,
    },
}

/// `bytes` without leading zeros, and then with as many as the curve's coordinates take.
pub(super) fn padded(bytes: &[u8], curve: Curve) -> Option<Vec<u8>> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let plain = bytes.get(zeros..)?;
    let mut padded = vec![0; curve.coordinate_bytes().checked_sub(plain.len())?];
    padded.extend(plain);
    Some(padded)
}

fn rsa_of_der(bits: &[u8]) -> Result<PublicKey, KeyError> {
    let mut input = Der(bits);
    let mut key = Der(input.element(SEQUENCE, "the RSA key")?);
    input.end("what follows the RSA key")?;
    let modulus = key.element(INTEGER, "the RSA modulus")?;
    let exponent = key.element(INTEGER, "the RSA exponent")?;
    key.end("what follows the RSA exponent")?;
    let mut value: u32 = 0;
    for byte in exponent {
        value = value
            .checked_mul(256)
            .map(|value| value | u32::from(*byte))
            .ok_or(KeyError::Der {
                field: "the RSA exponent",
            })?;
    }
    PublicKey::rsa(modulus, value)
}

fn ecc_of_der(algorithm: &[u8], bits: &[u8]) -> Result<PublicKey, KeyError> {
    let mut algorithm = Der(algorithm);
    let kind = algorithm.element(OBJECT_IDENTIFIER, "the algorithm")?;
    if kind != EC_PUBLIC_KEY {
        return Err(KeyError::Der {
            field: "the algorithm",
        });
    }
    let named = algorithm.element(OBJECT_IDENTIFIER, "the curve")?;
    algorithm.end("what follows the curve")?;
    let curve = Curve::ALL
        .into_iter()
        .find(|curve| curve.object_identifier() == named)
        .ok_or(KeyError::Der { field: "the curve" })?;
    let bytes = curve.coordinate_bytes();
    match bits.split_first() {
        Some((4, point)) if point.len() == 2 * bytes => {
            PublicKey::ecc(curve, &point[..bytes], &point[bytes..])
        }
        _ => Err(KeyError::Der { field: "the point" }),
    }
}

/// An unsigned integer in DER, from big-endian bytes.
fn integer(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let mut content = bytes.get(zeros..).unwrap_or_default().to_vec();
    // A set top bit would make it negative, and no content would make it nothing.
    if content.first().is_none_or(|byte| byte & 0x80 != 0) {
        content.insert(0, 0);
    }
    element(INTEGER, &content)
}

/// A DER element. Keys stay far below the 64 kB that two bytes of length can tell.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u16).to_be_bytes();
    let mut out = vec![tag];
    match content.len() {
        0..=0x7f => out.push(length[1]),
        0x80..=0xff => out.extend([0x81, length[1]]),
        _ => out.extend([0x82, length[0], length[1]]),
    }
    out.extend(content);
    out
}

/// DER, read from the front.
struct Der<'b>(&'b [u8]);

impl<'b> Der<'b> {
    fn element(&mut self, tag: u8, field: &'static str) -> Result<&'b [u8], KeyError> {
        let error = KeyError::Der { field };
        let (length, rest) = match self.0 {
            [found, ..] if *found != tag => return Err(error),
            [_, length @ 0..=0x7f, rest @ ..] => (usize::from(*length), rest),
            [_, 0x81, length, rest @ ..] => (usize::from(*length), rest),
            [_, 0x82, high, low, rest @ ..] => {
                (usize::from(u16::from_be_bytes([*high, *low])), rest)
            }
            _ => return Err(error),
        };
        let (content, rest) = rest.split_at_checked(length).ok_or(error)?;
        self.0 = rest;
        Ok(content)
    }

    fn end(&self, field: &'static str) -> Result<(), KeyError> {
        match self.0 {
            [] => Ok(()),
            _ => Err(KeyError::Der { field }),
        }
    }
}
