//! Sound of this machine's microphones, from a process of its own.
//!
//! **Purpose.** libasound and its plugins are C code that reads other people's configuration and
//! sockets, and sometimes hangs. So a microphone is captured by a child process that holds no
//! key, no weights and no text (`capture`, with the feature of that name), and killing that
//! process closes the microphone for certain. This crate is both sides: the child opens the
//! device, mixes it to mono and writes it to its standard output; [`Microphone`] starts the
//! child, reads what it writes as if it were hostile, and starts another when it dies.
//!
//! **Constraints.** The callback of the sound library puts samples into a ring of a fixed length
//! and does nothing else: no lock, no allocation, no log. Every message is bounded before
//! anything is kept of it, nothing is queued on this side, and who does not ask for sound makes
//! the child drop it and count what it dropped. One process is one attempt: what was lost is
//! opened again by the next process, after a pause that grows from a quarter of a second to
//! five. Nothing here is logged.
//!
//! ```no_run
//! # async fn listen() {
//! use earnest_audio::{CaptureProgram, Microphone, MicrophoneOptions, Sounding};
//!
//! let program = CaptureProgram {
//!     program: "/usr/bin/earnestd".into(),
//!     arguments: vec!["capture".into()],
//!     environment: Vec::new(),
//! };
//! let mut microphone = Microphone::open(program, MicrophoneOptions::default());
//! loop {
//!     match microphone.next().await {
//!         Sounding::Opened { device, rate } => println!("{device} at {rate} Hz"),
//!         Sounding::Sound(pcm) => println!("{} bytes", pcm.len()),
//!         Sounding::Overrun { frames } => println!("{frames} frames were too many"),
//!         Sounding::Lost { why, again_in } => println!("{why}, again in {again_in:?}"),
//!     }
//! }
//! # }
//! ```

mod arguments;
mod backoff;
#[cfg(feature = "capture")]
mod capture;
mod child;
mod device;
mod devices;
pub mod level;
mod loss;
mod microphone;
mod program;
pub mod protocol;
mod rules;
mod source;

pub use backoff::BackOff;
#[cfg(feature = "capture")]
pub use capture::{Encoding, Intake, Outlet, capture, ring};
pub use device::{Device, DevicePattern, DeviceWish, MAX_DEVICES, MAX_NAME_BYTES, PatternError};
pub use devices::{DevicesError, devices};
pub use level::Level;
pub use loss::Loss;
pub use microphone::Microphone;
pub use program::{CaptureProgram, MicrophoneOptions};
pub use source::{Next, Sounding, Source};
