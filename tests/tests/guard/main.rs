//! The guard from end to end: the real daemon on a software TPM with the real models, a microphone
//! without a sound card, and two guards beside it. One is the simulator, in this process; the other
//! is the image of the board, on an emulated microcontroller. Both have a switch that the test moves
//! and a rail that it looks at. `cargo xtask test` installs what that takes.

#[path = "../support/mod.rs"]
mod support;

#[cfg(test)]
#[path = "../kit/mod.rs"]
#[allow(dead_code, reason = "other tests do more with it")]
mod kit;
#[cfg(test)]
use kit::*;

#[cfg(test)]
mod absent;
#[cfg(test)]
mod line;
#[cfg(test)]
mod post;
#[cfg(test)]
mod whole;
