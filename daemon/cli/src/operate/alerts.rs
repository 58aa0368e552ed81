//! `earnest alerts`: unusual use that stands.

use std::time::Duration;

use earnest_endpoint::shapes::AlertEntry;
use earnest_printable::printable;

use super::arguments::{AlertCommand, Alerts};
use super::failure::OperateError;
use super::{daemon, say};
use crate::console::Console;
use crate::exit::Exit;
use crate::explain;
use crate::output;

/// Numbers of an alert's evidence that are told to a person. All are in the json format.
const MOST_EVIDENCE: usize = 6;

pub(super) fn run(alerts: &Alerts, console: &Console) -> Result<Exit, OperateError> {
    match &alerts.command {
        None => {
            let daemon = daemon(&alerts.seeing.place)?;
            let stand = daemon.ask(daemon.client().alerts())?;
            say(&stand, alerts.seeing.format, |stand| text(stand), console)
        }
        Some(AlertCommand::Release { id, acting }) => {
            let daemon = acting.daemon()?;
            daemon.ask(daemon.client().release(*id))?;
            let said = format!("alert {id} is released\n");
            Ok(output::say(&said, console))
        }
    }
}

fn text(alerts: &[AlertEntry]) -> String {
    if alerts.is_empty() {
        return "no alert stands\n".to_owned();
    }
    let told = |alert: &AlertEntry| {
        let mut told = format!("{}\n", printable(&line(alert)));
        let evidence = evidence(alert);
        if !evidence.is_empty() {
            told.push_str(&format!("      {}\n", printable(&evidence)));
        }
        told
    };
    let mut said: String = alerts.iter().map(told).collect();
    said.push_str("\nearnest alerts release ID lets an app work again\n");
    said
}

/// An alert in one line.
pub(crate) fn line(alert: &AlertEntry) -> String {
    let AlertEntry {
        id,
        subject,
        kind,
        level,
        score,
        for_seconds,
        requests,
        evidence: _,
    } = alert;
    let done = match level.as_str() {
        "alert" => "told alone",
        "throttle" => "slowed down",
        "quarantine" => "STOPPED",
        other => other,
    };
    let since = explain::span(Duration::from_secs(*for_seconds));
    format!(
        "{id:<5} {subject} is {done}: {kind}, score {score:.1}, for {since}, seen after {requests} \
         requests"
    )
}

fn evidence(alert: &AlertEntry) -> String {
    let shown = alert.evidence.iter().take(MOST_EVIDENCE);
    let shown: Vec<String> = shown
        .map(|(name, number)| format!("{name} {}", figure(*number)))
        .collect();
    let left = alert.evidence.len().saturating_sub(MOST_EVIDENCE);
    match left {
        0 => shown.join(", "),
        _ => format!("{}, and {left} more", shown.join(", ")),
    }
}

/// A number with no more digits than mean something.
fn figure(number: f64) -> String {
    match number.fract() == 0.0 && number.abs() < 1e9 {
        true => format!("{number:.0}"),
        false => format!("{number:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(level: &str) -> AlertEntry {
        AlertEntry {
            id: 7,
            subject: "notes".to_owned(),
            kind: "replay".to_owned(),
            level: level.to_owned(),
            score: 33.25,
            for_seconds: 90,
            requests: 41,
            evidence: [("repeats", 40.0), ("share", 0.97561)]
                .map(|(name, number)| (name.to_owned(), number))
                .into(),
        }
    }

    #[test]
    fn an_alert_says_who_what_and_what_is_done_about_it() {
        let said = text(&[alert("quarantine")]);
        let expected = "7     notes is STOPPED: replay, score 33.2, for 1 min 30 s, seen after 41";
        assert!(said.starts_with(expected), "{said}");
        assert!(said.contains("      repeats 40, share 0.976\n"), "{said}");
        assert!(said.contains("earnest alerts release"), "{said}");
        assert!(line(&alert("throttle")).contains("slowed down"));
        assert!(line(&alert("of a later version")).contains("is of a later version:"));
        assert_eq!(text(&[]), "no alert stands\n");
    }

    #[test]
    fn nothing_of_an_alert_moves_a_terminal_or_fills_it() {
        let strange = AlertEntry {
            subject: "a\u{1b}[2J\n".to_owned(),
            evidence: (0..100).map(|n| (format!("\u{9b}{n}"), f64::NAN)).collect(),
            ..alert("\u{202e}")
        };
        let said = text(&[strange]);
        assert!(!said.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{said:?}");
        assert!(said.contains("and 94 more"), "{said}");
        assert_eq!(said.lines().count(), 4, "{said}");
    }
}
