//! What can go wrong between a file and its samples.

use std::io;
use std::path::PathBuf;

use crate::{MAXIMUM_CHANNELS, MAXIMUM_RATE, MINIMUM_RATE};

/// Why sound could not be read, or not to its end.
///
/// An error from [`Source::read`](crate::Source::read) comes after all the sound before it has
/// been handed out. Positions are counted in frames of the input (one sample for each channel).
#[derive(Debug, thiserror::Error)]
pub enum SoundError {
    /// The file is missing, is a directory, or may not be opened.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The path as given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file or stream could not be read.
    #[error("cannot read the sound: {0}")]
    Read(#[source] io::Error),
    /// There is not one byte.
    #[error("the file is empty: expected sound, found 0 bytes")]
    Empty,
    /// The bytes are of no sound format.
    #[error("not a sound file: it looks like {looks_like}")]
    NotSound {
        /// What the first bytes look like.
        looks_like: &'static str,
    },
    /// A sound format that is not read here.
    #[error("{format} files are not supported: expected WAV, AIFF, FLAC, MP3, Ogg Vorbis or M4A")]
    UnsupportedFormat {
        /// The format's name.
        format: &'static str,
    },
    /// A known container with a codec that is not read here.
    #[error("the codec {codec} (in {format}) is not supported")]
    UnsupportedCodec {
        /// The container's name.
        format: &'static str,
        /// The codec's name, or its number in the container.
        codec: String,
    },
    /// A file whose index stands at its end, read from something that cannot seek.
    #[error("this {format} has its index at the end and cannot be read from a stream")]
    NotStreamable {
        /// The container's name.
        format: &'static str,
    },
    /// The header breaks its own format.
    #[error("broken {format} header: {reason}")]
    Malformed {
        /// The container's name.
        format: &'static str,
        /// What is broken, with what was expected where that is known.
        reason: String,
    },
    /// The container holds no sound (a video without a soundtrack, say).
    #[error("the {format} file holds no audio track")]
    NoAudioTrack {
        /// The container's name.
        format: &'static str,
    },
    /// The header is sound, and there is not one frame behind it.
    #[error("the {format} file holds no samples")]
    NoSamples {
        /// The container's name.
        format: &'static str,
    },
    /// A sample rate of zero or beyond reason.
    #[error("sample rate of {found} Hz: expected {MINIMUM_RATE} to {MAXIMUM_RATE} Hz")]
    SampleRate {
        /// The rate in the header, in Hz, rounded down.
        found: u64,
    },
    /// No channel or too many.
    #[error("{found} channels: expected 1 to {MAXIMUM_CHANNELS}")]
    Channels {
        /// The number in the header.
        found: u32,
    },
    /// A sample that is NaN, infinite, or too great for 32-bit floating point.
    #[error("sample that is not a finite number at frame {frame}, channel {channel}")]
    NotFinite {
        /// The frame, counted from 0.
        frame: u64,
        /// The channel, counted from 0.
        channel: u32,
    },
    /// The sound ends before its end: bytes are missing.
    #[error("the file is truncated: {}", lengths(*declared, *decoded))]
    Truncated {
        /// The frames that the header promises, where it does.
        declared: Option<u64>,
        /// The frames that were read and handed out.
        decoded: u64,
    },
    /// The header states a length, the file is whole, and the two disagree.
    #[error("the header lies about the length: {}", lengths(Some(*declared), *decoded))]
    HeaderLength {
        /// The frames that the header promises.
        declared: u64,
        /// The frames that were read and handed out.
        decoded: u64,
    },
    /// The coded sound is damaged beyond what may be skipped.
    #[error("cannot decode the sound after frame {frame}: {reason}")]
    Decode {
        /// The frames decoded before.
        frame: u64,
        /// What the decoder said.
        reason: String,
    },
    /// A decoder panicked on these bytes: a mistake in the decoder, which the input provoked.
    #[error("the {format} decoder failed on this file")]
    Panicked {
        /// The container's name.
        format: &'static str,
    },
}

impl SoundError {
    /// Whether this is about a length alone: all the sound that there is was handed out and is
    /// good, so that a caller may keep its result and only warn.
    pub fn leaves_sound_usable(&self) -> bool {
        matches!(
            self,
            SoundError::Truncated { decoded: 1.., .. }
                | SoundError::HeaderLength { decoded: 1.., .. }
        )
    }
}

/// The two lengths in words.
fn lengths(declared: Option<u64>, decoded: u64) -> String {
    match declared {
        Some(declared) => format!("expected {declared} frames, found {decoded}"),
        None => format!("it breaks off after {decoded} frames"),
    }
}

/// Checks a sample rate against the bounds.
pub(crate) fn check_rate(rate: u32) -> Result<(), SoundError> {
    if (MINIMUM_RATE..=MAXIMUM_RATE).contains(&rate) {
        Ok(())
    } else {
        Err(SoundError::SampleRate {
            found: u64::from(rate),
        })
    }
}

/// Checks a channel count against the bounds.
pub(crate) fn check_channels(channels: u32) -> Result<(), SoundError> {
    if (1..=MAXIMUM_CHANNELS).contains(&channels) {
        Ok(())
    } else {
        Err(SoundError::Channels { found: channels })
    }
}
