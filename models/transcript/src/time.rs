//! Times as formats write them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Samples a millisecond of the 16 kHz sound that times are counted in.
const SAMPLES_PER_MILLISECOND: u64 = 16;

/// A time from the start of a file, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub struct Milliseconds(pub u64);

impl Milliseconds {
    /// The time of a sample, rounded down: a millisecond is 16 samples.
    pub fn of_sample(sample: u64) -> Milliseconds {
        Milliseconds(sample / SAMPLES_PER_MILLISECOND)
    }

    /// In seconds, with three decimals at most.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// `HH:MM:SS` and the milliseconds after `mark`: a comma in SubRip, a full stop in WebVTT.
    /// Hours have as many digits as they need.
    pub fn clock(self, mark: char) -> Clock {
        Clock { time: self, mark }
    }
}

/// Writes a time as a clock does.
pub struct Clock {
    time: Milliseconds,
    mark: char,
}

impl fmt::Display for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.time.0;
        let (hours, minutes) = (milliseconds / 3_600_000, milliseconds / 60_000 % 60);
        let (seconds, rest) = (milliseconds / 1000 % 60, milliseconds % 1000);
        let mark = self.mark;
        write!(
            formatter,
            "{hours:02}:{minutes:02}:{seconds:02}{mark}{rest:03}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_carry_over_and_do_not_wrap_at_a_day() {
        let check = |milliseconds, expected: &str| {
            assert_eq!(Milliseconds(milliseconds).clock(',').to_string(), expected);
        };
        check(0, "00:00:00,000");
        check(61_007, "00:01:01,007");
        check(3_599_999, "00:59:59,999");
        check(100 * 3_600_000, "100:00:00,000");
    }

    #[test]
    fn samples_become_milliseconds() {
        assert_eq!(Milliseconds::of_sample(16_000), Milliseconds(1000));
        assert_eq!(Milliseconds::of_sample(15), Milliseconds(0));
        assert_eq!(Milliseconds(1_234).seconds(), 1.234);
    }
}
