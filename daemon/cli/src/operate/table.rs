//! Rows in columns, of strangers' words.

use earnest_printable::printable;

/// Rows below their heads, each column as wide as its widest cell. Nothing where there is no row.
pub(super) fn table<const COLUMNS: usize>(
    heads: [&str; COLUMNS],
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
) -> String {
    let heads = heads.map(str::to_owned);
    let shown = |row: [String; COLUMNS]| row.map(|cell| printable(&cell));
    let rows: Vec<_> = std::iter::once(heads).chain(rows).map(shown).collect();
    if rows.len() == 1 {
        return String::new();
    }
    let mut widths = [0; COLUMNS];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    rows.iter().map(|row| line(row, &widths)).collect()
}

fn line(row: &[String], widths: &[usize]) -> String {
    let padded = row.iter().zip(widths);
    let padded = padded.map(|(cell, &width)| format!("{cell:<width$}"));
    let line = padded.collect::<Vec<_>>().join("  ");
    format!("{}\n", line.trim_end())
}

/// Names and values below each other.
pub(super) fn list<'a>(lines: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let lines = lines.into_iter();
    lines
        .map(|(name, value)| format!("{name:<13} {}\n", printable(&value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["notes", "1"], ["a", "1000"]].map(|row| row.map(str::to_owned));
        let said = table(["name", "uid"], rows);
        assert_eq!(said, "name   uid\nnotes  1\na      1000\n");
        assert_eq!(table(["name"], []), "");
    }

    #[test]
    fn no_cell_moves_a_terminal() {
        let said = table(["name"], [["a\u{1b}[2J\nb".to_owned()]]);
        assert_eq!(said, "name\na\u{fffd}[2J\u{fffd}b\n");
        assert_eq!(
            list([("x", "\u{9b}".to_owned())]),
            "x             \u{fffd}\n"
        );
    }
}
