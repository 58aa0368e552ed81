//! Numbers and times as people read them.

use std::fmt;
use std::time::Duration;

/// A time span in its two largest units at most: `2 d 3 h`, `45 s`.
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
        let (large, small) = match () {
            () if days > 0 => ((days, "d"), (hours % 24, "h")),
            () if hours > 0 => ((hours, "h"), (minutes % 60, "min")),
            () if minutes > 0 => ((minutes, "min"), (seconds % 60, "s")),
            () => ((seconds, "s"), (0, "")),
        };
        write!(formatter, "{} {}", large.0, large.1)?;
        match small {
            // Of ten, the small unit no longer matters.
            (1.., unit) if large.0 < 10 => write!(formatter, " {} {unit}", small.0),
            _ => Ok(()),
        }
    }
}

/// A time span in its largest unit: `3 h`.
pub(crate) struct Coarse(pub(crate) Duration);

impl fmt::Display for Coarse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match seconds {
            0..60 => write!(formatter, "{seconds} s"),
            60..3600 => write!(formatter, "{} min", seconds / 60),
            3600..172_800 => write!(formatter, "{} h", seconds / 3600),
            _ => write!(formatter, "{} d", seconds / 86_400),
        }
    }
}

/// A number with a thin space every three digits.
pub(crate) struct Grouped(pub(crate) u64);

impl fmt::Display for Grouped {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (place, digit) in digits.char_indices() {
            if place > 0 && (digits.len() - place).is_multiple_of(3) {
                formatter.write_str("\u{202f}")?;
            }
            write!(formatter, "{digit}")?;
        }
        Ok(())
    }
}

/// `1 entry`, `2 entries`: a number, and what is counted, one of it and more.
pub(crate) struct Count(pub(crate) u64, pub(crate) [&'static str; 2]);

impl fmt::Display for Count {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Count(number, [one, more]) = self;
        let what = if *number == 1 { one } else { more };
        write!(formatter, "{} {what}", Grouped(*number))
    }
}

/// A closed word's name with spaces: `rate limited`.
pub(crate) struct Spaced<'a>(pub(crate) &'a str);

impl fmt::Display for Spaced<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|character| {
            write!(
                formatter,
                "{}",
                if character == '_' { ' ' } else { character }
            )
        })
    }
}

/// A wall-clock time in UTC, to the second: `2026-11-23 07:42:30 UTC`.
pub(crate) struct Utc(pub(crate) Duration);

impl fmt::Display for Utc {
    /// Howard Hinnant's algorithm `civil_from_days`, for days since 1970 alone.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        // Years begin in March here, so that a leap day ends one.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = (month_from_march + 2) % 12 + 1;
        let year = 400 * era + year_of_era + u64::from(month <= 2);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(
            formatter,
            "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_people_tell_them() {
        let span = |seconds| Span(Duration::from_secs(seconds)).to_string();
        assert_eq!(span(0), "0 s");
        assert_eq!(span(61), "1 min 1 s");
        assert_eq!(span(11 * 60), "11 min");
        assert_eq!(span(3600), "1 h");
        assert_eq!(span(3660), "1 h 1 min");
        assert_eq!(span(86_400 + 7200), "1 d 2 h");
        assert_eq!(span(86_400 * 30), "30 d");
        let coarse = |seconds| Coarse(Duration::from_secs(seconds)).to_string();
        assert_eq!(coarse(59), "59 s");
        assert_eq!(coarse(3599), "59 min");
        assert_eq!(coarse(26 * 3600), "26 h");
        assert_eq!(coarse(u64::MAX), "213503982334601 d");
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let utc = |seconds| Utc(Duration::from_secs(seconds)).to_string();
        // As `date -u -d @SECONDS` tells them.
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(utc(951_868_799), "2000-02-29 23:59:59 UTC");
        assert_eq!(utc(951_868_800), "2000-03-01 00:00:00 UTC");
        assert_eq!(utc(1_795_419_750), "2026-11-23 07:42:30 UTC");
        assert_eq!(utc(4_107_542_400), "2100-03-01 00:00:00 UTC");
    }

    #[test]
    fn numbers_and_words_are_easy_on_the_eye() {
        assert_eq!(Grouped(1_234_567).to_string(), "1\u{202f}234\u{202f}567");
        assert_eq!(Grouped(999).to_string(), "999");
        let entries = |number| Count(number, ["entry", "entries"]).to_string();
        assert_eq!(entries(0), "0 entries");
        assert_eq!(entries(1), "1 entry");
        assert_eq!(entries(1000), "1\u{202f}000 entries");
        assert_eq!(Spaced("bad_token").to_string(), "bad token");
    }
}
