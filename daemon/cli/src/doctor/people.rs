//! Operators and auditors: whether each has a second factor, and whether alerts wait for them.

use earnest_endpoint::shapes::{AlertEntry, ReviewAnswer};
use earnest_printable::describe;

use super::finding::Finding;
use crate::daemon::Daemon;
use crate::operate::alert_line;

const FACTORS: &str = "second factors";

/// Looks at what the daemon says of them, as an operator.
pub(super) fn look(daemon: &Daemon, alerts: &[AlertEntry]) -> Vec<Finding> {
    let mut findings = self::alerts(alerts);
    findings.extend(match daemon.ask(daemon.client().access_review()) {
        Ok(review) => second_factors(&review),
        Err(error) => vec![Finding::warn(
            FACTORS,
            describe(&error),
            "earnest access review",
        )],
    });
    findings
}

fn alerts(alerts: &[AlertEntry]) -> Vec<Finding> {
    let warn = |alert: &AlertEntry| {
        let mend = format!(
            "earnest alerts; if all is well: earnest alerts release {}",
            alert.id
        );
        Finding::warn("alerts", alert_line(alert), mend)
    };
    match alerts {
        [] => vec![Finding::ok("alerts", "none stands")],
        alerts => alerts.iter().map(warn).collect(),
    }
}

/// An account without one is anybody's who runs a program as that user.
fn second_factors(review: &ReviewAnswer) -> Vec<Finding> {
    if review.sealed {
        let found = "not known while the gate is closed";
        return vec![Finding::warn(FACTORS, found, "open the gate")];
    }
    let people = review.rights.iter();
    let people = people.filter_map(|right| Some((&right.who, right.second_factor?)));
    let (with, without): (Vec<_>, Vec<_>) = people.partition(|(_, enrolled)| *enrolled);
    if without.is_empty() {
        let found = format!("all {} operators and auditors have one", with.len());
        return vec![Finding::ok(FACTORS, found)];
    }
    let warn = |(who, _): &(&String, bool)| {
        let found = format!("{who} has none, so any program of that user can take one");
        Finding::warn(FACTORS, found, "earnest operator enrol, as that user")
    };
    without.iter().map(warn).collect()
}

#[cfg(test)]
mod tests {
    use earnest_endpoint::shapes::RightEntry;

    use super::super::finding::Grade;
    use super::*;

    fn right(kind: &str, second_factor: Option<bool>) -> RightEntry {
        RightEntry {
            who: "uid-1000".to_owned(),
            kind: kind.to_owned(),
            uids: vec![1000],
            scopes: Vec::new(),
            second_factor,
        }
    }

    #[test]
    fn people_without_a_second_factor_are_warned_of() {
        let grades = |sealed: bool, rights: Vec<RightEntry>| {
            let review = ReviewAnswer {
                sealed,
                rights,
                ..ReviewAnswer::default()
            };
            let found = second_factors(&review);
            found.iter().map(|one| one.grade).collect::<Vec<_>>()
        };
        let app = right("app", None);
        let with = right("operator", Some(true));
        let without = right("auditor", Some(false));
        assert_eq!(grades(false, vec![app, with.clone()]), [Grade::Ok]);
        assert_eq!(grades(false, vec![with, without]), [Grade::Warn]);
        assert_eq!(grades(true, Vec::new()), [Grade::Warn]);
    }

    #[test]
    fn alerts_that_stand_are_warnings() {
        assert_eq!(alerts(&[])[0].grade, Grade::Ok);
        let alert = AlertEntry {
            id: 3,
            subject: "notes".to_owned(),
            kind: "guessing".to_owned(),
            level: "alert".to_owned(),
            score: 13.0,
            for_seconds: 1,
            requests: 9,
            evidence: Default::default(),
        };
        let found = alerts(&[alert]);
        assert_eq!(found[0].grade, Grade::Warn);
        assert!(found[0].mend.as_deref().unwrap().ends_with("release 3"));
    }
}
