//! Commands from their words to the daemon's answer, with a daemon that says what it is told to.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use clap::Parser;
use serde_json::{Value, json};

use super::Command;
use crate::console::Console;
use crate::exit::Exit;
use crate::scripted::{Scripted, refusal};

/// The digits that every command here is given.
const CODE: &str = "123456";

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

impl Scripted {
    fn run(&self, words: &[&str]) -> Exit {
        run(&self.socket(), words)
    }
}

fn run(socket: &Path, words: &[&str]) -> Exit {
    let place = ["--socket", socket.to_str().unwrap()];
    let all = ["earnest"].iter().chain(words).chain(&place);
    let line = Line::try_parse_from(all).map_err(|error| error.to_string());
    super::run(&line.unwrap().command, &Console::without_bar())
}

fn app() -> Value {
    json!({
        "name": "notes", "uids": [0, 1000], "scopes": ["vad"], "commands": null,
        "limits": { "per_minute": 30, "burst": 20, "daily_sound_minutes": 600, "at_once": 2 },
        "certificates": [], "state": "active", "created": 1, "last_used": null,
    })
}

#[test]
fn an_app_is_added_with_what_was_said_and_a_code() {
    let daemon = Scripted::new(vec![(200, app())]);
    let exit = daemon.run(&[
        "app", "add", "notes", "--uid", "1000", "--uid", "root", "--uid", "1000", "--scope", "vad",
        "--rate", "30/min", "--code", CODE,
    ]);
    assert_eq!(exit, Exit::Success);
    let asked = daemon.asked();
    assert_eq!(asked.line, "POST /v1/apps HTTP/1.1");
    assert!(asked.shows(CODE));
    let expected = json!({
        "name": "notes", "uids": [0, 1000], "scopes": ["vad"], "limits": { "per_minute": 30 },
    });
    assert_eq!(asked.json(), expected);
}

#[test]
fn a_key_is_private_and_stands_beside_its_certificate() {
    let certificate = json!({
        "certificate": "C\n", "authority": "A\n", "fingerprint": "ab", "not_after": 1,
    });
    let daemon = Scripted::new(vec![(200, certificate)]);
    let out = daemon.path("out");
    let words = [
        "app",
        "cert",
        "notes",
        "--out",
        out.to_str().unwrap(),
        "--code",
        CODE,
    ];
    assert_eq!(daemon.run(&words), Exit::Success);
    let asked = daemon.asked();
    assert_eq!(asked.line, "POST /v1/apps/notes/certificates HTTP/1.1");
    let request = asked.json()["request"].as_str().unwrap().to_owned();
    assert!(request.contains("CERTIFICATE REQUEST"), "{request}");
    let mode = |name: &str| fs::metadata(out.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("key.pem"), 0o600);
    let key = fs::read_to_string(out.join("key.pem")).unwrap();
    assert!(key.contains("PRIVATE KEY") && !asked.body.contains("PRIVATE"));
    assert_eq!(fs::read(out.join("certificate.pem")).unwrap(), b"C\n");
    assert_eq!(fs::read(out.join("authority.pem")).unwrap(), b"A\n");
    // Another time nothing is written over, and nobody is asked.
    assert_eq!(daemon.run(&words), Exit::OperatorFile);
    assert_eq!(fs::read_to_string(out.join("key.pem")).unwrap(), key);
}

#[test]
fn a_key_that_is_not_certified_does_not_stay() {
    let daemon = Scripted::new(vec![(404, refusal("app_not_found"))]);
    let out = daemon.path("out");
    let words = [
        "app",
        "cert",
        "none",
        "--out",
        out.to_str().unwrap(),
        "--code",
        CODE,
    ];
    assert_eq!(daemon.run(&words), Exit::Unknown);
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
}

#[test]
fn every_action_shows_the_code_and_its_refusal_has_its_own_exit() {
    let list = "[[phrases]]\nid = \"light-on\"\nphrase = \"turn on the light\"\n";
    let check = |words: &[&str], line: &str, code: &str, exit: Exit| {
        let daemon = Scripted::new(vec![(400, refusal(code))]);
        let file = daemon.path("list.toml");
        fs::write(&file, list).unwrap();
        let file = file.to_str().unwrap();
        let words = words
            .iter()
            .map(|&word| if word == "LIST" { file } else { word });
        let words: Vec<&str> = words.chain(["--code", CODE]).collect();
        assert_eq!(daemon.run(&words), exit, "{words:?}");
        let asked = daemon.asked();
        assert_eq!(asked.line, format!("{line} HTTP/1.1"));
        assert!(asked.shows(CODE), "{words:?}");
    };
    let wrong = "second_factor_refused";
    check(
        &["app", "revoke", "a"],
        "DELETE /v1/apps/a",
        wrong,
        Exit::SecondFactor,
    );
    check(
        &["keys", "rotate"],
        "POST /v1/keys/rotate",
        "keys_unavailable",
        Exit::NotKept,
    );
    let export = ["audit", "export", "--format", "cef"];
    check(
        &export,
        "GET /v1/audit/export?format=cef",
        "invalid_credentials",
        Exit::NotAllowed,
    );
    let show = ["audit", "show", "--after", "7"];
    check(
        &show,
        "GET /v1/audit?after=7",
        "device_not_proven",
        Exit::GateClosed,
    );
    check(
        &["audit", "verify"],
        "GET /v1/audit/verification",
        wrong,
        Exit::SecondFactor,
    );
    let release = ["alerts", "release", "3"];
    check(
        &release,
        "POST /v1/alerts/3/release",
        "alert_not_found",
        Exit::Unknown,
    );
    let remove = ["commands", "remove", "k"];
    check(
        &remove,
        "DELETE /v1/command-lists/k",
        "conflict",
        Exit::Declined,
    );
    let put = ["commands", "put", "k", "LIST"];
    check(
        &put,
        "PUT /v1/command-lists/k",
        "audit_unavailable",
        Exit::NotKept,
    );
    check(
        &["open"],
        "POST /v1/browser-links",
        "rate_limited",
        Exit::Limited,
    );
    check(
        &["operator", "enrol"],
        "POST /v1/operators/enrol",
        wrong,
        Exit::SecondFactor,
    );
}

#[test]
fn muting_takes_no_code_and_unmuting_does() {
    let daemon = Scripted::new(vec![(200, json!({})), (200, json!({}))]);
    assert_eq!(daemon.run(&["microphone", "mute"]), Exit::Success);
    let asked = daemon.asked();
    assert_eq!(asked.line, "PUT /v1/microphone HTTP/1.1");
    assert_eq!(asked.json(), json!({ "muted": true }));
    assert!(!asked.shows(CODE));
    let unmute = ["microphone", "unmute", "--code", CODE];
    assert_eq!(daemon.run(&unmute), Exit::Success);
    let asked = daemon.asked();
    assert_eq!(asked.json(), json!({ "muted": false }));
    assert!(asked.shows(CODE));
}

#[test]
fn the_microphone_its_devices_and_captions_are_asked_for() {
    let check = |words: &[&str], line: &str, answer: Value| {
        let daemon = Scripted::new(vec![
            (200, answer),
            (403, refusal("insufficient_scope")),
            (409, refusal("microphone_disabled")),
        ]);
        assert_eq!(daemon.run(words), Exit::Success, "{words:?}");
        let asked = daemon.asked();
        assert_eq!(asked.line, format!("{line} HTTP/1.1"));
        assert!(!asked.shows(CODE), "{words:?}");
        assert_eq!(daemon.run(words), Exit::NotAllowed, "{words:?}");
        assert_eq!(daemon.run(words), Exit::MicrophoneDisabled, "{words:?}");
        asked.body
    };
    let report = json!({ "enabled": true, "state": "off", "muted": false, "listeners": [] });
    check(&["microphone"], "GET /v1/microphone", report);
    let devices = json!({ "devices": [{ "name": "hw:0" }] });
    check(&["devices"], "GET /v1/microphone/devices", devices);
    let link = json!({ "url": "https://127.0.0.1:1/open?code=a", "expires_in": 60 });
    let body = check(&["open", "--captions"], "POST /v1/browser-links", link);
    assert_eq!(body, r#"{"purpose":"captions"}"#);
}

#[test]
fn who_has_several_apps_says_which_of_them_listens() {
    let check = |words: &[&str], line: &str, answer: Value| {
        let token = json!({ "token": "a-token", "app": "desk", "expires_in": 300 });
        let daemon = Scripted::new(vec![(200, token), (200, answer)]);
        assert_eq!(daemon.run(words), Exit::Success, "{words:?}");
        assert_eq!(daemon.asked().json()["scopes"], json!(["listen"]));
        let asked = daemon.asked();
        assert_eq!(asked.line, format!("{line} HTTP/1.1"));
        let bearer = "authorization: bearer a-token".to_owned();
        assert!(asked.headers.contains(&bearer), "{:?}", asked.headers);
    };
    let link = json!({ "url": "https://127.0.0.1:1/open?code=a", "expires_in": 60 });
    let captions = ["open", "--captions", "--app", "desk"];
    check(&captions, "POST /v1/browser-links", link);
    let mute = ["microphone", "mute", "--app", "desk"];
    check(&mute, "PUT /v1/microphone", json!({}));
}

#[test]
fn a_log_that_is_not_whole_ends_the_command_with_a_code_of_its_own() {
    let answer = |intact: bool| {
        json!({
            "intact": intact, "entries": 1, "segments": 1, "head": null, "anchored": null,
            "damage": null,
        })
    };
    let daemon = Scripted::new(vec![(200, answer(true)), (200, answer(false))]);
    let words = ["audit", "verify", "--code", CODE];
    assert_eq!(daemon.run(&words), Exit::Success);
    assert_eq!(daemon.run(&words), Exit::AuditDamaged);
}

#[test]
fn a_token_is_asked_for_with_the_scopes_that_were_said() {
    let token = json!({ "token": "a.b.c", "app": "notes", "expires_in": 300 });
    let daemon = Scripted::new(vec![(200, token.clone()), (200, token)]);
    assert_eq!(daemon.run(&["token", "--app", "notes"]), Exit::Success);
    assert_eq!(daemon.asked().json(), json!({ "app": "notes" }));
    let words = [
        "token",
        "--app",
        "notes",
        "--scope",
        "vad",
        "--audience",
        "earnest:a",
    ];
    assert_eq!(daemon.run(&words), Exit::Success);
    let expected = json!({ "app": "notes", "scopes": ["vad"], "audience": "earnest:a" });
    assert_eq!(daemon.asked().json(), expected);
}

#[test]
fn an_unknown_app_is_not_shown() {
    let daemon = Scripted::new(vec![(200, json!({ "apps": [app()] }))]);
    assert_eq!(daemon.run(&["app", "show", "other"]), Exit::Unknown);
}

#[test]
fn a_list_that_is_none_asks_nobody() {
    let daemon = Scripted::new(Vec::new());
    let file = daemon.path("list.toml");
    fs::write(&file, "phrases = []").unwrap();
    let words = [
        "commands",
        "put",
        "k",
        file.to_str().unwrap(),
        "--code",
        CODE,
    ];
    assert_eq!(daemon.run(&words), Exit::OperatorFile);
    assert!(!daemon.was_asked());
}

#[test]
fn without_a_daemon_nobody_is_asked_for_a_code() {
    let nowhere = Path::new("/nonexistent/earnest.sock");
    assert_eq!(run(nowhere, &["keys", "rotate"]), Exit::NoDaemon);
    assert_eq!(run(nowhere, &["alerts"]), Exit::NoDaemon);
    assert_eq!(run(nowhere, &["report", "transparency"]), Exit::NoDaemon);
    assert_eq!(run(nowhere, &["access", "review"]), Exit::NoDaemon);
}

#[test]
fn what_makes_no_sense_is_no_command() {
    for words in [
        &["app", "add", "notes", "--scope", "vad"][..],
        &["app", "add", "notes", "--uid", "0"],
        &["app", "add", "notes", "--uid", "0", "--scope", "operate"],
        &["app", "add", "No Name", "--uid", "0", "--scope", "vad"],
        &[
            "app",
            "add",
            "notes",
            "--uid",
            "0",
            "--scope",
            "vad",
            "--at-once",
            "0",
        ],
        &["keys", "rotate", "--which", "everything"],
        &["keys", "rotate", "--code", "12345"],
        &["keys", "rotate", "--code", CODE, "--code-file", "-"],
        &["microphone", "close"],
        &["microphone", "mute", "--code", CODE],
        &["open", "--captions", "--code", CODE],
        &["audit", "export"],
        &["audit", "show", "--after", "-1"],
        &["report", "transparency", "--format", "html"],
    ] {
        let all = ["earnest"].iter().chain(words);
        assert!(Line::try_parse_from(all).is_err(), "{words:?}");
    }
}
