//! Counts for the transparency report: what the device did, and for nobody in particular.

use std::collections::BTreeMap;

use earnest_telemetry::{AlertKind, Event, FactorOutcome, Refusal, Scope};
use serde::{Deserialize, Serialize};

use crate::Entry;

/// Days that are told one by one: more than the log keeps by far. Entries of further days, which
/// a wall clock that was set wrong may have stamped, are in the sums alone.
const MOST_DAYS: usize = 4096;

/// Milliseconds of a day.
const DAY: u64 = 24 * 60 * 60 * 1000;

/// What a log's entries add up to. There is no application's and no user's name in it.
///
/// ```
/// use earnest_audit::Summary;
///
/// let summary = Summary::of([]);
/// assert_eq!(summary.sum.requests, 0);
/// assert!(summary.days.is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Summary {
    /// Entries that were counted.
    pub entries: u64,
    /// When the oldest and the newest were written, in milliseconds since 1970.
    pub from: Option<u64>,
    /// The newest.
    pub to: Option<u64>,
    /// Each day that has entries, by its date (UTC).
    pub days: BTreeMap<String, Day>,
    /// All of it.
    pub sum: Day,
}

/// What a day's entries, or all of them, add up to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Day {
    /// Requests that were let in, by scope.
    pub requests_by_scope: BTreeMap<Scope, u64>,
    /// Requests that were let in.
    pub requests: u64,
    /// Requests that were answered with a status from 500.
    pub failed: u64,
    /// Milliseconds of sound that were heard.
    pub sound_milliseconds: u64,
    /// Callers that were turned away, by reason.
    pub refusals: BTreeMap<Refusal, u64>,
    /// Alerts, by what was unusual.
    pub alerts: BTreeMap<AlertKind, u64>,
    /// What operators and auditors did.
    pub operator_actions: u64,
    /// Second factors that were wrong, used up, or not looked at.
    pub second_factors_refused: u64,
    /// Times that the microphone was opened.
    pub microphone_opened: u64,
    /// Milliseconds that it was open, of the times that are over.
    pub microphone_milliseconds: u64,
    /// Times that keys were replaced.
    pub keys_rotated: u64,
    /// Times that the gate closed.
    pub gate_closed: u64,
    /// Events that are missing in the log.
    pub lost: u64,
    /// Segments of the log that were purged.
    pub purged_segments: u64,
}

impl Summary {
    /// Adds entries up, in any order.
    pub fn of(entries: impl IntoIterator<Item = Entry>) -> Summary {
        let mut summary = Summary::default();
        for entry in entries {
            summary.add(&entry);
        }
        summary
    }

    /// Adds one more.
    pub fn add(&mut self, entry: &Entry) {
        let at = entry.wall_milliseconds;
        self.entries = self.entries.saturating_add(1);
        self.from = Some(self.from.map_or(at, |from| from.min(at)));
        self.to = Some(self.to.map_or(at, |to| to.max(at)));
        self.sum.add(entry);
        let date = date(at / DAY);
        if self.days.len() < MOST_DAYS || self.days.contains_key(&date) {
            self.days.entry(date).or_default().add(entry);
        }
    }
}

impl Day {
    fn add(&mut self, entry: &Entry) {
        let times = u64::from(entry.times);
        let count = |counter: &mut u64, by: u64| *counter = counter.saturating_add(by);
        match &entry.event {
            Event::RequestBegun { scope, .. } => {
                count(&mut self.requests, times);
                count(self.requests_by_scope.entry(*scope).or_default(), times);
            }
            Event::RequestEnded {
                status,
                sound_milliseconds,
                ..
            } => {
                count(&mut self.failed, u64::from(*status >= 500));
                count(&mut self.sound_milliseconds, *sound_milliseconds);
            }
            Event::Refused { reason, .. } => {
                count(self.refusals.entry(*reason).or_default(), times);
            }
            Event::Alert(alert) => count(self.alerts.entry(alert.kind).or_default(), times),
            Event::OperatorAction { .. } => count(&mut self.operator_actions, times),
            Event::SecondFactor {
                outcome: FactorOutcome::Refused | FactorOutcome::Replayed | FactorOutcome::Locked,
                ..
            } => count(&mut self.second_factors_refused, times),
            Event::MicrophoneOpened { .. } => count(&mut self.microphone_opened, times),
            Event::MicrophoneClosed { milliseconds } => {
                count(&mut self.microphone_milliseconds, *milliseconds);
            }
            Event::KeysRotated { .. } => count(&mut self.keys_rotated, times),
            Event::Gate { from, to, .. } => {
                let closed = from.is_open() && !to.is_open();
                count(&mut self.gate_closed, u64::from(closed));
            }
            Event::AuditLost { events } => count(&mut self.lost, *events),
            Event::AuditPurged { segments, .. } => {
                count(&mut self.purged_segments, u64::from(*segments));
            }
            _ => {}
        }
    }
}

/// The date of a day since 1970-01-01 (Gregorian, as ISO 8601 writes it): Howard Hinnant's
/// "chrono-compatible low-level date algorithms", `civil_from_days`.
fn date(days: u64) -> String {
    // Days since 0000-03-01, so that a leap day is a year's last.
    let days = days.saturating_add(719_468);
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use earnest_telemetry::{App, Door};

    use super::*;

    fn entry(day: u64, times: u32, event: Event) -> Entry {
        Entry {
            sequence: 1,
            wall_milliseconds: day * DAY + 5,
            boot_milliseconds: 7,
            request: None,
            times,
            event,
        }
    }

    #[test]
    fn days_have_the_dates_of_the_calendar() {
        for (days, expected) in [
            (0, "1970-01-01"),
            (58, "1970-02-28"),
            (59, "1970-03-01"),
            (11_016, "2000-02-29"),
            (19_723, "2024-01-01"),
            (19_782, "2024-02-29"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ] {
            assert_eq!(date(days), expected);
        }
        // No clock shows it, and it is no panic.
        date(u64::MAX / DAY);
    }

    #[test]
    fn entries_are_counted_by_day_and_in_all_without_a_name() {
        let begun = Event::RequestBegun {
            request: 1,
            app: App::new("secret-app"),
            uid: 424_242,
            scope: Scope::Vad,
            door: Door::Unix,
            trace: None,
        };
        let refused = Event::Refused {
            app: Some(App::new("secret-app")),
            uid: Some(424_242),
            scope: None,
            door: Door::Unix,
            reason: Refusal::RateLimited,
        };
        let summary = Summary::of([
            entry(0, 1, begun.clone()),
            entry(1, 1, begun),
            entry(1, 300, refused),
            entry(1, 1, Event::MicrophoneOpened { rate: 48_000 }),
            entry(1, 1, Event::MicrophoneClosed { milliseconds: 900 }),
        ]);
        assert_eq!(summary.entries, 5);
        assert_eq!(summary.sum.microphone_opened, 1);
        assert_eq!(summary.sum.microphone_milliseconds, 900);
        assert_eq!((summary.from, summary.to), (Some(5), Some(DAY + 5)));
        assert_eq!(summary.sum.requests, 2);
        assert_eq!(summary.days["1970-01-02"].requests_by_scope[&Scope::Vad], 1);
        assert_eq!(summary.sum.refusals[&Refusal::RateLimited], 300);
        let json = serde_json::to_string(&summary).unwrap();
        assert!(!json.contains("secret-app") && !json.contains("424242"));
        assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), summary);
    }
}
