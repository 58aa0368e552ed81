//! Who keeps a job waiting, and for how long he may: pure, on times that are passed in.

use std::time::{Duration, Instant};

use crate::{JobLimits, SessionError};

/// Whom a job waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Party {
    /// The worker, to take sound or to answer.
    Worker,
    /// The client, to send sound or to take events.
    Client,
}

/// The waits of one job.
#[derive(Debug)]
pub(crate) struct Pace {
    limits: JobLimits,
    party: Party,
    /// The last progress of that party, or when it came to be waited for.
    since: Instant,
    /// When `worked` was brought up to date.
    counted: Instant,
    /// How long the worker was waited for altogether.
    worked: Duration,
}

impl Pace {
    pub(crate) fn new(limits: JobLimits, now: Instant) -> Pace {
        Pace {
            limits,
            party: Party::Client,
            since: now,
            counted: now,
            worked: Duration::ZERO,
        }
    }

    /// `party` is waited for from now on, or still is.
    pub(crate) fn wait_for(&mut self, party: Party, now: Instant) {
        self.count(now);
        if self.party != party {
            self.party = party;
            self.since = now;
        }
    }

    /// `party` did something. Who is not waited for cannot prolong the other's time.
    pub(crate) fn progress(&mut self, party: Party, now: Instant) {
        self.count(now);
        if self.party == party {
            self.since = now;
        }
    }

    /// When [`check`](Pace::check) will fail if nothing happens until then.
    pub(crate) fn deadline(&self, seconds_of_sound: u64) -> Instant {
        match self.party {
            Party::Client => self.since + self.limits.client,
            Party::Worker => {
                let left = self.most_work(seconds_of_sound).saturating_sub(self.worked);
                (self.since + self.limits.stall).min(self.counted + left)
            }
        }
    }

    /// Whether nobody took too long.
    pub(crate) fn check(
        &mut self,
        now: Instant,
        seconds_of_sound: u64,
    ) -> Result<(), SessionError> {
        self.count(now);
        let waited = now.saturating_duration_since(self.since);
        let most_work = self.most_work(seconds_of_sound);
        let JobLimits { stall, client, .. } = self.limits;
        match self.party {
            Party::Client if waited >= client => Err(SessionError::ClientStalled { limit: client }),
            Party::Worker if waited >= stall => Err(SessionError::WorkerHung { limit: stall }),
            Party::Worker if self.worked >= most_work => {
                Err(SessionError::WorkerHung { limit: most_work })
            }
            _ => Ok(()),
        }
    }

    fn count(&mut self, now: Instant) {
        if self.party == Party::Worker {
            self.worked += now.saturating_duration_since(self.counted);
        }
        self.counted = now;
    }

    fn most_work(&self, seconds_of_sound: u64) -> Duration {
        let each = u64::from(self.limits.work_per_second);
        // A century: no job of ours, and far from what instants can hold.
        let more = seconds_of_sound
            .saturating_mul(each)
            .min(100 * 366 * 86_400);
        self.limits.work.saturating_add(Duration::from_secs(more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: JobLimits = JobLimits {
        stall: Duration::from_secs(30),
        client: Duration::from_secs(120),
        work: Duration::from_secs(60),
        work_per_second: 2,
        abandon: Duration::from_secs(5),
    };

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_silent_worker_has_its_own_limit_and_a_silent_client_another() {
        let start = Instant::now();
        let mut pace = Pace::new(LIMITS, start);
        assert_eq!(pace.deadline(0), start + seconds(120));
        assert_eq!(pace.check(start + seconds(119), 0), Ok(()));

        pace.wait_for(Party::Worker, start + seconds(119));
        assert_eq!(pace.deadline(0), start + seconds(149));
        assert_eq!(pace.check(start + seconds(148), 0), Ok(()));
        let hung = SessionError::WorkerHung { limit: seconds(30) };
        assert_eq!(pace.check(start + seconds(149), 0), Err(hung));

        pace.wait_for(Party::Client, start + seconds(149));
        let stalled = SessionError::ClientStalled {
            limit: seconds(120),
        };
        assert_eq!(pace.check(start + seconds(269), 0), Err(stalled));
    }

    #[test]
    fn progress_starts_the_wait_anew_but_not_the_whole() {
        let start = Instant::now();
        let mut pace = Pace::new(LIMITS, start);
        pace.wait_for(Party::Worker, start);
        for at in [20, 40] {
            pace.progress(Party::Worker, start + seconds(at));
            pace.progress(Party::Client, start + seconds(at + 5));
        }
        // 60 s of work are the whole, and 4 s of sound give 8 more.
        assert_eq!(pace.deadline(0), start + seconds(60));
        assert_eq!(pace.deadline(4), start + seconds(68));
        assert_eq!(pace.check(start + seconds(60), 4), Ok(()));
        let hung = SessionError::WorkerHung { limit: seconds(60) };
        assert_eq!(pace.check(start + seconds(60), 0), Err(hung));
    }

    #[test]
    fn waiting_for_the_client_is_no_work() {
        let start = Instant::now();
        let mut pace = Pace::new(LIMITS, start);
        for hour in 1..100 {
            let at = start + seconds(hour * 3_600);
            pace.progress(Party::Client, at);
            pace.wait_for(Party::Worker, at);
            pace.wait_for(Party::Client, at + Duration::from_millis(500));
            assert_eq!(pace.check(at + seconds(100), 0), Ok(()));
        }
    }

    #[test]
    fn no_length_of_sound_overflows() {
        let start = Instant::now();
        let mut pace = Pace::new(LIMITS, start);
        pace.wait_for(Party::Worker, start);
        assert_eq!(pace.deadline(u64::MAX), start + seconds(30));
        assert_eq!(pace.check(start, u64::MAX), Ok(()));
    }
}
