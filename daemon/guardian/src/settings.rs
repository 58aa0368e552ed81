//! Times of the host's side.

use std::time::Duration;

/// Times of the host's side. [`Settings::default`] goes with the guard's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How often the guard is told that the host is alive. It cuts the microphone after four of
    /// them are missing.
    pub heartbeat: Duration,
    /// How long the guard may be silent before it counts as gone: as long as it lets the host be.
    pub silence: Duration,
    /// How long a guard is looked for before it counts as absent.
    pub patience: Duration,
    /// The pause between two greetings at first. It doubles up to [`Settings::rest`].
    pub greeting: Duration,
    /// The longest pause between two greetings, and between two tries to open the line.
    pub rest: Duration,
    /// The pause between two announcements that nobody answered.
    pub announcement: Duration,
    /// The pause after an announcement that was refused: the guard grants one a second.
    pub refused: Duration,
    /// How often the guard's counters are asked for.
    pub faults: Duration,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            heartbeat: Duration::from_millis(250),
            silence: Duration::from_secs(1),
            patience: Duration::from_secs(2),
            greeting: Duration::from_millis(300),
            rest: Duration::from_secs(5),
            announcement: Duration::from_millis(300),
            refused: Duration::from_millis(1_100),
            faults: Duration::from_secs(10),
        }
    }
}
