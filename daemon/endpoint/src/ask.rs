//! The fields of OpenAI's transcription form, and what they ask for.
//!
//! Fields come in any order, and unknown ones are ignored, as OpenAI ignores them. Fields that
//! steer a model of theirs and none of ours are read and checked where OpenAI states their
//! values, and change nothing.

use earnest_channel::{Job, SoundKind, Task};
use earnest_transcript::FormatName;

use crate::answer::Granularities;
use crate::models::ServedModel;
use crate::refusal::Refusal;

/// The fields that are read.
const KNOWN: [&str; 9] = [
    "model",
    "language",
    "languages",
    "languages[]",
    "response_format",
    "timestamp_granularities",
    "timestamp_granularities[]",
    "stream",
    "temperature",
];

/// What a form asks for, as far as it has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ask {
    model: Option<()>,
    format: Option<FormatName>,
    segments: bool,
    words: bool,
    stream: Option<bool>,
    languages: Languages,
}

/// What is known of the languages that may be spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Languages {
    /// Nothing.
    #[default]
    Any,
    /// English is among them.
    English,
    /// All of them were others so far.
    Others,
}

/// A whole form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wish {
    /// The shape of the answer.
    pub(crate) format: FormatName,
    /// Which parts a verbose answer has.
    pub(crate) parts: Granularities,
    /// Whether the answer comes as server-sent events.
    pub(crate) stream: bool,
}

impl Wish {
    /// What the worker has to do for it.
    pub(crate) fn job(&self) -> Job {
        Job {
            kind: SoundKind::Container,
            task: Task::Transcribe {
                words: match self.stream {
                    true => false,
                    // Subtitles are cut at the words where they are known.
                    false => {
                        self.format.is_subtitles()
                            || (self.format == FormatName::VerboseJson && self.parts.words)
                    }
                },
            },
        }
    }
}

impl Ask {
    /// Whether a field of this name is read at all.
    pub(crate) fn knows(name: &str) -> bool {
        KNOWN.contains(&name)
    }

    /// Takes a field.
    ///
    /// # Errors
    ///
    /// When its value is none that is taken.
    pub(crate) fn take(
        &mut self,
        name: &str,
        value: &str,
        model: &ServedModel,
    ) -> Result<(), Refusal> {
        match name {
            "model" => match model.answers_to(value) {
                true => self.model = Some(()),
                false => return Err(Refusal::ModelNotFound),
            },
            "language" => match is_english(value) || value.is_empty() {
                true => {}
                false => return Err(Refusal::UnsupportedLanguage { param: "language" }),
            },
            "languages" | "languages[]" => {
                self.languages = match is_english(value) || self.languages == Languages::English {
                    true => Languages::English,
                    false => Languages::Others,
                }
            }
            // What was promised to the worker by the first value would be broken by a second.
            "response_format" if self.format.is_some() => return Err(twice("response_format")),
            "stream" if self.stream.is_some() => return Err(twice("stream")),
            "response_format" => self.format = Some(format(value)?),
            "timestamp_granularities" | "timestamp_granularities[]" => match value {
                "word" => self.words = true,
                "segment" => self.segments = true,
                _ => {
                    return Err(Refusal::Invalid {
                        param: "timestamp_granularities",
                        expected: "'word' or 'segment'",
                    });
                }
            },
            "stream" => self.stream = Some(boolean("stream", value)?),
            "temperature" => temperature(value)?,
            _ => {}
        }
        Ok(())
    }

    /// Whether what the worker has to do is certain, though fields may still come: the sound
    /// need not wait for them then.
    pub(crate) fn is_settled(&self) -> bool {
        self.model.is_some()
            && match self.format {
                None => false,
                Some(FormatName::VerboseJson) => self.words,
                Some(_) => true,
            }
    }

    /// The whole of it.
    ///
    /// # Errors
    ///
    /// When something is missing, or parts contradict each other.
    pub(crate) fn wish(&self) -> Result<Wish, Refusal> {
        if self.model.is_none() {
            return Err(Refusal::Missing { param: "model" });
        }
        if self.languages == Languages::Others {
            return Err(Refusal::UnsupportedLanguage { param: "languages" });
        }
        Ok(self.wish_so_far())
    }

    /// What is asked for if nothing else comes.
    pub(crate) fn wish_so_far(&self) -> Wish {
        Wish {
            format: self.format.unwrap_or(FormatName::Json),
            parts: Granularities {
                segments: self.segments || !self.words,
                words: self.words,
            },
            stream: self.stream.unwrap_or(false),
        }
    }
}

/// A field that is to be given once.
fn twice(param: &'static str) -> Refusal {
    Refusal::Invalid {
        param,
        expected: "given once",
    }
}

/// English by its code (ISO 639-1, 639-3), with a region or without, or by its name.
pub(crate) fn is_english(value: &str) -> bool {
    let primary = value.split(['-', '_']).next().unwrap_or(value);
    ["en", "eng", "english"]
        .iter()
        .any(|name| primary.eq_ignore_ascii_case(name))
}

fn format(value: &str) -> Result<FormatName, Refusal> {
    Ok(match value {
        "json" => FormatName::Json,
        "text" => FormatName::Text,
        "srt" => FormatName::Srt,
        "vtt" => FormatName::Vtt,
        "verbose_json" => FormatName::VerboseJson,
        _ => {
            return Err(Refusal::Invalid {
                param: "response_format",
                expected: "'json', 'text', 'srt', 'vtt' or 'verbose_json'",
            });
        }
    })
}

/// A truth as forms write it. JavaScript and Python clients differ in case.
pub(crate) fn boolean(param: &'static str, value: &str) -> Result<bool, Refusal> {
    match value {
        "true" | "True" | "1" => Ok(true),
        "false" | "False" | "0" => Ok(false),
        _ => Err(Refusal::Invalid {
            param,
            expected: "'true' or 'false'",
        }),
    }
}

/// Decoding is greedy whatever the temperature; it is checked as OpenAI states it.
fn temperature(value: &str) -> Result<(), Refusal> {
    match value.parse::<f64>() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(()),
        _ => Err(Refusal::Invalid {
            param: "temperature",
            expected: "a number from 0 to 1",
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn model() -> ServedModel {
        ServedModel {
            id: "moonshine-tiny-en".to_owned(),
            owner: String::new(),
            created: 0,
        }
    }

    fn ask(fields: &[(&str, &str)]) -> Result<Wish, Refusal> {
        let mut ask = Ask::default();
        for (name, value) in fields {
            ask.take(name, value, &model())?;
        }
        ask.wish()
    }

    fn wish(fields: &[(&str, &str)]) -> Wish {
        ask(fields).expect("a good form")
    }

    fn code(fields: &[(&str, &str)]) -> String {
        let refusal = ask(fields).expect_err("a bad form");
        let error = refusal.object("req_1").error;
        format!(
            "{} {}",
            error.code.unwrap_or_default(),
            error.param.unwrap_or_default()
        )
    }

    #[test]
    fn a_model_is_all_that_is_needed() {
        let wish = wish(&[("model", "whisper-1")]);
        assert_eq!(wish.format, FormatName::Json);
        assert!(wish.parts.segments && !wish.parts.words && !wish.stream);
        assert!(!wish.job().task.wants_words());
    }

    #[test]
    fn fields_mean_the_same_in_any_order() {
        let mut fields = [
            ("model", "whisper-1"),
            ("response_format", "verbose_json"),
            ("timestamp_granularities[]", "word"),
            ("language", "en"),
        ];
        let expected = wish(&fields);
        for _ in 0..fields.len() {
            fields.rotate_left(1);
            assert_eq!(wish(&fields), expected);
        }
        assert!(expected.job().task.wants_words());
    }

    #[test]
    fn words_are_given_and_worked_out_only_where_they_are_asked_for() {
        let granularities = |values: &[&str]| {
            let mut fields = vec![("model", "whisper-1"), ("response_format", "verbose_json")];
            fields.extend(
                values
                    .iter()
                    .map(|value| ("timestamp_granularities[]", *value)),
            );
            let parts = wish(&fields).parts;
            (parts.segments, parts.words)
        };
        assert_eq!(granularities(&[]), (true, false));
        assert_eq!(granularities(&["segment"]), (true, false));
        assert_eq!(granularities(&["word"]), (false, true));
        assert_eq!(granularities(&["word", "segment"]), (true, true));
        let brief = wish(&[
            ("model", "whisper-1"),
            ("timestamp_granularities[]", "word"),
        ]);
        assert!(!brief.job().task.wants_words());
    }

    #[test]
    fn values_that_are_not_taken_are_named() {
        let model = ("model", "whisper-1");
        assert_eq!(code(&[]), "missing_required_parameter model");
        assert_eq!(code(&[("model", "gpt-5")]), "model_not_found model");
        assert_eq!(
            code(&[model, ("language", "de")]),
            "unsupported_language language"
        );
        assert_eq!(
            code(&[model, ("languages[]", "de"), ("languages[]", "fr")]),
            "unsupported_language languages"
        );
        for (name, value) in [
            ("response_format", "xml"),
            ("response_format", "diarized_json"),
            ("stream", "perhaps"),
            ("temperature", "NaN"),
            ("temperature", "2"),
        ] {
            assert_eq!(
                code(&[model, (name, value)]),
                format!("invalid_value {name}")
            );
        }
        assert_eq!(
            code(&[model, ("timestamp_granularities[]", "letter")]),
            "invalid_value timestamp_granularities"
        );
    }

    #[test]
    fn english_has_several_names() {
        for language in ["en", "EN", "en-US", "en_GB", "english", "eng"] {
            wish(&[("model", "whisper-1"), ("language", language)]);
        }
        wish(&[
            ("model", "whisper-1"),
            ("languages[]", "de"),
            ("languages[]", "en"),
            ("languages[]", "fr"),
        ]);
    }

    proptest! {
        #[test]
        fn unknown_fields_change_nothing(name in "x_[a-z]{0,20}", value in ".{0,40}") {
            let with = wish(&[("model", "whisper-1"), (name.as_str(), value.as_str())]);
            prop_assert_eq!(with, wish(&[("model", "whisper-1")]));
        }

        #[test]
        fn a_settled_form_asks_the_worker_for_what_the_whole_form_does(
            fields in proptest::collection::vec(
                prop_oneof![
                    Just(("model", "whisper-1")),
                    Just(("response_format", "json")),
                    Just(("response_format", "srt")),
                    Just(("response_format", "verbose_json")),
                    Just(("timestamp_granularities[]", "word")),
                    Just(("timestamp_granularities[]", "segment")),
                    Just(("stream", "true")),
                ],
                0..8,
            ),
        ) {
            let mut ask = Ask::default();
            let mut seen = Vec::new();
            let mut settled: Option<Job> = None;
            for (name, value) in fields {
                let again = seen.contains(&name) && ["response_format", "stream"].contains(&name);
                seen.push(name);
                prop_assert_eq!(ask.take(name, value, &model()).is_err(), again);
                if ask.is_settled() && settled.is_none() {
                    settled = Some(ask.wish_so_far().job());
                }
            }
            if let Some(job) = settled {
                let later = ask.wish_so_far().job();
                prop_assert!(job.task.wants_words() >= later.task.wants_words());
            }
        }
    }
}
