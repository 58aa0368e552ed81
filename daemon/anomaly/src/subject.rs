//! Everything that is kept of one subject.

use std::collections::VecDeque;
use std::time::Duration;

use earnest_telemetry::Refusal;

use crate::baseline::Baseline;
use crate::response::Response;
use crate::score::{SHORT, SILENT};
use crate::windows::{Group, Tally, Windows};
use crate::{Observation, Request};

/// Payloads that are remembered: a flood that turns among fewer is one of repeats.
const PAYLOADS: usize = 256;

/// Shapes that are remembered: each new one is compared with all.
const SHAPES: usize = 64;

/// After so long without anything another day has begun.
const NIGHT: Duration = Duration::from_secs(18 * 60 * 60);

/// Delivery slower than this is a dribble, in bytes a second: a tenth of what the thinnest
/// speech codec makes of live sound.
const DRIBBLE: u64 = 400;

/// A request that took less than this holds nobody up, in milliseconds.
const DRIBBLE_TIME: u64 = 10_000;

/// One subject.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    pub(crate) windows: Windows,
    pub(crate) baseline: Baseline,
    pub(crate) response: Response,
    pub(crate) seen: Duration,
    payloads: VecDeque<u64>,
    shapes: VecDeque<u64>,
    /// What the windows held when they last alerted.
    peak: Option<Peak>,
    /// The five minutes and the hour that are not over.
    minutes: Open,
    hour: Open,
}

/// What the windows held.
#[derive(Debug, Clone, Copy)]
struct Peak {
    sums: [Tally; 3],
    busiest: u32,
    hours_active: f64,
}

/// A stretch of time that is not over.
#[derive(Debug, Clone, Copy)]
struct Open {
    number: u64,
    hour: u8,
    tally: Tally,
    busiest: u32,
    trust: f64,
}

impl Open {
    fn new(number: u64, hour: u8) -> Open {
        Open {
            number,
            hour,
            tally: Tally::default(),
            busiest: 0,
            trust: 1.0,
        }
    }
}

impl Watched {
    pub(crate) fn new(baseline: Baseline, now: Duration, hour: u8) -> Watched {
        Watched {
            windows: Windows::new(now),
            baseline,
            response: Response::default(),
            seen: now,
            payloads: VecDeque::new(),
            shapes: VecDeque::new(),
            peak: None,
            minutes: Open::new(now.as_secs() / 300, hour),
            hour: Open::new(now.as_secs() / 3600, hour),
        }
    }

    /// Moves on to `now`, learning what is over.
    pub(crate) fn move_to(&mut self, now: Duration, hour: u8) {
        let now = now.max(self.seen);
        let passed = now - self.seen;
        self.baseline.refill(passed);
        // Whoever comes back on the same day of another week begins another day.
        if passed >= NIGHT {
            self.baseline.end_day(hour);
        }
        self.seen = now;
        self.windows.move_to(now);
        if now.as_secs() / 300 > self.minutes.number {
            let over = self.minutes;
            self.minutes = Open::new(now.as_secs() / 300, hour);
            self.baseline
                .learn_minutes(over.tally.requests, over.busiest, over.trust);
        }
        if now.as_secs() / 3600 > self.hour.number {
            let over = self.hour;
            self.hour = Open::new(now.as_secs() / 3600, hour);
            self.baseline.learn_hour(&over.tally, over.hour, over.trust);
        }
    }

    /// Adds what was seen. `None` says nothing of the subject: a device that cannot serve.
    pub(crate) fn add(&mut self, observation: &Observation, hour: u8) -> Option<Tally> {
        let tally = match observation {
            Observation::Request(request) => self.tally(request, hour),
            Observation::Refused { reason } => refused(group(*reason)?),
        };
        self.windows.add(&tally);
        Some(tally)
    }

    /// Adds to what is learned later, with the trust that the score left.
    pub(crate) fn learn(&mut self, tally: &Tally, hour: u8, trust: f64) {
        let busiest = self.windows.busiest_minute();
        for open in [&mut self.minutes, &mut self.hour] {
            open.tally.add(tally);
            open.busiest = open.busiest.max(busiest);
            open.trust = open.trust.min(trust);
        }
        self.baseline.add_to_day(tally, hour, trust);
    }

    /// Forgets the evidence, and keeps what was learned.
    pub(crate) fn clear(&mut self) {
        let now = self.seen;
        self.peak = None;
        self.windows = Windows::new(now);
        self.minutes = Open::new(now.as_secs() / 300, self.minutes.hour);
        self.hour = Open::new(now.as_secs() / 3600, self.hour.hour);
    }

    /// Keeps what the windows hold, while it alerts.
    pub(crate) fn note_peak(&mut self) {
        self.peak = Some(Peak {
            sums: self.windows.sums(),
            busiest: self.windows.busiest_minute(),
            hours_active: self.windows.hours_active(),
        });
    }

    /// Takes what alerted for usual, because an operator said so.
    pub(crate) fn accept(&mut self) {
        if let Some(peak) = self.peak.take() {
            self.baseline
                .accept(&peak.sums, peak.busiest, peak.hours_active);
        }
    }

    fn tally(&mut self, request: &Request, hour: u8) -> Tally {
        let mut tally = Tally {
            requests: 1,
            sound_milliseconds: request.sound_milliseconds,
            hour_surprise: self.baseline.hour_surprise(hour),
            ..Tally::default()
        };
        let sounds = request.sound_milliseconds > 0;
        let silent = sounds
            && (request.speech_milliseconds as f64) < SILENT * request.sound_milliseconds as f64;
        if sounds {
            // A tenth of a second and less is one length.
            let seconds = (request.sound_milliseconds as f64 / 1e3)
                .clamp(0.1, 1e6)
                .ln();
            tally.sounding = 1;
            tally.silent = u32::from(silent);
            tally.short = u32::from(request.sound_milliseconds < SHORT);
            tally.low = u32::from(!silent && request.certainty_low);
            tally.log_seconds = seconds;
            tally.log_seconds_squared = seconds * seconds;
        }
        let mut again = false;
        if let Some(payload) = request.payload {
            again = self.payloads.contains(&payload);
            tally.hashed = 1;
            tally.exact = u32::from(again);
            if !again {
                remember(&mut self.payloads, PAYLOADS, payload);
            }
        }
        if let (Some(shape), true, false) = (request.shape, sounds && !silent, again) {
            tally.shaped = 1;
            tally.near = u32::from(self.is_near(shape));
            remember(&mut self.shapes, SHAPES, shape);
        }
        let slow = request.bytes_per_second.is_some_and(|rate| rate < DRIBBLE)
            && request.milliseconds >= DRIBBLE_TIME;
        tally.refused[Group::Dribble as usize] = u32::from(slow);
        tally
    }

    fn is_near(&self, shape: u64) -> bool {
        self.shapes
            .iter()
            .any(|known| (known ^ shape).count_ones() <= NEAR_BITS)
    }
}

/// Most bits in which the shapes of two like sounds differ. Of two sounds that have nothing in
/// common about 32 of 64 differ, and fewer than 9 less than once in 10^9.
const NEAR_BITS: u32 = 8;

fn remember(known: &mut VecDeque<u64>, most: usize, new: u64) {
    if known.len() == most {
        known.pop_front();
    }
    known.push_back(new);
}

fn refused(group: Group) -> Tally {
    let mut tally = Tally::default();
    tally.refused[group as usize] = 1;
    tally
}

/// Whether a limit refused it.
pub(crate) fn is_of_limits(observation: &Observation) -> bool {
    matches!(observation, Observation::Refused { reason } if group(*reason) == Some(Group::Load))
}

/// What a refusal says about who was refused; `None` where the device is the reason.
fn group(reason: Refusal) -> Option<Group> {
    match reason {
        Refusal::NoToken
        | Refusal::BadToken
        | Refusal::WrongAudience
        | Refusal::OtherOwner
        | Refusal::NoCertificate
        | Refusal::OtherCertificate
        | Refusal::Revoked
        | Refusal::BadSession
        | Refusal::SecondFactorRefused
        | Refusal::Locked => Some(Group::Guess),
        Refusal::UnknownPeer
        | Refusal::NotListed
        | Refusal::InsufficientScope
        | Refusal::SecondFactorRequired
        | Refusal::WrongDoor
        | Refusal::ForeignHost
        | Refusal::ForeignOrigin
        | Refusal::NotFound => Some(Group::Probe),
        Refusal::Malformed | Refusal::Unsupported | Refusal::TooLarge => Some(Group::Fault),
        Refusal::RateLimited | Refusal::BudgetSpent | Refusal::TooManyAtOnce => Some(Group::Load),
        Refusal::TimedOut | Refusal::TooManyConnections => Some(Group::Dribble),
        // What is already answered for, and what is nobody's fault.
        Refusal::Quarantined
        | Refusal::GateClosed
        | Refusal::AuditUnavailable
        | Refusal::Busy
        | Refusal::Stopping => None,
    }
}
