//! What the fleet asks back.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    Base64, EnrolmentError, MAX_ENCRYPTED_SECRET_BYTES, MAX_ID_OBJECT_BYTES, Raw, check_size,
};
use crate::hex::{self, HexError};

/// Which challenge an answer is to. As text it is lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChallengeId([u8; 16]);

impl ChallengeId {
    /// The identifier of these bytes, which the caller drew from a random source.
    pub const fn from_bytes(bytes: [u8; 16]) -> ChallengeId {
        ChallengeId(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for ChallengeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for ChallengeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for ChallengeId {
    type Err = HexError;

    fn from_str(text: &str) -> Result<ChallengeId, HexError> {
        hex::decode_array(text).map(ChallengeId)
    }
}

impl Serialize for ChallengeId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ChallengeId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ChallengeId, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// A secret for the device's TPM: `earnest enrolment challenge 1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    id: ChallengeId,
    id_object: Vec<u8>,
    encrypted_secret: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawChallenge {
    format: String,
    id: String,
    /// `TPM2B_ID_OBJECT`, its size in front.
    id_object: Base64,
    /// `TPM2B_ENCRYPTED_SECRET`, its size in front.
    encrypted_secret: Base64,
}

impl Raw for RawChallenge {
    const FORMAT: &'static str = "earnest enrolment challenge 1";

    fn format(&self) -> &str {
        &self.format
    }
}

impl Challenge {
    /// A challenge of a `TPM2B_ID_OBJECT` and a `TPM2B_ENCRYPTED_SECRET`, each with its size in
    /// front.
    ///
    /// # Errors
    ///
    /// When one of them is empty, too long, or of another size than it says.
    pub fn new(
        id: ChallengeId,
        id_object: Vec<u8>,
        encrypted_secret: Vec<u8>,
    ) -> Result<Challenge, EnrolmentError> {
        check_buffer("id_object", MAX_ID_OBJECT_BYTES, &id_object)?;
        check_buffer(
            "encrypted_secret",
            MAX_ENCRYPTED_SECRET_BYTES,
            &encrypted_secret,
        )?;
        Ok(Challenge {
            id,
            id_object,
            encrypted_secret,
        })
    }

    /// Reads the file.
    ///
    /// # Errors
    ///
    /// When the bytes are no such file.
    pub fn from_json(bytes: &[u8]) -> Result<Challenge, EnrolmentError> {
        let raw = RawChallenge::read(bytes)?;
        Challenge::new(raw.id.parse()?, raw.id_object.0, raw.encrypted_secret.0)
    }

    /// The file.
    pub fn to_json(&self) -> String {
        RawChallenge {
            format: RawChallenge::FORMAT.to_owned(),
            id: self.id.to_string(),
            id_object: Base64(self.id_object.clone()),
            encrypted_secret: Base64(self.encrypted_secret.clone()),
        }
        .to_json()
    }

    /// Which challenge it is.
    pub fn id(&self) -> ChallengeId {
        self.id
    }

    /// `TPM2B_ID_OBJECT`, its size in front.
    pub fn id_object(&self) -> &[u8] {
        &self.id_object
    }

    /// `TPM2B_ENCRYPTED_SECRET`, its size in front.
    pub fn encrypted_secret(&self) -> &[u8] {
        &self.encrypted_secret
    }
}

/// Refuses a sized buffer that is not one.
fn check_buffer(field: &'static str, limit: usize, bytes: &[u8]) -> Result<(), EnrolmentError> {
    check_size(field, limit, bytes.len())?;
    let Some((size, content)) = bytes.split_first_chunk::<2>() else {
        return Err(EnrolmentError::Buffer {
            field,
            expected: 2,
            found: bytes.len(),
        });
    };
    let expected = usize::from(u16::from_be_bytes(*size));
    match expected == content.len() {
        true => Ok(()),
        false => Err(EnrolmentError::Buffer {
            field,
            expected,
            found: content.len(),
        }),
    }
}
