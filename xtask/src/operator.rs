//! The demo's operator, who audits, too: gives an app one thing to do, and reads in the audit log
//! how it tried another.
//!
//! Each action takes a code of an authenticator, and each code is good once. The authenticator is
//! `oathtool`, which knows no more of Earnest than any other.

use std::cell::RefCell;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::listening;
use crate::service::{self, Place, Service};
use crate::setup::Mode;
use crate::shell::Program;
use crate::trust::Trust;

/// How long a code stands (RFC 6238, section 5.2). The daemon takes those of the steps before and
/// after, too.
const STEP: u64 = 30;

/// The app.
pub(crate) const APP: &str = "notes";

/// What it may do with sound of its own: find out when there was speech. At the microphone it
/// may be told of commands.
const SCOPE: &str = "vad";

/// A code as a person's shell would get it.
const PRINTED_CODE: &str = "$(oathtool --totp --base32 $SECRET)";

/// The operator of the demo's daemon.
#[derive(Debug)]
pub(crate) struct Operator {
    mode: Mode,
    authenticator: RefCell<Option<Authenticator>>,
}

impl Operator {
    /// Who has no second factor yet.
    pub(crate) fn new(mode: Mode) -> Operator {
        Operator {
            mode,
            authenticator: RefCell::new(None),
        }
    }

    /// Gets a second factor, and confirms it with a code.
    pub(crate) fn enrol(&self, trust: &Trust, service: &Service) -> Result<()> {
        let place = service.place();
        let enrol = trust.earnest().args(["operator", "enrol"]);
        let enrol = at(enrol, &place);
        if self.mode == Mode::Print {
            println!("{enrol}");
            println!("read -r SECRET  # as it was shown; each of its codes is good once");
            return Ok(());
        }
        let enrol = enrol.args(["--format", "json"]);
        enrol.answer(|shown| {
            let shown: Value = serde_json::from_str(shown).context("the secret is no JSON")?;
            let secret = shown["secret"].as_str().context("there is no secret")?;
            let mut authenticator = Authenticator::of(secret);
            let code = authenticator.code()?;
            self.authenticator.replace(Some(authenticator));
            Ok(code)
        })?;
        eprintln!("  each action takes a code of an authenticator from now on, and each code once");
        Ok(())
    }

    /// Adds an app that may find speech and no more, has it ask for text, shows how that was
    /// refused and where it is written down, and has it do what it may.
    pub(crate) fn show_a_refusal(
        &self,
        trust: &Trust,
        service: &Service,
        sound: &Path,
    ) -> Result<()> {
        let place = service.place();
        let uid = service::own_uid()?;
        listening::enrol_phrases(self, trust, service)?;
        let add = ["app", "add", APP, "--uid", &uid, "--scope", SCOPE];
        let add = [&add[..], &listening::scope_of_commands()].concat();
        self.act(trust, &place, &add)?;
        let (text, times) = (place.curl(sound), place.curl_for_activity(sound));
        let (show, verify) = (["audit", "show"], ["audit", "verify"]);
        if self.mode == Mode::Print {
            println!("{text}\n{times}");
            self.act(trust, &place, &show)?;
            return self.act(trust, &place, &verify).map(drop);
        }
        eprintln!(
            "  added: {APP}, scopes {SCOPE} and command; programs of user {uid} are {APP} from now on"
        );
        let refused = Refused::read(&text.output_quietly()?)?;
        eprintln!("  {APP} asks for text: refused, {}", refused.code);
        ensure!(refused.code == "insufficient_scope", "{refused:?}");
        eprintln!(
            "  {APP} asks when there was speech: {}",
            activity(&times.output_quietly()?)?
        );
        let log = self.act(trust, &place, &show)?;
        let entry = log.lines().find(|line| line.contains(&refused.request));
        let entry = entry.context("the refusal is not in the audit log")?;
        eprintln!("  in the audit log: {}", entry.trim());
        let verified = self.act(trust, &place, &verify);
        match (verified, trust.is_software()) {
            (Ok(told), _) => eprintln!("  {}", told.lines().next().unwrap_or_default()),
            (Err(error), true) => return Err(error),
            // Each demo begins a new log, and a TPM of a person's own remembers the last one.
            (Err(_), false) => eprintln!("  your TPM holds the device to the log of another demo"),
        }
        Ok(())
    }

    /// Whether it acts.
    pub(crate) fn mode(&self) -> Mode {
        self.mode
    }

    /// An action with a code.
    pub(crate) fn act(&self, trust: &Trust, place: &Place, action: &[&str]) -> Result<String> {
        let action = at(trust.earnest().args(action.iter().copied()), place);
        if self.mode == Mode::Print {
            println!("{}", action.args(["--code", PRINTED_CODE]));
            return Ok(String::new());
        }
        let mut authenticator = self.authenticator.borrow_mut();
        let authenticator = authenticator.as_mut().context("nobody is enrolled")?;
        let code = authenticator.code()?;
        action.args(["--code", &code]).output_quietly()
    }
}

fn at(command: Program, place: &Place) -> Program {
    command.args(place.at())
}

/// What shows codes.
struct Authenticator {
    secret: String,
    /// The step of the last code that it showed.
    last: u64,
}

impl Authenticator {
    fn of(secret: &str) -> Authenticator {
        Authenticator {
            secret: secret.to_owned(),
            last: 0,
        }
    }

    /// The earliest code that is good and was not shown yet. Waits until there is one.
    fn code(&mut self) -> Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let (step, wait) = next_step(self.last, now);
        if !wait.is_zero() {
            eprintln!("  the next code is good in {} s", wait.as_secs() + 1);
            thread::sleep(wait);
        }
        self.last = step;
        let time = format!("@{}", step * STEP);
        let show = Program::new("oathtool").args(["--totp", "--base32", "--now", &time]);
        let code = show.arg(&self.secret).output_quietly()?;
        Ok(code.trim().to_owned())
    }
}

/// Without the secret.
impl std::fmt::Debug for Authenticator {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Authenticator(...)")
    }
}

/// The step of the earliest code after `last` that is good at some time, and how long that is from
/// `now` on.
fn next_step(last: u64, now: Duration) -> (u64, Duration) {
    let current = now.as_secs() / STEP;
    let step = (last + 1).max(current.saturating_sub(1));
    let good_from = Duration::from_secs(step.saturating_sub(1) * STEP);
    (step, good_from.saturating_sub(now))
}

/// What an app is told that is refused.
#[derive(Debug, PartialEq)]
struct Refused {
    code: String,
    /// The request's number, by which it stands in the audit log.
    request: String,
}

impl Refused {
    fn read(answer: &str) -> Result<Refused> {
        let Ok(value) = serde_json::from_str::<Value>(answer) else {
            bail!("the app was not refused: {answer}");
        };
        let error = |name: &str| {
            let member = value["error"][name].as_str();
            let member = member.with_context(|| format!("a refusal without `{name}`: {answer}"));
            member.map(str::to_owned)
        };
        Ok(Refused {
            code: error("code")?,
            request: error("request_id")?,
        })
    }
}

/// The times of speech, in words.
fn activity(answer: &str) -> Result<String> {
    let value: Value = serde_json::from_str(answer).context("the answer is no JSON")?;
    let segments = value["segments"].as_array();
    let segments = segments.with_context(|| format!("the answer has no `segments`: {answer}"))?;
    let times = segments.iter().map(|segment| {
        let second = |name: &str| segment[name].as_f64().context("a segment has no times");
        Ok(format!(
            "{:.1} to {:.1} s",
            second("start")?,
            second("end")?
        ))
    });
    let times: Vec<String> = times.collect::<Result<_>>()?;
    ensure!(!times.is_empty(), "no speech was found: {answer}");
    Ok(times.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_another_and_comes_as_soon_as_it_is_good() {
        let at = Duration::from_secs(1_700_000_010);
        let current = at.as_secs() / STEP;
        let (first, wait) = next_step(0, at);
        assert_eq!((first, wait), (current - 1, Duration::ZERO));
        let (second, wait) = next_step(first, at);
        assert_eq!((second, wait), (current, Duration::ZERO));
        let (third, wait) = next_step(second, at);
        assert_eq!((third, wait), (current + 1, Duration::ZERO));
        let (fourth, wait) = next_step(third, at);
        assert_eq!(fourth, current + 2);
        let good_from = Duration::from_secs((current + 1) * STEP);
        assert_eq!(at + wait, good_from);
        assert!(wait <= Duration::from_secs(STEP));
    }

    #[test]
    fn a_refusal_is_read_and_an_answer_is_none() {
        let told = r#"{"error":{"code":"insufficient_scope","request_id":"r-1"}}"#;
        let expected = Refused {
            code: "insufficient_scope".to_owned(),
            request: "r-1".to_owned(),
        };
        assert_eq!(Refused::read(told).unwrap(), expected);
        assert!(Refused::read("ever tried").is_err());
        assert!(Refused::read(r#"{"text":"ever tried"}"#).is_err());
    }

    #[test]
    fn times_of_speech_are_told_and_none_is_an_error() {
        let told = r#"{"segments":[{"start":0.12,"end":1.0},{"start":2,"end":3.25}],"duration":4}"#;
        assert_eq!(activity(told).unwrap(), "0.1 to 1.0 s, 2.0 to 3.2 s");
        assert!(activity(r#"{"segments":[],"duration":4}"#).is_err());
        assert!(activity(r#"{"segments":[{"start":1}]}"#).is_err());
    }
}
