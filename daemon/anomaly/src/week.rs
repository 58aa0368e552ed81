//! The hours of the week.

use std::time::Duration;

/// Hours of a week.
const WEEK: u64 = 7 * 24;

/// How far into the week 1970 began, which it did with a Thursday.
const THURSDAY: u64 = 3 * 24;

/// The hour of the week, from 0 to 167, at so long after 1970: counted from a Monday's midnight,
/// in UTC, so that what is usual at an hour is usual at it wherever the device stands. Whoever
/// tells a [`Watch`](crate::Watch) the hour takes it from here.
///
/// ```
/// use std::time::Duration;
///
/// // 2024-01-01 was a Monday.
/// let monday = Duration::from_secs(1_704_067_200);
/// assert_eq!(earnest_anomaly::hour_of_the_week(monday), 0);
/// ```
pub fn hour_of_the_week(wall: Duration) -> u8 {
    let hour = (wall.as_secs() / 3600 + THURSDAY) % WEEK;
    u8::try_from(hour).expect("a week has 168 hours")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_begins_on_mondays_and_comes_again_after_168_hours() {
        let check = |seconds: u64, expected| {
            assert_eq!(hour_of_the_week(Duration::from_secs(seconds)), expected);
        };
        let monday = 1_704_067_200;
        check(monday, 0);
        check(monday + 3600 * 25, 25);
        check(monday + 3600 * 168, 0);
        check(monday - 1, 167);
        check(0, 72);
        check(u64::MAX, hour_of_the_week(Duration::MAX));
    }
}
