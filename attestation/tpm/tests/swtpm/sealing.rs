//! What opens the seal and what moves the least version, on real software TPMs.

use crate::devices::{another, credential, device, property};
use crate::support::{Fleet, Machine};
use earnest_evidence::sealing::{LEAST_VERSION_INDEX, LeastVersion};
use earnest_tpm::{
    AkAlgorithm, MoveVersionError, SealedKey, Secret, Tpm, TpmError, TrustModule as _, UnsealError,
};
use tss_esapi::constants::PropertyTag;

fn secret() -> Secret {
    Secret::new([0x5e; 32])
}

fn sealed_on(tpm: &Tpm) -> SealedKey {
    tpm.seal(&secret()).expect("sealing works")
}

#[test]
fn the_seal_opens_in_the_approved_state_and_not_after_an_extend_of_a_boot_pcr() {
    let (machine, fleet) = device();
    let tpm = machine.open();
    let sealed = sealed_on(&tpm);
    let policy = fleet.approve(&tpm, 1);
    assert_eq!(tpm.unseal(&sealed, &policy).unwrap(), secret());
    // Another PCR is no boot PCR.
    tpm.pcr_extend(14, &[1; 32]).unwrap();
    assert_eq!(tpm.unseal(&sealed, &policy).unwrap(), secret());
    tpm.pcr_extend(11, &[1; 32]).unwrap();
    let error = tpm.unseal(&sealed, &policy).unwrap_err();
    assert!(matches!(error, UnsealError::State { .. }), "{error}");
}

#[test]
fn the_seal_opens_after_ten_restarts_of_the_daemon() {
    let (machine, fleet) = device();
    let tpm = machine.open();
    let path = machine.path().join("content.key");
    std::fs::write(&path, sealed_on(&tpm).encode()).unwrap();
    let policy = fleet.approve(&tpm, 1);
    tpm.close().unwrap();
    for _ in 0..10 {
        let tpm = machine.open();
        tpm.pcr_extend(14, &[3; 32]).unwrap();
        let sealed = SealedKey::parse(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(tpm.unseal(&sealed, &policy).unwrap(), secret());
        tpm.close().unwrap();
    }
}

#[test]
fn the_seal_opens_under_a_new_policy_and_a_new_policy_key_without_provisioning_again() {
    let (machine, mut fleet) = device();
    let tpm = machine.open();
    let sealed = sealed_on(&tpm);
    let before = fleet.approve(&tpm, 1);
    // An update is another boot state.
    tpm.pcr_extend(11, &[2; 32]).unwrap();
    assert!(tpm.unseal(&sealed, &before).is_err());
    let updated = fleet.approve(&tpm, 2);
    assert_eq!(tpm.unseal(&sealed, &updated).unwrap(), secret());
    fleet.rotate();
    let rotated = fleet.approve(&tpm, 2);
    assert_ne!(rotated.grant().key, updated.grant().key);
    assert_eq!(tpm.unseal(&sealed, &rotated).unwrap(), secret());
}

#[test]
fn a_policy_of_another_fleet_does_not_open_the_seal() {
    let (machine, _) = device();
    let tpm = machine.open();
    let sealed = sealed_on(&tpm);
    let strangers = Fleet::new().approve(&tpm, 9);
    let error = tpm.unseal(&sealed, &strangers).unwrap_err();
    assert!(matches!(error, UnsealError::Policy(_)), "{error}");
}

#[test]
fn an_old_policy_and_an_old_policy_key_end_when_the_least_version_moves() {
    let (machine, mut fleet) = device();
    let tpm = machine.open();
    let sealed = sealed_on(&tpm);
    let (old, new) = (fleet.approve(&tpm, 1), fleet.approve(&tpm, 2));
    tpm.move_least_version(&fleet.permit(2, 1)).unwrap();
    let error = tpm.unseal(&sealed, &old).unwrap_err();
    assert!(
        matches!(error, UnsealError::OldPolicy { least: 2, found: 1 }),
        "{error}"
    );
    assert_eq!(tpm.unseal(&sealed, &new).unwrap(), secret());
    fleet.rotate();
    tpm.move_least_version(&fleet.permit(2, 2)).unwrap();
    let error = tpm.unseal(&sealed, &new).unwrap_err();
    assert!(
        matches!(error, UnsealError::OldKey { least: 2, found: 1 }),
        "{error}"
    );
    let rotated = fleet.approve(&tpm, 2);
    assert_eq!(tpm.unseal(&sealed, &rotated).unwrap(), secret());
}

#[test]
fn a_copied_disk_opens_nothing_with_another_tpm() {
    let (machine, fleet) = device();
    let sealed = sealed_on(&machine.open());
    let thief = another();
    // Its own provisioning, by the same fleet, so that only the sealed key is foreign.
    thief.provision(&fleet);
    let tpm = thief.open();
    let policy = fleet.approve(&tpm, 1);
    let error = tpm.unseal(&sealed, &policy).unwrap_err();
    assert!(matches!(error, UnsealError::OtherTpm), "{error}");
    // And the whole state of the first device.
    let error = Tpm::open(thief.software.address(), machine.state()).unwrap_err();
    assert!(matches!(error, TpmError::OtherName { .. }), "{error}");
}

#[test]
fn a_permission_moves_the_least_version_to_its_own_value_and_never_down() {
    let (machine, fleet) = device();
    let tpm = machine.open();
    let at = |version, generation| LeastVersion {
        version,
        generation,
    };
    assert_eq!(tpm.least_version().unwrap(), at(1, 1));
    let three = fleet.permit(3, 1);
    tpm.move_least_version(&three).unwrap();
    assert_eq!(tpm.least_version().unwrap(), at(3, 1));
    // Again is no harm.
    tpm.move_least_version(&three).unwrap();
    tpm.move_least_version(&fleet.permit(5, 1)).unwrap();
    let error = tpm.move_least_version(&three).unwrap_err();
    assert!(matches!(error, MoveVersionError::Lower { .. }), "{error}");
    let error = tpm.move_least_version(&fleet.permit_first()).unwrap_err();
    assert!(matches!(error, MoveVersionError::First), "{error}");
    let error = tpm
        .move_least_version(&Fleet::new().permit(9, 1))
        .unwrap_err();
    assert!(matches!(error, MoveVersionError::Permission(_)), "{error}");
    assert_eq!(tpm.least_version().unwrap(), at(5, 1));
}

#[test]
fn an_index_of_somebody_else_is_told_from_ours() {
    let machine = Machine::new();
    let provisioned = machine.provision(&Fleet::new());
    let (mut bytes, other) = (provisioned.state.encode(), Fleet::new());
    // The state, but with the root of another fleet: the index then has another name.
    let ours = provisioned.state.root().as_bytes();
    let at = bytes.windows(64).position(|window| window == ours).unwrap();
    bytes[at..at + 64].copy_from_slice(other.root.key.as_bytes());
    let body = bytes.len() - 32;
    let checksum = ring::digest::digest(&ring::digest::SHA256, &bytes[..body]);
    bytes[body..].copy_from_slice(checksum.as_ref());
    let state = earnest_tpm::State::parse(&bytes).unwrap();
    let tpm = Tpm::open(machine.software.address(), state).unwrap();
    let error = tpm.least_version().unwrap_err();
    assert!(
        matches!(error, TpmError::OtherName { object, .. } if object.contains("index")),
        "{error}, {LEAST_VERSION_INDEX:#x}"
    );
}

#[test]
fn twenty_power_cuts_with_keys_in_use_leave_the_tpm_unlocked() {
    let mut machine = Machine::new();
    let fleet = Fleet::new();
    machine.provision_with(&fleet, AkAlgorithm::Rsa2048);
    let tpm = machine.open();
    let sealed = sealed_on(&tpm);
    let policy = fleet.approve(&tpm, 1);
    for _ in 0..20 {
        // Every kind of key of ours has been in use since the last start.
        assert_eq!(tpm.unseal(&sealed, &policy).unwrap(), secret());
        tpm.certify_authority(&[1; 32]).unwrap();
        let (blob, encrypted) = credential(&machine, &tpm, &[9; 32]);
        tpm.activate_credential(&blob, &encrypted).unwrap();
        machine.software.cut_power();
        machine.software.restore_power().unwrap();
    }
    assert_eq!(tpm.unseal(&sealed, &policy).unwrap(), secret());
    assert_eq!(property(&machine, PropertyTag::LockoutCounter), 0);
}
