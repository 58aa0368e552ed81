//! Hexadecimal text, as the trust tools write digests, nonces and names.

/// Why a text is no hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HexError {
    /// An odd number of digits.
    #[error("hexadecimal text has an even number of digits; this has {found}")]
    Odd {
        /// How many there are.
        found: usize,
    },
    /// A character that is no digit.
    #[error("byte {offset} of the text is {found:#04x}, which is no hexadecimal digit")]
    NoDigit {
        /// Where, in bytes.
        offset: usize,
        /// The byte there.
        found: u8,
    },
    /// Another length than the value has.
    #[error("expected {expected} bytes in hexadecimal, found {found}")]
    Length {
        /// Bytes of the value.
        expected: usize,
        /// Bytes that the text stands for.
        found: usize,
    },
}

/// `bytes` as lower-case digits.
pub fn encode(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

/// The bytes that `text` stands for; digits of either case.
///
/// # Errors
///
/// When the text has an odd length or another character than a digit.
pub fn decode(text: &str) -> Result<Vec<u8>, HexError> {
    let bytes = text.as_bytes();
    if bytes.len() % 2 == 1 {
        return Err(HexError::Odd { found: bytes.len() });
    }
    let digit = |offset: usize| {
        let found = bytes[offset];
        char::from(found)
            .to_digit(16)
            // A digit of base sixteen fits a byte.
            .map(|digit| digit as u8)
            .ok_or(HexError::NoDigit { offset, found })
    };
    (0..bytes.len())
        .step_by(2)
        .map(|offset| Ok(digit(offset)? << 4 | digit(offset + 1)?))
        .collect()
}

/// The `N` bytes that `text` stands for.
///
/// # Errors
///
/// As [`decode`], and when the text stands for another number of bytes.
pub fn decode_array<const N: usize>(text: &str) -> Result<[u8; N], HexError> {
    let bytes = decode(text)?;
    <[u8; N]>::try_from(bytes.as_slice()).map_err(|_| HexError::Length {
        expected: N,
        found: bytes.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_case_is_read_and_lower_case_is_written() {
        assert_eq!(decode("00fFAb"), Ok(vec![0, 0xff, 0xab]));
        assert_eq!(encode(&[0, 0xff, 0xab]), "00ffab");
    }

    #[test]
    fn what_is_no_hexadecimal_is_told_apart() {
        assert_eq!(decode("abc"), Err(HexError::Odd { found: 3 }));
        let no_digit = HexError::NoDigit {
            offset: 1,
            found: b'g',
        };
        assert_eq!(decode("0g"), Err(no_digit));
        assert_eq!(
            decode("+1"),
            Err(HexError::NoDigit {
                offset: 0,
                found: b'+'
            })
        );
        let length = HexError::Length {
            expected: 2,
            found: 1,
        };
        assert_eq!(decode_array::<2>("00"), Err(length));
    }
}
