//! What the TPM does with a credential, done here in software, and its refusals.

use aes::cipher::KeyIvInit;
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use ring::agreement;
use ring::rand::SystemRandom;

use super::*;
use crate::testing::rsa::{MODULUS, PRIVATE_EXPONENT};

fn rsa() -> PublicKey {
    PublicKey::rsa(&MODULUS, 65537).unwrap()
}

/// The content of the TPM2B at the front, and what follows.
fn unsized_(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (length, rest) = bytes.split_first_chunk().unwrap();
    rest.split_at(usize::from(u16::from_be_bytes(*length)))
}

/// Opens a credential under `seed`, as `TPM2_ActivateCredential` does.
fn open(suite: Suite, seed: &[u8], name: &[u8], id_object: &[u8]) -> Option<Vec<u8>> {
    let (object, rest) = unsized_(id_object);
    assert!(rest.is_empty());
    let (integrity, identity) = unsized_(object);
    let bytes = suite.hash().digest_bytes();
    let key = kdf::kdfa(suite.hmac(), seed, b"INTEGRITY", &[], bytes);
    let key = hmac::Key::new(suite.hmac(), &key.0);
    hmac::verify(&key, &[identity, name].concat(), integrity).ok()?;
    let key = kdf::kdfa(
        suite.hmac(),
        seed,
        b"STORAGE",
        name,
        suite.cipher_key_bytes(),
    );
    let mut plain = identity.to_vec();
    let vector = &[0; 16];
    match suite {
        Suite::Sha256Aes128 => cfb_mode::Decryptor::<aes::Aes128>::new_from_slices(&key.0, vector)
            .unwrap()
            .decrypt(&mut plain),
        Suite::Sha384Aes256 => cfb_mode::Decryptor::<aes::Aes256>::new_from_slices(&key.0, vector)
            .unwrap()
            .decrypt(&mut plain),
    }
    Some(unsized_(&plain).0.to_vec())
}

/// Undoes OAEP with the private exponent, and checks every part of the padding.
fn decrypt(ciphertext: &[u8]) -> Vec<u8> {
    let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, 2048).unwrap();
    let modulus: Option<Odd<BoxedUint>> = Odd::new(number(&MODULUS)).into();
    let parameters = BoxedMontyParams::new(modulus.unwrap());
    let base = BoxedMontyForm::new(number(ciphertext), &parameters);
    let padded = base
        .pow(&number(&PRIVATE_EXPONENT))
        .retrieve()
        .to_be_bytes();
    let xor = |bytes: &mut [u8], seed: &[u8]| {
        for (counter, chunk) in bytes.chunks_mut(32).enumerate() {
            let counter = (counter as u32).to_be_bytes();
            let stream = HashAlgorithm::Sha256.digest_parts(&[seed, &counter]);
            chunk
                .iter_mut()
                .zip(stream.as_bytes())
                .for_each(|(byte, mask)| *byte ^= mask);
        }
    };
    let (mut seed, mut block) = (padded[1..33].to_vec(), padded[33..].to_vec());
    xor(&mut seed, &block);
    xor(&mut block, &seed);
    assert_eq!(padded[0], 0);
    assert_eq!(
        block[..32],
        *HashAlgorithm::Sha256.digest(b"IDENTITY\0").as_bytes()
    );
    let zeros = block[32..].iter().take_while(|byte| **byte == 0).count();
    assert_eq!(block[32 + zeros], 1);
    block[33 + zeros..].to_vec()
}

#[test]
fn an_rsa_key_gets_the_secret_back_and_only_for_the_name() {
    let credential = make(&rsa(), b"name", &[7; 32], &SystemRandom::new()).unwrap();
    let (ciphertext, rest) = unsized_(&credential.encrypted_secret);
    assert!(rest.is_empty());
    let seed = decrypt(ciphertext);
    assert_eq!(seed.len(), 32);
    let suite = Suite::Sha256Aes128;
    let opened = open(suite, &seed, b"name", &credential.id_object);
    assert_eq!(opened, Some(vec![7; 32]));
    assert_eq!(open(suite, &seed, b"other", &credential.id_object), None);
}

#[test]
fn ecc_keys_get_the_secret_back() {
    let check = |curve: &'static agreement::Algorithm, suite: Suite| {
        let random = SystemRandom::new();
        let private = agreement::EphemeralPrivateKey::generate(curve, &random).unwrap();
        let public = private.compute_public_key().unwrap();
        let named = match public.as_ref().len() {
            65 => Curve::P256,
            _ => Curve::P384,
        };
        let (x, y) = coordinates(public.as_ref());
        let endorsement = PublicKey::ecc(named, x, y).unwrap();
        let credential = make(&endorsement, b"name", b"secret", &random).unwrap();
        let (point, _) = unsized_(&credential.encrypted_secret);
        let (x, rest) = unsized_(point);
        let (y, _) = unsized_(rest);
        let peer = [&[4], x, y].concat();
        let peer = agreement::UnparsedPublicKey::new(curve, peer);
        let seed = agreement::agree_ephemeral(private, &peer, |shared| {
            kdf::kdfe(
                suite.hash(),
                shared,
                b"IDENTITY",
                x,
                coordinates(public.as_ref()).0,
            )
        })
        .unwrap();
        let opened = open(suite, &seed.0, b"name", &credential.id_object);
        assert_eq!(opened, Some(b"secret".to_vec()));
    };
    check(&agreement::ECDH_P256, Suite::Sha256Aes128);
    check(&agreement::ECDH_P384, Suite::Sha384Aes256);
}

#[test]
fn two_credentials_of_one_secret_have_nothing_in_common() {
    let random = SystemRandom::new();
    let first = make(&rsa(), b"name", &[7; 32], &random).unwrap();
    let second = make(&rsa(), b"name", &[7; 32], &random).unwrap();
    assert_ne!(first.id_object, second.id_object);
    assert_ne!(first.encrypted_secret, second.encrypted_secret);
}

#[test]
fn keys_that_no_template_has_are_refused() {
    let check = |endorsement: PublicKey, expected: CredentialError| {
        let refused = make(&endorsement, b"name", &[7; 32], &SystemRandom::new());
        assert_eq!(refused, Err(expected));
    };
    let rsa = |modulus: Vec<u8>, exponent: u32| PublicKey::Rsa { modulus, exponent };
    check(
        rsa(vec![0xff; 128], 65537),
        CredentialError::KeySize { found: 1024 },
    );
    check(rsa(vec![0xfe; 256], 65537), CredentialError::Key);
    check(rsa(MODULUS.to_vec(), 1), CredentialError::Key);
    check(rsa(MODULUS.to_vec(), 4), CredentialError::Key);
    let off = |curve: Curve| {
        let coordinate = vec![1; curve.coordinate_bytes()];
        PublicKey::ecc(curve, &coordinate, &coordinate).unwrap()
    };
    let curve = Curve::P256;
    check(off(curve), CredentialError::Point { curve });
    let found = Curve::P521;
    check(off(found), CredentialError::Curve { found });
}

#[test]
fn empty_and_overlong_secrets_and_names_are_refused() {
    let random = SystemRandom::new();
    let secret = |found| CredentialError::Secret {
        limit: MAX_SECRET_BYTES,
        found,
    };
    assert_eq!(make(&rsa(), b"n", &[], &random), Err(secret(0)));
    assert_eq!(make(&rsa(), b"n", &[0; 33], &random), Err(secret(33)));
    let name = |found| CredentialError::Name {
        limit: MAX_NAME_BYTES,
        found,
    };
    assert_eq!(make(&rsa(), &[], &[7], &random), Err(name(0)));
    assert_eq!(make(&rsa(), &[0; 67], &[7], &random), Err(name(67)));
}
