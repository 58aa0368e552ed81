//! How the daemon fares, for operators.

use earnest_gate::Status;
use earnest_pool::PoolStatus;
use earnest_telemetry::Counters;
use serde::{Deserialize, Serialize};

use crate::shapes::{AlertEntry, MicrophoneReport};

/// How the daemon fares: the answer to `GET /v1/status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusReport {
    /// The version of the daemon.
    pub version: String,
    /// Whole seconds since the daemon listens.
    pub uptime_seconds: u64,
    /// Where the gate stands.
    pub gate: Status,
    /// What keeps the gate from opening.
    pub trouble: Option<String>,
    /// The model that is served.
    pub model: String,
    /// How far the workers are locked in.
    pub sandbox: Option<String>,
    /// The workers; none while the gate is closed.
    pub workers: Option<WorkersReport>,
    /// Where it listens.
    pub listeners: Vec<String>,
    /// The microphone, and who listens to it.
    #[serde(default)]
    pub microphone: Option<MicrophoneReport>,
    /// Tokens that are live.
    pub live_tokens: usize,
    /// Alerts that stand, the gravest first.
    #[serde(default)]
    pub alerts: Vec<AlertEntry>,
    /// How often everything happened.
    pub counters: Counters,
    /// The last events, oldest first, each on one line.
    pub events: Vec<String>,
}

/// The workers, as an operator sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WorkersReport {
    /// Processes, those that are starting included.
    pub processes: usize,
    /// Workers that wait for an application of their own.
    pub warm: usize,
    /// Workers that belong to an application and have nothing to do.
    pub idle: usize,
    /// Jobs at work.
    pub working: usize,
    /// Jobs that may be at work at most.
    pub most: usize,
    /// Jobs that wait for a place.
    #[serde(default)]
    pub waiting: usize,
    /// Workers in a row that did not start.
    pub failures: u32,
}

impl WorkersReport {
    pub(crate) fn of(status: &PoolStatus) -> WorkersReport {
        WorkersReport {
            processes: status.processes,
            warm: status.warm,
            idle: status.idle,
            working: status.working,
            most: status.most,
            waiting: status.waiting.iter().sum(),
            failures: status.failures,
        }
    }
}
