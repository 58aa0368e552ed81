//! One JSON object a file, each on a line of its own.
//!
//! The field names of the verbose shape are OpenAI's (API reference, "The transcription
//! object, Verbose JSON"); `probability` beside each word is Earnest's. An object can only be
//! written when its file has ended, so these formats hold the transcript (about a megabyte
//! an hour of speech, and never the sound).

use serde::Serialize;

use super::{Ending, Format, Milliseconds, Options, Segment, Word};

/// Segments that one object may hold: at the shortest, some days of speech. What comes after
/// is left out, which bounds the memory of a stream without an end, and the object says
/// `"truncated": true`.
const MAX_SEGMENTS: usize = 1 << 18;

/// How much of the transcript an object carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// `{"text": …}`.
    Brief,
    /// OpenAI's `verbose_json`.
    Verbose,
}

/// Either shape of object.
#[derive(Debug)]
pub(super) struct Json {
    options: Options,
    shape: Shape,
    held: Held,
}

impl Json {
    /// The text alone.
    pub(super) fn brief(options: Options) -> Json {
        Json::new(options, Shape::Brief)
    }

    /// The text, its segments and, where they are asked for, its words.
    pub(super) fn verbose(options: Options) -> Json {
        Json::new(options, Shape::Verbose)
    }

    fn new(options: Options, shape: Shape) -> Json {
        Json {
            options,
            shape,
            held: Held::default(),
        }
    }

    fn push_brief(&self, held: &Held, out: &mut String) {
        let object = BriefObject {
            file: self.options.names_files.then_some(&held.file),
            text: &held.text(),
            truncated: held.truncated,
        };
        push_line(&object, out);
    }

    fn push_verbose(&self, held: &Held, duration: Milliseconds, out: &mut String) {
        let words = held.segments.iter().flat_map(|segment| &segment.words);
        let segments = held.segments.iter().enumerate();
        let object = VerboseObject {
            file: self.options.names_files.then_some(&held.file),
            task: "transcribe",
            language: &self.options.language,
            duration: duration.seconds(),
            text: &held.text(),
            words: self
                .options
                .words
                .then(|| words.map(WordObject::of).collect()),
            segments: segments.map(SegmentObject::of).collect(),
            truncated: held.truncated,
        };
        push_line(&object, out);
    }
}

impl Format for Json {
    fn begin(&mut self, file: &str, _out: &mut String) {
        self.held = Held::of(file);
    }

    fn segment(&mut self, segment: Segment, _out: &mut String) {
        self.held.push(segment);
    }

    fn end(&mut self, ending: Ending, out: &mut String) {
        let held = std::mem::take(&mut self.held);
        if !ending.complete {
            return;
        }
        match self.shape {
            Shape::Brief => self.push_brief(&held, out),
            Shape::Verbose => self.push_verbose(&held, ending.duration, out),
        }
    }
}

/// What is known of a file so far.
#[derive(Debug, Default)]
struct Held {
    file: String,
    segments: Vec<Segment>,
    /// Whether segments were left out at the bound.
    truncated: bool,
}

impl Held {
    fn of(file: &str) -> Held {
        Held {
            file: file.to_owned(),
            segments: Vec::new(),
            truncated: false,
        }
    }

    fn push(&mut self, segment: Segment) {
        if self.segments.len() < MAX_SEGMENTS {
            self.segments.push(segment);
        } else {
            self.truncated = true;
        }
    }

    fn text(&self) -> String {
        let texts = self.segments.iter().map(|segment| segment.text.as_str());
        let texts: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
        texts.join(" ")
    }
}

#[derive(Serialize)]
struct BriefObject<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a String>,
    text: &'a str,
    #[serde(skip_serializing_if = "is_false")]
    truncated: bool,
}

#[derive(Serialize)]
struct VerboseObject<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a String>,
    task: &'static str,
    language: &'a str,
    duration: f64,
    text: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Vec<WordObject<'a>>>,
    segments: Vec<SegmentObject<'a>>,
    #[serde(skip_serializing_if = "is_false")]
    truncated: bool,
}

/// Whether to leave a flag out: it stands only where it says something.
fn is_false(flag: &bool) -> bool {
    !flag
}

/// A segment in OpenAI's shape ("The transcription object, Verbose JSON"), as it is serialized.
#[derive(Debug, Serialize)]
pub struct SegmentObject<'a> {
    id: usize,
    seek: u64,
    start: f64,
    end: f64,
    text: &'a str,
    tokens: &'a [u32],
    temperature: f64,
    avg_logprob: f64,
    compression_ratio: f64,
    no_speech_prob: f64,
}

impl<'a> SegmentObject<'a> {
    /// The segment with this number, counted from 0.
    pub fn of((id, segment): (usize, &'a Segment)) -> Self {
        SegmentObject {
            id,
            seek: hundredths(segment.start),
            start: segment.start.seconds(),
            end: segment.end.seconds(),
            text: &segment.text,
            tokens: &segment.tokens,
            // Decoding is greedy.
            temperature: 0.0,
            avg_logprob: rounded(segment.avg_logprob),
            compression_ratio: rounded(segment.compression_ratio),
            no_speech_prob: rounded(segment.no_speech_prob),
        }
    }
}

#[derive(Serialize)]
struct WordObject<'a> {
    word: &'a str,
    start: f64,
    end: f64,
    probability: f64,
}

impl<'a> WordObject<'a> {
    fn of(word: &'a Word) -> Self {
        WordObject {
            word: &word.text,
            start: word.start.seconds(),
            end: word.end.seconds(),
            probability: rounded(word.probability),
        }
    }
}

/// Where in the sound a segment was read, in the 10 ms that OpenAI counts `seek` in.
fn hundredths(time: Milliseconds) -> u64 {
    time.0 / 10
}

/// Four decimals; zero for what is no number, which JSON cannot tell.
fn rounded(value: f32) -> f64 {
    match value.is_finite() {
        true => (f64::from(value) * 1e4).round() / 1e4,
        false => 0.0,
    }
}

/// Appends `object` on a line. Control characters that JSON allows in strings are escaped
/// too, so that a file's name cannot reach a terminal as a command.
fn push_line(object: &impl Serialize, out: &mut String) {
    let json = serde_json::to_string(object)
        .expect("structs of strings and finite numbers always have a JSON form");
    for character in json.chars() {
        match earnest_printable::is_printable(character) {
            true => out.push(character),
            false => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{failed, file, options, segment, word, write};

    fn verbose_segment() -> Segment {
        Segment {
            tokens: vec![5, 66, 777],
            avg_logprob: -0.123_456,
            compression_ratio: 0.75,
            no_speech_prob: 0.031_25,
            words: vec![word(1_230, 1_500, "Hello,"), word(1_600, 2_040, "world.")],
            ..segment(1_230, 2_050, "Hello, world.")
        }
    }

    #[test]
    fn the_brief_object_has_the_text_alone() {
        let files = [file(
            "a.wav",
            vec![segment(0, 9, "One."), segment(9, 18, "Two.")],
        )];
        let mut format = Json::brief(options(false, false));
        assert_eq!(write(&mut format, &files), "{\"text\":\"One. Two.\"}\n");
    }

    #[test]
    fn with_several_files_each_object_names_its_own() {
        let files = [
            file("a \"b\".wav", vec![segment(0, 9, "One.")]),
            failed("broken.wav", vec![segment(0, 9, "Lost.")]),
            file("quiet.wav", vec![]),
        ];
        let mut format = Json::brief(options(true, false));
        assert_eq!(
            write(&mut format, &files),
            "{\"file\":\"a \\\"b\\\".wav\",\"text\":\"One.\"}\n\
             {\"file\":\"quiet.wav\",\"text\":\"\"}\n"
        );
    }

    #[test]
    fn the_verbose_object_is_openais() {
        let files = [file("a.wav", vec![verbose_segment()])];
        let mut format = Json::verbose(options(false, false));
        assert_eq!(
            write(&mut format, &files),
            "{\"task\":\"transcribe\",\"language\":\"english\",\"duration\":60.0,\
             \"text\":\"Hello, world.\",\"segments\":[{\"id\":0,\"seek\":123,\"start\":1.23,\
             \"end\":2.05,\"text\":\"Hello, world.\",\"tokens\":[5,66,777],\
             \"temperature\":0.0,\"avg_logprob\":-0.1235,\"compression_ratio\":0.75,\
             \"no_speech_prob\":0.0313}]}\n"
        );
    }

    #[test]
    fn words_stand_beside_the_segments() {
        let files = [file("a.wav", vec![verbose_segment()])];
        let mut format = Json::verbose(options(false, true));
        let json: serde_json::Value = serde_json::from_str(&write(&mut format, &files)).unwrap();
        assert_eq!(
            json["words"],
            serde_json::json!([
                {"word": "Hello,", "start": 1.23, "end": 1.5, "probability": 0.5},
                {"word": "world.", "start": 1.6, "end": 2.04, "probability": 0.5},
            ])
        );
    }

    #[test]
    fn asked_for_words_of_silence_are_an_empty_list() {
        let mut format = Json::verbose(options(false, true));
        let json = write(&mut format, &[file("a.wav", vec![])]);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["words"], serde_json::json!([]));
        assert_eq!(json["segments"], serde_json::json!([]));
        assert_eq!(json["text"], "");
    }

    #[test]
    fn no_control_character_is_written_raw_and_none_is_lost() {
        let name = "\u{1b}[31m\u{9b}\u{202e}\u{e0041}\u{7f}é.wav";
        let mut format = Json::brief(options(true, false));
        let line = write(&mut format, &[file(name, vec![])]);
        assert!(line.trim_end().chars().all(earnest_printable::is_printable));
        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(json["file"], name);
    }

    #[test]
    fn a_transcript_cut_at_the_bound_says_so() {
        let mut format = Json::brief(options(false, false));
        let mut out = String::new();
        format.begin("a.wav", &mut out);
        format.held.segments = vec![segment(0, 1, ""); MAX_SEGMENTS];
        format.segment(segment(1, 2, "Lost."), &mut out);
        format.held.segments.truncate(1);
        let ending = Ending {
            duration: Milliseconds(2),
            complete: true,
        };
        format.end(ending, &mut out);
        assert_eq!(out, "{\"text\":\"\",\"truncated\":true}\n");
    }

    #[test]
    fn what_is_no_number_is_written_as_zero() {
        let broken = Segment {
            avg_logprob: f32::NEG_INFINITY,
            compression_ratio: f32::NAN,
            ..verbose_segment()
        };
        let mut format = Json::verbose(options(false, false));
        let json = write(&mut format, &[file("a.wav", vec![broken])]);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["segments"][0]["avg_logprob"], 0.0);
        assert_eq!(json["segments"][0]["compression_ratio"], 0.0);
    }
}
