//! What a subject did in the last five minutes, hour and day.

use std::time::Duration;

/// Minutes in the short window's ring, of a minute each.
const MINUTES: usize = 5;
/// Parts of the hour, of five minutes each.
const PARTS: usize = 12;
/// Hours of the day's ring.
const HOURS: usize = 24;

/// What is added up. All counts stop at the end of their range.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Tally {
    /// Requests that were let in.
    pub(crate) requests: u32,
    /// Milliseconds of sound.
    pub(crate) sound_milliseconds: u64,
    /// Requests that brought sound.
    pub(crate) sounding: u32,
    /// Of those, the all but silent.
    pub(crate) silent: u32,
    /// Of those with speech, the uncertain.
    pub(crate) low: u32,
    /// Requests with sound shorter than [`SHORT`](crate::score::SHORT).
    pub(crate) short: u32,
    /// Requests whose payload is known.
    pub(crate) hashed: u32,
    /// Of those, payloads that came before.
    pub(crate) exact: u32,
    /// Requests with speech whose shape is known and whose payload is new.
    pub(crate) shaped: u32,
    /// Of those, shapes like an earlier one.
    pub(crate) near: u32,
    /// Sum of the logarithms of the seconds of sound.
    pub(crate) log_seconds: f64,
    /// Sum of their squares.
    pub(crate) log_seconds_squared: f64,
    /// Sum of how surprising the hour of each request is.
    pub(crate) hour_surprise: f64,
    /// Refusals of each group, in the order of [`Group`].
    pub(crate) refused: [u32; Group::COUNT],
}

/// What a refusal says about who was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Group {
    /// A proof failed.
    Guess,
    /// It asked for what it may not have, or for what there is not.
    Probe,
    /// The request was no good one.
    Fault,
    /// It asks for more than it is granted.
    Load,
    /// Its bytes dribble, or never come.
    Dribble,
}

impl Group {
    /// How many there are.
    pub(crate) const COUNT: usize = 5;
}

impl Tally {
    /// Adds another's counts.
    pub(crate) fn add(&mut self, other: &Tally) {
        let sums = [
            (&mut self.requests, other.requests),
            (&mut self.sounding, other.sounding),
            (&mut self.silent, other.silent),
            (&mut self.low, other.low),
            (&mut self.short, other.short),
            (&mut self.hashed, other.hashed),
            (&mut self.exact, other.exact),
            (&mut self.shaped, other.shaped),
            (&mut self.near, other.near),
        ];
        for (sum, more) in sums {
            *sum = sum.saturating_add(more);
        }
        for (sum, more) in self.refused.iter_mut().zip(other.refused) {
            *sum = sum.saturating_add(more);
        }
        self.sound_milliseconds = self
            .sound_milliseconds
            .saturating_add(other.sound_milliseconds);
        self.log_seconds += other.log_seconds;
        self.log_seconds_squared += other.log_seconds_squared;
        self.hour_surprise += other.hour_surprise;
    }

    /// Refusals of one group.
    pub(crate) fn refused(&self, group: Group) -> u32 {
        self.refused[group as usize]
    }

    /// Refusals of any group.
    pub(crate) fn refusals(&self) -> u32 {
        self.refused
            .iter()
            .fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Requests with speech.
    pub(crate) fn spoken(&self) -> u32 {
        self.sounding.saturating_sub(self.silent)
    }
}

/// The last `N` stretches of time of one length.
#[derive(Debug, Clone)]
struct Ring<const N: usize> {
    seconds: u64,
    /// The number of the newest stretch, counted from the clock's start.
    newest: u64,
    tallies: [Tally; N],
}

impl<const N: usize> Ring<N> {
    fn new(seconds: u64, now: Duration) -> Ring<N> {
        Ring {
            seconds,
            newest: now.as_secs() / seconds,
            tallies: [Tally::default(); N],
        }
    }

    /// Moves on to `now`. A clock that stands still, or seems to run back, moves nothing.
    fn move_to(&mut self, now: Duration) {
        let target = now.as_secs() / self.seconds;
        let steps = target.saturating_sub(self.newest).min(N as u64);
        for step in 1..=steps {
            let number = target - steps + step;
            self.tallies[(number % N as u64) as usize] = Tally::default();
        }
        self.newest = self.newest.max(target);
    }

    fn add(&mut self, tally: &Tally) {
        self.tallies[(self.newest % N as u64) as usize].add(tally);
    }

    fn sum(&self) -> Tally {
        self.tallies
            .iter()
            .fold(Tally::default(), |mut sum, tally| {
                sum.add(tally);
                sum
            })
    }
}

/// The three windows of one subject.
#[derive(Debug, Clone)]
pub(crate) struct Windows {
    minutes: Ring<MINUTES>,
    parts: Ring<PARTS>,
    hours: Ring<HOURS>,
}

impl Windows {
    /// Empty ones.
    pub(crate) fn new(now: Duration) -> Windows {
        Windows {
            minutes: Ring::new(60, now),
            parts: Ring::new(5 * 60, now),
            hours: Ring::new(60 * 60, now),
        }
    }

    /// Forgets what is too old at `now`.
    pub(crate) fn move_to(&mut self, now: Duration) {
        self.minutes.move_to(now);
        self.parts.move_to(now);
        self.hours.move_to(now);
    }

    /// Adds to the newest stretch of each.
    pub(crate) fn add(&mut self, tally: &Tally) {
        self.minutes.add(tally);
        self.parts.add(tally);
        self.hours.add(tally);
    }

    /// The last five minutes, hour and day.
    pub(crate) fn sums(&self) -> [Tally; 3] {
        [self.minutes.sum(), self.parts.sum(), self.hours.sum()]
    }

    /// Most requests in one of the last minutes.
    pub(crate) fn busiest_minute(&self) -> u32 {
        let requests = self.minutes.tallies.iter().map(|tally| tally.requests);
        requests.max().unwrap_or(0)
    }

    /// Over how many hours of the last day the requests spread evenly.
    pub(crate) fn hours_active(&self) -> f64 {
        spread(self.hours.tallies.iter().map(|tally| tally.requests))
    }
}

/// The number of equal parts that are as spread out as these: e to the power of their entropy.
pub(crate) fn spread(counts: impl Iterator<Item = u32> + Clone) -> f64 {
    let sum: f64 = counts.clone().map(f64::from).sum();
    if sum == 0.0 {
        return 0.0;
    }
    let entropy: f64 = counts
        .filter(|count| *count > 0)
        .map(|count| {
            let share = f64::from(count) / sum;
            -share * share.ln()
        })
        .sum();
    entropy.exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> Tally {
        Tally {
            requests: 1,
            ..Tally::default()
        }
    }

    #[test]
    fn what_is_too_old_leaves_one_window_after_the_other() {
        let at = Duration::from_secs;
        let mut windows = Windows::new(at(1_000_000));
        windows.add(&one());
        let requests = |windows: &Windows| windows.sums().map(|tally| tally.requests);
        assert_eq!(requests(&windows), [1, 1, 1]);
        windows.move_to(at(1_000_000 + 5 * 60));
        assert_eq!(requests(&windows), [0, 1, 1]);
        windows.move_to(at(1_000_000 + 60 * 60));
        assert_eq!(requests(&windows), [0, 0, 1]);
        windows.move_to(at(1_000_000 + 24 * 60 * 60));
        assert_eq!(requests(&windows), [0, 0, 0]);
    }

    #[test]
    fn a_clock_that_seems_to_run_back_changes_nothing() {
        let mut windows = Windows::new(Duration::from_secs(90_000));
        windows.add(&one());
        windows.move_to(Duration::ZERO);
        windows.add(&one());
        assert_eq!(windows.sums().map(|tally| tally.requests), [2, 2, 2]);
        windows.move_to(Duration::MAX);
        assert!(windows.sums().iter().all(|tally| tally.requests == 0));
    }

    #[test]
    fn even_counts_spread_over_all_and_one_over_itself() {
        assert!((spread([7; 24].into_iter()) - 24.0).abs() < 1e-9);
        assert_eq!(spread([0, 9, 0].into_iter()), 1.0);
        assert_eq!(spread([0; 3].into_iter()), 0.0);
    }
}
