//! Leave to use the model.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The gate was open when this was given, and says for itself whether it still is. Clones share
/// their fate: when the gate closes, all of one opening are dead at once and for good.
///
/// Whoever works for long asks again before each step.
///
/// ```compile_fail
/// // Nobody else can make one.
/// let open = earnest_gate::Open { until: Default::default(), package: [0; 32], opening: 0 };
/// ```
#[derive(Clone)]
pub struct Open {
    /// Shared with the gate, which alone writes it.
    until: Arc<Deadline>,
    package: [u8; 32],
    opening: u64,
}

impl Open {
    /// Whether the gate has not closed since. It says nothing of the deadline: where the time is
    /// at hand, ask [`Open::is_live_at`].
    pub fn is_live(&self) -> bool {
        self.until.load().is_some()
    }

    /// Whether the gate has not closed since, and its proof still holds at `now`, on
    /// CLOCK_BOOTTIME.
    pub fn is_live_at(&self, now: Duration) -> bool {
        self.until.load().is_some_and(|until| now < until)
    }

    /// Until when the proof at hand carries, grace included; it moves on as the gate gets new
    /// proof. `None` when dead.
    pub fn until(&self) -> Option<Duration> {
        self.until.load()
    }

    /// The digest of the model package that may be used.
    pub fn package(&self) -> &[u8; 32] {
        &self.package
    }

    /// The number of the opening, from one. Weights and workers of one opening are not those of
    /// another.
    pub fn opening(&self) -> u64 {
        self.opening
    }
}

impl fmt::Debug for Open {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Open({}, until {:?})",
            self.opening,
            self.until()
        )
    }
}

/// Leave to ask the unsealed model its known clips, which comes before any [`Open`]: their
/// answers are what opens the gate. It serves no request, and it is dead as soon as the model is
/// forgotten.
pub struct Trial(Open);

impl Trial {
    /// Whether the model is still held.
    pub fn is_live(&self) -> bool {
        self.0.is_live()
    }
}

impl fmt::Debug for Trial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Trial(live: {})", self.is_live())
    }
}

/// The gate's end of an opening. Dropping it, be it with the gate, ends the opening.
pub(crate) struct Opening(Open);

impl Opening {
    pub(crate) fn new(opening: u64, package: [u8; 32], until: Duration) -> Opening {
        let deadline = Deadline(AtomicU64::new(DEAD));
        deadline.store(until);
        Opening(Open {
            until: Arc::new(deadline),
            package,
            opening,
        })
    }

    pub(crate) fn carry(&mut self, until: Duration) {
        self.0.until.store(until);
    }

    /// The time during which a model is held: nobody knows its end.
    pub(crate) fn of_model(package: [u8; 32]) -> Opening {
        Opening::new(0, package, Duration::MAX)
    }

    pub(crate) fn leave(&self) -> Open {
        self.0.clone()
    }

    pub(crate) fn trial(&self) -> Trial {
        Trial(self.0.clone())
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.0.until.kill();
    }
}

/// A time in nanoseconds, which last for 584 years, or [`DEAD`]. One word, so that nobody can
/// see a deadline of an opening that is over.
struct Deadline(AtomicU64);

const DEAD: u64 = 0;

impl Deadline {
    fn load(&self) -> Option<Duration> {
        match self.0.load(Ordering::SeqCst) {
            DEAD => None,
            nanoseconds => Some(Duration::from_nanos(nanoseconds)),
        }
    }

    /// Only an [`Opening`] stores, and it kills as the last thing it does, so nothing that is
    /// dead comes back.
    fn store(&self, until: Duration) {
        let nanoseconds = u64::try_from(until.as_nanos()).unwrap_or(u64::MAX);
        self.0.store(nanoseconds, Ordering::SeqCst);
    }

    fn kill(&self) {
        self.0.store(DEAD, Ordering::SeqCst);
    }
}
