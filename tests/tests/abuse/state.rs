//! Somebody with the device's disk changes what the daemon keeps.

use std::collections::BTreeMap;
use std::fs;

use nix::sys::signal::Signal;

use crate::client::sample;
use crate::earnestd::Earnestd;
use crate::person::Person;
use crate::trial::Trial;
use crate::wait::wait_until;

fn stop(trial: &mut Trial) {
    trial.daemon.signal(Signal::SIGTERM);
    assert!(trial.daemon.wait().success(), "{}", trial.daemon.log());
}

/// The files that the daemon keeps, by name.
fn files(daemon: &Earnestd) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(daemon.sides.path("state")).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let vaults = names.filter(|name| name.ends_with(".vault"));
    vaults
        .map(|name| {
            let bytes = fs::read(daemon.sides.path("state").join(&name)).unwrap();
            (name, bytes)
        })
        .collect()
}

fn put(daemon: &Earnestd, name: &str, bytes: &[u8]) {
    fs::write(daemon.sides.path("state").join(name), bytes).unwrap();
}

/// Starts on files that were changed: the daemon runs, serves nobody, and says why to the
/// operator alone.
fn see_nobody_served(trial: &mut Trial) {
    trial.daemon.expect_to_open(false);
    trial.daemon.run_again();
    wait_until("the operator is told", || {
        trial.daemon.status()["trouble"].is_string()
    });
    trial.check("gate_closed", (503, "device_not_proven"), |daemon| {
        daemon.curl().transcribe(&sample(), &["model=whisper-1"])
    });
    assert_eq!(trial.daemon.status()["gate"]["open"], false);
    stop(trial);
    trial.daemon.expect_to_open(true);
}

#[test]
fn state_that_was_swapped_cut_or_scribbled_on_serves_nobody() {
    let mut trial = Trial::usual();
    let mut person = Person::enrol(&trial.daemon);
    person.add_app(&trial.daemon, "honest", &["transcribe"]);
    trial.is_well();
    stop(&mut trial);
    let good = files(&trial.daemon);
    let book = &good["book.vault"];
    let mut scribbled = book.clone();
    let middle = scribbled.len() / 2;
    scribbled[middle] ^= 1;
    for bad in [
        scribbled.as_slice(),
        &book[..book.len() - 1],
        &good["calendar.vault"],
        b"{\"format\":1}",
        b"",
    ] {
        put(&trial.daemon, "book.vault", bad);
        see_nobody_served(&mut trial);
    }
    put(&trial.daemon, "book.vault", book);
    trial.daemon.run_again();
    trial.is_well();
    // Nothing of it stands there for anybody to read.
    for (name, bytes) in files(&trial.daemon) {
        let readable = contains(&bytes, b"honest") || contains(&bytes, b"transcribe");
        assert!(!readable, "{name}");
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn state_of_before_a_revocation_brings_nothing_back() {
    let mut trial = Trial::usual();
    let mut person = Person::enrol(&trial.daemon);
    person.add_app(&trial.daemon, "honest", &["transcribe"]);
    person.add_app(&trial.daemon, "notes", &["transcribe"]);
    let earlier = files(&trial.daemon);
    let revoked = person.revoke_app(&trial.daemon, "notes");
    assert_eq!(revoked.status, 204, "{revoked:?}");
    stop(&mut trial);
    let newest = files(&trial.daemon);
    for (name, bytes) in &earlier {
        put(&trial.daemon, name, bytes);
    }
    see_nobody_served(&mut trial);
    for (name, bytes) in &newest {
        put(&trial.daemon, name, bytes);
    }
    trial.daemon.run_again();
    trial.is_well();
    trial.check("not_listed", (401, "invalid_credentials"), |daemon| {
        daemon.curl().post_json("/v1/token", "{\"app\":\"notes\"}")
    });
}
