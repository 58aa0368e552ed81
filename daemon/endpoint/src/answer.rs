//! What of a segment leaves the device, and the shapes that it leaves in.
//!
//! The worker tells everything; callers get text, times and certainty in coarse steps. No
//! token, no probability of one: they would help whoever wants to copy the model, and help
//! nobody to read.

use earnest_channel::Partial;
use earnest_transcript::{Ending, FormatName, Milliseconds, Options, Segment, SegmentObject};
use serde::Serialize;

/// The language of all models here, as OpenAI's verbose answers name it.
const LANGUAGE: &str = "english";

/// Beyond every certainty that an honest worker tells, and far from overflow.
const MOST: f32 = 1e6;

/// The step of certainties.
const STEP: f32 = 0.25;

/// The segment with what may leave.
pub(crate) fn outward(segment: Segment) -> Segment {
    Segment {
        text: earnest_printable::printable(&segment.text),
        tokens: Vec::new(),
        avg_logprob: coarse(segment.avg_logprob),
        compression_ratio: coarse(segment.compression_ratio),
        no_speech_prob: coarse(segment.no_speech_prob),
        words: segment
            .words
            .into_iter()
            .map(|word| earnest_transcript::Word {
                text: earnest_printable::printable(&word.text),
                probability: coarse(word.probability),
                ..word
            })
            .collect(),
        ..segment
    }
}

/// The partial with what may leave. What begins with another text does so still.
pub(crate) fn outward_partial(partial: Partial) -> Partial {
    Partial {
        stable: earnest_printable::printable(&partial.stable),
        tentative: earnest_printable::printable(&partial.tentative),
        ..partial
    }
}

/// In steps of [`STEP`]; zero for what is no number, which JSON cannot tell.
fn coarse(value: f32) -> f32 {
    match value.is_finite() {
        // The sum turns a negative zero into the plain one.
        true => (value.clamp(-MOST, MOST) / STEP).round() * STEP + 0.0,
        false => 0.0,
    }
}

/// Which parts a verbose answer carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Granularities {
    /// Segments with their times.
    pub(crate) segments: bool,
    /// Words with theirs.
    pub(crate) words: bool,
}

/// A transcript as it stands in an answer.
#[derive(Debug)]
pub(crate) struct Transcript {
    pub(crate) segments: Vec<Segment>,
    pub(crate) duration: Milliseconds,
}

impl Transcript {
    /// The text of all segments, parted by spaces.
    pub(crate) fn text(&self) -> String {
        let texts = self.segments.iter().map(|segment| segment.text.as_str());
        let texts: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
        texts.join(" ")
    }

    /// `{"text": …, "usage": …}`.
    pub(crate) fn json(&self) -> String {
        let object = Brief {
            text: &self.text(),
            usage: Usage::of(self.duration),
        };
        encode(&object)
    }

    /// OpenAI's `verbose_json`.
    pub(crate) fn verbose(&self, parts: Granularities) -> String {
        let words = self.segments.iter().flat_map(|segment| &segment.words);
        let words = words.map(|word| WordObject {
            word: &word.text,
            start: word.start.seconds(),
            end: word.end.seconds(),
        });
        let segments = self.segments.iter().enumerate();
        let object = Verbose {
            task: "transcribe",
            language: LANGUAGE,
            duration: self.duration.seconds(),
            text: &self.text(),
            words: parts.words.then(|| words.collect()),
            segments: parts
                .segments
                .then(|| segments.map(SegmentObject::of).collect()),
            usage: Usage::of(self.duration),
        };
        encode(&object)
    }

    /// In one of the formats without structure: text, srt, vtt.
    pub(crate) fn plain(self, format: FormatName) -> String {
        let mut out = String::new();
        let mut writer = format.writer(Options {
            names_files: false,
            words: false,
            language: LANGUAGE.to_owned(),
        });
        writer.begin("", &mut out);
        for segment in self.segments {
            writer.segment(segment, &mut out);
        }
        let ending = Ending {
            duration: self.duration,
            complete: true,
        };
        writer.end(ending, &mut out);
        out
    }
}

/// JSON of a structure of strings and finite numbers.
pub(crate) fn encode(object: &impl Serialize) -> String {
    serde_json::to_string(object).expect("strings and finite numbers always have a JSON form")
}

#[derive(Debug, Serialize)]
struct Brief<'a> {
    text: &'a str,
    usage: Usage,
}

/// OpenAI's usage of models that are paid by time.
#[derive(Debug, Serialize)]
struct Usage {
    #[serde(rename = "type")]
    kind: &'static str,
    seconds: f64,
}

impl Usage {
    fn of(duration: Milliseconds) -> Usage {
        Usage {
            kind: "duration",
            seconds: duration.seconds(),
        }
    }
}

#[derive(Debug, Serialize)]
struct Verbose<'a> {
    task: &'static str,
    language: &'static str,
    duration: f64,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Vec<WordObject<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    segments: Option<Vec<SegmentObject<'a>>>,
    usage: Usage,
}

#[derive(Debug, Serialize)]
struct WordObject<'a> {
    word: &'a str,
    start: f64,
    end: f64,
}

#[cfg(test)]
mod tests {
    use earnest_transcript::Word;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn segment() -> Segment {
        Segment {
            start: Milliseconds(1_230),
            end: Milliseconds(2_050),
            text: "Hello, world.".to_owned(),
            tokens: vec![5, 66, 777],
            avg_logprob: -0.423_456,
            compression_ratio: 0.71,
            no_speech_prob: 0.031_25,
            words: vec![Word {
                text: "Hello,".to_owned(),
                start: Milliseconds(1_230),
                end: Milliseconds(1_500),
                probability: 0.912_34,
            }],
        }
    }

    fn transcript() -> Transcript {
        Transcript {
            segments: vec![outward(segment())],
            duration: Milliseconds(3_000),
        }
    }

    fn parsed(json: &str) -> Value {
        serde_json::from_str(json).expect("an answer is JSON")
    }

    const BOTH: Granularities = Granularities {
        segments: true,
        words: true,
    };

    #[test]
    fn a_brief_answer_is_the_text_and_the_time() {
        let expected = json!({
            "text": "Hello, world.",
            "usage": {"type": "duration", "seconds": 3.0},
        });
        assert_eq!(parsed(&transcript().json()), expected);
    }

    #[test]
    fn a_verbose_answer_tells_certainty_in_coarse_steps_alone() {
        let expected = json!({
            "task": "transcribe",
            "language": "english",
            "duration": 3.0,
            "text": "Hello, world.",
            "words": [{"word": "Hello,", "start": 1.23, "end": 1.5}],
            "segments": [{
                "id": 0, "seek": 123, "start": 1.23, "end": 2.05, "text": "Hello, world.",
                "tokens": [], "temperature": 0.0, "avg_logprob": -0.5,
                "compression_ratio": 0.75, "no_speech_prob": 0.0,
            }],
            "usage": {"type": "duration", "seconds": 3.0},
        });
        assert_eq!(parsed(&transcript().verbose(BOTH)), expected);
    }

    #[test]
    fn parts_that_nobody_asked_for_are_not_there() {
        let none = Granularities {
            segments: false,
            words: false,
        };
        let answer = parsed(&transcript().verbose(none));
        assert!(answer.get("words").is_none() && answer.get("segments").is_none());
    }

    #[test]
    fn text_cannot_move_a_cursor() {
        let mut hostile = segment();
        hostile.text = "a\u{1b}[2Jb\nc".to_owned();
        let text = outward(hostile).text;
        assert!(!text.contains(['\u{1b}', '\n']), "{text:?}");
    }

    proptest! {
        #[test]
        fn certainties_that_leave_are_whole_steps(value in proptest::num::f32::ANY) {
            let steps = coarse(value) / STEP;
            prop_assert_eq!(steps, steps.round());
            prop_assert!(coarse(value).is_finite());
            prop_assert!(coarse(value).is_sign_positive() || coarse(value) < 0.0);
        }
    }
}
