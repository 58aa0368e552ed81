//! How much an application may ask for.

use std::time::Duration;

use earnest_policy::AppLimits;

use crate::house::Daemon;
use crate::http::{get, request, upload};
use crate::setting;

const MODEL: (&str, &str) = ("model", "whisper-1");
const FILE: (&str, &str) = ("file", "say 0 1000 Hello.\n");

async fn limited(limits: AppLimits) -> Daemon {
    let mut setting = setting();
    setting.app_limits = limits;
    Daemon::start(setting).await
}

#[tokio::test]
async fn more_than_the_burst_is_told_when_to_come_again() {
    let limits = AppLimits::default().with_burst(3);
    let limits = limits.and_then(|limits| limits.with_per_minute(1));
    let daemon = limited(limits.expect("within the ranges")).await;
    for _ in 0..3 {
        assert_eq!(daemon.ask(upload(&[MODEL, FILE])).await.status, 200);
    }
    let answer = daemon.ask(upload(&[MODEL, FILE])).await;
    assert_eq!(answer.refusal(), (429, "rate_limited".to_owned()));
    assert!(answer.header("retry-after").parse::<u64>().is_ok());
    daemon.recorded("refused: rate_limited").await;
    // What costs no work is counted apart: tokens are renewed whatever else runs.
    daemon.client().issue_token("notes").await.expect("a token");
    let mut light = 1;
    while daemon.ask(get("/v1/models")).await.status == 200 {
        light += 1;
        assert!(light <= 3 * 5, "the audit log can be filled");
    }
    let answer = daemon.ask(get("/v1/models")).await;
    assert_eq!(answer.refusal(), (429, "rate_limited".to_owned()));
}

#[tokio::test]
async fn a_stream_ends_where_the_days_sound_does() {
    let limits = AppLimits::default().with_daily_sound_minutes(1);
    let daemon = limited(limits.expect("a minute")).await;
    let raw = [("content-type", "audio/pcm")];
    let minute = vec![0_u8; 61 * 32_000];
    let answer = daemon
        .ask(request("POST", "/v1/audio/stream", &raw, minute))
        .await;
    let last = answer.body.lines().last().expect("a line");
    assert!(last.contains("budget_spent"), "{last}");
    assert!(last.contains(answer.header("x-request-id")), "{last}");
    let answer = daemon.ask(upload(&[MODEL, FILE])).await;
    assert_eq!(answer.refusal(), (429, "budget_spent".to_owned()));
}

#[tokio::test]
async fn places_of_an_application_are_given_back() {
    let limits = AppLimits::default().with_at_once(1);
    let daemon = limited(limits.expect("one")).await;
    let mut live = crate::streams::Live::begin(&daemon, "?rate=16000").await;
    live.send(&[0; 32_000]).await;
    assert!(live.line().await.contains("one second"));
    let answer = daemon.ask(upload(&[MODEL, FILE])).await;
    assert_eq!(answer.refusal(), (429, "busy".to_owned()));
    daemon.recorded("refused: too_many_at_once").await;
    drop(live);
    daemon.at_rest().await;
    let again = async {
        while daemon.ask(upload(&[MODEL, FILE])).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let again = tokio::time::timeout(crate::http::PATIENCE, again).await;
    assert!(again.is_ok(), "the place is not given back");
}
