//! What the endpoint asks of the daemon around it, and what it is built from.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use earnest_gate::{Open, Status};
use earnest_policy::Policy;
use earnest_pool::{Pool, PoolStatus};
use earnest_telemetry::{Counters, Telemetry};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::limits::Limits;
use crate::models::ServedModel;

/// Leave to use the model, and the workers of that leave.
#[derive(Debug, Clone)]
pub struct Serving {
    /// What the gate gave.
    pub open: Open,
    /// The workers that hold the weights of this opening.
    pub pool: Pool,
}

/// The daemon, as the endpoint sees it.
pub trait House: Send + Sync + 'static {
    /// What can be served with now; nothing while the gate is closed. It is asked at every
    /// request, so it does not wait.
    fn serving(&self) -> Option<Serving>;

    /// Where the gate stands.
    fn gate(&self) -> Status;

    /// How far the workers are locked in, in one plain line; nothing before the first one ran.
    fn sandbox(&self) -> Option<String>;

    /// What keeps the gate from opening, in one plain line for the operator; nothing where
    /// nothing does, or nobody knows more than the gate's own reason.
    fn trouble(&self) -> Option<String> {
        None
    }
}

/// What an endpoint is built from.
pub struct Parts {
    /// Who may do what.
    pub policy: Arc<Policy>,
    /// Where everything is recorded, and whose clock counts.
    pub telemetry: Telemetry,
    /// The daemon around it.
    pub house: Arc<dyn House>,
    /// The model that is served.
    pub model: ServedModel,
    /// Bounds on requests.
    pub limits: Limits,
    /// Origins of pages that may call, as browsers write them: `https://notes.example`. Usually
    /// none.
    pub origins: Vec<String>,
    /// The version of the daemon.
    pub version: String,
}

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
    /// Tokens that are live.
    pub live_tokens: usize,
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
    /// Workers in a row that did not start.
    pub failures: u32,
}

impl WorkersReport {
    fn of(status: &PoolStatus) -> WorkersReport {
        WorkersReport {
            processes: status.processes,
            warm: status.warm,
            idle: status.idle,
            working: status.working,
            most: status.most,
            failures: status.failures,
        }
    }
}

/// What all handlers share.
pub(crate) struct Shared {
    pub(crate) policy: Arc<Policy>,
    pub(crate) telemetry: Telemetry,
    pub(crate) house: Arc<dyn House>,
    pub(crate) model: ServedModel,
    pub(crate) limits: Limits,
    pub(crate) origins: Vec<String>,
    pub(crate) version: String,
    pub(crate) listeners: Vec<String>,
    pub(crate) started: Duration,
    /// Room for files that are held, in KiB.
    pub(crate) room: Arc<Semaphore>,
    requests: AtomicU64,
    scramble: RandomState,
}

/// The unit of [`Shared::room`], because a semaphore counts no further than 2^29 on machines
/// with words of 32 bits.
pub(crate) const ROOM_UNIT: u64 = 1 << 10;

impl Shared {
    pub(crate) fn new(parts: Parts, listeners: Vec<String>) -> Shared {
        let started = parts.telemetry.clock().now();
        let room = usize::try_from(parts.limits.held_bytes / ROOM_UNIT)
            .unwrap_or(usize::MAX)
            .min(Semaphore::MAX_PERMITS);
        Shared {
            policy: parts.policy,
            telemetry: parts.telemetry,
            house: parts.house,
            model: parts.model,
            limits: parts.limits,
            origins: parts.origins,
            version: parts.version,
            listeners,
            started,
            room: Arc::new(Semaphore::new(room)),
            requests: AtomicU64::new(0),
            scramble: RandomState::new(),
        }
    }

    /// The time on CLOCK_BOOTTIME.
    pub(crate) fn now(&self) -> Duration {
        self.telemetry.clock().now()
    }

    /// A number for the next request: the same in its answer and in what is recorded of it.
    /// A plain count would tell every caller how much the others ask. It has 52 bits, which
    /// readers of JSON that know no integers keep.
    pub(crate) fn next_request(&self) -> u64 {
        let count = self.requests.fetch_add(1, Ordering::Relaxed);
        self.scramble.hash_one(count) >> 12
    }

    /// What can be served with, if its proof holds still.
    pub(crate) fn serving(&self) -> Option<Serving> {
        let serving = self.house.serving()?;
        serving.open.is_live_at(self.now()).then_some(serving)
    }

    /// How the daemon fares.
    pub(crate) fn status(&self) -> StatusReport {
        let now = self.now();
        let recent = self.telemetry.recent();
        StatusReport {
            version: self.version.clone(),
            uptime_seconds: now.saturating_sub(self.started).as_secs(),
            gate: self.house.gate(),
            trouble: self.house.trouble(),
            model: self.model.id.clone(),
            sandbox: self.house.sandbox(),
            workers: self
                .house
                .serving()
                .map(|serving| WorkersReport::of(&serving.pool.status())),
            listeners: self.listeners.clone(),
            live_tokens: self.policy.live_tokens(now),
            counters: self.telemetry.counters(),
            events: recent.iter().map(|one| one.event.to_string()).collect(),
        }
    }
}
