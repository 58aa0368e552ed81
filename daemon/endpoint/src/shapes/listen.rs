//! What those are told who listen to the microphone.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::events::SegmentLine;
use crate::refusal::ErrorDetail;

/// One event of `GET /v1/listen` and `GET /v1/listen/commands`.
///
/// It is the same object as a line, as a websocket's message and as the data of a server-sent
/// event, which is named as [`ListenEvent::name`] says. Whoever reads passes over events of names
/// that it does not know. Seconds are counted from when the microphone was opened.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ListenEvent {
    /// How the microphone is: at the beginning, and at each change.
    State(StateLine),
    /// Somebody began to speak.
    SpeechStarted {
        /// When, in seconds.
        at: f64,
    },
    /// What is heard so far of what is being said.
    Partial(PartialLine),
    /// What was said.
    Final(SegmentLine),
    /// Whoever spoke has paused.
    SpeechStopped {
        /// When, in seconds.
        at: f64,
    },
    /// The wake phrase was spoken.
    Woken {
        /// When, in seconds.
        at: f64,
    },
    /// A phrase of the application's command list was spoken.
    Command {
        /// The phrase's id.
        id: String,
        /// When, in seconds.
        at: f64,
    },
    /// How loud it is.
    Level(LevelLine),
    /// The microphone's device is gone. It is looked for.
    DeviceLost {
        /// Why: a name.
        why: String,
    },
    /// A device is there again.
    DeviceBack {
        /// Its name.
        device: String,
    },
    /// The microphone is muted: it is closed, and nothing is heard.
    Muted,
    /// It is muted no more.
    Unmuted,
    /// Sound was dropped, because the machine could not keep up.
    Overrun {
        /// Samples of one channel.
        frames: u64,
    },
    /// Listening has ended: the last event.
    Error {
        /// Why, as refusals say it.
        error: ErrorDetail,
    },
}

impl ListenEvent {
    /// The names of all events.
    pub const NAMES: [&'static str; 14] = [
        "state",
        "speech_started",
        "partial",
        "final",
        "speech_stopped",
        "woken",
        "command",
        "level",
        "device_lost",
        "device_back",
        "muted",
        "unmuted",
        "overrun",
        "error",
    ];

    /// Its name: what its object's `type` says.
    pub const fn name(&self) -> &'static str {
        match self {
            ListenEvent::State(_) => "state",
            ListenEvent::SpeechStarted { .. } => "speech_started",
            ListenEvent::Partial(_) => "partial",
            ListenEvent::Final(_) => "final",
            ListenEvent::SpeechStopped { .. } => "speech_stopped",
            ListenEvent::Woken { .. } => "woken",
            ListenEvent::Command { .. } => "command",
            ListenEvent::Level(_) => "level",
            ListenEvent::DeviceLost { .. } => "device_lost",
            ListenEvent::DeviceBack { .. } => "device_back",
            ListenEvent::Muted => "muted",
            ListenEvent::Unmuted => "unmuted",
            ListenEvent::Overrun { .. } => "overrun",
            ListenEvent::Error { .. } => "error",
        }
    }
}

/// Without what was said.
impl fmt::Debug for ListenEvent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ListenEvent({})", self.name())
    }
}

/// What is heard so far of an utterance that is not over.
///
/// What follows of the same utterance, its final included, begins with `stable`. `tentative`
/// comes after it and may be taken back.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct PartialLine {
    /// Seconds to the beginning of the utterance.
    pub start: f64,
    /// Seconds up to which sound was looked at.
    pub at: f64,
    /// What stays.
    pub stable: String,
    /// What may change.
    pub tentative: String,
}

/// Without what was said.
impl fmt::Debug for PartialLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PartialLine")
            .field("start", &self.start)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// How loud the microphone's sound is, of the last tenth of a second or so. In decibels below the
/// loudest that there is, which is 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LevelLine {
    /// Its loudest sample.
    pub peak_db: f32,
    /// Its root mean square.
    pub rms_db: f32,
}

/// How the microphone's device is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct StateLine {
    /// `off`, `warm` (open, and nobody listens), `opening`, `open` or `lost`.
    pub state: String,
    /// The device, where one is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Its samples a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// Why the device is lost: a name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Seconds since it was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_seconds: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each() -> Vec<ListenEvent> {
        let words = |text: &str| text.to_owned();
        vec![
            ListenEvent::State(StateLine {
                state: words("open"),
                device: Some(words("default")),
                rate: Some(16_000),
                ..StateLine::default()
            }),
            ListenEvent::SpeechStarted { at: 0.5 },
            ListenEvent::Partial(PartialLine {
                start: 0.5,
                at: 1.25,
                stable: words("a secret"),
                tentative: words(" word"),
            }),
            ListenEvent::Final(SegmentLine {
                text: words("a secret word"),
                start: 0.5,
                end: 1.5,
                avg_logprob: -0.25,
                compression_ratio: 1.0,
                no_speech_prob: 0.0,
                words: None,
            }),
            ListenEvent::SpeechStopped { at: 1.5 },
            ListenEvent::Woken { at: 2.0 },
            ListenEvent::Command {
                id: words("light-on"),
                at: 2.0,
            },
            ListenEvent::Level(LevelLine {
                peak_db: -6.0,
                rms_db: -12.5,
            }),
            ListenEvent::DeviceLost { why: words("gone") },
            ListenEvent::DeviceBack {
                device: words("default"),
            },
            ListenEvent::Muted,
            ListenEvent::Unmuted,
            ListenEvent::Overrun { frames: 480 },
            ListenEvent::Error {
                error: ErrorDetail {
                    message: words("No."),
                    kind: words("server_error"),
                    param: None,
                    code: Some(words("device_not_proven")),
                    request_id: None,
                },
            },
        ]
    }

    #[test]
    fn each_event_says_its_name_and_is_read_back() {
        let names: Vec<_> = each().iter().map(ListenEvent::name).collect();
        assert_eq!(names, ListenEvent::NAMES);
        for event in each() {
            let object = serde_json::to_value(&event).unwrap();
            assert_eq!(object["type"], event.name());
            let back: ListenEvent = serde_json::from_value(object).unwrap();
            assert_eq!(back, event);
        }
    }

    #[test]
    fn events_are_written_as_the_interface_says() {
        let check = |number: usize, expected: &str| {
            assert_eq!(serde_json::to_string(&each()[number]).unwrap(), expected);
        };
        check(
            0,
            r#"{"type":"state","state":"open","device":"default","rate":16000}"#,
        );
        check(
            2,
            r#"{"type":"partial","start":0.5,"at":1.25,"stable":"a secret","tentative":" word"}"#,
        );
        check(6, r#"{"type":"command","id":"light-on","at":2.0}"#);
        check(7, r#"{"type":"level","peak_db":-6.0,"rms_db":-12.5}"#);
        check(10, r#"{"type":"muted"}"#);
    }

    #[test]
    fn what_was_said_is_not_shown_by_mistake() {
        assert!(!format!("{:?}", each()).contains("secret"));
        let ListenEvent::Partial(partial) = &each()[2] else {
            panic!("another event");
        };
        assert!(!format!("{partial:?}").contains("secret"));
    }
}
