//! Quotes, certifications, credentials and PCRs.

use earnest_evidence::HashAlgorithm;
use earnest_evidence::tpm::{
    Attest, Attested, Curve, PcrSelection, PcrSet, Public, PublicKey, Signature,
};
use earnest_tpm::{AkAlgorithm, Attestation, TpmError, TrustModule as _};
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};

use crate::devices::{credential, device};
use crate::support::{Fleet, Machine, boot};

/// What is attested to, if the key of this public area signed it.
fn verified(attestation: &Attestation, public: &[u8]) -> Attest {
    let key = Public::parse(public)
        .expect("the TPM gave it")
        .key()
        .expect("a key");
    let signature = Signature::parse(&attestation.signature).expect("the TPM gave it");
    match (&key, &signature) {
        (PublicKey::Ecc { .. }, Signature::Ecdsa { .. }) => {
            let point = key.uncompressed_point().expect("it is of a curve");
            let fixed = signature.ecdsa_fixed(Curve::P256).expect("of P-256");
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                .verify(&attestation.attest, &fixed)
                .expect("the AK signed it");
        }
        (PublicKey::Rsa { modulus, exponent }, Signature::RsaSsa { signature, .. }) => {
            let (n, e) = (&modulus[..], exponent.to_be_bytes());
            let e = &e[e.iter().take_while(|byte| **byte == 0).count()..];
            RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, &attestation.attest, signature)
                .expect("the AK signed it");
        }
        other => panic!("{other:?}"),
    }
    Attest::parse(&attestation.attest).expect("the TPM gave it")
}

fn check_quotes_of(algorithm: AkAlgorithm) {
    let machine = Machine::new();
    machine.provision_with(&Fleet::new(), algorithm);
    let tpm = machine.open();
    tpm.pcr_extend(11, &[7; 32]).expect("it extends");
    let (nonce, ak) = ([0xa5; 32], tpm.identity().ak_public.clone());
    let attest = verified(&tpm.quote(&nonce, boot()).expect("it quotes"), &ak);
    assert_eq!(attest.extra_data[..], nonce);
    let Attested::Quote {
        selection,
        pcr_digest,
    } = attest.attested
    else {
        panic!("no quote");
    };
    let asked = PcrSelection::of_bank(HashAlgorithm::Sha256, boot());
    assert_eq!(selection, asked);
    assert_eq!(
        pcr_digest[..],
        tpm.pcr_read(boot()).expect("it reads").digest()
    );
    let certified = verified(&tpm.certify_authority(&nonce).expect("it certifies"), &ak);
    assert_eq!(certified.extra_data[..], nonce);
    let authority = Public::parse(&tpm.identity().authority_public).expect("the TPM gave it");
    let Attested::Certify { name, .. } = certified.attested else {
        panic!("no certification");
    };
    assert_eq!(name, authority.name());
    let first = verified(&tpm.identity().authority_certification, &ak);
    assert!(first.extra_data.is_empty());
}

#[test]
fn an_ecc_ak_signs_quotes_and_certifications() {
    check_quotes_of(AkAlgorithm::EccP256);
}

#[test]
fn an_rsa_ak_signs_quotes_and_certifications() {
    check_quotes_of(AkAlgorithm::Rsa2048);
}

#[test]
fn the_authority_signs_digests_and_the_ak_none() {
    let (machine, _) = device();
    let tpm = machine.open();
    let message = b"a certificate";
    let digest = HashAlgorithm::Sha256.digest(message);
    let signature = tpm.sign(digest.as_bytes().try_into().unwrap()).unwrap();
    let authority = Public::parse(&tpm.identity().authority_public).unwrap();
    let point = authority.key().unwrap().uncompressed_point().unwrap();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point)
        .verify(message, &signature.to_fixed())
        .unwrap();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &point)
        .verify(message, &signature.to_der())
        .unwrap();
    // Restricted, signing, noDA, made in and bound to the TPM: TPMA_OBJECT.
    let ak = Public::parse(&tpm.identity().ak_public).unwrap();
    assert_eq!(ak.attributes.0, 0x0005_0472);
    assert_eq!(authority.attributes.0, 0x0004_0472);
}

#[test]
fn a_credential_opens_on_the_device_that_it_is_for_alone() {
    let (machine, _) = device();
    let tpm = machine.open();
    let (blob, secret) = credential(&machine, &tpm, &[0xc4; 32]);
    let opened = tpm.activate_credential(&blob, &secret).unwrap();
    assert_eq!(opened[..], [0xc4; 32]);
    let mut other = blob.clone();
    other[3] ^= 1;
    let error = tpm.activate_credential(&other, &secret).unwrap_err();
    assert!(matches!(error, TpmError::Refused { .. }), "{error}");
    // Another AK of the same EK: the name differs.
    let twin = Machine::new();
    twin.provision(&Fleet::new());
    let error = twin.open().activate_credential(&blob, &secret).unwrap_err();
    assert!(matches!(error, TpmError::Refused { .. }), "{error}");
    // Nothing of it stays loaded.
    let handles = tpm.handles().unwrap();
    assert_eq!((handles.transient, handles.sessions), (0, 1));
}

#[test]
fn all_pcrs_are_read_and_an_extend_changes_its_own_alone() {
    let (machine, _) = device();
    let tpm = machine.open();
    let all: Vec<u8> = (0..24).collect();
    let all = PcrSet::of(&all).unwrap();
    let before = tpm.pcr_read(all).unwrap();
    assert_eq!(before.iter().count(), 24);
    assert_eq!(before.value(14), Some(&[0; 32]));
    // Debug and dynamic launch PCRs start otherwise (PC Client Platform TPM Profile).
    assert_eq!(before.value(17), Some(&[0xff; 32]));
    tpm.pcr_extend(14, &[1; 32]).unwrap();
    let after = tpm.pcr_read(all).unwrap();
    let zero = HashAlgorithm::Sha256.zero();
    let one = earnest_evidence::Digest::from_bytes(HashAlgorithm::Sha256, &[1; 32]).unwrap();
    assert_eq!(
        after.value(14).unwrap()[..],
        *zero.extended_by(&one).as_bytes()
    );
    for (index, value) in after.iter().filter(|(index, _)| *index != 14) {
        assert_eq!(Some(value), before.value(index), "PCR {index}");
    }
    assert!(tpm.pcr_extend(99, &[1; 32]).is_err());
}

#[test]
fn many_quotes_leave_nothing_loaded() {
    let (machine, _) = device();
    let tpm = machine.open();
    let before = tpm.handles().unwrap();
    for _ in 0..100 {
        tpm.quote(&[1; 32], boot()).unwrap();
        // Refusals must not leave anything either.
        assert!(tpm.activate_credential(&[1; 34], &[2; 256]).is_err());
    }
    assert_eq!(tpm.handles().unwrap(), before);
}
