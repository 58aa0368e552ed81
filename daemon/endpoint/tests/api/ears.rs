//! Readers of what the microphone hears, by each of the ways there are.

use bytes::Bytes;
use earnest_endpoint::shapes::{CommandListRequest, PhraseEntry};
use earnest_live::LiveSettings;
use futures_util::StreamExt as _;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::house::microphone::Script;
use crate::house::{Daemon, Setting};
use crate::http::{PATIENCE, request, send};
use crate::operators::app;
use crate::setting;

/// Somebody who reads.
pub(crate) enum Ear {
    /// Server-sent events.
    Events(Body),
    /// Lines.
    Lines(Body),
    /// A websocket.
    Socket(Box<WebSocketStream<UnixStream>>),
}

/// The body of an answer that goes on.
pub(crate) struct Body {
    incoming: Incoming,
    text: String,
}

impl Body {
    /// What stands before the next `mark`; nothing at the end.
    async fn until(&mut self, mark: &str) -> Option<String> {
        loop {
            if let Some((piece, rest)) = self.text.split_once(mark) {
                let (piece, rest) = (piece.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(piece);
            }
            let frame = timeout(PATIENCE, self.incoming.frame()).await;
            let data = frame.expect("in time")?.expect("a whole body").into_data();
            let data = data.expect("data");
            let text = std::str::from_utf8(&data).expect("whole characters");
            self.text.push_str(text);
        }
    }
}

/// A request for lines.
pub(crate) fn lines_of(path: &str) -> Request<Full<Bytes>> {
    request("GET", path, &[("accept", "application/x-ndjson")], "")
}

impl Ear {
    pub(crate) async fn events(daemon: &Daemon, path: &str) -> Ear {
        let accept = [("accept", "text/event-stream")];
        let response = send(daemon.unix().await, request("GET", path, &accept, "")).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let mut body = Body {
            incoming: response.into_body(),
            text: String::new(),
        };
        let first = body.until("\n\n").await.expect("how long to wait");
        assert!(first.starts_with("retry: "), "{first}");
        Ear::Events(body)
    }

    pub(crate) async fn lines(daemon: &Daemon, path: &str) -> Ear {
        let response = send(daemon.unix().await, lines_of(path)).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/x-ndjson");
        Ear::Lines(Body {
            incoming: response.into_body(),
            text: String::new(),
        })
    }

    pub(crate) async fn socket(daemon: &Daemon, path: &str) -> Ear {
        let address = format!("ws://localhost{path}");
        let request = address.into_client_request().expect("an address");
        let connected = timeout(PATIENCE, client_async(request, daemon.unix().await)).await;
        let (socket, answer) = connected.expect("in time").expect("a handshake");
        assert_eq!(answer.status(), 101);
        Ear::Socket(Box::new(socket))
    }

    /// All three of them, each of which has been told the first thing.
    pub(crate) async fn each(daemon: &Daemon, path: &str) -> Vec<Ear> {
        let mut ears = vec![
            Ear::events(daemon, path).await,
            Ear::lines(daemon, path).await,
            Ear::socket(daemon, path).await,
        ];
        for ear in &mut ears {
            ear.wait_for("state").await;
        }
        ears
    }

    /// The next event, of whatever kind; nothing after the last.
    pub(crate) async fn any(&mut self) -> Option<Value> {
        loop {
            let (name, object) = match self {
                Ear::Events(body) => {
                    let event = body.until("\n\n").await?;
                    if event.starts_with(':') {
                        continue;
                    }
                    let (name, data) = event.split_once('\n').expect("a name and data");
                    let name = name.strip_prefix("event: ").expect("a name").to_owned();
                    let data = data.strip_prefix("data: ").expect("data").to_owned();
                    (Some(name), data)
                }
                Ear::Lines(body) => {
                    let line = body.until("\n").await?;
                    if line.is_empty() {
                        continue;
                    }
                    (None, line)
                }
                Ear::Socket(socket) => {
                    let next = timeout(PATIENCE, socket.next()).await.expect("in time");
                    match next?.expect("a whole message") {
                        Message::Text(text) => (None, text.to_string()),
                        Message::Close(_) => return None,
                        _ => continue,
                    }
                }
            };
            let object: Value = serde_json::from_str(&object).expect("JSON");
            if let Some(name) = name {
                assert_eq!(object["type"], name);
            }
            return Some(object);
        }
    }

    /// The next event but levels and states, which come as they like.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        loop {
            let event = self.any().await?;
            if event["type"] != "level" && event["type"] != "state" {
                return Some(event);
            }
        }
    }

    /// The next event of this name; all others are passed over.
    pub(crate) async fn wait_for(&mut self, name: &str) -> Value {
        loop {
            let event = self.any().await;
            let event = event.unwrap_or_else(|| panic!("the end came, and no {name}"));
            if event["type"] == name {
                return event;
            }
        }
    }

    /// The code that a websocket is closed with, once all before it was read.
    pub(crate) async fn closed(self) -> CloseCode {
        let Ear::Socket(mut socket) = self else {
            panic!("a websocket is closed with a code");
        };
        loop {
            let next = timeout(PATIENCE, socket.next()).await.expect("in time");
            match next.expect("a farewell").expect("a whole message") {
                Message::Close(frame) => return frame.expect("a code").code,
                _ => continue,
            }
        }
    }
}

/// A daemon with a microphone.
pub(crate) fn with_microphone() -> (Setting, Script) {
    let script = Script::new();
    let settings = LiveSettings {
        // The script has no clock.
        lossless: true,
        ..LiveSettings::default()
    };
    let mut setting = setting();
    setting.microphone = Some((script.clone(), settings));
    (setting, script)
}

/// The phrase of so many words of the command list that [`listening`] enrols.
pub(crate) fn phrase(words: usize) -> PhraseEntry {
    const WORDS: [&str; 5] = ["open", "kitchen", "window", "before", "dinner"];
    PhraseEntry {
        id: format!("phrase-{words}"),
        phrase: WORDS.get(..words).expect("a short phrase").join(" "),
    }
}

/// A daemon with a microphone, and an application of this user with these scopes.
pub(crate) async fn listening(setting: Setting, scopes: &[&str]) -> Daemon {
    let daemon = Daemon::start(setting).await;
    let authenticator = daemon.enrolled().await;
    let mut panel = app("panel", scopes);
    if scopes.contains(&"command") {
        let phrases = vec![phrase(2), phrase(4)];
        let kitchen = CommandListRequest { phrases };
        let client = daemon.with_code(&authenticator);
        let put = client.put_command_list("kitchen", &kitchen).await;
        put.expect("an operator");
        panel.commands = Some("kitchen".to_owned());
    }
    let client = daemon.with_code(&authenticator);
    client.add_app(&panel).await.expect("an operator");
    daemon
}
