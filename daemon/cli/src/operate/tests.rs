//! Commands from their words to the daemon's answer, with a daemon that says what it is told to.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};

use super::Command;
use crate::console::Console;
use crate::exit::Exit;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// The digits that every command here is given.
const CODE: &str = "123456";

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

/// What a command asked.
struct Asked {
    line: String,
    headers: Vec<String>,
    body: String,
}

impl Asked {
    fn read(stream: &UnixStream) -> Asked {
        let mut lines = BufReader::new(stream);
        let mut next = || {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        };
        let line = next();
        let headers: Vec<String> = std::iter::from_fn(|| Some(next()))
            .take_while(|line| !line.is_empty())
            .map(|line| line.to_ascii_lowercase())
            .collect();
        let length = headers.iter().find_map(|header| {
            let length = header.strip_prefix("content-length: ")?;
            length.parse::<usize>().ok()
        });
        let mut body = vec![0; length.unwrap_or(0)];
        lines.read_exact(&mut body).unwrap();
        Asked {
            line,
            headers,
            body: String::from_utf8(body).unwrap(),
        }
    }

    fn shows_code(&self) -> bool {
        let expected = format!("earnest-second-factor: {CODE}");
        self.headers.contains(&expected)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A daemon that gives these answers, one a connection, and tells what it was asked.
struct Scripted {
    folder: tempfile::TempDir,
    asked: Receiver<Asked>,
}

impl Scripted {
    fn new(answers: Vec<(u16, Value)>) -> Scripted {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("earnest.sock")).unwrap();
        let (tell, asked) = channel();
        thread::spawn(move || {
            for (status, answer) in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = tell.send(Asked::read(&stream));
                let body = answer.to_string();
                let head = format!(
                    "HTTP/1.1 {status} \r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all(format!("{head}{body}").as_bytes());
            }
        });
        Scripted { folder, asked }
    }

    fn run(&self, words: &[&str]) -> Exit {
        let socket = self.folder.path().join("earnest.sock");
        run(&socket, words)
    }

    fn asked(&self) -> Asked {
        self.asked.recv_timeout(PATIENCE).unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn run(socket: &Path, words: &[&str]) -> Exit {
    let place = ["--socket", socket.to_str().unwrap()];
    let all = ["earnest"].iter().chain(words).chain(&place);
    let line = Line::try_parse_from(all).map_err(|error| error.to_string());
    super::run(&line.unwrap().command, &Console::without_bar())
}

fn refusal(code: &str) -> Value {
    json!({ "error": { "message": "No.", "type": "invalid_request_error", "param": null, "code": code } })
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
    assert!(asked.shows_code());
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
        assert!(asked.shows_code(), "{words:?}");
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
    assert!(daemon.asked.try_recv().is_err());
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
        &["audit", "export"],
        &["audit", "show", "--after", "-1"],
        &["report", "transparency", "--format", "html"],
    ] {
        let all = ["earnest"].iter().chain(words);
        assert!(Line::try_parse_from(all).is_err(), "{words:?}");
    }
}
