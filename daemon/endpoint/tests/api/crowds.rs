//! Connections that say nothing, and more of them than one user may hold.

use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use crate::house::Daemon;
use crate::http::{PATIENCE, get, raw};
use crate::setting;

#[tokio::test]
async fn who_holds_too_many_connections_is_told_so_early() {
    let mut setting = setting();
    setting.limits.connections_of_one = 3;
    let daemon = Daemon::start(setting).await;
    let held = [
        daemon.unix().await,
        daemon.unix().await,
        daemon.unix().await,
    ];
    // They are counted once the daemon has seen them.
    let refused = async {
        loop {
            let request = b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
            let answer = raw(daemon.unix().await, request).await;
            if answer.starts_with("HTTP/1.1 503 ") && answer.contains("too_many_connections") {
                return answer;
            }
        }
    };
    let answer = timeout(PATIENCE, refused).await.expect("in time");
    assert!(answer.contains("retry-after: "), "{answer}");
    assert!(answer.contains("x-request-id: req_"), "{answer}");
    daemon.recorded("refused: too_many_connections").await;
    drop(held);
    let again = async {
        while raw(
            daemon.unix().await,
            b"GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        )
        .await
        .contains("too_many")
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, again)
        .await
        .expect("places are given back");
    assert_eq!(daemon.ask(get("/health")).await.status, 200);
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_closed() {
    let mut setting = setting();
    setting.limits.head_time = Duration::from_millis(200);
    let daemon = Daemon::start(setting).await;
    let mut silent = daemon.unix().await;
    let mut answer = Vec::new();
    let closed = timeout(PATIENCE, silent.read_to_end(&mut answer)).await;
    closed.expect("it is closed").expect("in order");
    // So is one that rests after a request.
    let answer = raw(
        daemon.unix().await,
        b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
