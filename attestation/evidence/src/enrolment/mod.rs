//! The three files of an enrolment, so that it works over any channel.
//!
//! ```text
//! device -> fleet   Request     the EK's certificates, EK and AK
//! fleet  -> device  Challenge   a secret that only the TPM with that EK and that AK can read
//! device -> fleet   Answer      the secret
//! ```
//!
//! The secret is encrypted as by `TPM2_MakeCredential` and read by `TPM2_ActivateCredential`
//! (TPM 2.0 Library, Part 1, "Credential Protection"). An answer with the right secret thus
//! proves that both keys live in one TPM, and the certificates say in which. Nothing in the
//! request is to be believed before that, and nothing in the three files is secret but the
//! answer, which is worth nothing once it was given.
//!
//! Each file is one JSON object with its format's name in `format`, bytes in standard Base64,
//! and no other fields than these. Each has a bound.
//!
//! ```
//! use earnest_evidence::enrolment::{Answer, ChallengeId};
//!
//! let answer = Answer::new(ChallengeId::from_bytes([7; 16]), &[1, 2, 3])?;
//! assert_eq!(Answer::from_json(answer.to_json().as_bytes())?, answer);
//! # Ok::<(), earnest_evidence::enrolment::EnrolmentError>(())
//! ```

mod answer;
mod challenge;
mod request;
#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::hex::HexError;
use crate::tpm::StructureError;

pub use answer::Answer;
pub use challenge::{Challenge, ChallengeId};
pub use request::Request;

/// Most bytes of any of the three files: [`MAX_CERTIFICATES`] certificates of
/// [`MAX_CERTIFICATE_BYTES`] in Base64, with room for the rest.
pub const MAX_FILE_BYTES: usize = 128 * 1024;

/// Most certificates of a request: the EK's own, and eight authorities between it and one that
/// is trusted. The longest chains of makers have three.
pub const MAX_CERTIFICATES: usize = 9;

/// Most bytes of a certificate. A TPM's own have 1 to 2 kB.
pub const MAX_CERTIFICATE_BYTES: usize = 8 * 1024;

/// Most characters of a device's name.
pub const MAX_DEVICE_NAME: usize = 64;

/// Most bytes of `TPM2B_ID_OBJECT`: its size, and an HMAC and a secret by SHA-512 with theirs.
pub const MAX_ID_OBJECT_BYTES: usize = 2 + 2 + 64 + 2 + 64;

/// Most bytes of `TPM2B_ENCRYPTED_SECRET`: its size, and a ciphertext of RSA-4096.
pub const MAX_ENCRYPTED_SECRET_BYTES: usize = 2 + 512;

/// Most bytes of the secret: the digest of the smaller hash, which every TPM takes.
pub const MAX_SECRET_BYTES: usize = 32;

/// Why bytes are no file of an enrolment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnrolmentError {
    /// More bytes than any such file has.
    #[error("a file of an enrolment has at most {limit} bytes; this has {found}")]
    TooLong {
        /// The bound.
        limit: usize,
        /// Bytes of the file.
        found: usize,
    },
    /// No JSON, or not of this shape.
    #[error("this is no {expected:?}: {reason}")]
    Json {
        /// The format's name.
        expected: &'static str,
        /// What is wrong, and where.
        reason: String,
    },
    /// Another format.
    #[error("the file's format is {found:?}; expected is {expected:?}")]
    Format {
        /// The format's name.
        expected: &'static str,
        /// What the file says, as far as it is short.
        found: String,
    },
    /// A field is empty or too long.
    #[error("{field}: expected 1 to {limit}, found {found}")]
    Size {
        /// Which field, and what is counted.
        field: &'static str,
        /// The bound.
        limit: usize,
        /// What there is.
        found: usize,
    },
    /// A sized buffer says another size than it has.
    #[error("{field} says that it has {expected} bytes, and has {found}")]
    Buffer {
        /// Which field.
        field: &'static str,
        /// The size in front.
        expected: usize,
        /// Bytes behind it.
        found: usize,
    },
    /// A public area that does not parse.
    #[error("{field} is no TPMT_PUBLIC")]
    Public {
        /// Which field.
        field: &'static str,
        /// Why.
        #[source]
        source: StructureError,
    },
    /// A character that a device's name does not have.
    #[error("a device's name has letters, digits, '.', '_' and '-'; this has {found:?}")]
    DeviceName {
        /// The first such character.
        found: char,
    },
    /// An identifier that is none.
    #[error("this is no identifier of a challenge")]
    Identifier(#[from] HexError),
}

/// Bytes that stand in JSON as standard Base64.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Base64(Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Base64, D::Error> {
        // The text is no longer than the file, which is bounded before it is read as JSON.
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Base64).map_err(de::Error::custom)
    }
}

/// A file before its values were looked at.
trait Raw: Serialize + DeserializeOwned {
    /// The format's name, which its number ends.
    const FORMAT: &'static str;

    /// What the file says that its format is.
    fn format(&self) -> &str;

    fn read(bytes: &[u8]) -> Result<Self, EnrolmentError> {
        if bytes.len() > MAX_FILE_BYTES {
            return Err(EnrolmentError::TooLong {
                limit: MAX_FILE_BYTES,
                found: bytes.len(),
            });
        }
        let raw: Self = serde_json::from_slice(bytes).map_err(|error| EnrolmentError::Json {
            expected: Self::FORMAT,
            reason: error.to_string(),
        })?;
        match raw.format() == Self::FORMAT {
            true => Ok(raw),
            false => Err(EnrolmentError::Format {
                expected: Self::FORMAT,
                found: raw.format().chars().take(MAX_DEVICE_NAME).collect(),
            }),
        }
    }

    fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self)
            .expect("strings and lists of strings are always JSON");
        text.push('\n');
        text
    }
}

/// Refuses what is empty or beyond its bound.
fn check_size(field: &'static str, limit: usize, found: usize) -> Result<(), EnrolmentError> {
    match (1..=limit).contains(&found) {
        true => Ok(()),
        false => Err(EnrolmentError::Size {
            field,
            limit,
            found,
        }),
    }
}
