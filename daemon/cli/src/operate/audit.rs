//! `earnest audit`: what was done, by whom and when.

use earnest_endpoint::client::AuditLines;
use earnest_endpoint::shapes::{AuditLine, ExportFormat, HeadEntry, VerificationAnswer};
use earnest_printable::printable;

use super::arguments::Audit;
use super::calendar;
use super::failure::OperateError;
use super::say;
use super::table::list;
use crate::console::Console;
use crate::daemon::{Daemon, DaemonError, explain};
use crate::exit::Exit;
use crate::output::{Output, escaped};
use crate::status::SaidAs;

/// Digits of a digest that tell it from others.
const DIGITS: usize = 16;

pub(super) fn run(command: &Audit, console: &Console) -> Result<Exit, OperateError> {
    match command {
        Audit::Show { after, asking } => {
            let daemon = asking.acting.daemon()?;
            let lines = daemon.ask(daemon.client().audit(*after))?;
            let format = asking.format;
            write_all(&daemon, lines, |line| entry(line, format))
        }
        Audit::Verify(asking) => {
            let daemon = asking.acting.daemon()?;
            let answer = daemon.ask(daemon.client().verify_audit())?;
            let said = say(&answer, asking.format, verification, console)?;
            Ok(match (said, answer.intact) {
                (Exit::Success, false) => Exit::AuditDamaged,
                (said, _) => said,
            })
        }
        Audit::Export { format, acting } => {
            let daemon = acting.daemon()?;
            let lines = daemon.ask(daemon.client().export_audit(*format))?;
            let format = *format;
            write_all(&daemon, lines, |line| Ok(event(line, format)))
        }
    }
}

/// Writes lines as they come.
fn write_all(
    daemon: &Daemon,
    mut lines: AuditLines,
    say: impl Fn(&str) -> Result<String, DaemonError>,
) -> Result<Exit, OperateError> {
    let mut output = Output::open(None)?;
    loop {
        let line = daemon.wait(lines.next_line());
        let line = line.map_err(|error| explain(error, daemon.client().socket()))?;
        let Some(line) = line else {
            return Ok(Exit::Success);
        };
        if !line.is_empty() {
            output.write(&say(&line)?)?;
        }
    }
}

/// An entry of the log.
fn entry(line: &str, format: SaidAs) -> Result<String, DaemonError> {
    let entry: Option<AuditLine> = serde_json::from_str(line).ok();
    let entry = entry.ok_or(DaemonError::Nonsense { what: "an entry" })?;
    Ok(match format {
        SaidAs::Text => text(&entry),
        // As it came: a later version's members are another program's business.
        SaidAs::Json => format!("{}\n", escaped(line)),
    })
}

fn text(entry: &AuditLine) -> String {
    let mut said = format!(
        "{:>7}  {}  {}",
        entry.sequence,
        calendar::second(entry.wall_milliseconds),
        entry.text
    );
    if entry.times != 1 {
        said.push_str(&format!(" ({} times)", entry.times));
    }
    if let Some(request) = &entry.request {
        said.push_str(&format!(" [{request}]"));
    }
    format!("{}\n", printable(&said))
}

/// A line of an export. JSON stays the same JSON; what another form says with characters that
/// are not printable is no event's.
fn event(line: &str, format: ExportFormat) -> String {
    match format {
        ExportFormat::Ocsf => format!("{}\n", escaped(line)),
        ExportFormat::Cef => format!("{}\n", printable(line)),
    }
}

fn verification(answer: &VerificationAnswer) -> String {
    let verdict = match answer.intact {
        true => "whole, and the one that the TPM holds the device to",
        false => "NOT WHOLE, or not the one that the TPM holds the device to",
    };
    let mut lines = vec![("audit log", verdict.to_owned())];
    if let Some(damage) = &answer.damage {
        lines.push(("damage", damage.clone()));
    }
    lines.push((
        "checked",
        format!("{} entries in {} segments", answer.entries, answer.segments),
    ));
    lines.push(("newest", head(answer.head.as_ref(), "the log is empty")));
    let none = "none yet, so that a log that was cut short does not show";
    lines.push(("in the TPM", head(answer.anchored.as_ref(), none)));
    list(lines)
}

fn head(head: Option<&HeadEntry>, none: &str) -> String {
    let told = |head: &HeadEntry| {
        let digits: String = head.digest.chars().take(DIGITS).collect();
        format!("entry {}, digest {digits}", head.sequence)
    };
    head.map_or_else(|| none.to_owned(), told)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(text: &str) -> String {
        json!({
            "sequence": 41, "wall_milliseconds": 1_709_210_096_000_u64, "boot_milliseconds": 5,
            "request": "req-1", "times": 3, "text": text,
            "event": { "event": "refused", "later": true },
        })
        .to_string()
    }

    #[test]
    fn an_entry_is_a_line_with_its_number_time_and_request() {
        let said = entry(&line("app notes was refused"), SaidAs::Text).unwrap();
        let expected =
            "     41  2024-02-29 12:34:56 UTC  app notes was refused (3 times) [req-1]\n";
        assert_eq!(said, expected);
        let said = entry(&line("\u{9b}"), SaidAs::Json).unwrap();
        let back: serde_json::Value = serde_json::from_str(&said).unwrap();
        assert_eq!(back["text"], "\u{9b}");
        assert_eq!(back["event"]["later"], true);
    }

    #[test]
    fn no_entry_moves_a_terminal() {
        for format in [SaidAs::Text, SaidAs::Json] {
            let said = entry(&line("a\u{1b}[2J\n\u{9b}\u{202e}"), format).unwrap();
            assert!(!said.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{said:?}");
            assert_eq!(said.lines().count(), 1, "{said:?}");
        }
        assert_eq!(
            event("CEF:0|a\u{1b}", ExportFormat::Cef),
            "CEF:0|a\u{fffd}\n"
        );
        assert_eq!(
            event("{\"a\":\"\u{9b}\"}", ExportFormat::Ocsf),
            "{\"a\":\"\\u009b\"}\n"
        );
    }

    #[test]
    fn what_is_no_entry_is_nonsense_of_the_daemon() {
        let nonsense = entry("{}", SaidAs::Json).unwrap_err();
        assert_eq!(nonsense.exit(), Exit::DaemonFailed);
    }

    #[test]
    fn a_log_that_is_not_whole_is_not_hidden() {
        let head = HeadEntry {
            sequence: 41,
            digest: "ab".repeat(32),
        };
        let whole = VerificationAnswer {
            intact: true,
            entries: 41,
            segments: 2,
            head: Some(head.clone()),
            anchored: Some(head),
            damage: None,
        };
        let said = verification(&whole);
        assert!(said.contains("audit log     whole"), "{said}");
        assert!(
            said.contains("entry 41, digest abababababababab\n"),
            "{said}"
        );
        let said = verification(&VerificationAnswer {
            intact: false,
            head: None,
            anchored: None,
            damage: Some("entry 7 is missing\u{1b}".to_owned()),
            ..whole
        });
        assert!(said.contains("NOT WHOLE"), "{said}");
        assert!(
            said.contains("damage        entry 7 is missing\u{fffd}\n"),
            "{said}"
        );
        assert!(said.contains("in the TPM    none yet"), "{said}");
    }
}
