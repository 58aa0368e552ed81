//! What a client says.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use serde::{Deserialize, Deserializer};

/// The longest id of a client's event that is repeated in an error.
const MAX_EVENT_ID: usize = 128;

/// Base64 (RFC 4648, section 4), padded or not.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a client asks for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// Its session is to be another.
    Update(Box<Update>),
    /// The next sound, in the session's format.
    Append(Bytes),
    /// The sound so far is an utterance.
    Commit,
    /// The sound so far is nothing.
    Clear,
}

/// A message and its own id.
#[derive(Debug)]
pub(crate) struct Message {
    /// What it asks for.
    pub(crate) asked: Result<Asked, Fault>,
    /// What the client calls it.
    pub(crate) event_id: Option<String>,
}

/// What is wrong with a message. The connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    /// For programs.
    pub(crate) code: &'static str,
    /// Which part of the message.
    pub(crate) param: Option<&'static str>,
    /// For people.
    pub(crate) message: &'static str,
}

impl Fault {
    /// A value that is not taken.
    pub(crate) const fn invalid(param: &'static str, message: &'static str) -> Fault {
        Fault {
            code: "invalid_value",
            param: Some(param),
            message,
        }
    }
}

/// The members of all messages that are taken. Others are passed over, unread.
#[derive(Deserialize)]
struct Raw {
    r#type: String,
    #[serde(default)]
    event_id: Option<String>,
    #[serde(default)]
    audio: Option<String>,
    #[serde(default)]
    session: Option<Session>,
}

/// A session that is to be another, in the shape of its event.
#[derive(Debug)]
pub(crate) enum Update {
    /// `session.update`.
    Current(Session),
    /// `transcription_session.update`.
    Beta(Session),
}

/// What a session may say, in either shape. Members that are null or missing are told apart
/// where it matters.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Session {
    pub(crate) r#type: Option<String>,
    pub(crate) audio: Option<Audio>,
    pub(crate) input_audio_format: Option<String>,
    pub(crate) input_audio_transcription: Option<Transcription>,
    #[serde(deserialize_with = "present")]
    pub(crate) turn_detection: Option<Option<TurnDetection>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Audio {
    pub(crate) input: Option<Input>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Input {
    pub(crate) format: Option<Format>,
    pub(crate) transcription: Option<Transcription>,
    #[serde(deserialize_with = "present")]
    pub(crate) turn_detection: Option<Option<TurnDetection>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Format {
    pub(crate) r#type: Option<String>,
    pub(crate) rate: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Transcription {
    pub(crate) model: Option<String>,
    pub(crate) language: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TurnDetection {
    pub(crate) r#type: Option<String>,
    pub(crate) silence_duration_ms: Option<u64>,
}

/// A member that is there, though it be null.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

impl Message {
    /// Reads a message.
    pub(crate) fn read(text: &[u8]) -> Message {
        let Ok(raw) = serde_json::from_slice::<Raw>(text) else {
            return Message {
                asked: Err(Fault {
                    code: "invalid_json",
                    param: None,
                    message: "The message is no JSON object of an event that is taken here.",
                }),
                event_id: None,
            };
        };
        let id = raw.event_id.as_ref();
        let event_id = id.filter(|id| id.len() <= MAX_EVENT_ID).cloned();
        Message {
            asked: raw.asked(),
            event_id,
        }
    }
}

impl Raw {
    fn asked(self) -> Result<Asked, Fault> {
        let missing = Fault::invalid("session", "The event has a member `session`.");
        match self.r#type.as_str() {
            "input_audio_buffer.append" => append(self.audio.as_deref()),
            "input_audio_buffer.commit" => Ok(Asked::Commit),
            "input_audio_buffer.clear" => Ok(Asked::Clear),
            "session.update" => {
                let session = self.session.ok_or(missing)?;
                Ok(Asked::Update(Box::new(Update::Current(session))))
            }
            "transcription_session.update" => {
                let session = self.session.ok_or(missing)?;
                Ok(Asked::Update(Box::new(Update::Beta(session))))
            }
            _ => Err(Fault::invalid(
                "type",
                "Taken are session.update, transcription_session.update, \
                 input_audio_buffer.append, input_audio_buffer.commit and \
                 input_audio_buffer.clear.",
            )),
        }
    }
}

fn append(audio: Option<&str>) -> Result<Asked, Fault> {
    let audio = audio.ok_or(Fault::invalid("audio", "The event has a member `audio`."))?;
    let sound = BASE64.decode(audio).map_err(|_| Fault {
        code: "invalid_base64",
        param: Some("audio"),
        message: "The sound is not base64.",
    })?;
    Ok(Asked::Append(sound.into()))
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.code)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fault(text: &str) -> (&'static str, Option<&'static str>) {
        let fault = Message::read(text.as_bytes()).asked.expect_err(text);
        (fault.code, fault.param)
    }

    fn sound(audio: &str) -> Bytes {
        let text = format!(r#"{{"type":"input_audio_buffer.append","audio":"{audio}"}}"#);
        match Message::read(text.as_bytes()).asked {
            Ok(Asked::Append(sound)) => sound,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn sound_is_base64_with_its_padding_or_without() {
        assert_eq!(sound("AAEC"), [0, 1, 2].as_slice());
        assert_eq!(sound("AAE="), [0, 1].as_slice());
        assert_eq!(sound("AAE"), [0, 1].as_slice());
        assert_eq!(sound(""), [].as_slice());
        for bad in ["A", "AA*=", "A AE", "-_-_"] {
            let text = format!(r#"{{"type":"input_audio_buffer.append","audio":"{bad}"}}"#);
            assert_eq!(fault(&text), ("invalid_base64", Some("audio")), "{bad}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_by_its_place() {
        for text in ["", "[]", "null", "{}", "{\"type\":1}", "\"a\""] {
            assert_eq!(fault(text), ("invalid_json", None), "{text}");
        }
        let audio = ("invalid_value", Some("audio"));
        assert_eq!(fault(r#"{"type":"input_audio_buffer.append"}"#), audio);
        let session = ("invalid_value", Some("session"));
        assert_eq!(fault(r#"{"type":"session.update"}"#), session);
        for other in ["response.create", "conversation.item.create", ""] {
            let text = format!(r#"{{"type":"{other}"}}"#);
            assert_eq!(fault(&text), ("invalid_value", Some("type")), "{other}");
        }
    }

    #[test]
    fn an_event_is_known_by_what_its_client_calls_it() {
        let read = |id: &str| {
            let text = format!(r#"{{"type":"x","event_id":"{id}"}}"#);
            Message::read(text.as_bytes()).event_id
        };
        assert_eq!(read("e1").as_deref(), Some("e1"));
        assert_eq!(read(&"e".repeat(MAX_EVENT_ID + 1)), None);
    }

    #[test]
    fn null_and_nothing_are_told_apart() {
        let turn = |session: &str| {
            let text = format!(
                r#"{{"type":"session.update","session":{{"type":"transcription","audio":
                {{"input":{session}}}}}}}"#
            );
            let Ok(Asked::Update(update)) = Message::read(text.as_bytes()).asked else {
                panic!("an update");
            };
            let Update::Current(session) = *update else {
                panic!("the current shape");
            };
            let input = session.audio.and_then(|audio| audio.input);
            input.expect("it is there").turn_detection
        };
        assert!(turn("{}").is_none());
        assert!(matches!(turn(r#"{"turn_detection":null}"#), Some(None)));
        let vad = turn(r#"{"turn_detection":{"type":"server_vad","silence_duration_ms":500}}"#);
        let vad = vad.flatten().expect("there is one");
        assert_eq!(vad.silence_duration_ms, Some(500));
    }

    proptest! {
        #[test]
        fn no_message_makes_it_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Message::read(&text);
        }

        #[test]
        fn no_members_make_it_panic(
            kind in "(session|transcription_session|input_audio_buffer)\\.(update|append|commit)",
            member in "session|audio|event_id|type",
            value in "null|1|\"a\"|\\{\\}|\\[\\]|\\{\"type\":null\\}|\\{\"audio\":\\{\"input\":1\\}\\}",
        ) {
            let text = format!(r#"{{"type":"{kind}","{member}":{value}}}"#);
            let _ = Message::read(text.as_bytes());
        }
    }
}
