//! Chains of endorsement certificates.

use std::sync::LazyLock;

use earnest_verifier::endorsement::{self, TrustAnchor, certificates_from_pem};

/// A maker's root, and the authority below it: what the seeds were issued by.
const ROOT: &str = include_str!("../../../attestation/verifier/tests/chains/root.pem");
const BETWEEN: &str = include_str!("../../../attestation/verifier/tests/chains/intermediate.pem");

/// 2026-01-01.
const NOW: i64 = 1_767_225_600;

static ANCHORS: LazyLock<[TrustAnchor; 1]> = LazyLock::new(|| {
    let root = certificates_from_pem(ROOT).expect("it is a certificate");
    [TrustAnchor::new("root", &root[0], false).expect("it is an authority's")]
});
static ISSUER: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| certificates_from_pem(BETWEEN).expect("it is a certificate"));

/// Reads `data` as certificates: as text if it starts with `-`, the first of which is a TPM's
/// and the others its authorities', else as a TPM's own in DER. Nobody can make one that the
/// root vouches for, so what is taken is one of those that it did vouch for.
pub fn ek_chain(data: &[u8]) {
    let certificates = match std::str::from_utf8(data) {
        Ok(text) if text.starts_with('-') => match certificates_from_pem(text) {
            Ok(certificates) => certificates,
            Err(error) => return drop(error.to_string()),
        },
        _ => vec![data.to_vec()],
    };
    for certificate in &certificates {
        if let Err(error) = TrustAnchor::new("any", certificate, true) {
            drop(error.to_string());
        }
    }
    let Some((leaf, between)) = certificates.split_first() else {
        return;
    };
    let between = match between {
        [] => ISSUER.as_slice(),
        some => some,
    };
    match endorsement::verify_chain(leaf, between, &*ANCHORS, NOW) {
        Err(error) => drop(error.to_string()),
        Ok(key) => {
            assert_eq!(key.anchor(), "root");
            assert_eq!(key.tpm().manufacturer, "id:4D414B45");
            assert!(!key.is_software());
        }
    }
}
