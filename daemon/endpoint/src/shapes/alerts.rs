//! Alerts of unusual use.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `GET /v1/alerts`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct AlertsAnswer {
    /// Alerts that stand, the gravest first.
    pub alerts: Vec<AlertEntry>,
}

/// An alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlertEntry {
    /// Its number, by which it is released.
    pub id: u64,
    /// Whose use it is: an application's name, `uid-1000`, or `unknown`.
    pub subject: String,
    /// What is unusual: `replay`, `guessing`, …
    pub kind: String,
    /// What is done about it: `alert`, `throttle` or `quarantine`.
    pub level: String,
    /// How unusual it is.
    pub score: f64,
    /// Seconds since it was first seen.
    pub for_seconds: u64,
    /// Requests that it took to see it.
    pub requests: u64,
    /// What it rests on, in numbers alone.
    pub evidence: BTreeMap<String, f64>,
}
