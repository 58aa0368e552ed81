//! Ways to spoil bytes, for the tests within the crate and those from outside it.

/// Calls `check` with every truncation of `bytes` and with every bit of it flipped.
pub(crate) fn mutations(bytes: &[u8], mut check: impl FnMut(&[u8])) {
    for length in 0..bytes.len() {
        check(&bytes[..length]);
    }
    let mut flipped = bytes.to_vec();
    for place in 0..bytes.len() {
        for bit in 0..8 {
            flipped[place] ^= 1 << bit;
            check(&flipped);
            flipped[place] ^= 1 << bit;
        }
    }
}
