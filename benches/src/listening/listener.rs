//! An application that reads `GET /v1/listen` line by line, and notes when each came.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::daemon::Daemon;

/// The longest part of an answer that is taken: an event has some hundred bytes.
const MOST: usize = 1 << 20;

/// One event, and when it was read.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) at: Instant,
    pub(super) event: Value,
}

impl Told {
    pub(super) fn kind(&self) -> &str {
        self.event["type"].as_str().unwrap_or_default()
    }

    pub(super) fn seconds(&self, member: &str) -> f64 {
        self.event[member].as_f64().unwrap_or_default()
    }

    pub(super) fn text(&self) -> &str {
        self.event["text"].as_str().unwrap_or_default()
    }

    /// Whether it tells any words.
    pub(super) fn has_text(&self) -> bool {
        ["text", "stable", "tentative"].iter().any(|member| {
            self.event[*member]
                .as_str()
                .is_some_and(|text| !text.is_empty())
        })
    }
}

/// Who listens, until it is dropped.
pub(super) struct Listener {
    stream: UnixStream,
    events: Receiver<Told>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        // The thread that reads ends by it.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

impl Listener {
    /// Begins to listen, as the bearer of `token`.
    pub(super) fn begin(daemon: &Daemon, token: &str) -> Result<Listener> {
        let mut stream = UnixStream::connect(daemon.socket())?;
        let head = format!(
            "GET /v1/listen HTTP/1.1\r\nhost: localhost\r\naccept: application/x-ndjson\r\n\
             authorization: Bearer {token}\r\n\r\n"
        );
        stream.write_all(head.as_bytes())?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let (mut line, mut first) = (String::new(), String::new());
        while reader.read_line(&mut line)? > 2 {
            first.push_str(&std::mem::take(&mut line));
        }
        ensure!(first.starts_with("HTTP/1.1 200"), "refused: {first}");
        let (sender, events) = channel();
        // Sound that lasts for hours has some ten events a second, which fit in memory.
        thread::spawn(move || {
            let mut rest = Vec::new();
            while let Ok(part) = next_part(&mut reader) {
                let at = Instant::now();
                rest.extend(part);
                while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = rest.drain(..=end).collect();
                    let Ok(event) = serde_json::from_slice(&line) else {
                        continue;
                    };
                    if sender.send(Told { at, event }).is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Listener { stream, events })
    }

    /// The next event, if one comes in time.
    pub(super) fn next(&self, patience: Duration) -> Result<Option<Told>> {
        match self.events.recv_timeout(patience) {
            Ok(told) if told.kind() == "error" => bail!("listening ended: {}", told.event),
            Ok(told) => Ok(Some(told)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => bail!("listening ended without a word"),
        }
    }

    /// The next event of this kind, which comes in time. Others are dropped.
    pub(super) fn wait(&self, kind: &str, patience: Duration) -> Result<Told> {
        let end = Instant::now() + patience;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let told = self.next(left)?;
            let told = told.with_context(|| format!("no {kind} within {patience:?}"))?;
            if told.kind() == kind {
                return Ok(told);
            }
        }
    }
}

/// The next part of an answer in parts (RFC 9112, section 7.1).
fn next_part(reader: &mut BufReader<UnixStream>) -> Result<Vec<u8>> {
    let mut line = String::new();
    ensure!(reader.read_line(&mut line)? > 0, "the answer has ended");
    let length = usize::from_str_radix(line.trim(), 16)?;
    ensure!((1..=MOST).contains(&length), "a part of {length} bytes");
    let mut part = vec![0; length + 2];
    reader.read_exact(&mut part)?;
    part.truncate(length);
    Ok(part)
}
