//! How often something may happen.

use embassy_time::{Duration, Instant};

/// A token bucket: so many at once, and one more each so often.
#[derive(Debug)]
pub(crate) struct Bucket {
    most: u8,
    every: Duration,
    tokens: u8,
    /// When the last token was filled in. It says nothing while the bucket is full.
    filled: Instant,
}

impl Bucket {
    pub(crate) fn new(most: u8, every: Duration, now: Instant) -> Self {
        Self {
            most,
            every,
            tokens: most,
            filled: now,
        }
    }

    /// Whether there was one to take.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        // At most as many rounds as tokens are missing.
        while self.tokens < self.most && now.saturating_duration_since(self.filled) >= self.every {
            self.tokens += 1;
            self.filled += self.every;
        }
        if self.tokens == self.most {
            self.filled = now;
        }
        let taken = self.tokens > 0;
        self.tokens = self.tokens.saturating_sub(1);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_come_at_once_and_one_more_each_so_often() {
        let at = Instant::from_millis;
        let mut bucket = Bucket::new(4, Duration::from_millis(1_000), at(0));
        let taken: [bool; 5] = core::array::from_fn(|_| bucket.take(at(10)));
        assert_eq!(taken, [true, true, true, true, false]);
        assert!(!bucket.take(at(1_009)));
        assert!(bucket.take(at(1_010)));
        assert!(!bucket.take(at(1_500)));
        // Full again after a long time, and no fuller than that.
        let taken: [bool; 5] = core::array::from_fn(|_| bucket.take(at(1_000_000)));
        assert_eq!(taken, [true, true, true, true, false]);
    }
}
