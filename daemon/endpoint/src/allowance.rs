//! What a request may still use of its application's day, charged as it goes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use earnest_policy::Slot;
use earnest_telemetry::Clock;
use earnest_transcript::Milliseconds;

use crate::refusal::Refusal;

/// Seconds after which a day's budget may have room again: it slides by hours.
const BUDGET_RETRY_SECONDS: u64 = 60 * 60;

/// One request's place among those of its application, and its share of the day's sound. The
/// place is given back when the last who holds this drops it.
pub(crate) struct Allowance {
    slot: Arc<Slot>,
    clock: Clock,
    /// Milliseconds that were charged.
    charged: AtomicU64,
}

impl Allowance {
    pub(crate) fn new(slot: Slot, clock: Clock) -> Arc<Allowance> {
        Arc::new(Allowance {
            slot: Arc::new(slot),
            clock,
            charged: AtomicU64::new(0),
        })
    }

    /// The same place and the same day, for sound that is counted from its own beginning.
    pub(crate) fn again(&self) -> Arc<Allowance> {
        Arc::new(Allowance {
            slot: Arc::clone(&self.slot),
            clock: self.clock.clone(),
            charged: AtomicU64::new(0),
        })
    }

    /// Charges what is new of the sound up to here. Sound is heard by its bytes and by what the
    /// worker tells of it, and is charged once.
    ///
    /// # Errors
    ///
    /// When the budget had not as much left: the request is to end.
    pub(crate) fn reach(&self, sound: Milliseconds) -> Result<(), Refusal> {
        let before = self.charged.fetch_max(sound.0, Ordering::Relaxed);
        let Some(new) = sound.0.checked_sub(before).filter(|new| *new > 0) else {
            return Ok(());
        };
        match self
            .slot
            .heard(Duration::from_millis(new), self.clock.now())
        {
            true => Ok(()),
            false => Err(Refusal::BudgetSpent {
                retry_after: BUDGET_RETRY_SECONDS,
            }),
        }
    }
}

impl fmt::Debug for Allowance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Allowance")
            .field("charged", &self.charged)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use earnest_policy::{AppLimits, Limits};

    use super::*;

    #[test]
    fn sound_is_charged_once_and_a_spent_day_ends_the_request() {
        let limits = Limits::default();
        let clock = Clock::simulated(Duration::from_secs(1));
        let day = AppLimits::default().with_daily_sound_minutes(1);
        let day = day.expect("a minute is a budget");
        let app = "notes".parse().expect("a name");
        let slot = limits.take(&app, 1000, &day, 1.0, clock.now());
        let allowance = Allowance::new(slot.expect("nothing is taken"), clock);
        for reached in [10_000, 10_000, 5_000, 60_000] {
            assert_eq!(allowance.reach(Milliseconds(reached)), Ok(()));
        }
        let refusal = allowance.reach(Milliseconds(60_001)).expect_err("spent");
        assert_eq!(refusal.code(), "budget_spent");
        let again = allowance.again();
        drop(allowance);
        let refusal = again.reach(Milliseconds(1)).expect_err("spent");
        assert_eq!(refusal.code(), "budget_spent");
    }
}
