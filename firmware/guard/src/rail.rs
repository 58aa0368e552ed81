//! The microphone's rail, as sensed behind both switches.

use embassy_time::{Duration, Instant};

/// Compares what is sensed with what is commanded. A rail takes a moment to charge and discharge;
/// what differs for longer is a contradiction: a broken part, or somebody's wire.
#[derive(Debug)]
pub(crate) struct Rail {
    settles: Duration,
    sensed: bool,
    /// Since when it has differed.
    differs: Option<Instant>,
    contradicts: bool,
}

impl Rail {
    pub(crate) fn new(settles: Duration) -> Self {
        Self {
            settles,
            sensed: false,
            differs: None,
            contradicts: false,
        }
    }

    pub(crate) fn sense(&mut self, sensed: bool) {
        self.sensed = sensed;
    }

    pub(crate) fn sensed(&self) -> bool {
        self.sensed
    }

    /// Whether a contradiction has just begun.
    pub(crate) fn compare(&mut self, commanded: bool, now: Instant) -> bool {
        if self.sensed == commanded {
            self.differs = None;
            self.contradicts = false;
            return false;
        }
        let since = *self.differs.get_or_insert(now);
        let contradicted = self.contradicts;
        self.contradicts |= now >= since.saturating_add(self.settles);
        self.contradicts && !contradicted
    }

    pub(crate) fn contradicts(&self) -> bool {
        self.contradicts
    }

    /// When a difference becomes a contradiction, if nothing changes.
    pub(crate) fn settles_at(&self) -> Option<Instant> {
        let since = self.differs.filter(|_| !self.contradicts)?;
        Some(since.saturating_add(self.settles))
    }
}
