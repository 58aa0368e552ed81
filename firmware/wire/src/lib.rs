//! What crosses between the guard and its host.
//!
//! The line is a UART that anybody with a soldering iron may tap, cut or drive, and each end takes
//! the other as hostile. So every frame is bounded and numbered, every bound is checked before
//! anything is kept, and nothing but the handshake is believed without a MAC of the session. A
//! tapped line can neither unmute nor replay; it can be cut, and then the guard cuts the
//! microphone.
//!
//! ```text
//! host                                    guard
//!   Hello { nonce }                ->
//!                                  <-     Welcome { identity, nonce, boots, proof }
//!   Confirm { proof }              ->
//!                                  <-     State
//!   Heartbeat, each 250 ms         ->
//!                                  <-     State, at each heartbeat and each change
//!   Announce { live }              ->
//!                                  <-     State | Refused
//!   Ask                            ->
//!                                  <-     State, Faults
//!                                  <-     Trip, when heartbeats stopped
//!
//! once, by a person, with the switch at mute:
//!   Pair { key }                   ->
//!                                  <-     Paired { identity, proof } | Refused
//! ```
//!
//! [`guard::Link`] and [`host::Link`] are the two ends, without I/O, time or a heap: bytes in,
//! verified messages or a [`Fault`] out. [`frame`] says how a message lies on the line, [`key`]
//! what is proved with what.

#![no_std]
#![forbid(unsafe_code)]

pub mod frame;
pub mod guard;
pub mod host;
pub mod key;

mod fault;
mod message;
mod session;

pub use fault::{Fault, NoSession};
pub use frame::{Decoder, Frame, LineFault, RawFrame};
pub use key::{Identity, KEY_BYTES, NONCE_BYTES, Nonce, PairingKey, Proof};
pub use message::{Faults, Paired, Reason, State, Switch, ToGuard, ToHost, Trip, Welcome, Why};
pub use session::Received;

/// The version of frames and messages, which is the first byte of each frame.
pub const VERSION: u8 = 1;

/// Most bytes of a message: a `Welcome` has the most, 62.
pub const MAX_BODY: usize = 96;

/// Most bytes of a frame before it is coded: header, body and tag.
pub const MAX_RAW: usize = frame::HEADER + MAX_BODY + frame::MAC_BYTES;

/// Most bytes of a frame on the line: COBS adds one to so few, and two zeros stand around it.
pub const MAX_FRAME: usize = MAX_RAW + 1 + 2;
