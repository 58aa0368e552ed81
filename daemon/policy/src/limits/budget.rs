//! A budget of sound for any 24 hours.

use std::time::Duration;

/// Hours that are kept: the one that runs, and the 24 before it. With one less, sound from the
/// end of an hour would be forgotten before a day has passed.
const HOURS: usize = 25;

const HOUR: u64 = 60 * 60;

/// Sound by the hour, in milliseconds, of the last day.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    hours: [u64; HOURS],
    /// The hour that runs.
    hour: u64,
}

impl Budget {
    pub(super) fn new() -> Budget {
        Budget {
            hours: [0; HOURS],
            hour: 0,
        }
    }

    /// Notes sound that was heard.
    pub(super) fn charge(&mut self, sound: Duration, now: Duration) {
        self.advance(now);
        let sound = u64::try_from(sound.as_millis()).unwrap_or(u64::MAX);
        let hour = &mut self.hours[place(self.hour)];
        *hour = hour.saturating_add(sound);
    }

    /// What was heard in the last 24 hours, and in up to one more.
    pub(super) fn spent(&mut self, now: Duration) -> Duration {
        self.advance(now);
        Duration::from_millis(self.sum())
    }

    /// How long it takes until less than `most` is spent, when nothing more is heard.
    pub(super) fn wait(&mut self, most: Duration, now: Duration) -> Duration {
        self.advance(now);
        let most = u64::try_from(most.as_millis()).unwrap_or(u64::MAX);
        let mut left = self.sum();
        if left < most {
            return Duration::ZERO;
        }
        // From the oldest hour on, which is the next to go.
        for age in (0..HOURS as u64).rev() {
            let Some(hour) = self.hour.checked_sub(age) else {
                continue;
            };
            left = left.saturating_sub(self.hours[place(hour)]);
            if left < most {
                let goes = hour.saturating_add(HOURS as u64).saturating_mul(HOUR);
                return Duration::from_secs(goes).saturating_sub(now);
            }
        }
        Duration::from_secs(HOUR * HOURS as u64)
    }

    fn sum(&self) -> u64 {
        self.hours
            .iter()
            .fold(0, |sum, hour| sum.saturating_add(*hour))
    }

    /// Forgets the hours that are over for a day.
    fn advance(&mut self, now: Duration) {
        let hour = now.as_secs() / HOUR;
        let passed = hour.saturating_sub(self.hour).min(HOURS as u64);
        for passed in 1..=passed {
            self.hours[place(hour - (passed - 1))] = 0;
        }
        self.hour = self.hour.max(hour);
    }
}

/// Where an hour stands.
fn place(hour: u64) -> usize {
    usize::try_from(hour % HOURS as u64).unwrap_or_default()
}
