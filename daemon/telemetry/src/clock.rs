//! The time that never runs backwards.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// A source of CLOCK_BOOTTIME: time since the machine started, which counts while it sleeps and
/// which nobody can set. Clones show the same time.
///
/// ```
/// use std::time::Duration;
/// use earnest_telemetry::Clock;
///
/// let clock = Clock::simulated(Duration::from_secs(5));
/// clock.advance(Duration::from_secs(2));
/// assert_eq!(clock.now(), Duration::from_secs(7));
/// assert!(Clock::boot_time().now() > Duration::ZERO);
/// ```
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    Boot,
    /// Nanoseconds, which last for 584 years.
    Simulated(Arc<AtomicU64>),
}

impl Clock {
    /// The machine's own.
    pub fn boot_time() -> Clock {
        Clock(Source::Boot)
    }

    /// One that stands still until it is told otherwise, for tests.
    pub fn simulated(start: Duration) -> Clock {
        Clock(Source::Simulated(Arc::new(AtomicU64::new(nanoseconds(
            start,
        )))))
    }

    /// The time now.
    pub fn now(&self) -> Duration {
        match &self.0 {
            // A kernel without this clock (before 2.6.39) is none that can run us; a time past
            // everything lets nothing live on it.
            Source::Boot => {
                clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::MAX, Duration::from)
            }
            Source::Simulated(time) => Duration::from_nanos(time.load(Ordering::SeqCst)),
        }
    }

    /// Moves a simulated clock on. The machine's own moves by itself.
    pub fn advance(&self, by: Duration) {
        if let Source::Simulated(time) = &self.0 {
            time.fetch_add(nanoseconds(by), Ordering::SeqCst);
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Clock({:?})", self.now())
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boot_time_is_the_kernels_and_does_not_run_backwards() {
        let clock = Clock::boot_time();
        let first = clock.now();
        let second = clock.clone().now();
        assert!(first <= second);
        // A simulated step has no hold on it.
        clock.advance(Duration::from_secs(1 << 30));
        assert!(clock.now() < second + Duration::from_secs(1 << 29));
    }

    #[test]
    fn clones_of_a_simulated_clock_move_together() {
        let clock = Clock::simulated(Duration::ZERO);
        clock.clone().advance(Duration::from_millis(1_500));
        assert_eq!(clock.now(), Duration::from_millis(1_500));
    }
}
