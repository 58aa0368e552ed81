//! A bucket of requests: governor's, on time that is brought.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use super::account::Amounts;

/// Cells of a bucket for each request, so that a throttled one may cost a part more.
const CELLS: u32 = 16;

/// Nanoseconds of a minute.
const MINUTE: u64 = 60_000_000_000;

/// The time of all buckets, in nanoseconds of CLOCK_BOOTTIME.
#[derive(Clone, Default)]
pub(super) struct SharedTime(Arc<AtomicU64>);

impl SharedTime {
    /// The latest time that was seen. It stands still after two centuries, so that nothing
    /// overflows.
    pub(super) fn advance(&self, now: Duration) -> Duration {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let now = now.min(u64::MAX / 3);
        let before = self.0.fetch_max(now, Ordering::Relaxed);
        Duration::from_nanos(before.max(now))
    }
}

impl Clock for SharedTime {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        Nanos::from(self.0.load(Ordering::Relaxed))
    }
}

/// Requests that may begin now, and more with time.
pub(super) struct Bucket {
    limiter: RateLimiter<NotKeyed, InMemoryState, SharedTime, StateInformationMiddleware>,
    time: SharedTime,
    per_minute: u32,
    /// Cells that it holds.
    capacity: NonZeroU32,
    /// Time for one cell.
    interval: Duration,
    /// When it is full again.
    full_at: Duration,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(amounts: &Amounts, time: &SharedTime) -> Bucket {
        let cells_a_minute = u64::from(amounts.per_minute.max(1)) * u64::from(CELLS);
        // Rounded up: never more than the rate. A minute is longer than any rate has cells.
        let interval = Duration::from_nanos(MINUTE.div_ceil(cells_a_minute).max(1));
        let capacity = NonZeroU32::new(amounts.burst.saturating_mul(CELLS));
        let capacity = capacity.unwrap_or(NonZeroU32::MIN);
        let quota = Quota::with_period(interval).unwrap_or(Quota::per_minute(NonZeroU32::MIN));
        let limiter = RateLimiter::direct_with_clock(quota.allow_burst(capacity), time.clone());
        Bucket {
            limiter: limiter.with_middleware(),
            time: time.clone(),
            per_minute: amounts.per_minute,
            capacity,
            interval,
            full_at: Duration::ZERO,
        }
    }

    /// Takes one request out, which costs as many as the inverse of `throttle`, and at most what
    /// the bucket holds.
    ///
    /// # Errors
    ///
    /// With the time until there is enough.
    pub(super) fn take(&mut self, throttle: f32, now: Duration) -> Result<(), Duration> {
        self.take_cells(cost(throttle, self.capacity), now)
    }

    /// Puts back what one request cost that did not begin after all.
    pub(super) fn put_back(&mut self, throttle: f32, amounts: &Amounts, now: Duration) {
        let cost = cost(throttle, self.capacity).get();
        let lacking = self.lacking(now).saturating_sub(cost);
        *self = Bucket::lacking_some(amounts, &self.time, lacking, now);
    }

    /// Whether nothing lacks, so that it need not be remembered.
    pub(super) fn is_full(&self, now: Duration) -> bool {
        now >= self.full_at
    }

    /// The same state with other limits: what lacked before lacks still, as far as there is room
    /// for it.
    pub(super) fn set(&mut self, amounts: &Amounts, now: Duration) {
        *self = Bucket::lacking_some(amounts, &self.time, self.lacking(now), now);
    }

    fn lacking_some(amounts: &Amounts, time: &SharedTime, lacking: u32, now: Duration) -> Bucket {
        let mut bucket = Bucket::new(amounts, time);
        if let Some(cells) = NonZeroU32::new(lacking.min(bucket.capacity.get())) {
            // A full bucket has that many.
            let _ = bucket.take_cells(cells, now);
        }
        bucket
    }

    /// Cells that it lacks, rounded up.
    fn lacking(&self, now: Duration) -> u32 {
        let time = self.full_at.saturating_sub(now).as_nanos();
        let cells = time.div_ceil(self.interval.as_nanos().max(1));
        u32::try_from(cells).unwrap_or(u32::MAX)
    }

    fn take_cells(&mut self, cells: NonZeroU32, now: Duration) -> Result<(), Duration> {
        match self.limiter.check_n(cells) {
            Ok(Ok(state)) => {
                let left = state.remaining_burst_capacity();
                let lacking = self.capacity.get().saturating_sub(left);
                self.full_at = now.saturating_add(self.interval.saturating_mul(lacking));
                Ok(())
            }
            Ok(Err(until)) => Err(until.wait_time_from(self.time.now())),
            // A cost is never more than the bucket holds.
            Err(_) => Err(self.interval.saturating_mul(cells.get())),
        }
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Bucket({} a minute)", self.per_minute)
    }
}

/// What one request costs, in cells. What is no share of anything costs all.
fn cost(throttle: f32, capacity: NonZeroU32) -> NonZeroU32 {
    let cells = match throttle {
        share if share >= 1.0 => CELLS,
        // A float that is too large becomes the largest number.
        share if share > 0.0 => (CELLS as f32 / share).ceil() as u32,
        _ => u32::MAX,
    };
    NonZeroU32::new(cells).map_or(capacity, |cells| cells.min(capacity))
}
