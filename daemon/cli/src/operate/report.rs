//! `earnest report transparency`: what this device did, in counts.
//!
//! There is no name in it, no user and no time finer than a day, so it can be published as it is.
//! Its words are the kinds of refusals and alerts, which the daemon's own code writes.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use earnest_audit::Day;
use earnest_endpoint::shapes::ReportAnswer;
use earnest_printable::printable;

use super::arguments::WrittenAs;
use super::calendar::day;
use super::daemon;
use super::failure::OperateError;
use super::table::{list, table};
use crate::console::Console;
use crate::daemon::Place;
use crate::exit::Exit;
use crate::explain::span;
use crate::output;

/// What the columns of days are about.
const HEADS: [&str; 6] = [
    "Day",
    "Requests",
    "Failed",
    "Sound",
    "Turned away",
    "Alerts",
];

pub(super) fn transparency(
    place: &Place,
    format: WrittenAs,
    console: &Console,
) -> Result<Exit, OperateError> {
    let daemon = daemon(place)?;
    let report = daemon.ask(daemon.client().report())?;
    let said = match format {
        WrittenAs::Text => text(&report),
        WrittenAs::Json => output::json(&report),
        WrittenAs::Markdown => markdown(&report),
    };
    Ok(output::say(&said, console))
}

fn text(report: &ReportAnswer) -> String {
    let mut said = format!("What this device did, {}\n\n", period(report));
    said.push_str(&list(sums(&report.sum)));
    let days = table(HEADS, report.days.iter().map(row));
    if !days.is_empty() {
        said.push_str(&format!("\n{days}"));
    }
    said
}

fn markdown(report: &ReportAnswer) -> String {
    let mut said = format!(
        "# What this device did\n\n{}.\n\n",
        capital(&period(report))
    );
    said.push_str(&rows(
        ["What", "How often"],
        sums(&report.sum).map(|(name, sum)| [name.to_owned(), sum]),
    ));
    if !report.days.is_empty() {
        said.push_str("\n## By day (UTC)\n\n");
        said.push_str(&rows(HEADS, report.days.iter().map(row)));
    }
    said
}

/// A table in Markdown.
fn rows<const COLUMNS: usize>(
    heads: [&str; COLUMNS],
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
) -> String {
    // A bar would begin another cell.
    let cell = |cell: String| printable(&cell).replace('|', "\\|");
    let line = |cells: [String; COLUMNS]| format!("| {} |\n", cells.map(cell).join(" | "));
    let mut said = line(heads.map(str::to_owned));
    said.push_str(&line(heads.map(|_| "---".to_owned())));
    said.extend(rows.into_iter().map(line));
    said
}

fn period(report: &ReportAnswer) -> String {
    match (report.from, report.to) {
        (Some(from), Some(to)) => format!(
            "from {} to {}, by {} entries of its audit log",
            day(from / 1000),
            day(to / 1000),
            report.entries
        ),
        _ => "of which its audit log says nothing".to_owned(),
    }
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}

/// What all of it adds up to.
fn sums(sum: &Day) -> [(&'static str, String); 11] {
    let of = |number: u64, kinds: String| match kinds.is_empty() {
        true => number.to_string(),
        false => format!("{number} ({kinds})"),
    };
    [
        ("requests", of(sum.requests, kinds(&sum.requests_by_scope))),
        ("failed here", sum.failed.to_string()),
        ("sound heard", sound(sum)),
        (
            "turned away",
            of(total(&sum.refusals), kinds(&sum.refusals)),
        ),
        ("alerts", of(total(&sum.alerts), kinds(&sum.alerts))),
        ("operators", format!("{} actions", sum.operator_actions)),
        (
            "wrong codes",
            format!("{} second factors refused", sum.second_factors_refused),
        ),
        ("keys", format!("replaced {} times", sum.keys_rotated)),
        ("gate", format!("closed {} times", sum.gate_closed)),
        ("lost", format!("{} events are not in the log", sum.lost)),
        (
            "purged",
            format!("{} segments of the log, on time", sum.purged_segments),
        ),
    ]
}

fn row((date, day): (&String, &Day)) -> [String; 6] {
    [
        date.clone(),
        day.requests.to_string(),
        day.failed.to_string(),
        sound(day),
        total(&day.refusals).to_string(),
        total(&day.alerts).to_string(),
    ]
}

fn sound(day: &Day) -> String {
    span(Duration::from_millis(day.sound_milliseconds))
}

fn total<K>(counts: &BTreeMap<K, u64>) -> u64 {
    counts
        .values()
        .fold(0, |sum, count| sum.saturating_add(*count))
}

fn kinds<K: Display>(counts: &BTreeMap<K, u64>) -> String {
    let kinds = counts.iter().filter(|(_, count)| **count > 0);
    let kinds: Vec<String> = kinds
        .map(|(kind, count)| format!("{kind} {count}"))
        .collect();
    kinds.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report() -> ReportAnswer {
        let day = json!({
            "requests": 12, "requests_by_scope": { "vad": 2, "transcribe": 10 },
            "failed": 1, "sound_milliseconds": 61_000,
            "refusals": { "bad_token": 4, "insufficient_scope": 1 },
            "alerts": {}, "operator_actions": 3,
        });
        let report = json!({
            "entries": 40, "from": 1_709_210_096_000_u64, "to": 1_709_213_696_000_u64,
            "days": { "2024-02-29": day.clone() }, "sum": day,
        });
        serde_json::from_value(report).unwrap()
    }

    #[test]
    fn what_was_done_is_told_in_counts() {
        let said = text(&report());
        for expected in [
            "from 2024-02-29 to 2024-02-29, by 40 entries",
            "requests      12 (vad 2, transcribe 10)\n",
            "failed here   1\n",
            "sound heard   1 min 1 s\n",
            "turned away   5 (",
            "bad_token 4",
            "alerts        0\n",
            "\nDay         Requests  Failed  Sound      Turned away  Alerts\n",
            "\n2024-02-29  12        1       1 min 1 s  5            0\n",
        ] {
            assert!(said.contains(expected), "no {expected:?} in:\n{said}");
        }
    }

    #[test]
    fn markdown_has_a_table_of_sums_and_one_of_days() {
        let said = markdown(&report());
        assert!(
            said.starts_with("# What this device did\n\nFrom 2024-02-29"),
            "{said}"
        );
        assert!(said.contains("| What | How often |\n| --- | --- |\n| requests | 12 ("));
        assert!(
            said.contains("| 2024-02-29 | 12 | 1 | 1 min 1 s | 5 | 0 |\n"),
            "{said}"
        );
        assert_eq!(
            rows(["a"], [["x|y\n".to_owned()]]),
            "| a |\n| --- |\n| x\\|y\u{fffd} |\n"
        );
    }

    #[test]
    fn an_empty_log_is_said_to_be_one() {
        let said = text(&ReportAnswer::default());
        assert!(said.contains("says nothing"), "{said}");
        assert!(!said.contains("Day"), "{said}");
        assert!(!markdown(&ReportAnswer::default()).contains("By day"));
    }
}
