//! How much an application may ask for, and how much it has asked for.
//!
//! Each application has a bucket of requests that fills at its rate and holds its burst, a budget
//! of sound for any 24 hours, and places for requests at the same time ([`AppLimits`]). All
//! applications of one user together have twice as much of each as the most generous of them:
//! another name gets nobody another device's worth. Who is *throttled* pays several requests for
//! one.
//!
//! [`Limits::take`] gives a [`Slot`] for each request that may begin. The slot is charged with
//! sound as it is heard, which also cuts a stream that outlives its budget, and gives its place
//! back when it is dropped.
//!
//! Time is CLOCK_BOOTTIME, and it is brought; a time before one that was seen counts as that one.
//! Nothing of it outlives the process, so that a restart of the daemon begins the day anew.
//!
//! ```
//! use std::time::Duration;
//! use earnest_policy::{AppId, AppLimits, LimitedBy, Limits};
//!
//! let limits = Limits::default();
//! let app: AppId = "notes".parse()?;
//! let of_app = AppLimits::default().with_burst(2)?.with_at_once(1)?;
//! let take = |seconds| limits.take(&app, 1000, &of_app, 1.0, Duration::from_secs(seconds));
//!
//! let slot = take(1).unwrap();
//! assert_eq!(take(1).unwrap_err().by, LimitedBy::AtOnce);
//! assert!(slot.heard(Duration::from_secs(4), Duration::from_secs(1)));
//! drop(slot);
//! drop(take(1).unwrap());
//! assert_eq!(take(1).unwrap_err().by, LimitedBy::Rate);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod account;
mod amounts;
mod bucket;
mod budget;
mod ledger;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::AppId;

pub use amounts::{AppLimits, LimitsError};
use ledger::Ledger;
pub use ledger::{MAX_APPS_WATCHED, MAX_NAMES_OF_A_USER, MAX_USERS_WATCHED, Standing, Who};

/// What has been asked for, by application and by user. Clones are the same.
#[derive(Clone, Default)]
pub struct Limits(Arc<Mutex<Ledger>>);

impl Limits {
    /// Lets `app` of the user `uid` begin a request at `now`, if its limits and the user's leave
    /// room. `throttle` is the share of its rate that it is left with: 1 is all of it; at 0.25
    /// each request counts for four, and whatever is less than a request each full bucket, or no
    /// number, counts as that.
    ///
    /// # Errors
    ///
    /// With the limit that is reached, and when to ask again.
    pub fn take(
        &self,
        app: &AppId,
        uid: u32,
        limits: &AppLimits,
        throttle: f32,
        now: Duration,
    ) -> Result<Slot, Limited> {
        let app = self.ledger().take(app, uid, limits, throttle, now)?;
        Ok(Slot {
            limits: self.clone(),
            app,
            uid,
        })
    }

    /// How far everybody is, applications first.
    pub fn standings(&self, now: Duration) -> Vec<Standing> {
        self.ledger().standings(now)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Nothing is left half done where somebody else stopped.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Limits {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Limits")
    }
}

/// A request that has begun. Its place is given back when it is dropped.
#[must_use = "a request without its slot is not counted as running"]
#[derive(Debug)]
pub struct Slot {
    limits: Limits,
    app: AppId,
    uid: u32,
}

impl Slot {
    /// Charges the budgets with sound that was heard, and says whether they had as much left.
    /// Where they had not, the request is to end.
    #[must_use = "a request that outlives its budget is to be cut"]
    pub fn heard(&self, sound: Duration, now: Duration) -> bool {
        let mut ledger = self.limits.ledger();
        ledger.heard(&self.app, self.uid, sound, now)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.limits.ledger().give_back(&self.app, self.uid);
    }
}

/// A limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{whose}: {by}; again in {retry_after:?}")]
pub struct Limited {
    /// Which limit.
    pub by: LimitedBy,
    /// Whose limit.
    pub whose: Whose,
    /// When to ask again. With less than this there is no use; with this there may be.
    pub retry_after: Duration,
}

/// Which limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimitedBy {
    /// Too many requests.
    Rate,
    /// Too much sound within 24 hours.
    Budget,
    /// Too many requests at the same time.
    AtOnce,
    /// More applications or users than are watched.
    Crowd,
}

impl fmt::Display for LimitedBy {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            LimitedBy::Rate => "too many requests",
            LimitedBy::Budget => "the day's budget of sound is spent",
            LimitedBy::AtOnce => "too many requests at the same time",
            LimitedBy::Crowd => "more applications or users than are watched",
        })
    }
}

/// Whose limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The application's.
    App,
    /// That of all applications of the user.
    User,
}

impl fmt::Display for Whose {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Whose::App => "the application",
            Whose::User => "the user's applications together",
        })
    }
}
