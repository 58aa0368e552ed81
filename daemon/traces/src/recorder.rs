//! The handle that spans are recorded with.

use std::collections::VecDeque;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use earnest_telemetry::{Clock, TraceId, WallClock};

use crate::encode::{Stamped, VERSION, encode};
use crate::{Context, Span, SpanId, TraceParent};

/// Most spans that wait for a collector: half a minute of a busy device, in about 1 MiB. At the
/// bound the oldest goes when a new one comes, because whoever looks after an outage looks at
/// what is new.
pub const MAX_SPANS: usize = 2048;

/// Most spans of one batch. Their attributes are few and short, so a batch stays below 256 KiB.
pub const BATCH_SPANS: usize = 256;

/// Records spans. Clones share one memory.
#[derive(Debug, Clone)]
pub struct Traces(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    wall: WallClock,
    memory: Mutex<Memory>,
}

#[derive(Debug)]
struct Memory {
    random: fastrand::Rng,
    waiting: VecDeque<Stamped>,
    counters: Counters,
}

/// How it went with spans since the daemon started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counters {
    /// Spans that were recorded.
    pub recorded: u64,
    /// Of them, those that went to make room for newer ones.
    pub dropped: u64,
    /// Of them, those that a collector took.
    pub sent: u64,
    /// Of them, those that were tried to be sent in vain.
    pub lost: u64,
    /// Of them, those that wait.
    pub waiting: u64,
}

/// Spans for one message to the collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// An `ExportTraceServiceRequest`.
    pub body: Bytes,
    /// How many spans are in it.
    pub spans: usize,
}

impl Traces {
    /// Records spans whose times are on `clock`, and tells them as they are on `wall`.
    pub fn new(clock: Clock, wall: WallClock) -> Traces {
        Traces::with_random(clock, wall, fastrand::Rng::new())
    }

    /// The same with numbers out of this source. Numbers of traces and spans are no secrets:
    /// they need to differ, and whoever guesses one has nothing.
    fn with_random(clock: Clock, wall: WallClock, random: fastrand::Rng) -> Traces {
        Traces(Some(Arc::new(Inner {
            clock,
            wall,
            memory: Mutex::new(Memory {
                random,
                waiting: VecDeque::new(),
                counters: Counters::default(),
            }),
        })))
    }

    /// Numbers that are known beforehand, for a test.
    #[cfg(test)]
    pub(crate) fn seeded(clock: Clock, wall: WallClock, seed: u64) -> Traces {
        Traces::with_random(clock, wall, fastrand::Rng::with_seed(seed))
    }

    /// Records nothing: there is no collector.
    pub const fn off() -> Traces {
        Traces(None)
    }

    /// Whether anything is recorded.
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The place of a request's first span: a child of what its caller named, or the root of a
    /// trace of its own.
    pub fn context(&self, parent: Option<&TraceParent>) -> Context {
        self.with_numbers(|random| {
            let trace = TraceId(random.u128(1..).to_be_bytes());
            Context::of_request(parent, trace, span_id(random))
        })
    }

    /// The place of a span that is a part of another.
    pub fn child(&self, of: &Context) -> Context {
        self.with_numbers(|random| of.child(span_id(random)))
    }

    /// Records a span, unless its caller asked that its trace is not.
    pub fn record(&self, span: Span) {
        let Some(inner) = &self.0 else { return };
        if !span.context.is_sampled() {
            return;
        }
        let ahead = inner.wall.now().saturating_sub(inner.clock.now());
        let mut memory = inner.memory();
        add(&mut memory.counters.recorded, 1);
        if memory.waiting.len() == MAX_SPANS {
            memory.waiting.pop_front();
            add(&mut memory.counters.dropped, 1);
        }
        memory.waiting.push_back(Stamped { span, ahead });
    }

    /// Takes the oldest spans out, at most [`BATCH_SPANS`]; nothing where there are none.
    /// Whoever takes them says by [`Traces::sent`] or [`Traces::lost`] what became of them.
    pub fn batch(&self) -> Option<Batch> {
        let inner = self.0.as_ref()?;
        let taken: Vec<Stamped> = {
            let mut memory = inner.memory();
            let count = memory.waiting.len().min(BATCH_SPANS);
            memory.waiting.drain(..count).collect()
        };
        // Encoded outside the lock, which requests take.
        (!taken.is_empty()).then(|| Batch {
            body: encode(&taken, VERSION),
            spans: taken.len(),
        })
    }

    /// A collector took this batch.
    pub fn sent(&self, batch: &Batch) {
        self.count(|counters| add(&mut counters.sent, batch.spans as u64));
    }

    /// This batch was given up.
    pub fn lost(&self, batch: &Batch) {
        self.count(|counters| add(&mut counters.lost, batch.spans as u64));
    }

    /// How it went so far.
    pub fn counters(&self) -> Counters {
        let Some(inner) = &self.0 else {
            return Counters::default();
        };
        let memory = inner.memory();
        Counters {
            waiting: memory.waiting.len() as u64,
            ..memory.counters
        }
    }

    fn count(&self, change: impl FnOnce(&mut Counters)) {
        if let Some(inner) = &self.0 {
            change(&mut inner.memory().counters);
        }
    }

    /// Where nothing is recorded, a place is still one: what is written elsewhere may name it.
    fn with_numbers<T>(&self, make: impl FnOnce(&mut fastrand::Rng) -> T) -> T {
        match &self.0 {
            Some(inner) => make(&mut inner.memory().random),
            None => make(&mut fastrand::Rng::new()),
        }
    }
}

impl Inner {
    /// Whole spans and numbers are all there is, so a memory that somebody panicked over is
    /// still good.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn span_id(random: &mut fastrand::Rng) -> SpanId {
    SpanId::of(NonZeroU64::MIN.saturating_add(random.u64(..u64::MAX)))
}

fn add(counter: &mut u64, amount: u64) {
    *counter = counter.saturating_add(amount);
}
