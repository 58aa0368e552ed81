//! How much of something may come.

use super::Misbehaviour;

/// What came of something, held to what the sound allows that was sent.
#[derive(Debug, Clone)]
pub(super) struct Count {
    what: &'static str,
    free: u64,
    each_second: u64,
    /// Milliseconds of sound whose worth is kept for later. None where all of it is.
    kept: Option<u64>,
    used: u64,
}

impl Count {
    /// So many for nothing, and so many for each second of the sound: at any time until the job
    /// ends, as a file is read in bursts.
    pub(super) fn of_file(what: &'static str, free: u64, each_second: u64) -> Count {
        Count {
            what,
            free,
            each_second,
            kept: None,
            used: 0,
        }
    }

    /// As for a file, but what `kept` milliseconds of sound allow and were not used for is
    /// allowed no more: hours of silence do not pay for a flood.
    pub(super) fn of_stream(what: &'static str, free: u64, each_second: u64, kept: u64) -> Count {
        Count {
            kept: Some(kept),
            ..Count::of_file(what, free, each_second)
        }
    }

    /// Takes `count` of them, after so many milliseconds of sound.
    pub(super) fn take(&mut self, count: u64, sent: u64) -> Result<(), Misbehaviour> {
        // The worth of some sound must not be rounded down to whole seconds, or the first second
        // of a stream would hold nothing.
        let worth = |sound: u64| sound.saturating_mul(self.each_second) / 1_000;
        let most = self.free.saturating_add(worth(sent));
        let lapsed = self.kept.map_or(0, |kept| worth(sent.saturating_sub(kept)));
        self.used = self.used.max(lapsed).saturating_add(count);
        let (what, found) = (self.what, self.used);
        match found <= most {
            true => Ok(()),
            false => Err(Misbehaviour::Flood { what, most, found }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many may be taken at this moment.
    fn left(count: &Count, sent: u64) -> u64 {
        let mut count = count.clone();
        (0..).take_while(|_| count.take(1, sent).is_ok()).count() as u64
    }

    #[test]
    fn a_file_saves_up_and_a_stream_does_not() {
        let file = Count::of_file("answers", 5, 2);
        assert_eq!(left(&file, 0), 5);
        assert_eq!(left(&file, 1_500), 8);
        assert_eq!(left(&file, 3_600_000), 7_205);

        let mut stream = Count::of_stream("answers", 5, 2, 10_000);
        assert_eq!(left(&stream, 0), 5);
        assert_eq!(left(&stream, 10_000), 25);
        assert_eq!(left(&stream, 3_600_000), 25);
        assert_eq!(stream.take(25, 3_600_000), Ok(()));
        assert_eq!(left(&stream, 3_600_000), 0);
        assert_eq!(left(&stream, 3_601_000), 2);
    }

    #[test]
    fn no_number_overflows() {
        let mut count = Count::of_stream("answers", u64::MAX, u64::MAX, u64::MAX);
        assert_eq!(count.take(u64::MAX, u64::MAX), Ok(()));
        assert_eq!(count.take(u64::MAX, u64::MAX), Ok(()));
        let mut count = Count::of_stream("answers", 0, u64::MAX, 0);
        assert!(count.take(u64::MAX, 0).is_err());
    }
}
