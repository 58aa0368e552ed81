//! The gate from outside: who is served while the device is proven, and who no longer.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::client::{SAID, answer, python, sample};
use crate::device::{BOOT_PCR, DEVICE, extend};
use crate::earnestd::Earnestd;
use crate::processes::{is_running, workers};
use crate::wait::{PATIENCE, wait_until, wait_within};

/// What is promised from a change to a closed gate (DESIGN.md, "The gate").
const CLOSED_WITHIN: Duration = Duration::from_secs(2);

/// The client that asks once and tells what became of it.
const ASK: &str = "
import json, sys, openai
try:
    sound = open(sys.argv[1], 'rb')
    client = openai.OpenAI(max_retries=0)
    said = client.audio.transcriptions.create(file=sound, model='whisper-1').text
except openai.APIStatusError as error:
    said = [type(error).__name__, error.status_code, error.code]
print(json.dumps(said))";

/// Asks as an unmodified client does.
fn ask(daemon: &Earnestd) -> Value {
    let output = python(daemon, "notes", ASK, &[&sample()]).output();
    answer(&output.expect("the command is built"))
}

/// Sees the gate close in time, with everything that hangs on it, for this reason.
fn see_it_close(daemon: &Earnestd, within: Duration, reason: &str) {
    wait_within(
        within,
        "the gate is closed and the workers are gone",
        || {
            let down = daemon.curl_tls().get("/health").status == 503;
            (down && workers(daemon.pid()).is_empty()).then_some(())
        },
    );
    let status = daemon.status();
    let gate = &status["gate"];
    assert_eq!(gate["open"], false, "{status:#}");
    assert_eq!(gate["reason"], reason, "{status:#}");
    assert_eq!(gate["package"], Value::Null, "{status:#}");
    assert_eq!(status["live_tokens"], 0, "{status:#}");
    assert_eq!(status["workers"], Value::Null, "{status:#}");
}

#[test]
fn a_changed_boot_closes_the_gate_and_nothing_but_another_boot_opens_it() {
    let mut daemon = Earnestd::usual();
    assert_eq!(ask(&daemon), SAID);
    assert!(!workers(daemon.pid()).is_empty());
    let token = format!("Authorization: Bearer {}", daemon.token("notes"));

    extend(&daemon.sides, BOOT_PCR);
    see_it_close(&daemon, CLOSED_WITHIN, "measurement_changed");
    let refused = daemon.curl().transcribe(&sample(), &["model=whisper-1"]);
    assert_eq!(refused.refusal(503), "device_not_proven");
    assert!(!refused.body.contains("measurement"), "{refused:?}");
    // A token from before is forgotten, and one from now opens nothing.
    let old = daemon.curl_tls().header(&token).get("/v1/models");
    assert_eq!(old.refusal(401), "invalid_credentials");
    let new = daemon
        .curl_of("notes")
        .transcribe(&sample(), &["model=whisper-1"]);
    assert_eq!(new.refusal(503), "device_not_proven");

    // The daemon tries on its own, and the seal stays shut.
    wait_until("another attempt fails", || {
        daemon.status()["trouble"].is_string()
    });
    assert_eq!(daemon.curl().get("/health").status, 503);
    assert!(workers(daemon.pid()).is_empty());
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.wait().success());

    // A boot into the approved state is another matter.
    daemon.sides.power_off(DEVICE);
    daemon.sides.device(&["tpm", "status"]).success();
    daemon.run_again();
    assert_eq!(ask(&daemon), SAID);
}

#[test]
fn a_pcr_that_nothing_is_bound_to_closes_nothing() {
    let daemon = Earnestd::usual();
    let looks = |daemon: &Earnestd| daemon.status()["gate"]["for_seconds"].as_u64();
    extend(&daemon.sides, 16);
    // Looked at more often than the gate looks at the PCRs.
    wait_until("the gate has been open for a while", || {
        looks(&daemon) > Some(2)
    });
    assert_eq!(daemon.count("gate_closed"), 0);
    assert_eq!(daemon.curl().get("/health").status, 200);
}

#[test]
fn a_tpm_that_is_gone_closes_the_gate() {
    let mut daemon = Earnestd::usual();
    daemon.sides.power_off(DEVICE);
    // A TPM that does not answer is asked a few times before it counts as lost.
    see_it_close(&daemon, PATIENCE, "tpm_lost");
    let refused = daemon.curl().transcribe(&sample(), &["model=whisper-1"]);
    assert_eq!(refused.refusal(503), "device_not_proven");
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.wait().success());
    daemon.sides.device(&["tpm", "status"]).success();
    daemon.run_again();
    assert_eq!(ask(&daemon), SAID);
}

#[test]
fn a_daemon_that_was_killed_leaves_nobody_behind_and_serves_again() {
    let mut daemon = Earnestd::usual();
    let workers = workers(daemon.pid());
    assert!(!workers.is_empty());
    let token = format!("Authorization: Bearer {}", daemon.token("notes"));
    daemon.kill();
    for worker in workers {
        wait_until("the worker ends with its daemon", || !is_running(worker));
    }
    daemon.run_again();
    assert_eq!(ask(&daemon), SAID);
    // Nothing of before is known any more.
    let old = daemon.curl_tls().header(&token).get("/v1/models");
    assert_eq!(old.refusal(401), "invalid_credentials");
}
