//! Why a job failed, in a closed vocabulary: no word of it comes from the sound.

use serde::{Deserialize, Serialize};

/// Why a worker gave a job up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Failure {
    /// The sound cannot be read: the sender's affair.
    #[error(transparent)]
    Sound(SoundFault),
    /// Detector or recogniser failed.
    #[error("the model failed")]
    Speech,
    /// It was told to.
    #[error("nobody wants the rest")]
    Abandoned,
    /// An answer would have been beyond the bounds of these messages.
    #[error("what was heard does not fit an answer")]
    Unsayable,
}

/// What is wrong with sound that cannot be read, or not to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum SoundFault {
    /// There is not one byte.
    #[error("the sound is empty")]
    Empty,
    /// The bytes are of no sound format.
    #[error("this is not a sound file")]
    NotSound,
    /// A sound format that is not read here.
    #[error("sound files of this format are not supported")]
    UnsupportedFormat,
    /// A known container with a codec that is not read here.
    #[error("the codec of the sound is not supported")]
    UnsupportedCodec,
    /// A file whose index stands at its end, read from a stream.
    #[error("the file has its index at its end and cannot be read from a stream")]
    NotStreamable,
    /// The header breaks its own format, or lies.
    #[error("the header of the sound is broken")]
    Malformed,
    /// The container holds no sound.
    #[error("the file holds no audio track")]
    NoAudioTrack,
    /// The header is sound, and there is not one frame behind it.
    #[error("the file holds no samples")]
    NoSamples,
    /// A sample rate beyond reason.
    #[error("a sample rate of {found} Hz is not supported")]
    SampleRate {
        /// The rate, in Hz.
        found: u64,
    },
    /// No channel or too many.
    #[error("{found} channels are not supported")]
    Channels {
        /// The number of channels.
        found: u32,
    },
    /// A sample that is no finite number.
    #[error("the sound holds a sample that is no finite number")]
    NotFinite,
    /// The sound breaks off where nothing of it can be kept.
    #[error("the sound is truncated")]
    Truncated,
    /// The coded sound is damaged beyond what may be skipped, or its decoder gave up on it.
    #[error("the sound cannot be decoded")]
    Undecodable,
    /// It takes more memory or more steps than a job may have.
    #[error("the sound is too large")]
    TooLarge,
}

/// What is wrong with sound that was read as far as it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum Flaw {
    /// It ends before its end.
    #[error("the sound is truncated")]
    Truncated,
    /// The header states another length.
    #[error("the header of the sound states another length")]
    HeaderLength,
}
