//! Somebody with the rights of the daemon, or with its disk, changes the audit log.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::person::Person;
use crate::sides::run;
use crate::trial::Trial;
use crate::wait::wait_until;

/// How `earnest audit verify` ends when the log is not whole (`earnest --help`).
const AUDIT_DAMAGED: i32 = 73;

/// Bytes of a segment's header (see the format in the crate of the audit log).
const HEADER: usize = 160;

/// A log of two runs of the daemon, the second of which was held to the TPM. It does not run.
fn kept() -> (Trial, Person) {
    let mut trial = Trial::usual();
    let mut person = Person::enrol(&trial.daemon);
    for _ in 0..20 {
        trial.daemon.token("notes");
        trial.daemon.curl_tls().get("/v1/models");
    }
    stop(&mut trial);
    fs::create_dir(trial.daemon.sides.path("earlier")).unwrap();
    copy(
        &trial.daemon.sides.path("state/audit"),
        &trial.daemon.sides.path("earlier"),
    );
    trial.daemon.run_again();
    // What the first run wrote is in the TPM from here on.
    wait_until("the log's head is measured", || {
        trial.daemon.log().contains("head is measured")
    });
    let verified = person.verify(&trial.daemon);
    let anchored = verified["anchored"]["sequence"].as_u64();
    assert!(
        anchored.is_some_and(|sequence| sequence > 40),
        "{verified:#}"
    );
    assert_eq!(verified["intact"], true, "{verified:#}");
    trial.is_well();
    stop(&mut trial);
    (trial, person)
}

fn stop(trial: &mut Trial) {
    trial.daemon.signal(Signal::SIGTERM);
    let ended = trial.daemon.wait();
    assert!(ended.success(), "{ended}: {}", trial.daemon.log());
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().flatten() {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

/// The segments, oldest first.
fn segments(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().flatten();
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "log"))
        .collect();
    paths.sort();
    paths
}

/// Runs the daemon on what became of the log, and has the auditor's command say what is wrong.
fn check(mut trial: Trial, mut person: Person, expected: &[&str]) {
    trial.daemon.run_again();
    let code = person.code();
    let verify = ["audit", "verify", "--format", "json", "--code", &code];
    let answer = run(trial.daemon.earnest().args(verify));
    assert_eq!(answer.code, AUDIT_DAMAGED, "{answer:?}");
    let told: Value = serde_json::from_str(&answer.stdout).unwrap();
    assert_eq!(told["intact"], false, "{told:#}");
    let damage = told["damage"].as_str().expect("it says what");
    for part in expected {
        assert!(damage.contains(part), "{damage}");
    }
    // Work goes on in a segment of its own, and what is gone is not forgotten once the TPM was
    // told of what came after it. People are told, too.
    trial.is_well();
    stop(&mut trial);
    trial.daemon.run_again();
    let code = person.code();
    let verify = ["audit", "verify", "--code", &code];
    let said = run(trial.daemon.earnest().args(verify));
    assert_eq!(said.code, AUDIT_DAMAGED, "{said:?}");
    assert!(said.stdout.contains("NOT WHOLE"), "{said:?}");
    trial.is_well();
}

#[test]
fn a_cut_audit_log_is_told() {
    let (trial, person) = kept();
    let folder = trial.daemon.sides.path("state/audit");
    let all = segments(&folder);
    // The end of the first run and all of the second are gone.
    let first = fs::read(&all[0]).unwrap();
    fs::write(&all[0], &first[..HEADER + 800]).unwrap();
    for later in &all[1..] {
        fs::remove_file(later).unwrap();
    }
    check(trial, person, &["entries before it are missing"]);
}

#[test]
fn a_reordered_audit_log_is_told() {
    let (trial, person) = kept();
    let folder = trial.daemon.sides.path("state/audit");
    let all = segments(&folder);
    assert!(all.len() >= 2, "{all:?}");
    let aside = folder.join("aside");
    for (from, to) in [(&all[0], &aside), (&all[1], &all[0]), (&aside, &all[1])] {
        fs::rename(from, to).unwrap();
    }
    check(trial, person, &["segment 1", "it calls itself segment 2"]);
}

#[test]
fn an_edited_audit_log_is_told() {
    let (trial, person) = kept();
    let folder = trial.daemon.sides.path("state/audit");
    let first = &segments(&folder)[0];
    let mut bytes = fs::read(first).unwrap();
    // Within some entry, behind the header.
    bytes[HEADER + 400] ^= 1;
    fs::write(first, bytes).unwrap();
    check(trial, person, &["segment 1, after entry"]);
}

#[test]
fn a_rolled_back_audit_log_is_told() {
    let (trial, person) = kept();
    let folder = trial.daemon.sides.path("state/audit");
    for segment in segments(&folder) {
        fs::remove_file(segment).unwrap();
    }
    // It is whole, and a log that there was: what the TPM has tells that it is not the newest.
    let earlier = trial.daemon.sides.path("earlier");
    let newest = segments(&earlier).pop().unwrap();
    let bytes = fs::read(&newest).unwrap();
    fs::write(&newest, &bytes[..HEADER]).unwrap();
    copy(&earlier, &folder);
    check(trial, person, &["entries before it are missing"]);
}

#[test]
fn an_audit_log_that_is_gone_is_told() {
    let (trial, person) = kept();
    fs::remove_dir_all(trial.daemon.sides.path("state/audit")).unwrap();
    check(trial, person, &["entries before it are missing"]);
}
