//! `GET /v1/realtime`: what OpenAI's realtime clients send and read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use earnest_policy::AppLimits;
use futures_util::{SinkExt as _, StreamExt as _};
use http::HeaderValue;
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest as _};
use tokio_tungstenite::{WebSocketStream, client_async};

use crate::ears::{listening, with_microphone};
use crate::house::Daemon;
use crate::http::{PATIENCE, request};
use crate::wyoming::sound;
use crate::{daemon, setting};

const PATH: &str = "/v1/realtime?intent=transcription";

/// OpenAI's rate.
const RATE: usize = 24_000;

/// A client.
struct Client(WebSocketStream<UnixStream>);

impl Client {
    /// One that was told of its session.
    async fn new(daemon: &Daemon, path: &str, beta: bool) -> (Client, Value) {
        let address = format!("ws://localhost{path}");
        let mut request = address.into_client_request().expect("an address");
        if beta {
            let value = HeaderValue::from_static("realtime=v1");
            request.headers_mut().insert("openai-beta", value);
        }
        let connected = timeout(PATIENCE, client_async(request, daemon.unix().await)).await;
        let (socket, _) = connected.expect("in time").expect("a handshake");
        let mut client = Client(socket);
        let created = client.hear().await.expect("an event");
        (client, created)
    }

    async fn say(&mut self, event: Value) {
        // Who is refused may be so before everything is sent.
        let _ = self.0.send(Message::text(event.to_string())).await;
    }

    async fn append(&mut self, sound: &[u8]) {
        for chunk in sound.chunks(9_600) {
            let audio = STANDARD.encode(chunk);
            self.say(json!({"type": "input_audio_buffer.append", "audio": audio}))
                .await;
        }
    }

    async fn update(&mut self, input: Value) -> Value {
        let session = json!({"type": "transcription", "audio": {"input": input}});
        self.say(json!({"type": "session.update", "session": session}))
            .await;
        self.hear().await.expect("an event")
    }

    /// The next event; none at the end.
    async fn hear(&mut self) -> Option<Value> {
        loop {
            let next = timeout(PATIENCE, self.0.next()).await.expect("in time");
            match next?.expect("a whole message") {
                Message::Text(text) => {
                    return Some(serde_json::from_str(&text).expect("JSON"));
                }
                Message::Close(_) => return None,
                _ => {}
            }
        }
    }

    /// All events up to one of this type.
    async fn until(&mut self, kind: &str) -> Vec<Value> {
        let mut all = Vec::new();
        loop {
            let event = self.hear().await;
            let event = event.unwrap_or_else(|| panic!("the end came, and no {kind}: {all:#?}"));
            let is_last = event["type"] == kind;
            all.push(event);
            if is_last {
                return all;
            }
        }
    }

    /// The code that it is closed with.
    async fn closed(mut self) -> CloseCode {
        loop {
            let next = timeout(PATIENCE, self.0.next()).await.expect("in time");
            if let Message::Close(frame) = next.expect("a farewell").expect("a whole message") {
                return frame.expect("a code").code;
            }
        }
    }
}

const COMPLETED: &str = "conversation.item.input_audio_transcription.completed";

fn kinds(events: &[Value]) -> Vec<&str> {
    let kinds = events.iter().filter_map(|event| event["type"].as_str());
    let prefix = "conversation.item.input_audio_transcription.";
    kinds.map(|kind| kind.trim_start_matches(prefix)).collect()
}

fn deltas(events: &[Value]) -> String {
    let deltas = events.iter().filter_map(|event| event["delta"].as_str());
    deltas.collect()
}

#[tokio::test]
async fn utterances_are_told_as_they_grow_and_end_with_a_silence() {
    let daemon = daemon().await;
    let (mut client, created) = Client::new(&daemon, PATH, false).await;
    assert_eq!(created["type"], "session.created");
    assert_eq!(created["session"]["type"], "transcription");
    let updated = client
        .update(json!({"turn_detection": {"type": "server_vad", "silence_duration_ms": 400}}))
        .await;
    assert_eq!(updated["type"], "session.updated");
    for round in 0..2_u64 {
        client.append(&sound(RATE, 1_000, 1_000)).await;
        let told = client.until(COMPLETED).await;
        let expected_start = "input_audio_buffer.speech_started";
        assert_eq!(kinds(&told)[0], expected_start);
        assert_eq!(told[0]["audio_start_ms"], round * 2_000);
        let told_kinds = kinds(&told);
        let end = &told_kinds[told_kinds.len() - 5..];
        let expected_end = [
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "completed",
        ];
        assert_eq!(end, expected_end);
        let last = told.last().expect("an event");
        assert_eq!(last["transcript"], "Alfa bravo charlie delta.");
        assert_eq!(deltas(&told), "Alfa bravo charlie delta.");
        assert!(told_kinds.iter().filter(|kind| **kind == "delta").count() > 1);
        assert_eq!(last["item_id"], told[0]["item_id"]);
    }
    drop(client);
    daemon.recorded("4000 ms of sound").await;
    daemon.at_rest().await;
}

#[tokio::test]
async fn without_turns_an_utterance_ends_at_its_commit() {
    let daemon = daemon().await;
    let (mut client, _) = Client::new(&daemon, PATH, false).await;
    client.update(json!({"turn_detection": null})).await;
    client
        .say(json!({"type": "input_audio_buffer.commit", "event_id": "mine"}))
        .await;
    let error = client.hear().await.expect("an event");
    assert_eq!(error["error"]["code"], "input_audio_buffer_commit_empty");
    assert_eq!(error["error"]["event_id"], "mine");
    for _ in 0..2 {
        client.append(&sound(RATE, 500, 1_000)).await;
        client.append(&sound(RATE, 500, 0)).await;
        client
            .say(json!({"type": "input_audio_buffer.commit"}))
            .await;
        let told = client.until(COMPLETED).await;
        assert_eq!(kinds(&told)[0], "input_audio_buffer.committed");
        let last = told.last().expect("an event");
        assert_eq!(last["transcript"], "Alfa bravo. Alfa bravo.");
        assert_eq!(deltas(&told), "Alfa bravo. Alfa bravo.");
        assert_eq!(last["usage"], json!({"type": "duration", "seconds": 2.0}));
    }
    client.append(&sound(RATE, 500, 0)).await;
    client
        .say(json!({"type": "input_audio_buffer.clear"}))
        .await;
    let cleared = client.hear().await.expect("an event");
    assert_eq!(cleared["type"], "input_audio_buffer.cleared");
    client
        .say(json!({"type": "input_audio_buffer.commit"}))
        .await;
    let error = client.hear().await.expect("an event");
    assert_eq!(error["error"]["code"], "input_audio_buffer_commit_empty");
}

#[tokio::test]
async fn a_client_may_end_an_utterance_that_a_silence_would_end() {
    let daemon = daemon().await;
    let (mut client, _) = Client::new(&daemon, PATH, false).await;
    client.append(&sound(RATE, 1_000, 0)).await;
    client.until("input_audio_buffer.speech_started").await;
    client
        .say(json!({"type": "input_audio_buffer.commit"}))
        .await;
    let told = client.until(COMPLETED).await;
    let last = told.last().expect("an event");
    assert_eq!(last["transcript"], "Alfa bravo charlie delta.");
}

#[tokio::test]
async fn the_beta_shape_and_telephones_sound_are_taken() {
    let daemon = daemon().await;
    let (mut client, created) = Client::new(&daemon, PATH, true).await;
    assert_eq!(created["type"], "transcription_session.created");
    client
        .say(json!({"type": "transcription_session.update", "session": {
            "input_audio_format": "g711_ulaw",
            "input_audio_transcription": {"model": "whisper-1", "language": "en"},
        }}))
        .await;
    let updated = client.hear().await.expect("an event");
    assert_eq!(updated["type"], "transcription_session.updated");
    // The loudest code and the quietest.
    let mut sound = vec![0x80_u8; 8_000];
    sound.resize(16_000, 0xff);
    client.append(&sound).await;
    let told = client.until(COMPLETED).await;
    assert!(kinds(&told).contains(&"conversation.item.created"));
    let last = told.last().expect("an event");
    assert_eq!(last["transcript"], "Alfa bravo charlie delta.");
}

#[tokio::test]
async fn what_is_not_taken_is_told_and_the_session_goes_on() {
    let daemon = daemon().await;
    let (mut client, _) = Client::new(&daemon, PATH, false).await;
    for (event, code) in [
        (json!({"type": "response.create"}), "invalid_value"),
        (json!([]), "invalid_json"),
        (
            json!({"type": "input_audio_buffer.append", "audio": "*"}),
            "invalid_base64",
        ),
        (
            json!({"type": "session.update", "session": {"type": "realtime"}}),
            "invalid_value",
        ),
    ] {
        client.say(event).await;
        let told = client.hear().await.expect("an event");
        assert_eq!(told["type"], "error");
        assert_eq!(told["error"]["code"], code);
        assert!(told["error"]["message"].is_string());
    }
    client.append(&sound(RATE, 500, 1_000)).await;
    let told = client.until(COMPLETED).await;
    assert_eq!(deltas(&told), "Alfa bravo.");
}

#[tokio::test]
async fn a_request_that_cannot_be_had_is_refused_before_there_is_a_websocket() {
    let daemon = daemon().await;
    for (path, status, code) in [
        ("/v1/realtime", 400, "invalid_value"),
        ("/v1/realtime?intent=conversation", 400, "invalid_value"),
        ("/v1/realtime?intent=transcription", 400, "invalid_value"),
        (
            "/v1/realtime?intent=transcription&model=gpt-realtime",
            404,
            "model_not_found",
        ),
        (
            "/v1/realtime?intent=transcription&source=file",
            400,
            "invalid_value",
        ),
        (
            "/v1/realtime?intent=transcription&source=microphone",
            403,
            "insufficient_scope",
        ),
    ] {
        let answer = daemon.ask(request("GET", path, &[], "")).await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{path}");
    }
    // A token among the subprotocols is none.
    let address = format!("ws://{}{PATH}", daemon.address);
    let mut asked = address.into_client_request().expect("an address");
    let token = daemon.client().issue_token("notes").await.expect("a token");
    let protocols = format!("realtime, openai-insecure-api-key.{}", token.token);
    let protocols = HeaderValue::from_str(&protocols).expect("a value");
    asked
        .headers_mut()
        .insert("sec-websocket-protocol", protocols);
    let refused = client_async(asked, daemon.tcp().await).await;
    assert!(refused.is_err());
    daemon.recorded("no_token").await;
    daemon.at_rest().await;
}

#[tokio::test]
async fn a_day_that_is_used_up_ends_the_session() {
    let mut setting = setting();
    let limits = AppLimits::default().with_daily_sound_minutes(1);
    setting.app_limits = limits.expect("a minute is a budget");
    let daemon = Daemon::start(setting).await;
    let (mut client, _) = Client::new(&daemon, PATH, false).await;
    client.update(json!({"turn_detection": null})).await;
    // Each commit is a job of its own, and all are charged to one day.
    for _ in 0..2 {
        client.append(&sound(RATE, 0, 29_000)).await;
        client
            .say(json!({"type": "input_audio_buffer.commit"}))
            .await;
        client.until(COMPLETED).await;
    }
    client.append(&sound(RATE, 0, 4_000)).await;
    let told = client.until("error").await;
    assert_eq!(
        told.last().expect("an event")["error"]["code"],
        "budget_spent"
    );
    assert_eq!(client.closed().await, CloseCode::Again);
}

#[tokio::test]
async fn a_gate_that_closes_ends_the_session_and_so_does_the_daemon() {
    let mut daemon = daemon().await;
    let (waiting, _) = Client::new(&daemon, PATH, false).await;
    let (mut client, _) = Client::new(&daemon, PATH, false).await;
    client.append(&sound(RATE, 500, 0)).await;
    client.until("input_audio_buffer.speech_started").await;
    daemon.house.tamper().await;
    let told = client.until("error").await;
    let last = told.last().expect("an event");
    assert_eq!(last["error"]["code"], "device_not_proven");
    daemon.stop();
    assert_eq!(waiting.closed().await, CloseCode::Away);
    assert_eq!(daemon.ended().await.cut, 0);
}

#[tokio::test]
async fn the_microphones_words_come_in_the_same_shape() {
    let (setting, script) = with_microphone();
    let daemon = listening(setting, &["listen"]).await;
    let path = format!("{PATH}&source=microphone");
    let (mut client, created) = Client::new(&daemon, &path, false).await;
    assert_eq!(created["type"], "session.created");
    script.speak(3);
    let told = client.until(COMPLETED).await;
    let last = told.last().expect("an event");
    assert_eq!(last["transcript"], "Alfa bravo charlie.");
    assert_eq!(deltas(&told), "Alfa bravo charlie.");
    client.append(&[0; 2]).await;
    let told = client.until("error").await;
    assert_eq!(
        told.last().expect("an event")["error"]["code"],
        "invalid_value"
    );
    script.speak(2);
    let told = client.until(COMPLETED).await;
    assert_eq!(deltas(&told), "Alfa bravo.");
}
