//! Enrolment in two steps, over files.

use std::fs;
use std::path::PathBuf;

use earnest_evidence::HashAlgorithm;
use earnest_evidence::enrolment::{Answer, Challenge, Request};
use earnest_evidence::tpm::{
    Buffer, ObjectAttributes, Parameters, Public, PublicKey, RsaParameters, Scheme, Symmetric,
};
use earnest_fleet::Exit;
use earnest_verifier::endorsement::{TrustAnchor, certificates_from_pem, verify_chain};
use earnest_verifier::simulation::{Device, NOW, RESTRICTED};

use crate::support::{Fleet, device, fixture, sha256};

fn der(name: &str) -> Vec<u8> {
    let text = fs::read_to_string(fixture(name)).expect("the fixture is there");
    certificates_from_pem(&text).expect("it is PEM").remove(0)
}

/// The endorsement key of the fixture, as a TPM's template has it.
fn endorsement() -> Public {
    let anchor = TrustAnchor::new("root", &der("root.pem"), false).expect("an authority");
    let chain = [der("intermediate.pem")];
    let key = verify_chain(&der("ek.pem"), &chain, &[anchor], NOW).expect("it is vouched for");
    let PublicKey::Rsa { modulus, .. } = key.public() else {
        panic!("the fixture has an RSA key");
    };
    Public {
        name_algorithm: HashAlgorithm::Sha256,
        attributes: ObjectAttributes::RESTRICTED.union(ObjectAttributes::DECRYPT),
        auth_policy: Buffer::default(),
        parameters: Parameters::Rsa(RsaParameters {
            symmetric: Symmetric::AES_128_CFB,
            scheme: Scheme::Null,
            key_bits: 2048,
            exponent: 0,
            modulus: Buffer::new(modulus).expect("256 bytes"),
        }),
    }
}

/// A request of a device, with the fixture's TPM.
fn request(device: &Device, name: Option<&str>) -> Request {
    let chain = vec![der("ek.pem"), der("intermediate.pem")];
    let name = name.map(str::to_owned);
    Request::new(chain, endorsement(), device.public(), name).expect("a request")
}

fn challenge(fleet: &Fleet, request: &Request, more: &[&str]) -> crate::support::Run {
    fleet.write("request.json", request.to_json());
    challenge_of_file(fleet, more)
}

/// Asks for a challenge to what stands in `request.json`.
fn challenge_of_file(fleet: &Fleet, more: &[&str]) -> crate::support::Run {
    let mut arguments = vec![
        "enroll",
        "challenge",
        "--device",
        "request.json",
        "--state",
        "state",
        "--out",
        "challenge.json",
    ];
    arguments.extend(more);
    fleet.run(&arguments)
}

/// Answers as the device's TPM would, had it the endorsement key: the test takes the place of
/// the secret, of which the fleet keeps a digest alone.
fn answer(fleet: &Fleet, more: &[&str]) -> crate::support::Run {
    let challenge = Challenge::from_json(&fleet.read("challenge.json")).expect("a challenge");
    let path = pending(fleet, &challenge);
    let text = fs::read_to_string(&path).expect("it waits");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let kept = json["answer"].as_str().expect("a digest").to_owned();
    fs::write(&path, text.replace(&kept, &sha256(&[9; 32]))).expect("it can be written");
    finish(fleet, &[9; 32], more)
}

fn pending(fleet: &Fleet, challenge: &Challenge) -> PathBuf {
    let id = challenge.id().to_string();
    let shard = &HashAlgorithm::Sha256.digest(id.as_bytes()).to_hex()[..2];
    fleet.path(&format!("state/pending/{shard}/{id}.json"))
}

fn finish(fleet: &Fleet, secret: &[u8], more: &[&str]) -> crate::support::Run {
    let challenge = Challenge::from_json(&fleet.read("challenge.json")).expect("a challenge");
    let answer = Answer::new(challenge.id(), secret).expect("an answer");
    fleet.write("answer.json", answer.to_json());
    let mut arguments = vec![
        "enroll",
        "finish",
        "--answer",
        "answer.json",
        "--state",
        "state",
    ];
    arguments.extend(more);
    fleet.run(&arguments)
}

#[test]
fn a_device_is_enrolled_by_the_right_answer_and_verified_after() {
    let (fleet, device) = (Fleet::new(), device());
    challenge(&fleet, &request(&device, Some("kitchen")), &[])
        .ends(Exit::Success)
        .says("root");
    let enrolled = answer(&fleet, &["--json", "--label", "room=1"]).ends(Exit::Success);
    let json = enrolled.json();
    assert_eq!(json["device"], "kitchen");
    assert_eq!(json["ak_name"], device.public().name().to_string());
    assert_eq!(json["endorsement_certificate"], sha256(&der("ek.pem")));
    assert_eq!(json["labels"]["room"], "1");
    assert_eq!(json["enrolled_at"], NOW);
    let shown = fleet.run(&["device", "show", "kitchen", "--state", "state", "--json"]);
    assert_eq!(shown.ends(Exit::Success).json(), json);

    fleet.reference(&device);
    fleet.attest(&device, "evidence.cbor");
    fleet.verify("evidence.cbor", &[]).ends(Exit::Success);
    // The challenge is done with.
    finish(&fleet, &[9; 32], &[])
        .ends(Exit::NotFound)
        .says("ask anew");
}

#[test]
fn a_wrong_answer_enrols_nobody() {
    let (fleet, device) = (Fleet::new(), device());
    challenge(&fleet, &request(&device, Some("kitchen")), &[]).ends(Exit::Success);
    finish(&fleet, &[1; 32], &[])
        .ends(Exit::Refused)
        .says("not bound");
    let shown = fleet.run(&["device", "show", "kitchen", "--state", "state"]);
    shown.ends(Exit::NotFound);
}

#[test]
fn a_late_answer_enrols_nobody() {
    let (mut fleet, device) = (Fleet::new(), device());
    challenge(&fleet, &request(&device, None), &[]).ends(Exit::Success);
    fleet.now = NOW + 86_400;
    answer(&fleet, &[]).ends(Exit::Refused).says("Ask anew");
}

#[test]
fn the_fleet_keeps_no_secret_of_a_challenge() {
    let (fleet, device) = (Fleet::new(), device());
    challenge(&fleet, &request(&device, None), &[]).ends(Exit::Success);
    let challenge = Challenge::from_json(&fleet.read("challenge.json")).expect("a challenge");
    let kept = fs::read_to_string(pending(&fleet, &challenge)).expect("it waits");
    let json: serde_json::Value = serde_json::from_str(&kept).expect("JSON");
    let members: Vec<&String> = json.as_object().expect("an object").keys().collect();
    assert_eq!(
        members,
        ["answer", "enrolment", "expires_at", "format", "id"]
    );
    assert!(
        json["answer"]
            .as_str()
            .expect("text")
            .starts_with("sha256:")
    );
}

#[test]
fn an_unknown_authority_or_a_key_that_signs_anything_is_refused() {
    let (fleet, device) = (Fleet::new(), device());
    let stranger = Request::new(vec![der("ek.pem")], endorsement(), device.public(), None);
    challenge(&fleet, &stranger.expect("a request"), &[])
        .ends(Exit::Refused)
        .says("endorsement_anchors");
    let unrestricted = ObjectAttributes(RESTRICTED.0 & !ObjectAttributes::RESTRICTED.0);
    let open = Device {
        attributes: unrestricted,
        ..crate::support::device()
    };
    challenge(&fleet, &request(&open, None), &[])
        .ends(Exit::Refused)
        .says("restricted");
    let chain = vec![der("ek.pem"), der("intermediate.pem")];
    let other = Request::new(chain, device.public(), device.public(), None);
    challenge(&fleet, &other.expect("a request"), &[])
        .ends(Exit::Refused)
        .says("endorsement key");
    assert!(!fleet.path("challenge.json").exists());
}

#[test]
fn a_name_or_a_tpm_that_is_enrolled_is_told_before_the_device_is_asked() {
    let (fleet, first) = (Fleet::new(), device());
    challenge(&fleet, &request(&first, Some("kitchen")), &[]).ends(Exit::Success);
    answer(&fleet, &[]).ends(Exit::Success);
    let second = device();
    challenge(&fleet, &request(&second, Some("kitchen")), &[])
        .ends(Exit::Exists)
        .says("--replace");
    challenge(&fleet, &request(&second, Some("attic")), &[])
        .ends(Exit::Exists)
        .says("kitchen");
    challenge(&fleet, &request(&second, Some("attic")), &["--replace"]).ends(Exit::Success);
    answer(&fleet, &[]).ends(Exit::Exists);
    answer(&fleet, &["--replace"]).ends(Exit::Success);
    let gone = fleet.run(&["device", "show", "kitchen", "--state", "state"]);
    gone.ends(Exit::NotFound);
}

#[test]
fn a_device_without_a_name_gets_one_of_its_key() {
    let (fleet, device) = (Fleet::new(), device());
    challenge(&fleet, &request(&device, None), &[]).ends(Exit::Success);
    let enrolled = answer(&fleet, &["--json"]).ends(Exit::Success).json();
    let digits = &device.public().name().to_string()[4..20];
    assert_eq!(enrolled["device"], format!("device-{digits}"));
}

#[test]
fn without_a_policy_nobody_is_enrolled() {
    let (fleet, device) = (Fleet::empty(), device());
    challenge(&fleet, &request(&device, None), &[])
        .ends(Exit::NotFound)
        .says("policy new");
    fleet.write("request.json", "{}");
    challenge_of_file(&fleet, &[]).ends(Exit::BadInput);
}
