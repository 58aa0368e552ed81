//! Speech to text: resampled PCM in, speech segments and text out.
//!
//! The only owner of tract. See `recognizer` for the seam between what finds speech and what
//! reads it.

mod error;
mod finder;
mod guard;
mod level;
mod live;
mod moonshine;
mod recognizer;
mod scribe;
mod segmenter;
mod spotter;
mod timekeeper;
mod tokenizer;
mod transcriber;
mod vad;
mod words;

pub use earnest_kernels::give_back_freed_memory;
pub use error::{LoadError, SpeechError};
pub use finder::SpeechFinder;
pub use guard::{Reason, SoundMeasures, Verdict, compression_ratio, judge_text, repetition};
pub use live::{Live, LiveEvent, LiveOptions};
pub use moonshine::{
    Decoding, Encoded, EngineOptions, Recognizer, Scorer, ShareError, SharedModels, Step, kernels,
    share,
};
pub use recognizer::{
    CrossAttention, DecodeOptions, Hypothesis, Recognize, Reread, SAMPLE_RATE, SAMPLES_PER_FRAME,
};
pub use scribe::{Engine, Heard, Scribe};
pub use segmenter::{
    Boundary, OpenProbabilities, OpenSegment, Segment, Segmenter, SegmenterConfig,
    SegmenterConfigError, SegmenterEvent, SegmenterOptions,
};
pub use spotter::{Extent, Score, Spotter, Weight, nothing_said};
pub use timekeeper::{Stretch, Timekeeper};
pub use tokenizer::{
    MAX_TOKEN_BYTES, MAX_VOCABULARY, Piece, TextStream, Tokenizer, TokenizerError,
};
pub use transcriber::{Event, SegmentText, Transcriber, TranscriberOptions};
pub use vad::{DetectSpeech, FRAME_SAMPLES, Vad};
pub use words::{Word, WordsError, align_words};

/// Samples that one segment may hold: 15 s, which bounds the memory of every stage behind.
pub const MAX_SEGMENT_SAMPLES: usize = 15 * SAMPLE_RATE as usize;
