//! Where the gate stands: the guardian moves it, the endpoint asks it at every request.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use earnest_gate::{Changes, Gate, GateState, Mode, Open, Schedule, Status};
use earnest_telemetry::Clock;

use crate::weights::Weights;

/// The gate, behind a lock that is held for moments alone.
pub struct Gatehouse {
    gate: Mutex<Gate<Weights>>,
    trouble: Mutex<Option<String>>,
    /// When the model was last asked its known clips, and whether it knew them.
    tested: Mutex<Option<(Duration, bool)>>,
    /// When the audit log's head was last measured.
    anchored: Mutex<Option<Duration>>,
    clock: Clock,
}

impl Gatehouse {
    /// A gate that is sealed.
    pub fn new(mode: Mode, schedule: Schedule, clock: Clock) -> Gatehouse {
        Gatehouse {
            gate: Mutex::new(Gate::new(mode, schedule, clock.now())),
            trouble: Mutex::default(),
            tested: Mutex::default(),
            anchored: Mutex::default(),
            clock,
        }
    }

    /// Moves the gate, at this moment.
    pub fn change(&self, change: impl FnOnce(&mut Gate<Weights>, Duration) -> Changes) -> Changes {
        let now = self.clock.now();
        change(&mut self.gate(), now)
    }

    /// Asks the gate something, at this moment.
    pub fn ask<T>(&self, question: impl FnOnce(&Gate<Weights>, Duration) -> T) -> T {
        let now = self.clock.now();
        question(&self.gate(), now)
    }

    /// Leave to use the model, while the gate is open.
    pub fn open(&self) -> Option<Open> {
        self.ask(|gate, now| gate.open(now))
    }

    /// Where the gate stands.
    pub fn status(&self) -> Status {
        self.ask(|gate, now| gate.status(now))
    }

    /// What keeps the gate from opening, in one plain line for an operator; nothing where
    /// nothing does, or nobody knows yet.
    pub fn trouble(&self) -> Option<String> {
        self.last_trouble().clone()
    }

    /// Notes what keeps the gate from opening, and says whether that is news.
    pub fn note(&self, trouble: Option<String>) -> bool {
        let mut last = self.last_trouble();
        let news = *last != trouble;
        *last = trouble;
        news
    }

    /// Notes that the model was asked its known clips.
    pub fn note_test(&self, passed: bool) {
        *self.tested() = Some((self.clock.now(), passed));
    }

    /// How long ago the model was asked its known clips, and whether it knew them.
    pub fn last_test(&self) -> Option<(Duration, bool)> {
        let (at, passed) = (*self.tested())?;
        Some((self.clock.now().saturating_sub(at), passed))
    }

    /// Notes that the audit log's head was measured.
    pub fn note_anchor(&self) {
        *self.anchored() = Some(self.clock.now());
    }

    /// How long ago the audit log's head was measured.
    pub fn last_anchor(&self) -> Option<Duration> {
        let at = (*self.anchored())?;
        Some(self.clock.now().saturating_sub(at))
    }

    fn anchored(&self) -> MutexGuard<'_, Option<Duration>> {
        self.anchored.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tested(&self) -> MutexGuard<'_, Option<(Duration, bool)>> {
        self.tested.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A line is replaced whole.
    fn last_trouble(&self) -> MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether no model is held.
    pub fn is_shut(&self) -> bool {
        let state = self.ask(|gate, _| gate.state());
        matches!(state, GateState::Sealed | GateState::Closed)
    }

    /// Whatever it was that panicked, it was asking: the gate's own steps are whole, and each
    /// of them fails closed.
    fn gate(&self) -> MutexGuard<'_, Gate<Weights>> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
