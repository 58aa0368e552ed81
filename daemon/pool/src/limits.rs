//! How long jobs may take.

use std::time::Duration;

/// How long jobs may take. A job waits for its worker or for its client, and each wait has a
/// limit of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobLimits {
    /// How long a worker that has sound may show no progress: neither take more of it nor
    /// answer. Segments are 15 s of sound at most, which the slowest machine that serves at
    /// all reads faster than they were spoken.
    pub stall: Duration,
    /// How long a client may send no sound, or take no events.
    pub client: Duration,
    /// How long a job may wait for its worker altogether, whatever it brings.
    pub work: Duration,
    /// By how many seconds more for each second of sound.
    pub work_per_second: u32,
    /// How long a worker may take to let go of a job that nobody wants any more. It looks for
    /// that between two segments.
    pub abandon: Duration,
}

impl Default for JobLimits {
    fn default() -> JobLimits {
        JobLimits {
            stall: Duration::from_secs(30),
            client: Duration::from_secs(120),
            work: Duration::from_secs(60),
            work_per_second: 2,
            abandon: Duration::from_secs(5),
        }
    }
}
