//! What several tests share: quotes of a software TPM, and ways to spoil bytes.

mod mutations;

pub(crate) use mutations::mutations;

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
