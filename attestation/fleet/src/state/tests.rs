//! The state under several hands, under power cuts, and with many devices.

use std::collections::BTreeSet;
use std::fs;
use std::sync::Barrier;
use std::thread;

use earnest_evidence::HashAlgorithm;
use earnest_evidence::tpm::Name;
use earnest_verifier::enrolment::Enrolment;
use earnest_verifier::freshness::{FreshnessError, NonceRecord};
use earnest_verifier::simulation::{Device, Key, NOW};
use ring::rand::SystemRandom;
use tempfile::TempDir;

use super::*;

fn state() -> (TempDir, State) {
    let folder = tempfile::tempdir().unwrap();
    let state = State::create(&folder.path().join("state")).unwrap();
    (folder, state)
}

/// An enrolment of a new key under this name, with a TPM of its own.
fn device(name: &str) -> Enrolment {
    let json = Device::new(Key::ecc()).enrolment(false).to_json();
    let certificate = HashAlgorithm::Sha256.digest(name.as_bytes());
    let shared = HashAlgorithm::Sha256.digest(b"certificate");
    let json = json
        .replace("kitchen-1", name)
        .replace(&shared.to_string(), &certificate.to_string());
    Enrolment::from_json(&json).unwrap()
}

fn enrol(state: &State, enrolment: &Enrolment) {
    state.enrol(enrolment, &Labels::default(), false).unwrap();
}

fn issue(state: &State, device: Option<&str>) -> NonceRecord {
    state.issue(device, 60, NOW, &SystemRandom::new()).unwrap()
}

fn refusal(outcome: Result<impl std::fmt::Debug, StateError>) -> FreshnessError {
    match outcome {
        Err(StateError::Freshness(error)) => error,
        other => panic!("expected a nonce that is not fresh, found {other:?}"),
    }
}

/// Every file below a folder, from there.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => drop(found.insert(path.strip_prefix(folder).unwrap().to_owned())),
            }
        }
    }
    found
}

#[test]
fn a_device_is_found_by_its_key_and_by_its_name() {
    let (_folder, state) = state();
    let kitchen = device("kitchen");
    enrol(&state, &kitchen);
    let found = Some(kitchen.clone());
    assert_eq!(state.device(kitchen.ak_name()).unwrap(), found);
    assert_eq!(state.device_by_name("kitchen").unwrap(), found);
    let ak_name = kitchen.ak_name().to_string();
    assert_eq!(state.named(&ak_name).unwrap(), kitchen);
    for unknown in ["attic", "../devices", "", "00", "000b"] {
        let refused = state.named(unknown).unwrap_err();
        assert!(matches!(refused, StateError::NoDevice { .. }), "{unknown}");
    }
}

#[test]
fn neither_a_name_nor_a_tpm_is_enrolled_twice() {
    let (_folder, state) = state();
    let (first, second) = (device("kitchen"), device("kitchen"));
    enrol(&state, &first);
    let refused = state.enrol(&second, &Labels::default(), false);
    assert!(matches!(refused, Err(StateError::NameTaken { .. })));
    let json = first.to_json().replace("\"kitchen\"", "\"attic\"");
    let renamed = Enrolment::from_json(&json).unwrap();
    let refused = state.enrol(&renamed, &Labels::default(), false);
    assert!(matches!(refused, Err(StateError::TpmTaken { .. })));
    // The same device again is no other.
    enrol(&state, &first);
}

#[test]
fn what_takes_a_devices_place_leaves_nothing_of_it() {
    let (folder, state) = state();
    let (first, second) = (device("kitchen"), device("kitchen"));
    let labels = Labels::parse(&["room=1".to_owned()]).unwrap();
    state.enrol(&first, &labels, false).unwrap();
    state.enrol(&second, &Labels::default(), true).unwrap();
    assert_eq!(state.device(first.ak_name()).unwrap(), None);
    assert_eq!(
        state.device_by_name("kitchen").unwrap(),
        Some(second.clone())
    );
    state.forget(&second).unwrap();
    let left = files(&folder.path().join("state"));
    let expected = ["devices.lock", "state.json"].map(PathBuf::from);
    assert_eq!(left, BTreeSet::from(expected));
}

#[test]
fn labels_go_with_the_device() {
    let (_folder, state) = state();
    let kitchen = device("kitchen");
    let texts = ["room=1".to_owned(), "owner=a=b".to_owned()];
    let labels = Labels::parse(&texts).unwrap();
    state.enrol(&kitchen, &labels, false).unwrap();
    assert_eq!(state.labels(kitchen.ak_name()).unwrap(), labels);
    let all: Vec<_> = labels.iter().collect();
    assert_eq!(all, [("owner", "a=b"), ("room", "1")]);
    enrol(&state, &kitchen);
    assert!(state.labels(kitchen.ak_name()).unwrap().is_empty());
    for wrong in ["room", "=1", "room=", "room=\u{1b}[2J"] {
        assert!(Labels::parse(&[wrong.to_owned()]).is_err(), "{wrong}");
    }
    let twice = ["a=1".to_owned(), "a=2".to_owned()];
    assert!(matches!(
        Labels::parse(&twice),
        Err(LabelsError::Twice { .. })
    ));
    let many: Vec<String> = (0..33).map(|number| format!("{number}=1")).collect();
    assert!(matches!(
        Labels::parse(&many),
        Err(LabelsError::TooMany { .. })
    ));
}

#[test]
fn a_nonce_is_consumed_once_and_told_apart_after() {
    let (_folder, state) = state();
    let nonce = issue(&state, Some("kitchen")).nonce();
    let other = refusal(state.consume(&nonce, "attic", NOW + 1));
    assert!(matches!(other, FreshnessError::OtherDevice { .. }));
    assert!(state.consume(&nonce, "kitchen", NOW + 2).is_ok());
    let again = refusal(state.consume(&nonce, "kitchen", NOW + 3));
    let consumed_at = NOW + 2;
    assert_eq!(again, FreshnessError::Replayed { nonce, consumed_at });
    let unknown = earnest_evidence::Nonce::from_bytes([1; 32]);
    let never = refusal(state.consume(&unknown, "kitchen", NOW));
    assert_eq!(never, FreshnessError::NotIssued { nonce: unknown });
}

#[test]
fn a_stale_nonce_is_consumed_by_its_answer_too() {
    let (_folder, state) = state();
    let nonce = issue(&state, None).nonce();
    let stale = refusal(state.consume(&nonce, "kitchen", NOW + 60));
    assert!(matches!(stale, FreshnessError::Stale { .. }));
    // A clock that is turned back finds it spent.
    let again = refusal(state.consume(&nonce, "kitchen", NOW + 1));
    assert!(matches!(again, FreshnessError::Replayed { .. }));
}

#[test]
fn a_nonce_for_any_device_is_the_first_ones_that_answers() {
    let (_folder, state) = state();
    let nonce = issue(&state, None).nonce();
    let fresh = state.consume(&nonce, "kitchen", NOW).unwrap();
    assert_eq!(fresh.device(), "kitchen");
    let late = refusal(state.consume(&nonce, "attic", NOW));
    assert!(matches!(late, FreshnessError::Replayed { .. }));
}

#[test]
fn of_many_that_answer_at_once_one_consumes_the_nonce() {
    const HANDS: usize = 8;
    let (_folder, state) = state();
    for _ in 0..20 {
        let nonce = issue(&state, None).nonce();
        let barrier = Barrier::new(HANDS);
        let fresh = thread::scope(|scope| {
            let hands: Vec<_> = (0..HANDS)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        match state.consume(&nonce, "kitchen", NOW) {
                            Ok(_) => 1,
                            Err(StateError::Freshness(FreshnessError::Replayed { .. })) => 0,
                            Err(other) => panic!("{other}"),
                        }
                    })
                })
                .collect();
            let counts = hands.into_iter().map(|hand| hand.join().unwrap());
            counts.sum::<usize>()
        });
        assert_eq!(fresh, 1);
    }
}

#[test]
fn of_many_that_enrol_one_name_at_once_one_gets_it() {
    const HANDS: usize = 8;
    let (_folder, state) = state();
    let barrier = Barrier::new(HANDS);
    let enrolled = thread::scope(|scope| {
        let hands: Vec<_> = (0..HANDS)
            .map(|_| {
                scope.spawn(|| {
                    let mine = device("kitchen");
                    barrier.wait();
                    state.enrol(&mine, &Labels::default(), false).is_ok()
                })
            })
            .collect();
        let all = hands.into_iter().map(|hand| hand.join().unwrap());
        all.filter(|enrolled| *enrolled).count()
    });
    assert_eq!(enrolled, 1);
    let winner = state.device_by_name("kitchen").unwrap().unwrap();
    let devices = state.root.join("devices");
    assert_eq!(files(&devices).len(), 1, "nobody else was let in");
    assert_eq!(state.device(winner.ak_name()).unwrap(), Some(winner));
}

#[test]
fn a_nonce_is_spent_though_the_process_died_before_it_cleared_up() {
    let (_folder, state) = state();
    let nonce = issue(&state, None).nonce();
    let waiting = state.path(Kind::Nonces, &nonce.to_string());
    let kept = fs::read(&waiting).unwrap();
    assert!(state.consume(&nonce, "kitchen", NOW + 5).is_ok());
    fs::write(&waiting, kept).unwrap();
    let refused = refusal(state.consume(&nonce, "kitchen", NOW + 6));
    let consumed_at = NOW + 5;
    assert_eq!(refused, FreshnessError::Replayed { nonce, consumed_at });
}

#[test]
fn old_nonces_are_cleared_away_in_time() {
    let (_folder, state) = state();
    let old = issue(&state, None);
    let path = state.path(Kind::Nonces, &old.nonce().to_string());
    let shard = u8::from_str_radix(
        path.parent()
            .unwrap()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap(),
        16,
    )
    .unwrap();
    let is_over = |now: i64| {
        move |text: &str| NonceRecord::from_json(text).is_ok_and(|record| record.is_over(now))
    };
    state.clear(Kind::Nonces, shard, 1024, is_over(NOW + 59));
    assert!(path.exists());
    state.clear(Kind::Nonces, shard, 1024, is_over(NOW + 60));
    assert!(!path.exists());
}

#[test]
fn what_is_damaged_is_told_and_is_no_pass() {
    let (_folder, state) = state();
    let kitchen = device("kitchen");
    enrol(&state, &kitchen);
    let path = state.path(Kind::Devices, &kitchen.ak_name().to_string());
    fs::write(&path, "{").unwrap();
    let refused = state.device(kitchen.ak_name()).unwrap_err();
    assert!(matches!(refused, StateError::Damaged { .. }));
    let nonce = issue(&state, None).nonce();
    fs::write(state.path(Kind::Nonces, &nonce.to_string()), "{").unwrap();
    let refused = state.consume(&nonce, "kitchen", NOW).unwrap_err();
    assert!(matches!(refused, StateError::Damaged { .. }));
}

#[test]
fn a_folder_that_is_no_state_or_another_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = State::open(folder.path()).unwrap_err();
    assert!(matches!(refused, StateError::NoState { .. }));
    fs::write(
        folder.path().join("state.json"),
        "{\"format\":\"earnest-fleet-state/2\"}",
    )
    .unwrap();
    let refused = State::create(folder.path()).unwrap_err();
    assert!(matches!(refused, StateError::Format { .. }));
}

/// The work of a verification must not grow with the number of devices: among ten thousand files
/// of which no one can be read as a device it succeeds, and with everything else taken away, the
/// few files that belong to the device are enough.
#[test]
fn a_lookup_touches_the_files_of_the_device_and_no_others() {
    let (folder, state) = state();
    let kitchen = device("kitchen");
    enrol(&state, &kitchen);
    // Ten thousand others, by their files alone: nothing of them is ever opened.
    let text = kitchen.to_json();
    for number in 0..10_000_u32 {
        let digest = HashAlgorithm::Sha256.digest(&number.to_be_bytes());
        let name = Name::of_digest(&digest).to_string();
        let path = state.path(Kind::Devices, &name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // None of them is an enrolment: reading a single one would be an error.
        fs::write(path, &text[..number as usize % 7]).unwrap();
    }
    let nonce = issue(&state, Some("kitchen")).nonce();
    assert_eq!(state.named("kitchen").unwrap(), kitchen);
    assert!(state.consume(&nonce, "kitchen", NOW).is_ok());

    let root = folder.path().join("state");
    let small = folder.path().join("small");
    let key = kitchen.ak_name().to_string();
    let certificate = kitchen.endorsement_certificate().to_hex();
    let next = issue(&state, Some("kitchen")).nonce();
    for path in [
        root.join("state.json"),
        state.path(Kind::Devices, &key),
        state.path(Kind::Names, "kitchen"),
        state.path(Kind::Tpms, &certificate),
        state.path(Kind::Nonces, &next.to_string()),
    ] {
        let copy = small.join(path.strip_prefix(&root).unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(path, copy).unwrap();
    }
    let small = State::open(&small).unwrap();
    assert_eq!(small.named("kitchen").unwrap(), kitchen);
    assert_eq!(small.device(kitchen.ak_name()).unwrap(), Some(kitchen));
    assert!(small.consume(&next, "kitchen", NOW).is_ok());
}

#[test]
fn folders_stay_short() {
    let (_folder, state) = state();
    let shards: BTreeSet<PathBuf> = (0..10_000_u32)
        .map(|number| state.shard(Kind::Names, &format!("device-{number}")))
        .collect();
    assert_eq!(
        shards.len(),
        256,
        "names that are alike are spread all the same"
    );
}
