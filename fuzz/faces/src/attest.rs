//! The TPM's structures, and the files in which the TPM tools carry PCRs and keys.

use earnest_evidence::HashAlgorithm;
use earnest_evidence::tpm::{
    Attest, Curve, MAX_ATTEST_BYTES, MAX_PCR_FILE_BYTES, PcrSelection, PcrValues, Public,
    PublicKey, Signature,
};

/// Reads `data` as each of the TPM's structures. What is taken must be marshalled back to the
/// same bytes, since names and signatures are computed over them.
pub fn attest(data: &[u8]) {
    match Attest::parse(data) {
        Ok(attest) => {
            assert_eq!(attest.marshal(), data);
            assert!(data.len() <= MAX_ATTEST_BYTES);
        }
        // The messages are shown to people, so making them must not fail either.
        Err(error) => drop(error.to_string()),
    }
    match Signature::parse(data) {
        Ok(signature) => {
            assert_eq!(signature.marshal(), data);
            if let Some(fixed) = signature.ecdsa_fixed(Curve::P256) {
                assert_eq!(fixed.len(), 64);
            }
        }
        Err(error) => drop(error.to_string()),
    }
    match PcrSelection::parse(data) {
        Ok(selection) => {
            assert_eq!(selection.marshal(), data);
            assert!(selection.selects_the_same(&selection));
        }
        Err(error) => drop(error.to_string()),
    }
    public(data);
    pcr_file(data);
    key(data);
}

fn public(data: &[u8]) {
    if let Ok(public) = Public::parse_sized(data) {
        assert_eq!(public.marshal_sized(), data);
    }
    let public = match Public::parse(data) {
        Ok(public) => public,
        Err(error) => return drop(error.to_string()),
    };
    assert_eq!(public.marshal(), data);
    let name = public.name();
    let digest = name.digest().expect("a name is made of a digest");
    assert_eq!(digest, public.name_algorithm.digest(data));
    assert_eq!(name.to_string().parse(), Ok(name));
    if let Ok(key) = public.key() {
        assert_eq!(PublicKey::from_spki_der(&key.to_spki_der()), Ok(key));
    }
}

fn pcr_file(data: &[u8]) {
    let values = match PcrValues::parse_pcr_file(data) {
        Ok(values) => values,
        Err(error) => return drop(error.to_string()),
    };
    assert!(data.len() <= MAX_PCR_FILE_BYTES);
    let again = PcrValues::parse_pcr_file(&values.to_pcr_file());
    let again = again.expect("what is written is read");
    for algorithm in HashAlgorithm::ALL {
        assert_eq!(again.digest(algorithm), values.digest(algorithm));
    }
    assert!(again.selection().selects_the_same(&values.selection()));
}

fn key(data: &[u8]) {
    match PublicKey::from_spki_der(data) {
        Ok(key) => {
            assert_eq!(key.to_spki_der(), data, "a key has one encoding");
            assert_eq!(PublicKey::from_pem(&key.to_pem()), Ok(key));
        }
        Err(error) => drop(error.to_string()),
    }
    if let Ok(text) = std::str::from_utf8(data) {
        match PublicKey::from_pem(text) {
            Ok(key) => assert_eq!(PublicKey::from_pem(&key.to_pem()), Ok(key)),
            Err(error) => drop(error.to_string()),
        }
    }
}
