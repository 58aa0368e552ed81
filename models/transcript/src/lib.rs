//! What a transcript looks like on paper: text, JSON, SubRip, WebVTT.
//!
//! A format is told of a file's beginning, of each segment as it ends, and of the end, and
//! appends to a string what may be written at that moment. It knows no files and no clocks,
//! so each one is tested against goldens.
//!
//! The text of a segment is a stranger's words: formats escape what has a meaning in them.

mod cues;
mod json;
mod phrase;
mod srt;
mod text;
mod time;
mod vtt;

use serde::{Deserialize, Serialize};

pub use json::SegmentObject;
pub use phrase::Phrase;
pub use time::Milliseconds;

/// A stretch of speech and what was said in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// When it begins, from the start of the file.
    pub start: Milliseconds,
    /// When it ends.
    pub end: Milliseconds,
    /// What was said: one line, without a space at either end.
    pub text: String,
    /// The model's tokens of the text.
    pub tokens: Vec<u32>,
    /// Mean natural logarithm of the tokens' probabilities.
    pub avg_logprob: f32,
    /// Bytes of the text over bytes of the text compressed: high for repeats.
    pub compression_ratio: f32,
    /// How sure the voice detector was that nobody speaks, in 0..=1.
    pub no_speech_prob: f32,
    /// The words of the text, if they were asked for.
    pub words: Vec<Word>,
}

/// A word of a segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Word {
    /// The word with its punctuation.
    pub text: String,
    /// When it begins, from the start of the file.
    pub start: Milliseconds,
    /// When it ends.
    pub end: Milliseconds,
    /// How sure the model was of it, in 0..=1.
    pub probability: f32,
}

/// How a file ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// The length of the sound that was read.
    pub duration: Milliseconds,
    /// Whether the transcript stands; false when the file failed half-way.
    pub complete: bool,
}

/// One way to write transcripts down.
pub trait Format {
    /// A file begins.
    fn begin(&mut self, file: &str, out: &mut String);
    /// A segment of it has ended.
    fn segment(&mut self, segment: Segment, out: &mut String);
    /// The file has ended.
    fn end(&mut self, ending: Ending, out: &mut String);
}

/// The formats by their names, which are those of OpenAI's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormatName {
    /// The words alone, one line a file, written as they are read.
    Text,
    /// One object a file with its text.
    Json,
    /// One object a file in the shape of OpenAI's verbose_json.
    VerboseJson,
    /// SubRip subtitles.
    Srt,
    /// WebVTT subtitles.
    Vtt,
}

impl FormatName {
    /// Whether the format has a place for the times of words.
    pub fn shows_words(self) -> bool {
        match self {
            FormatName::Text | FormatName::Json => false,
            FormatName::VerboseJson | FormatName::Srt | FormatName::Vtt => true,
        }
    }

    /// Whether the text is cut into cues.
    pub fn is_subtitles(self) -> bool {
        matches!(self, FormatName::Srt | FormatName::Vtt)
    }

    /// The writer for a run.
    pub fn writer(self, options: Options) -> Box<dyn Format> {
        match self {
            FormatName::Text => Box::new(text::Text::default()),
            FormatName::Json => Box::new(json::Json::brief(options)),
            FormatName::VerboseJson => Box::new(json::Json::verbose(options)),
            FormatName::Srt => Box::new(srt::Srt::default()),
            FormatName::Vtt => Box::new(vtt::Vtt),
        }
    }
}

/// What formats need to know of the run.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether several files come, so that each object names its own.
    pub names_files: bool,
    /// Whether word times were asked for.
    pub words: bool,
    /// The spoken language, as OpenAI writes it: an English name in lower case.
    pub language: String,
}

#[cfg(test)]
mod testing;
