//! From a score to what is done: a level that rises at once and falls slowly.

use std::time::Duration;

use earnest_telemetry::{AlertKind, AlertLevel};

use crate::alert::Standing;
use crate::options::{Options, Thresholds};

/// Nats that an hour of going on adds to an attack's score.
const HEAT_PER_HOUR: f64 = 4.0;
/// The most that going on adds: from an alert past a quarantine.
const MOST_HEAT: f64 = 24.0;
/// The most that one request shows to have gone on since the one before.
const APART: Duration = Duration::from_secs(20 * 60);
/// After so long without a high score it is not one attack that goes on.
const OVER: Duration = Duration::from_secs(2 * 60 * 60);
/// The first quarantine that ends by itself; each next one is twice as long.
const FIRST_QUARANTINE: Duration = Duration::from_secs(60 * 60);
/// How often it doubles: up to a day and more.
const MOST_DOUBLINGS: u32 = 5;

/// Where a subject stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Response {
    pub(crate) level: Option<AlertLevel>,
    /// The number of the open alert.
    pub(crate) alert: Option<u64>,
    /// When a quarantine ends by itself.
    pub(crate) until: Option<Duration>,
    /// Quarantines that ended by themselves.
    pub(crate) strikes: u32,
    score: f64,
    heat: f64,
    /// When the score was last at an alert's height.
    high: Option<Duration>,
    /// Since when it has been low.
    low: Option<Duration>,
}

/// What became of the level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is as it was.
    None,
    /// It rose to this.
    Raised(AlertLevel),
    /// It fell by one.
    Lowered,
    /// It fell to nothing.
    Ended,
}

/// How far a subject may be brought by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Throttled at worst.
    Throttle,
    /// Quarantined for a time.
    Timed,
    /// Quarantined until an operator looks.
    Operator,
}

impl Response {
    /// Nothing, after so many quarantines.
    pub(crate) fn after(strikes: u32) -> Response {
        Response {
            strikes,
            ..Response::default()
        }
    }

    /// Takes in a score. `active` says that it comes with something that was done, and not just
    /// with time.
    pub(crate) fn take(
        &mut self,
        (kind, nats): (AlertKind, f64),
        active: bool,
        reach: Reach,
        now: Duration,
        options: &Options,
    ) -> Change {
        if self.level == Some(AlertLevel::Quarantine) {
            return Change::None;
        }
        let thresholds = &options.thresholds;
        self.warm(nats, active, is_attack(kind), now, thresholds);
        self.score = nats + self.heat;
        let target = self.target(kind, reach, thresholds);
        if active && target > self.level {
            self.low = None;
            self.level = target;
            if target == Some(AlertLevel::Quarantine) && reach == Reach::Timed {
                let doubled = 1 << self.strikes.min(MOST_DOUBLINGS);
                self.until = Some(now.saturating_add(FIRST_QUARANTINE * doubled));
            }
            return target.map_or(Change::None, Change::Raised);
        }
        self.cool(now, options)
    }

    /// Ends a quarantine whose time has come.
    pub(crate) fn expire(&mut self, now: Duration) -> bool {
        let over = self.until.is_some_and(|until| until <= now);
        if over {
            *self = Response::after(self.strikes.saturating_add(1));
        }
        over
    }

    /// What the subject may do now.
    pub(crate) fn standing(&self, thresholds: &Thresholds) -> Standing {
        match self.level {
            None | Some(AlertLevel::Alert) => Standing::Normal,
            Some(AlertLevel::Throttle) => {
                let way = (self.score - thresholds.throttle())
                    / (thresholds.quarantine() - thresholds.throttle());
                // From a half to a tenth on the way to quarantine.
                Standing::Throttled {
                    factor: (0.5 - 0.4 * way).clamp(0.1, 0.5),
                }
            }
            Some(AlertLevel::Quarantine) => Standing::Quarantined { until: self.until },
        }
    }

    /// An attack that goes on weighs more by the hour.
    fn warm(
        &mut self,
        nats: f64,
        active: bool,
        attack: bool,
        now: Duration,
        thresholds: &Thresholds,
    ) {
        if active && nats >= thresholds.alert() {
            let passed = self
                .high
                .map_or(Duration::ZERO, |high| now.saturating_sub(high));
            if attack {
                let hours = passed.min(APART).as_secs_f64() / 3600.0;
                self.heat = (self.heat + HEAT_PER_HOUR * hours).min(MOST_HEAT);
            }
            self.high = Some(now);
        } else if self.high.is_none_or(|high| now.saturating_sub(high) > OVER) {
            self.heat = 0.0;
            self.high = None;
        }
    }

    fn target(&self, kind: AlertKind, reach: Reach, thresholds: &Thresholds) -> Option<AlertLevel> {
        let may_quarantine = is_attack(kind) && reach != Reach::Throttle;
        if self.score >= thresholds.quarantine() && may_quarantine {
            Some(AlertLevel::Quarantine)
        } else if self.score >= thresholds.throttle() {
            Some(AlertLevel::Throttle)
        } else if self.score >= thresholds.alert() {
            Some(AlertLevel::Alert)
        } else {
            None
        }
    }

    /// Falls by one level after quiet: a score below 0.6 of the level's threshold for a while.
    fn cool(&mut self, now: Duration, options: &Options) -> Change {
        let threshold = match self.level {
            None | Some(AlertLevel::Quarantine) => return Change::None,
            Some(AlertLevel::Alert) => options.thresholds.alert(),
            Some(AlertLevel::Throttle) => options.thresholds.throttle(),
        };
        if self.score >= 0.6 * threshold {
            self.low = None;
            return Change::None;
        }
        let since = *self.low.get_or_insert(now);
        if now.saturating_sub(since) < options.quiet {
            return Change::None;
        }
        self.low = None;
        if self.level == Some(AlertLevel::Throttle) {
            self.level = Some(AlertLevel::Alert);
            Change::Lowered
        } else {
            *self = Response::after(self.strikes);
            Change::Ended
        }
    }
}

/// Whether a kind is an attack's, rather than a subject unlike itself: only for an attack is
/// anybody shut out.
fn is_attack(kind: AlertKind) -> bool {
    match kind {
        AlertKind::Guessing
        | AlertKind::Probing
        | AlertKind::Extraction
        | AlertKind::SlowDrain
        | AlertKind::Repeats
        | AlertKind::Silence => true,
        AlertKind::Rate
        | AlertKind::Burst
        | AlertKind::Hours
        | AlertKind::Duration
        | AlertKind::LowCertainty
        | AlertKind::Refusals => false,
    }
}
