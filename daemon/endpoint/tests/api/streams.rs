//! `POST /v1/audio/stream`: lines come while sound is still being sent.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::{Frame, Incoming};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::house::Daemon;
use crate::http::{PATIENCE, raw, request, send};
use crate::{daemon, setting};

/// A stream under way: sound goes in while lines come out.
pub(crate) struct Live {
    sound: mpsc::Sender<Result<Frame<Bytes>, std::io::Error>>,
    lines: Incoming,
    text: String,
}

impl Live {
    pub(crate) async fn begin(daemon: &Daemon, query: &str) -> Live {
        let (sound, mut pieces) = mpsc::channel(1);
        let body = futures_util::stream::poll_fn(move |context| pieces.poll_recv(context));
        let request = Request::post(format!("/v1/audio/stream{query}"))
            .header("host", "localhost")
            .body(StreamBody::new(body))
            .expect("a request");
        let response = send(daemon.unix().await, request).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/x-ndjson");
        Live {
            sound,
            lines: response.into_body(),
            text: String::new(),
        }
    }

    pub(crate) async fn send(&self, bytes: &[u8]) {
        let frame = Frame::data(Bytes::copy_from_slice(bytes));
        self.sound.send(Ok(frame)).await.expect("somebody reads");
    }

    /// The next line.
    pub(crate) async fn line(&mut self) -> String {
        loop {
            if let Some((line, rest)) = self.text.split_once('\n') {
                let (line, rest) = (line.to_owned(), rest.to_owned());
                self.text = rest;
                return line;
            }
            let frame = timeout(PATIENCE, self.lines.frame())
                .await
                .expect("in time");
            let frame = frame.expect("another line").expect("a whole body");
            let data = frame.into_data().expect("data");
            self.text
                .push_str(std::str::from_utf8(&data).expect("text"));
        }
    }

    /// All lines that are left, the sound being over.
    pub(crate) async fn rest(mut self) -> Vec<Value> {
        drop(self.sound);
        let rest = timeout(PATIENCE, self.lines.collect())
            .await
            .expect("in time");
        let rest = rest.expect("a whole body").to_bytes();
        self.text
            .push_str(std::str::from_utf8(&rest).expect("text"));
        let lines = self.text.lines();
        lines
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }
}

#[tokio::test]
async fn text_is_told_before_an_utterance_ends_to_who_asks_for_it() {
    let daemon = daemon().await;
    let mut live = Live::begin(&daemon, "?rate=16000&partials=true").await;
    // The scripted worker takes a quarter of a second of something loud for a word.
    let loud: Vec<u8> = [0, 0x20].repeat(12_000);
    live.send(&loud).await;
    let mut stable = String::new();
    for _ in 0..4 {
        let line: Value = serde_json::from_str(&live.line().await).expect("JSON");
        if line["type"] == "speech_started" {
            assert_eq!(line["at"], 0.0);
            continue;
        }
        assert_eq!(line["type"], "partial");
        assert_eq!(line["start"], 0.0);
        let now = line["stable"].as_str().expect("text");
        assert!(now.starts_with(&stable));
        now.clone_into(&mut stable);
    }
    assert_eq!(stable, "Alfa bravo");
    live.send(&[0; 32_000]).await;
    let rest = live.rest().await;
    let names: Vec<_> = rest.iter().map(|line| line["type"].clone()).collect();
    assert_eq!(names, ["segment", "speech_stopped", "done"]);
    assert_eq!(rest[0]["text"], "Alfa bravo charlie.");
    daemon.recorded("1750 ms of sound").await;
}

#[tokio::test]
async fn lines_come_while_sound_is_still_being_sent() {
    let daemon = daemon().await;
    let query = "?rate=8000&channels=2&encoding=f32le";
    let mut live = Live::begin(&daemon, query).await;
    for second in 0..3 {
        live.send(&vec![0; 64_000]).await;
        let line: Value = serde_json::from_str(&live.line().await).expect("JSON");
        assert_eq!(line["type"], "segment");
        assert_eq!(line["text"], "one second");
        assert_eq!(line["start"], f64::from(second));
        assert!(line.get("words").is_none());
    }
    live.send(&[0; 32_000]).await;
    assert_eq!(
        live.rest().await,
        [json!({"type": "done", "duration": 3.5})]
    );
    daemon.recorded("3500 ms of sound").await;
}

#[tokio::test]
async fn a_file_may_be_streamed_too_with_words() {
    let daemon = daemon().await;
    let live = Live::begin(&daemon, "?words=true").await;
    live.send(b"speech 250\nsay 250 10").await;
    live.send(b"00 Hi there.\n").await;
    let lines = live.rest().await;
    assert_eq!(lines[0], json!({"type": "speech_started", "at": 0.25}));
    assert_eq!(lines[1]["text"], "Hi there.");
    assert_eq!(
        lines[1]["words"][1],
        json!({"word": "there.", "start": 0.25, "end": 1.0})
    );
    assert_eq!(lines[2], json!({"type": "done", "duration": 1.0}));
}

#[tokio::test]
async fn a_client_that_waits_for_leave_to_send_is_given_it_before_the_answer() {
    let daemon = daemon().await;
    let mut stream = daemon.unix().await;
    let head = "POST /v1/audio/stream?rate=16000&channels=1&encoding=s16le HTTP/1.1\r\n\
        host: localhost\r\nconnection: close\r\nexpect: 100-continue\r\n\
        content-length: 32000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.expect("it is read");
    let leave = b"HTTP/1.1 100 Continue\r\n\r\n";
    let mut said = vec![0; leave.len()];
    let answered = timeout(PATIENCE, stream.read_exact(&mut said)).await;
    answered.expect("in time").expect("an answer");
    assert_eq!(said, leave);
    let answer = raw(stream, &[0; 32_000]).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.contains("\"type\":\"done\""), "{answer}");
}

#[tokio::test]
async fn what_goes_wrong_in_the_middle_is_the_last_line() {
    let daemon = daemon().await;
    for (script, code) in [
        ("crash\n", "worker_failed"),
        ("tire\n", "worker_failed"),
        ("refuse\n", "invalid_audio"),
    ] {
        let mut live = Live::begin(&daemon, "").await;
        live.send(b"say 0 1000 One.\n").await;
        assert!(live.line().await.contains("One."));
        live.send(script.as_bytes()).await;
        let error: Value = serde_json::from_str(&live.line().await).expect("JSON");
        assert_eq!(error["type"], "error");
        assert_eq!(error["error"]["code"], code);
        assert!(live.rest().await.is_empty());
    }
}

#[tokio::test]
async fn more_sound_than_the_bound_ends_the_stream() {
    let mut setting = setting();
    setting.limits.stream_bytes = 40_000;
    let daemon = Daemon::start(setting).await;
    let mut live = Live::begin(&daemon, "?rate=16000").await;
    live.send(&[0; 32_000]).await;
    assert!(live.line().await.contains("one second"));
    live.send(&[0; 32_000]).await;
    assert!(live.line().await.contains("too_large"));
    daemon.at_rest().await;
}

#[tokio::test]
async fn no_sound_at_all_is_refused() {
    let daemon = daemon().await;
    let answer = daemon
        .ask(request("POST", "/v1/audio/stream", &[], ""))
        .await;
    assert_eq!(answer.refusal(), (400, "invalid_audio".to_owned()));
}

#[tokio::test]
async fn parameters_that_mean_nothing_are_refused_before_any_sound() {
    let daemon = daemon().await;
    for (query, kind, status, code) in [
        ("?rate=0", "audio/pcm", 400, "invalid_value"),
        ("?encoding=mp3", "audio/pcm", 400, "invalid_value"),
        ("?words=2", "audio/pcm", 400, "invalid_value"),
        ("", "text/plain", 415, "unsupported_media_type"),
        ("", "application/json", 415, "unsupported_media_type"),
    ] {
        let path = format!("/v1/audio/stream{query}");
        let answer = daemon
            .ask(request("POST", &path, &[("content-type", kind)], "x"))
            .await;
        assert_eq!(
            answer.refusal(),
            (status, code.to_owned()),
            "{query} {kind}"
        );
    }
}
