//! How requests end: by their caller, by the gate, by the daemon.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::house::Daemon;
use crate::http::{FORM, PATIENCE, form, upload, whole};
use crate::streams::Live;
use crate::{daemon, setting};

const MODEL: (&str, &str) = ("model", "whisper-1");
const FILE: (&str, &str) = ("file", "say 0 1000 Hello.\n");

#[tokio::test]
async fn a_caller_that_goes_away_frees_its_worker() {
    let daemon = daemon().await;
    // In the middle of a stream.
    let mut live = Live::begin(&daemon, "?rate=16000").await;
    live.send(&[0; 32_000]).await;
    assert!(live.line().await.contains("one second"));
    drop(live);
    daemon.at_rest().await;
    daemon.recorded("ended").await;
    // In the middle of a form whose file goes to the worker as it comes.
    let form = form(&[MODEL, ("response_format", "json"), FILE]);
    let head = format!(
        "POST /v1/audio/transcriptions HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\n\
         Content-Length: {}\r\n\r\n{}",
        form.len(),
        &form[..form.len() - 12]
    );
    let mut stream = daemon.unix().await;
    stream.write_all(head.as_bytes()).await.expect("it reads");
    daemon.recorded("request").await;
    drop(stream);
    daemon.at_rest().await;
    assert_eq!(daemon.upload(&[MODEL, FILE]).await.status, 200);
}

#[tokio::test]
async fn a_caller_that_goes_away_while_its_worker_thinks_frees_it() {
    let daemon = daemon().await;
    let request = upload(&[MODEL, ("file", "hang\n")]);
    let (parts, _) = request.into_parts();
    let body = form(&[MODEL, ("file", "hang\n")]);
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: a\r\nContent-Type: {FORM}\r\nContent-Length: {}\r\n\r\n{body}",
        parts.uri,
        body.len()
    );
    let mut stream = daemon.unix().await;
    stream.write_all(head.as_bytes()).await.expect("it reads");
    let pool = daemon.house.pool().expect("a pool");
    while pool.status().working == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(stream);
    daemon.at_rest().await;
    daemon.recorded(": 499 after").await;
}

#[tokio::test]
async fn a_caller_that_does_not_read_is_given_up() {
    let mut setting = setting();
    setting.limits.body_idle = Duration::from_millis(300);
    let daemon = Daemon::start(setting).await;
    // Far more than any system buffers.
    let text = "a ".repeat(2 << 10);
    let script: String = (0..4_000_u64)
        .map(|second| format!("say {} {} {text}\n", second * 1000, second * 1000 + 1000))
        .collect();
    let head = format!(
        "POST /v1/audio/stream HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n",
        script.len()
    );
    let stream = daemon.unix().await;
    let (mut reader, mut writer) = stream.into_split();
    let writing = async {
        writer.write_all(head.as_bytes()).await?;
        writer.write_all(script.as_bytes()).await
    };
    // The daemon takes no more than it can pass on, then closes.
    timeout(PATIENCE, writing)
        .await
        .expect("the daemon gives up")
        .expect_err("it does not take all");
    daemon.at_rest().await;
    let mut rest = Vec::new();
    let _ = timeout(PATIENCE, reader.read_to_end(&mut rest)).await;
    assert!(!String::from_utf8_lossy(&rest).contains("\"done\""));
}

#[tokio::test]
async fn a_worker_that_hangs_costs_one_request() {
    let mut setting = setting();
    setting.stall = Duration::from_millis(300);
    let daemon = Daemon::start(setting).await;
    let answer = daemon.upload(&[MODEL, ("file", "hang\n")]).await;
    assert_eq!(answer.refusal(), (502, "worker_failed".to_owned()));
    assert_eq!(daemon.upload(&[MODEL, FILE]).await.status, 200);
}

#[tokio::test]
async fn a_gate_that_closes_ends_requests_under_way() {
    let daemon = daemon().await;
    let mut live = Live::begin(&daemon, "?rate=16000").await;
    live.send(&[0; 32_000]).await;
    assert!(live.line().await.contains("one second"));
    let stream = daemon.unix().await;
    let request = upload(&[MODEL, ("file", "hang\n")]);
    let asking = tokio::spawn(async move { whole(crate::http::send(stream, request).await).await });
    let pool = daemon.house.pool().expect("a pool");
    while pool.status().working < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    daemon.house.tamper().await;
    assert!(live.line().await.contains("device_not_proven"));
    let answer = asking.await.expect("no panic");
    assert_eq!(answer.refusal(), (503, "device_not_proven".to_owned()));
    assert_eq!(pool.status().processes, 0);
}

#[tokio::test]
async fn stopping_lets_requests_end_and_takes_no_more() {
    let mut daemon = daemon().await;
    let mut live = Live::begin(&daemon, "?rate=16000").await;
    live.send(&[0; 32_000]).await;
    assert!(live.line().await.contains("one second"));
    let address = daemon.address;
    daemon.stop();
    // No connection is taken any more; those that the kernel took meanwhile are closed.
    while let Ok(stream) = tokio::net::TcpStream::connect(address).await {
        drop(stream);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    live.send(&[0; 32_000]).await;
    assert!(live.line().await.contains("one second"));
    let last = live.rest().await;
    assert_eq!(last[0]["type"], "done");
    assert_eq!(daemon.ended().await.cut, 0);
    assert!(!daemon.socket().exists());
}

#[tokio::test]
async fn requests_that_do_not_end_are_cut_when_the_daemon_stops() {
    let mut setting = setting();
    setting.limits.drain_time = Duration::from_millis(100);
    let mut daemon = Daemon::start(setting).await;
    let mut live = Live::begin(&daemon, "?rate=16000").await;
    live.send(&[0; 32_000]).await;
    assert!(live.line().await.contains("one second"));
    daemon.stop();
    assert_eq!(daemon.ended().await.cut, 1);
    daemon.at_rest().await;
}

#[tokio::test]
async fn connections_that_ask_nothing_do_not_hold_the_daemon_up() {
    let mut daemon = daemon().await;
    let idle = daemon.unix().await;
    assert_eq!(daemon.upload(&[MODEL, FILE]).await.status, 200);
    daemon.stop();
    assert_eq!(daemon.ended().await.cut, 0);
    drop(idle);
}
