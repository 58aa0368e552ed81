//! The digest of a certificate.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use subtle::{Choice, ConstantTimeEq};

/// The SHA-256 of a certificate's DER, written as `x5t#S256` is (RFC 8705, section 3.1): in
/// base64url without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Whether both are the same, in a time that does not say where they differ.
    pub(crate) fn same(&self, other: &[u8; 32]) -> Choice {
        self.0.ct_eq(other)
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(text: &str) -> Result<Fingerprint, FingerprintError> {
        let mut bytes = [0; 32];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(32) => Ok(Fingerprint(bytes)),
            _ => Err(FingerprintError),
        }
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = FingerprintError;

    fn try_from(text: String) -> Result<Fingerprint, FingerprintError> {
        text.parse()
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> String {
        fingerprint.to_string()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// A text is no digest of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a certificate's fingerprint is 32 bytes in base64url without padding")]
pub struct FingerprintError;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_fingerprint_has_one_spelling() {
        let text = "A".repeat(43);
        assert_eq!(text.parse(), Ok(Fingerprint([0; 32])));
        let wrong = [
            String::new(),
            "A".repeat(42),
            "A".repeat(44),
            format!("{text}="),
            format!("{}B", "A".repeat(42)),
            format!("{}+", "A".repeat(42)),
        ];
        for wrong in wrong {
            assert_eq!(
                wrong.parse::<Fingerprint>(),
                Err(FingerprintError),
                "{wrong}"
            );
        }
    }

    proptest! {
        #[test]
        fn fingerprints_come_back(bytes: [u8; 32]) {
            let fingerprint = Fingerprint(bytes);
            prop_assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
            prop_assert!(bool::from(fingerprint.same(&bytes)));
        }
    }
}
