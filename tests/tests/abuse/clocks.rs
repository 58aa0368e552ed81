//! Clocks that jump.
//!
//! The wall clock is moved while the daemon runs, for it alone, by a library that answers in the
//! kernel's place (libfaketime). CLOCK_BOOTTIME cannot be moved under a process that runs: what
//! the kernel gives is another offset for the next one, as a reboot does. Jumps of it within a
//! run are for the crates' own tests, whose clocks are injected.

use std::fs;

use nix::sys::signal::Signal;
use nix::unistd::getuid;

use crate::crashes::has_no_gap;
use crate::earnestd::Wish;
use crate::person::Person;
use crate::trial::Trial;
use crate::wait::wait_until;

/// What answers in the kernel's place, where Debian puts it for this machine's architecture.
fn library() -> String {
    let folders = fs::read_dir("/usr/lib")
        .expect("every system has it")
        .flatten();
    let mut libraries = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1"));
    let found = libraries.find(|library| library.exists());
    let found = found.expect("faketime is installed: `cargo xtask test` does that");
    found.to_string_lossy().into_owned()
}

#[test]
fn a_wall_clock_that_jumps_both_ways_brings_nothing_to_life_and_deletes_nothing() {
    let clock = tempfile::NamedTempFile::new().expect("there is room");
    let set = |offset: &str| fs::write(clock.path(), offset).expect("there is room");
    set("+0");
    let path = clock.path().to_string_lossy().into_owned();
    let variables = [
        format!("LD_PRELOAD={}", library()),
        format!("FAKETIME_TIMESTAMP_FILE={path}"),
        "FAKETIME_NO_CACHE=1".to_owned(),
        "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
    ];
    let mut trial = Trial::of(Wish {
        started_by: [&["env".to_owned()], &variables[..]].concat(),
        ..Wish::default()
    });
    let mut person = Person::enrol(&trial.daemon);
    let token = trial.daemon.token("notes");
    let header = format!("Authorization: Bearer {token}");
    let used = person.code();
    let verify = |trial: &Trial, code: &str| {
        let curl = crate::person::with_code(&trial.daemon, code);
        curl.get("/v1/audit/verification")
    };
    assert_eq!(verify(&trial, &used).status, 200);
    let before = trial.daemon.status()["uptime_seconds"].as_u64().unwrap();
    for offset in ["+400d", "-400d", "+40d", "-20y", "+0"] {
        set(offset);
        // The lease of a token is one of CLOCK_BOOTTIME: it neither ends nor begins anew.
        let known = trial.daemon.curl_tls().header(&header).get("/v1/models");
        assert_eq!(known.status, 200, "{offset}: {known:?}");
        // A used code stays used, whatever the time.
        let replayed = verify(&trial, &used);
        assert_eq!(replayed.refusal(401), "second_factor_refused", "{offset}");
        trial.is_well();
    }
    let after = trial.daemon.status()["uptime_seconds"].as_u64().unwrap();
    assert!(after - before < 600, "from {before} to {after}");
    // Five of those codes were refused, so that the owner waits, and is let in.
    let mut last = String::new();
    wait_until("the owner is let in", || {
        last = person.code();
        verify(&trial, &last).status == 200
    });
    // Keeping for 30 days was not cut short by a jump of 400.
    let audit = person.audit(&trial.daemon);
    has_no_gap(&audit);
    assert_eq!(audit[0]["sequence"], 1, "{}", audit[0]);
    let purged = audit
        .iter()
        .any(|entry| entry["event"]["event"] == "audit_purged");
    assert!(!purged);
    trial.is_well();
}

/// Starts the daemon so many seconds away from this machine's boot.
fn from_boot(seconds: &str) -> Vec<String> {
    let mut words = vec!["unshare"];
    if !getuid().is_root() {
        words.extend(["--user", "--map-current-user"]);
    }
    words.extend(["--time", "--boottime", seconds, "--"]);
    words.into_iter().map(str::to_owned).collect()
}

#[test]
fn a_boot_clock_that_stands_elsewhere_at_each_start_shuts_nobody_out_and_lets_nobody_in() {
    let mut trial = Trial::of(Wish {
        started_by: from_boot("1000000"),
        ..Wish::default()
    });
    let mut person = Person::enrol(&trial.daemon);
    person.add_app(&trial.daemon, "honest", &["transcribe"]);
    trial.is_well();
    let used = person.code();
    let verify = |trial: &Trial, code: &str| {
        let curl = crate::person::with_code(&trial.daemon, code);
        curl.get("/v1/audit/verification")
    };
    assert_eq!(verify(&trial, &used).status, 200);
    let token = trial.daemon.token("honest");
    // Back, as a reboot has it, and ahead by three weeks, which are not the 30 days that the audit
    // log is kept: a boot that has lasted for longer is one in which as much time has passed.
    for seconds in ["0", "2000000", "100"] {
        trial.daemon.signal(Signal::SIGTERM);
        assert!(trial.daemon.wait().success(), "{}", trial.daemon.log());
        let words = from_boot(seconds);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        trial.daemon.start_by(&words);
        trial.daemon.run_again();
        trial.check("bad_token", (401, "invalid_credentials"), |daemon| {
            let curl = daemon.curl_tls();
            curl.header(&format!("Authorization: Bearer {token}"))
                .get("/v1/models")
        });
        let replayed = verify(&trial, &used);
        assert_eq!(replayed.refusal(401), "second_factor_refused");
        trial.is_well();
    }
    let verified = person.verify(&trial.daemon);
    assert_eq!(verified["intact"], true, "{verified:#}");
    let audit = person.audit(&trial.daemon);
    has_no_gap(&audit);
    assert_eq!(audit[0]["sequence"], 1, "{}", audit[0]);
}
