//! The handle that everything is recorded with.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::{Deserialize, Serialize};

use crate::{Clock, Counters, Event, sink};

/// Events kept for the status page: some minutes of a busy device, in less than 100 KiB. The
/// oldest goes when a new one comes.
pub const RECENT_EVENTS: usize = 256;

/// Records what happens. Clones share one memory and one sink.
#[derive(Debug, Clone)]
pub struct Telemetry {
    clock: Clock,
    memory: Arc<Mutex<Memory>>,
    sink: Arc<OnceLock<Sink>>,
}

/// Somebody who is shown every event.
struct Sink(Box<dyn Fn(&Recorded) + Send + Sync>);

impl fmt::Debug for Sink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sink")
    }
}

#[derive(Debug, Default)]
struct Memory {
    recent: VecDeque<Recorded>,
    counters: Counters,
}

impl Telemetry {
    /// An empty record on this clock.
    pub fn new(clock: Clock) -> Telemetry {
        Telemetry {
            clock,
            memory: Arc::default(),
            sink: Arc::default(),
        }
    }

    /// An empty record on this clock, which shows every event to a sink, as
    /// [`attach`](Telemetry::attach) says.
    pub fn with_sink(clock: Clock, sink: impl Fn(&Recorded) + Send + Sync + 'static) -> Telemetry {
        let telemetry = Telemetry::new(clock);
        // It is the first.
        telemetry.attach(sink);
        telemetry
    }

    /// Shows every event from now on to a sink, where there is none yet; tells whether it does.
    /// The sink is called by whoever records, so it must return at once: it counts, or puts the
    /// event into a bounded queue and drops it when that is full. Should it record something
    /// itself, it is shown that too.
    pub fn attach(&self, sink: impl Fn(&Recorded) + Send + Sync + 'static) -> bool {
        self.sink.set(Sink(Box::new(sink))).is_ok()
    }

    /// Records an event: counts it, keeps it for a while, and passes it on to `tracing` and to the
    /// sink.
    pub fn record(&self, event: Event) {
        let at = self.clock.now();
        let recorded = {
            let mut memory = self.memory();
            memory.counters.count(&event);
            let recorded = Recorded {
                sequence: memory.counters.events,
                at_milliseconds: u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
                event,
            };
            if memory.recent.len() == RECENT_EVENTS {
                memory.recent.pop_front();
            }
            memory.recent.push_back(recorded.clone());
            recorded
        };
        // Not under the lock: a log may be slow.
        sink::log(&recorded);
        if let Some(Sink(sink)) = self.sink.get() {
            sink(&recorded);
        }
    }

    /// The last events, oldest first.
    pub fn recent(&self) -> Vec<Recorded> {
        self.memory().recent.iter().cloned().collect()
    }

    /// How often everything happened.
    pub fn counters(&self) -> Counters {
        self.memory().counters
    }

    /// The clock that events are stamped with.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Numbers and whole events are all there is, so a memory that somebody panicked over is
    /// still good.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An event with its time and place in the order of things.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Its number, from one; what is missing before the oldest has been dropped.
    pub sequence: u64,
    /// When, in milliseconds of CLOCK_BOOTTIME.
    pub at_milliseconds: u64,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}
