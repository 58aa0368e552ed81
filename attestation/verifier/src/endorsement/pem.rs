//! Certificates as text (RFC 7468).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::certificate::MAX_CERTIFICATE_BYTES;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Most certificates of one text: a chain and a few authorities, not a system's whole store.
const MAX_CERTIFICATES: usize = 64;

/// Why a text holds no certificates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// No line that begins a certificate.
    #[error("the text has no line {BEGIN:?}")]
    None,
    /// A certificate begins and does not end.
    #[error("certificate {index} has no line {END:?}")]
    Endless {
        /// Which, counted from 0.
        index: usize,
    },
    /// What stands between is no Base64.
    #[error("certificate {index} is no Base64: {reason}")]
    Base64 {
        /// Which, counted from 0.
        index: usize,
        /// What is wrong with it.
        reason: base64::DecodeError,
    },
    /// Too long, or too many.
    #[error("{what} is at most {limit}; this has {found}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The bound.
        limit: usize,
        /// What was found.
        found: usize,
    },
}

/// The certificates of a PEM text, as DER, in their order. Text between them is passed over.
///
/// # Errors
///
/// When there is none, one does not end, or is no Base64, and beyond the bounds.
pub fn certificates_from_pem(text: &str) -> Result<Vec<Vec<u8>>, PemError> {
    let mut certificates = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once(BEGIN) {
        let index = certificates.len();
        if index == MAX_CERTIFICATES {
            return Err(PemError::TooLarge {
                what: "the number of certificates",
                limit: MAX_CERTIFICATES,
                found: index + 1,
            });
        }
        let (body, after) = after.split_once(END).ok_or(PemError::Endless { index })?;
        rest = after;
        // Base64 is longer than what it stands for by a third, and lines break.
        if body.len() > MAX_CERTIFICATE_BYTES * 2 {
            return Err(PemError::TooLarge {
                what: "the text of a certificate",
                limit: MAX_CERTIFICATE_BYTES * 2,
                found: body.len(),
            });
        }
        let body: String = body.split_ascii_whitespace().collect();
        let der = STANDARD
            .decode(body)
            .map_err(|reason| PemError::Base64 { index, reason })?;
        certificates.push(der);
    }
    match certificates.is_empty() {
        true => Err(PemError::None),
        false => Ok(certificates),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_are_found_between_other_text() {
        let text = format!("first\n{BEGIN}\nAQID\n{END}\nnext\n{BEGIN}\nBA\r\n==\n{END}\n");
        assert_eq!(
            certificates_from_pem(&text),
            Ok(vec![vec![1, 2, 3], vec![4]])
        );
    }

    #[test]
    fn what_is_no_certificate_is_told_apart() {
        assert_eq!(certificates_from_pem("text"), Err(PemError::None));
        let endless = format!("{BEGIN}\nAQID\n");
        assert_eq!(
            certificates_from_pem(&endless),
            Err(PemError::Endless { index: 0 })
        );
        let wrong = format!("{BEGIN}\nA!ID\n{END}");
        let refused = certificates_from_pem(&wrong).unwrap_err();
        assert!(matches!(refused, PemError::Base64 { index: 0, .. }));
    }
}
