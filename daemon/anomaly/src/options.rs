//! What a device's configuration decides.

use std::time::Duration;

use thiserror::Error;

/// The highest threshold: past what any flood reaches in a day, for a device whose operator
/// wants to be told and nobody slowed.
pub const MAX_THRESHOLD: f64 = 1e9;

/// Scores, in nats, from which something is done. A nat of surprise is a factor of e in
/// rareness: 12 nats are honest use once in about 160,000 looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    alert: f64,
    throttle: f64,
    quarantine: f64,
}

impl Thresholds {
    /// Thresholds that rise. The least for an alert is 4 nats, below which honest use alone
    /// alerts by the hour; the most is [`MAX_THRESHOLD`].
    pub fn new(alert: f64, throttle: f64, quarantine: f64) -> Result<Thresholds, ThresholdsError> {
        let rise = 4.0 <= alert && alert < throttle && throttle < quarantine;
        if rise && quarantine <= MAX_THRESHOLD {
            Ok(Thresholds {
                alert,
                throttle,
                quarantine,
            })
        } else {
            Err(ThresholdsError {
                alert,
                throttle,
                quarantine,
            })
        }
    }

    /// From where an operator is told.
    pub fn alert(&self) -> f64 {
        self.alert
    }

    /// From where less is granted.
    pub fn throttle(&self) -> f64 {
        self.throttle
    }

    /// From where nothing is.
    pub fn quarantine(&self) -> f64 {
        self.quarantine
    }
}

impl Default for Thresholds {
    fn default() -> Thresholds {
        Thresholds {
            alert: 12.0,
            throttle: 20.0,
            quarantine: 32.0,
        }
    }
}

/// The thresholds are none.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error(
    "thresholds must rise from at least 4 to at most {MAX_THRESHOLD}; found alert {alert}, \
     throttle {throttle}, quarantine {quarantine}"
)]
pub struct ThresholdsError {
    /// The one for alerts.
    pub alert: f64,
    /// The one for throttling.
    pub throttle: f64,
    /// The one for quarantine.
    pub quarantine: f64,
}

/// How a [`Watch`](crate::Watch) watches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// From which score something is done.
    pub thresholds: Thresholds,
    /// How long a score must stay low before a level falls.
    pub quiet: Duration,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            thresholds: Thresholds::default(),
            quiet: Duration::from_secs(30 * 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_that_do_not_rise_are_refused() {
        assert!(Thresholds::new(12.0, 20.0, 32.0).is_ok());
        assert!(Thresholds::new(4.0, 1e8, MAX_THRESHOLD).is_ok());
        for (alert, throttle, quarantine) in [
            (3.9, 20.0, 32.0),
            (20.0, 20.0, 32.0),
            (12.0, 33.0, 32.0),
            (12.0, 20.0, 2e9),
            (f64::NAN, 20.0, 32.0),
            (12.0, f64::NAN, 32.0),
            (12.0, 20.0, f64::INFINITY),
        ] {
            let found = Thresholds::new(alert, throttle, quarantine);
            assert!(found.is_err(), "{alert}, {throttle}, {quarantine}");
        }
    }
}
