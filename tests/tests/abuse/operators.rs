//! What operators do, tried without the second factor, with an old one, and with guesses.

use std::time::Instant;

use crate::curl::Reply;
use crate::earnestd::{Earnestd, Wish};
use crate::person::{Person, with_code};
use crate::trial::{NOBODY_WATCHES, Trial};
use crate::wait::wait_until;

const APP: &str = "{\"name\":\"mine\",\"uids\":[4711],\"scopes\":[\"transcribe\"]}";

/// Everything that takes a second factor: method, path, body.
const ACTIONS: [(&str, &str, &str); 13] = [
    ("POST", "/v1/apps", APP),
    ("DELETE", "/v1/apps/mine", ""),
    ("POST", "/v1/apps/mine/certificates", "{\"request\":\"\"}"),
    ("PUT", "/v1/command-lists/lights", "{\"phrases\":[]}"),
    ("DELETE", "/v1/command-lists/lights", ""),
    (
        "POST",
        "/v1/keys/rotate",
        "{\"which\":\"all\",\"now\":true}",
    ),
    ("POST", "/v1/alerts/1/release", ""),
    ("POST", "/v1/browser-links", ""),
    ("GET", "/v1/audit", ""),
    ("GET", "/v1/audit/verification", ""),
    ("GET", "/v1/audit/export?format=ocsf", ""),
    ("GET", "/v1/audit/export?format=cef", ""),
    ("POST", "/v1/operators/enrol", ""),
];

fn act(daemon: &Earnestd, (method, path, body): (&str, &str, &str), code: Option<&str>) -> Reply {
    let curl = match code {
        Some(code) => with_code(daemon, code),
        None => daemon.curl(),
    };
    let curl = curl.args(&["--request", method]);
    match body {
        "" => curl.get(path),
        body => curl.post_json(path, body),
    }
}

#[test]
fn an_operator_action_without_its_second_factor_is_refused() {
    let mut trial = Trial::of(Wish {
        tables: NOBODY_WATCHES.to_owned(),
        ..Wish::default()
    });
    let required = (401, "second_factor_required");
    // Before there is a second factor, and once there is one.
    for enrolled in [false, true] {
        if enrolled {
            Person::enrol(&trial.daemon);
        }
        for action in ACTIONS {
            // Whoever has none yet may take one.
            if !enrolled && action.1 == "/v1/operators/enrol" {
                continue;
            }
            trial.check("second_factor_required", required, |daemon| {
                act(daemon, action, None)
            });
        }
    }
    assert_eq!(
        trial.daemon.curl().get("/v1/apps").json(200)["apps"],
        serde_json::json!([])
    );
    assert_eq!(trial.daemon.count("keys_rotated"), 0);
    trial.is_well();
}

#[test]
fn a_replayed_second_factor_is_refused_also_after_a_crash() {
    let mut trial = Trial::usual();
    let mut person = Person::enrol(&trial.daemon);
    let code = person.code();
    let first = act(&trial.daemon, ACTIONS[9], Some(&code));
    assert_eq!(first.status, 200, "{first:?}");
    let refused = (401, "second_factor_refused");
    trial.check("second_factor_refused", refused, |daemon| {
        act(daemon, ACTIONS[9], Some(&code))
    });
    // For another action, too.
    trial.check("second_factor_refused", refused, |daemon| {
        act(daemon, ACTIONS[0], Some(&code))
    });
    trial.daemon.kill();
    trial.daemon.run_again();
    trial.check("second_factor_refused", refused, |daemon| {
        act(daemon, ACTIONS[9], Some(&code))
    });
    let fresh = person.code();
    let again = act(&trial.daemon, ACTIONS[9], Some(&fresh));
    assert_eq!(again.status, 200, "{again:?}");
    trial.is_well();
}

/// Codes that are judged before the door closes, and how long it stays closed at first.
const FREE_GUESSES: u64 = 5;
const FIRST_LOCK_SECONDS: u64 = 30;

#[test]
fn who_guesses_codes_is_locked_out_after_five_and_the_owner_gets_in_again() {
    let mut trial = Trial::usual();
    let mut person = Person::enrol(&trial.daemon);
    let wrong = person.wrong_code();
    let since = Instant::now();
    let mut bodies = Vec::new();
    for _ in 0..FREE_GUESSES {
        trial.check(
            "second_factor_refused",
            (401, "second_factor_refused"),
            |daemon| {
                let reply = act(daemon, ACTIONS[0], Some(&wrong));
                bodies.push(reply.json(401)["error"]["message"].clone());
                reply
            },
        );
    }
    // From here on no code is judged, be it the right one. Who guesses is not told.
    let right = person.code();
    for code in [&wrong, &right] {
        trial.check("locked", (401, "second_factor_refused"), |daemon| {
            let reply = act(daemon, ACTIONS[0], Some(code));
            bodies.push(reply.json(401)["error"]["message"].clone());
            reply
        });
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    // A restart does not open the door.
    trial.daemon.kill();
    trial.daemon.run_again();
    let still_locked = act(&trial.daemon, ACTIONS[0], Some(&wrong));
    assert_eq!(still_locked.refusal(401), "second_factor_refused");
    let apps = trial.daemon.curl().get("/v1/apps").json(200);
    assert_eq!(apps["apps"], serde_json::json!([]));
    trial.is_well();
    // The owner waits, and is let in.
    wait_until("the owner is let in", || {
        let code = person.code();
        act(&trial.daemon, ACTIONS[9], Some(&code)).status == 200
    });
    assert!(since.elapsed().as_secs() >= FIRST_LOCK_SECONDS);
    trial.is_well();
}
