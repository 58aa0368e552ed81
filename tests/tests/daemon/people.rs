//! The command for people, with a daemon and without.

use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::client::{SAID, pcm, sample, with_input};
use crate::device::{BOOT_PCR, extend};
use crate::earnestd::Earnestd;
use crate::sides::{Answer, run};
use crate::support::models;

/// The command's exit codes (`earnest --help`).
const NO_DAEMON: i32 = 60;
const GATE_CLOSED: i32 = 62;
const SOMETHING_WRONG: i32 = 66;
const NO_COMMAND: i32 = 127;

fn earnest(daemon: &Earnestd, arguments: &[&str]) -> Answer {
    run(daemon.earnest().args(arguments))
}

/// The grades of the doctor's findings about something.
fn grades(report: &str, about: &str) -> Vec<String> {
    let report: Value = serde_json::from_str(report).expect("it says JSON");
    let findings = report["findings"].as_array().expect("it has findings");
    let found = findings.iter().filter(|one| one["about"] == about);
    found
        .map(|one| one["grade"].as_str().unwrap_or_default().to_owned())
        .collect()
}

#[test]
fn status_and_doctor_tell_people_how_the_daemon_fares() {
    let mut daemon = Earnestd::usual();
    let configuration = daemon.sides.text("earnestd.toml");
    let examine = ["doctor", "--format", "json", "--config", &configuration];

    let said = earnest(&daemon, &["status"]).success();
    for expected in [
        "open (attested)",
        "local",
        "Landlock",
        &format!(":{}", daemon.port()),
    ] {
        assert!(said.contains(expected), "no {expected} in {said}");
    }
    let told = earnest(&daemon, &["status", "--format", "json"]).success();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["gate"]["open"], true, "{told:#}");
    let report = earnest(&daemon, &examine).stdout;
    for about in [
        "configuration",
        "device",
        "policy",
        "daemon",
        "gate",
        "this user",
    ] {
        assert_eq!(grades(&report, about), ["ok"], "{about} in {report}");
    }
    assert_eq!(grades(&report, "sealed model"), ["ok", "ok"], "{report}");

    extend(&daemon.sides, BOOT_PCR);
    daemon.see_gate("closed");
    let said = earnest(&daemon, &["status"]).success();
    assert!(said.contains("CLOSED"), "{said}");
    let report = earnest(&daemon, &examine).failure_with_report();
    assert_eq!(grades(&report, "gate"), ["wrong"], "{report}");
    let path = sample();
    let asked = ["transcribe", "--daemon", path.to_str().unwrap()];
    let said = earnest(&daemon, &asked).failure(GATE_CLOSED);
    assert!(said.contains("earnest status"), "{said}");

    daemon.signal(Signal::SIGTERM);
    assert!(daemon.wait().success());
    earnest(&daemon, &["status"]).failure(NO_DAEMON);
    earnest(&daemon, &asked).failure(NO_DAEMON);
    let report = earnest(&daemon, &examine).failure_with_report();
    assert_eq!(grades(&report, "daemon"), ["wrong"], "{report}");
}

#[test]
fn the_daemon_writes_to_the_byte_what_the_command_writes_on_its_own() {
    let daemon = Earnestd::usual();
    let path = sample();
    let path = path.to_str().unwrap();
    for format in ["text", "json", "srt", "vtt"] {
        let asked = ["transcribe", "--format", format, path];
        let by_daemon = earnest(&daemon, &asked).success();
        let own = run(daemon
            .earnest()
            .args(asked)
            .arg("--local")
            .env("EARNEST_MODELS", models()));
        assert_eq!(by_daemon, own.success(), "{format}");
    }
    let asked = ["transcribe", "--format", "verbose-json", "--words", path];
    let told: Value = serde_json::from_str(&earnest(&daemon, &asked).success()).unwrap();
    let words = told["words"].as_array().unwrap().iter();
    let words: Vec<&str> = words.map(|word| word["word"].as_str().unwrap()).collect();
    assert_eq!(words.join(" "), SAID);

    let mut raw = daemon.earnest();
    raw.args(["transcribe", "--rate", "16000", "-"]);
    let heard = with_input(&mut raw, pcm());
    assert_eq!(heard.trim(), SAID);
    assert_eq!(daemon.count("gate_closed"), 0);
    // Each of the daemon's was its own to hear.
    assert!(daemon.count("sound_milliseconds") >= 6 * 9_900);
}

#[test]
fn run_ends_as_its_command_does_and_gives_it_what_a_client_needs() {
    let daemon = Earnestd::usual();
    let ended = |script: &str| {
        earnest(
            &daemon,
            &["run", "--app", "notes", "--", "sh", "-c", script],
        )
    };
    assert_eq!(ended("exit 7").code, 7);
    assert_eq!(ended("kill -TERM $$").code, 128 + 15);
    let nothing = ["run", "--app", "notes", "--", "no-such-program-here"];
    assert_eq!(earnest(&daemon, &nothing).code, NO_COMMAND);
    let script = "exec curl --silent --fail --header \"Authorization: Bearer $OPENAI_API_KEY\" \
                  \"$OPENAI_BASE_URL/models\"";
    let list: Value = serde_json::from_str(&ended(script).success()).unwrap();
    assert_eq!(list["object"], "list");
    // Where the system's certificates stay trusted, the daemon's is, too.
    let keep = [
        "run",
        "--app",
        "notes",
        "--keep-system-roots",
        "--",
        "sh",
        "-c",
    ];
    let list = earnest(&daemon, &[&keep[..], &[script]].concat()).success();
    assert!(list.contains("\"list\""), "{list}");
    // Nobody of another name gets a token.
    let wrong = ["run", "--app", "No Such Name", "--", "true"];
    assert_eq!(earnest(&daemon, &wrong).code, 2);
    assert_eq!(daemon.status()["live_tokens"], 0);
}

#[test]
fn without_a_daemon_the_command_says_so() {
    let nowhere = ["--socket", "/nonexistent/earnest.sock"];
    for verb in [&["status"][..], &["run", "--app", "notes"]] {
        let mut command = Command::new(crate::support::program("earnest"));
        command.args(verb).args(nowhere).stdin(Stdio::null());
        if verb[0] == "run" {
            command.args(["--", "true"]);
        }
        let said = run(&mut command).failure(NO_DAEMON);
        assert!(said.contains("/nonexistent/earnest.sock"), "{said}");
    }
}

impl Answer {
    /// What the doctor reported where it found something wrong.
    fn failure_with_report(self) -> String {
        assert_eq!(self.code, SOMETHING_WRONG, "{self:?}");
        self.stdout
    }
}
