//! A disk without room.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};

use nix::unistd::getuid;
use tempfile::TempDir;

use crate::client::{SAID, sample};
use crate::crashes::{has_no_gap, requests};
use crate::earnestd::Wish;
use crate::person::Person;
use crate::raw::KeptAlive;
use crate::sides::run;
use crate::trial::{NOBODY_WATCHES, Trial};
use crate::wait::{wait_for, wait_until};

/// A disk of eight megabytes in a name space of its own, which ends with it.
struct Disk {
    folder: TempDir,
    holder: Child,
    through: Vec<String>,
}

impl Disk {
    fn new() -> Disk {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        // Whoever is not root is, in a name space of users.
        let user: [&[&str]; 2] = match getuid().is_root() {
            true => [&[], &[]],
            false => [
                &["--user", "--map-root-user"],
                &["--user", "--preserve-credentials"],
            ],
        };
        let mount = "mount -t tmpfs -o size=8m none \"$0\" && touch \"$0/ready\" && exec cat";
        let holder = Command::new("unshare")
            .args(user[0])
            .args(["--mount", "--", "sh", "-c", mount])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("unshare is installed");
        let target = holder.id().to_string();
        let words = [
            &["nsenter", "--target", &target, "--mount"],
            user[1],
            &["--"],
        ]
        .concat();
        let through = words.iter().map(|word| (*word).to_owned()).collect();
        let disk = Disk {
            folder,
            holder,
            through,
        };
        let ready = disk.folder.path().join("ready");
        wait_until("the disk is there", || {
            let seen = disk.command("test").arg("-e").arg(&ready).status();
            seen.is_ok_and(|status| status.success())
        });
        disk
    }

    /// A program that sees this disk.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(&self.through[0]);
        command.args(&self.through[1..]).arg(program);
        command
    }

    /// Leaves room for what is small, and for no other segment of the log.
    fn fill(&self) {
        let script = "cd \"$0\" && { dd if=/dev/zero of=filler bs=4096; \
                      truncate --size=-256K filler; }";
        let filled = self
            .command("sh")
            .args(["-c", script])
            .arg(self.folder.path())
            .output();
        let filled = filled.expect("there is a shell");
        assert!(filled.status.success(), "{filled:?}");
    }

    fn make_room(&self) {
        let filler = self.folder.path().join("filler");
        run(self.command("rm").arg(filler)).success();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Its standard input ends with this, and so does it.
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

/// More requests than one segment of the log has room for.
const MANY: usize = 20_000;

#[test]
fn a_full_disk_refuses_work_and_loses_nothing_that_was_acknowledged() {
    let disk = Disk::new();
    let mut trial = Trial::of(Wish {
        through: disk.through.clone(),
        state: Some(disk.folder.path().join("state")),
        tables: NOBODY_WATCHES.to_owned(),
        ..Wish::default()
    });
    let mut person = Person::enrol(&trial.daemon);
    trial.is_well();
    let token = trial.daemon.token("notes");
    disk.fill();

    // Each renewal is an entry, until the segment that has its room is full.
    let renew = format!("POST /v1/token/renew HTTP/1.1\r\nauthorization: Bearer {token}");
    let mut client = KeptAlive::connect(&trial.daemon);
    let mut acknowledged = BTreeSet::new();
    let refused = (0..MANY).find_map(|_| {
        let (status, id, body) = client.ask(&renew).expect("the daemon answers");
        match status {
            200 => {
                acknowledged.insert(id);
                None
            }
            // Renewals have a rate of their own; the disk fills more slowly then.
            429 => {
                std::thread::sleep(std::time::Duration::from_millis(20));
                None
            }
            _ => Some((status, body)),
        }
    });
    let (status, body) = refused.expect("a disk of this size is full by now");
    assert_eq!(status, 503, "{body}");
    assert!(body.contains("\"audit_unavailable\""), "{body}");
    assert!(acknowledged.len() > 100, "{}", acknowledged.len());

    // No work is done that cannot be written down. What can be seen is seen.
    trial.check("audit_unavailable", (503, "audit_unavailable"), |daemon| {
        daemon.curl().transcribe(&sample(), &["model=whisper-1"])
    });
    let head = trial.daemon.curl().args(&["--include"]);
    let head = head.transcribe(&sample(), &["model=whisper-1"]);
    assert!(
        head.body.to_ascii_lowercase().contains("retry-after: "),
        "{head:?}"
    );
    assert!(!head.body.contains("Ever"), "{head:?}");
    assert!(trial.daemon.ended().is_none());
    assert_eq!(trial.daemon.status()["gate"]["open"], true);
    assert!(trial.daemon.count("audit_unavailable") >= 1);

    // Room comes back, and so does work, by itself.
    disk.make_room();
    let served = wait_for("work is done again", || {
        let reply = trial
            .daemon
            .curl()
            .transcribe(&sample(), &["model=whisper-1"]);
        (reply.status == 200).then_some(reply)
    });
    assert_eq!(served.json(200)["text"], SAID);
    let audit = person.audit(&trial.daemon);
    has_no_gap(&audit);
    let written = requests(&audit);
    let lost: Vec<&String> = acknowledged.difference(&written).collect();
    assert!(lost.is_empty(), "{lost:?} of {}", acknowledged.len());
    let has = |kind: &str| audit.iter().any(|entry| entry["event"]["event"] == kind);
    assert!(has("audit_unavailable") || has("audit_lost") || has("audit_restored"));
    let verified = person.verify(&trial.daemon);
    assert_eq!(verified["intact"], true, "{verified:#}");
    // And what happened survives a crash.
    trial.daemon.kill();
    trial.daemon.run_again();
    let written = requests(&person.audit(&trial.daemon));
    assert!(acknowledged.is_subset(&written));
    trial.is_well();
}
