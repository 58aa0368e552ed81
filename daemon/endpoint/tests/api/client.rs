//! `earnest`'s own client.

use std::io::Cursor;

use earnest_endpoint::StreamLine;
use earnest_endpoint::client::{Client, Kind, StreamOptions};

use crate::daemon;

const FILE: StreamOptions = StreamOptions {
    kind: Kind::File,
    words: true,
};

#[tokio::test]
async fn it_reads_the_status_and_tells_up_from_down() {
    let daemon = daemon().await;
    let client = daemon.client();
    assert!(client.is_up().await.expect("an answer"));
    let status = client.status().await.expect("an operator asks");
    assert!(status.gate.open);
    assert_eq!(status.model, "moonshine-tiny-en");
    // A port and a socket, and as much for Wyoming.
    assert_eq!(status.listeners.len(), 4);
    assert!(status.workers.is_some());
    assert!(!status.events.is_empty());
    daemon.house.tamper().await;
    assert!(!client.is_up().await.expect("an answer"));
    let status = client.status().await.expect("an operator asks");
    assert!(!status.gate.open && status.workers.is_none());
}

#[tokio::test]
async fn it_streams_sound_and_gives_segments() {
    let daemon = daemon().await;
    let script = Cursor::new("speech 0\nsay 0 1000 One two.\nsay 1000 2000 Three.\n");
    let mut lines = daemon
        .client()
        .stream(FILE, script)
        .await
        .expect("a stream");
    let mut texts = Vec::new();
    let mut ended = None;
    while let Some(line) = lines.next().await.expect("a line") {
        match line {
            StreamLine::Segment(line) => {
                let segment = line.segment();
                texts.push((
                    segment.start.0,
                    segment.end.0,
                    segment.text,
                    segment.words.len(),
                ));
            }
            StreamLine::Done { duration, flaw } => ended = Some((duration, flaw)),
            StreamLine::SpeechStarted { .. }
            | StreamLine::Partial(_)
            | StreamLine::SpeechStopped { .. }
            | StreamLine::Error { .. } => {}
        }
    }
    assert_eq!(
        texts,
        [
            (0, 1000, "One two.".to_owned(), 2),
            (1000, 2000, "Three.".to_owned(), 1)
        ]
    );
    assert_eq!(ended, Some((2.0, None)));
}

#[tokio::test]
async fn it_sends_raw_sound_as_such() {
    let daemon = daemon().await;
    let options = StreamOptions {
        kind: Kind::Raw {
            rate: 48_000,
            channels: 2,
            float: true,
        },
        words: false,
    };
    let sound = Cursor::new(vec![0; 48_000 * 8 * 2]);
    let mut lines = daemon
        .client()
        .stream(options, sound)
        .await
        .expect("a stream");
    let mut seconds = 0;
    while let Some(line) = lines.next().await.expect("a line") {
        seconds += usize::from(matches!(line, StreamLine::Segment(_)));
    }
    assert_eq!(seconds, 2);
}

#[tokio::test]
async fn refusals_say_what_the_daemon_said() {
    let daemon = daemon().await;
    let client = daemon.client();
    let mut lines = client
        .stream(FILE, Cursor::new("refuse\n"))
        .await
        .expect("a stream");
    let error = lines.next().await.expect_err("no sound");
    assert_eq!(error.code(), Some("invalid_audio"));
    assert!(
        lines
            .next()
            .await
            .expect("nothing after an error")
            .is_none()
    );
    daemon.house.tamper().await;
    let refused = client.stream(FILE, Cursor::new("say 0 1 a\n")).await;
    assert_eq!(
        refused.expect_err("closed").code(),
        Some("device_not_proven")
    );
    let named = client.issue_token("No Name").await.expect_err("no name");
    assert_eq!(named.code(), Some("invalid_value"));
}

#[tokio::test]
async fn a_token_names_the_application() {
    let daemon = daemon().await;
    let token = daemon.client().issue_token("notes").await.expect("a token");
    let own = format!("uid-{}.notes", nix::unistd::getuid());
    assert_eq!(token.app, own);
    assert!(token.expires_in > 0 && !format!("{token:?}").contains(&token.token));
    let client = daemon.client().with_token(&token.token).expect("a header");
    let mut lines = client
        .stream(FILE, Cursor::new("say 0 1000 Hi.\n"))
        .await
        .expect("a stream");
    while lines.next().await.expect("a line").is_some() {}
    daemon.recorded(".notes): 200").await;
}

#[tokio::test]
async fn no_daemon_is_told_from_one_that_refuses() {
    let folder = tempfile::tempdir().expect("a folder");
    let absent = Client::new(folder.path().join("none.sock"));
    assert!(absent.is_up().await.expect_err("nobody").is_absent());
    let daemon = daemon().await;
    let refused = daemon
        .client()
        .renew_token("none")
        .await
        .expect_err("no token");
    assert!(!refused.is_absent());
}
