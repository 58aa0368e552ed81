//! The attestation state machine, on injected time; the only maker of [`Open`].
//!
//! No request reaches a model without a live [`Open`], and an [`Open`] comes from nowhere but
//! [`Gate::open`], which gives one while three things hold:
//! - a model is unsealed, and the boot's measurement is the one of its unsealing;
//! - the model answered its known clips rightly, and lately ([`KnownAnswers`]);
//! - in a fleet, a result of the fleet's verifier is live, or expired so lately that the fleet's
//!   policy still grants grace. Without a fleet ([`Mode::Local`]) the TPM's own unsealing is the
//!   proof, which every status says.
//!
//! ```text
//! Sealed -> Unsealed -> Attested -> Grace -> Closed
//!              ^            ^---------'         |
//!              '--------------------------------'   by a fresh unsealing alone
//! ```
//!
//! Known clips are asked before the gate opens, by leave of their own ([`Trial`]).
//!
//! It fails closed. Expiry, a lost TPM, another measurement, a refused result, wrong answers,
//! and nobody having looked at the measurement or asked for answers for too long: each of them
//! kills every [`Open`], drops the model, which forgets its keys, and asks the caller to end the
//! workers ([`Effect`]). A closed gate holds nothing that could open it again; the TPM decides
//! whether there is another unsealing.
//!
//! The gate does no I/O and reads no clock: each input carries the time on CLOCK_BOOTTIME, which
//! nobody can set back. What changed comes back as [`Changes`]. The driver calls [`Gate::tick`]
//! at [`Gate::next_deadline`]; where it is late, an [`Open`] is dead by its own deadline
//! ([`Open::is_live_at`]).
//!
//! ```
//! use std::time::Duration;
//! use earnest_gate::{Answer, Gate, KnownAnswers, Measurement, Mode, Schedule, UnsealedModel};
//!
//! struct Weights(Vec<u8>);
//! impl UnsealedModel for Weights {
//!     fn package(&self) -> [u8; 32] {
//!         [7; 32]
//!     }
//! }
//!
//! let at = Duration::from_secs;
//! let boot = Measurement::new([1; 32]);
//! let mut gate = Gate::new(Mode::Local, Schedule::default(), at(1));
//! let _ = gate.unsealed(at(2), Weights(vec![0; 16]), boot);
//! assert!(gate.open(at(2)).is_none());
//!
//! let heard = Answer { expected: "Hello, world.", heard: "hello world" };
//! let _ = gate.answered(at(3), KnownAnswers::check(&[heard]));
//! let open = gate.open(at(3)).expect("all proof is there");
//!
//! // Something else was measured into the boot.
//! let changes = gate.measured(at(4), Measurement::new([2; 32]));
//! assert!(!open.is_live());
//! assert_eq!(changes.effects.len(), 1);
//! ```

mod answers;
mod inputs;
mod machine;
mod open;
mod status;
#[cfg(test)]
mod tests;

pub use answers::{Answer, KnownAnswers, MAX_CLIPS, WrongAnswer};
pub use earnest_telemetry::{GateReason, GateState};
pub use inputs::{LiveResult, Measurement, Mode, Schedule, Standing, UnsealedModel};
pub use machine::{Changes, Effect, Gate};
pub use open::{Open, Trial};
pub use status::{ModeName, Status};
