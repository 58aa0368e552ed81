//! What a fleet does not take, and what a device does not.

use crate::{Sides, working_device};

#[test]
fn evidence_counts_once() {
    let sides = working_device();
    sides.prove("device", "evidence");
    sides.reference("evidence", "reference.json");
    // Nothing has started, and the policy wants a start.
    sides
        .verify("evidence", "reference.json", "a.jwt")
        .failure(10);
    let said = sides.verify("evidence", "reference.json", "b.jwt");
    assert!(
        said.stdout.contains("nonce") || said.stderr.contains("nonce"),
        "{said:?}"
    );
    assert_eq!(said.code, 10);
}

#[test]
fn a_nonce_that_the_fleet_did_not_give_is_refused() {
    let sides = working_device();
    crate::transcribe_sealed(&sides).success();
    sides.prove("device", "known-good");
    sides.reference("known-good", "reference.json");
    sides
        .attest("device", &"5a".repeat(32), "evidence")
        .success();
    let said = sides
        .verify("evidence", "reference.json", "a.jwt")
        .failure(10);
    assert!(said.contains("nonce"), "{said}");
}

#[test]
fn a_production_policy_refuses_a_tpm_in_software() {
    let sides = Sides::new();
    sides.provision("device", &[]);
    sides.policy("device", &[]).success();
    let (request, state) = (sides.text("request"), sides.text("state"));
    let challenge = sides.text("challenge");
    sides
        .device(&["tpm", "enroll", "--name", "device", "--out", &request])
        .success();
    let check = ["enroll", "challenge", "--device", &request];
    let place = ["--state", &state, "--out", &challenge];
    let said = sides.fleet(&[&check[..], &place].concat()).failure(10);
    assert!(said.contains("software"), "{said}");
}

#[test]
fn a_challenge_for_another_device_is_not_answered() {
    let sides = Sides::new();
    sides.provision("device", &[]);
    sides.provision("other", &[]);
    sides.policy("device", &["--allow-software-tpm"]).success();
    let (request, challenge) = (sides.text("request"), sides.text("challenge"));
    sides
        .device(&["tpm", "enroll", "--name", "device", "--out", &request])
        .success();
    let (state, answer) = (sides.text("state"), sides.text("answer"));
    let check = ["enroll", "challenge", "--device", &request];
    let place = ["--state", &state, "--out", &challenge];
    sides.fleet(&[&check[..], &place].concat()).success();
    let activate = ["tpm", "activate", &challenge, "--out", &answer];
    sides.device_in("other", &activate).failure(52);
}

#[test]
fn a_result_of_another_key_is_not_taken() {
    let sides = working_device();
    crate::transcribe_sealed(&sides).success();
    sides.prove("device", "known-good");
    sides.reference("known-good", "reference.json");
    sides.prove("device", "evidence");
    sides
        .verify("evidence", "reference.json", "result.jwt")
        .success();
    let ear = sides.text("result.jwt");
    let key = sides.text("keys/release-1.pub.pem");
    sides
        .device(&["result", "import", &ear, "--key", &key])
        .failure(55);
    // Nor one whose words were changed.
    let key = sides.text("keys/result-1.pub.pem");
    let token = std::fs::read_to_string(&ear).unwrap();
    let mut parts: Vec<&str> = token.trim().split('.').collect();
    let claims = parts[1].replacen('A', "B", 1);
    parts[1] = &claims;
    std::fs::write(&ear, parts.join(".")).unwrap();
    sides
        .device(&["result", "import", &ear, "--key", &key])
        .failure(55);
}

#[test]
fn what_was_provisioned_is_not_provisioned_again() {
    let sides = Sides::new();
    sides.provision("device", &[]);
    let said = sides.try_to_provision("device", &[]).failure(50);
    assert!(said.contains("already"), "{said}");
}

#[test]
fn where_no_device_is_the_commands_say_so() {
    let sides = Sides::new();
    let said = sides.device(&["tpm", "status"]).failure(50);
    assert!(said.contains("provision"), "{said}");
    let said = sides
        .device(&["attest", "--nonce", "5a", "--out", "out"])
        .failure(2);
    assert!(said.contains("--nonce"), "{said}");
}
