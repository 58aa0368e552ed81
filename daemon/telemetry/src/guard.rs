//! The words for the guard beside the microphone.

use crate::words::words;

words! {
    /// How the guard beside the microphone is. What passes by itself within a moment has no word.
    pub enum GuardState {
        /// Nobody answers where it should be.
        Absent = "absent",
        /// Who answers is not this device's.
        Unpaired = "unpaired",
        /// It has proved that it is this device's, and nobody wants sound.
        Idle = "idle",
        /// Its switch is at mute.
        Muted = "muted",
        /// It lets sound flow.
        Live = "live",
        /// It cut the microphone, as the daemon was not heard of in time.
        Watchdog = "watchdog",
        /// The microphone's supply is not as it has it.
        Contradiction = "contradiction",
        /// Its memory does not keep what is written.
        Memory = "memory",
    }
}

impl GuardState {
    /// Whether something is wrong with it.
    pub const fn is_wrong(self) -> bool {
        matches!(
            self,
            GuardState::Absent
                | GuardState::Unpaired
                | GuardState::Watchdog
                | GuardState::Contradiction
                | GuardState::Memory
        )
    }
}
