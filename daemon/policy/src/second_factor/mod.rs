//! The second factor of operators and auditors: a code that changes every 30 seconds.
//!
//! Codes are those of RFC 6238 with its defaults, which every authenticator knows: HMAC-SHA-1
//! over the number of the 30-second step, six digits. A step's neighbours are taken, too, as
//! clocks differ.
//!
//! - A step is good once. The last used one is kept, and none at or before it is taken again,
//!   whatever the wall clock does: set back, it brings no old code to life; set ahead, a code
//!   used there makes all earlier ones worthless.
//! - [`FREE_FAILURES`] wrong codes are answered at once; from then on each one locks, for
//!   [`SHORTEST_LOCK`] at first and twice as long each time, up to [`LONGEST_LOCK`]. Waits run on
//!   CLOCK_BOOTTIME, which nobody can set. The count is kept with the secret, so that a restart
//!   gives no guesses away; only a right code clears it.
//! - Every answer that is not [`Locked`](SecondFactorRefused::Locked) may have changed what is to
//!   be kept: it is saved before anybody is answered.
//!
//! ```
//! use std::time::Duration;
//! use earnest_policy::{SecondFactor, SecondFactorRefused};
//!
//! let now = Duration::from_secs(100);
//! let wall = Duration::from_secs(1_700_000_000);
//! let (mut pending, shown) = SecondFactor::enrol("uid-1000", now)?;
//! assert!(shown.uri().starts_with("otpauth://totp/Earnest:uid-1000?secret="));
//! // The person types the secret into an authenticator, and the code that it shows here.
//! let refused = pending.confirm("not six digits", wall, now).unwrap_err();
//! assert_eq!(refused, SecondFactorRefused::Wrong);
//! # Ok::<(), earnest_policy::NoRandomNumbers>(())
//! ```

mod code;
mod enrolment;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

pub use code::STEP;
use code::Secret;
pub use enrolment::{Enrolment, NoRandomNumbers, PENDING_LIFETIME, PENDING_TRIES, PendingFactor};

/// Wrong codes in a row that are answered without a wait.
pub const FREE_FAILURES: u32 = 5;

/// The wait after the first wrong code too many.
pub const SHORTEST_LOCK: Duration = Duration::from_secs(30);

/// The longest wait: guessing then takes years, and whoever owns the factor is back the same day.
pub const LONGEST_LOCK: Duration = Duration::from_secs(60 * 60);

/// A confirmed second factor of one person, with what it remembers. It is kept in the book.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecondFactor {
    secret: Secret,
    /// The last step whose code was taken.
    last_step: u64,
    /// Wrong codes since the last right one.
    failures: u32,
    /// Until when it is locked, in milliseconds of CLOCK_BOOTTIME.
    locked_until: u64,
}

impl SecondFactor {
    /// Begins an enrolment: a new secret for `account`, a short plain name, which the person is
    /// shown once and confirms with a code.
    ///
    /// # Errors
    ///
    /// When the system has no random numbers.
    pub fn enrol(
        account: &str,
        now: Duration,
    ) -> Result<(PendingFactor, Enrolment), NoRandomNumbers> {
        let secret = Secret::random()?;
        let shown = Enrolment::new(&secret, account);
        Ok((PendingFactor::new(secret, now), shown))
    }

    fn confirmed(secret: Secret, step: u64) -> SecondFactor {
        SecondFactor {
            secret,
            last_step: step,
            failures: 0,
            locked_until: 0,
        }
    }

    /// Judges a code, at `wall` since the Unix epoch, and at `now` on CLOCK_BOOTTIME.
    ///
    /// # Errors
    ///
    /// For the log alone, but for the wait: the caller is told one thing in every case.
    pub fn check(
        &mut self,
        code: &str,
        wall: Duration,
        now: Duration,
    ) -> Result<(), SecondFactorRefused> {
        if let Some(retry_after) = self.locked_for(now) {
            self.locked_until = milliseconds(now.saturating_add(retry_after));
            return Err(SecondFactorRefused::Locked { retry_after });
        }
        match self.secret.matching_step(code, wall) {
            Some(step) if step > self.last_step => {
                self.last_step = step;
                self.failures = 0;
                self.locked_until = 0;
                Ok(())
            }
            // It was right once: whoever shows it again guesses nothing, and an honest person's
            // second click locks nobody out.
            Some(_) => Err(SecondFactorRefused::Replayed),
            None => {
                self.failures = self.failures.saturating_add(1);
                if let Some(wait) = lock_after(self.failures) {
                    self.locked_until = milliseconds(now.saturating_add(wait));
                }
                Err(SecondFactorRefused::Wrong)
            }
        }
    }

    /// How long no code is judged any more, if so.
    ///
    /// A lock that would end later than any that begins now is from before a restart of the
    /// device, when its time was another: it lasts its whole length from that restart on.
    pub fn locked_for(&self, now: Duration) -> Option<Duration> {
        let length = lock_after(self.failures)?;
        let until = Duration::from_millis(self.locked_until);
        let until = match until > now.saturating_add(length) {
            true => length,
            false => until,
        };
        until.checked_sub(now).filter(|left| !left.is_zero())
    }

    /// Whether both take the same codes, whatever became of those.
    pub(crate) fn has_secret_of(&self, other: &SecondFactor) -> bool {
        self.secret.ct_eq(&other.secret).into()
    }

    /// Wrong codes since the last right one.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

/// Without the secret.
impl fmt::Debug for SecondFactor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("SecondFactor")
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}

impl PartialEq for SecondFactor {
    fn eq(&self, other: &SecondFactor) -> bool {
        let rest = |factor: &SecondFactor| (factor.last_step, factor.failures, factor.locked_until);
        bool::from(self.secret.ct_eq(&other.secret)) && rest(self) == rest(other)
    }
}

impl Eq for SecondFactor {}

/// How long so many wrong codes in a row lock, if they do.
fn lock_after(failures: u32) -> Option<Duration> {
    let doublings = failures.checked_sub(FREE_FAILURES)?;
    let factor = 2_u32.saturating_pow(doublings);
    Some(SHORTEST_LOCK.saturating_mul(factor).min(LONGEST_LOCK))
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Why a code was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecondFactorRefused {
    /// It is none of the codes of this time.
    #[error("the code is not one of this time")]
    Wrong,
    /// It, or a later one, was used already.
    #[error("the code, or a later one, was used already")]
    Replayed,
    /// Codes are not judged for a while.
    #[error("no code is judged for {retry_after:?}")]
    Locked {
        /// How long.
        retry_after: Duration,
    },
    /// The enrolment that it would confirm has ended.
    #[error("the enrolment that the code would confirm has ended")]
    Ended,
}
