//! What whoever may listen asks: the microphone's words, its state, its devices.

use http::header::ACCEPT;
use http::{HeaderValue, Method};
use http_body_util::Full;
use hyper::body::Incoming;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use tokio::time::timeout;

use super::lines::LineReader;
use super::{ANSWER_TIME, Client, ClientError, refused};
use crate::shapes::{
    DeviceEntry, DevicesAnswer, LinkAnswer, LinkPurpose, LinkRequest, ListenEvent,
    MicrophoneReport, MuteRequest,
};

/// What somebody listens for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenFor {
    /// All that is said.
    Text,
    /// What is said after a phrase was spoken.
    TextAfter(String),
    /// The phrases of the application's command list, and nothing else.
    Commands,
}

impl ListenFor {
    fn path(&self) -> String {
        match self {
            ListenFor::Text => "/v1/listen".to_owned(),
            ListenFor::TextAfter(phrase) => {
                let phrase = utf8_percent_encode(phrase, NON_ALPHANUMERIC);
                format!("/v1/listen?wake={phrase}")
            }
            ListenFor::Commands => "/v1/listen/commands".to_owned(),
        }
    }
}

impl Client {
    /// Begins to listen to the microphone, which is open until what is returned is dropped.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses. What goes wrong later is told by the events.
    pub async fn listen(&self, what: &ListenFor) -> Result<ListenEvents, ClientError> {
        let mut request = self.request(Method::GET, &what.path(), Full::default())?;
        let lines = HeaderValue::from_static("application/x-ndjson");
        request.headers_mut().insert(ACCEPT, lines);
        // The answer begins at once, though its first word may be long in coming.
        let asking = async {
            let response = self.send(request).await?;
            match response.status().is_success() {
                true => Ok(ListenEvents::new(response.into_body())),
                false => Err(refused(response).await),
            }
        };
        let answered = timeout(ANSWER_TIME, asking).await;
        answered.unwrap_or(Err(ClientError::Late { limit: ANSWER_TIME }))
    }

    /// How the microphone is, and who listens. For whoever may listen, operators and auditors.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses.
    pub async fn microphone(&self) -> Result<MicrophoneReport, ClientError> {
        self.get("/v1/microphone").await
    }

    /// Mutes the microphone, or lets it be heard again. Whoever may listen mutes it, and so do
    /// operators; unmuting is for operators, with a second factor.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses.
    pub async fn mute(&self, muted: bool) -> Result<(), ClientError> {
        let request = MuteRequest { muted };
        let told = self.tell(Method::PUT, "/v1/microphone", &request);
        told.await.map(drop)
    }

    /// The devices that sound can be taken from. For whoever may listen, operators and auditors.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses.
    pub async fn devices(&self) -> Result<Vec<DeviceEntry>, ClientError> {
        let answer: DevicesAnswer = self.get("/v1/microphone/devices").await?;
        Ok(answer.devices)
    }

    /// Asks for a way in with a browser, once, to read live captions there. For whoever may
    /// listen.
    ///
    /// # Errors
    ///
    /// When no daemon answers, or it refuses.
    pub async fn captions_link(&self) -> Result<LinkAnswer, ClientError> {
        let purpose = LinkPurpose::Captions;
        let request = LinkRequest { purpose };
        self.send_json(Method::POST, "/v1/browser-links", &request)
            .await
    }
}

/// What listeners are told, as it comes. Dropping it ends listening.
#[derive(Debug)]
pub struct ListenEvents {
    lines: LineReader,
    is_over: bool,
}

/// What every event has.
#[derive(Deserialize)]
struct Named {
    #[serde(rename = "type")]
    name: String,
}

impl ListenEvents {
    fn new(body: Incoming) -> ListenEvents {
        ListenEvents {
            lines: LineReader::new(body),
            is_over: false,
        }
    }

    /// The next event, which is waited for as long as it takes. A wait that is given up loses
    /// nothing.
    ///
    /// # Errors
    ///
    /// When the daemon ends it ([`ClientError::Refused`]), or the connection breaks. There is
    /// nothing after an error.
    pub async fn next(&mut self) -> Result<ListenEvent, ClientError> {
        let event = match self.is_over {
            true => Err(ClientError::BrokeOff),
            false => self.event().await,
        };
        match event {
            Ok(ListenEvent::Error { error }) => {
                self.is_over = true;
                Err(ClientError::Refused {
                    status: 200,
                    error: Box::new(error),
                    request_id: None,
                    retry_after: None,
                })
            }
            Ok(event) => Ok(event),
            Err(error) => {
                self.is_over = true;
                Err(error)
            }
        }
    }

    async fn event(&mut self) -> Result<ListenEvent, ClientError> {
        loop {
            let line = self.lines.line().await?.ok_or(ClientError::BrokeOff)?;
            if let Some(event) = parse(&line)? {
                return Ok(event);
            }
        }
    }
}

/// The event of a line. None for a line that keeps the connection alive, and for an event of a
/// later version.
fn parse(line: &[u8]) -> Result<Option<ListenEvent>, ClientError> {
    let malformed = |_| ClientError::Malformed { what: "event" };
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    let Named { name } = serde_json::from_slice(line).map_err(malformed)?;
    match ListenEvent::NAMES.contains(&name.as_str()) {
        true => serde_json::from_slice(line).map(Some).map_err(malformed),
        false => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_listened_for_has_a_path_of_its_own() {
        let check = |what: ListenFor, expected: &str| {
            assert_eq!(what.path(), expected);
        };
        check(ListenFor::Text, "/v1/listen");
        check(ListenFor::Commands, "/v1/listen/commands");
        check(
            ListenFor::TextAfter("hey earnest & söhne?".to_owned()),
            "/v1/listen?wake=hey%20earnest%20%26%20s%C3%B6hne%3F",
        );
    }

    #[test]
    fn what_is_not_known_is_passed_over_and_what_is_broken_is_not() {
        let check = |line: &str, expected: Option<ListenEvent>| {
            assert_eq!(parse(line.as_bytes()).unwrap(), expected, "{line}");
        };
        check("", None);
        check(" \r", None);
        check(r#"{"type":"dancing","at":1}"#, None);
        check(r#"{"type":"muted"}"#, Some(ListenEvent::Muted));
        let more = r#"{"type":"speech_started","at":1.5,"more":[]}"#;
        check(more, Some(ListenEvent::SpeechStarted { at: 1.5 }));
        for broken in ["{", "[]", "{}", r#"{"type":"command","at":1}"#, "null"] {
            let error = parse(broken.as_bytes()).unwrap_err();
            assert!(matches!(error, ClientError::Malformed { .. }), "{broken}");
        }
    }

    proptest! {
        #[test]
        fn no_line_makes_its_reader_panic(line in ".{0,200}") {
            let _ = parse(line.as_bytes());
        }
    }
}
