//! What may be set.

use embassy_time::Duration;

/// Times and rates of a guard. They are compiled in: no message changes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long the host may be silent before the microphone is cut.
    pub watchdog: Duration,
    /// How long the switch has to stay open before it counts as open. Muting counts at once.
    pub debounce: Duration,
    /// How long the rail may differ from what is commanded: what it takes to charge and discharge.
    pub rail_settles: Duration,
    /// Announcements that may come at once.
    pub announcements: u8,
    /// How long it takes until one more may come.
    pub announcement_every: Duration,
    /// The shortest time between two writes of the fault counters, which wear a flash.
    pub save_every: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            // Three heartbeats, each 250 ms, may be lost.
            watchdog: Duration::from_millis(1_000),
            // Slide switches bounce for 5 to 20 ms.
            debounce: Duration::from_millis(50),
            rail_settles: Duration::from_millis(20),
            announcements: 4,
            announcement_every: Duration::from_millis(1_000),
            save_every: Duration::from_secs(60),
        }
    }
}
