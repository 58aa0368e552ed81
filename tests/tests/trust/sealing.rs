//! When the sealed model opens, by the commands that a device has.

use crate::working_device;

#[test]
fn without_a_signed_policy_nothing_opens() {
    let sides = crate::Sides::new();
    sides.provision("device", &["--ak", "rsa2048"]);
    sides.enrol("device");
    sides.seal("device");
    let said = sides.unseal_check("device").failure(53);
    assert!(said.contains("policy"), "{said}");
}

#[test]
fn a_policy_of_another_fleet_is_not_taken() {
    let sides = working_device();
    let others = crate::Sides::new();
    let (keys, policy) = (others.text("keys"), sides.text("foreign-policy"));
    let evidence = sides.text("approved/evidence.cbor");
    let sign = ["policy", "sign", "--version", "1", "--any-device"];
    let place = ["--evidence", &evidence, "--keys", &keys, "--out", &policy];
    others.fleet(&[&sign[..], &place].concat()).success();
    sides.device(&["tpm", "policy", &policy]).failure(53);
    sides.unseal_check("device").success();
}

#[test]
fn a_policy_that_was_overtaken_opens_nothing_and_its_successor_does() {
    let sides = working_device();
    let (keys, permission) = (sides.text("keys"), sides.text("version-2"));
    let allow = ["policy", "allow-version", "--version", "2"];
    let place = ["--keys", &keys, "--out", &permission];
    sides.fleet(&[&allow[..], &place].concat()).success();
    sides.device(&["tpm", "raise", &permission]).success();
    sides.unseal_check("device").failure(53);
    sides.approve("device", "approved", "2").success();
    // The packages are of version 1, which is overtaken, too.
    sides.unseal_check("device").failure(54);
    let (key, sealed) = (sides.text("keys/release-1.key.pem"), sides.text("sealed"));
    let seal = ["model", "seal", "--version", "2", "--release-key", &key];
    sides
        .device(&[&seal[..], &["--out", &sealed]].concat())
        .success();
    sides.unseal_check("device").success();
}

#[test]
fn another_policy_key_opens_what_was_sealed_before_it() {
    let sides = working_device();
    let keys = sides.text("keys");
    sides
        .fleet(&["keys", "rotate", "policy", "--keys", &keys])
        .success();
    sides.approve("device", "approved", "2").success();
    sides.unseal_check("device").success();
}

#[test]
fn a_copied_disk_opens_nothing_with_another_tpm() {
    let sides = working_device();
    sides.provision("thief", &[]);
    sides.copy_disk("device", "thief");
    let said = sides.unseal_check("thief").failure(51);
    assert!(!said.is_empty());
}

#[test]
fn a_damaged_package_is_refused_before_it_is_read() {
    let sides = working_device();
    let path = sides.path("sealed/moonshine-tiny-en-int8.earnest");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    sides.unseal_check("device").failure(54);
}
