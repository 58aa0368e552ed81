//! What goes to standard error: warnings, errors, and a progress bar on a terminal.
//!
//! Names of files and words of decoders are strangers' text: nothing is shown of them that
//! could move a terminal's cursor. A standard error that is closed is no reason to stop, so
//! failures to write to it are passed over.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Steps of the bar; a terminal shows fewer.
const STEPS: u64 = 1000;

/// How often the bar is drawn at most, in times a second. A person reads no faster.
const DRAWS_PER_SECOND: u8 = 4;

/// Whether `character` shows a mark or a space and does nothing else.
pub(crate) fn is_printable(character: char) -> bool {
    let invisible = matches!(
        character,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    );
    !character.is_control() && !invisible
}

/// `text` with what is not printable replaced.
pub(crate) fn printable(text: &str) -> String {
    let shown = |character| match is_printable(character) {
        true => character,
        false => char::REPLACEMENT_CHARACTER,
    };
    text.chars().map(shown).collect()
}

/// An error and its causes, on one line of printable text.
pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        // Some errors already say their cause.
        if !message.contains(&reason) {
            message.push_str(": ");
            message.push_str(&reason);
        }
        cause = error.source();
    }
    printable(&message)
}

/// Standard error.
pub(crate) struct Console {
    bar: Option<ProgressBar>,
}

impl Console {
    /// Shows a bar only where a person looks. With `unfinished_lines` the transcript is
    /// written word by word: on a terminal it is a progress to look at itself, and a bar
    /// would be drawn over it.
    pub(crate) fn new(unfinished_lines: bool) -> Console {
        let overdrawn = unfinished_lines && std::io::stdout().is_terminal();
        let shown = std::io::stderr().is_terminal() && !overdrawn;
        let bar = shown.then(|| {
            let target = ProgressDrawTarget::stderr_with_hz(DRAWS_PER_SECOND);
            let bar = ProgressBar::with_draw_target(Some(STEPS), target);
            if let Ok(style) = ProgressStyle::with_template("{wide_bar} {percent:>3} % {eta:>4}") {
                bar.set_style(style);
            }
            bar
        });
        Console { bar }
    }

    /// Says `message`, which may be of any text, on a line.
    pub(crate) fn say(&self, message: &str) {
        self.aside(|| {
            let _ = writeln!(std::io::stderr(), "{}", printable(message));
        });
    }

    /// Begins the bar of a file.
    pub(crate) fn begin(&self) {
        if let Some(bar) = &self.bar {
            bar.reset();
            bar.enable_steady_tick(Duration::from_millis(500));
        }
    }

    /// Shows that `share` of the file, 0 to 1, has been read.
    pub(crate) fn progress(&self, share: Option<f64>) {
        if let (Some(bar), Some(share)) = (&self.bar, share) {
            bar.set_position((share.clamp(0.0, 1.0) * STEPS as f64) as u64);
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.disable_steady_tick();
            bar.finish_and_clear();
        }
    }

    /// Runs what writes to the same terminal, with the bar out of the way.
    pub(crate) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_moves_a_cursor_is_shown() {
        assert_eq!(
            printable("a\u{1b}[2J\r\n\u{9b}é\u{202e}"),
            "a\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}é\u{fffd}"
        );
    }

    #[test]
    fn causes_are_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::io::Error);
        let error = Outer(std::io::Error::other("inner"));
        assert_eq!(describe(&error), "outer: inner");
    }
}
