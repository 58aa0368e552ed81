//! How a pool is doing.

use std::time::Duration;

use serde::Serialize;

/// How a pool is doing, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PoolStatus {
    /// Whether the pool has ended, or is ending.
    pub closed: bool,
    /// Processes, those that are starting included.
    pub processes: usize,
    /// Workers that are starting.
    pub starting: usize,
    /// Workers that are ready and nobody's yet.
    pub warm: usize,
    /// Workers that wait for their application's next job.
    pub idle: usize,
    /// Jobs at work.
    pub working: usize,
    /// Whether a job on the microphone's sound is at work, which is not counted there.
    pub microphone: bool,
    /// Jobs that may be at work at most.
    pub most: usize,
    /// Jobs that wait for a place: of each application that has any, how many, the most first.
    /// Whose they are is not told.
    pub waiting: Vec<usize>,
    /// Workers in a row that did not start, or died before they had a job. Each doubles the
    /// time until the next is tried.
    pub failures: u32,
    /// Until when none is tried.
    pub retry_in: Option<Duration>,
}
