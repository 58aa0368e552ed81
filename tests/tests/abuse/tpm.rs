//! A TPM that dies and returns.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::client::sample;
use crate::device::DEVICE;
use crate::earnestd::Earnestd;
use crate::person::Person;
use crate::trial::Trial;
use crate::wait::wait_until;

/// The process of the device's TPM: the one with its folder on its command line.
fn tpm(daemon: &Earnestd) -> Pid {
    let folder = daemon.sides.text(&format!("{DEVICE}/software-tpm"));
    let entries = std::fs::read_dir("/proc").expect("Linux has one").flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let mut found = ids.filter(|id| {
        let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        line.starts_with("swtpm") && line.contains(&folder)
    });
    Pid::from_raw(found.next().expect("it runs"))
}

#[test]
fn a_tpm_that_dies_closes_the_gate_and_one_that_returns_opens_it() {
    let mut trial = Trial::usual();
    let mut person = Person::enrol(&trial.daemon);
    person.add_app(&trial.daemon, "honest", &["transcribe"]);
    trial.is_well();
    let token = trial.daemon.token("honest");
    kill(tpm(&trial.daemon), Signal::SIGKILL).expect("it runs");
    wait_until("the gate is closed", || {
        trial.daemon.status()["gate"]["open"] == false
    });
    let gate = trial.daemon.status()["gate"].clone();
    assert_eq!(gate["reason"], "tpm_lost", "{gate}");
    trial.check("gate_closed", (503, "device_not_proven"), |daemon| {
        daemon.curl().transcribe(&sample(), &["model=whisper-1"])
    });
    let header = format!("Authorization: Bearer {token}");
    let old = trial.daemon.curl_tls().header(&header).get("/v1/models");
    assert_eq!(old.refusal(401), "invalid_credentials");
    // Neither are the keys to the state and the audit log there.
    let code = person.code();
    let read = crate::person::with_code(&trial.daemon, &code).get("/v1/audit");
    assert_eq!(read.status, 503, "{read:?}");
    assert!(trial.daemon.ended().is_none(), "{}", trial.daemon.log());

    // It returns with another boot, which the next start measures.
    trial.daemon.signal(Signal::SIGTERM);
    assert!(trial.daemon.wait().success(), "{}", trial.daemon.log());
    trial.daemon.sides.power_off(DEVICE);
    trial.daemon.sides.device(&["tpm", "status"]).success();
    trial.daemon.run_again();
    trial.is_well();
    // The app is known as before, and what was refused meanwhile is written down.
    let audit = person.audit(&trial.daemon);
    let refused = audit.iter().any(|entry| {
        let event = &entry["event"];
        event["event"] == "refused" && event["reason"] == "gate_closed"
    });
    assert!(refused, "{audit:#?}");
    let verified = person.verify(&trial.daemon);
    assert_eq!(verified["intact"], true, "{verified:#}");
    trial.is_well();
}
