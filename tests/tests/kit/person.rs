//! An operator and auditor with an authenticator.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::authenticator::Authenticator;
use crate::curl::{Curl, Reply};
use crate::earnestd::Earnestd;
use crate::wait::wait_until;

/// Seconds that a code is shown for (RFC 6238).
const STEP: u64 = 30;

/// Seconds that a request may take to come: a code is not begun with so shortly before it ends.
const MARGIN: u64 = 4;

/// Whom the configuration names, once the second factor is there.
pub(crate) struct Person {
    authenticator: Authenticator,
    /// The first step whose code was not used.
    next: u64,
}

impl Person {
    /// Takes a second factor.
    pub(crate) fn enrol(daemon: &Earnestd) -> Person {
        let post = ["--request", "POST"];
        let enrolled = daemon.curl().args(&post).get("/v1/operators/enrol");
        let shown = enrolled.json(200);
        let secret = shown["secret"].as_str().expect("it is a text");
        let mut person = Person {
            authenticator: Authenticator::new(secret),
            next: 0,
        };
        let code = person.code();
        let confirm = format!("{{\"code\":\"{code}\"}}");
        let confirmed = daemon.curl().post_json("/v1/operators/confirm", &confirm);
        assert_eq!(confirmed.status, 204, "{confirmed:?}");
        person
    }

    /// A code that was not used: the step before this one is taken, too, and the one behind it.
    /// Where all three are used up, the next is waited for.
    pub(crate) fn code(&mut self) -> String {
        let earliest = (now() + MARGIN) / STEP - 1;
        let step = self.next.max(earliest);
        wait_until("the code may be used", || step <= now() / STEP + 1);
        self.next = step + 1;
        self.authenticator.code(step * STEP)
    }

    /// A code that is not the one of any step near now.
    pub(crate) fn wrong_code(&self) -> String {
        let near = now() / STEP - 2..=now() / STEP + 2;
        let right: Vec<String> = near
            .map(|step| self.authenticator.code(step * STEP))
            .collect();
        let codes = (0..).map(|number| format!("{number:06}"));
        let mut wrong = codes.filter(|code| !right.contains(code));
        wrong.next().expect("there are a million")
    }

    /// A curl over the Unix socket with a fresh code.
    pub(crate) fn curl(&mut self, daemon: &Earnestd) -> Curl {
        with_code(daemon, &self.code())
    }

    /// Registers an app of the test's own user.
    pub(crate) fn add_app(&mut self, daemon: &Earnestd, name: &str, scopes: &[&str]) {
        let uid = nix::unistd::getuid().as_raw();
        let app = serde_json::json!({
            "name": name, "uids": [uid], "scopes": scopes,
            "limits": {"per_minute": 6000, "burst": 1000, "at_once": 16},
        });
        let added = self.curl(daemon).post_json("/v1/apps", &app.to_string());
        assert_eq!(added.json(200)["name"], name);
    }

    /// Takes an app off the book.
    pub(crate) fn revoke_app(&mut self, daemon: &Earnestd, name: &str) -> Reply {
        let path = format!("/v1/apps/{name}");
        self.curl(daemon).args(&["--request", "DELETE"]).get(&path)
    }

    /// The audit log, entry by entry.
    pub(crate) fn audit(&mut self, daemon: &Earnestd) -> Vec<Value> {
        let read = self.curl(daemon).get("/v1/audit");
        let lines = read.text(200).lines().map(serde_json::from_str);
        let entries: Result<Vec<Value>, _> = lines.collect();
        entries.unwrap_or_else(|error| panic!("{error}: {read:?}"))
    }

    /// What verifying the audit log says.
    pub(crate) fn verify(&mut self, daemon: &Earnestd) -> Value {
        let verified = self.curl(daemon).get("/v1/audit/verification");
        verified.json(200)
    }
}

/// A curl over the Unix socket with this code.
pub(crate) fn with_code(daemon: &Earnestd, code: &str) -> Curl {
    daemon
        .curl()
        .header(&format!("Earnest-Second-Factor: {code}"))
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("it is after 1970").as_secs()
}
