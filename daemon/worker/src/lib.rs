//! The sandboxed process that decodes sound and reads it.
//!
//! The daemon starts itself again as a worker, with the sealed file of prepared weights as
//! standard input, one end of a socket as standard output, and nothing else. [`run`] locks the
//! process in before it reads a byte, says how far that got, maps the weights, and then does
//! one job after the other until the socket ends. What it reads is a stranger's; what it says
//! is bounded by `earnest-channel`, and the daemon takes it as hostile.
//!
//! [`prepare`] is the daemon's half: from checked models to the sealed file.
//!
//! The process holds no key, no name of an application and no file. It does not log: whatever
//! it could say about a failure it says in the closed vocabulary of
//! [`Failure`](earnest_channel::Failure), or by its exit code.

mod ear;
mod incoming;
mod job;
mod life;
mod shape;
mod sound;

use std::os::fd::OwnedFd;

use earnest_package::Model;
pub use earnest_speech::ShareError as PrepareError;

pub use life::{Options, OptionsError, run};

/// Prepares the models for any number of workers: one sealed file in memory, which holds the
/// weights packed for this processor and no key. The models are overwritten, and what it took to
/// prepare them is given back to the system.
///
/// # Errors
/// When a model does not load, or there is no memory.
pub fn prepare(speech: Model, voice: Model) -> Result<OwnedFd, PrepareError> {
    let prepared = earnest_speech::share(&speech, &voice);
    drop((speech, voice));
    earnest_speech::give_back_freed_memory();
    prepared
}
