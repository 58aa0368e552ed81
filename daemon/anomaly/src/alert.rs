//! What is told to an operator, and what is done meanwhile.

use std::time::Duration;

use earnest_telemetry::{AlertKind, AlertLevel};
use serde::Serialize;
use thiserror::Error;

use crate::Subject;
use crate::score::Surprises;

/// Somebody's requests are unusual. One alert stands for one episode: it is told again when its
/// level rises, under the same number.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alert {
    /// Its number.
    pub id: u64,
    /// Whom it is about.
    pub subject: Subject,
    /// What is unusual: the pattern that scored highest.
    pub kind: AlertKind,
    /// What is done about it; of an alert that is over, what was done at most.
    pub level: AlertLevel,
    /// The highest score so far, in nats.
    pub score: f64,
    /// When it was raised, in milliseconds of CLOCK_BOOTTIME.
    pub since_milliseconds: u64,
    /// When it ended, if it has.
    pub ended_milliseconds: Option<u64>,
    /// Requests and refusals in the window that raised it.
    pub requests: u64,
    /// What it rests on, as of the highest score.
    pub evidence: Evidence,
}

/// As an event: without what it rests on.
impl From<&Alert> for earnest_telemetry::Alert {
    fn from(alert: &Alert) -> earnest_telemetry::Alert {
        let (app, uid) = match &alert.subject {
            Subject::App(app) => (Some(app.clone()), None),
            Subject::Uid(uid) => (None, Some(*uid)),
            Subject::Unknown => (None, None),
        };
        earnest_telemetry::Alert {
            alert: alert.id,
            app,
            uid,
            kind: alert.kind,
            level: alert.level,
            requests: alert.requests,
        }
    }
}

/// What an alert rests on: numbers alone.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Evidence {
    /// The length of the window.
    pub window_minutes: u32,
    /// Requests in it.
    pub requests: u32,
    /// Refusals in it.
    pub refusals: u32,
    /// Milliseconds of sound in it.
    pub sound_milliseconds: u64,
    /// Requests that were all but silent.
    pub silent: u32,
    /// Requests that brought a payload again.
    pub repeats: u32,
    /// Requests whose sound was much like another's, but not the same.
    pub near_repeats: u32,
    /// Requests that the model was uncertain of.
    pub low_certainty: u32,
    /// Requests whose bytes dribbled in.
    pub dribbled: u32,
    /// Over how many hours its requests spread evenly, if it is the window of a day.
    pub hours_active: f64,
    /// How surprising each of its sides is, in nats.
    pub surprises: Surprises,
}

/// What a subject may do now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Standing {
    /// What it was granted.
    Normal,
    /// Less of it.
    Throttled {
        /// What its rates are multiplied by: above zero, at most a half.
        factor: f64,
    },
    /// Nothing.
    Quarantined {
        /// Until when on CLOCK_BOOTTIME; `None` is until an operator releases it.
        until: Option<Duration>,
    },
}

/// Why nothing was released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ReleaseError {
    /// No open alert has this number.
    #[error("there is no open alert {0}")]
    NoSuchAlert(u64),
}
