//! What is taken out of answers, and when they are given.

use std::time::{Duration, Instant};

use earnest_policy::AnswerRules;

use crate::house::Daemon;
use crate::http::{request, upload};
use crate::setting;

const MODEL: (&str, &str) = ("model", "whisper-1");

async fn ruled(floor: Option<f32>, digits: Option<u8>, pad: Option<Duration>) -> Daemon {
    let mut setting = setting();
    setting.answers = AnswerRules::new(floor, digits, pad).expect("rules");
    Daemon::start(setting).await
}

#[tokio::test]
async fn numbers_are_taken_out_in_every_format() {
    let daemon = ruled(None, Some(4), None).await;
    let file = "say 0 1000 My code is four two\nsay 1000 2000 one seven. Bye.\n";
    for (format, stream) in [
        ("json", "false"),
        ("text", "false"),
        ("srt", "false"),
        ("vtt", "false"),
        ("verbose_json", "false"),
        ("json", "true"),
    ] {
        let parts = [
            MODEL,
            ("response_format", format),
            ("timestamp_granularities[]", "word"),
            ("stream", stream),
            ("file", file),
        ];
        let answer = daemon.ask(upload(&parts)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body.contains("[number]"), "{answer:?}");
        for spoken in ["four", "two", "seven"] {
            assert!(!answer.body.contains(spoken), "{format}: {}", answer.body);
        }
    }
    let sound = [("content-type", "audio/wav")];
    let path = "/v1/audio/stream?words=true";
    let answer = daemon.ask(request("POST", path, &sound, file)).await;
    assert!(answer.body.contains("[number]") && !answer.body.contains("seven"));
    assert_eq!(answer.body.matches("\"type\":\"segment\"").count(), 2);
}

#[tokio::test]
async fn what_the_model_is_not_sure_of_is_withheld() {
    let daemon = ruled(Some(-1.0), None, None).await;
    let file = "mumble 0 1000 Nonsense.\nsay 1000 2000 Sense.\n";
    let answer = daemon.ask(upload(&[MODEL, ("file", file)])).await;
    assert_eq!(answer.json()["text"], "Sense.");
    let srt = [MODEL, ("response_format", "srt"), ("file", file)];
    let answer = daemon.ask(upload(&srt)).await;
    assert!(!answer.body.contains("Nonsense"), "{answer:?}");
}

#[tokio::test]
async fn answers_come_at_a_quantum_good_and_bad_alike() {
    let quantum = Duration::from_millis(400);
    let daemon = ruled(None, None, Some(quantum)).await;
    for (file, status) in [("say 0 1000 Hello.\n", 200), ("refuse\n", 400)] {
        let before = Instant::now();
        let answer = daemon.ask(upload(&[MODEL, ("file", file)])).await;
        assert_eq!(answer.status, status);
        assert!(before.elapsed() >= quantum, "{:?}", before.elapsed());
    }
    // Who is refused before any work is told at once.
    let before = Instant::now();
    assert_eq!(daemon.ask(crate::http::get("/v1/models")).await.status, 200);
    assert!(before.elapsed() < quantum);
}
