//! A quote by another attester, with its signature, key and PCR file.

use earnest_evidence::tpm::{Attest, Attested, PcrValues, PublicKey, Signature};

use crate::{mutations, vectors};

/// The one quote's parts.
struct Quote {
    attest: Vec<u8>,
    signature: Vec<u8>,
    pcrs: Vec<u8>,
    key: String,
}

fn quote() -> Option<Quote> {
    let vectors = vectors("quotes")?;
    let part = |name: &str| {
        let found = vectors.iter().find(|(found, _)| found == name);
        found.expect("the quote has its parts").1.clone()
    };
    Some(Quote {
        attest: part("keylime-quote.out"),
        signature: part("keylime-quotesig.out"),
        pcrs: part("keylime-quotepcr.out"),
        key: String::from_utf8(part("keylime-akpub.pem")).expect("PEM is text"),
    })
}

#[test]
fn each_part_parses_and_is_marshalled_back_to_the_same_bytes() {
    let Some(quote) = quote() else { return };
    let attest = Attest::parse(&quote.attest).expect("it is an attestation");
    assert_eq!(attest.marshal(), quote.attest);
    let signature = Signature::parse(&quote.signature).expect("it is a signature");
    assert_eq!(signature.marshal(), quote.signature);
    let pcrs = PcrValues::parse_pcr_file(&quote.pcrs).expect("it is a PCR file");
    assert_eq!(PcrValues::parse_pcr_file(&pcrs.to_pcr_file()), Ok(pcrs));
    let key = PublicKey::from_pem(&quote.key).expect("it is a key");
    assert_eq!(key.to_pem(), quote.key);
}

#[test]
fn the_pcr_file_has_the_digest_that_was_signed() {
    let Some(quote) = quote() else { return };
    let attest = Attest::parse(&quote.attest).expect("it is an attestation");
    let signature = Signature::parse(&quote.signature).expect("it is a signature");
    let pcrs = PcrValues::parse_pcr_file(&quote.pcrs).expect("it is a PCR file");
    let digest = pcrs.digest(signature.hash());
    assert_eq!(attest.attested.pcr_digest(signature.hash()), Some(digest));
    let Attested::Quote { selection, .. } = &attest.attested else {
        panic!("it is a quote");
    };
    assert!(selection.selects_the_same(&pcrs.selection()));
    assert_eq!(selection.to_string(), "sha256:15,16,22");
}

#[test]
fn every_truncation_is_refused_and_every_flipped_bit_read_or_refused() {
    let Some(quote) = quote() else { return };
    mutations(&quote.attest, |bytes| match Attest::parse(bytes) {
        Ok(attest) => {
            assert_eq!(bytes.len(), quote.attest.len(), "a truncation");
            assert_eq!(attest.marshal(), bytes);
        }
        Err(error) => drop(error.to_string()),
    });
    mutations(&quote.signature, |bytes| match Signature::parse(bytes) {
        Ok(signature) => {
            assert_eq!(bytes.len(), quote.signature.len(), "a truncation");
            assert_eq!(signature.marshal(), bytes);
        }
        Err(error) => drop(error.to_string()),
    });
    mutations(&quote.pcrs, |bytes| {
        match PcrValues::parse_pcr_file(bytes) {
            Ok(_) => assert_eq!(bytes.len(), quote.pcrs.len(), "a truncation"),
            Err(error) => drop(error.to_string()),
        }
    });
    let key = PublicKey::from_pem(&quote.key)
        .expect("it is a key")
        .to_spki_der();
    mutations(&key, |bytes| match PublicKey::from_spki_der(bytes) {
        Ok(key) => assert_eq!(key.to_spki_der(), bytes),
        Err(error) => drop(error.to_string()),
    });
}
