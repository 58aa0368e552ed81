//! Requests as OpenSSL writes them, and what is made of them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};

use super::*;

const P256: &str = include_str!("../../tests/requests/p256.pem");
const ED25519_REQUEST: &str = include_str!("../../tests/requests/ed25519.pem");

fn der(pem: &str) -> Vec<u8> {
    let lines = pem.lines().filter(|line| !line.starts_with('-'));
    STANDARD.decode(lines.collect::<String>()).unwrap()
}

/// An element of this tag around these parts.
fn element(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = match u8::try_from(content.len()).unwrap() {
        short if short < 0x80 => vec![short],
        long => vec![0x81, long],
    };
    [&[tag], &length[..], &content].concat()
}

/// A request of these parts, signed by what `sign` says.
fn request(
    key_algorithm: &[u8],
    key: &[u8],
    signature_algorithm: &[u8],
    sign: impl FnOnce(&[u8]) -> Vec<u8>,
) -> Vec<u8> {
    let key_info = element(
        tag::SEQUENCE,
        &[
            &element(tag::SEQUENCE, &[key_algorithm]),
            &element(tag::BIT_STRING, &[&[0], key]),
        ],
    );
    let version = element(tag::INTEGER, &[&[0]]);
    let subject = element(tag::SEQUENCE, &[]);
    let signed = element(tag::SEQUENCE, &[&version, &subject, &key_info]);
    let signature = element(tag::BIT_STRING, &[&[0], &sign(&signed)]);
    let algorithm = element(tag::SEQUENCE, &[signature_algorithm]);
    element(tag::SEQUENCE, &[&signed, &algorithm, &signature])
}

fn p256_key() -> EcdsaKeyPair {
    let (algorithm, random) = (&ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap()
}

fn signs(key: &EcdsaKeyPair) -> impl Fn(&[u8]) -> Vec<u8> {
    |message| {
        let signature = key.sign(&SystemRandom::new(), message).unwrap();
        signature.as_ref().to_vec()
    }
}

#[test]
fn the_key_of_a_request_is_what_openssl_put_there() {
    let request = der(P256);
    let key = requested_key(&request).unwrap();
    assert!(matches!(key, RequestedKey::P256(_)));
    assert_eq!(key.as_bytes()[..5], [0x04, 0xd6, 0x2c, 0xd8, 0x4f]);
    let key = requested_key(&der(ED25519_REQUEST)).unwrap();
    assert!(matches!(key, RequestedKey::Ed25519(_)));
    assert_eq!(key.as_bytes()[..4], [0xd7, 0x3f, 0xd9, 0x64]);
}

#[test]
fn a_request_without_attributes_is_taken() {
    let key = p256_key();
    let point = key.public_key().as_ref();
    let bytes = request(P256_KEY, point, ECDSA_WITH_SHA256, signs(&key));
    assert_eq!(requested_key(&bytes).unwrap().as_bytes(), point);
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let key = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
    let public = key.public_key().as_ref();
    let sign = |message: &[u8]| key.sign(message).as_ref().to_vec();
    let bytes = request(ED25519_IDENTIFIER, public, ED25519_IDENTIFIER, sign);
    assert_eq!(requested_key(&bytes).unwrap().as_bytes(), public);
}

#[test]
fn keys_and_signatures_of_other_kinds_are_refused() {
    let check = |pem: &str, expected: RequestError| {
        assert_eq!(requested_key(&der(pem)), Err(expected), "{pem}");
    };
    check(
        include_str!("../../tests/requests/rsa.pem"),
        RequestError::Key,
    );
    check(
        include_str!("../../tests/requests/p384.pem"),
        RequestError::Key,
    );
    check(
        include_str!("../../tests/requests/p256-compressed.pem"),
        RequestError::Key,
    );
    check(
        include_str!("../../tests/requests/p256-sha512.pem"),
        RequestError::Scheme,
    );
}

#[test]
fn a_request_that_another_key_signed_is_refused() {
    let (mine, others) = (p256_key(), p256_key());
    let point = mine.public_key().as_ref();
    let bytes = request(P256_KEY, point, ECDSA_WITH_SHA256, signs(&others));
    assert_eq!(requested_key(&bytes), Err(RequestError::Signature));
    // Of another kind, too.
    let bytes = request(P256_KEY, point, ED25519_IDENTIFIER, signs(&mine));
    assert_eq!(requested_key(&bytes), Err(RequestError::Scheme));
}

#[test]
fn a_point_that_is_not_on_the_curve_is_refused() {
    let key = p256_key();
    let mut point = key.public_key().as_ref().to_vec();
    point[64] ^= 1;
    let bytes = request(P256_KEY, &point, ECDSA_WITH_SHA256, signs(&key));
    assert_eq!(requested_key(&bytes), Err(RequestError::Signature));
}

#[test]
fn every_truncation_flipped_bit_and_addition_is_refused() {
    for pem in [P256, ED25519_REQUEST] {
        let whole = der(pem);
        for length in 0..whole.len() {
            assert!(requested_key(&whole[..length]).is_err(), "at {length}");
        }
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(requested_key(&flipped).is_err(), "bit {bit}");
        }
        let longer = [&whole[..], &[0]].concat();
        let field = "certificationRequest";
        assert_eq!(
            requested_key(&longer),
            Err(RequestError::Malformed { field })
        );
    }
}

#[test]
fn a_request_without_end_is_not_looked_at() {
    let refused = requested_key(&vec![0x30; MAX_REQUEST_BYTES + 1]);
    let expected = RequestError::TooLong {
        limit: MAX_REQUEST_BYTES,
        found: MAX_REQUEST_BYTES + 1,
    };
    assert_eq!(refused, Err(expected));
}

proptest! {
    #[test]
    fn no_bytes_are_too_odd(
        place in 0..300_usize,
        bytes in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let mut odd = der(P256);
        let place = place.min(odd.len());
        let end = (place + bytes.len()).min(odd.len());
        odd.splice(place..end, bytes.iter().copied());
        prop_assert!(requested_key(&odd).is_err() || odd == der(P256));
        prop_assert!(requested_key(&bytes).is_err());
    }
}
