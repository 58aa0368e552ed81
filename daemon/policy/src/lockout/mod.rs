//! Who guesses is not listened to for a while.
//!
//! Failed proofs (tokens, certificates, links) are counted by where they come from, before
//! anybody knows who asks: [`FAILURES`] within [`WINDOW`] lock the source, for
//! [`SHORTEST_LOCKOUT`] at first and twice as long each time, up to [`LONGEST_LOCKOUT`]. A locked
//! source is refused before any work. Success clears nothing, as whoever guesses may own a good
//! token besides; time alone does. A source that failed in no way for [`LONGEST_LOCKOUT`] after
//! its lockout begins anew. So nobody is heard with more than 2,900 guesses a day, just below the
//! threshold, at secrets of 256 bits.
//!
//! ```
//! use std::time::Duration;
//! use earnest_policy::{FAILURES, Lockout, SHORTEST_LOCKOUT, Source};
//!
//! let now = Duration::from_secs(100);
//! let mut lockout = Lockout::default();
//! for _ in 1..FAILURES {
//!     assert_eq!(lockout.failed(Source::Uid(1000), now), None);
//! }
//! assert_eq!(lockout.failed(Source::Uid(1000), now), Some(SHORTEST_LOCKOUT));
//! assert!(lockout.check(Source::Uid(1000), now).is_err());
//! assert!(lockout.check(Source::Uid(1001), now).is_ok());
//! assert!(lockout.check(Source::Uid(1000), now + SHORTEST_LOCKOUT).is_ok());
//! ```

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Failures within [`WINDOW`] that lock a source.
pub const FAILURES: usize = 20;

/// How long a failure counts.
pub const WINDOW: Duration = Duration::from_secs(10 * 60);

/// How long the first lockout lasts.
pub const SHORTEST_LOCKOUT: Duration = Duration::from_secs(60);

/// How long a lockout lasts at most.
pub const LONGEST_LOCKOUT: Duration = Duration::from_secs(60 * 60);

/// Most sources that are watched one by one.
pub const MAX_SOURCES: usize = 1024;

/// One place is nobody's but that of the unknown.
const MAX_KNOWN: usize = MAX_SOURCES - 1;

/// Where failures come from: over loopback an address says nothing, a user does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// The user at the other end.
    Uid(u32),
    /// Nobody knows. All of these are one source.
    Unknown,
}

/// The sources that failed lately.
#[derive(Debug, Default)]
pub struct Lockout {
    records: BTreeMap<Source, Record>,
}

#[derive(Debug, Default)]
struct Record {
    /// When it failed, at most [`FAILURES`] times, the earliest first.
    failures: VecDeque<Duration>,
    /// Lockouts so far.
    lockouts: u32,
    /// When the last lockout ends or ended.
    until: Duration,
    /// The last failure.
    last: Duration,
}

impl Lockout {
    /// Whether the source is listened to.
    ///
    /// # Errors
    ///
    /// When it is locked, with the time that is left.
    pub fn check(&self, source: Source, now: Duration) -> Result<(), LockedOut> {
        match self.records.get(&self.counted_as(source, now)) {
            Some(record) if now < record.until => Err(LockedOut {
                retry_after: record.until - now,
            }),
            _ => Ok(()),
        }
    }

    /// Counts a failure, and says how long that locks the source, if it does.
    pub fn failed(&mut self, source: Source, now: Duration) -> Option<Duration> {
        let source = self.place_for(source, now);
        self.records.entry(source).or_default().failed(now)
    }

    /// Sources that are locked.
    pub fn locked(&self, now: Duration) -> usize {
        let locked = self.records.values().filter(|record| now < record.until);
        locked.count()
    }

    /// Whose record judges a source: its own, or that of nobody known where all places are taken
    /// by sources that are locked.
    fn counted_as(&self, source: Source, now: Duration) -> Source {
        let crowded = || self.known() >= MAX_KNOWN && self.oldest_free(now).is_none();
        match self.records.contains_key(&source) || !crowded() {
            true => source,
            false => Source::Unknown,
        }
    }

    /// The same, after making room: what is forgotten anyway goes first, then who is not locked
    /// and has failed longest ago. No lockout ever makes room.
    fn place_for(&mut self, source: Source, now: Duration) -> Source {
        if source == Source::Unknown || self.records.contains_key(&source) {
            return source;
        }
        if self.known() >= MAX_KNOWN {
            self.records.retain(|_, record| !record.is_forgotten(now));
        }
        if self.known() >= MAX_KNOWN {
            let Some(oldest) = self.oldest_free(now) else {
                return Source::Unknown;
            };
            self.records.remove(&oldest);
        }
        source
    }

    fn known(&self) -> usize {
        self.records.len() - usize::from(self.records.contains_key(&Source::Unknown))
    }

    fn oldest_free(&self, now: Duration) -> Option<Source> {
        let free = self
            .records
            .iter()
            .filter(|(source, record)| **source != Source::Unknown && now >= record.until);
        free.min_by_key(|(_, record)| record.last)
            .map(|(source, _)| *source)
    }
}

impl Record {
    fn failed(&mut self, now: Duration) -> Option<Duration> {
        // A clock that stands or goes back makes nothing younger.
        let now = now.max(self.last);
        if self.is_forgotten(now) {
            *self = Record::default();
        }
        self.last = now;
        self.failures.retain(|failure| now - *failure < WINDOW);
        self.failures.push_back(now);
        if self.failures.len() < FAILURES {
            return None;
        }
        self.failures.clear();
        let factor = 2_u32.saturating_pow(self.lockouts);
        let wait = SHORTEST_LOCKOUT.saturating_mul(factor).min(LONGEST_LOCKOUT);
        self.lockouts = self.lockouts.saturating_add(1);
        self.until = now.saturating_add(wait);
        Some(wait)
    }

    /// Whether it behaved for so long that it begins anew.
    fn is_forgotten(&self, now: Duration) -> bool {
        now >= self.until.max(self.last).saturating_add(LONGEST_LOCKOUT)
    }
}

/// The source is locked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed too often, and is not listened to for {retry_after:?}")]
pub struct LockedOut {
    /// For how long.
    pub retry_after: Duration,
}
