//! The daemon killed in the middle of what it does: what it acknowledged is in the audit log.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;

use serde_json::Value;

use crate::client::{SAID, sample};
use crate::earnestd::Wish;
use crate::person::Person;
use crate::raw::KeptAlive;
use crate::trial::{NOBODY_WATCHES, Trial};
use crate::wait::wait_until;

/// Times that the daemon is killed.
const ROUNDS: usize = 4;

/// Clients at once. Each answer that they get was written down before.
const CLIENTS: usize = 4;

/// The requests that the audit log has.
pub(crate) fn requests(audit: &[Value]) -> BTreeSet<String> {
    let ids = audit.iter().filter_map(|entry| entry["request"].as_str());
    ids.map(str::to_owned).collect()
}

/// The numbers of a log's entries go up one by one.
pub(crate) fn has_no_gap(audit: &[Value]) {
    let numbers: Vec<u64> = audit
        .iter()
        .map(|entry| entry["sequence"].as_u64().expect("a number"))
        .collect();
    for pair in numbers.windows(2) {
        assert_eq!(pair[0] + 1, pair[1], "an entry is missing");
    }
    let unreadable = audit
        .iter()
        .find(|entry| entry["event"]["event"] == "unreadable");
    assert_eq!(unreadable, None);
}

#[test]
fn what_was_acknowledged_is_in_the_audit_log_after_a_kill_in_the_middle_of_a_write() {
    let mut trial = Trial::of(Wish {
        tables: NOBODY_WATCHES.to_owned(),
        ..Wish::default()
    });
    let mut person = Person::enrol(&trial.daemon);
    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        let token = trial.daemon.token("notes");
        let renew = format!("POST /v1/token/renew HTTP/1.1\r\nauthorization: Bearer {token}");
        let seen = Mutex::new(BTreeSet::new());
        let mut clients: Vec<KeptAlive> = (0..CLIENTS)
            .map(|_| KeptAlive::connect(&trial.daemon))
            .collect();
        thread::scope(|scope| {
            for client in &mut clients {
                scope.spawn(|| {
                    while let Some((200, id, _)) = client.ask(&renew) {
                        seen.lock().unwrap().insert(id);
                    }
                });
            }
            // The kill comes in the middle of some write, and not always of the same one.
            let enough = 50 + 37 * round;
            wait_until("there is much to write", || {
                seen.lock().unwrap().len() >= enough
            });
            trial.daemon.kill();
        });
        acknowledged.extend(seen.into_inner().unwrap());
        trial.daemon.run_again();
    }
    let audit = person.audit(&trial.daemon);
    has_no_gap(&audit);
    let written = requests(&audit);
    let lost: Vec<&String> = acknowledged.difference(&written).collect();
    assert!(lost.is_empty(), "{lost:?} of {}", acknowledged.len());
    assert!(acknowledged.len() >= ROUNDS * 50);
    let verified = person.verify(&trial.daemon);
    assert_eq!(verified["intact"], true, "{verified:#}");
    assert_eq!(trial.daemon.count("audit_damaged"), 0);
    trial.is_well();
}

#[test]
fn a_request_that_a_kill_broke_off_is_in_the_audit_log_with_its_beginning() {
    let mut trial = Trial::usual();
    let mut person = Person::enrol(&trial.daemon);
    let curl = trial.daemon.curl_of("notes");
    let mut stream = curl.stream("/v1/audio/stream?rate=16000&channels=1", "audio/pcm");
    let pcm = crate::client::pcm();
    stream.send(&pcm[..3 * 32_000]);
    let first = stream.next(&[0; 3200]).expect("the worker says something");
    assert_eq!(first["type"], "speech_started", "{first}");
    trial.daemon.kill();
    // Whoever asked sees that it is over.
    stream.end();
    assert!(stream.rest().iter().all(|line| line["type"] != "done"));
    trial.daemon.run_again();
    let audit = person.audit(&trial.daemon);
    has_no_gap(&audit);
    // Programs of a user go by the user's name for them.
    let app = format!("uid-{}.notes", nix::unistd::getuid().as_raw());
    let of = |kind: &str| {
        let events = audit.iter().map(|entry| &entry["event"]);
        let transcripts = events.filter(|event| {
            event["event"] == kind && event["scope"] == "transcribe" && event["app"] == app
        });
        transcripts.count()
    };
    assert_eq!(
        (of("request_begun"), of("request_ended")),
        (1, 0),
        "{audit:#?}"
    );
    let verified = person.verify(&trial.daemon);
    assert_eq!(verified["intact"], true, "{verified:#}");
    let served = trial
        .daemon
        .curl()
        .transcribe(&sample(), &["model=whisper-1"]);
    assert_eq!(served.json(200)["text"], SAID);
    trial.is_well();
}
