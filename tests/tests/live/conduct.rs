//! Who listens is seen, whoever mutes is obeyed, and a closed gate closes the microphone.

use std::time::Duration;

use crate::curl::Reply;
use crate::device::{BOOT_PCR, extend};
use crate::earnestd::Earnestd;
use crate::house::{APP, captures, listening};
use crate::person::with_code;
use crate::reader::Reader;
use crate::server::Server;
use crate::sides::run;
use crate::wait::{wait_until, wait_within};

/// What is promised from a change to a closed gate (DESIGN.md, "The gate").
const CLOSED_WITHIN: Duration = Duration::from_secs(2);

/// What the audit log says of the microphone itself.
const AUDITED: [&str; 2] = ["microphone_opened", "microphone_closed"];

fn mute(daemon: &Earnestd, muted: bool, code: Option<&str>) -> Reply {
    let curl = match code {
        Some(code) => with_code(daemon, code),
        None => daemon.curl(),
    };
    let curl = curl.args(&["--request", "PUT"]);
    curl.post_json("/v1/microphone", &format!("{{\"muted\":{muted}}}"))
}

fn is_closed(daemon: &Earnestd, server: &Server) -> bool {
    captures(daemon).is_empty() && server.recorders() == 0
}

#[test]
fn who_listens_is_seen_and_muting_closes_the_microphone() {
    let server = Server::start(16_000, 1);
    let (daemon, mut person) = listening(server.wish());
    assert!(is_closed(&daemon, &server), "nobody listens");
    let mut reader = Reader::earnest(&daemon);
    reader.wait_until_it_hears();
    assert_eq!((captures(&daemon).len(), server.recorders()), (1, 1));

    let said = run(daemon.earnest().arg("status")).success();
    for expected in [
        "the microphone is OPEN",
        "notes of uid",
        "reads all that is said",
    ] {
        assert!(said.contains(expected), "no {expected} in {said}");
    }
    let status = &daemon.status()["microphone"];
    assert_eq!(status["state"], "open", "{status:#}");
    assert_eq!(status["listeners"][0]["app"], APP, "{status:#}");
    let page = daemon.curl().get("/");
    let page = page.text(200);
    assert!(
        page.contains(APP) && page.contains("all that is said, for"),
        "{page}"
    );

    assert_eq!(mute(&daemon, true, None).status, 204);
    reader.wait_for("muted");
    wait_until("the microphone is closed", || is_closed(&daemon, &server));
    let refused = mute(&daemon, false, None);
    assert_eq!(refused.refusal(401), "second_factor_required");
    assert!(is_closed(&daemon, &server));
    let code = person.code();
    assert_eq!(mute(&daemon, false, Some(&code)).status, 204);
    reader.wait_for("unmuted");
    reader.wait_until_it_hears();
    reader.end();
    wait_until("the microphone is closed", || is_closed(&daemon, &server));
    let status = &daemon.status()["microphone"];
    assert_eq!(status["listeners"], serde_json::json!([]), "{status:#}");
}

#[test]
fn a_gate_that_closes_ends_all_listening_and_the_audit_log_has_who_listened() {
    let server = Server::start(16_000, 1);
    let (daemon, mut person) = listening(server.wish());
    let mut first = Reader::events(&daemon);
    first.wait_until_it_hears();
    first.end();
    wait_until("the microphone is closed", || is_closed(&daemon, &server));
    let mut readers = [Reader::events(&daemon), Reader::websocket(&daemon)];
    for reader in &mut readers {
        reader.wait_until_it_hears();
    }
    let audit = person.audit(&daemon);
    // Three began to listen, and one of them has ended.
    let of_app = |kind: &str| {
        let events = audit.iter().map(|entry| &entry["event"]);
        let of_app = events.filter(|event| event["event"] == kind && event["app"] == APP);
        of_app.filter(|event| event["scope"] == "listen").count()
    };
    assert_eq!((of_app("request_begun"), of_app("request_ended")), (3, 1));
    for expected in AUDITED {
        let is_there = audit
            .iter()
            .any(|entry| entry["event"]["event"] == expected);
        assert!(is_there, "no {expected} in {audit:#?}");
    }

    extend(&daemon.sides, BOOT_PCR);
    wait_within(CLOSED_WITHIN, "the microphone is closed", || {
        captures(&daemon).is_empty().then_some(())
    });
    for reader in &mut readers {
        let error = reader.wait_for("error");
        assert_eq!(error["error"]["code"], "device_not_proven", "{error:#}");
        assert_eq!(reader.next(), None);
    }
    wait_until("nothing records", || server.recorders() == 0);
}
