//! The mute switch, whose contacts bounce.

use earnest_wire::Switch;
use embassy_time::{Duration, Instant};

/// Muting counts at the first edge, opening only after the switch has been open for a while.
#[derive(Debug)]
pub(crate) struct Debounced {
    for_long: Duration,
    position: Position,
}

/// Where the switch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    Muted,
    /// Seen open since then.
    Settling(Instant),
    Open,
}

impl Debounced {
    /// Muted, until it was seen open.
    pub(crate) fn new(for_long: Duration) -> Self {
        Self {
            for_long,
            position: Position::Muted,
        }
    }

    /// What the pin says now.
    pub(crate) fn level(&mut self, level: Switch, now: Instant) {
        self.position = match (level, self.position) {
            (Switch::Muted, _) => Position::Muted,
            (Switch::Open, Position::Muted) => Position::Settling(now),
            (Switch::Open, position) => position,
        };
        self.settle(now);
    }

    /// Time has passed.
    pub(crate) fn settle(&mut self, now: Instant) {
        if self.settles_at().is_some_and(|at| now >= at) {
            self.position = Position::Open;
        }
    }

    /// When it will be open, if nothing moves.
    pub(crate) fn settles_at(&self) -> Option<Instant> {
        match self.position {
            Position::Settling(since) => Some(since.saturating_add(self.for_long)),
            Position::Muted | Position::Open => None,
        }
    }

    pub(crate) fn position(&self) -> Position {
        self.position
    }

    pub(crate) fn is_open(&self) -> bool {
        self.position == Position::Open
    }
}
