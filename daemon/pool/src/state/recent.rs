//! How long jobs take lately, and so how long a place takes to become free.

use std::time::Duration;

/// What a job is taken to last before any has: most clips are done by then.
const FIRST: Duration = Duration::from_secs(1);

/// The most that one job counts for. A microphone that was open for an hour says nothing of
/// clips.
const LONGEST: Duration = Duration::from_secs(60);

/// A job's part in the mean, as one in so many.
const PART: u32 = 8;

/// Patience is to last for so many times the wait that is expected, as jobs differ.
const SURE: u32 = 2;

/// The least and the most that anybody is told to wait.
const LEAST_WAIT: Duration = Duration::from_secs(1);
const MOST_WAIT: Duration = Duration::from_secs(60);

/// The mean time of recent jobs: each new one counts for an eighth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Recent {
    mean: Duration,
    /// Whether there was any.
    known: bool,
}

/// How things stand for who has to come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Crowd {
    /// Jobs that wait before its own.
    pub(super) before: usize,
    /// Those that the places are shared among, itself included.
    pub(super) sharers: usize,
    /// All places.
    pub(super) places: usize,
}

impl Recent {
    pub(super) fn new() -> Recent {
        Recent {
            mean: FIRST,
            known: false,
        }
    }

    /// A job took so long.
    pub(super) fn took(&mut self, time: Duration) {
        self.mean = (self.mean * (PART - 1) + time.min(LONGEST)) / PART;
        self.known = true;
    }

    /// Whether who is so patient most likely waits in vain: it would rather know at once.
    pub(super) fn is_in_vain(&self, crowd: Crowd, patience: Duration) -> bool {
        self.known && self.expected(crowd).saturating_mul(SURE) > patience
    }

    /// When to come again.
    pub(super) fn wait(&self, crowd: Crowd) -> Duration {
        self.expected(crowd).clamp(LEAST_WAIT, MOST_WAIT)
    }

    /// A place becomes free `places` times in the time of a job, and every `sharers`-th is one's
    /// own.
    fn expected(&self, crowd: Crowd) -> Duration {
        let turns = (crowd.before.saturating_add(1)).saturating_mul(crowd.sharers.max(1));
        let rounds = turns.div_ceil(crowd.places.max(1));
        let rounds = u32::try_from(rounds).unwrap_or(u32::MAX);
        self.mean.saturating_mul(rounds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(recent: Recent, [before, sharers, places]: [usize; 3], seconds: u64) {
        let crowd = Crowd {
            before,
            sharers,
            places,
        };
        assert_eq!(
            recent.wait(crowd),
            Duration::from_secs(seconds),
            "{crowd:?}"
        );
    }

    #[test]
    fn the_wait_grows_with_the_queue_and_with_who_shares() {
        let recent = Recent {
            mean: Duration::from_secs(2),
            known: true,
        };
        check(recent, [0, 1, 4], 2);
        check(recent, [3, 1, 4], 2);
        check(recent, [4, 1, 4], 4);
        check(recent, [4, 2, 4], 6);
        check(recent, [4, 2, 1], 20);
    }

    #[test]
    fn the_wait_is_bounded_whatever_came_before() {
        let mut recent = Recent::new();
        check(recent, [usize::MAX, usize::MAX, 0], 60);
        for _ in 0..100 {
            recent.took(Duration::MAX);
        }
        assert!(recent.mean <= LONGEST);
        check(recent, [1, 1, 1], 60);
        for _ in 0..200 {
            recent.took(Duration::ZERO);
        }
        check(recent, [0, 0, 1], 1);
    }

    #[test]
    fn who_waits_in_vain_is_told_so_once_it_is_known_how_long_jobs_take() {
        let crowd = Crowd {
            before: 3,
            sharers: 4,
            places: 4,
        };
        let patience = Duration::from_secs(8);
        let mut recent = Recent::new();
        assert!(!recent.is_in_vain(crowd, Duration::ZERO));
        for _ in 0..64 {
            recent.took(Duration::from_secs(1));
        }
        // Four rounds of a second.
        assert!(!recent.is_in_vain(crowd, patience));
        assert!(recent.is_in_vain(crowd, patience - Duration::from_millis(100)));
        let alone = Crowd { before: 0, ..crowd };
        assert!(!recent.is_in_vain(alone, patience / 2));
    }

    #[test]
    fn the_mean_follows_what_is_recent() {
        let mut recent = Recent::new();
        for _ in 0..64 {
            recent.took(Duration::from_secs(9));
        }
        assert!(recent.mean > Duration::from_secs(8), "{recent:?}");
    }
}
