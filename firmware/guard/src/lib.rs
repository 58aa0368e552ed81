//! The guard's logic: a microcontroller that can take the microphone away.
//!
//! The microphone's supply rail goes through two things in series: the mute switch, one pole of
//! which is in the rail itself, and a power switch that the guard drives, which is off where
//! nobody drives it. The light hangs on the rail behind both. So the guard can cut the microphone,
//! never bridge the switch, and no message can contradict the light. What is here decides when the
//! power switch is on, [`Guard`], in one function, [`Guard::why`], and it fails towards silence.
//!
//! No I/O, no clock, no interrupt: the caller brings bytes, pins and time, a board and a simulator
//! alike.
//!
//! ```
//! use earnest_guard::{Guard, Outbox, Settings};
//! use earnest_guard::memory::Erased;
//! use earnest_wire::{Identity, Switch, Why};
//! use embassy_time::{Duration, Instant};
//!
//! let (mut now, mut out) = (Instant::from_millis(0), Outbox::new());
//! let identity = Identity::of_chip(b"chip 1");
//! let mut guard = Guard::new(Settings::default(), identity, Erased::default(), now);
//! guard.switch(Switch::Open, now, &mut out);
//! assert_eq!(guard.why(), Why::Settling);
//! now += Duration::from_millis(50);
//! guard.tick(now, &mut out);
//! assert_eq!(guard.why(), Why::NoKey);
//! assert!(!guard.power());
//! ```

#![no_std]
#![forbid(unsafe_code)]

pub mod memory;
pub mod pins;

mod bucket;
mod outbox;
mod rail;
mod settings;
mod state;
mod switch;

pub use memory::{RECORD_BYTES, Slot, Store};
pub use outbox::{OUTBOX_BYTES, Outbox};
pub use settings::Settings;
pub use state::Guard;
