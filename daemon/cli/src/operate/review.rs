//! `earnest access review`: who may do what, and first what to look at.

use std::fmt::Write as _;

use earnest_endpoint::shapes::{FindingEntry, ReviewAnswer, RightEntry};
use earnest_printable::printable;

use super::app::numbers;
use super::arguments::Seeing;
use super::calendar::{last_used, minute};
use super::failure::OperateError;
use super::table::table;
use super::{daemon, say};
use crate::console::Console;
use crate::exit::Exit;

pub(super) fn review(seeing: &Seeing, console: &Console) -> Result<Exit, OperateError> {
    let daemon = daemon(&seeing.place)?;
    let review = daemon.ask(daemon.client().access_review())?;
    say(&review, seeing.format, text, console)
}

fn text(review: &ReviewAnswer) -> String {
    let mut said = format!("who may do what at {}\n", minute(review.at));
    if review.sealed {
        said.push_str(
            "INCOMPLETE: the gate is closed, so added apps and second factors are not known\n",
        );
    }
    if review.findings.is_empty() {
        said.push_str("\nnothing to revoke or to look at\n");
    } else {
        said.push_str("\nto revoke or to look at\n");
    }
    let (revoke, look): (Vec<_>, Vec<_>) = review.findings.iter().partition(|one| one.revoke);
    for finding in revoke.into_iter().chain(look) {
        let _ = writeln!(said, "  {}", printable(&told(finding)));
    }
    said.push('\n');
    let heads = [
        "WHO",
        "KIND",
        "USERS",
        "SCOPE",
        "LAST USED",
        "SECOND FACTOR",
    ];
    said.push_str(&table(heads, review.rights.iter().flat_map(rows)));
    said
}

fn told(finding: &FindingEntry) -> String {
    let verdict = match finding.revoke {
        true => "REVOKE",
        false => "look  ",
    };
    let mut told = format!(
        "{verdict}  {} ({}): {}",
        finding.who, finding.kind, finding.text
    );
    if let Some(mend) = mend(finding) {
        told.push_str(" -> ");
        told.push_str(&mend);
    }
    told
}

/// What mends it, by the daemon's word for what it is.
fn mend(finding: &FindingEntry) -> Option<String> {
    let who = &finding.who;
    Some(match (finding.reason.as_str(), finding.kind.as_str()) {
        ("unused", "app") => format!("earnest app revoke {who}"),
        ("scope_never_used" | "scope_unused" | "transcribe_and_listen" | "shared_uid", "app") => {
            format!("earnest app add {who} anew, with less")
        }
        ("certificate_ends" | "certificate_ended", _) => {
            format!("earnest app cert {who} --out DIR, if it is used still")
        }
        ("no_second_factor", _) => "earnest operator enrol, as that user".to_owned(),
        ("blanket", _) => {
            "earnest app add for each program, and take the user off `allow.apps`".to_owned()
        }
        ("shadowed", _) => "take the user off `allow.apps`".to_owned(),
        _ => return None,
    })
}

/// A row for each scope; who it is stands on the first.
fn rows(right: &RightEntry) -> Vec<[String; 6]> {
    let factor = match right.second_factor {
        Some(true) => "enrolled",
        Some(false) => "NONE",
        None => "",
    };
    let head = [&right.who, &right.kind, &numbers(&right.uids)].map(Clone::clone);
    let mut rows: Vec<[String; 6]> = Vec::new();
    for used in &right.scopes {
        let [who, kind, uids] = match rows.is_empty() {
            true => head.clone(),
            false => Default::default(),
        };
        let factor = if rows.is_empty() { factor } else { "" };
        let last = last_used(used.last_used);
        rows.push([who, kind, uids, used.scope.clone(), last, factor.to_owned()]);
    }
    if rows.is_empty() {
        let [who, kind, uids] = head;
        let nothing = "none".to_owned();
        rows.push([who, kind, uids, nothing, String::new(), factor.to_owned()]);
    }
    rows
}

#[cfg(test)]
mod tests {
    use earnest_endpoint::shapes::ScopeUse;

    use super::*;

    fn right(who: &str, kind: &str, scopes: &[&str], factor: Option<bool>) -> RightEntry {
        let scopes = scopes.iter().map(|&scope| ScopeUse {
            scope: scope.to_owned(),
            last_used: None,
        });
        RightEntry {
            who: who.to_owned(),
            kind: kind.to_owned(),
            uids: vec![1000],
            scopes: scopes.collect(),
            second_factor: factor,
        }
    }

    fn finding(who: &str, kind: &str, reason: &str, revoke: bool) -> FindingEntry {
        FindingEntry {
            who: who.to_owned(),
            kind: kind.to_owned(),
            reason: reason.to_owned(),
            text: format!("{reason} it is"),
            revoke,
        }
    }

    #[test]
    fn what_is_to_be_revoked_stands_first_and_with_its_command() {
        let said = text(&ReviewAnswer {
            at: 0,
            sealed: false,
            rights: vec![
                right("notes", "app", &["vad", "transcribe"], None),
                right("uid-1000", "operator", &["see", "operate"], Some(false)),
                right("old", "app", &[], None),
            ],
            findings: vec![
                finding("uid-1000", "operator", "no_second_factor", false),
                finding("notes", "app", "unused", true),
                finding("x\u{1b}", "app", "of a later version", false),
            ],
        });
        let revoke = said.find("REVOKE  notes (app): unused it is -> earnest app revoke notes");
        let look = said.find("look    uid-1000 (operator)");
        assert!(revoke.unwrap() < look.unwrap(), "{said}");
        assert!(said.contains("-> earnest operator enrol"), "{said}");
        assert!(
            said.contains("x\u{fffd} (app): of a later version it is\n"),
            "{said}"
        );
        let row = "uid-1000  operator  1000   see         never      NONE\n";
        assert!(said.contains(row), "{said}");
        assert!(said.contains("old       app       1000   none\n"), "{said}");
    }

    #[test]
    fn a_review_behind_a_closed_gate_says_that_it_is_incomplete() {
        let said = text(&ReviewAnswer {
            sealed: true,
            ..ReviewAnswer::default()
        });
        assert!(said.contains("INCOMPLETE"), "{said}");
        assert!(said.contains("nothing to revoke"), "{said}");
    }
}
