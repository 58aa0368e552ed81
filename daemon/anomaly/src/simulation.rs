//! A month of honest use, and attacks, on simulated time and from a seed.
//!
//! [`month`] counts false alarms; [`attack`] counts what an attack needs until it is answered.
//! The tests hold both to their goals on a few seeds, the benches print them for many.

mod attacks;
mod chance;
mod honest;

use std::time::Duration;

use earnest_telemetry::{AlertKind, AlertLevel};

use crate::{Alert, Observation, Options, Standing, Subject, Watch};

pub use attacks::Attack;
pub use honest::APPS;

use chance::Chance;

/// Days of a simulated month.
pub const MONTH: u32 = 30;

/// Seconds of a day.
const DAY: f64 = 86_400.0;

/// The machine has been on for a while when a simulation begins: a week, from a Monday.
const BOOTED: Duration = Duration::from_secs(7 * 86_400);

/// Something that happens in a day, by its second.
pub(crate) struct Happening {
    pub(crate) second: f64,
    pub(crate) subject: Subject,
    pub(crate) observation: Observation,
}

/// How a month of honest use went.
#[derive(Debug, Clone)]
pub struct Month {
    /// Every alert, at the highest level that it reached.
    pub alarms: Vec<Alert>,
    /// What was observed.
    pub observations: u64,
    /// Requests that met a subject throttled or in quarantine.
    pub hindered: u64,
}

/// A month of every honest application at once.
pub fn month(seed: u64, options: Options) -> Month {
    let mut people = honest::Household::new(seed);
    let watch = Watch::new(options);
    let mut month = Month {
        alarms: Vec::new(),
        observations: 0,
        hindered: 0,
    };
    for day in 0..MONTH {
        for happening in people.day(day) {
            let (now, hour) = moment(day, happening.second);
            month.observations += 1;
            if watch.standing(&happening.subject, now) != Standing::Normal {
                month.hindered += 1;
            }
            let alert = watch.observe(&happening.subject, &happening.observation, now, hour);
            if let Some(alert) = alert {
                match month.alarms.iter_mut().find(|known| known.id == alert.id) {
                    Some(known) => *known = alert,
                    None => month.alarms.push(alert),
                }
            }
        }
    }
    month
}

/// CLOCK_BOOTTIME and the hour of the week.
fn moment(day: u32, second: f64) -> (Duration, u8) {
    let second = second.clamp(0.0, DAY - 1.0);
    let now = BOOTED + Duration::from_secs_f64(f64::from(day) * DAY + second);
    let hour = (day % 7) * 24 + (second / 3600.0) as u32;
    (now, hour as u8)
}

/// Whether an attacker comes anew, or in the name of an application that was known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// Nothing is known of the subject.
    Fresh,
    /// The subject was an honest application for a month.
    Known,
}

/// When an attack was answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reached {
    /// Requests and refusals until then.
    pub requests: u64,
    /// Hours until then.
    pub hours: f64,
    /// The kind of the alert at that time.
    pub kind: AlertKind,
}

/// How far an attack came.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Detection {
    /// Until an operator was told.
    pub alert: Option<Reached>,
    /// Until it was slowed.
    pub throttle: Option<Reached>,
    /// Until it was shut out.
    pub quarantine: Option<Reached>,
}

/// Runs an attack until it is shut out, for at most a week.
pub fn attack(attack: Attack, history: History, seed: u64, options: Options) -> Detection {
    let watch = Watch::new(options);
    let mut chance = Chance::new(seed);
    let mut begin = 0;
    let subject = attack.subject();
    if history == History::Known {
        for day in 0..MONTH {
            for happening in honest::dictation_as(&subject, &mut chance, day) {
                let (now, hour) = moment(day, happening.second);
                watch.observe(&happening.subject, &happening.observation, now, hour);
            }
        }
        begin = MONTH;
    }
    let mut detection = Detection::default();
    let mut requests = 0;
    // Attacks begin at ten in the morning, when nobody is surprised by the hour.
    let mut second = 10.0 * 3600.0;
    let end = second + 7.0 * DAY;
    let start = second;
    while second < end && detection.quarantine.is_none() {
        let (day, within) = ((second / DAY) as u32, second % DAY);
        let (now, hour) = moment(begin + day, within);
        let mut observation = attack.observation(&mut chance);
        requests += 1;
        if let Standing::Throttled { factor } = watch.standing(&subject, now)
            && chance.share() > factor
            && attack.brings_requests()
        {
            observation = Observation::Refused {
                reason: earnest_telemetry::Refusal::RateLimited,
            };
        }
        if let Some(alert) = watch.observe(&subject, &observation, now, hour) {
            let reached = Some(Reached {
                requests,
                hours: (second - start) / 3600.0,
                kind: alert.kind,
            });
            // A level that was leapt over was reached as well.
            detection.alert = detection.alert.or(reached);
            if alert.level >= AlertLevel::Throttle {
                detection.throttle = detection.throttle.or(reached);
            }
            if alert.level == AlertLevel::Quarantine {
                detection.quarantine = reached;
            }
        }
        second += attack.pause(&mut chance);
    }
    detection
}
