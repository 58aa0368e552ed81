//! What the device answers.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Base64, ChallengeId, EnrolmentError, MAX_SECRET_BYTES, Raw, check_size};

/// The secret of a challenge, as the device's TPM gave it back:
/// `earnest enrolment answer 1`.
///
/// Two answers are compared by `==` in tests alone: whoever checks one does it in a time that
/// does not tell where they differ.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    id: ChallengeId,
    secret: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAnswer {
    format: String,
    id: String,
    secret: Base64,
}

impl Raw for RawAnswer {
    const FORMAT: &'static str = "earnest enrolment answer 1";

    fn format(&self) -> &str {
        &self.format
    }
}

impl Answer {
    /// An answer to the challenge `id`.
    ///
    /// # Errors
    ///
    /// When the secret is empty or has more than [`MAX_SECRET_BYTES`].
    pub fn new(id: ChallengeId, secret: &[u8]) -> Result<Answer, EnrolmentError> {
        check_size("bytes of the secret", MAX_SECRET_BYTES, secret.len())?;
        Ok(Answer {
            id,
            secret: secret.to_vec(),
        })
    }

    /// Reads the file.
    ///
    /// # Errors
    ///
    /// When the bytes are no such file.
    pub fn from_json(bytes: &[u8]) -> Result<Answer, EnrolmentError> {
        let raw = RawAnswer::read(bytes)?;
        Answer::new(raw.id.parse()?, &raw.secret.0)
    }

    /// The file.
    pub fn to_json(&self) -> String {
        RawAnswer {
            format: RawAnswer::FORMAT.to_owned(),
            id: self.id.to_string(),
            secret: Base64(self.secret.clone()),
        }
        .to_json()
    }

    /// Which challenge it is to.
    pub fn id(&self) -> ChallengeId {
        self.id
    }

    /// The secret.
    pub fn secret(&self) -> &[u8] {
        &self.secret
    }
}

impl fmt::Debug for Answer {
    /// Without the secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Answer")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}
