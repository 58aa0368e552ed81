//! What was learned, as it is kept between runs: JSON of one format, to be encrypted by whoever
//! keeps it.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use earnest_telemetry::{AlertKind, AlertLevel};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::Subject;
use crate::alert::{Alert, Evidence};
use crate::baseline::Baseline;
use crate::response::Response;
use crate::score::Surprises;
use crate::subject::Watched;
use crate::watch::{MAX_SUBJECTS, milliseconds};

/// The only format so far.
const FORMAT: u32 = 1;

/// Alerts are counted up to here: the end of the whole numbers that every reader of JSON knows.
const LAST_ALERT: u64 = 1 << 53;

/// Most bytes of a saved file: [`MAX_SUBJECTS`] at less than 8 KiB each.
pub const MAX_SAVED_BYTES: usize = MAX_SUBJECTS * 8 * 1024;

/// Learned numbers of every subject, and who is in quarantine. It holds no payload, no shape
/// and no sound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baselines {
    format: u32,
    last_alert: u64,
    subjects: Vec<Saved>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    subject: Subject,
    baseline: Baseline,
    strikes: u32,
    quarantine: Option<Quarantine>,
}

/// A quarantine outlives the daemon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Quarantine {
    alert: u64,
    kind: AlertKind,
    score: f64,
    requests: u64,
    /// What is left of it; `None` is until an operator releases it.
    milliseconds_left: Option<u64>,
}

/// Why nothing was imported.
#[derive(Debug, Error)]
pub enum ImportError {
    /// It is longer than anything that was exported.
    #[error("learned baselines of {0} bytes, at most {MAX_SAVED_BYTES}")]
    TooLong(usize),
    /// It is not JSON of this shape.
    #[error("learned baselines are not readable")]
    Json(#[from] serde_json::Error),
    /// It is of another format.
    #[error("learned baselines of format {0}, expected {FORMAT}")]
    Format(u32),
    /// It counts more alerts than a device can have raised.
    #[error("learned baselines after {0} alerts, at most {LAST_ALERT}")]
    TooManyAlerts(u64),
    /// It names too many.
    #[error("learned baselines of {0} subjects, at most {MAX_SUBJECTS}")]
    TooMany(usize),
    /// It names one twice.
    #[error("learned baselines name {0} twice")]
    Twice(Subject),
    /// A number is one that learning does not lead to.
    #[error("learned baselines of {0} hold a number out of range")]
    OutOfRange(Subject),
}

/// Baselines whose every number was checked.
pub(crate) struct Checked {
    pub(crate) last_alert: u64,
    subjects: Vec<Saved>,
}

impl Baselines {
    /// Nothing learned.
    pub(crate) fn new(last_alert: u64) -> Baselines {
        Baselines {
            format: FORMAT,
            last_alert,
            subjects: Vec::new(),
        }
    }

    /// Reads what [`encode`](Baselines::encode) wrote, and nothing else.
    pub fn parse(bytes: &[u8]) -> Result<Baselines, ImportError> {
        if bytes.len() > MAX_SAVED_BYTES {
            return Err(ImportError::TooLong(bytes.len()));
        }
        let saved: Baselines = serde_json::from_slice(bytes)?;
        saved.check_all()?;
        Ok(saved)
    }

    /// As bytes, to be encrypted.
    pub fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and names are always JSON")
    }

    /// How many subjects there are.
    pub fn len(&self) -> usize {
        self.subjects.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty()
    }

    pub(crate) fn add(
        &mut self,
        subject: &Subject,
        watched: &Watched,
        open: &BTreeMap<u64, Alert>,
        now: Duration,
    ) {
        let response = &watched.response;
        let alert = response.alert.and_then(|id| open.get(&id));
        let quarantine = alert
            .filter(|_| response.level == Some(AlertLevel::Quarantine))
            .map(|alert| Quarantine {
                alert: alert.id,
                kind: alert.kind,
                score: alert.score,
                requests: alert.requests,
                milliseconds_left: response
                    .until
                    .map(|until| milliseconds(until.saturating_sub(now))),
            });
        self.subjects.push(Saved {
            subject: subject.clone(),
            baseline: watched.baseline.clone(),
            strikes: response.strikes,
            quarantine,
        });
    }

    pub(crate) fn check(self) -> Result<Checked, ImportError> {
        self.check_all()?;
        Ok(Checked {
            last_alert: self.last_alert,
            subjects: self.subjects,
        })
    }

    fn check_all(&self) -> Result<(), ImportError> {
        if self.format != FORMAT {
            return Err(ImportError::Format(self.format));
        }
        if self.last_alert > LAST_ALERT {
            return Err(ImportError::TooManyAlerts(self.last_alert));
        }
        if self.subjects.len() > MAX_SUBJECTS {
            return Err(ImportError::TooMany(self.subjects.len()));
        }
        let mut subjects = HashSet::new();
        let mut alerts = HashSet::new();
        for saved in &self.subjects {
            if !subjects.insert(&saved.subject) {
                return Err(ImportError::Twice(saved.subject.clone()));
            }
            let quarantine = saved.quarantine.as_ref();
            let is_sound = quarantine.is_none_or(|quarantine| {
                quarantine.score.is_finite()
                    && quarantine.alert <= self.last_alert
                    && alerts.insert(quarantine.alert)
            });
            if !is_sound || !saved.baseline.is_sound() {
                return Err(ImportError::OutOfRange(saved.subject.clone()));
            }
        }
        Ok(())
    }
}

impl Checked {
    /// Subjects as they go on from now, and the alerts that are open about them.
    pub(crate) fn restore(
        self,
        now: Duration,
        hour: u8,
    ) -> impl Iterator<Item = (Subject, Watched, Option<Alert>)> {
        self.subjects.into_iter().map(move |saved| {
            let mut watched = Watched::new(saved.baseline, now, hour % 168);
            watched.response = Response::after(saved.strikes);
            let alert = saved.quarantine.map(|quarantine| {
                watched.response.level = Some(AlertLevel::Quarantine);
                watched.response.alert = Some(quarantine.alert);
                watched.response.until = quarantine
                    .milliseconds_left
                    .map(|left| now.saturating_add(Duration::from_millis(left)));
                restored(&saved.subject, &quarantine, now)
            });
            (saved.subject, watched, alert)
        })
    }
}

/// An alert of before: its windows are gone, and its numbers with them.
fn restored(subject: &Subject, quarantine: &Quarantine, now: Duration) -> Alert {
    Alert {
        id: quarantine.alert,
        subject: subject.clone(),
        kind: quarantine.kind,
        level: AlertLevel::Quarantine,
        score: quarantine.score,
        since_milliseconds: milliseconds(now),
        ended_milliseconds: None,
        requests: quarantine.requests,
        evidence: Evidence {
            window_minutes: 0,
            requests: 0,
            refusals: 0,
            sound_milliseconds: 0,
            silent: 0,
            repeats: 0,
            near_repeats: 0,
            low_certainty: 0,
            dribbled: 0,
            hours_active: 0.0,
            surprises: Surprises::default(),
        },
    }
}
