//! How the guard is, and why.

use std::fmt;

/// How the guard is, as far as this host knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GuardState {
    /// Nobody answers: there is no line, or silence on it.
    Absent,
    /// Somebody answers who does not know this device's key, or there is no key yet.
    Unpaired,
    /// The line is there, and the two are finding out who they are.
    Connecting,
    /// The switch is at mute.
    Muted,
    /// The switch is open, and the microphone has no power.
    Cut(Cut),
    /// The microphone has power, the light is on, and this host announced it.
    Live,
}

impl GuardState {
    /// Its name in answers and logs.
    pub const fn name(self) -> &'static str {
        match self {
            GuardState::Absent => "absent",
            GuardState::Unpaired => "unpaired",
            GuardState::Connecting => "connecting",
            GuardState::Muted => "muted",
            GuardState::Cut(Cut::Idle) => "idle",
            GuardState::Cut(_) => "cut",
            GuardState::Live => "live",
        }
    }

    /// Why the microphone has no power, where the switch is not all there is to say.
    pub const fn why(self) -> Option<&'static str> {
        match self {
            GuardState::Cut(cut) => Some(cut.name()),
            _ => None,
        }
    }

    /// Whether sound may be taken.
    pub const fn is_live(self) -> bool {
        matches!(self, GuardState::Live)
    }

    /// Whether the guard is there and knows this host.
    pub const fn is_there(self) -> bool {
        matches!(
            self,
            GuardState::Muted | GuardState::Cut(_) | GuardState::Live
        )
    }
}

impl fmt::Display for GuardState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why() {
            Some(why) if *self != GuardState::Cut(Cut::Idle) => {
                write!(formatter, "{} ({why})", self.name())
            }
            _ => formatter.write_str(self.name()),
        }
    }
}

/// Why the microphone has no power though the switch is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cut {
    /// Nobody wants sound.
    Idle,
    /// Sound is wanted, and the guard was told or is about to be.
    Announcing,
    /// The guard missed heartbeats, and cut it.
    Watchdog,
    /// The rail is not as the guard commanded it: a fault of the hardware, or somebody's hand in
    /// it. No sound is taken from such a microphone.
    Contradiction,
    /// The guard's memory does not keep what is written.
    Memory,
    /// The guard took no more announcements for now.
    Refused,
}

impl Cut {
    /// Its name in answers and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Cut::Idle => "idle",
            Cut::Announcing => "announcing",
            Cut::Watchdog => "watchdog",
            Cut::Contradiction => "contradiction",
            Cut::Memory => "memory",
            Cut::Refused => "refused",
        }
    }
}
