//! What the tests of all formats share.

use super::{Ending, Format, Milliseconds, Options, Segment, Word};

/// A file of one minute and what is in it.
pub(super) struct File {
    name: &'static str,
    segments: Vec<Segment>,
    complete: bool,
}

/// A file that was read to its end.
pub(super) fn file(name: &'static str, segments: Vec<Segment>) -> File {
    File {
        name,
        segments,
        complete: true,
    }
}

/// A file that broke after its segments.
pub(super) fn failed(name: &'static str, segments: Vec<Segment>) -> File {
    File {
        complete: false,
        ..file(name, segments)
    }
}

/// A segment without words.
pub(super) fn segment(start: u64, end: u64, text: &str) -> Segment {
    Segment {
        start: Milliseconds(start),
        end: Milliseconds(end),
        text: text.to_owned(),
        tokens: Vec::new(),
        avg_logprob: -0.5,
        compression_ratio: 1.0,
        no_speech_prob: 0.0,
        words: Vec::new(),
    }
}

/// A word.
pub(super) fn word(start: u64, end: u64, text: &str) -> Word {
    Word {
        text: text.to_owned(),
        start: Milliseconds(start),
        end: Milliseconds(end),
        probability: 0.5,
    }
}

/// The options of a run in English.
pub(super) fn options(names_files: bool, words: bool) -> Options {
    Options {
        names_files,
        words,
        language: "english".to_owned(),
    }
}

/// All that `format` writes of `files`.
pub(super) fn write(format: &mut dyn Format, files: &[File]) -> String {
    let mut out = String::new();
    for file in files {
        format.begin(file.name, &mut out);
        for segment in &file.segments {
            format.segment(segment.clone(), &mut out);
        }
        let ending = Ending {
            duration: Milliseconds(60_000),
            complete: file.complete,
        };
        format.end(ending, &mut out);
    }
    out
}
