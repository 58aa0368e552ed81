//! How a session is set up, and how it says so.

use std::time::Duration;

use earnest_channel::{Encoding, MAX_LIVE_SILENCE, MIN_LIVE_SILENCE, SoundKind};
use serde_json::{Value, json};

use super::g711::{self, Law};
use super::intake::{Fault, Format as FormatOf, Session, Transcription, TurnDetection, Update};
use crate::ask::is_english;
use crate::models::ServedModel;

/// The silence that ends an utterance where nothing is said of it: OpenAI's.
const SILENCE: Duration = Duration::from_millis(500);

/// The rate of sound where nothing is said of it: OpenAI's.
const RATE: u32 = 24_000;

/// Rates that microphones have.
const RATES: std::ops::RangeInclusive<u32> = 8_000..=192_000;

/// OpenAI's names for models that write down as they hear. They mean the model that is served,
/// as others do that any request may name.
const LIVE_ALIASES: [&str; 2] = ["gpt-realtime-whisper", "gpt-live-transcribe"];

/// In which shape events are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The current one.
    Current,
    /// The beta's.
    Beta,
}

/// What the sound is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Samples of 16 bits, little endian, of one channel.
    Pcm {
        /// Samples a second.
        rate: u32,
    },
    /// That of telephones.
    G711(Law),
}

/// What ends an utterance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// A silence so long.
    Silence(Duration),
    /// The client.
    Commit,
}

/// How a session is set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Settings {
    shape: Shape,
    format: Format,
    turn: Turn,
    /// One of the names of the model that is served.
    model: String,
    is_english: bool,
}

/// Whether this is a name of the model that is served.
pub(crate) fn is_model(served: &ServedModel, name: &str) -> bool {
    served.answers_to(name) || LIVE_ALIASES.contains(&name)
}

impl Settings {
    pub(crate) fn new(shape: Shape, model: String) -> Settings {
        Settings {
            shape,
            format: Format::Pcm { rate: RATE },
            turn: Turn::Silence(SILENCE),
            model,
            is_english: false,
        }
    }

    pub(crate) fn shape(&self) -> Shape {
        self.shape
    }

    pub(crate) fn format(&self) -> Format {
        self.format
    }

    pub(crate) fn turn(&self) -> Turn {
        self.turn
    }

    /// Whether sound of one is heard otherwise than of the other.
    pub(crate) fn hears_otherwise(&self, other: &Settings) -> bool {
        self.format != other.format || self.turn != other.turn
    }

    /// The settings with what an update says, and as they were in everything else.
    ///
    /// # Errors
    ///
    /// When something of it cannot be had. Then all is as it was.
    pub(crate) fn updated(&self, update: &Update, served: &ServedModel) -> Result<Settings, Fault> {
        let mut new = self.clone();
        match update {
            Update::Current(session) => new.current(session, served)?,
            Update::Beta(session) => new.beta(session, served)?,
        }
        Ok(new)
    }

    fn current(&mut self, session: &Session, served: &ServedModel) -> Result<(), Fault> {
        self.shape = Shape::Current;
        if session.r#type.as_deref() != Some("transcription") {
            return Err(Fault::invalid(
                "session.type",
                "Sessions here are of type 'transcription'.",
            ));
        }
        let Some(input) = session
            .audio
            .as_ref()
            .and_then(|audio| audio.input.as_ref())
        else {
            return Ok(());
        };
        if let Some(format) = &input.format {
            self.format = current_format(format)?;
        }
        let places = ["session.audio.input.transcription.model", LANGUAGE_PLACE];
        self.transcribe(input.transcription.as_ref(), places, served)?;
        if let Some(turn) = &input.turn_detection {
            self.turn = turn_of(turn.as_ref(), "session.audio.input.turn_detection")?;
        }
        Ok(())
    }

    fn beta(&mut self, session: &Session, served: &ServedModel) -> Result<(), Fault> {
        self.shape = Shape::Beta;
        if let Some(format) = &session.input_audio_format {
            self.format = match format.as_str() {
                "pcm16" => Format::Pcm { rate: RATE },
                "g711_ulaw" => Format::G711(Law::Mu),
                "g711_alaw" => Format::G711(Law::A),
                _ => {
                    return Err(Fault::invalid(
                        "session.input_audio_format",
                        "Taken are 'pcm16', 'g711_ulaw' and 'g711_alaw'.",
                    ));
                }
            };
        }
        let places = [
            "session.input_audio_transcription.model",
            "session.input_audio_transcription.language",
        ];
        self.transcribe(session.input_audio_transcription.as_ref(), places, served)?;
        if let Some(turn) = &session.turn_detection {
            self.turn = turn_of(turn.as_ref(), "session.turn_detection")?;
        }
        Ok(())
    }

    fn transcribe(
        &mut self,
        asked: Option<&Transcription>,
        [model, language]: [&'static str; 2],
        served: &ServedModel,
    ) -> Result<(), Fault> {
        let Some(asked) = asked else { return Ok(()) };
        match &asked.model {
            Some(name) if is_model(served, name) => self.model.clone_from(name),
            Some(_) => {
                return Err(Fault {
                    code: "model_not_found",
                    param: Some(model),
                    message: "There is no such model; GET /v1/models tells which there are.",
                });
            }
            None => {}
        }
        match asked.language.as_deref() {
            None | Some("") => {}
            Some(name) if is_english(name) => self.is_english = true,
            Some(_) => {
                return Err(Fault {
                    code: "unsupported_language",
                    param: Some(language),
                    message: "The model hears English.",
                });
            }
        }
        Ok(())
    }

    /// The session as it is told: what holds, whatever was asked for.
    pub(crate) fn object(&self, id: &str) -> Value {
        let mut transcription = json!({"model": self.model, "prompt": ""});
        if self.is_english {
            transcription["language"] = "en".into();
        }
        match self.shape {
            Shape::Current => json!({
                "id": id,
                "object": "realtime.transcription_session",
                "type": "transcription",
                "audio": {"input": {
                    "format": self.format.object(),
                    "transcription": transcription,
                    "noise_reduction": null,
                    "turn_detection": self.turn.object(),
                }},
                "include": null,
            }),
            Shape::Beta => json!({
                "id": id,
                "object": "realtime.transcription_session",
                "input_audio_format": self.format.beta(),
                "input_audio_transcription": transcription,
                "input_audio_noise_reduction": null,
                "turn_detection": self.turn.object(),
                "include": null,
            }),
        }
    }
}

const LANGUAGE_PLACE: &str = "session.audio.input.transcription.language";

fn current_format(format: &FormatOf) -> Result<Format, Fault> {
    let rate = format.rate.unwrap_or(RATE);
    match format.r#type.as_deref() {
        Some("audio/pcm") if RATES.contains(&rate) => Ok(Format::Pcm { rate }),
        Some("audio/pcm") => Err(Fault::invalid(
            "session.audio.input.format.rate",
            "Rates are from 8000 to 192000.",
        )),
        Some("audio/pcmu") => Ok(Format::G711(Law::Mu)),
        Some("audio/pcma") => Ok(Format::G711(Law::A)),
        _ => Err(Fault::invalid(
            "session.audio.input.format.type",
            "Taken are 'audio/pcm', 'audio/pcmu' and 'audio/pcma'.",
        )),
    }
}

fn turn_of(turn: Option<&TurnDetection>, place: &'static str) -> Result<Turn, Fault> {
    let Some(turn) = turn else {
        return Ok(Turn::Commit);
    };
    if turn.r#type.as_deref() != Some("server_vad") {
        return Err(Fault::invalid(
            place,
            "Turns are found by 'server_vad', or, with null, by the client.",
        ));
    }
    let Some(silence) = turn.silence_duration_ms else {
        return Ok(Turn::Silence(SILENCE));
    };
    match (u64::from(MIN_LIVE_SILENCE)..=u64::from(MAX_LIVE_SILENCE)).contains(&silence) {
        true => Ok(Turn::Silence(Duration::from_millis(silence))),
        false => Err(Fault::invalid(
            place,
            "A silence_duration_ms is from 200 to 5000.",
        )),
    }
}

impl Format {
    /// What a worker takes.
    pub(crate) fn kind(self) -> SoundKind {
        SoundKind::Raw {
            rate: match self {
                Format::Pcm { rate } => rate,
                Format::G711(_) => g711::RATE,
            },
            channels: 1,
            encoding: Encoding::S16Le,
        }
    }

    fn object(self) -> Value {
        match self {
            Format::Pcm { rate } => json!({"type": "audio/pcm", "rate": rate}),
            Format::G711(Law::Mu) => json!({"type": "audio/pcmu"}),
            Format::G711(Law::A) => json!({"type": "audio/pcma"}),
        }
    }

    fn beta(self) -> &'static str {
        match self {
            Format::Pcm { .. } => "pcm16",
            Format::G711(Law::Mu) => "g711_ulaw",
            Format::G711(Law::A) => "g711_alaw",
        }
    }
}

impl Turn {
    /// With the detector's own threshold and the sound that it keeps before speech, which are not
    /// set here.
    fn object(self) -> Value {
        match self {
            Turn::Commit => Value::Null,
            Turn::Silence(silence) => json!({
                "type": "server_vad",
                "threshold": 0.5,
                "prefix_padding_ms": 300,
                // It is at most 5 s.
                "silence_duration_ms": u64::try_from(silence.as_millis()).unwrap_or(u64::MAX),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::intake::{Asked, Message};
    use super::*;

    fn served() -> ServedModel {
        ServedModel {
            id: "moonshine-tiny-en".to_owned(),
            owner: "useful-sensors".to_owned(),
            created: 0,
        }
    }

    fn update(settings: &Settings, text: &Value) -> Result<Settings, Fault> {
        let message = Message::read(text.to_string().as_bytes());
        match message.asked.expect("a good message") {
            Asked::Update(update) => settings.updated(&update, &served()),
            other => panic!("{other:?}"),
        }
    }

    fn fresh() -> Settings {
        Settings::new(Shape::Current, "whisper-1".to_owned())
    }

    fn current(input: Value) -> Value {
        let session = json!({"type": "transcription", "audio": {"input": input}});
        json!({"type": "session.update", "session": session})
    }

    #[test]
    fn a_session_is_what_its_updates_said_and_the_rest_as_it_was() {
        let asked = current(json!({
            "format": {"type": "audio/pcm", "rate": 16000},
            "transcription": {"model": "gpt-4o-transcribe", "language": "en-GB"},
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 800},
            "noise_reduction": {"type": "near_field"},
        }));
        let settings = update(&fresh(), &asked).expect("it can be had");
        assert_eq!(settings.format(), Format::Pcm { rate: 16_000 });
        let silence = Duration::from_millis(800);
        assert_eq!(settings.turn(), Turn::Silence(silence));
        let told = settings.object("sess_1");
        let input = &told["audio"]["input"];
        assert_eq!(input["transcription"]["model"], "gpt-4o-transcribe");
        assert_eq!(input["transcription"]["language"], "en");
        assert_eq!(input["turn_detection"]["silence_duration_ms"], 800);
        let asked = current(json!({"turn_detection": null}));
        let settings = update(&settings, &asked).expect("it can be had");
        assert_eq!(settings.turn(), Turn::Commit);
        assert_eq!(settings.format(), Format::Pcm { rate: 16_000 });
        let bare = json!({"type": "session.update", "session": {"type": "transcription"}});
        assert_eq!(update(&settings, &bare), Ok(settings));
    }

    #[test]
    fn the_beta_shape_is_taken_and_told() {
        let asked = json!({"type": "transcription_session.update", "session": {
            "input_audio_format": "g711_ulaw",
            "input_audio_transcription": {"model": "whisper-1"},
            "turn_detection": {"type": "server_vad"},
        }});
        let settings = update(&fresh(), &asked).expect("it can be had");
        assert_eq!(settings.format(), Format::G711(Law::Mu));
        let told = settings.object("sess_1");
        assert_eq!(told["input_audio_format"], "g711_ulaw");
        assert_eq!(told["turn_detection"]["silence_duration_ms"], 500);
        assert!(told.get("audio").is_none());
    }

    #[test]
    fn what_cannot_be_had_is_told_by_its_place() {
        let check = |asked: Value, code: &str, param: &str| {
            let fault = update(&fresh(), &asked).expect_err("it cannot be had");
            assert_eq!((fault.code, fault.param), (code, Some(param)), "{asked}");
        };
        let input = |input: Value, code, param: &str| {
            check(
                current(input),
                code,
                &format!("session.audio.input.{param}"),
            );
        };
        let invalid = "invalid_value";
        let format = |format: Value| json!({ "format": format });
        input(
            format(json!({"type": "audio/opus"})),
            invalid,
            "format.type",
        );
        let rate = json!({"type": "audio/pcm", "rate": 1});
        input(format(rate), invalid, "format.rate");
        input(
            json!({"turn_detection": {"type": "semantic_vad"}}),
            invalid,
            "turn_detection",
        );
        let long = json!({"type": "server_vad", "silence_duration_ms": 60_000});
        input(json!({"turn_detection": long}), invalid, "turn_detection");
        input(
            json!({"transcription": {"model": "gpt-realtime"}}),
            "model_not_found",
            "transcription.model",
        );
        input(
            json!({"transcription": {"language": "de"}}),
            "unsupported_language",
            "transcription.language",
        );
        let speaks = json!({"type": "session.update", "session": {"type": "realtime"}});
        check(speaks, invalid, "session.type");
        let beta = json!({"type": "transcription_session.update",
                          "session": {"input_audio_format": "opus"}});
        check(beta, invalid, "session.input_audio_format");
    }

    #[test]
    fn every_format_is_sound_that_a_worker_takes() {
        let raw = |rate| SoundKind::Raw {
            rate,
            channels: 1,
            encoding: Encoding::S16Le,
        };
        assert_eq!(fresh().format().kind(), raw(24_000));
        assert_eq!(Format::G711(Law::A).kind(), raw(8_000));
    }
}
