//! What is found, and how it is said.

use std::fmt;

use earnest_printable::printable;
use serde::Serialize;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Grade {
    /// As it should be.
    Ok,
    /// It works, and not as it should; or it cannot be seen.
    Warn,
    /// It keeps Earnest from working, or from being safe.
    Wrong,
}

impl Grade {
    fn name(self) -> &'static str {
        match self {
            Grade::Ok => "ok",
            Grade::Warn => "warn",
            Grade::Wrong => "wrong",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// How it is.
    pub(super) grade: Grade,
    /// What was looked at.
    pub(super) about: &'static str,
    /// What was found.
    pub(super) found: String,
    /// What mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mend: Option<String>,
}

impl Finding {
    /// As it should be.
    pub(super) fn ok(about: &'static str, found: impl Into<String>) -> Finding {
        Finding {
            grade: Grade::Ok,
            about,
            found: found.into(),
            mend: None,
        }
    }

    /// Not as it should be, and this mends it.
    pub(super) fn warn(
        about: &'static str,
        found: impl Into<String>,
        mend: impl Into<String>,
    ) -> Finding {
        Finding {
            grade: Grade::Warn,
            about,
            found: found.into(),
            mend: Some(mend.into()),
        }
    }

    /// Wrong, and this mends it.
    pub(super) fn wrong(
        about: &'static str,
        found: impl Into<String>,
        mend: impl Into<String>,
    ) -> Finding {
        Finding {
            grade: Grade::Wrong,
            ..Finding::warn(about, found, mend)
        }
    }
}

/// One line for people. Paths and answers are strangers' text.
impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding {
            grade,
            about,
            found,
            mend,
        } = self;
        write!(
            formatter,
            "{:<5}  {about}: {}",
            grade.name(),
            printable(found)
        )?;
        match mend {
            Some(mend) => write!(formatter, " -> {}", printable(mend)),
            None => Ok(()),
        }
    }
}

/// All that was found.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Finding>);

impl Report {
    /// Adds findings.
    pub(super) fn extend(&mut self, findings: impl IntoIterator<Item = Finding>) {
        self.0.extend(findings);
    }

    /// Whether nothing is wrong.
    pub(super) fn is_well(&self) -> bool {
        self.count(Grade::Wrong) == 0
    }

    /// The report as one JSON object.
    pub(super) fn json(&self) -> String {
        #[derive(Serialize)]
        struct Object<'a> {
            wrong: usize,
            warnings: usize,
            findings: &'a [Finding],
        }
        let object = Object {
            wrong: self.count(Grade::Wrong),
            warnings: self.count(Grade::Warn),
            findings: &self.0,
        };
        let mut json = serde_json::to_string_pretty(&object)
            .expect("an object of strings and numbers always has a JSON form");
        json.push('\n');
        json
    }

    fn count(&self, grade: Grade) -> usize {
        self.0.iter().filter(|one| one.grade == grade).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.0 {
            writeln!(formatter, "{finding}")?;
        }
        match (self.count(Grade::Wrong), self.count(Grade::Warn)) {
            (0, 0) => writeln!(formatter, "nothing is wrong"),
            (0, warnings) => writeln!(formatter, "nothing is wrong; warnings: {warnings}"),
            (wrong, warnings) => writeln!(formatter, "wrong: {wrong}; warnings: {warnings}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(findings: Vec<Finding>) -> Report {
        let mut report = Report::default();
        report.extend(findings);
        report
    }

    #[test]
    fn each_finding_is_a_line_with_what_mends_it() {
        let report = report(vec![
            Finding::ok("swap", "off"),
            Finding::wrong("device", "/x\u{1b}\n is not there", "make one"),
            Finding::warn("clock", "slow", "wind it"),
        ]);
        assert!(!report.is_well());
        let said = report.to_string();
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), 4, "{said}");
        assert_eq!(lines[0], "ok     swap: off");
        assert!(lines[1].starts_with("wrong  device: /x") && lines[1].ends_with(" -> make one"));
        assert!(!said.contains('\u{1b}'));
        assert_eq!(lines[2], "warn   clock: slow -> wind it");
        assert_eq!(lines[3], "wrong: 1; warnings: 1");
    }

    #[test]
    fn a_warning_is_nothing_wrong() {
        assert!(report(Vec::new()).is_well());
        let report = report(vec![Finding::warn("clock", "slow", "wind it")]);
        assert!(report.is_well());
        let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
        assert_eq!((&json["wrong"], &json["warnings"]), (&0.into(), &1.into()));
        assert_eq!(json["findings"][0]["grade"], "warn");
        assert_eq!(json["findings"][0]["mend"], "wind it");
    }
}
