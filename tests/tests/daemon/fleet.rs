//! The gate of a device in a fleet, which a live result opens.

use crate::client::{SAID, sample};
use crate::device::DEVICE;
use crate::earnestd::Earnestd;
use crate::processes::workers;
use crate::wait::wait_until;

/// How long a result of this fleet holds: long enough to be imported on a busy machine, and
/// short enough to be outlived by a test.
const RESULT_SECONDS: &str = "12";

/// How long the gate stays open after one.
const GRACE_SECONDS: u64 = 5;

/// The fleet verifies the device against what it knows, and the device takes the result.
fn vouch(daemon: &Earnestd) {
    let sides = &daemon.sides;
    sides.prove(DEVICE, "evidence");
    sides
        .verify("evidence", "reference.json", "result.jwt")
        .success();
    let (ear, key) = (
        sides.text("result.jwt"),
        sides.text("keys/result-1.pub.pem"),
    );
    let import = ["result", "import", &ear, "--key", &key];
    sides.device(&import).success();
}

fn ask(daemon: &Earnestd) -> crate::curl::Reply {
    daemon.curl().transcribe(&sample(), &["model=whisper-1"])
}

#[test]
fn a_result_opens_the_gate_until_it_expires_and_its_grace_is_shown() {
    let mut daemon = Earnestd::usual();
    daemon.kill();
    daemon.become_one_of_a_fleet(GRACE_SECONDS);
    let short = ["--replace", "--result-lifetime", RESULT_SECONDS];
    let policy = [&["--allow-software-tpm"], &short[..]].concat();
    daemon.sides.policy(DEVICE, &policy).success();

    daemon.run_again();
    // The model is unsealed, and nobody is served, because nobody has vouched yet.
    let refused = ask(&daemon);
    assert_eq!(refused.refusal(503), "device_not_proven");
    let status = daemon.status();
    assert_eq!(status["gate"]["mode"], "fleet", "{status:#}");
    assert_eq!(status["gate"]["open"], false, "{status:#}");

    // The state with the daemon's start in it is what the fleet knows as good.
    daemon.sides.prove(DEVICE, "known-good");
    daemon.sides.reference("known-good", "reference.json");
    vouch(&daemon);
    daemon.see_gate("attested");
    assert_eq!(ask(&daemon).json(200)["text"], SAID);
    let left = daemon.status()["gate"]["seconds_left"].as_u64();
    assert!(left.is_some_and(|left| left <= 12), "{left:?}");

    daemon.see_gate("grace");
    assert_eq!(ask(&daemon).json(200)["text"], SAID);
    let status = daemon.status();
    assert_eq!(status["gate"]["grace_seconds"], GRACE_SECONDS, "{status:#}");

    daemon.see_gate("closed");
    assert_eq!(ask(&daemon).refusal(503), "device_not_proven");
    wait_until("the workers are gone", || workers(daemon.pid()).is_empty());

    vouch(&daemon);
    daemon.see_gate("attested");
    assert_eq!(ask(&daemon).json(200)["text"], SAID);
}
