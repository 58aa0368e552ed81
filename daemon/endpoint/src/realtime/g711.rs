//! The companded sound of telephones (ITU-T G.711), 8 bits a sample at 8 kHz, to 16 bits.

use bytes::{BufMut as _, Bytes, BytesMut};

/// Samples a second.
pub(crate) const RATE: u32 = 8_000;

/// Which of the two laws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Law {
    /// µ-law (table 2a).
    Mu,
    /// A-law (table 1a).
    A,
}

impl Law {
    /// The samples in 16 bits, little endian.
    pub(crate) fn expand(self, bytes: &[u8]) -> Bytes {
        let mut samples = BytesMut::with_capacity(2 * bytes.len());
        for byte in bytes {
            samples.put_i16_le(match self {
                Law::Mu => mu(*byte),
                Law::A => a(*byte),
            });
        }
        samples.freeze()
    }
}

/// Sign, exponent and mantissa, all bits turned over; the bias makes steps meet.
fn mu(byte: u8) -> i16 {
    const BIAS: i16 = 0x84;
    let byte = !byte;
    let exponent = (byte >> 4) & 7;
    let magnitude = ((i16::from(byte & 15) << 3) + BIAS) << exponent;
    match byte & 0x80 {
        0 => magnitude - BIAS,
        _ => BIAS - magnitude,
    }
}

/// Sign, exponent and mantissa, every other bit turned over. A set sign is positive.
fn a(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let mantissa = i16::from(byte & 15) << 4;
    let magnitude = match (byte >> 4) & 7 {
        0 => mantissa + 8,
        exponent => (mantissa + 0x108) << (exponent - 1),
    };
    match byte & 0x80 {
        0 => -magnitude,
        _ => magnitude,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_laws_expand_as_the_tables_say() {
        // Decision values of the tables, in 16 bits: loudest, quietest, and steps between.
        for (byte, expected) in [
            (0x80, 32_124),
            (0x00, -32_124),
            (0xff, 0),
            (0x7f, 0),
            (0xfe, 8),
            (0xf0, 120),
            (0xef, 132),
            (0x8f, 16_764),
        ] {
            assert_eq!(mu(byte), expected, "{byte:#x}");
        }
        for (byte, expected) in [
            (0xaa, 32_256),
            (0x2a, -32_256),
            (0xd5, 8),
            (0x55, -8),
            (0xc5, 264),
            (0x85, 4_224),
        ] {
            assert_eq!(a(byte), expected, "{byte:#x}");
        }
    }

    #[test]
    fn each_law_is_odd_and_rises() {
        let check = |expand: fn(u8) -> i16, codes: &[u8]| {
            let values: Vec<i16> = codes.iter().map(|code| expand(*code)).collect();
            assert!(values.is_sorted(), "{values:?}");
            for (code, value) in codes.iter().zip(&values) {
                assert_eq!(expand(code ^ 0x80), -value);
            }
        };
        let mu_codes: Vec<u8> = (0x80..=0xff).rev().collect();
        check(mu, &mu_codes);
        let a_codes: Vec<u8> = (0x80..=0xff_u8).map(|code| code ^ 0x55).collect();
        check(a, &a_codes);
        assert_eq!(Law::Mu.expand(&[0x80, 0xff]).as_ref(), [0x7c, 0x7d, 0, 0]);
        assert_eq!(Law::A.expand(&[0xd5]).as_ref(), [8, 0]);
    }
}
