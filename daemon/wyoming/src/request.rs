//! What a client's event means to a recogniser.

use std::fmt;

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::event::Event;

/// Most bytes of a name, a language or a ping's text.
pub const MAX_NAME_BYTES: usize = 256;

/// What a client asks of a recogniser.
#[derive(Clone, PartialEq)]
pub enum Request {
    /// `describe`: what is there?
    Describe,
    /// `transcribe`: the sound that follows is to be written down.
    Transcribe {
        /// The model's name.
        name: Option<String>,
        /// The language that is spoken.
        language: Option<String>,
    },
    /// `audio-start`: sound follows.
    AudioStart(AudioFormat),
    /// `audio-chunk`: the next sound.
    AudioChunk {
        /// What it is.
        format: AudioFormat,
        /// Its samples, little endian, channels side by side.
        sound: Bytes,
    },
    /// `audio-stop`: that was all of it.
    AudioStop,
    /// `ping`: are you there?
    Ping {
        /// What the answer is to repeat.
        text: Option<String>,
    },
    /// Something that a recogniser is not asked, or does not know.
    Other,
}

/// What samples are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudioFormat {
    /// Frames a second, not zero.
    pub rate: u32,
    /// Bytes of a sample, not zero.
    pub width: u8,
    /// Channels, not zero.
    pub channels: u16,
}

impl Request {
    /// What an event means.
    ///
    /// # Errors
    ///
    /// When a known event does not say what it must.
    pub fn of(event: Event) -> Result<Request, RequestError> {
        let Event {
            kind,
            data,
            payload,
        } = event;
        Ok(match kind.as_str() {
            "describe" => Request::Describe,
            "transcribe" => Request::Transcribe {
                name: text(&data, "transcribe", "name")?,
                language: text(&data, "transcribe", "language")?,
            },
            "audio-start" => Request::AudioStart(format(&data, "audio-start")?),
            "audio-chunk" => Request::AudioChunk {
                format: format(&data, "audio-chunk")?,
                sound: payload,
            },
            "audio-stop" => Request::AudioStop,
            "ping" => Request::Ping {
                text: text(&data, "ping", "text")?,
            },
            _ => Request::Other,
        })
    }

    /// The event that means this; none for what means nothing.
    pub fn event(&self) -> Option<Event> {
        Some(match self {
            Request::Describe => Event::new("describe"),
            Request::Transcribe { name, language } => {
                let event = Event::new("transcribe").with("name", name.clone());
                event.with("language", language.clone())
            }
            Request::AudioStart(format) => with_format(Event::new("audio-start"), *format),
            Request::AudioChunk { format, sound } => Event {
                payload: sound.clone(),
                ..with_format(Event::new("audio-chunk"), *format)
            },
            Request::AudioStop => Event::new("audio-stop"),
            Request::Ping { text } => Event::new("ping").with("text", text.clone()),
            Request::Other => return None,
        })
    }
}

/// A text that may be missing or null.
fn text(
    data: &Map<String, Value>,
    event: &'static str,
    field: &'static str,
) -> Result<Option<String>, RequestError> {
    match data.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= MAX_NAME_BYTES => Ok(Some(text.clone())),
        Some(_) => Err(RequestError {
            event,
            field,
            expected: "a text of at most 256 bytes",
        }),
    }
}

fn format(data: &Map<String, Value>, event: &'static str) -> Result<AudioFormat, RequestError> {
    let number = |field: &'static str| {
        let number = data.get(field).and_then(Value::as_u64);
        number.filter(|number| *number > 0).ok_or(RequestError {
            event,
            field,
            expected: "a whole number above zero",
        })
    };
    let small = |field: &'static str| RequestError {
        event,
        field,
        expected: "a number that sound can have",
    };
    Ok(AudioFormat {
        rate: u32::try_from(number("rate")?).map_err(|_| small("rate"))?,
        width: u8::try_from(number("width")?).map_err(|_| small("width"))?,
        channels: u16::try_from(number("channels")?).map_err(|_| small("channels"))?,
    })
}

fn with_format(event: Event, format: AudioFormat) -> Event {
    let event = event.with("rate", format.rate).with("width", format.width);
    event.with("channels", format.channels)
}

/// Without texts and sound.
impl fmt::Debug for Request {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Request::Describe => formatter.write_str("Describe"),
            Request::Transcribe { .. } => formatter.write_str("Transcribe"),
            Request::AudioStart(format) => write!(formatter, "AudioStart({format:?})"),
            Request::AudioChunk { format, sound } => {
                write!(formatter, "AudioChunk({format:?}, {} bytes)", sound.len())
            }
            Request::AudioStop => formatter.write_str("AudioStop"),
            Request::Ping { .. } => formatter.write_str("Ping"),
            Request::Other => formatter.write_str("Other"),
        }
    }
}

/// Why a known event is not what it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` of `{event}` must be {expected}")]
pub struct RequestError {
    /// The event.
    pub event: &'static str,
    /// What of it.
    pub field: &'static str,
    /// What it must be.
    pub expected: &'static str,
}
