//! What a recogniser answers.

use std::fmt;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::event::Event;

/// What a recogniser says.
#[derive(Clone, PartialEq)]
pub enum Reply {
    /// `info`: what is there.
    Info(Info),
    /// `transcript-start`: text follows in pieces.
    TranscriptStart {
        /// The language that it is in.
        language: String,
    },
    /// `transcript-chunk`: the next piece.
    TranscriptChunk {
        /// What follows the pieces before it, with the space between them.
        text: String,
    },
    /// `transcript`: the whole text, for whoever takes no pieces, too.
    Transcript {
        /// What was said.
        text: String,
        /// The language that it is in.
        language: String,
    },
    /// `transcript-stop`: that was all of it.
    TranscriptStop,
    /// `pong`.
    Pong {
        /// The ping's text.
        text: Option<String>,
    },
    /// `error`.
    Error {
        /// For people.
        text: String,
        /// For programs.
        code: String,
    },
}

/// What there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// The recogniser's name.
    pub name: String,
    /// What it is, for people.
    pub description: String,
    /// Its version.
    pub version: String,
    /// Who made it.
    pub attribution: Attribution,
    /// Its models.
    pub models: Vec<Model>,
}

/// A model that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// What it is, for people.
    pub description: String,
    /// Its version, where it has one.
    pub version: Option<String>,
    /// Who made it.
    pub attribution: Attribution,
    /// The languages that it hears, as BCP 47 has them.
    pub languages: Vec<String>,
}

/// Who made something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribution {
    /// Their name.
    pub name: String,
    /// Where it is from. The protocol wants a text; it may be empty.
    pub url: String,
}

impl Reply {
    /// The event that says this.
    pub fn event(&self) -> Event {
        match self {
            Reply::Info(info) => info.event(),
            Reply::TranscriptStart { language } => {
                Event::new("transcript-start").with("language", language.as_str())
            }
            Reply::TranscriptChunk { text } => {
                Event::new("transcript-chunk").with("text", text.as_str())
            }
            Reply::Transcript { text, language } => {
                let event = Event::new("transcript").with("text", text.as_str());
                event.with("language", language.as_str())
            }
            Reply::TranscriptStop => Event::new("transcript-stop"),
            Reply::Pong { text } => Event::new("pong").with("text", text.clone()),
            Reply::Error { text, code } => {
                let event = Event::new("error").with("text", text.as_str());
                event.with("code", code.as_str())
            }
        }
    }

    /// The event as it crosses the wire.
    pub fn encode(&self) -> Bytes {
        self.event().encode()
    }
}

impl Info {
    /// A reader may want every kind of program, so those that are not there are empty lists.
    fn event(&self) -> Event {
        let models: Vec<Value> = self.models.iter().map(Model::json).collect();
        let program = json!({
            "name": self.name,
            "description": self.description,
            "version": self.version,
            "installed": true,
            "attribution": self.attribution.json(),
            "models": models,
            "supports_transcript_streaming": true,
            // It finds the end of speech by itself; whoever cuts for it does no harm.
            "requires_external_vad": false,
        });
        ["tts", "handle", "intent", "wake", "mic", "snd"]
            .into_iter()
            .fold(
                Event::new("info").with("asr", vec![program]),
                |event, kind| event.with(kind, Value::Array(Vec::new())),
            )
    }
}

impl Model {
    fn json(&self) -> Value {
        json!({
            "name": self.name,
            "description": self.description,
            "version": self.version,
            "installed": true,
            "attribution": self.attribution.json(),
            "languages": self.languages,
        })
    }
}

impl Attribution {
    fn json(&self) -> Value {
        json!({"name": self.name, "url": self.url})
    }
}

/// Its kind alone: what it says is what somebody said.
impl fmt::Debug for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Reply::Info(_) => "Info",
            Reply::TranscriptStart { .. } => "TranscriptStart",
            Reply::TranscriptChunk { .. } => "TranscriptChunk",
            Reply::Transcript { .. } => "Transcript",
            Reply::TranscriptStop => "TranscriptStop",
            Reply::Pong { .. } => "Pong",
            Reply::Error { .. } => "Error",
        })
    }
}
