//! The one line below the finished ones: a level meter and what is being said, laid out for a
//! terminal of any width.
//!
//! Terminals disagree about the width of some characters, so the line keeps clear of the last
//! column, and the meter is of characters that all agree about.

use earnest_printable::is_printable;
use unicode_width::UnicodeWidthChar as _;

/// Cells of the meter.
const CELLS: usize = 8;

/// What an empty meter stands for, in decibels below full scale. A quiet room has about as much.
const FLOOR_DB: f32 = -60.0;

/// The meter, its marks and the space behind it.
const METER: usize = CELLS + 3;

/// Fewer columns than this have no room for a meter and a word.
const METER_FROM: usize = METER + 20;

/// What stands for what is left out.
const LEFT_OUT: &str = "...";

/// What is shown.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Strip {
    /// How loud it is; no meter is shown where nothing is heard.
    pub(super) decibels: Option<f32>,
    /// What follows the meter.
    pub(super) spans: Vec<Span>,
}

/// A piece of text.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) style: Style,
    pub(super) text: String,
}

/// How a piece of text looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Bright,
    Dim,
}

/// A line for a terminal, and the columns that it takes there.
#[derive(Clone, PartialEq, Eq, Default)]
pub(super) struct Drawn {
    pub(super) text: String,
    pub(super) columns: usize,
}

impl Span {
    pub(super) fn new(style: Style, text: &str) -> Span {
        let text = text.to_owned();
        Span { style, text }
    }
}

/// Without what was said.
impl std::fmt::Debug for Span {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Span({:?})", self.style)
    }
}

/// Without what was said.
impl std::fmt::Debug for Drawn {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Drawn({} columns)", self.columns)
    }
}

impl Style {
    /// What switches it on (ECMA-48, section 8.3.117).
    const fn begins(self) -> &'static str {
        match self {
            Style::Plain => "",
            Style::Bright => "\u{1b}[1m",
            Style::Dim => "\u{1b}[2m",
        }
    }

    /// What switches everything off again.
    const fn ends(self) -> &'static str {
        match self {
            Style::Plain => "",
            Style::Bright | Style::Dim => "\u{1b}[0m",
        }
    }
}

impl Strip {
    /// The line for a terminal of `width` columns. Where not all of it fits, the end is shown:
    /// that is what is being said.
    pub(super) fn draw(&self, width: usize) -> Drawn {
        // A character in the last column makes some terminals go on to the next line.
        let room = width.saturating_sub(1);
        let mut drawn = Drawn::default();
        if let Some(decibels) = self.decibels.filter(|_| room >= METER_FROM) {
            drawn.text.push_str(&meter(decibels));
            drawn.columns += METER;
        }
        let shown = tail(&self.spans, room - drawn.columns);
        for (style, text, columns) in shown {
            drawn.text.push_str(style.begins());
            drawn.text.push_str(&text);
            drawn.text.push_str(style.ends());
            drawn.columns += columns;
        }
        drawn
    }
}

/// The meter and the space behind it.
fn meter(decibels: f32) -> String {
    let share = (1.0 - decibels / FLOOR_DB).clamp(0.0, 1.0);
    // Casting takes what is no number for zero.
    let full = (share * CELLS as f32).round() as usize;
    format!("[{:<CELLS$}] ", "|".repeat(full.min(CELLS)))
}

/// As much of the spans' end as fits into `room` columns, with the columns of each piece.
fn tail(spans: &[Span], room: usize) -> Vec<(Style, String, usize)> {
    let characters: Vec<(Style, char, usize)> = spans
        .iter()
        .flat_map(|span| span.text.chars().map(|one| (span.style, shown(one))))
        .map(|(style, one)| (style, one, columns(one)))
        .collect();
    let all: usize = characters.iter().map(|(_, _, columns)| columns).sum();
    let mut pieces: Vec<(Style, String, usize)> = Vec::new();
    let mut first = 0;
    if all > room {
        let mark = LEFT_OUT.len().min(room);
        pieces.push((Style::Plain, LEFT_OUT[..mark].to_owned(), mark));
        let mut left = all;
        while left > room - mark {
            left -= characters[first].2;
            first += 1;
        }
        // What combines with a character that is left out goes with it.
        while first < characters.len() && characters[first].2 == 0 {
            first += 1;
        }
    }
    for &(style, one, columns) in &characters[first..] {
        match pieces.last_mut() {
            Some((last, text, sum)) if *last == style => {
                text.push(one);
                *sum += columns;
            }
            _ => pieces.push((style, one.to_string(), columns)),
        }
    }
    pieces
}

/// The columns that a character takes.
fn columns(one: char) -> usize {
    match one {
        // It makes a picture of two columns of some characters of one.
        '\u{fe0f}' => 1,
        one => one.width().unwrap_or(0),
    }
}

/// The character as it may stand in a terminal.
fn shown(one: char) -> char {
    match is_printable(one) {
        true => one,
        false => char::REPLACEMENT_CHARACTER,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr as _;

    use super::*;

    fn strip(decibels: Option<f32>, text: &str) -> Strip {
        let spans = vec![Span::new(Style::Plain, text)];
        Strip { decibels, spans }
    }

    /// The text without what switches styles.
    fn plain(drawn: &str) -> String {
        let mut drawn = drawn.to_owned();
        for style in [Style::Bright, Style::Dim] {
            drawn = drawn.replace(style.begins(), "").replace(style.ends(), "");
        }
        drawn
    }

    #[test]
    fn the_meter_goes_from_a_quiet_room_to_the_loudest() {
        let check = |decibels: f32, expected: &str| {
            assert_eq!(strip(Some(decibels), "x").draw(80).text, expected);
        };
        check(-96.0, "[        ] x");
        check(-60.0, "[        ] x");
        check(-30.0, "[||||    ] x");
        check(0.0, "[||||||||] x");
        check(12.0, "[||||||||] x");
        check(f32::NAN, "[        ] x");
    }

    #[test]
    fn what_stays_is_bright_and_what_may_change_is_dim() {
        let spans = vec![
            Span::new(Style::Bright, "hello"),
            Span::new(Style::Dim, " world"),
        ];
        let drawn = Strip {
            decibels: None,
            spans,
        }
        .draw(80);
        assert_eq!(
            drawn.text,
            "\u{1b}[1mhello\u{1b}[0m\u{1b}[2m world\u{1b}[0m"
        );
        assert_eq!(drawn.columns, 11);
    }

    #[test]
    fn the_end_is_shown_where_not_all_fits() {
        let check = |text: &str, width: usize, expected: &str| {
            assert_eq!(strip(None, text).draw(width).text, expected);
        };
        check("0123456789", 11, "0123456789");
        check("0123456789", 10, "...456789");
        check("0123456789", 4, "...");
        check("0123456789", 2, ".");
        check("0123456789", 0, "");
        // Characters of two columns are not cut in half.
        check("漢字漢字漢字", 10, "...字漢字");
        check("漢字漢字漢字", 9, "...漢字");
        // What combines goes with its character.
        check("abcdee\u{301}fghi", 9, "...e\u{301}fghi");
        check("abcdee\u{301}fghi", 8, "...fghi");
    }

    #[test]
    fn a_narrow_terminal_has_words_and_no_meter() {
        assert!(
            strip(Some(-3.0), "word")
                .draw(METER_FROM + 1)
                .text
                .starts_with('[')
        );
        assert_eq!(strip(Some(-3.0), "word").draw(METER_FROM).text, "word");
    }

    #[test]
    fn what_was_said_is_not_shown_by_mistake() {
        let strip = strip(None, "secret");
        assert!(!format!("{strip:?} {:?}", strip.draw(80)).contains("secret"));
    }

    proptest! {
        #[test]
        fn no_text_reaches_the_last_column_or_moves_the_cursor(
            stable in ".{0,60}",
            tentative in ".{0,60}",
            decibels in proptest::option::of(proptest::num::f32::ANY),
            width in 0..120_usize,
        ) {
            let spans = vec![
                Span::new(Style::Bright, &stable),
                Span::new(Style::Dim, &tentative),
            ];
            let drawn = Strip { decibels, spans }.draw(width);
            prop_assert!(drawn.columns <= width.saturating_sub(1));
            let plain = plain(&drawn.text);
            prop_assert!(plain.chars().all(is_printable), "{plain:?}");
            prop_assert!(plain.width() <= drawn.columns, "{plain:?}");
        }
    }
}
