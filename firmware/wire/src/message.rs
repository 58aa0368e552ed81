//! What guard and host say to each other.

use serde::{Deserialize, Serialize};

use crate::key::{Identity, Nonce, PairingKey, Proof};

/// What the host says to the guard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToGuard {
    /// Opens a handshake. Sent openly.
    Hello {
        /// The host's own, never used before.
        nonce: Nonce,
    },
    /// Ends a handshake: the host knows the key, too. Sent openly.
    Confirm {
        /// Over both nonces, see [`crate::key`].
        proof: Proof,
    },
    /// Gives a guard in factory state its key. Sent openly, so a tapped line knows it: pairing is
    /// done where nobody taps.
    Pair {
        /// The key that guard and host share from now on.
        key: PairingKey,
    },
    /// The host is alive. Answered by a [`State`].
    Heartbeat,
    /// The host is about to take sound, or has stopped.
    Announce {
        /// Whether sound will be taken.
        live: bool,
    },
    /// Asks for a [`State`] and for the [`Faults`].
    Ask,
}

/// What the guard says to the host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToHost {
    /// Answers a `Hello`. Sent openly.
    Welcome(Welcome),
    /// Answers a `Pair` that was taken. Sent openly.
    Paired(Paired),
    /// How things stand, at every change and with each heartbeat.
    State(State),
    /// The watchdog cut the microphone.
    Trip(Trip),
    /// What went wrong so far.
    Faults(Faults),
    /// Something was not done. Sent in the session where there is one, else openly, and then it
    /// proves nothing.
    Refused(Reason),
}

/// The guard's part of a handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Which guard this is.
    pub identity: Identity,
    /// The guard's own nonce, never used before.
    pub nonce: Nonce,
    /// How often this guard has started since it left the factory.
    pub boots: u32,
    /// Over both nonces, the identity and the starts.
    pub proof: Proof,
}

/// The key is kept, and will be until the guard's memory is erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paired {
    /// Which guard took it: the host keeps this beside the key.
    pub identity: Identity,
    /// The guard has the key that was sent.
    pub proof: Proof,
}

/// The mute switch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Switch {
    /// A person lets the microphone have power.
    Open,
    /// A person has cut the microphone's rail.
    Muted,
}

/// How things stand at the guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The mute switch. It is open only after it has been so for a while, and muted at once.
    pub switch: Switch,
    /// Whether the microphone's rail carries power, as sensed behind the switch.
    pub power: bool,
    /// Whether the light is on. It hangs on that same rail.
    pub light: bool,
    /// Whether the host's announcement stands.
    pub announced: bool,
    /// Why the guard gives power, or does not.
    pub why: Why,
    /// The rail is not what the guard commands: a broken part, or somebody's wire.
    pub contradiction: bool,
}

impl State {
    /// Whether sound may flow and is meant to: what a host needs before it says "listening".
    pub fn is_live(&self) -> bool {
        self.why == Why::Live
            && self.switch == Switch::Open
            && self.power
            && self.light
            && self.announced
            && !self.contradiction
    }
}

/// Why the guard gives the microphone power, or the first reason why it does not, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Why {
    /// The switch is at mute.
    Muted,
    /// The switch was opened a moment ago and has to stay open first.
    Settling,
    /// The guard's memory does not keep what is written, so nonces might come twice.
    Memory,
    /// The guard has no key.
    NoKey,
    /// No host has proved that it has the key since the guard started.
    NoSession,
    /// The host has not been heard lately.
    NoHeartbeat,
    /// The host has not announced that it takes sound.
    NotAnnounced,
    /// Power: the host is alive, has announced, and the switch is open.
    Live,
}

/// The watchdog cut the microphone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trip {
    /// How long the host had been silent, in milliseconds.
    pub silent: u32,
    /// How often it has happened since the guard left the factory.
    pub count: u32,
}

/// What went wrong since the guard left the factory. Each stops at its greatest value, and
/// survives a reset.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// Open frames whose checksum differs.
    pub crc: u32,
    /// Frames and proofs that were not made with the key, or outside a session.
    pub mac: u32,
    /// Frames that had been taken already, or that a later one overtook.
    pub replayed: u32,
    /// Frames that never arrived, by the gaps in their numbers.
    pub lost: u32,
    /// Bytes between two zeros that are no frame, and frames that hold no message or one that has
    /// no place here.
    pub malformed: u32,
    /// Frames of another version.
    pub wrong_version: u32,
    /// Runs of bytes longer than any frame.
    pub overflow: u32,
    /// Announcements that were refused.
    pub refused_announcements: u32,
    /// How often the watchdog cut the microphone.
    pub watchdog_trips: u32,
    /// How often the rail was not what was commanded.
    pub contradictions: u32,
    /// How often the guard started again.
    pub resets: u32,
}

impl Faults {
    /// How many counters there are.
    pub const COUNTERS: usize = 11;
}

/// In the order of the fields, as a guard keeps them.
impl From<Faults> for [u32; Faults::COUNTERS] {
    fn from(faults: Faults) -> Self {
        let Faults {
            crc,
            mac,
            replayed,
            lost,
            malformed,
            wrong_version,
            overflow,
            refused_announcements,
            watchdog_trips,
            contradictions,
            resets,
        } = faults;
        [
            crc,
            mac,
            replayed,
            lost,
            malformed,
            wrong_version,
            overflow,
            refused_announcements,
            watchdog_trips,
            contradictions,
            resets,
        ]
    }
}

impl From<[u32; Faults::COUNTERS]> for Faults {
    fn from(counters: [u32; Faults::COUNTERS]) -> Self {
        let [
            crc,
            mac,
            replayed,
            lost,
            malformed,
            wrong_version,
            overflow,
            refused_announcements,
            watchdog_trips,
            contradictions,
            resets,
        ] = counters;
        Self {
            crc,
            mac,
            replayed,
            lost,
            malformed,
            wrong_version,
            overflow,
            refused_announcements,
            watchdog_trips,
            contradictions,
            resets,
        }
    }
}

/// Why something was not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Reason {
    /// The frame is of another version.
    Version,
    /// The guard has no key: it must be paired first.
    NoKey,
    /// The guard has a key already, and keeps it until its memory is erased.
    HasKey,
    /// Pairing needs a person's hand: the switch at mute.
    NotMuted,
    /// The proof was not made with the key.
    Proof,
    /// There is no session: a handshake comes first.
    NoSession,
    /// The guard's memory does not keep what is written.
    Memory,
    /// The switch is at mute, or was a moment ago.
    Muted,
    /// An announcement without a heartbeat.
    NoHeartbeat,
    /// Announced too often.
    Rate,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MAX_BODY;

    #[test]
    fn the_longest_message_fits_into_a_body() {
        let welcome = ToHost::Welcome(Welcome {
            identity: Identity([0xff; 8]),
            nonce: [0xff; 16],
            boots: u32::MAX,
            proof: Proof([0xff; 32]),
        });
        let most = u32::MAX;
        let faults = ToHost::Faults(Faults {
            crc: most,
            mac: most,
            replayed: most,
            lost: most,
            malformed: most,
            wrong_version: most,
            overflow: most,
            refused_announcements: most,
            watchdog_trips: most,
            contradictions: most,
            resets: most,
        });
        for (message, expected) in [(welcome, 62), (faults, 56)] {
            let mut body = [0; MAX_BODY];
            let body = postcard::to_slice(&message, &mut body).expect("it fits");
            assert_eq!(body.len(), expected);
        }
    }
}
