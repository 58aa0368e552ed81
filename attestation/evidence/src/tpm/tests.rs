//! Structures of a software TPM, read, written back, and taken apart bit by bit.

use proptest::prelude::*;
use ring::signature as ring_signature;

use super::*;
use crate::testing::{QUOTE_ECC, QUOTE_RSA, Quote, mutations};
use crate::{HashAlgorithm, hex};

const PUBLICS: [&[u8]; 7] = [
    include_bytes!("../../testdata/ak-rsa.public"),
    include_bytes!("../../testdata/ak-rsapss.public"),
    include_bytes!("../../testdata/ak-ecc.public"),
    include_bytes!("../../testdata/authority.public"),
    include_bytes!("../../testdata/ek-rsa.public"),
    include_bytes!("../../testdata/ek-ecc.public"),
    include_bytes!("../../testdata/sealed.public"),
];
const CERTIFY: &[u8] = include_bytes!("../../testdata/authority.attest");

#[test]
fn every_structure_is_marshalled_back_to_the_same_bytes() {
    for quote in [QUOTE_RSA, QUOTE_ECC] {
        assert_eq!(Attest::parse(quote.attest).unwrap().marshal(), quote.attest);
        let signature = Signature::parse(quote.signature).unwrap();
        assert_eq!(signature.marshal(), quote.signature);
        let pcrs = PcrValues::parse_pcr_file(quote.pcrs).unwrap();
        assert_eq!(PcrValues::parse_pcr_file(&pcrs.to_pcr_file()), Ok(pcrs));
    }
    for bytes in PUBLICS {
        let public = Public::parse_sized(bytes).unwrap();
        assert_eq!(public.marshal_sized(), bytes);
        assert_eq!(Public::parse(&public.marshal()), Ok(public));
    }
    assert_eq!(Attest::parse(CERTIFY).unwrap().marshal(), CERTIFY);
}

#[test]
fn names_and_keys_are_those_that_the_tools_give() {
    let check = |public: &[u8], name: &[u8], pem: &str| {
        let public = Public::parse_sized(public).unwrap();
        assert_eq!(public.name().as_bytes(), name);
        let key = public.key().unwrap();
        assert_eq!(key.to_pem(), pem);
        assert_eq!(PublicKey::from_pem(pem), Ok(key));
    };
    check(
        PUBLICS[0],
        include_bytes!("../../testdata/ak-rsa.name"),
        include_str!("../../testdata/ak-rsa.pem"),
    );
    check(
        PUBLICS[2],
        include_bytes!("../../testdata/ak-ecc.name"),
        include_str!("../../testdata/ak-ecc.pem"),
    );
}

#[test]
fn a_key_says_what_it_is_for() {
    let ak = Public::parse_sized(PUBLICS[2]).unwrap();
    assert_eq!(
        ak.attributes.to_string(),
        "fixedTPM|fixedParent|sensitiveDataOrigin|userWithAuth|noDA|restricted|sign"
    );
    assert_eq!(ak.parameters.scheme(), Some(Scheme::ECDSA_SHA256));
    let pss = Public::parse_sized(PUBLICS[1]).unwrap();
    assert_eq!(pss.parameters.scheme(), Some(Scheme::RSAPSS_SHA256));
    let authority = Public::parse_sized(PUBLICS[3]).unwrap();
    assert!(!authority.attributes.contains(ObjectAttributes::RESTRICTED));
    let ek = Public::parse_sized(PUBLICS[4]).unwrap();
    assert!(ek.attributes.contains(ObjectAttributes::DECRYPT));
    let Parameters::Rsa(rsa) = &ek.parameters else {
        panic!("it is an RSA key");
    };
    assert_eq!(rsa.symmetric, Symmetric::AES_128_CFB);
    let sealed = Public::parse_sized(PUBLICS[6]).unwrap();
    assert_eq!(sealed.key(), Err(KeyError::NoKey));
}

/// The quote's signature by the key beside it, checked by another implementation.
fn verifies(quote: &Quote, public: &[u8], attest: &[u8]) -> bool {
    let key = Public::parse_sized(public).unwrap().key().unwrap();
    let signature = Signature::parse(quote.signature).unwrap();
    match &key {
        PublicKey::Rsa { modulus, exponent } => {
            let Signature::RsaSsa { signature, .. } = &signature else {
                panic!("it is RSASSA");
            };
            let exponent = exponent.to_be_bytes();
            let key = ring_signature::RsaPublicKeyComponents {
                n: modulus.as_slice(),
                e: &exponent[1..],
            };
            let scheme = &ring_signature::RSA_PKCS1_2048_8192_SHA256;
            key.verify(scheme, attest, signature).is_ok()
        }
        PublicKey::Ecc { curve, .. } => {
            let point = key.uncompressed_point().unwrap();
            let scheme = &ring_signature::ECDSA_P256_SHA256_FIXED;
            let key = ring_signature::UnparsedPublicKey::new(scheme, point);
            let fixed = signature.ecdsa_fixed(*curve).unwrap();
            assert_eq!(
                Signature::from_ecdsa_fixed(signature.hash(), &fixed),
                Some(signature)
            );
            key.verify(attest, &fixed).is_ok()
        }
    }
}

#[test]
fn the_signature_holds_over_the_very_bytes() {
    for (quote, public) in [(&QUOTE_RSA, PUBLICS[0]), (&QUOTE_ECC, PUBLICS[2])] {
        assert!(verifies(quote, public, quote.attest));
        let mut other = quote.attest.to_vec();
        other[20] ^= 1;
        assert!(!verifies(quote, public, &other));
    }
}

#[test]
fn a_quote_says_what_was_asked_for() {
    for quote in [QUOTE_RSA, QUOTE_ECC] {
        let attest = Attest::parse(quote.attest).unwrap();
        assert_eq!(
            hex::encode(&attest.extra_data),
            "00112233445566778899aabbccddeeff".repeat(2)
        );
        let Attested::Quote { selection, .. } = &attest.attested else {
            panic!("it is a quote");
        };
        assert_eq!(
            selection.to_string(),
            "sha1:0,7+sha256:0,1,2,3,4,5,6,7,11,14"
        );
        let pcrs = PcrValues::parse_pcr_file(quote.pcrs).unwrap();
        assert!(selection.selects_the_same(&pcrs.selection()));
        assert_eq!(pcrs.len(), 12);
        let digest = pcrs.digest(HashAlgorithm::Sha256);
        assert_eq!(
            attest.attested.pcr_digest(HashAlgorithm::Sha256),
            Some(digest)
        );
        assert_eq!(attest.attested.pcr_digest(HashAlgorithm::Sha1), None);
        assert!(pcrs.value(HashAlgorithm::Sha1, 7).unwrap().is_zero());
        assert!(!pcrs.value(HashAlgorithm::Sha256, 14).unwrap().is_zero());
        assert_eq!(pcrs.value(HashAlgorithm::Sha256, 8), None);
    }
}

#[test]
fn a_certificate_by_the_ak_names_the_key() {
    let Attested::Certify { name, .. } = Attest::parse(CERTIFY).unwrap().attested else {
        panic!("it is a certificate");
    };
    assert_eq!(name, Public::parse_sized(PUBLICS[3]).unwrap().name());
    assert_eq!(name.digest().unwrap().algorithm(), HashAlgorithm::Sha256);
}

#[test]
fn the_magic_and_the_kind_are_checked_first() {
    let mut other = QUOTE_ECC.attest.to_vec();
    other[0] = 0;
    let magic = StructureError::Magic {
        expected: TPM_GENERATED,
        found: 0x0054_4347,
    };
    assert_eq!(Attest::parse(&other), Err(magic));
    other[0] = 0xff;
    other[5] = 0x1d;
    let error = Attest::parse(&other).unwrap_err();
    assert_eq!(
        error.to_string(),
        "at byte 4, the kind of attestation is 0x801d; expected is one of TPM_ST_ATTEST_*"
    );
    let long = vec![0; MAX_ATTEST_BYTES + 1];
    let error = Attest::parse(&long).unwrap_err();
    assert!(matches!(error, StructureError::TooLong { .. }));
}

#[test]
fn another_kind_of_attestation_is_carried() {
    let mut time = QUOTE_ECC.attest.to_vec();
    time[5] = 0x19;
    let attest = Attest::parse(&time).unwrap();
    assert_eq!(attest.attested.tag(), 0x8019);
    assert_eq!(attest.marshal(), time);
}

#[test]
fn every_truncation_is_refused_and_every_flipped_bit_read_or_refused() {
    for quote in [QUOTE_RSA, QUOTE_ECC] {
        mutations(quote.attest, |bytes| {
            if let Ok(attest) = Attest::parse(bytes) {
                assert_eq!(bytes.len(), quote.attest.len());
                assert_eq!(attest.marshal(), bytes);
            }
        });
        mutations(quote.signature, |bytes| {
            if let Ok(signature) = Signature::parse(bytes) {
                assert_eq!(bytes.len(), quote.signature.len());
                assert_eq!(signature.marshal(), bytes);
            }
        });
        mutations(quote.pcrs, |bytes| {
            if let Ok(values) = PcrValues::parse_pcr_file(bytes) {
                assert_eq!(bytes.len(), quote.pcrs.len());
                assert_eq!(PcrValues::parse_pcr_file(&values.to_pcr_file()), Ok(values));
            }
        });
    }
    for public in PUBLICS {
        mutations(public, |bytes| {
            if let Ok(public) = Public::parse_sized(bytes) {
                assert_eq!(public.marshal_sized(), bytes);
                if let Ok(key) = public.key() {
                    assert_eq!(PublicKey::from_spki_der(&key.to_spki_der()), Ok(key));
                }
            }
        });
    }
    for public in &PUBLICS[..6] {
        let key = Public::parse_sized(public).unwrap().key().unwrap();
        let der = key.to_spki_der();
        mutations(&der, |bytes| {
            if let Ok(key) = PublicKey::from_spki_der(bytes) {
                assert_eq!(bytes.len(), der.len());
                assert_eq!(key.to_spki_der(), bytes);
            }
        });
    }
}

#[test]
fn a_public_area_with_another_length_in_front_is_refused() {
    let mut sized = PUBLICS[2].to_vec();
    sized.push(0);
    let trailing = StructureError::Trailing {
        structure: "public area",
        found: 1,
    };
    assert_eq!(Public::parse_sized(&sized), Err(trailing.clone()));
    sized[1] += 1;
    assert_eq!(Public::parse_sized(&sized), Err(trailing));
}

#[test]
fn a_key_that_cannot_be_is_refused() {
    let exponent = |found| Err(KeyError::Exponent { found });
    assert_eq!(PublicKey::rsa(&[0xff], 2), exponent(2));
    assert_eq!(PublicKey::rsa(&[0xff], 1), exponent(1));
    let modulus = |found| Err(KeyError::Modulus { limit: 512, found });
    assert_eq!(PublicKey::rsa(&[0, 0], 3), modulus(0));
    assert_eq!(PublicKey::rsa(&[1; 513], 3), modulus(513));
    assert!(PublicKey::ecc(Curve::P256, &[1; 33], &[1]).is_err());
    assert!(PublicKey::ecc(Curve::P256, &[], &[1]).is_err());
    // Leading zeros are no part of a number.
    let plain = PublicKey::ecc(Curve::P256, &[1], &[1]);
    assert!(PublicKey::ecc(Curve::P256, &[0, 1], &[0; 33]).is_ok());
    assert_eq!(PublicKey::ecc(Curve::P256, &[0, 1], &[0, 1]), plain);
    let mut short = Public::parse_sized(PUBLICS[0]).unwrap();
    if let Parameters::Rsa(rsa) = &mut short.parameters {
        rsa.key_bits = 4096;
    }
    let bits = KeyError::Bits {
        expected: 4096,
        found: 2048,
    };
    assert_eq!(short.key(), Err(bits));
}

#[test]
fn text_that_is_no_pem_key_is_refused() {
    let check = |text: &str| PublicKey::from_pem(text).unwrap_err();
    assert!(matches!(check(""), KeyError::Pem { .. }));
    assert!(matches!(
        check(&"x".repeat(9000)),
        KeyError::PemTooLong { .. }
    ));
    let pem = include_str!("../../testdata/ak-ecc.pem");
    assert!(matches!(check(&pem[..100]), KeyError::Pem { .. }));
    assert!(matches!(
        check(&pem.replace("MF", "M_")),
        KeyError::Pem { .. }
    ));
    let around = format!("a comment\n{}\nmore", pem.replace('\n', "\r\n"));
    assert!(PublicKey::from_pem(&around).is_ok());
}

#[test]
fn pcr_values_that_do_not_fit_are_refused() {
    let sha256 = HashAlgorithm::Sha256.zero();
    let mut values = PcrValues::new();
    values.insert(4, sha256).unwrap();
    let twice = PcrValuesError::Twice {
        algorithm: HashAlgorithm::Sha256,
        pcr: 4,
    };
    assert_eq!(values.insert(4, sha256), Err(twice));
    let found = PcrValuesError::NoSuchPcr { found: 24 };
    assert_eq!(values.insert(24, sha256), Err(found));
    let selection = PcrSelection::of(HashAlgorithm::Sha256, &[4, 7]).unwrap();
    let one: &[u8] = sha256.as_bytes();
    let of = |digests: &[&[u8]]| PcrValues::of_selection(&selection, digests);
    let count = |found| Err(PcrValuesError::Count { expected: 2, found });
    assert_eq!(of(&[one]), count(1));
    assert_eq!(of(&[one, one, one]), count(3));
    let length = PcrValuesError::Length {
        algorithm: HashAlgorithm::Sha256,
        pcr: 7,
        found: 20,
    };
    assert_eq!(of(&[one, &one[..20]]), Err(length));
    let unknown = PcrSelection::parse(&[0, 0, 0, 1, 0, 0x12, 3, 1, 0, 0]).unwrap();
    let bank = PcrValuesError::Bank { found: 0x12 };
    assert_eq!(PcrValues::of_selection(&unknown, &[one]), Err(bank));
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(attest) = Attest::parse(&bytes) { prop_assert_eq!(attest.marshal(), &bytes[..]); }
        if let Ok(found) = Signature::parse(&bytes) { prop_assert_eq!(found.marshal(), &bytes[..]); }
        if let Ok(found) = Public::parse(&bytes) { prop_assert_eq!(found.marshal(), &bytes[..]); }
        if let Ok(found) = PcrSelection::parse(&bytes) { prop_assert_eq!(found.marshal(), &bytes[..]); }
        drop(PcrValues::parse_pcr_file(&bytes));
        drop(PublicKey::from_spki_der(&bytes));
    }

    #[test]
    fn selections_go_there_and_back(sets in proptest::collection::vec((0_usize..4, any::<u32>()), 0..5)) {
        let bank = |(algorithm, set): &(usize, u32)| {
            let pcrs: Vec<u8> = (0..24).filter(|pcr| set >> pcr & 1 == 1).collect();
            PcrBank::new(HashAlgorithm::ALL[*algorithm], PcrSet::of(&pcrs).unwrap())
        };
        let banks: Vec<PcrBank> = sets.iter().map(bank).collect();
        let selection = PcrSelection::from_banks(&banks).unwrap();
        prop_assert_eq!(PcrSelection::parse(&selection.marshal()), Ok(selection));
    }

    #[test]
    fn pcr_files_go_there_and_back(places in proptest::collection::btree_set((0_usize..4, 0_u8..24), 0..96)) {
        let mut values = PcrValues::new();
        for (algorithm, pcr) in places {
            let value = HashAlgorithm::ALL[algorithm].digest(&[pcr]);
            values.insert(pcr, value).unwrap();
        }
        let file = values.to_pcr_file();
        prop_assert!(file.len() <= MAX_PCR_FILE_BYTES);
        prop_assert_eq!(PcrValues::parse_pcr_file(&file), Ok(values));
    }

    #[test]
    fn keys_go_there_and_back(
        modulus in proptest::collection::vec(any::<u8>(), 1..512),
        exponent in any::<u32>(),
        curve in 0_usize..3,
        x in any::<[u8; 32]>(),
        y in any::<[u8; 32]>(),
    ) {
        if let Ok(key) = PublicKey::rsa(&modulus, exponent) {
            prop_assert_eq!(PublicKey::from_spki_der(&key.to_spki_der()), Ok(key.clone()));
            prop_assert_eq!(PublicKey::from_pem(&key.to_pem()), Ok(key));
        }
        let key = PublicKey::ecc(Curve::ALL[curve], &x, &y).unwrap();
        prop_assert_eq!(PublicKey::from_spki_der(&key.to_spki_der()), Ok(key));
    }
}
