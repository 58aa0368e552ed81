//! Where there is no guard that could agree.

use earnest_sim::Simulator;
use earnest_wire::Switch;

use crate::client::sample;
use crate::earnestd::{Earnestd, Wish};
use crate::house::captures;
use crate::person::Person;
use crate::post::{Guarded, Post, wish};
use crate::server::Server;
use crate::sides::run;

/// How `earnest` ends where the guard is not there (`earnest --help`).
const UNGUARDED: i32 = 76;

#[test]
fn nobody_listens_without_the_guard_and_uploads_are_served() {
    let server = Server::start(16_000, 1);
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let daemon = Earnestd::start(wish(&server, &folder.path().join("nobody")));
    let mut person = Person::enrol(&daemon);
    person.add_app(&daemon, crate::house::APP, &["transcribe", "listen"]);
    let refused = daemon.curl().get("/v1/listen").refusal(503);
    assert_eq!(refused, "microphone_unguarded");
    let told = run(daemon.earnest().args(["listen"])).failure(UNGUARDED);
    assert!(told.contains("earnest guard status"), "{told}");
    let told = run(daemon.earnest().args(["guard", "status"])).failure(UNGUARDED);
    drop(told);
    assert!(captures(&daemon).is_empty());
    let report = &daemon.status()["microphone"];
    assert_eq!(report["guard"]["state"], "absent", "{report:#}");
    let answer = daemon
        .curl()
        .transcribe(&sample(), &["model=moonshine-tiny-en"])
        .json(200);
    assert!(!answer["text"].as_str().unwrap_or_default().is_empty());
}

#[test]
fn where_policy_says_so_nothing_is_served_without_the_guard() {
    let server = Server::start(16_000, 1);
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let wished = wish(&server, &folder.path().join("nobody"));
    let daemon = Earnestd::start(Wish {
        tables: format!("{}\nuploads = false", wished.tables),
        opens: false,
        ..wished
    });
    daemon.see_gate("attested");
    let refused = daemon
        .curl()
        .transcribe(&sample(), &["model=moonshine-tiny-en"])
        .refusal(503);
    assert_eq!(refused, "device_not_proven");
    let trouble = daemon.status()["trouble"].clone();
    assert!(
        trouble.as_str().is_some_and(|told| told.contains("guard")),
        "{trouble}"
    );
}

#[test]
fn a_guard_that_is_at_mute_from_the_start_lets_nobody_hear_and_shuts_nobody_out() {
    let server = Server::start(16_000, 1);
    let mut guarded = Guarded::<Simulator>::beside(&server);
    guarded.guard.slide(Switch::Muted);
    guarded.see("muted");
    let mut reader = crate::reader::Reader::events(&guarded.daemon);
    reader.wait_for("muted");
    assert!(captures(&guarded.daemon).is_empty());
    guarded.guard.slide(Switch::Open);
    reader.wait_for("unmuted");
    reader.wait_until_it_hears();
    guarded.guard.see_power(true);
    // And the audit log has it.
    let entries = guarded.person.audit(&guarded.daemon);
    for state in ["unpaired", "muted", "live"] {
        let told = |entry: &&serde_json::Value| {
            let entry = entry.to_string();
            entry.contains("\"guard\"") && entry.contains(&format!("\"{state}\""))
        };
        assert!(entries.iter().any(|entry| told(&entry)), "no {state}");
    }
}
