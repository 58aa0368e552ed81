//! Wyoming over its Unix socket and its port, with what a voice assistant sends.

use bytes::Bytes;
use earnest_policy::AnswerRules;
use earnest_wyoming::{AudioFormat, Decoder, Event, Request};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::house::{Daemon, Setting};
use crate::http::PATIENCE;
use crate::{daemon, setting};

/// What is sent: 16-bit sound of one channel at 16 kHz.
const FORMAT: AudioFormat = AudioFormat {
    rate: 16_000,
    width: 2,
    channels: 1,
};

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A client.
struct Client {
    stream: Box<dyn Stream>,
    decoder: Decoder,
}

/// So many milliseconds of what the scripted worker takes for speech, then of silence.
pub(crate) fn sound(rate: usize, loud: usize, quiet: usize) -> Bytes {
    let samples = |milliseconds: usize| rate * milliseconds / 1_000;
    let mut bytes = vec![0x20; 2 * samples(loud)];
    bytes.resize(2 * samples(loud + quiet), 0);
    bytes.into()
}

impl Client {
    async fn unix(daemon: &Daemon) -> Client {
        let stream = UnixStream::connect(daemon.wyoming_socket()).await;
        Client::over(stream.expect("the daemon listens"))
    }

    async fn tcp(daemon: &Daemon) -> Client {
        let stream = TcpStream::connect(daemon.wyoming).await;
        Client::over(stream.expect("the daemon listens"))
    }

    fn over(stream: impl Stream + 'static) -> Client {
        Client {
            stream: Box::new(stream),
            decoder: Decoder::default(),
        }
    }

    async fn say(&mut self, request: Request) {
        let event = request.event().expect("it means something");
        self.raw(&event.encode()).await;
    }

    async fn raw(&mut self, bytes: &[u8]) {
        // Who is refused may be so before everything is sent.
        let _ = self.stream.write_all(bytes).await;
    }

    /// The next event; none at the end.
    async fn hear(&mut self) -> Option<Event> {
        loop {
            let event = self.decoder.next_event().expect("the protocol");
            if event.is_some() {
                return event;
            }
            let mut bytes = [0; 4096];
            let read = timeout(PATIENCE, self.stream.read(&mut bytes)).await;
            match read.expect("in time") {
                Ok(0) | Err(_) => return None,
                Ok(read) => self.decoder.push(&bytes[..read]),
            }
        }
    }

    /// Sends an utterance, and gives all that is told up to its end.
    async fn transcribe(&mut self, sound: Bytes) -> Vec<Event> {
        self.say(Request::AudioStart(FORMAT)).await;
        for chunk in sound.chunks(2_048) {
            let sound = Bytes::copy_from_slice(chunk);
            self.say(Request::AudioChunk {
                format: FORMAT,
                sound,
            })
            .await;
        }
        self.say(Request::AudioStop).await;
        let mut all = Vec::new();
        while let Some(event) = self.hear().await {
            let is_last = matches!(event.kind.as_str(), "transcript-stop" | "error");
            all.push(event);
            if is_last {
                break;
            }
        }
        all
    }

    /// The code of an error, after which nothing more is told.
    async fn refusal(&mut self) -> String {
        let event = self.hear().await.expect("an event");
        assert_eq!(event.kind, "error", "{event:?}");
        assert!(self.hear().await.is_none());
        text(&event, "code").to_owned()
    }
}

fn text<'a>(event: &'a Event, field: &str) -> &'a str {
    let text = event.data.get(field).and_then(Value::as_str);
    text.unwrap_or_default()
}

fn transcript(told: &[Event]) -> &str {
    let whole = told.iter().find(|event| event.kind == "transcript");
    text(whole.expect("a transcript"), "text")
}

#[tokio::test]
async fn an_utterance_is_told_as_it_grows_and_whole_over_both_places() {
    let daemon = daemon().await;
    for mut client in [Client::unix(&daemon).await, Client::tcp(&daemon).await] {
        let asked = Request::Transcribe {
            name: Some("moonshine-tiny-en".to_owned()),
            language: Some("en".to_owned()),
        };
        client.say(asked).await;
        let told = client.transcribe(sound(16_000, 1_000, 1_000)).await;
        assert_eq!(told[0].kind, "transcript-start");
        assert_eq!(transcript(&told), "Alfa bravo charlie delta.");
        let chunks = told.iter().filter(|event| event.kind == "transcript-chunk");
        let chunks: Vec<&str> = chunks.map(|event| text(event, "text")).collect();
        assert!(chunks.len() > 1, "{chunks:?}");
        assert_eq!(chunks.concat(), "Alfa bravo charlie delta.");
        assert_eq!(told.last().expect("an event").kind, "transcript-stop");
        // The connection is good for another one.
        let told = client.transcribe(sound(16_000, 600, 100)).await;
        assert_eq!(transcript(&told), "Alfa bravo.");
        let told = client.transcribe(sound(16_000, 0, 500)).await;
        assert_eq!(transcript(&told), "");
    }
    daemon.recorded("over wyoming").await;
    daemon.recorded("2000 ms of sound").await;
    daemon.at_rest().await;
}

#[tokio::test]
async fn what_there_is_is_described() {
    let daemon = daemon().await;
    let mut client = Client::unix(&daemon).await;
    client.say(Request::Describe).await;
    let info = client.hear().await.expect("an event");
    assert_eq!(info.kind, "info");
    let program = &info.data["asr"][0];
    assert_eq!(program["supports_transcript_streaming"], true);
    assert_eq!(program["installed"], true);
    assert_eq!(program["version"], "0.1.0");
    let model = &program["models"][0];
    assert_eq!(model["name"], "moonshine-tiny-en");
    assert_eq!(model["languages"][0], "en");
    client
        .say(Request::Ping {
            text: Some("there?".to_owned()),
        })
        .await;
    let pong = client.hear().await.expect("an event");
    assert_eq!(
        (pong.kind.as_str(), text(&pong, "text")),
        ("pong", "there?")
    );
    // What nobody knows is passed over.
    client
        .raw(b"{\"type\":\"run-satellite\",\"payload_length\":3}\nabc")
        .await;
    client.say(Request::Describe).await;
    assert_eq!(client.hear().await.expect("an event").kind, "info");
}

#[tokio::test]
async fn a_user_on_no_list_gets_nothing_but_an_error() {
    let mut setting = setting();
    setting.apps = Vec::new();
    let daemon = Daemon::start(setting).await;
    for mut client in [Client::unix(&daemon).await, Client::tcp(&daemon).await] {
        client.say(Request::Describe).await;
        assert_eq!(client.refusal().await, "invalid_credentials");
    }
    let mut client = Client::tcp(&daemon).await;
    let told = client.transcribe(sound(16_000, 500, 0)).await;
    assert_eq!(text(&told[0], "code"), "invalid_credentials");
    daemon.recorded("not_listed").await;
}

#[tokio::test]
async fn what_is_not_to_be_had_is_told_by_its_code() {
    let daemon = daemon().await;
    let asked = |name: Option<&str>, language: Option<&str>| Request::Transcribe {
        name: name.map(str::to_owned),
        language: language.map(str::to_owned),
    };
    let start = |width| Request::AudioStart(AudioFormat { width, ..FORMAT });
    for (request, code) in [
        (asked(Some("whisper-9"), None), "model_not_found"),
        (asked(None, Some("de")), "unsupported_language"),
        (start(4), "invalid_value"),
    ] {
        let mut client = Client::unix(&daemon).await;
        client.say(request).await;
        assert_eq!(client.refusal().await, code);
    }
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"{}\n", b"\n"] {
        let mut client = Client::unix(&daemon).await;
        client.raw(bytes).await;
        assert_eq!(client.refusal().await, "malformed_body");
    }
    let mut client = Client::unix(&daemon).await;
    client
        .raw(b"{\"type\":\"audio-chunk\",\"payload_length\":99999999}\n")
        .await;
    assert_eq!(client.refusal().await, "malformed_body");
    daemon.at_rest().await;
}

#[tokio::test]
async fn sound_is_bounded_and_charged_and_the_gate_holds() {
    let mut setting = setting();
    setting.limits.stream_bytes = 20_000;
    let daemon = Daemon::start(setting).await;
    let mut client = Client::unix(&daemon).await;
    let told = client.transcribe(sound(16_000, 1_000, 0)).await;
    assert_eq!(text(told.last().expect("an event"), "code"), "too_large");
    daemon.house.tamper().await;
    let mut client = Client::unix(&daemon).await;
    let told = client.transcribe(sound(16_000, 100, 0)).await;
    assert_eq!(text(&told[0], "code"), "device_not_proven");
}

#[tokio::test]
async fn the_rules_of_answers_hold() {
    let mut setting: Setting = setting();
    // The scripted worker is less certain than this.
    setting.answers = AnswerRules::new(Some(-0.1), None, None).expect("rules");
    let daemon = Daemon::start(setting).await;
    let mut client = Client::unix(&daemon).await;
    let told = client.transcribe(sound(16_000, 1_000, 1_000)).await;
    let kinds: Vec<&str> = told.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["transcript-start", "transcript", "transcript-stop"]);
    assert_eq!(transcript(&told), "");
}

#[tokio::test]
async fn who_leaves_in_the_middle_costs_nothing_and_the_end_waits_for_nobody_at_rest() {
    let mut daemon = daemon().await;
    let mut client = Client::unix(&daemon).await;
    client.say(Request::AudioStart(FORMAT)).await;
    let first = sound(16_000, 500, 0);
    client
        .say(Request::AudioChunk {
            format: FORMAT,
            sound: first,
        })
        .await;
    assert_eq!(
        client.hear().await.expect("an event").kind,
        "transcript-start"
    );
    drop(client);
    daemon.at_rest().await;
    let mut idle = Client::unix(&daemon).await;
    idle.say(Request::Describe).await;
    assert!(idle.hear().await.is_some());
    daemon.stop();
    assert_eq!(daemon.ended().await.cut, 0);
    assert!(idle.hear().await.is_none());
}
