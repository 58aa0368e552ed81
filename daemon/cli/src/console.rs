//! What goes to standard error: warnings, errors, and a progress bar on a terminal.
//!
//! Names of files and words of decoders are strangers' text: nothing is shown of them that
//! could move a terminal's cursor. A standard error that is closed is no reason to stop, so
//! failures to write to it are passed over.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use earnest_printable::printable;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Steps of the bar; a terminal shows fewer.
const STEPS: u64 = 1000;

/// How often the bar is drawn at most, in times a second. A person reads no faster.
const DRAWS_PER_SECOND: u8 = 4;

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

    /// One without a bar, for what shows no progress: a bar would be drawn below every message.
    pub(crate) fn without_bar() -> Console {
        Console { bar: None }
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
