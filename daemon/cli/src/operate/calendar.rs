//! Times as people read them, in UTC.

use time::OffsetDateTime;

/// The day of a second since 1970: `2026-11-23`.
pub(super) fn day(seconds: u64) -> String {
    date_time(seconds).map_or_else(|| unknown(seconds), date)
}

/// A second since 1970: `2026-11-23 08:24 UTC`.
pub(super) fn minute(seconds: u64) -> String {
    match date_time(seconds) {
        Some(at) => format!("{} {:02}:{:02} UTC", date(at), at.hour(), at.minute()),
        None => unknown(seconds),
    }
}

/// A millisecond since 1970, to the second: `2026-11-23 08:24:33 UTC`.
pub(super) fn second(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match date_time(seconds) {
        Some(at) => {
            let (hour, minute, second) = at.time().as_hms();
            format!("{} {hour:02}:{minute:02}:{second:02} UTC", date(at))
        }
        None => unknown(seconds),
    }
}

/// The time of a use that is known to the hour, or that there was none.
pub(super) fn last_used(seconds: Option<u64>) -> String {
    seconds.map_or_else(|| "never".to_owned(), minute)
}

fn date(at: OffsetDateTime) -> String {
    let (year, month, day) = at.to_calendar_date();
    format!("{year:04}-{:02}-{day:02}", u8::from(month))
}

fn date_time(seconds: u64) -> Option<OffsetDateTime> {
    let seconds = i64::try_from(seconds).ok()?;
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}

/// No clock shows it.
fn unknown(seconds: u64) -> String {
    format!("{seconds} s after 1970")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_utc() {
        assert_eq!(day(1_709_210_096), "2024-02-29");
        assert_eq!(minute(0), "1970-01-01 00:00 UTC");
        assert_eq!(minute(1_709_210_096), "2024-02-29 12:34 UTC");
        assert_eq!(second(1_709_210_096_999), "2024-02-29 12:34:56 UTC");
        assert_eq!(last_used(None), "never");
    }

    #[test]
    fn a_time_beyond_the_calendar_is_no_panic() {
        assert!(minute(u64::MAX).ends_with("after 1970"));
        assert!(second(u64::MAX).ends_with("after 1970"));
    }
}
