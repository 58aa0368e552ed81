//! What a terminal is sent so that finished lines scroll up and one line stays below them.
//!
//! Each change is one piece of text that erases and draws, so that a terminal shows nothing in
//! between. The cursor waits at the end of the line that stays.

use super::strip::{Drawn, Strip};

/// Erases from the cursor to the end of the screen (ECMA-48, section 8.3.39).
const ERASE_BELOW: &str = "\u{1b}[J";

/// The line that stays, as it was drawn last.
#[derive(Debug, Default)]
pub(super) struct Screen {
    shown: Drawn,
}

impl Screen {
    /// Draws the line that stays; nothing where it stands already.
    pub(super) fn draw(&mut self, strip: &Strip, width: usize) -> String {
        let drawn = strip.draw(width);
        if drawn == self.shown {
            return String::new();
        }
        let said = format!("{}{}", self.erase(width), drawn.text);
        self.shown = drawn;
        said
    }

    /// Puts whole lines above the line that stays.
    pub(super) fn lines(&mut self, lines: &str, strip: &Strip, width: usize) -> String {
        let erased = self.clear(width);
        format!("{erased}{lines}{}", self.draw(strip, width))
    }

    /// Takes the line that stays away.
    pub(super) fn clear(&mut self, width: usize) -> String {
        let said = match self.shown.columns {
            0 => String::new(),
            _ => self.erase(width),
        };
        self.shown = Drawn::default();
        said
    }

    /// Goes to where the line began, and erases it. A terminal that has become narrower has
    /// broken it into several.
    fn erase(&self, width: usize) -> String {
        let above = self.shown.columns.saturating_sub(1) / width.max(1);
        let up = match above {
            0 => String::new(),
            rows => format!("\u{1b}[{rows}A"),
        };
        format!("{up}\r{ERASE_BELOW}")
    }
}

#[cfg(test)]
mod tests {
    use super::super::strip::{Span, Style};
    use super::*;

    fn strip(text: &str) -> Strip {
        Strip {
            decibels: None,
            spans: vec![Span::new(Style::Plain, text)],
        }
    }

    #[test]
    fn what_stands_is_not_drawn_again() {
        let mut screen = Screen::default();
        assert_eq!(screen.draw(&strip("abc"), 80), "\r\u{1b}[Jabc");
        assert_eq!(screen.draw(&strip("abc"), 80), "");
        assert_eq!(screen.draw(&strip("abd"), 80), "\r\u{1b}[Jabd");
    }

    #[test]
    fn finished_lines_stand_above() {
        let mut screen = Screen::default();
        screen.draw(&strip("abc"), 80);
        assert_eq!(
            screen.lines("said\n", &strip("quiet"), 80),
            "\r\u{1b}[Jsaid\n\r\u{1b}[Jquiet"
        );
        assert_eq!(screen.clear(80), "\r\u{1b}[J");
        assert_eq!(screen.clear(80), "");
    }

    #[test]
    fn a_line_that_was_broken_is_erased_whole() {
        let mut screen = Screen::default();
        screen.draw(&strip("0123456789"), 80);
        // Ten columns are three rows of four.
        assert_eq!(screen.clear(4), "\u{1b}[2A\r\u{1b}[J");
        screen.draw(&strip("0123456789"), 80);
        assert_eq!(screen.clear(0), "\u{1b}[9A\r\u{1b}[J");
    }
}
