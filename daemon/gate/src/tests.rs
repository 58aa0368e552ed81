//! Every edge of the machine, on simulated time.

mod edges;
mod random;
mod shown;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use earnest_telemetry::Event;

use crate::{
    Answer, Changes, Gate, KnownAnswers, LiveResult, Measurement, Mode, Schedule, Standing,
    UnsealedModel, WrongAnswer,
};

const FLEET: Mode = Mode::Fleet {
    grace: Duration::from_secs(20),
};

/// Small numbers, so that tables of seconds can be read.
const SCHEDULE: Schedule = Schedule {
    answers_every: Duration::from_secs(100),
    answers_late: Duration::from_secs(10),
    measured_within: Duration::from_secs(50),
};

const BOOT: Measurement = Measurement::new([1; 32]);
const OTHER: Measurement = Measurement::new([2; 32]);

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Counts how many models have not been forgotten.
#[derive(Clone, Default)]
struct Shelf(Arc<AtomicUsize>);

impl Shelf {
    fn model(&self) -> Model {
        self.0.fetch_add(1, Ordering::SeqCst);
        Model(self.clone())
    }

    fn held(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

struct Model(Shelf);

impl UnsealedModel for Model {
    fn package(&self) -> [u8; 32] {
        [0xab; 32]
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Vouching(Duration);

impl LiveResult for Vouching {
    fn remaining(&self) -> Duration {
        self.0
    }

    fn standing(&self) -> Standing {
        Standing::Warning
    }
}

fn passed() -> Result<KnownAnswers, WrongAnswer> {
    KnownAnswers::check(&[Answer {
        expected: "one two",
        heard: "One, two.",
    }])
}

fn failed() -> Result<KnownAnswers, WrongAnswer> {
    KnownAnswers::check(&[Answer {
        expected: "one two",
        heard: "you",
    }])
}

/// What a gate can be told.
#[derive(Debug, Clone, Copy)]
enum Input {
    Unseal,
    Same,
    Changed,
    Pass,
    Fail,
    /// With so many seconds left.
    Vouch(u64),
    Refuse,
    Lose,
    Stop,
    Tick,
}

impl Input {
    fn give(self, gate: &mut Gate<Model>, shelf: &Shelf, now: Duration) -> Changes {
        match self {
            Input::Unseal => gate.unsealed(now, shelf.model(), BOOT),
            Input::Same => gate.measured(now, BOOT),
            Input::Changed => gate.measured(now, OTHER),
            Input::Pass => gate.answered(now, passed()),
            Input::Fail => gate.answered(now, failed()),
            Input::Vouch(seconds) => gate.vouched(now, &Vouching(at(seconds))),
            Input::Refuse => gate.refused(now),
            Input::Lose => gate.tpm_lost(now),
            Input::Stop => gate.stop(now),
            Input::Tick => gate.tick(now),
        }
    }
}

fn gate(mode: Mode) -> Gate<Model> {
    Gate::new(mode, SCHEDULE, Duration::ZERO)
}

/// The changes of state among `changes`, as lines.
fn moves(changes: &Changes) -> impl Iterator<Item = String> {
    changes.events.iter().filter_map(|event| match event {
        Event::Gate { from, to, reason } => Some(format!("{from} > {to}: {reason}")),
        _ => None,
    })
}
