//! Evidence: what passes, what is refused and for which reason, and the nonce that goes with it.

use std::fs;

use earnest_evidence::Evidence;
use earnest_fleet::Exit;
use earnest_verifier::simulation::{Device, Key, NOW, event};
use serde_json::Value;

use crate::support::{Fleet, Run, answer, device};

/// A fleet with one device and its reference values.
fn fleet() -> (Fleet, Device) {
    let (fleet, device) = (Fleet::new(), device());
    fleet.enrol(&device, false);
    fleet.reference(&device);
    (fleet, device)
}

/// The reasons in the JSON of a verification.
fn reasons(run: &Run) -> Vec<String> {
    let json = run.json();
    let checks = &json["result"]["submods"]["device"]["ear_verifier_claims"]["checks"];
    let checks = checks.as_array().expect("a list of checks").clone();
    checks
        .iter()
        .filter_map(|check| check["reason"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn an_honest_device_passes_with_either_kind_of_key_and_form_of_evidence() {
    for key in [Key::ecc(), Key::rsa(false), Key::rsa(true)] {
        let (fleet, device) = (Fleet::new(), Device::new(key));
        fleet.enrol(&device, false);
        fleet.reference(&device);
        fleet.attest(&device, "evidence.cbor");
        let run = fleet
            .verify("evidence.cbor", &["--json"])
            .ends(Exit::Success);
        assert_eq!(run.json()["pass"], true);
        assert_eq!(run.json()["reason"], Value::Null);
        let evidence = answer(&device, fleet.nonce());
        fleet.write("evidence.json", evidence.to_json().unwrap());
        let run = fleet.verify("evidence.json", &[]).ends(Exit::Success);
        assert!(run.data.contains("passed (affirming)"), "{}", run.data);
    }
}

#[test]
fn a_nonce_is_good_for_one_answer() {
    let (fleet, device) = fleet();
    fleet.attest(&device, "evidence.cbor");
    fleet.verify("evidence.cbor", &[]).ends(Exit::Success);
    let again = fleet.verify("evidence.cbor", &["--json"]);
    assert_eq!(reasons(&again), ["nonce_replayed"]);
    again.ends(Exit::Refused).says("Ask anew");
}

#[test]
fn a_refused_answer_spends_its_nonce_too() {
    let (fleet, device) = fleet();
    let mut evidence = fleet.attest(&device, "evidence.cbor");
    let right = evidence.clone();
    evidence.attest.clock_info.clock += 1;
    fleet.write("evidence.cbor", evidence.to_cbor().unwrap());
    let refused = fleet.verify("evidence.cbor", &["--json"]);
    assert_eq!(reasons(&refused), ["quote_signature"]);
    refused.ends(Exit::Refused).says("was changed");
    fleet.write("evidence.cbor", right.to_cbor().unwrap());
    let late = fleet.verify("evidence.cbor", &["--json"]);
    assert_eq!(reasons(&late), ["nonce_replayed"]);
}

#[test]
fn a_late_answer_is_refused() {
    let (mut fleet, device) = fleet();
    fleet.attest(&device, "evidence.cbor");
    fleet.now = NOW + 60;
    let refused = fleet.verify("evidence.cbor", &["--json"]);
    assert_eq!(reasons(&refused), ["nonce_stale"]);
    refused.ends(Exit::Refused);
}

#[test]
fn a_nonce_that_nobody_issued_is_refused() {
    let (fleet, device) = fleet();
    fleet.write("evidence.cbor", device.evidence().to_cbor().unwrap());
    let refused = fleet.verify("evidence.cbor", &["--json"]);
    assert_eq!(reasons(&refused), ["nonce_not_issued"]);
    refused.ends(Exit::Refused);
}

#[test]
fn a_nonce_for_one_device_is_no_others() {
    let (fleet, device) = fleet();
    let run = fleet.run(&[
        "challenge",
        "--state",
        "state",
        "--device",
        "kitchen-1",
        "--json",
    ]);
    let issued = run.ends(Exit::Success).json();
    assert_eq!(issued["device"], "kitchen-1");
    assert_eq!(issued["expires_at"], NOW + 60);
    let nonce = issued["nonce"].as_str().expect("text").parse().unwrap();
    let evidence = answer(&device, nonce);
    fleet.write("evidence.cbor", evidence.to_cbor().unwrap());
    fleet.verify("evidence.cbor", &[]).ends(Exit::Success);
    let unknown = fleet.run(&["challenge", "--state", "state", "--device", "attic"]);
    unknown.ends(Exit::NotFound);
}

#[test]
fn an_old_quote_in_a_new_envelope_is_refused() {
    let (fleet, device) = fleet();
    let mut old: Evidence = fleet.attest(&device, "old.cbor");
    fleet.verify("old.cbor", &[]).ends(Exit::Success);
    old.nonce = fleet.nonce();
    fleet.write("evidence.cbor", old.to_cbor().unwrap());
    let refused = fleet.verify("evidence.cbor", &["--json"]);
    assert_eq!(reasons(&refused), ["quote_nonce"]);
    refused.ends(Exit::Refused).says("another challenge");
}

#[test]
fn another_boot_is_refused_down_to_the_event_and_is_approved_by_new_reference_values() {
    let (fleet, mut device) = fleet();
    device.boot[6] = event(11, 0x0d, "kernel 2");
    fleet.attest(&device, "evidence.cbor");
    let refused = fleet.verify("evidence.cbor", &["--json"]);
    assert_eq!(reasons(&refused), ["boot_state"]);
    let json = refused.json();
    let checks = &json["result"]["submods"]["device"]["ear_verifier_claims"]["checks"];
    let check = checks
        .as_array()
        .unwrap()
        .iter()
        .find(|check| check["reason"] == "boot_state");
    let check = check.expect("it was refused for it");
    assert_eq!(check["pcr"], 11);
    assert_eq!(check["event"], 7, "the head of the log is event 0");
    let found = check["found"].as_str().expect("a digest");
    assert_eq!(found, crate::support::sha256(b"kernel 2"));
    refused.ends(Exit::Refused).says("reference from-evidence");

    fleet.attest(&device, "evidence.cbor");
    fleet
        .run(&[
            "reference",
            "from-evidence",
            "evidence.cbor",
            "--name",
            "image-2",
            "--state",
            "state",
            "--out",
            "new.json",
        ])
        .ends(Exit::Success)
        .says("kitchen-1");
    let different = fleet.run(&["reference", "diff", "reference.json", "new.json"]);
    assert!(
        different.data.contains("+ PCR 11 value"),
        "{}",
        different.data
    );
    different.ends(Exit::Differs);
    let same = fleet.run(&["reference", "diff", "new.json", "new.json", "--json"]);
    assert_eq!(same.ends(Exit::Success).json()["same"], true);
    let shown = fleet
        .run(&["reference", "show", "new.json"])
        .ends(Exit::Success);
    assert!(shown.data.contains("image-2"));
    fs::rename(fleet.path("new.json"), fleet.path("reference.json")).unwrap();
    fleet.verify("evidence.cbor", &[]).ends(Exit::Success);
}

#[test]
fn a_key_that_is_not_enrolled_is_refused_and_costs_nobody_a_nonce() {
    let (fleet, device) = fleet();
    let right = fleet.attest(&device, "evidence.cbor");
    let stranger = answer(&crate::support::device(), right.nonce);
    fleet.write("stranger.cbor", stranger.to_cbor().unwrap());
    let refused = fleet.verify("stranger.cbor", &["--json"]);
    assert_eq!(refused.json()["reason"], "device_not_enrolled");
    assert_eq!(refused.json()["pass"], false);
    refused.ends(Exit::Refused).says("enroll");
    fleet.verify("evidence.cbor", &[]).ends(Exit::Success);
    fleet
        .run(&["device", "forget", "kitchen-1", "--state", "state"])
        .ends(Exit::Success);
    fleet.attest(&device, "evidence.cbor");
    fleet.verify("evidence.cbor", &[]).ends(Exit::Refused);
}

#[test]
fn a_software_tpm_passes_with_a_warning_where_the_policy_lets_it() {
    let (fleet, device) = fleet();
    fleet.enrol(&device, true);
    fleet.attest(&device, "evidence.cbor");
    let refused = fleet.verify("evidence.cbor", &["--json"]);
    assert_eq!(reasons(&refused), ["software_tpm"]);
    refused.ends(Exit::Refused).says("on purpose");
    fleet
        .run(&[
            "policy",
            "new",
            "--name",
            "development",
            "--out",
            "dev.json",
            "--allow-software-tpm",
        ])
        .ends(Exit::Success);
    fleet.attest(&device, "evidence.cbor");
    let run = fleet.verify("evidence.cbor", &["--policy", "dev.json"]);
    let run = run.ends(Exit::Success);
    assert!(run.data.contains("passed (warning)"), "{}", run.data);
}

#[test]
fn the_result_is_signed_whatever_the_verdict_and_shown_for_its_time() {
    let (mut fleet, device) = fleet();
    fleet.attest(&device, "evidence.cbor");
    let ear = ["--ear", "result.jwt"];
    fleet.verify("evidence.cbor", &ear).ends(Exit::Success);
    let show = |fleet: &Fleet, more: &[&str]| {
        let mut arguments = vec!["result", "show", "result.jwt"];
        arguments.extend(more);
        fleet.run(&arguments)
    };
    let key = "state/keys/result-1.pub.pem";
    let shown = show(&fleet, &["--key", key, "--json"]).ends(Exit::Success);
    assert_eq!(shown.json()["ear_status"], "affirming");
    fleet.now = NOW + 300;
    show(&fleet, &["--key", key])
        .ends(Exit::Refused)
        .says("--any-time");
    show(&fleet, &["--key", key, "--any-time"]).ends(Exit::Success);
    fleet.now = NOW;
    fleet.verify("evidence.cbor", &ear).ends(Exit::Refused);
    let refused = show(&fleet, &["--key", key]).ends(Exit::Refused);
    assert!(refused.data.contains("nonce_replayed"), "{}", refused.data);
    let other = Fleet::new().read("state/keys/result-1.pub.pem");
    fleet.write("other.pem", other);
    show(&fleet, &["--key", "other.pem"]).ends(Exit::Refused);
    fleet.write("result.jwt", "no.token");
    show(&fleet, &["--key", key]).ends(Exit::BadInput);
}

#[test]
fn what_is_missing_or_is_no_such_file_costs_no_nonce() {
    let (fleet, device) = fleet();
    fleet.attest(&device, "evidence.cbor");
    let reference = fleet.read("reference.json");
    fleet.write("reference.json", "{}");
    fleet.verify("evidence.cbor", &[]).ends(Exit::BadInput);
    fs::remove_file(fleet.path("reference.json")).unwrap();
    fleet.verify("evidence.cbor", &[]).ends(Exit::NotFound);
    fleet.write("reference.json", reference);
    fleet.write("garbage.cbor", "garbage");
    fleet.verify("garbage.cbor", &[]).ends(Exit::BadInput);
    fleet.verify("missing.cbor", &[]).ends(Exit::NotFound);
    let nowhere = fleet.verify("evidence.cbor", &["--ear", "r.jwt", "--keys", "nowhere"]);
    nowhere.ends(Exit::NotFound).says("keys init");
    let unstated = fleet.run(&["challenge", "--state", "nowhere"]);
    unstated.ends(Exit::NotFound).says("enroll");
    fleet.verify("evidence.cbor", &[]).ends(Exit::Success);
}
