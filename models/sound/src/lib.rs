//! Files and streams of any format and rate, as 16 kHz mono f32.
//!
//! Whatever a person points at (WAV, AIFF, FLAC, MP3, Ogg Vorbis, M4A, AAC, raw PCM) comes out as
//! the one thing that the speech models take: mono samples at [`SAMPLE_RATE`], each finite and
//! within ±1. The crate knows no microphone and no model; it is the only owner of symphonia
//! (decoding) and rubato (resampling), and none of their types leave it.
//!
//! # Constraints
//! - **Bounded memory.** A [`Source`] holds one packet and the resampler's window, never the file:
//!   an hour costs what a second costs. Every loop over hostile input has a bound, stated where it
//!   stands.
//! - **Hostile bytes.** Files come from strangers. Errors are typed ([`SoundError`]); a panic in a
//!   decoder is caught at this crate's face and becomes [`SoundError::Panicked`]. Callers that can
//!   should run it in a sandbox all the same.
//! - **Nothing readable is lost.** An error met while reading comes after all sound before it.
//! - **Exact time.** Output sample `k` stands for the time `k / 16000` of the input: the
//!   resampler's delay is taken off, its tail is flushed, and `n` input frames at rate `r` become
//!   `round(n * 16000 / r)` samples. Input at 16 kHz in one channel passes bit for bit.
//!
//! # Example
//! ```no_run
//! use earnest_sound::{Source, Status};
//!
//! # fn main() -> Result<(), earnest_sound::SoundError> {
//! let mut source = Source::open("meeting.flac".as_ref())?;
//! println!("{} at {} Hz", source.info().format, source.info().sample_rate);
//! let mut block = Vec::new();
//! loop {
//!     block.clear();
//!     match source.read(&mut block)? {
//!         Status::More => { /* use `block` */ }
//!         Status::End => break,
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! What pushes sound instead of pulling it (a microphone, a websocket) uses a [`Converter`].

mod chunks;
mod container;
mod converter;
mod decoding;
mod demux;
mod error;
mod input;
mod movie;
mod raw;
mod resampler;
mod sound;
mod source;

pub use converter::Converter;
pub use error::SoundError;
pub use raw::{RawPcm, SampleEncoding};
pub use resampler::Resampler;
pub use sound::Sound;
pub use source::{Info, Report, Source, Status, decode_bytes};

/// The rate, in samples a second, of everything that this crate hands out.
pub const SAMPLE_RATE: u32 = 16_000;

/// The lowest rate that is taken. Below it lies no band that carries speech (half of 4 kHz is
/// less than a telephone's 3.4 kHz), so such a rate in a header is a mistake.
pub const MINIMUM_RATE: u32 = 4_000;

/// The highest rate that is taken: the fastest converter on the market samples at 768 kHz, and
/// the resampler's cost and memory grow with the rate.
pub const MAXIMUM_RATE: u32 = 768_000;

/// The most channels that are taken: more than any cinema's or microphone array's file that
/// people are likely to have, and a bound on the work for each frame.
pub const MAXIMUM_CHANNELS: u32 = 32;
