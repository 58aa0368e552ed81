//! When the oldest segments go.
//!
//! By size, as soon as there are too many bytes. By age, when both may be said: that so much time
//! has passed. Either the log has seen it pass itself, by the clock that nobody can set, adding
//! up what it was there for from start to start; or the wall clock says so and has not jumped for
//! [`SETTLED`]. So no jump of the wall clock removes anything, and a device that is off for most
//! of the time forgets in time all the same.

use std::collections::VecDeque;
use std::time::Duration;

use crate::log::Options;
use crate::recover::Kept;

/// How long the wall clock must go without a jump until it is believed: a clock that was set
/// wrong is hardly ever left so for this long.
const SETTLED: Duration = Duration::from_secs(6 * 60 * 60);

/// How far the wall clock may be pulled without that being a jump.
const JUMP: u64 = 5 * 60 * 1000;

/// What a small file takes on the disk.
const BLOCK: u64 = 4096;

/// Milliseconds that have passed for certain since the log was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Age {
    elapsed: u64,
    boot: u64,
}

impl Age {
    /// The log had this age at this CLOCK_BOOTTIME, maybe of an earlier boot; now it is later.
    pub(crate) fn since(elapsed: u64, boot: u64, now: u64) -> Age {
        // A clock that shows less was started anew, and all that it shows has passed since. One
        // that shows more may have been, too; then the difference is less than what has passed.
        let passed = now.checked_sub(boot).unwrap_or(now);
        Age {
            elapsed: elapsed.saturating_add(passed),
            boot: now,
        }
    }

    /// The age at this CLOCK_BOOTTIME of the same boot.
    pub(crate) fn at(&self, boot: u64) -> u64 {
        self.elapsed.saturating_add(boot.saturating_sub(self.boot))
    }
}

/// Whether the wall clock is to be believed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WallTrust {
    /// The wall clock less CLOCK_BOOTTIME, in milliseconds, and since when that has been so.
    offset: i128,
    since: Duration,
}

impl WallTrust {
    pub(crate) fn new(wall: Duration, boot: Duration) -> WallTrust {
        WallTrust {
            offset: offset(wall, boot),
            since: boot,
        }
    }

    /// Looks at both clocks.
    pub(crate) fn look(&mut self, wall: Duration, boot: Duration) {
        let found = offset(wall, boot);
        if found.abs_diff(self.offset) > u128::from(JUMP) {
            *self = WallTrust::new(wall, boot);
        }
    }

    /// The wall clock's time, where it is to be believed.
    pub(crate) fn believed(&self, wall: Duration, boot: Duration) -> Option<Duration> {
        let mut seen = *self;
        seen.look(wall, boot);
        (boot.saturating_sub(seen.since) >= SETTLED).then_some(wall)
    }
}

fn offset(wall: Duration, boot: Duration) -> i128 {
    let signed = |time: Duration| i128::try_from(time.as_millis()).unwrap_or(i128::MAX / 2);
    signed(wall) - signed(boot)
}

/// The bounds, and the time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Purge {
    pub(crate) options: Options,
    pub(crate) elapsed: u64,
    /// The wall clock, where it is to be believed.
    pub(crate) wall: Option<u64>,
}

impl Purge {
    /// How many of the oldest segments go.
    pub(crate) fn many(&self, kept: &VecDeque<Kept>) -> usize {
        let takes = |kept: &Kept| kept.bytes.max(BLOCK);
        let mut bytes: u64 = kept.iter().map(takes).sum();
        // The one that is written to, and the next, which is there before the oldest goes.
        let room = self.options.most_bytes - 2 * self.options.segment_bytes;
        let mut many = 0;
        for one in kept {
            if bytes <= room && !self.is_past(one) {
                break;
            }
            bytes = bytes.saturating_sub(takes(one));
            many += 1;
        }
        many
    }

    fn is_past(&self, kept: &Kept) -> bool {
        let keep = crate::entry::milliseconds(self.options.keep);
        let seen = self.elapsed.saturating_sub(kept.elapsed) > keep;
        let told = self
            .wall
            .is_some_and(|wall| wall.saturating_sub(kept.wall) > keep);
        seen || told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Head;

    const HOUR: u64 = 60 * 60 * 1000;
    const DAY: u64 = 24 * HOUR;

    fn kept(bytes: u64, elapsed: u64, wall: u64) -> Kept {
        Kept {
            path: "audit-00000001.log".into(),
            bytes,
            end: Head::START,
            wall,
            elapsed,
        }
    }

    fn purge(elapsed: u64, wall: Option<u64>) -> Purge {
        Purge {
            options: Options {
                segment_bytes: 1 << 20,
                most_bytes: 8 << 20,
                keep: Duration::from_millis(30 * DAY),
                anchor: None,
            },
            elapsed,
            wall,
        }
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many_bytes() {
        let full: VecDeque<Kept> = (0..7).map(|_| kept(1 << 20, 0, 0)).collect();
        assert_eq!(purge(0, None).many(&full), 1);
        // Many small ones take a block each.
        let small: VecDeque<Kept> = (0..2000).map(|_| kept(400, 0, 0)).collect();
        assert_eq!(purge(0, None).many(&small), 2000 - (6 << 20) / 4096);
        assert_eq!(purge(0, None).many(&VecDeque::new()), 0);
    }

    #[test]
    fn what_is_old_by_either_clock_goes_and_what_is_new_by_both_stays() {
        let segments = VecDeque::from([kept(10, DAY, 100 * DAY), kept(10, 20 * DAY, 120 * DAY)]);
        for (elapsed, wall, many) in [
            (31 * DAY, None, 0),
            (31 * DAY + 1, None, 1),
            (25 * DAY, Some(130 * DAY), 0),
            (25 * DAY, Some(130 * DAY + 1), 1),
            (25 * DAY, Some(500 * DAY), 2),
            // The wall clock was set back.
            (25 * DAY, Some(0), 0),
            (60 * DAY, Some(0), 2),
        ] {
            assert_eq!(purge(elapsed, wall).many(&segments), many);
        }
    }

    #[test]
    fn a_wall_clock_that_jumped_is_believed_once_it_has_settled() {
        let at = Duration::from_secs;
        let hours = |hours: u64| at(hours * 3600);
        let mut trust = WallTrust::new(at(1000), at(10));
        assert_eq!(trust.believed(at(1010), at(20)), None);
        assert!(
            trust.believed(hours(7), hours(7)).is_none(),
            "it jumped by 990 s"
        );
        assert_eq!(
            trust.believed(hours(7) + at(990), hours(7)),
            Some(hours(7) + at(990))
        );
        // Forward by a year, and nothing is believed for a while.
        let year = hours(24 * 365);
        trust.look(year + hours(8), hours(8));
        assert_eq!(trust.believed(year + hours(9), hours(9)), None);
        assert!(trust.believed(year + hours(14), hours(14)).is_some());
        // Back again: the same.
        assert_eq!(trust.believed(hours(14), hours(14)), None);
    }

    #[test]
    fn the_age_grows_by_what_has_passed_for_certain() {
        // The same boot.
        let age = Age::since(5 * DAY, HOUR, 3 * HOUR);
        assert_eq!(age.at(3 * HOUR), 5 * DAY + 2 * HOUR);
        assert_eq!(age.at(4 * HOUR), 5 * DAY + 3 * HOUR);
        // Another boot, two minutes ago.
        let age = Age::since(5 * DAY, HOUR, HOUR / 30);
        assert_eq!(age.at(HOUR / 30), 5 * DAY + HOUR / 30);
        // The clock of one boot does not run backwards; if it does, no time has passed.
        assert_eq!(age.at(0), 5 * DAY + HOUR / 30);
    }
}
