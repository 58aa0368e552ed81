//! Where the gate stands and who may look at it: the guardian moves it, the endpoint asks it at
//! every request.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use earnest_endpoint::{House, Serving};
use earnest_gate::{Changes, Gate, GateState, Mode, Open, Schedule, Status};
use earnest_telemetry::Clock;

use crate::crew::Workers;
use crate::weights::Weights;

/// The gate, behind a lock that is held for moments alone.
pub struct Gatehouse {
    gate: Mutex<Gate<Weights>>,
    trouble: Mutex<Option<String>>,
    clock: Clock,
}

impl Gatehouse {
    /// A gate that is sealed.
    pub fn new(mode: Mode, schedule: Schedule, clock: Clock) -> Gatehouse {
        Gatehouse {
            gate: Mutex::new(Gate::new(mode, schedule, clock.now())),
            trouble: Mutex::default(),
            clock,
        }
    }

    /// Moves the gate, at this moment.
    pub fn change(
        &self,
        change: impl FnOnce(&mut Gate<Weights>, std::time::Duration) -> Changes,
    ) -> Changes {
        let now = self.clock.now();
        change(&mut self.gate(), now)
    }

    /// Asks the gate something, at this moment.
    pub fn ask<T>(&self, question: impl FnOnce(&Gate<Weights>, std::time::Duration) -> T) -> T {
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

/// The daemon, as the endpoint sees it.
pub struct Front {
    /// The gate.
    pub gatehouse: Arc<Gatehouse>,
    /// The workers.
    pub workers: Arc<Workers>,
}

impl House for Front {
    fn serving(&self) -> Option<Serving> {
        // The gate first: a pool of a later opening cannot be served with an earlier leave.
        let open = self.gatehouse.open()?;
        let pool = self.workers.pool()?;
        Some(Serving { open, pool })
    }

    fn gate(&self) -> Status {
        self.gatehouse.status()
    }

    fn trouble(&self) -> Option<String> {
        self.gatehouse.trouble()
    }

    fn sandbox(&self) -> Option<String> {
        let reached = self.workers.confinement()?;
        let landlock = match reached.landlock_abi {
            Some(abi) => format!("Landlock ABI {abi}"),
            None => "this kernel has no Landlock".to_owned(),
        };
        let calls = match reached.seccomp {
            true => "system calls filtered",
            false => "system calls not filtered",
        };
        Some(format!("{}: {landlock}, {calls}", reached.level))
    }
}
