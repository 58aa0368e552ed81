//! What is the same after every abuse: it was refused for the right reason, the daemon goes on,
//! and somebody honest is served.

use std::process::Command;

use nix::unistd::getuid;

use crate::client::{SAID, sample};
use crate::curl::{Curl, Reply};
use crate::earnestd::{Earnestd, Wish};
use crate::wait::wait_until;

/// A user who is nobody here.
pub(crate) const NOBODY: u32 = 65534;

pub(crate) use crate::earnestd::NOBODY_WATCHES;

/// A daemon that is abused.
pub(crate) struct Trial {
    pub(crate) daemon: Earnestd,
}

impl Trial {
    /// Of a daemon as usual.
    pub(crate) fn usual() -> Trial {
        Trial::of(Wish::default())
    }

    /// Of a daemon as wished for.
    pub(crate) fn of(wish: Wish) -> Trial {
        Trial {
            daemon: Earnestd::start(wish),
        }
    }

    /// How many refusals for this reason the operator sees. Each is told once it is recorded,
    /// which is after the answer.
    pub(crate) fn refusals(&self, reason: &str) -> usize {
        let status = self.daemon.status();
        let events = status["events"].as_array().expect("a list");
        let line = format!("refused: {reason} ");
        let of_reason = |event: &&serde_json::Value| {
            event.as_str().is_some_and(|event| event.starts_with(&line))
        };
        events.iter().filter(of_reason).count()
    }

    /// Waits until there are so many more than before.
    pub(crate) fn see_refused(&self, reason: &str, expected: usize) {
        wait_until(&format!("{expected} times {reason}"), || {
            self.refusals(reason) >= expected
        });
    }

    /// Has an abuse refused with this status and code, and seen as such for this reason.
    pub(crate) fn check(
        &self,
        reason: &str,
        expected: (u16, &str),
        abuse: impl FnOnce(&Earnestd) -> Reply,
    ) {
        let before = self.refusals(reason);
        let reply = abuse(&self.daemon);
        assert_eq!(reply.refusal(expected.0), expected.1, "{reply:?}");
        self.see_refused(reason, before + 1);
    }

    /// The daemon lives, with its gate open and no worker lost, and an honest client is served
    /// over TLS.
    pub(crate) fn is_well(&mut self) {
        self.is_up();
        let honest = self.daemon.curl_of("honest");
        let served = honest.transcribe(&sample(), &["model=whisper-1"]);
        assert_eq!(served.json(200)["text"], SAID);
    }

    /// The same, of a daemon whose TLS the abuser's user is kept from: over the Unix socket.
    pub(crate) fn is_well_over_unix(&mut self) {
        self.is_up();
        let served = self.daemon.curl();
        let served = served.transcribe(&sample(), &["model=whisper-1"]);
        assert_eq!(served.json(200)["text"], SAID);
    }

    fn is_up(&mut self) {
        assert!(self.daemon.ended().is_none(), "{}", self.daemon.log());
        assert_eq!(self.daemon.status()["gate"]["open"], true);
        assert_eq!(self.daemon.count("workers_failed"), 0);
        assert_eq!(self.daemon.count("gate_closed"), 0);
    }
}

/// A program that runs as [`NOBODY`], or as another user of the machine's sub-ids where the test
/// itself is no root.
pub(crate) fn as_another_user(program: &str) -> Command {
    let words: &[&str] = match getuid().is_root() {
        true => &[
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
        ],
        // It takes an entry of this user in /etc/subuid and /etc/subgid, as systems give to
        // people's accounts.
        false => &[
            "unshare",
            "--user",
            "--map-root-user",
            "--map-auto",
            "--setuid=1",
            "--setgid=1",
        ],
    };
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(["--", program]);
    command.current_dir("/");
    command
}

/// A curl of another user over TLS. The file of the authority is not theirs to read, and whom
/// they speak to is not what is tried.
pub(crate) fn curl_of_another_user(daemon: &Earnestd) -> Curl {
    let url = format!("https://localhost:{}", daemon.port());
    Curl::to(as_another_user("curl"), &url).args(&["--insecure"])
}

/// How much memory a process has in use, in bytes.
pub(crate) fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let line = line.expect("the kernel says so").trim();
    let kilobytes = line.trim_end_matches("kB").trim().parse::<u64>();
    kilobytes.expect("a number") * 1024
}
