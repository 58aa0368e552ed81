//! SHA-256 digests as a type of their own, so that nothing else can stand in for one.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// Bytes in a SHA-256 digest.
pub const DIGEST_BYTES: usize = 32;

/// A SHA-256 digest (FIPS 180-4), written as 64 lower-case hexadecimal digits.
///
/// ```
/// use earnest_package::Digest;
/// let empty: Digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855".parse()?;
/// assert_eq!(Digest::of(b""), empty);
/// # Ok::<(), earnest_package::DigestError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Digest([u8; DIGEST_BYTES]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Digest {
        Digest::of_parts(&[bytes])
    }

    /// The digest of `parts`, one after the other.
    pub(crate) fn of_parts(parts: &[&[u8]]) -> Digest {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        for part in parts {
            context.update(part);
        }
        let mut digest = [0; DIGEST_BYTES];
        digest.copy_from_slice(context.finish().as_ref());
        Digest(digest)
    }

    /// The digest whose bytes these are.
    pub const fn from_bytes(bytes: [u8; DIGEST_BYTES]) -> Digest {
        Digest(bytes)
    }

    /// The digest's bytes.
    pub const fn as_bytes(&self) -> &[u8; DIGEST_BYTES] {
        &self.0
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Digest, DigestError> {
        let digits = text.as_bytes();
        if digits.len() != 2 * DIGEST_BYTES {
            return Err(DigestError::Length {
                expected: 2 * DIGEST_BYTES,
                found: digits.len(),
            });
        }
        let mut bytes = [0; DIGEST_BYTES];
        for (place, byte) in bytes.iter_mut().enumerate() {
            let high = nibble(digits[2 * place]).ok_or(DigestError::Digit { place: 2 * place })?;
            let low = nibble(digits[2 * place + 1]).ok_or(DigestError::Digit {
                place: 2 * place + 1,
            })?;
            *byte = high << 4 | low;
        }
        Ok(Digest(bytes))
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Digest, DigestError> {
        text.parse()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(formatter, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Digest({self})")
    }
}

/// The value of one lower-case hexadecimal digit. Upper case is refused, so that a digest
/// has one spelling and a card can be compared as text.
fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Why a text is no digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// Not 64 digits.
    #[error("a SHA-256 digest has {expected} hexadecimal digits, not {found}")]
    Length {
        /// Digits that a digest has.
        expected: usize,
        /// Bytes that the text has.
        found: usize,
    },
    /// Something else than 0-9 and a-f.
    #[error("character {place} of the SHA-256 digest is not one of 0-9 and a-f")]
    Digit {
        /// Where in the text, from zero.
        place: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn the_digest_of_abc_is_the_one_of_fips_180() {
        assert_eq!(Digest::of(b"abc").to_string(), ABC);
        assert_eq!(Digest::of_parts(&[b"a", b"", b"bc"]).to_string(), ABC);
        assert_eq!(ABC.parse::<Digest>().unwrap(), Digest::of(b"abc"));
    }

    #[test]
    fn other_spellings_are_refused_with_the_place() {
        let refused = |text: &str| text.parse::<Digest>().unwrap_err();
        assert_eq!(
            refused("ba"),
            DigestError::Length {
                expected: 64,
                found: 2
            }
        );
        assert_eq!(
            refused(&ABC.to_uppercase()),
            DigestError::Digit { place: 0 }
        );
        assert_eq!(
            refused(&format!("{}g", &ABC[..63])),
            DigestError::Digit { place: 63 }
        );
        // 64 bytes, but fewer characters.
        assert_eq!(
            refused(&format!("é{}", &ABC[..62])),
            DigestError::Digit { place: 0 }
        );
    }
}
