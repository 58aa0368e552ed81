//! The daemon: whether it answers, what its gate says, and whether this user may ask it.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use earnest_endpoint::StatusReport;
use earnest_gate::GateState;
use earnest_printable::describe;
use nix::unistd::geteuid;

use super::configuration::Told;
use super::finding::Finding;
use super::{microphone, people};
use crate::daemon::{self, Daemon, DaemonError};
use crate::explain;
use crate::run::read_authority;

/// The rights of others to a socket: none.
const OTHERS: u32 = 0o007;

const START: &str = "systemctl enable --now earnestd.socket earnestd.service; \
                     then: journalctl -u earnestd";

/// Looks at all of it.
pub(super) fn look(socket: &Path, told: &Told) -> Vec<Finding> {
    let mut findings = vec![socket_file(socket)];
    let daemon = match Daemon::at(socket) {
        Ok(daemon) => daemon,
        Err(error) => {
            findings.push(Finding::wrong("daemon", describe(&error), "try again"));
            return findings;
        }
    };
    let is_up = daemon.ask(daemon.client().is_up());
    findings.push(answers(&is_up));
    findings.push(authority(&daemon::authority(socket), is_up.is_ok()));
    if is_up.is_err() {
        return findings;
    }
    let me = geteuid().as_raw();
    match daemon.ask(daemon.client().status()) {
        Ok(report) => {
            findings.push(Finding::ok("operator", format!("uid {me} is one")));
            findings.extend(state(&report));
            findings.extend(people::look(&daemon, &report.alerts));
            findings.extend(microphone::ask(&daemon, told, report.microphone.as_ref()));
        }
        Err(error) => findings.push(may("operator", "allow.operators", me, &error)),
    }
    findings.push(match daemon.ask(daemon.client().models()) {
        Ok(names) => {
            let model = names.into_iter().next().unwrap_or_default();
            Finding::ok("this user", format!("programs of uid {me} may use {model}"))
        }
        Err(error) => may("this user", "allow.apps", me, &error),
    });
    findings
}

fn socket_file(socket: &Path) -> Finding {
    let place = socket.display();
    let about = match fs::metadata(socket) {
        Ok(about) => about,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let found = format!("{place} may not be seen by this user");
            return Finding::warn("socket", found, "sudo earnest doctor");
        }
        Err(error) => return Finding::wrong("socket", format!("{place}: {error}"), START),
    };
    if !about.file_type().is_socket() {
        let found = format!("{place} is no socket");
        return Finding::wrong("socket", found, format!("rm {place}, and {START}"));
    }
    rights(socket, about.mode() & 0o777)
}

/// Whether others than its user and group may connect.
fn rights(socket: &Path, mode: u32) -> Finding {
    let place = socket.display();
    let found = format!("{place} has mode {mode:04o}");
    match mode & OTHERS {
        0 => Finding::ok("socket", found),
        _ => Finding::warn(
            "socket",
            format!("{found}: every user may knock, though none gets in that is not listed"),
            format!("SocketMode=0660 in earnestd.socket; until then: chmod 660 {place}"),
        ),
    }
}

fn answers(is_up: &Result<bool, DaemonError>) -> Finding {
    match is_up {
        Ok(true) => Finding::ok("daemon", "it answers and serves"),
        Ok(false) => Finding::wrong(
            "daemon",
            "it answers and serves nobody: this device has not proven itself",
            "earnest status, as an operator; or: journalctl -u earnestd",
        ),
        Err(error @ DaemonError::Barred { .. }) => Finding::warn(
            "daemon",
            describe(error),
            "usermod -aG earnest USER, and log in anew",
        ),
        Err(error) => Finding::wrong("daemon", describe(error), START),
    }
}

/// What clients know the daemon by.
fn authority(path: &Path, runs: bool) -> Finding {
    match read_authority(path) {
        Ok(_) => Finding::ok("authority", format!("{} is a certificate", path.display())),
        // One that does not run has written none.
        Err(error) if runs => Finding::wrong(
            "authority",
            describe(&error),
            format!(
                "ls -l {}; every user is to read it; then: journalctl -u earnestd",
                path.display()
            ),
        ),
        Err(error) => Finding::warn("authority", describe(&error), "start the daemon"),
    }
}

/// What the daemon says of itself.
fn state(report: &StatusReport) -> Vec<Finding> {
    let gate = &report.gate;
    let trouble = report.trouble.as_deref();
    let said = match trouble.filter(|_| !gate.open) {
        Some(trouble) => format!("{}: {trouble}", explain::gate(gate)),
        None => explain::gate(gate),
    };
    let mend = explain::to_do(gate.reason, trouble);
    let mut findings = vec![match (gate.open, gate.state) {
        (true, GateState::Grace) => Finding::warn("gate", said, mend),
        (true, _) => Finding::ok("gate", said),
        (false, _) => Finding::wrong("gate", said, mend),
    }];
    findings.push(match report.sandbox.as_deref() {
        Some(sandbox) if sandbox.starts_with("full") => Finding::ok("sandbox", sandbox),
        Some(sandbox) => Finding::warn(
            "sandbox",
            format!("not all walls stand: {sandbox}"),
            "see Landlock and seccomp above",
        ),
        None => Finding::warn("sandbox", "no worker has run yet", "open the gate"),
    });
    if let Some(workers) = report.workers.filter(|workers| workers.failures > 0) {
        findings.push(Finding::wrong(
            "workers",
            format!("the last {} did not start", workers.failures),
            "journalctl -u earnestd",
        ));
    }
    findings
}

/// Whether this user may ask for this. Many need not.
fn may(about: &'static str, list: &str, me: u32, error: &DaemonError) -> Finding {
    match error {
        DaemonError::NotAllowed => Finding::warn(
            about,
            format!("uid {me} is not on the list `{list}`"),
            format!(
                "if it is to be, add {me} to `{list}` of the configuration and restart earnestd"
            ),
        ),
        error => Finding::wrong(about, describe(error), "journalctl -u earnestd"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Grade;
    use super::*;
    use crate::status::testing::report;
    use serde_json::json;

    #[test]
    fn a_socket_is_its_groups() {
        let grade = |mode| rights(Path::new("/run/s"), mode).grade;
        assert_eq!(grade(0o660), Grade::Ok);
        assert_eq!(grade(0o600), Grade::Ok);
        assert_eq!(grade(0o666), Grade::Warn);
    }

    #[test]
    fn a_daemon_that_is_not_there_is_wrong_and_its_certificate_is_excused() {
        let folder = tempfile::tempdir().unwrap();
        let findings = look(&folder.path().join("earnest.sock"), &Told::usual());
        let grades: Vec<_> = findings.iter().map(|one| (one.about, one.grade)).collect();
        let expected = [
            ("socket", Grade::Wrong),
            ("daemon", Grade::Wrong),
            ("authority", Grade::Warn),
        ];
        assert_eq!(grades, expected);
    }

    #[test]
    fn a_closed_gate_comes_with_its_reason_and_remedy() {
        let gate = json!({ "state": "closed", "open": false, "reason": "tpm_lost" });
        let findings = state(&report(json!({ "gate": gate })));
        assert_eq!(findings[0].grade, Grade::Wrong);
        assert!(findings[0].found.contains("the TPM does not answer"));
        assert!(
            findings[0]
                .mend
                .as_deref()
                .unwrap()
                .contains("journalctl -k")
        );
    }

    #[test]
    fn what_keeps_the_gate_closed_is_part_of_the_finding() {
        let gate = json!({ "state": "sealed", "open": false, "reason": "started" });
        let changes = json!({ "gate": gate, "trouble": "the policy approves no such state" });
        let findings = state(&report(changes));
        assert!(
            findings[0]
                .found
                .ends_with(": the policy approves no such state")
        );
        assert!(findings[0].mend.as_deref().unwrap().contains("tpm policy"));
    }

    #[test]
    fn grace_and_missing_walls_are_warnings() {
        let changes = json!({
            "gate": { "state": "grace", "reason": "result_expired" },
            "sandbox": "partial: this kernel has no Landlock, system calls filtered",
            "workers": { "failures": 2 },
        });
        let grades: Vec<_> = state(&report(changes))
            .iter()
            .map(|one| one.grade)
            .collect();
        assert_eq!(grades, [Grade::Warn, Grade::Warn, Grade::Wrong]);
        let grades: Vec<_> = state(&report(json!({})))
            .iter()
            .map(|one| one.grade)
            .collect();
        assert_eq!(grades, [Grade::Ok, Grade::Ok]);
    }

    #[test]
    fn who_is_not_listed_is_told_where_the_list_is() {
        let finding = may("this user", "allow.apps", 1000, &DaemonError::NotAllowed);
        assert_eq!(finding.grade, Grade::Warn);
        assert!(finding.mend.unwrap().contains("add 1000 to `allow.apps`"));
    }
}
