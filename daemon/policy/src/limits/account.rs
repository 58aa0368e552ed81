//! What one application, or one user, has asked for.

use std::time::Duration;

use super::AppLimits;
use super::LimitedBy;
use super::bucket::{Bucket, SharedTime};
use super::budget::Budget;

/// Times that a user's applications together have what one has.
const OF_A_USER: u32 = 2;

/// How long to wait for a place when all are taken: requests mostly take less.
const WAIT_FOR_A_PLACE: Duration = Duration::from_secs(1);

/// How much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Amounts {
    pub(super) per_minute: u32,
    pub(super) burst: u32,
    pub(super) daily_sound: Duration,
    pub(super) at_once: u32,
}

impl Amounts {
    pub(super) fn of_app(limits: &AppLimits) -> Amounts {
        Amounts::times(limits, 1)
    }

    pub(super) fn of_user(limits: &AppLimits) -> Amounts {
        Amounts::times(limits, OF_A_USER)
    }

    fn times(limits: &AppLimits, times: u32) -> Amounts {
        let minutes = u64::from(limits.daily_sound_minutes()) * u64::from(times);
        Amounts {
            per_minute: limits.per_minute().saturating_mul(times),
            burst: limits.burst().saturating_mul(times),
            daily_sound: Duration::from_secs(60 * minutes),
            at_once: limits.at_once().saturating_mul(times),
        }
    }

    /// The larger of each.
    pub(super) fn or_more(&self, other: &Amounts) -> Amounts {
        Amounts {
            per_minute: self.per_minute.max(other.per_minute),
            burst: self.burst.max(other.burst),
            daily_sound: self.daily_sound.max(other.daily_sound),
            at_once: self.at_once.max(other.at_once),
        }
    }
}

/// What was asked for, and what is left.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) amounts: Amounts,
    /// The user who began it.
    pub(super) owner: u32,
    pub(super) at_work: u32,
    /// Requests that were refused.
    pub(super) refused: u64,
    bucket: Bucket,
    budget: Budget,
}

impl Account {
    pub(super) fn new(amounts: Amounts, owner: u32, time: &SharedTime) -> Account {
        Account {
            amounts,
            owner,
            at_work: 0,
            refused: 0,
            bucket: Bucket::new(&amounts, time),
            budget: Budget::new(),
        }
    }

    /// Other amounts from now on.
    pub(super) fn set(&mut self, amounts: Amounts, now: Duration) {
        if self.amounts != amounts {
            self.bucket.set(&amounts, now);
            self.amounts = amounts;
        }
    }

    /// Whether there is a place and some budget left.
    pub(super) fn has_room(&mut self, now: Duration) -> Result<(), (LimitedBy, Duration)> {
        if self.at_work >= self.amounts.at_once {
            return Err((LimitedBy::AtOnce, WAIT_FOR_A_PLACE));
        }
        let wait = self.budget.wait(self.amounts.daily_sound, now);
        match wait.is_zero() {
            true => Ok(()),
            false => Err((LimitedBy::Budget, wait)),
        }
    }

    /// Takes a request out of the bucket.
    pub(super) fn ask(
        &mut self,
        throttle: f32,
        now: Duration,
    ) -> Result<(), (LimitedBy, Duration)> {
        let taken = self.bucket.take(throttle, now);
        taken.map_err(|wait| (LimitedBy::Rate, wait))
    }

    /// Puts a request back that was taken and did not begin.
    pub(super) fn unask(&mut self, throttle: f32, now: Duration) {
        self.bucket.put_back(throttle, &self.amounts, now);
    }

    /// Charges the budget, and says whether there was as much.
    pub(super) fn heard(&mut self, sound: Duration, now: Duration) -> bool {
        self.budget.charge(sound, now);
        self.budget.spent(now) <= self.amounts.daily_sound
    }

    pub(super) fn spent(&mut self, now: Duration) -> Duration {
        self.budget.spent(now)
    }

    /// Whether it is as if it were new, so that it need not be remembered.
    pub(super) fn is_idle(&mut self, now: Duration) -> bool {
        self.at_work == 0 && self.bucket.is_full(now) && self.budget.spent(now).is_zero()
    }
}
