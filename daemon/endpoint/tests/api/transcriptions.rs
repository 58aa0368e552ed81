//! `POST /v1/audio/transcriptions` as OpenAI's clients use it.

use serde_json::{Value, json};

use crate::daemon;
use crate::http::{FORM, form, get, request, send, upload, whole};

const CLIP: &str = "speech 500\nsay 500 1500 Hello, world.\nsay 2000 3000 How are you?\n";
const MODEL: (&str, &str) = ("model", "whisper-1");
const FILE: (&str, &str) = ("file", CLIP);

#[tokio::test]
async fn the_text_comes_as_json_unless_asked_otherwise() {
    let daemon = daemon().await;
    for model in ["whisper-1", "gpt-4o-transcribe", "moonshine-tiny-en"] {
        let answer = daemon.upload(&[("model", model), FILE]).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(
            answer.json(),
            json!({
                "text": "Hello, world. How are you?",
                "usage": {"type": "duration", "seconds": 3.0},
            })
        );
    }
}

#[tokio::test]
async fn each_format_has_its_shape_and_type() {
    let daemon = daemon().await;
    let ask = async |format: &str| {
        let answer = daemon
            .upload(&[MODEL, ("response_format", format), FILE])
            .await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let kind = answer.header("content-type").to_owned();
        (kind, answer.body)
    };
    assert_eq!(
        ask("text").await,
        (
            "text/plain; charset=utf-8".to_owned(),
            "Hello, world. How are you?\n".to_owned()
        )
    );
    let (kind, srt) = ask("srt").await;
    assert_eq!(kind, "application/x-subrip; charset=utf-8");
    assert!(srt.starts_with("1\n00:00:00,500 --> 00:00:01,500\nHello, world.\n\n2\n"));
    let (kind, vtt) = ask("vtt").await;
    assert_eq!(kind, "text/vtt; charset=utf-8");
    assert!(vtt.starts_with("WEBVTT\n\n00:00:00.500 --> "));
}

#[tokio::test]
async fn verbose_answers_have_segments_and_words_only_on_demand() {
    let daemon = daemon().await;
    let ask = async |granularities: &[&str]| {
        let mut parts = vec![MODEL, ("response_format", "verbose_json")];
        let asked = granularities.iter();
        parts.extend(asked.map(|one| ("timestamp_granularities[]", *one)));
        parts.push(FILE);
        daemon.upload(&parts).await.json()
    };
    let plain = ask(&[]).await;
    assert_eq!(plain["task"], "transcribe");
    assert_eq!(plain["language"], "english");
    assert_eq!(plain["duration"], 3.0);
    assert_eq!(plain["segments"].as_array().map(Vec::len), Some(2));
    let first = &plain["segments"][0];
    assert_eq!(first["avg_logprob"], -0.5);
    assert_eq!(first["tokens"], json!([]));
    assert!(plain.get("words").is_none());

    let words = ask(&["word"]).await;
    assert!(words.get("segments").is_none());
    assert_eq!(
        words["words"][0],
        json!({"word": "Hello,", "start": 0.5, "end": 1.5})
    );
    let both = ask(&["word", "segment"]).await;
    assert!(both["words"].is_array() && both["segments"].is_array());
}

#[tokio::test]
async fn fields_come_in_any_order_and_unknown_ones_are_ignored() {
    let daemon = daemon().await;
    let mut parts = vec![
        MODEL,
        ("response_format", "verbose_json"),
        ("timestamp_granularities[]", "word"),
        ("prompt", "Names: Earnest."),
        ("temperature", "0"),
        ("language", "en"),
        ("include[]", "logprobs"),
        ("chunking_strategy", "auto"),
        ("x_unknown", "y"),
        FILE,
    ];
    let expected = daemon.upload(&parts).await.json();
    for _ in 1..parts.len() {
        parts.rotate_left(1);
        let answer = daemon.upload(&parts).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json(), expected);
    }
}

#[tokio::test]
async fn silence_is_an_empty_text() {
    let daemon = daemon().await;
    let quiet = ("file", "speech 100\n");
    let answer = daemon.upload(&[MODEL, quiet]).await;
    assert_eq!(answer.json()["text"], "");
    let answer = daemon
        .upload(&[MODEL, ("response_format", "text"), quiet])
        .await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
}

#[tokio::test]
async fn a_streamed_answer_is_deltas_that_make_up_its_text() {
    let daemon = daemon().await;
    for order in [
        [MODEL, ("stream", "true"), FILE],
        [FILE, ("stream", "true"), MODEL],
    ] {
        let answer = daemon.upload(&order).await;
        assert_eq!(answer.header("content-type"), "text/event-stream");
        let events: Vec<_> = answer
            .body
            .split_terminator("\n\n")
            .map(|event| event.strip_prefix("data: ").expect("an event of data"))
            .collect();
        let (done, events) = events.split_last().expect("events");
        assert_eq!(*done, "[DONE]");
        let events: Vec<Value> = events
            .iter()
            .map(|event| serde_json::from_str(event).expect("JSON"))
            .collect();
        let (last, deltas) = events.split_last().expect("events");
        assert_eq!(last["type"], "transcript.text.done");
        let text: String = deltas
            .iter()
            .inspect(|event| assert_eq!(event["type"], "transcript.text.delta"))
            .filter_map(|event| event["delta"].as_str())
            .collect();
        assert_eq!(last["text"], text.as_str());
        assert_eq!(text, "Hello, world. How are you?");
    }
}

#[tokio::test]
async fn a_stream_that_cannot_begin_is_refused_with_its_own_status() {
    let daemon = daemon().await;
    for (sound, status) in [("no sound\n", 400), ("crash\n", 502)] {
        let answer = daemon
            .upload(&[MODEL, ("stream", "true"), ("file", sound)])
            .await;
        assert_eq!(answer.refusal().0, status);
    }
}

#[tokio::test]
async fn models_are_listed_by_all_their_names() {
    let daemon = daemon().await;
    let list = daemon.ask(get("/v1/models")).await.json();
    assert_eq!(list["object"], "list");
    let names: Vec<_> = list["data"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|model| model["id"].as_str())
        .collect();
    assert_eq!(names[0], "moonshine-tiny-en");
    for name in names {
        let model = daemon.ask(get(&format!("/v1/models/{name}"))).await;
        assert_eq!(model.json()["id"], name);
        assert_eq!(model.json()["object"], "model");
    }
}

#[tokio::test]
async fn a_connection_serves_one_request_after_another() {
    let daemon = daemon().await;
    let answer = whole(send(daemon.unix().await, upload(&[MODEL, FILE])).await).await;
    assert_eq!(answer.status, 200);
    let clip = form(&[MODEL, FILE]);
    let text = format!(
        "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\n\
         Content-Length: {}\r\n\r\n{clip}GET /health HTTP/1.1\r\nHost: a\r\n\
         Connection: close\r\n\r\n",
        clip.len()
    );
    let answers = crate::http::raw(daemon.unix().await, text.as_bytes()).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
}

#[tokio::test]
async fn answers_are_kept_by_nobody_and_read_by_no_page() {
    let daemon = daemon().await;
    for request in [get("/health"), upload(&[MODEL, FILE]), get("/nowhere")] {
        let answer = daemon.ask(request).await;
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert!(answer.header("x-request-id").starts_with("req_"));
        let cors = |name: &http::HeaderName| name.as_str().starts_with("access-control");
        assert!(!answer.headers.keys().any(cors), "{answer:?}");
    }
    let options = request("OPTIONS", "/v1/audio/transcriptions", &[], "");
    assert_eq!(daemon.ask(options).await.status, 405);
}
