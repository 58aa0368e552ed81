//! What an endpoint is built from, and what all its handlers share.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use earnest_policy::Policy;
use earnest_telemetry::Telemetry;
use tokio::sync::Semaphore;

use crate::house::{House, Serving};
use crate::limits::Limits;
use crate::models::ServedModel;
use crate::status::{StatusReport, WorkersReport};

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
