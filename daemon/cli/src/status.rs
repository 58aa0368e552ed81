//! `earnest status`: how the daemon fares, as it says itself.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use earnest_endpoint::shapes::{AlertEntry, MicrophoneReport};
use earnest_endpoint::{StatusReport, WorkersReport};
use earnest_gate::{GateState, ModeName, Standing, Status};
use earnest_printable::{describe, printable};

use crate::console::Console;
use crate::daemon::{Daemon, DaemonError, Place};
use crate::exit::Exit;
use crate::explain;
use crate::operate::{alert_line, microphone_lines};
use crate::output;

/// The last events that are told to a person. All are in the json format.
const EVENTS: usize = 8;

/// The gravest alerts that are told to a person. All are in the json format.
const ALERTS: usize = 5;

/// Digits of a digest that tell it from others.
const DIGITS: usize = 16;

/// What `earnest status` was asked.
#[derive(Debug, Clone, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    place: Place,
    /// How to say it.
    #[arg(long, value_enum, default_value_t = SaidAs::Text)]
    format: SaidAs,
}

/// How something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SaidAs {
    /// In plain words.
    #[value(alias = "plain")]
    Text,
    /// As one JSON object.
    Json,
}

/// Asks, and says what was answered.
pub(crate) fn status(arguments: &Arguments, console: &Console) -> Exit {
    match asked(arguments) {
        Ok(said) => output::say(&said, console),
        Err((note, error)) => {
            let note = note.unwrap_or_default();
            console.say(&format!("earnest: {note}{}", describe(&error)));
            error.exit()
        }
    }
}

/// What is said, or why nothing is, with what is known all the same.
fn asked(arguments: &Arguments) -> Result<String, (Option<&'static str>, DaemonError)> {
    let daemon = Daemon::at(arguments.place.path()).map_err(|error| (None, error))?;
    match daemon.ask(daemon.client().status()) {
        Ok(report) => Ok(match arguments.format {
            SaidAs::Text => text(&report, SystemTime::now()),
            SaidAs::Json => output::json(&report),
        }),
        Err(DaemonError::NotAllowed) => {
            // Up or down is told to anybody.
            let note = match daemon.ask(daemon.client().is_up()) {
                Ok(true) => Some("the daemon is up; this user is no operator: "),
                Ok(false) => Some("the daemon serves nobody; this user is no operator: "),
                Err(_) => None,
            };
            Err((note, DaemonError::NotAllowed))
        }
        Err(error) => Err((None, error)),
    }
}

/// The report in plain words. `now` is for times of the day.
fn text(report: &StatusReport, now: SystemTime) -> String {
    let mut lines: Vec<(&str, String)> = alerts(&report.alerts);
    lines.push(("gate", explain::gate(&report.gate)));
    if let Some(left) = report.gate.seconds_left {
        let until = explain::until(Duration::from_secs(left), now);
        lines.push(match report.gate.state {
            GateState::Grace => (
                "",
                format!("GRACE: the fleet's result has expired; {until}"),
            ),
            _ => ("", format!("the fleet's result holds for {until}")),
        });
    }
    if !report.gate.open {
        if let Some(trouble) = &report.trouble {
            lines.push(("", format!("in the way: {trouble}")));
        }
        let to_do = explain::to_do(report.gate.reason, report.trouble.as_deref());
        lines.push(("", format!("to do: {to_do}")));
    }
    lines.push(("mode", mode(&report.gate)));
    lines.push(("proven", proven(&report.gate)));
    lines.push(("sandbox", sandbox(report.sandbox.as_deref())));
    lines.push(("workers", workers(report.workers.as_ref())));
    lines.push(("model", report.model.clone()));
    lines.extend(heard(report.microphone.as_ref()));
    let mut name = "listens";
    for place in &report.listeners {
        lines.push((name, place.clone()));
        name = "";
    }
    let up = explain::span(Duration::from_secs(report.uptime_seconds));
    lines.push(("daemon", format!("version {}, up for {up}", report.version)));
    lines.extend(counts(report));
    let mut name = "last";
    let skipped = report.events.len().saturating_sub(EVENTS);
    for event in &report.events[skipped..] {
        lines.push((name, event.clone()));
        name = "";
    }
    lines.iter().fold(String::new(), |mut said, (name, value)| {
        // The daemon's word is not trusted with a terminal either.
        let _ = writeln!(said, "{name:<9} {}", printable(value));
        said
    })
}

/// What stands, the gravest first. Nothing where nothing does.
fn alerts(alerts: &[AlertEntry]) -> Vec<(&'static str, String)> {
    let shown = alerts.iter().take(ALERTS);
    let mut lines: Vec<_> = shown.map(|alert| ("ALERT", alert_line(alert))).collect();
    if let Some(more @ 1..) = alerts.len().checked_sub(ALERTS) {
        lines.push(("", format!("and {more} more")));
    }
    if !alerts.is_empty() {
        let to_do = "to do: earnest alerts, and earnest alerts release ID if all is well";
        lines.push(("", to_do.to_owned()));
    }
    lines
}

fn mode(gate: &Status) -> String {
    match gate.mode {
        ModeName::Local => "local: that this device's own TPM unseals the model is all the proof; \
                            no fleet vouches for it"
            .to_owned(),
        ModeName::Fleet => {
            let grace = match gate.grace_seconds {
                0 => "no time of grace".to_owned(),
                seconds => format!("{} of grace", explain::span(Duration::from_secs(seconds))),
            };
            format!("fleet: a verifier must vouch for this device; {grace} after its result")
        }
    }
}

fn proven(gate: &Status) -> String {
    let mut proven = Vec::new();
    if let Some(package) = &gate.package {
        let digits: String = package.chars().take(DIGITS).collect();
        proven.push(format!("the TPM unsealed the model (package {digits})"));
    }
    if gate.answered {
        proven.push("the model gave its known answers".to_owned());
    }
    match gate.standing {
        Some(Standing::Affirming) => proven.push("the fleet's verifier vouches for it".to_owned()),
        Some(Standing::Warning) => {
            proven.push("the fleet's verifier vouches for it, with a warning".to_owned());
        }
        None => {}
    }
    match proven.is_empty() {
        true => "nothing now".to_owned(),
        false => proven.join("; "),
    }
}

fn sandbox(told: Option<&str>) -> String {
    told.map_or_else(
        || "not known yet: no worker has run".to_owned(),
        str::to_owned,
    )
}

fn workers(told: Option<&WorkersReport>) -> String {
    let Some(workers) = told else {
        return "none, and no weights in memory".to_owned();
    };
    let WorkersReport {
        processes,
        warm,
        idle,
        working,
        most,
        waiting,
        failures,
    } = workers;
    let mut said = format!(
        "{processes} running: {working} at work of at most {most}, {idle} of an app and idle, \
         {warm} ready for another"
    );
    if *waiting > 0 {
        let _ = write!(said, "; {waiting} requests wait for one");
    }
    if *failures > 0 {
        let _ = write!(said, "; the last {failures} did NOT START");
    }
    said
}

/// What the microphone hears, and who listens to it.
fn heard(microphone: Option<&MicrophoneReport>) -> Vec<(&'static str, String)> {
    let told = microphone.map(microphone_lines).unwrap_or_default();
    let names = std::iter::once("hears").chain(std::iter::repeat(""));
    names.zip(told).collect()
}

fn counts(report: &StatusReport) -> [(&'static str, String); 3] {
    let counted = &report.counters;
    let sound = explain::span(Duration::from_millis(counted.sound_milliseconds));
    [
        (
            "requests",
            format!(
                "{} answered, {} of them with a fault here; {} turned away; {sound} of sound",
                counted.requests_ended, counted.requests_failed, counted.refused
            ),
        ),
        (
            "tokens",
            format!(
                "{} live, {} given out",
                report.live_tokens, counted.tokens_issued
            ),
        ),
        (
            "since",
            format!(
                "the start: gate opened {} times, closed {}; self-tests {} passed, {} failed; \
                 workers {} started, {} failed",
                counted.gate_opened,
                counted.gate_closed,
                counted.self_tests_passed,
                counted.self_tests_failed,
                counted.workers_started,
                counted.workers_failed
            ),
        ),
    ]
}

#[cfg(test)]
pub(crate) mod testing {
    use serde_json::{Value, json};

    use super::*;

    /// A report, with some of its members set otherwise.
    pub(crate) fn report(changes: Value) -> StatusReport {
        let mut report = json!({
            "version": "0.1.0",
            "uptime_seconds": 3_725,
            "gate": {
                "state": "attested", "open": true, "reason": "proven_locally",
                "for_seconds": 61, "seconds_left": null, "mode": "local", "standing": null,
                "grace_seconds": 0, "package": "ab".repeat(32), "answered": true,
            },
            "model": "moonshine-tiny-en",
            "sandbox": "full: Landlock ABI 7, system calls filtered",
            "workers": {
                "processes": 2, "warm": 1, "idle": 1, "working": 0, "most": 4, "failures": 0,
            },
            "listeners": ["https://127.0.0.1:8473", "unix:/run/earnest/earnest.sock"],
            "live_tokens": 1,
            "counters": { "requests_ended": 12, "sound_milliseconds": 61_000 },
            "events": (0..20).map(|n| format!("request {n} ended")).collect::<Vec<_>>(),
        });
        merge(&mut report, changes);
        serde_json::from_value(report).unwrap()
    }

    fn merge(into: &mut Value, changes: Value) {
        match (into, changes) {
            (Value::Object(into), Value::Object(changes)) => {
                for (name, change) in changes {
                    merge(into.entry(name).or_insert(Value::Null), change);
                }
            }
            (into, change) => *into = change,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use serde_json::{Value, json};

    use super::testing::report;
    use super::*;

    fn check(changes: Value, expected: &[&str], absent: &[&str]) {
        let now = UNIX_EPOCH + Duration::from_secs(1_729_468_800);
        let said = text(&report(changes), now);
        for line in expected {
            assert!(said.contains(line), "no {line:?} in:\n{said}");
        }
        for line in absent {
            assert!(!said.contains(line), "{line:?} in:\n{said}");
        }
    }

    #[test]
    fn an_open_gate_in_local_mode_says_how_little_that_proves() {
        check(
            json!({}),
            &[
                "gate      open (attested) for 1 min 1 s, because the TPM has released",
                "mode      local: that this device's own TPM",
                "no fleet vouches for it",
                "(package abababababababab)",
                "known answers",
                "Landlock ABI 7",
                "2 running: 0 at work of at most 4",
                "          unix:/run/earnest/earnest.sock",
                "up for 1 h 2 min",
                "12 answered",
                "1 min 1 s of sound",
                "last      request 12 ended",
            ],
            &["CLOSED", "GRACE", "to do", "request 11 ended"],
        );
    }

    #[test]
    fn grace_is_told_with_its_end() {
        let gate = json!({
            "state": "grace", "reason": "result_expired", "mode": "fleet", "seconds_left": 90,
            "standing": "warning", "grace_seconds": 600,
        });
        check(
            json!({ "gate": gate }),
            &[
                "open by grace alone",
                "GRACE: the fleet's result has expired; 1 min 30 s more, until 00:01:30 UTC",
                "10 min of grace",
                "with a warning",
            ],
            &["CLOSED", "the fleet's result holds"],
        );
    }

    #[test]
    fn a_closed_gate_says_why_and_what_to_do() {
        let gate = json!({
            "state": "closed", "open": false, "reason": "measurement_changed", "package": null,
            "answered": false,
        });
        check(
            json!({ "gate": gate, "workers": null }),
            &[
                "CLOSED (closed) for 1 min 1 s, and nobody is served",
                "measured otherwise",
                "to do: reboot",
                "proven    nothing now",
                "workers   none",
            ],
            &["open ("],
        );
    }

    #[test]
    fn what_keeps_a_gate_closed_is_told_with_what_helps() {
        let gate = json!({ "state": "sealed", "open": false, "reason": "started" });
        check(
            json!({ "gate": gate, "trouble": "the policy approves no such state\u{1b}" }),
            &[
                "in the way: the policy approves no such state\u{fffd}",
                "to do: mend what is in the way",
            ],
            &["wait some seconds"],
        );
    }

    #[test]
    fn a_missing_landlock_and_workers_that_do_not_start_are_not_hidden() {
        let sandbox = "partial: this kernel has no Landlock, system calls filtered";
        check(
            json!({ "sandbox": sandbox, "workers": { "failures": 3, "waiting": 2 } }),
            &[
                "; 2 requests wait for one",
                "sandbox   partial: this kernel has no Landlock",
                "3 did NOT START",
            ],
            &[],
        );
        check(json!({ "sandbox": null }), &["no worker has run"], &[]);
    }

    #[test]
    fn alerts_stand_before_everything_else() {
        let alert = |id: u64| {
            json!({
                "id": id, "subject": "notes", "kind": "replay", "level": "quarantine",
                "score": 40.0, "for_seconds": 60, "requests": 12, "evidence": {},
            })
        };
        let alerts: Vec<Value> = (1..=7).map(alert).collect();
        let said = text(&report(json!({ "alerts": alerts })), UNIX_EPOCH);
        let first = "ALERT     1     notes is STOPPED: replay, score 40.0, for 1 min";
        assert!(said.starts_with(first), "{said}");
        assert_eq!(said.matches("ALERT").count(), ALERTS, "{said}");
        assert!(said.contains("and 2 more") && said.contains("earnest alerts release"));
        check(json!({ "alerts": [] }), &[], &["ALERT", "earnest alerts"]);
    }

    #[test]
    fn who_listens_is_always_told() {
        let listener = json!({ "app": "notes", "uid": 1000, "for_seconds": 5, "what": "text" });
        let microphone = json!({
            "enabled": true, "state": "open", "device": "mic", "rate": 16_000, "muted": false,
            "listeners": [listener],
        });
        check(
            json!({ "microphone": microphone }),
            &[
                "hears     the microphone is OPEN: mic at 16000 Hz\n",
                "          notes of uid 1000 reads all that is said, for 5 s\n",
            ],
            &["muted"],
        );
        let muted = json!({ "enabled": true, "state": "off", "muted": true, "listeners": [] });
        let expected = "hears     nothing: the microphone is muted";
        check(json!({ "microphone": muted }), &[expected], &["OPEN"]);
        check(json!({}), &[], &["hears"]);
    }

    #[test]
    fn nothing_of_the_daemon_moves_a_terminal() {
        let said = text(
            &report(json!({ "model": "a\u{1b}[2Jb", "events": ["a\nb"] })),
            UNIX_EPOCH,
        );
        assert!(!said.contains('\u{1b}') && !said.contains("a\nb"), "{said}");
    }

    #[test]
    fn json_is_the_report_itself() {
        let report = report(json!({}));
        let back: StatusReport = serde_json::from_str(&output::json(&report)).unwrap();
        assert_eq!(back, report);
    }
}
