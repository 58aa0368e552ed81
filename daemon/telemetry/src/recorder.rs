//! The handle that everything is recorded with.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::{Clock, Event, GateState, sink};

/// Events kept for the status page: some minutes of a busy device, in less than 100 KiB. The
/// oldest goes when a new one comes.
pub const RECENT_EVENTS: usize = 256;

/// Records what happens. Clones share one memory.
#[derive(Debug, Clone)]
pub struct Telemetry {
    clock: Clock,
    memory: Arc<Mutex<Memory>>,
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
        }
    }

    /// Records an event: counts it, keeps it for a while, and passes it on to `tracing`.
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recorded {
    /// Its number, from one; what is missing before the oldest has been dropped.
    pub sequence: u64,
    /// When, in milliseconds of CLOCK_BOOTTIME.
    pub at_milliseconds: u64,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// How often everything happened since the daemon started. Counters stop at the end of their
/// range rather than starting anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Events of any kind.
    pub events: u64,
    /// Requests that were let in.
    pub requests_begun: u64,
    /// Requests that were answered.
    pub requests_ended: u64,
    /// Requests that were answered with a status from 500.
    pub requests_failed: u64,
    /// Callers that were turned away.
    pub refused: u64,
    /// Milliseconds of sound that were brought.
    pub sound_milliseconds: u64,
    /// Workers that were started.
    pub workers_started: u64,
    /// Workers that are gone.
    pub workers_ended: u64,
    /// Workers that are gone and should not be.
    pub workers_failed: u64,
    /// Times that the gate opened.
    pub gate_opened: u64,
    /// Times that the gate closed.
    pub gate_closed: u64,
    /// Self-tests that were passed.
    pub self_tests_passed: u64,
    /// Self-tests that were not.
    pub self_tests_failed: u64,
    /// Tokens that were given out.
    pub tokens_issued: u64,
}

impl Counters {
    fn count(&mut self, event: &Event) {
        add(&mut self.events, 1);
        match event {
            Event::RequestBegun { .. } => add(&mut self.requests_begun, 1),
            Event::RequestEnded {
                status,
                sound_milliseconds,
                ..
            } => {
                add(&mut self.requests_ended, 1);
                add(&mut self.requests_failed, u64::from(*status >= 500));
                add(&mut self.sound_milliseconds, *sound_milliseconds);
            }
            Event::Refused { .. } => add(&mut self.refused, 1),
            Event::WorkerStarted { .. } => add(&mut self.workers_started, 1),
            Event::WorkerEnded { why, .. } => {
                add(&mut self.workers_ended, 1);
                add(&mut self.workers_failed, u64::from(!why.is_orderly()));
            }
            Event::Gate { from, to, .. } => {
                add(
                    &mut self.gate_opened,
                    u64::from(!from.is_open() && to.is_open()),
                );
                add(
                    &mut self.gate_closed,
                    u64::from(from != to && *to == GateState::Closed),
                );
            }
            Event::SelfTest(test) if test.passed => add(&mut self.self_tests_passed, 1),
            Event::SelfTest(_) => add(&mut self.self_tests_failed, 1),
            Event::TokenIssued { .. } => add(&mut self.tokens_issued, 1),
            Event::Started
            | Event::Stopping
            | Event::Sandbox { .. }
            | Event::TokensRevoked { .. }
            | Event::CertificateRenewed => {}
        }
    }
}

fn add(counter: &mut u64, amount: u64) {
    *counter = counter.saturating_add(amount);
}
