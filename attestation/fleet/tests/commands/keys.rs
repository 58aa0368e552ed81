//! Keys: made once, private, rotated without losing what was signed.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use earnest_evidence::sealing::{PolicyKey, SignedPolicy};
use earnest_evidence::tpm::PublicKey;
use earnest_fleet::Exit;

use crate::support::{Fleet, device};

fn in_use(fleet: &Fleet, role: &str) -> Vec<String> {
    let run = fleet.run(&["keys", "show", "--state", "state", "--json"]);
    let rows = run.ends(Exit::Success).json();
    let rows = rows.as_array().expect("a list").clone();
    rows.iter()
        .filter(|row| row["role"] == role)
        .map(|row| row["file"].as_str().expect("a name").to_owned())
        .collect()
}

fn root(fleet: &Fleet) -> PolicyKey {
    let pem = String::from_utf8(fleet.read("state/keys/root.pub.pem")).expect("text");
    let key = PublicKey::from_pem(&pem).expect("a key");
    PolicyKey::from_spki_der(&key.to_spki_der()).expect("a key on P-256")
}

#[test]
fn private_keys_are_private_and_made_once() {
    let fleet = Fleet::new();
    for name in ["root", "policy-1", "release-1", "result-1"] {
        let path = fleet.path(&format!("state/keys/{name}.key.pem"));
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\n"), "{name}");
    }
    let before = fleet.read("state/keys/root.key.pem");
    fleet
        .run(&["keys", "init", "--state", "state"])
        .ends(Exit::Exists)
        .says("keys rotate");
    assert_eq!(fleet.read("state/keys/root.key.pem"), before);
}

#[test]
fn the_roots_private_key_can_lie_elsewhere() {
    let fleet = Fleet::empty();
    fs::create_dir(fleet.path("drawer")).unwrap();
    fleet
        .run(&[
            "keys",
            "init",
            "--keys",
            "keys",
            "--root-key",
            "drawer/root",
        ])
        .ends(Exit::Success);
    assert!(!fleet.path("keys/root.key.pem").exists());
    fleet
        .run(&["keys", "rotate", "policy", "--keys", "keys"])
        .ends(Exit::NotFound);
    fleet
        .run(&[
            "keys",
            "rotate",
            "policy",
            "--keys",
            "keys",
            "--root-key",
            "drawer/root",
        ])
        .ends(Exit::Success);
}

#[test]
fn another_policy_key_signs_under_the_same_root() {
    let fleet = Fleet::new();
    let device = device();
    fleet.reference(&device);
    let sign = || {
        fleet
            .run(&[
                "policy",
                "sign",
                "--state",
                "state",
                "--version",
                "5",
                "--reference",
                "reference.json",
                "--out",
                "signed",
            ])
            .ends(Exit::Success);
        SignedPolicy::parse(&fleet.read("signed")).unwrap()
    };
    let before = sign();
    fleet
        .run(&["keys", "rotate", "policy", "--state", "state"])
        .ends(Exit::Success);
    let after = sign();
    assert_eq!(before.grant().generation, 1);
    assert_eq!(after.grant().generation, 2);
    assert_ne!(before.grant().key, after.grant().key);
    for signed in [before, after] {
        signed.verify(&root(&fleet)).unwrap();
    }
}

#[test]
fn another_root_grants_nothing() {
    let (fleet, other) = (Fleet::new(), Fleet::new());
    let stolen = other.read("state/keys/root.key.pem");
    fleet.write("state/keys/root.key.pem", stolen);
    fleet
        .run(&["keys", "rotate", "policy", "--state", "state"])
        .ends(Exit::BadInput)
        .says("another folder");
    assert_eq!(in_use(&fleet, "policy"), ["policy-1.pub.pem"]);
}

#[test]
fn result_keys_stay_accepted_until_they_are_not() {
    let fleet = Fleet::new();
    let device = device();
    fleet.enrol(&device, false);
    fleet.reference(&device);
    fleet.attest(&device, "evidence.cbor");
    fleet
        .verify("evidence.cbor", &["--ear", "result.jwt"])
        .ends(Exit::Success);
    let show = || fleet.run(&["result", "show", "result.jwt", "--state", "state"]);
    show().ends(Exit::Success);
    fleet
        .run(&["keys", "rotate", "result", "--state", "state"])
        .ends(Exit::Success);
    assert_eq!(
        in_use(&fleet, "result"),
        ["result-2.pub.pem", "result-1.pub.pem"]
    );
    let list = String::from_utf8(fleet.read("state/keys/result.keys.pem")).unwrap();
    assert_eq!(list.matches("BEGIN PUBLIC KEY").count(), 2);
    show().ends(Exit::Success);
    fleet
        .run(&["keys", "rotate", "result", "--state", "state", "--alone"])
        .ends(Exit::Success);
    show().ends(Exit::Refused).says("accepted no more");
}

#[test]
fn keys_that_others_may_read_are_not_used() {
    let fleet = Fleet::new();
    let path = fleet.path("state/keys/policy-1.key.pem");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    fleet
        .allow_version(&["--version", "1"])
        .ends(Exit::BadInput)
        .says("chmod 600");
    assert!(!fleet.path("version").exists());
}

#[test]
fn a_rotation_that_was_cut_short_is_passed_over() {
    let fleet = Fleet::new();
    // Its key was written, and keys.json not.
    fleet.write("state/keys/result-2.key.pem", "half");
    fleet
        .run(&["keys", "rotate", "result", "--state", "state"])
        .ends(Exit::Success);
    assert_eq!(
        in_use(&fleet, "result"),
        ["result-3.pub.pem", "result-1.pub.pem"]
    );
}
