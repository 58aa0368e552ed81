//! From what the file says of apps, answers and records to what the daemon does.

use std::ops::RangeInclusive;
use std::time::Duration;

use earnest_anomaly::Thresholds;
use earnest_listen::LoopbackAddress;
use earnest_policy::{AnswerRules, AppLimits, MAX_LIFETIME, MIN_LIFETIME};

use super::check::{DAY, Range, address};
use super::raw;
use super::{AppSettings, AuditSettings, ConfigurationError, KeySettings};

pub(super) fn apps(raw: &raw::Apps) -> Result<AppSettings, ConfigurationError> {
    let token = Range {
        key: "apps.token_seconds",
        least: MIN_LIFETIME.as_secs(),
        most: MAX_LIFETIME.as_secs(),
        reason: "a token that is stolen is to be worth little, and one is renewed before its end",
    };
    let within = |key, range: RangeInclusive<u32>, reason| Range {
        key,
        least: u64::from(*range.start()),
        most: u64::from(*range.end()),
        reason,
    };
    let per_minute = within(
        "apps.per_minute",
        AppLimits::PER_MINUTE,
        "whoever asks more often is no app, and none at all is said by not allowing it",
    );
    let burst = within(
        "apps.burst",
        AppLimits::BURST,
        "a burst is what is served at once after a pause",
    );
    let daily = within(
        "apps.daily_minutes",
        AppLimits::DAILY_SOUND_MINUTES,
        "ten times the day's own length is the most that a device hears",
    );
    let at_once = within(
        "apps.at_once",
        AppLimits::AT_ONCE,
        "more than all workers only wait",
    );
    let limits = AppLimits::default()
        .with_per_minute(per_minute.number(raw.per_minute)?)?
        .with_burst(burst.number(raw.burst)?)?
        .with_daily_sound_minutes(daily.number(raw.daily_minutes)?)?
        .with_at_once(at_once.number(raw.at_once)?)?;
    Ok(AppSettings {
        limits,
        token: token.seconds(raw.token_seconds)?,
    })
}

pub(super) fn answers(raw: &raw::Answers) -> Result<AnswerRules, ConfigurationError> {
    let pad = raw.pad_milliseconds.map(Duration::from_millis);
    Ok(AnswerRules::new(
        raw.certainty_floor,
        raw.redact_digits,
        pad,
    )?)
}

pub(super) fn audit(raw: &raw::Audit) -> Result<AuditSettings, ConfigurationError> {
    let keep = Range {
        key: "audit.keep_days",
        least: 1,
        most: 3650,
        reason: "what is kept for ever is lost some day",
    };
    let most = Range {
        key: "audit.megabytes",
        least: 4,
        most: 64 << 10,
        reason: "a log of less room forgets what an operator is to read",
    };
    let anchor = Range {
        key: "audit.anchor_minutes",
        least: 1,
        most: 24 * 60,
        reason: "what is cut after the last one does not show, and the measured log has its bounds",
    };
    Ok(AuditSettings {
        keep: keep.days(raw.keep_days)?,
        most: most.check(raw.megabytes)? << 20,
        anchor: Duration::from_secs(anchor.check(raw.anchor_minutes)? * 60),
    })
}

pub(super) fn anomalies(raw: &raw::Anomalies) -> Result<Thresholds, ConfigurationError> {
    Ok(Thresholds::new(raw.alert, raw.throttle, raw.quarantine)?)
}

pub(super) fn keys(raw: &raw::Keys) -> Result<KeySettings, ConfigurationError> {
    let days = |key| Range {
        key,
        least: 1,
        most: 365,
        reason: "a key that is never changed is lost some day with all that it opens",
    };
    let tokens = Range {
        key: "keys.token_hours",
        least: 1,
        most: 7 * 24,
        reason: "a key that is held in memory is to be short-lived",
    };
    Ok(KeySettings {
        tokens: Duration::from_secs(tokens.check(raw.token_hours)? * 3600),
        audit: days("keys.audit_days").days(raw.audit_days)?,
        pseudonyms: days("keys.pseudonym_days").days(raw.pseudonym_days)?,
        state: days("keys.state_days").days(raw.state_days)?,
    })
}

pub(super) fn collector(raw: raw::Traces) -> Result<Option<LoopbackAddress>, ConfigurationError> {
    let told = raw.collector.as_ref();
    told.map(|told| address("traces.collector", told))
        .transpose()
}

impl Range {
    fn days(&self, found: u64) -> Result<Duration, ConfigurationError> {
        Ok(Duration::from_secs(self.check(found)? * DAY))
    }

    /// A number of a smaller kind, which the bounds keep it within.
    fn number<T: TryFrom<u64>>(&self, found: u64) -> Result<T, ConfigurationError> {
        let number = T::try_from(self.check(found)?);
        number.map_err(|_| ConfigurationError::Range {
            key: self.key,
            least: self.least,
            most: self.most,
            reason: self.reason,
            found,
        })
    }
}
