//! Results as tokens: what a strict reader refuses, and what a result is bound to.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use earnest_evidence::HashAlgorithm;
use earnest_evidence::tpm::{Curve, Name, PublicKey};
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};

use super::*;
use crate::appraisal::appraise;
use crate::simulation::{self, Device, Key, NOW, fresh, policy};

fn key() -> ResultKey {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    ResultKey::from_pkcs8(document.as_ref(), &random).unwrap()
}

fn passed() -> Ear {
    let device = Device::new(Key::ecc());
    let (evidence, enrolment) = (device.evidence(), device.enrolment(false));
    let reference = device.reference();
    appraise(&evidence, &enrolment, &reference, &policy(""), &fresh()).to_ear(NOW)
}

fn signed(ear: &Ear, key: &ResultKey) -> String {
    ear.sign(key, &SystemRandom::new()).unwrap()
}

/// A token of this header and these claims, signed with the key whatever they say.
fn forged(header: &str, claims: &str, key: &ResultKey) -> String {
    let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = key.sign(signed.as_bytes(), &SystemRandom::new()).unwrap();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn header(key: &ResultKey) -> String {
    let kid = key.verifier().key_id();
    format!(r#"{{"alg":"ES256","kid":"{kid}","typ":"eat+jwt"}}"#)
}

fn claims(ear: &Ear) -> String {
    serde_json::to_string(ear).unwrap()
}

#[test]
fn a_result_goes_there_and_back() {
    let (ear, key) = (passed(), key());
    let token = signed(&ear, &key);
    assert_eq!(Ear::verify(&token, key.verifier(), NOW), Ok(ear.clone()));
    let from_file = format!("{token}\n");
    assert_eq!(Ear::verify(&from_file, key.verifier(), NOW), Ok(ear));
}

#[test]
fn a_result_without_a_signature_is_refused() {
    let (ear, key) = (passed(), key());
    for algorithm in ["none", "None", "NONE"] {
        let header = format!(r#"{{"alg":"{algorithm}","typ":"eat+jwt"}}"#);
        let (header, body) = (
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims(&ear)),
        );
        let token = format!("{header}.{body}.");
        let refused = Ear::verify(&token, key.verifier(), NOW);
        assert_eq!(refused, Err(TokenError::Unsigned));
    }
}

#[test]
fn another_algorithm_is_refused_whatever_the_signature() {
    let (ear, key) = (passed(), key());
    for algorithm in ["HS256", "ES384", "RS256", "es256"] {
        let header = header(&key).replace("ES256", algorithm);
        let token = forged(&header, &claims(&ear), &key);
        let expected = TokenError::Algorithm {
            expected: "ES256",
            found: algorithm.to_owned(),
        };
        assert_eq!(Ear::verify(&token, key.verifier(), NOW), Err(expected));
    }
}

#[test]
fn a_result_by_another_key_is_refused() {
    let (ear, key, other) = (passed(), key(), key());
    let expected = TokenError::Key {
        expected: key.verifier().key_id().to_owned(),
        found: other.verifier().key_id().to_owned(),
    };
    let token = signed(&ear, &other);
    assert_eq!(Ear::verify(&token, key.verifier(), NOW), Err(expected));
    // And if it claims to be the right key's, the signature tells.
    let token = forged(&header(&key), &claims(&ear), &other);
    let key_id = key.verifier().key_id().to_owned();
    let expected = TokenError::Signature { key: key_id };
    assert_eq!(Ear::verify(&token, key.verifier(), NOW), Err(expected));
}

#[test]
fn a_result_past_or_before_its_time_is_refused() {
    let (ear, key) = (passed(), key());
    let token = signed(&ear, &key);
    let at = |now: i64| Ear::verify(&token, key.verifier(), now);
    assert_eq!(ear.expires_at, NOW + 300);
    assert!(at(NOW + 299).is_ok());
    let expires_at = NOW + 300;
    for now in [expires_at, i64::MAX] {
        assert_eq!(at(now), Err(TokenError::Expired { expires_at, now }));
    }
    assert!(at(NOW - MAX_SKEW_SECONDS).is_ok());
    let not_before = NOW;
    for now in [NOW - MAX_SKEW_SECONDS - 1, i64::MIN] {
        assert_eq!(at(now), Err(TokenError::NotYetValid { not_before, now }));
    }
}

#[test]
fn headers_that_bring_a_key_or_more_are_refused() {
    let (ear, key) = (passed(), key());
    let check = |change: &dyn Fn(String) -> String, expected: &str| {
        let token = forged(&change(header(&key)), &claims(&ear), &key);
        let refused = Ear::verify(&token, key.verifier(), NOW).unwrap_err();
        assert!(refused.to_string().contains(expected), "{refused}");
    };
    for member in ["jwk", "jku", "x5c", "x5u", "crit", "b64"] {
        let extra = format!(r#"{{"{member}":1,"#);
        check(&|header| header.replacen('{', &extra, 1), member);
    }
    check(&|header| header.replace("eat+jwt", "JWT"), "type");
    check(&|header| header.replace(r#","typ":"eat+jwt""#, ""), "typ");
    let twice = r#"{"alg":"none","alg":"ES256","#;
    check(
        &|header| header.replacen(r#"{"alg":"ES256","#, twice, 1),
        "duplicate",
    );
}

#[test]
fn claims_that_contradict_each_other_or_say_more_are_refused() {
    let key = key();
    let refused = |ear: &Ear| Ear::verify(&signed(ear, &key), key.verifier(), NOW).unwrap_err();
    let changed = |change: &dyn Fn(&mut Ear)| {
        let mut ear = passed();
        change(&mut ear);
        refused(&ear)
    };
    let better = changed(&|ear| ear.submodules.device.status = Tier::Contraindicated);
    assert!(matches!(better, TokenError::Contradiction { .. }));
    let better = changed(&|ear| ear.submodules.device.trust_vector.hardware = 97);
    assert!(matches!(better, TokenError::Contradiction { .. }));
    let unbound = changed(&|ear| ear.submodules.device.attester = None);
    assert!(matches!(unbound, TokenError::Contradiction { .. }));
    let backwards = changed(&|ear| ear.expires_at = ear.not_before);
    assert!(matches!(backwards, TokenError::Contradiction { .. }));
    let profile = changed(&|ear| ear.profile = "tag:example.org,2026:other".to_owned());
    assert!(matches!(profile, TokenError::Profile { .. }));
    let more = claims(&passed()).replacen('{', r#"{"admin":true,"#, 1);
    let token = forged(&header(&key), &more, &key);
    let more = Ear::verify(&token, key.verifier(), NOW);
    assert!(matches!(more, Err(TokenError::Claims { .. })));
}

#[test]
fn what_is_no_token_is_refused() {
    let key = key();
    let check = |token: &str, expected: TokenError| {
        assert_eq!(Ear::verify(token, key.verifier(), NOW), Err(expected));
    };
    check(
        "",
        TokenError::Parts {
            expected: 3,
            found: 1,
        },
    );
    check(
        "a.b.c.d",
        TokenError::Parts {
            expected: 3,
            found: 4,
        },
    );
    let limit = MAX_TOKEN_BYTES;
    let found = limit + 1;
    check(&"a".repeat(found), TokenError::TooLong { limit, found });
    let padded = Ear::verify("e30=.e30.AA", key.verifier(), NOW);
    assert!(matches!(
        padded,
        Err(TokenError::Base64 { part: "header", .. })
    ));
}

#[test]
fn every_truncation_and_every_changed_character_is_refused() {
    let key = key();
    let token = signed(&passed(), &key);
    for place in 0..token.len() {
        assert!(Ear::verify(&token[..place], key.verifier(), NOW).is_err());
        let mut changed = token.clone().into_bytes();
        changed[place] = match changed[place] {
            b'A' => b'B',
            _ => b'A',
        };
        let changed = String::from_utf8(changed).unwrap();
        assert!(
            Ear::verify(&changed, key.verifier(), NOW).is_err(),
            "{place}"
        );
    }
}

#[test]
fn a_result_runs_out_on_the_tpms_clock_and_with_the_boot() {
    let ear = passed();
    let binding = ear.binding().unwrap();
    assert_eq!(binding.lifetime, Duration::from_secs(300));
    let state = DeviceState {
        ak_name: binding.ak_name.clone(),
        reset_count: binding.reset_count,
        restart_count: binding.restart_count,
        clock: binding.clock,
    };
    let later = |milliseconds: u64| DeviceState {
        clock: binding.clock + milliseconds,
        ..state.clone()
    };
    assert_eq!(ear.remaining(&state), Ok(Duration::from_secs(300)));
    assert_eq!(ear.remaining(&later(299_000)), Ok(Duration::from_secs(1)));
    let elapsed = ear.remaining(&later(300_000));
    assert!(matches!(elapsed, Err(BindingError::Elapsed { .. })));
    let rebooted = DeviceState {
        reset_count: binding.reset_count + 1,
        ..state.clone()
    };
    let other_boot = BindingError::OtherBoot {
        expected: 7,
        found: 8,
    };
    assert_eq!(ear.remaining(&rebooted), Err(other_boot));
    let resumed = DeviceState {
        restart_count: binding.restart_count + 1,
        ..state.clone()
    };
    let (expected, found) = (1, 2);
    let resumed = ear.remaining(&resumed);
    assert_eq!(resumed, Err(BindingError::Resumed { expected, found }));
    let before = DeviceState {
        clock: binding.clock - 1,
        ..state.clone()
    };
    let behind = ear.remaining(&before);
    assert!(matches!(behind, Err(BindingError::ClockBehind { .. })));
    let other = DeviceState {
        ak_name: Name::of_digest(&HashAlgorithm::Sha256.digest(b"other")),
        ..state
    };
    let other = ear.remaining(&other);
    assert!(matches!(other, Err(BindingError::OtherKey { .. })));
}

#[test]
fn a_result_that_is_no_pass_lets_nothing_run() {
    let device = Device::new(Key::ecc());
    let stranger = Device::new(Key::ecc()).evidence();
    let (enrolment, reference) = (device.enrolment(false), device.reference());
    let ear = appraise(&stranger, &enrolment, &reference, &policy(""), &fresh()).to_ear(NOW);
    assert_eq!(ear.status, Tier::Contraindicated);
    assert_eq!(ear.binding(), None, "nothing was believed of it");
    let key = key();
    let token = signed(&ear, &key);
    let read = Ear::verify(&token, key.verifier(), NOW).unwrap();
    let state = DeviceState {
        ak_name: enrolment.ak_name().clone(),
        reset_count: 7,
        restart_count: 1,
        clock: 123_456,
    };
    let found = Tier::Contraindicated;
    assert_eq!(read.remaining(&state), Err(BindingError::NoPass { found }));
}

#[test]
fn even_a_result_of_a_thousand_refused_starts_can_be_read() {
    let mut device = Device::new(Key::ecc());
    let reference = device.reference();
    while device.starts.append(simulation::start("0.0.9")).is_ok() {}
    let (evidence, enrolment) = (device.evidence(), device.enrolment(false));
    let ear = appraise(&evidence, &enrolment, &reference, &policy(""), &fresh()).to_ear(NOW);
    let key = key();
    assert!(Ear::verify(&signed(&ear, &key), key.verifier(), NOW).is_ok());
}

/// RFC 7638 has no example on P-256, but RFC 9449 (section 6.1) has: this key and its thumbprint.
#[test]
fn the_keys_name_is_its_thumbprint() {
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let x = decode("l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs");
    let y = decode("9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA");
    let public = PublicKey::ecc(Curve::P256, &x, &y).unwrap();
    let verifier = ResultVerifier::new(&public).unwrap();
    let thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
    assert_eq!(verifier.key_id(), thumbprint);
    assert_eq!(verifier.public_key(), Some(public));
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_fail(token in "[ -~]{0,200}") {
        prop_assert!(Ear::verify(&token, key().verifier(), NOW).is_err());
    }
}
