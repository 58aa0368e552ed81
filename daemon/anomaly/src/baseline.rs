//! What is usual for one subject.

pub(crate) mod priors;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::estimate::{Level, Pace, Share};
use crate::windows::{Group, Tally, spread};

/// Hours of a week.
pub(crate) const WEEK: usize = 168;

/// Days until the hours of a subject count in full.
const DAYS_KNOWN: f64 = 14.0;

/// Days are counted up to here.
const MOST_DAYS: u32 = 10_000;

/// Learned numbers alone: no payload, no shape, no name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Baseline {
    /// Logarithms of requests in each window.
    pub(crate) rates: [Level; 3],
    /// Logarithm of requests in the busiest minute.
    pub(crate) burst: Level,
    /// Logarithm of the minutes of sound in a day.
    pub(crate) sound: Level,
    /// Hours over which a day's requests spread.
    pub(crate) active: Level,
    /// Logarithm of the seconds of sound.
    pub(crate) duration: Level,
    pub(crate) shares: [Share; 5],
    pub(crate) paces: [Pace; Group::COUNT],
    /// How much was seen in each hour of the week, fading.
    pub(crate) week: Vec<f32>,
    /// Days with requests, so far.
    pub(crate) days: u32,
    /// The day that is not over.
    pub(crate) today: Today,
}

/// A day so far, in counts: it outlives a device that is turned off at night.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Today {
    /// The day of the week.
    pub(crate) weekday: u8,
    pub(crate) hours: [u32; 24],
    pub(crate) sound_milliseconds: u64,
    pub(crate) refused: [u32; Group::COUNT],
    /// The least trust that any of its requests had.
    pub(crate) trust: f64,
}

impl Today {
    fn new(weekday: u8) -> Today {
        Today {
            weekday,
            hours: [0; 24],
            sound_milliseconds: 0,
            refused: [0; Group::COUNT],
            trust: 1.0,
        }
    }

    fn requests(&self) -> u32 {
        self.hours
            .iter()
            .fold(0, |sum, hour| sum.saturating_add(*hour))
    }
}

impl Baseline {
    /// The priors alone.
    pub(crate) fn new(hour: u8) -> Baseline {
        Baseline {
            rates: priors::RATES.each_ref().map(Level::new),
            burst: Level::new(&priors::BURST),
            sound: Level::new(&priors::SOUND),
            active: Level::new(&priors::ACTIVE),
            duration: Level::new(&priors::DURATION),
            shares: priors::SHARES.each_ref().map(Share::new),
            paces: priors::PACES.each_ref().map(Pace::new),
            week: vec![0.0; WEEK],
            days: 0,
            today: Today::new(hour / 24),
        }
    }

    /// Whether every number is one that learning can lead to.
    pub(crate) fn is_sound(&self) -> bool {
        let levels = [
            (&self.rates[0], &priors::RATES[0]),
            (&self.rates[1], &priors::RATES[1]),
            (&self.rates[2], &priors::RATES[2]),
            (&self.burst, &priors::BURST),
            (&self.sound, &priors::SOUND),
            (&self.active, &priors::ACTIVE),
            (&self.duration, &priors::DURATION),
        ];
        levels.iter().all(|(level, prior)| level.is_sound(prior))
            && self.shares.iter().all(Share::is_sound)
            && self
                .paces
                .iter()
                .zip(&priors::PACES)
                .all(|(pace, prior)| pace.is_sound(prior))
            && self.week.len() == WEEK
            && self.week.iter().all(|seen| (0.0..=1e6).contains(seen))
            && self.days <= MOST_DAYS
            && self.today.weekday < 7
            && (0.0..=1.0).contains(&self.today.trust)
    }

    /// How surprising a request at this hour of the week is, in nats.
    ///
    /// The hour's own share is smoothed with its neighbours', with the same hour of other days,
    /// and with all hours alike; and it counts only as far as the subject is known.
    pub(crate) fn hour_surprise(&self, hour: u8) -> f64 {
        let hour = usize::from(hour) % WEEK;
        let sum: f64 = self.week.iter().map(|seen| f64::from(*seen)).sum();
        if sum < 1.0 {
            return 0.0;
        }
        let at = |hour: usize| f64::from(self.week[hour % WEEK]) / sum * WEEK as f64;
        let near = at(hour) * 0.4
            + (at(hour + 1) + at(hour + WEEK - 1)) * 0.2
            + (at(hour + 2) + at(hour + WEEK - 2)) * 0.1;
        let daily = (0..7)
            .map(|day| {
                let same = hour + day * 24;
                (at(same) * 2.0 + at(same + 1) + at(same + WEEK - 1)) / 4.0
            })
            .sum::<f64>()
            / 7.0;
        let density = 0.6 * near + 0.35 * daily + 0.05;
        let known = (f64::from(self.days) / DAYS_KNOWN).min(1.0);
        (-density.ln()).max(0.0) * known
    }

    /// Lets everything that bounds learning grow over a part of a day.
    pub(crate) fn refill(&mut self, passed: Duration) {
        let days = passed.as_secs_f64() / 86_400.0;
        for (level, prior) in self.rates.iter_mut().zip(&priors::RATES) {
            level.refill(prior, days);
        }
        self.burst.refill(&priors::BURST, days);
        self.sound.refill(&priors::SOUND, days);
        self.active.refill(&priors::ACTIVE, days);
        self.duration.refill(&priors::DURATION, days);
        for share in &mut self.shares {
            share.refill(days);
        }
    }

    /// Learns five minutes that are over.
    pub(crate) fn learn_minutes(&mut self, requests: u32, busiest: u32, trust: f64) {
        if requests > 0 {
            self.rates[0].learn(&priors::RATES[0], f64::from(requests).ln_1p(), trust);
            self.burst
                .learn(&priors::BURST, f64::from(busiest).ln_1p(), trust);
        }
    }

    /// Learns an hour that is over.
    pub(crate) fn learn_hour(&mut self, tally: &Tally, hour: u8, trust: f64) {
        if tally.requests == 0 {
            return;
        }
        self.rates[1].learn(&priors::RATES[1], f64::from(tally.requests).ln_1p(), trust);
        if tally.sounding > 0 {
            let mean = tally.log_seconds / f64::from(tally.sounding);
            self.duration.learn(&priors::DURATION, mean, trust);
        }
        for (which, with, of) in shares_of(tally) {
            self.shares[which].learn(with, of, trust);
        }
        // The logarithm, so that one busy hour does not make all others strange.
        let seen = f64::from(tally.requests).ln_1p() * trust;
        self.week[usize::from(hour) % WEEK] += seen as f32;
    }

    /// Adds to the day; the day before is learned when another begins.
    pub(crate) fn add_to_day(&mut self, tally: &Tally, hour: u8, trust: f64) {
        let weekday = (hour / 24) % 7;
        if weekday != self.today.weekday {
            self.end_day(hour);
        }
        let today = &mut self.today;
        let slot = &mut today.hours[usize::from(hour % 24)];
        *slot = slot.saturating_add(tally.requests);
        today.sound_milliseconds = today
            .sound_milliseconds
            .saturating_add(tally.sound_milliseconds);
        for (sum, more) in today.refused.iter_mut().zip(tally.refused) {
            *sum = sum.saturating_add(more);
        }
        today.trust = today.trust.min(trust);
    }

    /// Learns the day so far and begins another.
    pub(crate) fn end_day(&mut self, hour: u8) {
        self.learn_day();
        self.today = Today::new((hour / 24) % 7);
    }

    fn learn_day(&mut self) {
        let today = self.today;
        for ((pace, prior), count) in self.paces.iter_mut().zip(&priors::PACES).zip(today.refused) {
            pace.learn(prior, count, today.trust);
        }
        let requests = today.requests();
        if requests == 0 {
            return;
        }
        let minutes = today.sound_milliseconds as f64 / 60e3;
        self.rates[2].learn(&priors::RATES[2], f64::from(requests).ln_1p(), today.trust);
        self.sound
            .learn(&priors::SOUND, minutes.ln_1p(), today.trust);
        let active = spread(today.hours.into_iter());
        self.active.learn(&priors::ACTIVE, active, today.trust);
        self.days = (self.days + 1).min(MOST_DAYS);
        // Half of what was seen is forgotten in five weeks of use.
        for seen in &mut self.week {
            *seen *= 0.98;
        }
    }

    /// Takes what the windows hold for usual, because an operator said so.
    pub(crate) fn accept(&mut self, sums: &[Tally; 3], busiest: u32, hours_active: f64) {
        for (level, tally) in self.rates.iter_mut().zip(sums) {
            level.accept(f64::from(tally.requests).ln_1p());
        }
        self.burst.accept(f64::from(busiest).ln_1p());
        let day = &sums[2];
        let minutes = day.sound_milliseconds as f64 / 60e3;
        self.sound.accept(minutes.ln_1p());
        self.active.accept(hours_active);
        for (which, with, of) in shares_of(day) {
            self.shares[which].accept(with, of);
        }
    }
}

/// Each share's place, what has the property, and of how many.
fn shares_of(tally: &Tally) -> [(usize, u32, u32); 5] {
    [
        (priors::SILENT, tally.silent, tally.sounding),
        (priors::EXACT, tally.exact, tally.hashed),
        (priors::NEAR, tally.near, tally.shaped),
        (priors::LOW, tally.low, tally.spoken()),
        (priors::SHORT, tally.short, tally.sounding),
    ]
}
