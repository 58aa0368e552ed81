//! The limits of one application.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// How much one application may ask for. Every value has been checked; a new one is made from
/// the defaults or from another, one value at a time.
///
/// ```
/// use earnest_policy::AppLimits;
/// let limits = AppLimits::default().with_per_minute(30)?.with_burst(5)?;
/// assert_eq!((limits.per_minute(), limits.at_once()), (30, 2));
/// assert!(limits.with_at_once(1000).is_err());
/// # Ok::<(), earnest_policy::LimitsError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Raw", into = "Raw")]
pub struct AppLimits {
    per_minute: u32,
    burst: u32,
    daily_sound_minutes: u32,
    at_once: u32,
}

impl AppLimits {
    /// What a number of requests a minute may be: a hundred each second is more than a device
    /// answers.
    pub const PER_MINUTE: RangeInclusive<u32> = 1..=6000;

    /// What a burst may be.
    pub const BURST: RangeInclusive<u32> = 1..=1000;

    /// What a daily budget of sound may be, in minutes: recordings are heard faster than they
    /// were spoken, so that a day holds more than its own length.
    pub const DAILY_SOUND_MINUTES: RangeInclusive<u32> = 1..=14_400;

    /// What a number of requests at the same time may be.
    pub const AT_ONCE: RangeInclusive<u32> = 1..=16;

    /// Requests in a minute, on average.
    pub fn per_minute(&self) -> u32 {
        self.per_minute
    }

    /// Requests that may come together after a pause.
    pub fn burst(&self) -> u32 {
        self.burst
    }

    /// Minutes of sound in any 24 hours.
    pub fn daily_sound_minutes(&self) -> u32 {
        self.daily_sound_minutes
    }

    /// Requests at the same time.
    pub fn at_once(&self) -> u32 {
        self.at_once
    }

    /// The same limits with another number of requests a minute.
    ///
    /// # Errors
    ///
    /// When it is out of [`AppLimits::PER_MINUTE`].
    pub fn with_per_minute(self, per_minute: u32) -> Result<AppLimits, LimitsError> {
        let per_minute = check("per_minute", per_minute, AppLimits::PER_MINUTE)?;
        Ok(AppLimits { per_minute, ..self })
    }

    /// The same limits with another burst.
    ///
    /// # Errors
    ///
    /// When it is out of [`AppLimits::BURST`].
    pub fn with_burst(self, burst: u32) -> Result<AppLimits, LimitsError> {
        let burst = check("burst", burst, AppLimits::BURST)?;
        Ok(AppLimits { burst, ..self })
    }

    /// The same limits with another daily budget, in minutes of sound.
    ///
    /// # Errors
    ///
    /// When it is out of [`AppLimits::DAILY_SOUND_MINUTES`].
    pub fn with_daily_sound_minutes(self, minutes: u32) -> Result<AppLimits, LimitsError> {
        let range = AppLimits::DAILY_SOUND_MINUTES;
        let daily_sound_minutes = check("daily_sound_minutes", minutes, range)?;
        Ok(AppLimits {
            daily_sound_minutes,
            ..self
        })
    }

    /// The same limits with another number of requests at the same time.
    ///
    /// # Errors
    ///
    /// When it is out of [`AppLimits::AT_ONCE`].
    pub fn with_at_once(self, at_once: u32) -> Result<AppLimits, LimitsError> {
        let at_once = check("at_once", at_once, AppLimits::AT_ONCE)?;
        Ok(AppLimits { at_once, ..self })
    }
}

/// 120 requests a minute, 20 of them together, 10 hours of sound a day, 2 requests at a time.
impl Default for AppLimits {
    fn default() -> AppLimits {
        AppLimits {
            per_minute: 120,
            burst: 20,
            daily_sound_minutes: 600,
            at_once: 2,
        }
    }
}

/// The values as they are written, before they are checked.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    per_minute: u32,
    burst: u32,
    daily_sound_minutes: u32,
    at_once: u32,
}

impl TryFrom<Raw> for AppLimits {
    type Error = LimitsError;

    fn try_from(raw: Raw) -> Result<AppLimits, LimitsError> {
        AppLimits::default()
            .with_per_minute(raw.per_minute)?
            .with_burst(raw.burst)?
            .with_daily_sound_minutes(raw.daily_sound_minutes)?
            .with_at_once(raw.at_once)
    }
}

impl From<AppLimits> for Raw {
    fn from(limits: AppLimits) -> Raw {
        Raw {
            per_minute: limits.per_minute,
            burst: limits.burst,
            daily_sound_minutes: limits.daily_sound_minutes,
            at_once: limits.at_once,
        }
    }
}

fn check(limit: &'static str, found: u32, range: RangeInclusive<u32>) -> Result<u32, LimitsError> {
    match range.contains(&found) {
        true => Ok(found),
        false => Err(LimitsError {
            limit,
            least: *range.start(),
            most: *range.end(),
            found,
        }),
    }
}

/// A limit is too small or too large.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{limit} is from {least} to {most}, not {found}")]
pub struct LimitsError {
    /// Which limit.
    pub limit: &'static str,
    /// The smallest that it may be.
    pub least: u32,
    /// The largest that it may be.
    pub most: u32,
    /// What was asked for.
    pub found: u32,
}
