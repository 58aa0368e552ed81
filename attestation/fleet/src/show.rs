//! Text for people: errors with their causes, tables, times. Names and messages are strangers'
//! text: nothing is shown of them that could move a terminal's cursor.

use std::fmt::Write as _;

pub(crate) use earnest_printable::{describe, printable};

/// Rows of cells as columns of equal width, two spaces between; the last is as long as it is.
/// Each line ends, none with a space.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a string does not fail.
            let _ = write!(line, "{:<width$}  ", printable(cell));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Seconds since 1970 as a date and time of day (RFC 3339), in UTC.
pub(crate) fn time(seconds: i64) -> String {
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days since the first of March of the year 0, in eras of 400 years: the leap day is then
    // the last day of a year, and every length below is a constant.
    let days = days.saturating_add(719_468);
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (month, later) = match month {
        0..=9 => (month + 3, 0),
        _ => (month - 9, 1),
    };
    let year = era * 400 + year_of_era + later;
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect();
        let rows = [
            row(&["a", "bb", "c"]),
            row(&["aaa", "", "ccc"]),
            row(&["a"]),
        ];
        assert_eq!(table(&rows), "a    bb  c\naaa      ccc\na\n");
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(time(0), "1970-01-01T00:00:00Z");
        assert_eq!(time(1_795_396_420), "2026-11-23T01:13:40Z");
        assert_eq!(time(951_868_799), "2000-02-29T23:59:59Z");
        assert_eq!(time(-1), "1969-12-31T23:59:59Z");
        assert_eq!(time(253_402_300_799), "9999-12-31T23:59:59Z");
    }
}
