//! Speech to text: resampled PCM in, speech segments and text out.
//!
//! The only owner of tract. See `recognizer` for the seam between what finds speech and what
//! reads it.

mod error;
mod moonshine;
mod recognizer;
mod tokenizer;
mod words;

pub use error::{LoadError, SpeechError};
pub use moonshine::{Decoding, Encoded, EngineOptions, Recognizer, Step};
pub use recognizer::{
    CrossAttention, DecodeOptions, Hypothesis, Recognize, SAMPLE_RATE, SAMPLES_PER_FRAME,
};
pub use tokenizer::{MAX_TOKEN_BYTES, MAX_VOCABULARY, Piece, TextStream, Tokenizer, TokenizerError};
pub use words::{Word, WordsError, align_words};

/// Samples that one segment may hold: 15 s, which bounds the memory of every stage behind.
pub const MAX_SEGMENT_SAMPLES: usize = 15 * SAMPLE_RATE as usize;
