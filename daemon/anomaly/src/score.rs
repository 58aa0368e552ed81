//! How unusual a subject is now: each side's surprise, and the patterns that they add up to.

use earnest_telemetry::AlertKind;
use serde::Serialize;

use crate::baseline::{Baseline, priors};
use crate::windows::{Group, Tally, Windows};

/// Sound shorter than this is short: a phrase, as queries of a model are, in milliseconds.
pub(crate) const SHORT: u64 = 5_000;

/// Sound of which less than this share is speech is all but silent.
pub(crate) const SILENT: f64 = 0.05;

/// The lengths of the windows, in minutes.
pub(crate) const WINDOW_MINUTES: [u32; 3] = [5, 60, 24 * 60];

const HOUR: usize = 1;
const DAY: usize = 2;

/// How surprising each side of a subject's behaviour is, in nats; zero is as usual.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Surprises {
    /// Requests in the window.
    pub rate: f64,
    /// Requests in the busiest minute.
    pub burst: f64,
    /// The hours of the week that they came at.
    pub hours: f64,
    /// Requests around the clock.
    pub around_the_clock: f64,
    /// The length of the sound.
    pub duration: f64,
    /// How many sounds are short.
    pub short: f64,
    /// How alike the lengths are, as a machine's are.
    pub uniform: f64,
    /// Sound in the day.
    pub sound: f64,
    /// How many are all but silent.
    pub silence: f64,
    /// How many bring a payload again.
    pub repeats: f64,
    /// How many sound nearly like another.
    pub near_repeats: f64,
    /// How many the model is uncertain of.
    pub low_certainty: f64,
    /// Failed proofs.
    pub guessing: f64,
    /// Refused scopes and routes.
    pub probing: f64,
    /// Requests that are no good ones.
    pub faults: f64,
    /// Requests past a limit.
    pub overload: f64,
    /// Requests whose bytes dribble.
    pub dribble: f64,
}

/// The pattern that scores highest, and where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Score {
    pub(crate) kind: AlertKind,
    pub(crate) nats: f64,
    /// The window's place in [`WINDOW_MINUTES`].
    pub(crate) window: usize,
    pub(crate) surprises: Surprises,
    pub(crate) tally: Tally,
}

impl Score {
    /// Scores a subject's windows against what is usual for it.
    pub(crate) fn of(windows: &Windows, baseline: &Baseline) -> Score {
        let sums = windows.sums();
        let mut best: Option<Score> = None;
        for (window, tally) in sums.into_iter().enumerate() {
            let surprises = surprises(windows, baseline, window, &tally);
            let (kind, nats) = pattern(window, &tally, &surprises);
            if best.is_none_or(|best| nats > best.nats) {
                best = Some(Score {
                    kind,
                    nats,
                    window,
                    surprises,
                    tally,
                });
            }
        }
        best.expect("there are three windows")
    }
}

/// Every side of one window.
fn surprises(windows: &Windows, baseline: &Baseline, window: usize, tally: &Tally) -> Surprises {
    let count = |count: u32| f64::from(count).ln_1p();
    let share = |which: usize, with: u32, of: u32| {
        baseline.shares[which].surprise(&priors::SHARES[which], window, with, of)
    };
    let pace = |group: Group| {
        let (pace, prior) = (
            baseline.paces[group as usize],
            &priors::PACES[group as usize],
        );
        pace.surprise(prior, window, tally.refused(group))
    };
    let mut surprises = Surprises {
        rate: baseline.rates[window].surprise_above(&priors::RATES[window], count(tally.requests)),
        silence: share(priors::SILENT, tally.silent, tally.sounding),
        repeats: share(priors::EXACT, tally.exact, tally.hashed),
        near_repeats: share(priors::NEAR, tally.near, tally.shaped),
        low_certainty: share(priors::LOW, tally.low, tally.spoken()),
        short: share(priors::SHORT, tally.short, tally.sounding).min(6.0),
        uniform: uniform(tally),
        guessing: pace(Group::Guess),
        probing: pace(Group::Probe),
        faults: pace(Group::Fault),
        overload: pace(Group::Load),
        dribble: pace(Group::Dribble),
        ..Surprises::default()
    };
    if window == 0 {
        surprises.burst = baseline
            .burst
            .surprise_above(&priors::BURST, count(windows.busiest_minute()));
    } else if tally.sounding >= 10 {
        let mean = tally.log_seconds / f64::from(tally.sounding);
        surprises.duration = baseline.duration.surprise(&priors::DURATION, mean).min(6.0);
        surprises.hours = (tally.hour_surprise / f64::from(tally.requests)).min(4.0);
    }
    if window == DAY {
        // In fewer requests than this, an even spread over the hours is chance.
        if tally.requests >= 20 {
            surprises.around_the_clock = baseline
                .active
                .surprise_above(&priors::ACTIVE, windows.hours_active());
        }
        let minutes = tally.sound_milliseconds as f64 / 60e3;
        surprises.sound = baseline
            .sound
            .surprise_above(&priors::SOUND, minutes.ln_1p());
    }
    surprises
}

/// Lengths of sound that differ by less than a tenth or so are a machine's.
fn uniform(tally: &Tally) -> f64 {
    let count = f64::from(tally.sounding);
    // So few may be alike by chance.
    if count < 30.0 {
        return 0.0;
    }
    let mean = tally.log_seconds / count;
    let deviation = (tally.log_seconds_squared / count - mean * mean)
        .max(0.0)
        .sqrt();
    (6.0 * (1.0 - deviation / 0.2)).max(0.0)
}

/// The pattern that the sides add up to, and its score.
fn pattern(window: usize, tally: &Tally, sides: &Surprises) -> (AlertKind, f64) {
    let systematic =
        sides.near_repeats.min(12.0) + sides.short + sides.uniform + sides.around_the_clock;
    // Asking the same again teaches nobody anything.
    let is_new = tally.exact.saturating_mul(2) <= tally.hashed;
    let volume = sides.rate.max(sides.burst);
    let mut patterns = vec![
        (AlertKind::Guessing, sides.guessing),
        (AlertKind::Probing, sides.probing),
        (AlertKind::Repeats, sides.repeats),
        (AlertKind::Silence, sides.silence),
        (AlertKind::LowCertainty, sides.low_certainty),
        (AlertKind::Refusals, sides.faults.max(sides.overload)),
        (
            AlertKind::SlowDrain,
            if sides.around_the_clock >= 3.0 {
                sides.sound + sides.around_the_clock
            } else {
                0.0
            }
            .max(sides.dribble),
        ),
        (
            AlertKind::Extraction,
            if is_new && systematic >= 3.0 && volume >= 2.0 {
                volume + systematic
            } else {
                0.0
            },
        ),
        (AlertKind::Rate, sides.rate),
        (AlertKind::Burst, sides.burst),
    ];
    if window >= HOUR {
        patterns.push(unlike_itself(sides));
    }
    patterns
        .into_iter()
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .expect("there are patterns")
}

/// A subject that is a little unusual in many ways at once, as one that was taken over is. Each
/// way is capped below an alert, so that one alone does not raise one.
fn unlike_itself(sides: &Surprises) -> (AlertKind, f64) {
    let ways = [
        (AlertKind::Rate, sides.rate.min(6.0)),
        (AlertKind::Hours, sides.hours),
        (AlertKind::Duration, sides.duration),
        (AlertKind::Silence, sides.silence.min(4.0)),
        (AlertKind::LowCertainty, sides.low_certainty.min(4.0)),
    ];
    let sum = ways.iter().map(|(_, nats)| nats).sum();
    let kind = ways
        .into_iter()
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map_or(AlertKind::Rate, |(kind, _)| kind);
    (kind, sum)
}
