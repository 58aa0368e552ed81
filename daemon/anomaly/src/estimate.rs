//! Estimators that learn as they go, each within bounds: what is learned tightens freely and
//! loosens slowly, and never far past what the prior grants.

use serde::{Deserialize, Serialize};

/// Deviations past which a value surprises by about the 12 nats of an alert, so that bounds on
/// estimates are bounds on what goes unnoticed.
const LINE: f64 = 4.3;

/// What is believed of a quantity before anything was seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prior {
    /// Its mean.
    pub(crate) mean: f64,
    /// Its deviation.
    pub(crate) deviation: f64,
    /// A mean below this counts as this: so little is harmless.
    pub(crate) floor: f64,
    /// The least deviation that anybody is held to.
    pub(crate) least: f64,
    /// How many values the belief weighs as much as.
    pub(crate) weight: f64,
    /// How far the mean may rise in a day.
    pub(crate) rise: f64,
    /// How far past the prior's line the learned one may come to lie, in all.
    pub(crate) slack: f64,
}

/// Mean and variance of a quantity, by exponentially weighted averages of winsorized values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Level {
    pub(crate) mean: f64,
    pub(crate) variance: f64,
    /// How many values were seen, up to [`MEMORY`].
    pub(crate) weight: f64,
    /// How far the mean may still rise now.
    pub(crate) allowance: f64,
}

/// Values after which the oldest ones are all but forgotten.
const MEMORY: f64 = 200.0;

impl Level {
    /// The prior alone.
    pub(crate) fn new(prior: &Prior) -> Level {
        Level {
            mean: prior.mean,
            variance: prior.deviation.powi(2),
            weight: 0.0,
            allowance: prior.rise,
        }
    }

    /// Whether every number is one that learning can lead to.
    pub(crate) fn is_sound(&self, prior: &Prior) -> bool {
        // No count, length or number of hours has a mean past this; an operator may have
        // accepted one above what is learned.
        self.mean.abs() <= 50.0
            && at_most(self.variance, prior.deviation.powi(2))
            && at_most(self.weight, MEMORY)
            && at_most(self.allowance, prior.rise)
    }

    /// Mean and deviation to judge by.
    pub(crate) fn predict(&self, prior: &Prior) -> (f64, f64) {
        let mean = self.mean.max(prior.floor);
        let variance = (prior.weight * prior.deviation.powi(2) + self.weight * self.variance)
            / (prior.weight + self.weight);
        let most = (line(prior) - mean) / LINE;
        (mean, variance.sqrt().min(most).max(prior.least))
    }

    /// How far above what is usual a value lies, in nats.
    pub(crate) fn surprise_above(&self, prior: &Prior, value: f64) -> f64 {
        let (mean, deviation) = self.predict(prior);
        tail((value - mean) / deviation)
    }

    /// How far from what is usual a value lies to either side, in nats.
    pub(crate) fn surprise(&self, prior: &Prior, value: f64) -> f64 {
        let (mean, deviation) = self.predict(prior);
        tail((value - mean).abs() / deviation)
    }

    /// Lets the allowance grow over a part of a day.
    pub(crate) fn refill(&mut self, prior: &Prior, days: f64) {
        self.allowance = (self.allowance + prior.rise * days).min(prior.rise);
    }

    /// Learns a value with a weight of at most one.
    pub(crate) fn learn(&mut self, prior: &Prior, value: f64, weight: f64) {
        let (_, deviation) = self.predict(prior);
        let rate = weight / (prior.weight + self.weight);
        // Winsorized: one wild value teaches no more than a remarkable one.
        let off = (value - self.mean).clamp(-2.5 * deviation, 2.5 * deviation);
        let step = (rate * off).min(self.allowance);
        self.allowance -= step.max(0.0);
        self.mean = (self.mean + step).min(highest(prior).max(self.mean));
        self.variance = (self.variance + rate * (off * off - self.variance))
            .clamp(0.0, prior.deviation.powi(2));
        self.weight = (self.weight + weight).min(MEMORY);
    }

    /// Takes a value for usual at once, because an operator said so.
    pub(crate) fn accept(&mut self, value: f64) {
        self.mean = self.mean.max(value);
    }
}

/// What writing a number down and reading it may turn it by.
const ROUNDING: f64 = 1e-6;

/// Whether a number is from zero to `most`, but for rounding.
fn at_most(value: f64, most: f64) -> bool {
    (0.0..=most * (1.0 + ROUNDING)).contains(&value)
}

/// Where the prior's line lies, with what it may be moved by.
fn line(prior: &Prior) -> f64 {
    prior.mean.max(prior.floor) + LINE * prior.deviation + prior.slack
}

/// The highest mean: with the least deviation it reaches the line.
fn highest(prior: &Prior) -> f64 {
    line(prior) - LINE * prior.least
}

/// The surprise of a standard normal value: minus the logarithm of the chance of one as high,
/// by `z^2/2 + ln(1 + z sqrt(2 pi))`, within 0.8 nats for `z >= 0`; zero below.
pub(crate) fn tail(z: f64) -> f64 {
    if z > 0.0 {
        z * z / 2.0 + (z * std::f64::consts::TAU.sqrt()).ln_1p()
    } else {
        0.0
    }
}

/// What is believed of a share, and how its surprise is weighed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SharePrior {
    /// The share.
    pub(crate) share: f64,
    /// How many requests the belief weighs as much as.
    pub(crate) weight: f64,
    /// Shares that anybody is held to: at least and at most.
    pub(crate) bounds: (f64, f64),
    /// So many requests in a window are harmless.
    pub(crate) free: f64,
    /// Requests come in bouts: so many, by window, tell as much as one alone would.
    pub(crate) clump: [f64; 3],
}

/// A share, by Beta counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Share {
    pub(crate) with: f64,
    pub(crate) without: f64,
    /// How many requests may still be learned from now.
    pub(crate) allowance: f64,
}

/// Requests that a share remembers at most.
const SHARE_MEMORY: f64 = 200.0;
/// Requests that a share learns from in a day at most: so a day moves it by a tenth or so.
const SHARE_DAY: f64 = 20.0;

impl Share {
    /// The prior alone.
    pub(crate) fn new(prior: &SharePrior) -> Share {
        Share {
            with: prior.share * prior.weight,
            without: (1.0 - prior.share) * prior.weight,
            allowance: SHARE_DAY,
        }
    }

    /// Whether every number is one that learning can lead to.
    pub(crate) fn is_sound(&self) -> bool {
        at_most(self.with, SHARE_MEMORY)
            && at_most(self.without, SHARE_MEMORY)
            && self.with + self.without >= 1.0
            && at_most(self.allowance, SHARE_DAY)
    }

    /// The share to judge by.
    pub(crate) fn expected(&self, prior: &SharePrior) -> f64 {
        (self.with / (self.with + self.without)).clamp(prior.bounds.0, prior.bounds.1)
    }

    /// The surprise of `count` among `of` requests in a window: Chernoff's bound on the
    /// binomial's tail, `n KL(k/n || p)`, over the requests that tell something.
    pub(crate) fn surprise(&self, prior: &SharePrior, window: usize, count: u32, of: u32) -> f64 {
        if of == 0 {
            return 0.0;
        }
        let expected = self.expected(prior);
        let share = (f64::from(count) / f64::from(of)).min(1.0);
        if share <= expected {
            return 0.0;
        }
        let telling = (f64::from(of) - prior.free).max(0.0) / prior.clump[window];
        telling * divergence(share, expected)
    }

    /// Lets the allowance grow over a part of a day.
    pub(crate) fn refill(&mut self, days: f64) {
        self.allowance = (self.allowance + SHARE_DAY * days).min(SHARE_DAY);
    }

    /// Learns `count` among `of` requests with a weight of at most one.
    pub(crate) fn learn(&mut self, count: u32, of: u32, weight: f64) {
        if of == 0 {
            return;
        }
        let learned = (f64::from(of) * weight).min(self.allowance);
        self.allowance -= learned;
        let share = (f64::from(count) / f64::from(of)).min(1.0);
        self.with += learned * share;
        self.without += learned * (1.0 - share);
        let shrink = (SHARE_MEMORY / (self.with + self.without)).min(1.0);
        self.with *= shrink;
        self.without *= shrink;
    }

    /// Takes a share for usual at once, because an operator said so.
    pub(crate) fn accept(&mut self, count: u32, of: u32) {
        if of > 0 {
            let share = (f64::from(count) / f64::from(of)).min(1.0);
            if share > self.with / (self.with + self.without) {
                self.with = share * SHARE_MEMORY / 2.0;
                self.without = (1.0 - share) * SHARE_MEMORY / 2.0;
            }
        }
    }
}

/// Kullback and Leibler's divergence of two coins, in nats.
fn divergence(share: f64, expected: f64) -> f64 {
    let part = |a: f64, b: f64| if a > 0.0 { a * (a / b).ln() } else { 0.0 };
    part(share, expected) + part(1.0 - share, 1.0 - expected)
}

/// What is believed of events that should be rare, and how their surprise is weighed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PacePrior {
    /// How many a day.
    pub(crate) per_day: f64,
    /// So many tell as much as one alone would.
    pub(crate) clump: f64,
    /// How many times as many may be learned for usual.
    pub(crate) most: f64,
}

/// How much of a day's events one window may hold: they come in bouts.
const PART: [f64; 3] = [0.25, 0.5, 1.0];

/// How many events a day bring.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, transparent)]
pub(crate) struct Pace(pub(crate) f64);

impl Pace {
    /// The prior alone.
    pub(crate) fn new(prior: &PacePrior) -> Pace {
        Pace(prior.per_day)
    }

    /// Whether the number is one that learning can lead to.
    pub(crate) fn is_sound(self, prior: &PacePrior) -> bool {
        self.0 >= prior.per_day * (1.0 - ROUNDING) && at_most(self.0, prior.per_day * prior.most)
    }

    /// The surprise of `count` events in a window: Chernoff's bound on Poisson's tail.
    pub(crate) fn surprise(self, prior: &PacePrior, window: usize, count: u32) -> f64 {
        let expected = self.0 * PART[window];
        let count = f64::from(count);
        if count <= expected {
            return 0.0;
        }
        (count * (count / expected).ln() - count + expected) / prior.clump
    }

    /// Learns a day's count: a tenth of the way up, all the way down to the prior.
    pub(crate) fn learn(&mut self, prior: &PacePrior, count: u32, weight: f64) {
        let step = 0.1 * weight * (f64::from(count) - self.0).min(prior.per_day);
        self.0 = (self.0 + step).clamp(prior.per_day, prior.per_day * prior.most);
    }
}
