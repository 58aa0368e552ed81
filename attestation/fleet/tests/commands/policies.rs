//! What opens sealed models: signed for the right states, and never backward.

use earnest_evidence::HashAlgorithm;
use earnest_evidence::sealing::{LeastVersion, SignedPolicy, SignedVersion};
use earnest_evidence::tpm::PcrValues;
use earnest_fleet::Exit;
use earnest_verifier::simulation::{Device, event};

use crate::support::{Fleet, device};

/// The digest over a device's PCRs 4, 7 and 11.
fn digest(device: &Device) -> Vec<u8> {
    let mut values = PcrValues::new();
    for pcr in [4, 7, 11] {
        let value = device.value(pcr);
        values.insert(pcr, value).expect("each stands once");
    }
    values.digest(HashAlgorithm::Sha256).as_bytes().to_vec()
}

fn sign(fleet: &Fleet, from: &[&str]) -> crate::support::Run {
    let mut arguments = vec![
        "policy",
        "sign",
        "--state",
        "state",
        "--version",
        "7",
        "--out",
        "signed",
    ];
    arguments.extend(from);
    fleet.run(&arguments)
}

#[test]
fn evidence_of_an_enrolled_device_is_approved_as_it_is() {
    let fleet = Fleet::new();
    let device = device();
    fleet.enrol(&device, false);
    fleet.attest(&device, "evidence.cbor");
    sign(&fleet, &["--evidence", "evidence.cbor"]).ends(Exit::Success);
    let signed = SignedPolicy::parse(&fleet.read("signed")).unwrap();
    assert_eq!(signed.version(), 7);
    assert_eq!(signed.pcrs().to_string(), "4,7,11");
    let [state] = signed.approvals() else {
        panic!("one state was signed");
    };
    assert_eq!(state.pcr_digest.to_vec(), digest(&device));
    let shown = fleet.run(&["policy", "show", "--state", "state", "--json", "./signed"]);
    let shown = shown.ends(Exit::Success).json();
    assert_eq!(shown["version"], 7);
    assert_eq!(shown["pcrs"], "4,7,11");
}

#[test]
fn evidence_of_a_stranger_or_changed_evidence_is_not_approved() {
    let fleet = Fleet::new();
    let device = device();
    let mut evidence = fleet.attest(&device, "evidence.cbor");
    sign(&fleet, &["--evidence", "evidence.cbor"])
        .ends(Exit::Refused)
        .says("no device with AK");
    sign(&fleet, &["--evidence", "evidence.cbor", "--any-device"]).ends(Exit::Success);
    fleet.enrol(&device, false);
    evidence.pcrs = Device {
        boot: vec![event(4, 1, "another loader")],
        ..crate::support::device()
    }
    .values();
    fleet.write("evidence.cbor", evidence.to_cbor().unwrap());
    std::fs::remove_file(fleet.path("signed")).unwrap();
    sign(&fleet, &["--evidence", "evidence.cbor"]).ends(Exit::Refused);
    assert!(!fleet.path("signed").exists());
}

#[test]
fn reference_values_are_approved_in_every_combination_and_no_more_than_fit() {
    let fleet = Fleet::new();
    let value = |text: &str| HashAlgorithm::Sha256.digest(text.as_bytes()).to_string();
    let reference = |values: usize| {
        let pcr = |pcr: u8| {
            let values: Vec<String> = (0..values)
                .map(|number| format!(r#"{{"value": "{}"}}"#, value(&format!("{pcr} {number}"))))
                .collect();
            format!(r#"{{"pcr": {pcr}, "values": [{}]}}"#, values.join(","))
        };
        let pcrs = [4, 7, 11].map(pcr).join(",");
        format!(
            r#"{{"format": "earnest-reference/1", "name": "n", "bank": "sha256", "pcrs": [{pcrs}]}}"#
        )
    };
    fleet.write("reference.json", reference(2));
    sign(&fleet, &["--reference", "reference.json"]).ends(Exit::Success);
    let signed = SignedPolicy::parse(&fleet.read("signed")).unwrap();
    assert_eq!(signed.approvals().len(), 8);
    fleet.write("reference.json", reference(7));
    sign(&fleet, &["--reference", "reference.json"])
        .ends(Exit::BadInput)
        .says("256");
    fleet.write("reference.json", reference(0));
    sign(&fleet, &["--reference", "reference.json"])
        .ends(Exit::BadInput)
        .says("PCR 4");
    sign(&fleet, &[]).ends(Exit::Usage);
}

#[test]
fn the_least_version_only_rises() {
    let fleet = Fleet::new();
    let allow = |more: &[&str]| fleet.allow_version(more);
    let least = || {
        let signed = SignedVersion::parse(&fleet.read("version")).unwrap();
        (signed.least(), signed.is_first())
    };
    allow(&["--version", "3", "--first"]).ends(Exit::Success);
    let (version, generation) = (3, 0);
    assert_eq!(
        least(),
        (
            LeastVersion {
                version,
                generation
            },
            true
        )
    );
    allow(&["--version", "2"])
        .ends(Exit::Refused)
        .says("2 is below 3");
    fleet
        .run(&["keys", "rotate", "policy", "--state", "state"])
        .ends(Exit::Success);
    allow(&["--version", "4", "--end-older-keys"]).ends(Exit::Success);
    let (version, generation) = (4, 2);
    assert_eq!(
        least(),
        (
            LeastVersion {
                version,
                generation
            },
            false
        )
    );
    // What ended stays ended.
    allow(&["--version", "5"]).ends(Exit::Success);
    assert_eq!(least().0.generation, 2);
}

#[test]
fn what_another_fleet_signed_or_somebody_changed_is_not_shown() {
    let (fleet, other) = (Fleet::new(), Fleet::new());
    fleet.allow_version(&["--version", "1"]).ends(Exit::Success);
    let mut bytes = fleet.read("version");
    other.write("version", &bytes);
    let show = |fleet: &Fleet| fleet.run(&["policy", "show", "--state", "state", "./version"]);
    show(&fleet).ends(Exit::Success);
    show(&other).ends(Exit::Refused).says("another fleet");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fleet.write("version", &bytes);
    show(&fleet).ends(Exit::Refused);
    fleet.write("version", &bytes[..last]);
    show(&fleet).ends(Exit::BadInput);
}

#[test]
fn a_policy_of_verification_is_checked_when_it_is_written() {
    let fleet = Fleet::empty();
    let new = |more: &[&str]| {
        let mut arguments = vec!["policy", "new", "--name", "n", "--state", "state"];
        arguments.extend(more);
        fleet.run(&arguments)
    };
    new(&["--pcrs", "4,24"]).ends(Exit::Usage);
    new(&["--nonce-lifetime", "0"]).ends(Exit::Usage);
    fleet.write("no.pem", "text");
    new(&["--anchor", "no.pem"]).ends(Exit::Usage);
    new(&["--anchor", "missing.pem"]).ends(Exit::NotFound);
    assert!(!fleet.path("state/policy.json").exists());
    new(&[]).ends(Exit::Success).says("trusts no authority");
    new(&[]).ends(Exit::Exists).says("--replace");
    new(&["--replace"]).ends(Exit::Success);
}
