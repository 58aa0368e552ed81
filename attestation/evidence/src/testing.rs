//! What several tests share: quotes of a software TPM, and ways to spoil bytes.

/// What `tpm2_quote` wrote.
pub(crate) struct Quote {
    pub(crate) attest: &'static [u8],
    pub(crate) signature: &'static [u8],
    pub(crate) pcrs: &'static [u8],
}

pub(crate) const QUOTE_RSA: Quote = Quote {
    attest: include_bytes!("../testdata/quote-rsa.attest"),
    signature: include_bytes!("../testdata/quote-rsa.signature"),
    pcrs: include_bytes!("../testdata/quote-rsa.pcrs"),
};

pub(crate) const QUOTE_ECC: Quote = Quote {
    attest: include_bytes!("../testdata/quote-ecc.attest"),
    signature: include_bytes!("../testdata/quote-ecc.signature"),
    pcrs: include_bytes!("../testdata/quote-ecc.pcrs"),
};

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
