//! The time that people read, which anybody with the right may set.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A source of the time since 1970, for stamps that people read. It may jump either way at any
/// moment, so nothing may live or die by it alone: that is what [`Clock`](crate::Clock) is for.
/// Clones show the same time.
///
/// ```
/// use std::time::Duration;
/// use earnest_telemetry::WallClock;
///
/// let wall = WallClock::simulated(Duration::from_secs(1_700_000_000));
/// wall.set(Duration::from_secs(1_600_000_000));
/// assert_eq!(wall.now(), Duration::from_secs(1_600_000_000));
/// ```
#[derive(Clone)]
pub struct WallClock(Source);

#[derive(Clone)]
enum Source {
    System,
    /// Nanoseconds, which last until the year 2554.
    Simulated(Arc<AtomicU64>),
}

impl WallClock {
    /// The machine's own.
    pub fn system() -> WallClock {
        WallClock(Source::System)
    }

    /// One that stands still until it is told otherwise, for tests.
    pub fn simulated(start: Duration) -> WallClock {
        let wall = WallClock(Source::Simulated(Arc::default()));
        wall.set(start);
        wall
    }

    /// The time since 1970; none before that, as a clock that was never set shows.
    pub fn now(&self) -> Duration {
        match &self.0 {
            Source::System => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
            Source::Simulated(time) => Duration::from_nanos(time.load(Ordering::SeqCst)),
        }
    }

    /// Sets a simulated clock, be it back. The machine's own is not ours to set.
    pub fn set(&self, to: Duration) {
        if let Source::Simulated(time) = &self.0 {
            let nanoseconds = u64::try_from(to.as_nanos()).unwrap_or(u64::MAX);
            time.store(nanoseconds, Ordering::SeqCst);
        }
    }
}

impl fmt::Debug for WallClock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "WallClock({:?})", self.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_own_is_not_set_and_clones_of_a_simulated_one_are() {
        let system = WallClock::system();
        system.set(Duration::ZERO);
        assert!(system.now() > Duration::from_secs(1_000_000_000));
        let wall = WallClock::simulated(Duration::from_secs(9));
        wall.clone().set(Duration::from_secs(3));
        assert_eq!(wall.now(), Duration::from_secs(3));
    }
}
