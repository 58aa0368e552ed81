//! How much is read of what was read before.
//!
//! Reading a segment costs its length, and a segment that grows is read from its beginning each
//! time. So readings are paid for in samples: each sample that comes in earns [`WAGE`] of them,
//! and a reading costs the samples that it reads. It may begin on credit and the next waits until
//! the debt is paid, so that readings become rarer as the segment grows, and the share of the
//! processor stays.
//!
//! Reading behind what was said before is dearer than reading alone, and what it is dearer is paid
//! for in the same way. Debt does not hold a final up, but for one as deep as that of short
//! utterances in a row, which are read alone then.
//!
//! **The bound.** Over any stretch of sound, the seconds that the encoder takes in for readings
//! of open segments, and for what stands before them and before finals, are at most [`WAGE`] for
//! each second of sound, and three segments more (that begun on credit at the end, the early
//! reading of a final, which may add to a debt, and its reading for the phrases). The decoder takes
//! at most 6.5 steps, in speech about 3.5, for each of those seconds. To that come the finals: each
//! sample is in one segment, which is read once more at most, or twice where the first look found
//! nothing.

use crate::MAX_SEGMENT_SAMPLES;

/// Samples that may be read again for each sample of sound.
pub(super) const WAGE: i64 = 12;

/// The debt of one segment: more is not owed but for the early reading of a final.
const SEGMENT: i64 = MAX_SEGMENT_SAMPLES as i64;

/// The account of one stream.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// Samples earned and not read, never more than nothing: silence saves nothing up.
    balance: i64,
}

impl Pace {
    /// So much sound came in.
    pub(super) fn earn(&mut self, samples: usize) {
        let earned = i64::try_from(samples).unwrap_or(i64::MAX);
        let balance = self.balance.saturating_add(earned.saturating_mul(WAGE));
        self.balance = balance.min(0);
    }

    /// So much was read.
    pub(super) fn spend(&mut self, samples: usize) {
        self.balance -= i64::try_from(samples).unwrap_or(i64::MAX).min(SEGMENT);
    }

    /// Whether the segment under way may be read.
    pub(super) fn allows_reading(&self) -> bool {
        self.balance >= 0
    }

    /// Whether what seems to be the whole of a segment may be read before it is known to be, and
    /// behind what was said before: in debt, too, but not on top of two readings.
    pub(super) fn allows_final(&self) -> bool {
        self.balance >= -SEGMENT
    }
}
