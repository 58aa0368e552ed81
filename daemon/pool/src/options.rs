//! What a pool is started with.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use earnest_evidence::measured::SandboxLevel;

use crate::JobLimits;

/// What a pool is started with.
#[derive(Debug, Clone)]
pub struct PoolOptions {
    /// The program that is a worker.
    pub program: PathBuf,
    /// Its arguments, limits of memory and threads among them: its environment is empty.
    pub arguments: Vec<OsString>,
    /// The sealed memfd of prepared weights, which every worker gets as its fd 0.
    pub weights: Arc<OwnedFd>,
    /// Workers that are ready before anybody asks, besides those at work.
    pub warm: usize,
    /// Jobs at work at most. There are never more than this and `warm` workers together,
    /// one for the microphone and one for a trial.
    pub most: usize,
    /// Jobs of one application at work at most, whether others wait or it is alone. Where
    /// others wait, fair turns leave it its share of `most` and no more; this bound holds
    /// besides, and what it is below `most` stays free for who comes next.
    pub most_of_one: usize,
    /// Jobs of one application that wait for a place at most. One more is told at once when to
    /// come again.
    pub queue: usize,
    /// Jobs of all applications together that wait at most: each of them holds a connection
    /// and the first of its sound.
    pub queue_all: usize,
    /// How long a job waits for a place at most. Who has waited so long would rather know, and
    /// who most likely would wait longer is told so at once.
    pub patience: Duration,
    /// How long an application's worker waits for its next job.
    pub idle: Duration,
    /// How long a worker may take until it is ready.
    pub start: Duration,
    /// How long jobs may take.
    pub limits: JobLimits,
    /// The least sandbox that the kernel and the worker must agree on; a worker with less is
    /// not used.
    pub least_sandbox: SandboxLevel,
}

impl PoolOptions {
    /// The defaults: one warm worker, four jobs, two of one application, four more of it waiting
    /// and 64 of all, for 2 s; 60 s idle, 10 s to start, and at least a part of the sandbox.
    pub fn new(
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
        weights: Arc<OwnedFd>,
    ) -> PoolOptions {
        PoolOptions {
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            weights,
            warm: 1,
            most: 4,
            most_of_one: 2,
            queue: 4,
            queue_all: 64,
            patience: Duration::from_secs(2),
            idle: Duration::from_secs(60),
            start: Duration::from_secs(10),
            limits: JobLimits::default(),
            least_sandbox: SandboxLevel::Partial,
        }
    }
}

/// The options without the weights, which are given up before the pool is.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) warm: usize,
    pub(crate) most: usize,
    pub(crate) most_of_one: usize,
    pub(crate) queue: usize,
    pub(crate) queue_all: usize,
    pub(crate) patience: Duration,
    pub(crate) idle: Duration,
    pub(crate) start: Duration,
    pub(crate) limits: JobLimits,
    pub(crate) least_sandbox: SandboxLevel,
}

impl From<&PoolOptions> for Settings {
    fn from(options: &PoolOptions) -> Settings {
        Settings {
            warm: options.warm,
            most: options.most,
            most_of_one: options.most_of_one,
            queue: options.queue,
            queue_all: options.queue_all,
            patience: options.patience,
            idle: options.idle,
            start: options.start,
            limits: options.limits,
            least_sandbox: options.least_sandbox,
        }
    }
}
