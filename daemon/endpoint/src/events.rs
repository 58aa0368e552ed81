//! The lines of `POST /v1/audio/stream`: one JSON object each, written by the endpoint and read
//! by its client.

use earnest_channel::{Flaw, Partial, Report};
use earnest_transcript::{Milliseconds, Segment, Word};
use serde::{Deserialize, Serialize};

use crate::refusal::ErrorDetail;
use crate::shapes::PartialLine;

/// One line of a stream's answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum StreamLine {
    /// Somebody began to speak.
    SpeechStarted {
        /// Seconds from the start of the sound.
        at: f64,
    },
    /// What is heard so far of what is being said, where that was asked for.
    Partial(PartialLine),
    /// What was said.
    Segment(SegmentLine),
    /// Whoever spoke has paused. Told where partials are.
    SpeechStopped {
        /// Seconds from the start of the sound.
        at: f64,
    },
    /// The sound was read to its end: the last line.
    Done {
        /// Seconds of sound that were read.
        duration: f64,
        /// What is wrong with the sound, though all of it that there is was read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        flaw: Option<FlawName>,
    },
    /// It was not: the last line.
    Error {
        /// Why.
        error: ErrorDetail,
    },
}

/// A stretch of speech.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SegmentLine {
    /// What was said.
    pub text: String,
    /// Seconds from the start of the sound to its beginning.
    pub start: f64,
    /// Seconds to its end.
    pub end: f64,
    /// How sure the model was, in coarse steps; see OpenAI's verbose answers.
    pub avg_logprob: f32,
    /// High for repeats.
    pub compression_ratio: f32,
    /// How sure the voice detector was that nobody speaks, in coarse steps.
    pub no_speech_prob: f32,
    /// The words, where they were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<Vec<WordLine>>,
}

/// A word.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WordLine {
    /// The word with its punctuation.
    pub word: String,
    /// Seconds from the start of the sound to its beginning.
    pub start: f64,
    /// Seconds to its end.
    pub end: f64,
}

/// What may be wrong with sound that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlawName {
    /// It ends before its end.
    Truncated,
    /// The header states another length.
    HeaderLength,
}

impl SegmentLine {
    /// The line of a segment, with its words or without.
    pub(crate) fn of(segment: Segment, words: bool) -> SegmentLine {
        let line = |word: &Word| WordLine {
            word: word.text.clone(),
            start: word.start.seconds(),
            end: word.end.seconds(),
        };
        SegmentLine {
            start: segment.start.seconds(),
            end: segment.end.seconds(),
            text: segment.text,
            avg_logprob: segment.avg_logprob,
            compression_ratio: segment.compression_ratio,
            no_speech_prob: segment.no_speech_prob,
            words: words.then(|| segment.words.iter().map(line).collect()),
        }
    }

    /// The segment of a line. What does not cross (tokens, certainties of words) is empty.
    pub fn segment(&self) -> Segment {
        let words = self.words.iter().flatten();
        Segment {
            start: milliseconds(self.start),
            end: milliseconds(self.end),
            text: self.text.clone(),
            tokens: Vec::new(),
            avg_logprob: self.avg_logprob,
            compression_ratio: self.compression_ratio,
            no_speech_prob: self.no_speech_prob,
            words: words
                .map(|word| Word {
                    text: word.word.clone(),
                    start: milliseconds(word.start),
                    end: milliseconds(word.end),
                    probability: 0.0,
                })
                .collect(),
        }
    }
}

/// The line of what is heard so far.
pub(crate) fn partial_line(partial: Partial) -> PartialLine {
    PartialLine {
        start: partial.start.seconds(),
        at: partial.at.seconds(),
        stable: partial.stable,
        tentative: partial.tentative,
    }
}

/// Seconds in whole milliseconds. Casting saturates, and takes what is no number for zero.
pub(crate) fn milliseconds(seconds: f64) -> Milliseconds {
    Milliseconds((seconds * 1000.0).round() as u64)
}

impl StreamLine {
    /// The last line of sound that was read.
    pub(crate) fn done(report: &Report) -> StreamLine {
        StreamLine::Done {
            duration: Milliseconds::of_sample(report.samples).seconds(),
            flaw: report.flaw.map(|flaw| match flaw {
                Flaw::Truncated => FlawName::Truncated,
                Flaw::HeaderLength => FlawName::HeaderLength,
            }),
        }
    }

    /// The line with its end.
    pub(crate) fn encode(&self) -> String {
        let mut line = crate::answer::encode(self);
        line.push('\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_segment_crosses_as_it_is(
            text in ".{0,40}",
            start in 0..1_u64 << 40,
            span in 0..100_000_u64,
        ) {
            let segment = Segment {
                start: Milliseconds(start),
                end: Milliseconds(start + span),
                text: text.clone(),
                tokens: Vec::new(),
                avg_logprob: -0.25,
                compression_ratio: 1.0,
                no_speech_prob: 0.0,
                words: vec![Word {
                    text,
                    start: Milliseconds(start),
                    end: Milliseconds(start + span),
                    probability: 0.0,
                }],
            };
            let line = StreamLine::Segment(SegmentLine::of(segment.clone(), true)).encode();
            prop_assert_eq!(line.matches('\n').count(), 1);
            let StreamLine::Segment(back) = serde_json::from_str(&line).expect("our own line")
            else {
                return Err(TestCaseError::fail("another line"));
            };
            prop_assert_eq!(back.segment(), segment);
        }

        #[test]
        fn no_line_makes_its_reader_panic(line in ".{0,200}") {
            let _ = serde_json::from_str::<StreamLine>(&line);
        }

        #[test]
        fn no_number_of_seconds_overflows(seconds in proptest::num::f64::ANY) {
            let _ = milliseconds(seconds);
        }
    }
}
