//! The host's side of the guard.
//!
//! **Purpose.** Beside the microphone sits a microcontroller that can take its power away: the
//! guard. It gives power while a person's switch is open, and the host that it was paired with is
//! alive and has announced that it takes sound. A [`Guardian`] finds it, proves that it is that
//! host and has it prove that it is that guard, keeps telling it that the host is alive, announces
//! what is wanted, and says how it is ([`GuardState`]).
//!
//! **Constraints.**
//! - The guard's bytes are hostile: `earnest-wire` bounds and checks them, and this crate counts
//!   what it does not believe and goes on. A line of noise costs nobody but the guard its time.
//! - [`GuardState::Live`] is said while the guard said so within the last second, in a session with
//!   fresh nonces, under the key of the pairing. Silence ends it.
//! - Nothing waits on the line: what nobody reads is bounded, and then the line is given up and
//!   opened again, with pauses that grow from a quarter of a second to five.
//! - [`Core`] has no I/O and no clock, and is driven by tests; [`Guardian`] is the task around it.
//!
//! ```no_run
//! # async fn example(key: earnest_guardian::PairingKey) -> Result<(), earnest_guardian::PlaceError> {
//! use earnest_guardian::{GuardState, Guardian, Settings};
//! use earnest_telemetry::{Clock, Telemetry};
//!
//! let telemetry = Telemetry::new(Clock::boot_time());
//! let guardian = Guardian::start("/dev/ttyACM0".parse()?, Settings::default(), telemetry);
//! guardian.pair(key, None).await;
//! guardian.announce(true);
//! let mut states = guardian.states();
//! let live = states.wait_for(|state| *state == GuardState::Live).await;
//! assert!(live.is_ok());
//! # Ok(())
//! # }
//! ```

mod core;
mod guardian;
mod line;
mod pairing;
mod place;
mod report;
mod settings;
mod state;
#[cfg(test)]
mod tests;

pub use crate::core::{Core, Nonces};
pub use earnest_wire::{Faults, Identity, KEY_BYTES, PairingKey};
pub use guardian::Guardian;
pub use line::LineError;
pub use pairing::{PairError, Pairing, pair};
pub use place::{GuardPlace, PlaceError};
pub use report::{GuardReport, LineCounts};
pub use settings::Settings;
pub use state::{Cut, GuardState};
