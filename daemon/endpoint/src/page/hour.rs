//! What came in during the last hour, minute by minute.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use earnest_telemetry::{Event, Recorded, Refusal};

/// Minutes that are kept.
const MINUTES: usize = 60;

/// Counts what happens, and forgets it after an hour. Clones share one memory, which is bounded
/// by the minutes of an hour and the reasons that there are.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastHour(Arc<Mutex<VecDeque<Minute>>>);

#[derive(Debug, Clone)]
struct Minute {
    /// Its number on CLOCK_BOOTTIME.
    number: u64,
    requests: u32,
    sound_milliseconds: u64,
    refusals: [u32; Refusal::ALL.len()],
}

/// The last hour, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Minutes {
    /// Requests that were let in, minute by minute, the present one last.
    pub(crate) requests: Vec<u32>,
    /// How often somebody was turned away for each reason, the most frequent first; reasons that
    /// did not occur are left out.
    pub(crate) refusals: Vec<(Refusal, u64)>,
    /// The sound that was brought.
    pub(crate) sound: Duration,
}

impl LastHour {
    /// Counts an event. It returns at once, as a sink of telemetry has to.
    pub(crate) fn observe(&self, recorded: &Recorded) {
        let at = Duration::from_millis(recorded.at_milliseconds);
        match &recorded.event {
            Event::RequestBegun { .. } => self.count(at, |minute| add(&mut minute.requests)),
            Event::RequestEnded {
                sound_milliseconds, ..
            } => self.count(at, |minute| {
                let sound = &mut minute.sound_milliseconds;
                *sound = sound.saturating_add(*sound_milliseconds);
            }),
            Event::Refused { reason, .. } => self.count(at, |minute| {
                // Reasons are numbered as they are listed.
                if let Some(count) = minute.refusals.get_mut(*reason as usize) {
                    add(count);
                }
            }),
            _ => {}
        }
    }

    /// The hour before `now`, a time on CLOCK_BOOTTIME.
    pub(crate) fn minutes(&self, now: Duration) -> Minutes {
        let last = number(now);
        let first = (last + 1).saturating_sub(MINUTES as u64);
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = || kept.iter().filter(|minute| minute.number >= first);
        let mut requests = vec![0_u32; MINUTES];
        for minute in shown() {
            let back = usize::try_from(last.saturating_sub(minute.number)).unwrap_or(MINUTES);
            let place = (MINUTES - 1).checked_sub(back);
            if let Some(count) = place.and_then(|place| requests.get_mut(place)) {
                *count = minute.requests;
            }
        }
        let mut refusals: Vec<(Refusal, u64)> = Refusal::ALL
            .iter()
            .map(|reason| {
                let counts = shown().filter_map(|minute| minute.refusals.get(*reason as usize));
                (*reason, counts.map(|count| u64::from(*count)).sum())
            })
            .filter(|(_, count)| *count > 0)
            .collect();
        refusals.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let sound = shown().fold(0_u64, |sum, minute| {
            sum.saturating_add(minute.sound_milliseconds)
        });
        Minutes {
            requests,
            refusals,
            sound: Duration::from_millis(sound),
        }
    }

    fn count(&self, at: Duration, change: impl FnOnce(&mut Minute)) {
        let number = number(at);
        // Counts are all there is, so a memory that somebody panicked over is still good.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Events of two threads may come in the wrong order, but seconds apart at most: the
        // present minute takes what is late.
        if kept.back().is_none_or(|minute| minute.number < number) {
            if kept.len() == MINUTES {
                kept.pop_front();
            }
            kept.push_back(Minute {
                number,
                requests: 0,
                sound_milliseconds: 0,
                refusals: [0; Refusal::ALL.len()],
            });
        }
        if let Some(minute) = kept.back_mut() {
            change(minute);
        }
    }
}

/// The minute of a time.
fn number(time: Duration) -> u64 {
    time.as_secs() / 60
}

fn add(count: &mut u32) {
    *count = count.saturating_add(1);
}

#[cfg(test)]
mod tests {
    use earnest_telemetry::{Clock, Door, Telemetry};

    use super::*;

    fn refused(reason: Refusal) -> Event {
        Event::Refused {
            app: None,
            uid: None,
            scope: None,
            door: Door::Unix,
            reason,
        }
    }

    #[test]
    fn what_happened_is_counted_in_its_minute_and_forgotten_after_an_hour() {
        let clock = Clock::simulated(Duration::from_secs(30 * 60));
        let hour = LastHour::default();
        let sink = hour.clone();
        let telemetry = Telemetry::with_sink(clock.clone(), move |event| sink.observe(event));
        telemetry.record(refused(Refusal::BadToken));
        clock.advance(Duration::from_secs(59 * 60));
        telemetry.record(refused(Refusal::Busy));
        telemetry.record(refused(Refusal::Busy));
        let seen = hour.minutes(clock.now());
        assert_eq!(seen.refusals, [(Refusal::Busy, 2), (Refusal::BadToken, 1)]);
        clock.advance(Duration::from_secs(60));
        let seen = hour.minutes(clock.now());
        assert_eq!(seen.refusals, [(Refusal::Busy, 2)]);
        clock.advance(Duration::from_secs(24 * 3600));
        let seen = hour.minutes(clock.now());
        assert_eq!(seen.refusals, []);
        assert_eq!(seen.requests, vec![0; MINUTES]);
    }

    #[test]
    fn however_much_happens_an_hour_of_it_is_kept() {
        let clock = Clock::simulated(Duration::ZERO);
        let hour = LastHour::default();
        let sink = hour.clone();
        let telemetry = Telemetry::with_sink(clock.clone(), move |event| sink.observe(event));
        for _ in 0..3 * MINUTES {
            telemetry.record(refused(Refusal::RateLimited));
            clock.advance(Duration::from_secs(60));
        }
        assert_eq!(hour.0.lock().expect("nobody panicked").len(), MINUTES);
        let seen = hour.minutes(clock.now());
        // The present minute has had nothing yet.
        assert_eq!(seen.refusals, [(Refusal::RateLimited, 59)]);
    }
}
