//! Answers that are taken, and those that are not.

use earnest_evidence::tpm::EccParameters;

use super::*;
use crate::simulation::{Device, Key, NOW};

const ID: ChallengeId = ChallengeId::from_bytes([3; 16]);

fn pending() -> Pending {
    Pending {
        format: PENDING_FORMAT.to_owned(),
        id: ID,
        answer: HashAlgorithm::Sha256.digest(&[9; 32]),
        expires_at: NOW + 60,
        enrolment: Enrolment {
            enrolled_at: 0,
            ..Device::new(Key::ecc()).enrolment(false)
        },
    }
}

fn answer(id: ChallengeId, secret: u8) -> Answer {
    Answer::new(id, &[secret; 32]).unwrap()
}

#[test]
fn the_right_answer_in_time_enrols() {
    let pending = pending();
    let (device, name) = (
        pending.device().to_owned(),
        pending.enrolment.ak_name.clone(),
    );
    let enrolment = pending.confirm(&answer(ID, 9), NOW).unwrap();
    assert_eq!(enrolment.device(), device);
    assert_eq!(enrolment.ak_name(), &name);
    assert_eq!(enrolment.enrolled_at(), NOW);
    let again = Enrolment::from_json(&enrolment.to_json());
    assert_eq!(again, Ok(enrolment));
}

#[test]
fn a_key_that_is_not_bound_to_the_endorsement_key_is_refused() {
    let pending = pending();
    let ak_name = pending.enrolment.ak_name.clone();
    let refused = pending.confirm(&answer(ID, 8), NOW);
    assert_eq!(refused, Err(EnrolmentError::NotBound { ak_name }));
}

#[test]
fn an_answer_that_is_late_or_to_another_challenge_is_refused() {
    let late = pending().confirm(&answer(ID, 9), pending().expires_at());
    let (expires_at, now) = (NOW + 60, NOW + 60);
    assert_eq!(late, Err(EnrolmentError::TooLate { expires_at, now }));
    let found = ChallengeId::from_bytes([4; 16]);
    let other = pending().confirm(&answer(found, 9), NOW);
    let expected = ID;
    assert_eq!(
        other,
        Err(EnrolmentError::OtherChallenge { expected, found })
    );
}

#[test]
fn a_pending_enrolment_goes_there_and_back_and_does_not_tell_the_secret() {
    let pending = pending();
    let json = pending.to_json();
    assert!(!json.contains(&hex::encode(&[9; 32])));
    assert_eq!(Pending::from_json(&json), Ok(pending));
    assert!(
        Enrolment::from_json(&json).is_err(),
        "it is no enrolment yet"
    );
}

#[test]
fn an_enrolment_whose_key_was_exchanged_is_refused() {
    let (one, other) = (Device::new(Key::ecc()), Device::new(Key::ecc()));
    let json = one.enrolment(false).to_json();
    let exchanged = json.replace(
        &hex::encode(&one.public().marshal()),
        &hex::encode(&other.public().marshal()),
    );
    assert_ne!(json, exchanged);
    let refused = Enrolment::from_json(&exchanged);
    assert!(matches!(refused, Err(EnrolmentError::Malformed { .. })));
}

#[test]
fn names_that_could_leave_a_folder_are_refused() {
    for name in [
        "",
        "..",
        ".hidden",
        "a/b",
        "a b",
        "-x",
        "ä",
        &"a".repeat(129),
    ] {
        let refused = check_device(name);
        assert!(
            matches!(refused, Err(EnrolmentError::Device { .. })),
            "{name}"
        );
    }
    assert_eq!(check_device("kitchen-1.home_2"), Ok(()));
}

#[test]
fn keys_of_weak_schemes_are_refused() {
    let device = Device::new(Key::ecc());
    let right = device.public();
    assert!(check_attestation_key(&right).is_ok());
    let with_scheme = |scheme: Scheme| {
        let Parameters::Ecc(ecc) = right.parameters.clone() else {
            unreachable!("the key is on a curve");
        };
        let public = Public {
            parameters: Parameters::Ecc(EccParameters { scheme, ..ecc }),
            ..right.clone()
        };
        check_attestation_key(&public)
    };
    let (scheme, hash) = (Scheme::ECDSA_SHA256.id(), HashAlgorithm::Sha1);
    let weak = with_scheme(Scheme::Hashed { scheme, hash });
    assert!(matches!(weak, Err(KeyRefusal::Scheme { .. })));
    // A key without a scheme signs by whatever its caller names.
    let open = with_scheme(Scheme::Null);
    assert!(matches!(open, Err(KeyRefusal::Scheme { .. })));
    let named = Public {
        name_algorithm: HashAlgorithm::Sha1,
        ..right.clone()
    };
    let found = HashAlgorithm::Sha1;
    let refused = check_attestation_key(&named);
    assert_eq!(refused, Err(KeyRefusal::NameAlgorithm { found }));
}
