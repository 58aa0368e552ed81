//! Numbers of a fixed width, which are written in hexadecimal digits.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A trace that a request belongs to (W3C Trace Context, section 3.2.2.3). The caller chose it, so
/// it is a number and no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(pub [u8; 16]);

/// A SHA-256 digest of the audit log's chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainDigest(pub [u8; 32]);

/// Writes a number's bytes as lower-case hexadecimal digits, and reads them back from no others.
macro_rules! hexadecimal {
    ($($number:ident)+) => {
        $(
            impl fmt::Display for $number {
                fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                    self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
                }
            }

            impl Serialize for $number {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    serializer.collect_str(self)
                }
            }

            impl<'de> Deserialize<'de> for $number {
                fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    let text = String::deserialize(deserializer)?;
                    let bytes = from_digits(&text);
                    bytes.map($number).ok_or_else(|| D::Error::custom("these are no such digits"))
                }
            }
        )+
    };
}

hexadecimal!(TraceId ChainDigest);

/// The bytes of exactly so many lower-case digits.
fn from_digits<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (digit(pair[0])? << 4) | digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_number_is_read_back_as_it_was_written(bytes: [u8; 32], half: [u8; 16]) {
            let json = serde_json::to_string(&(ChainDigest(bytes), TraceId(half))).unwrap();
            let read: (ChainDigest, TraceId) = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(read, (ChainDigest(bytes), TraceId(half)));
        }

        #[test]
        fn other_digits_are_refused(text in "[0-9a-fA-Fg é]{0,40}") {
            let read = serde_json::from_value::<TraceId>(text.clone().into());
            let is_number = text.len() == 32
                && text.bytes().all(|one| matches!(one, b'0'..=b'9' | b'a'..=b'f'));
            prop_assert_eq!(read.is_ok(), is_number);
        }
    }
}
