//! What is known of the guard.

use earnest_wire::{Faults, Identity};

use crate::GuardState;

/// What is known of the guard, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GuardReport {
    /// How it is.
    pub state: GuardState,
    /// Which one it is, once it has proved that.
    pub identity: Option<Identity>,
    /// How often it has started.
    pub boots: u32,
    /// Whether its light is on, as it says.
    pub light: bool,
    /// What went wrong at its side.
    pub faults: Faults,
    /// What went wrong at this side.
    pub line: LineCounts,
    /// Sessions since the daemon started.
    pub sessions: u64,
    /// How often it cut the microphone since the daemon started, as this host was not heard of.
    pub trips: u64,
}

impl GuardReport {
    /// Nothing is known but how it is.
    pub fn of(state: GuardState) -> GuardReport {
        GuardReport {
            state,
            identity: None,
            boots: 0,
            light: false,
            faults: Faults::default(),
            line: LineCounts::default(),
            sessions: 0,
            trips: 0,
        }
    }
}

/// What came over the line and was not believed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// Bytes that are no frame, or frames without a message that has its place there.
    pub noise: u64,
    /// Frames and proofs that were not made with the key, or by another guard.
    pub forged: u64,
    /// Frames that had been taken, or that a later one overtook.
    pub replayed: u64,
    /// Frames that never arrived.
    pub lost: u64,
}
