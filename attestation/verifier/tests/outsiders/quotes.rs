//! A quote that another attester made on a TPM of its own.

use std::path::{Path, PathBuf};

use earnest_evidence::HashAlgorithm;
use earnest_evidence::tpm::{Attest, PcrValues, PublicKey};
use earnest_verifier::quote::{self, PcrError, QuoteError, SignatureError};

/// The folder of the vectors, if it is there.
fn folder() -> Option<PathBuf> {
    let root = std::env::var_os("EARNEST_VECTORS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors"),
        PathBuf::from,
    );
    let folder = root.join("quotes");
    if !folder.is_dir() {
        println!("skipped: there are no vectors of quotes");
        return None;
    }
    Some(folder)
}

#[test]
fn another_attesters_quote_is_verified_and_refused_once_anything_is_changed() {
    let Some(folder) = folder() else { return };
    let read = |name: &str| std::fs::read(folder.join(name)).expect("the vector is there");
    let (attest, signature) = (read("keylime-quote.out"), read("keylime-quotesig.out"));
    let key = String::from_utf8(read("keylime-akpub.pem")).expect("PEM is text");
    let key = PublicKey::from_pem(&key).expect("it is a key");
    let values = PcrValues::parse_pcr_file(&read("keylime-quotepcr.out")).expect("it is one");
    // Whoever asked for it knows its nonce; here it is read from the quote itself.
    let parsed = Attest::parse(&attest).expect("it is an attestation");
    let nonce = &*parsed.extra_data;

    let verified = quote::verify(&key, &attest, &signature, nonce).expect("it is right");
    assert_eq!(verified.check_values(&values), Ok(()));
    let mut fewer = PcrValues::new();
    fewer
        .insert(15, HashAlgorithm::Sha256.zero())
        .expect("it is the first");
    let refused = verified.check_values(&fewer);
    assert!(matches!(refused, Err(PcrError::Selection { .. })));

    let other = quote::verify(&key, &attest, &signature, b"another");
    assert!(matches!(other, Err(QuoteError::Nonce { .. })));
    for place in 0..attest.len() {
        let mut changed = attest.clone();
        changed[place] ^= 1;
        let refused = quote::verify(&key, &changed, &signature, nonce);
        let wrong = QuoteError::Signature(SignatureError::Wrong {
            key: key.fingerprint(),
        });
        assert_eq!(refused, Err(wrong), "byte {place}");
    }
}
