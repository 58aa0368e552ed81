//! Whether the device is to be trusted now, in a word, and every reason why it is not.

use earnest_gate::{ModeName, Standing};
use earnest_telemetry::{AlertLevel, GateState};

use super::words::{Count, Spaced, Span};
use super::{PageState, SelfTestState};

/// Attempts within the last hour with credentials that do not hold, from which on they are told
/// at the top: what locks a source, too.
const GUESSES: u64 = 20;

/// The word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Requests are served, and all proof holds.
    Open,
    /// Requests are served, and somebody should look.
    Attention,
    /// No request is served.
    Closed,
}

impl Verdict {
    /// What it says.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Verdict::Open => "Open and proven",
            Verdict::Attention => "Attention",
            Verdict::Closed => "Closed",
        }
    }
}

/// The word and its reasons, the gravest first.
pub(crate) fn verdict(state: &PageState) -> (Verdict, Vec<String>) {
    let closed = closed(state);
    let attention = attention(state);
    match (closed.is_empty(), attention.is_empty()) {
        (false, _) => (Verdict::Closed, [closed, attention].concat()),
        (true, false) => (Verdict::Attention, attention),
        (true, true) => (Verdict::Open, Vec::new()),
    }
}

/// Whether the workers' sandbox is all that is asked for: its level stands before the colon.
pub(crate) fn is_whole(sandbox: &str) -> bool {
    sandbox.split(':').next() == Some("full")
}

/// Why nothing is served.
fn closed(state: &PageState) -> Vec<String> {
    let mut reasons = Vec::new();
    let gate = &state.gate;
    if !gate.open {
        let (place, reason) = (gate.state, Spaced(gate.reason.name()));
        reasons.push(match gate.state {
            GateState::Closed => format!("The gate is closed: {reason}."),
            _ => format!("The gate is not open yet: {place}, {reason}."),
        });
        reasons.extend(state.trouble.as_ref().map(|trouble| sentence(trouble)));
    }
    if !state.audit.writable {
        reasons.push("The audit log cannot be written, so no work is taken.".to_owned());
    }
    reasons
}

/// Why somebody should look.
fn attention(state: &PageState) -> Vec<String> {
    let mut reasons = alerts(state);
    let gate = &state.gate;
    if gate.state == GateState::Grace {
        reasons.push("The fleet's result has expired; requests are served in grace.".to_owned());
    }
    if gate.open {
        reasons.extend(state.trouble.as_ref().map(|trouble| sentence(trouble)));
    }
    if state.software_tpm {
        reasons.push("The TPM is a software TPM: it proves nothing to anybody else.".to_owned());
    } else if gate.standing == Some(Standing::Warning) {
        reasons.push("The fleet's verifier vouches for the device with a warning.".to_owned());
    }
    if let Some(SelfTestState { passed: false, ago }) = state.self_test {
        reasons.push(format!("The last self-test failed, {} ago.", Span(ago)));
    }
    if let Some(level) = &state.sandbox
        && !is_whole(level)
    {
        reasons.push(format!("The workers' sandbox is not whole: {level}."));
    }
    match state.load.map_or(0, |load| load.failures) {
        0 => {}
        1 => reasons.push("The last worker did not start.".to_owned()),
        failures => reasons.push(format!("The last {failures} workers did not start.")),
    }
    if state.audit.lost > 0 {
        let lost = Count(state.audit.lost, ["event", "events"]);
        reasons.push(format!("The audit log misses {lost} of this run."));
    }
    let guesses: u64 = state
        .hour
        .refusals
        .iter()
        .filter(|(reason, _)| reason.is_of_identity())
        .map(|(_, count)| count)
        .sum();
    if guesses >= GUESSES {
        let guesses = Count(guesses, ["attempt", "attempts"]);
        reasons.push(format!(
            "{guesses} to come in without good credentials within the hour."
        ));
    }
    reasons
}

/// What the alerts come to, in one line.
fn alerts(state: &PageState) -> Vec<String> {
    let levels = [
        (AlertLevel::Quarantine, "quarantined"),
        (AlertLevel::Throttle, "throttled"),
        (AlertLevel::Alert, "watched"),
    ];
    let counted = levels.iter().filter_map(|(level, what)| {
        let count = state.alerts.iter().filter(|alert| alert.level == *level);
        let count = count.count();
        (count > 0).then(|| format!("{count} {what}"))
    });
    let counted: Vec<String> = counted.collect();
    match counted.is_empty() {
        true => Vec::new(),
        false => vec![format!("Unusual use: {}.", counted.join(", "))],
    }
}

/// What the proof rests on, and until when it holds; nothing where there is none.
pub(crate) fn proven_until(state: &PageState) -> Option<String> {
    let gate = &state.gate;
    if !gate.open {
        return None;
    }
    let left = gate.seconds_left.map(std::time::Duration::from_secs);
    Some(match (gate.mode, left) {
        (ModeName::Fleet, Some(left)) => format!("for another {} (fleet)", Span(left)),
        (ModeName::Fleet, None) => "by the fleet's verifier".to_owned(),
        (ModeName::Local, _) => "until a measurement or an answer changes (local)".to_owned(),
    })
}

/// A line that the daemon wrote, as a sentence.
fn sentence(line: &str) -> String {
    let mut characters = line.chars();
    let first = characters.next().map(|first| first.to_uppercase());
    let rest = characters.as_str().trim_end_matches('.');
    match first {
        Some(first) => format!("{first}{rest}."),
        None => String::new(),
    }
}
