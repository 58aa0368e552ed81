//! Speech to text: resampled PCM in, speech segments and text out.
//!
//! The only owner of tract. See `recognizer` for the seam between what finds speech and what
//! reads it.

mod error;
mod recognizer;

pub use error::{LoadError, SpeechError};
pub use recognizer::{
    CrossAttention, DecodeOptions, Hypothesis, Recognize, SAMPLE_RATE, SAMPLES_PER_FRAME,
};

/// Samples that one segment may hold: 15 s, which bounds the memory of every stage behind.
pub const MAX_SEGMENT_SAMPLES: usize = 15 * SAMPLE_RATE as usize;
