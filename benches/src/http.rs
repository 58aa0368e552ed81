//! A client that costs next to nothing: HTTP/1.1 written by hand, on connections that are kept.
//!
//! Over TLS the bytes go through `openssl s_client`, one process for each connection, because no
//! library for it belongs to the benches.

use std::io::{BufRead as _, BufReader, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

/// Longer than any answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Longest answer that is read: a text of some words, and a token.
const MOST_BYTES: usize = 1 << 20;

/// Most lines of a head.
const MOST_LINES: usize = 64;

/// The daemon closes a connection that rests for ten seconds; one that rested for nearly so long
/// is not used again.
const RESTS: Duration = Duration::from_secs(5);

/// A way to the daemon.
#[derive(Debug, Clone)]
pub(crate) enum Door {
    /// Its Unix socket.
    Unix(PathBuf),
    /// TLS on a port of 127.0.0.1, for whoever trusts this authority.
    Tls { port: u16, authority: PathBuf },
}

/// What came back.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Seconds of `Retry-After`, where it is there.
    pub(crate) retry_after: Option<u64>,
    pub(crate) body: Value,
    closes: bool,
}

impl Answer {
    /// The code of a refusal.
    pub(crate) fn code(&self) -> Option<&str> {
        self.body["error"]["code"].as_str()
    }

    /// The answer in a text.
    #[cfg(test)]
    pub(crate) fn parse(text: &str) -> Result<Answer> {
        read(&mut BufReader::new(text.as_bytes()))
    }
}

/// A client with at most one connection.
pub(crate) struct Client {
    door: Door,
    line: Option<Line>,
}

struct Line {
    reader: BufReader<Box<dyn Read + Send>>,
    writer: Box<dyn Write + Send>,
    used: Instant,
    _tunnel: Option<Tunnel>,
}

/// A process that ends with its connection.
struct Tunnel(Child);

impl Drop for Tunnel {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Client {
    /// A client that is not connected yet.
    pub(crate) fn new(door: Door) -> Client {
        Client { door, line: None }
    }

    /// Connects unless there is a connection that can be used, so that the time of a request is
    /// the request's.
    pub(crate) fn connect(&mut self) -> Result<()> {
        let rested = |line: &Line| line.used.elapsed() > RESTS;
        if self.line.as_ref().is_some_and(rested) {
            self.line = None;
        }
        if self.line.is_none() {
            self.line = Some(self.door.open()?);
            // A handshake has ended once something is answered.
            let health = self.ask("GET /health", "", b"")?.status;
            ensure!(health == 200, "the daemon is not well: {health}");
        }
        Ok(())
    }

    /// Asks on the connection, which is given up where that fails or the daemon says so.
    pub(crate) fn ask(&mut self, what: &str, head: &str, body: &[u8]) -> Result<Answer> {
        let mut line = self.line.take().context("there is no connection")?;
        let (host, length) = (self.door.host(), body.len());
        let head =
            format!("{what} HTTP/1.1\r\nhost: {host}\r\n{head}content-length: {length}\r\n\r\n");
        let sent = line.writer.write_all(head.as_bytes());
        let sent = sent.and_then(|()| line.writer.write_all(body));
        let sent = sent.and_then(|()| line.writer.flush());
        // Who is refused early may be told while it still sends.
        let answer = match (read(&mut line.reader), sent) {
            (Err(_), Err(error)) => return Err(error).context("the request cannot be sent"),
            (answer, _) => answer?,
        };
        if !answer.closes {
            line.used = Instant::now();
            self.line = Some(line);
        }
        Ok(answer)
    }
}

impl Door {
    /// Its name.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Door::Unix(_) => "Unix socket",
            Door::Tls { .. } => "TLS",
        }
    }

    /// What requests through it are addressed to.
    fn host(&self) -> String {
        match self {
            Door::Unix(_) => "localhost".to_owned(),
            Door::Tls { port, .. } => format!("localhost:{port}"),
        }
    }

    fn open(&self) -> Result<Line> {
        let used = Instant::now();
        match self {
            Door::Unix(path) => {
                let stream = UnixStream::connect(path).context("nobody is at the socket")?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Ok(Line {
                    writer: Box::new(stream.try_clone()?),
                    reader: BufReader::new(Box::new(stream)),
                    used,
                    _tunnel: None,
                })
            }
            Door::Tls { port, authority } => {
                let (tunnel, writer, reader) = tunnel(*port, authority)?;
                Ok(Line {
                    writer: Box::new(writer),
                    reader: BufReader::new(Box::new(reader)),
                    used,
                    _tunnel: Some(tunnel),
                })
            }
        }
    }
}

fn tunnel(port: u16, authority: &std::path::Path) -> Result<(Tunnel, ChildStdin, ChildStdout)> {
    let mut child = Command::new("openssl")
        .args(["s_client", "-quiet", "-tls1_3", "-verify_return_error"])
        .args(["-verify_hostname", "localhost", "-servername", "localhost"])
        .args(["-connect", &format!("127.0.0.1:{port}"), "-CAfile"])
        .arg(authority)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot run openssl")?;
    let ends = (child.stdin.take(), child.stdout.take());
    let tunnel = Tunnel(child);
    match ends {
        (Some(writer), Some(reader)) => Ok((tunnel, writer, reader)),
        _ => bail!("openssl has no pipes"),
    }
}

fn read(from: &mut impl ReadLine) -> Result<Answer> {
    let first = from.line()?;
    let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.with_context(|| format!("no status in {first:?}"))?;
    let (mut length, mut chunked, mut closes, mut retry_after) = (0, false, false, None);
    for _ in 0..MOST_LINES {
        let line = from.line()?.to_ascii_lowercase();
        if line.is_empty() {
            let bytes = match chunked {
                true => chunks(from)?,
                false => from.bytes_of(length)?,
            };
            let body = serde_json::from_slice(&bytes).unwrap_or_default();
            return Ok(Answer {
                status,
                retry_after,
                body,
                closes,
            });
        }
        let (name, value) = line.split_once(':').context("a header without a value")?;
        match (name, value.trim()) {
            ("content-length", value) => length = value.parse()?,
            ("transfer-encoding", value) => chunked = value == "chunked",
            ("connection", value) => closes = value == "close",
            ("retry-after", value) => retry_after = value.parse().ok(),
            _ => {}
        }
    }
    bail!("a head of too many lines")
}

fn chunks(from: &mut impl ReadLine) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let size = usize::from_str_radix(&from.line()?, 16).context("a chunk without a size")?;
        ensure!(bytes.len() + size <= MOST_BYTES, "too long an answer");
        bytes.extend(from.bytes_of(size)?);
        ensure!(from.line()?.is_empty(), "a chunk without an end");
        if size == 0 {
            return Ok(bytes);
        }
    }
}

/// What an answer is read from.
trait ReadLine {
    /// A line without its end.
    fn line(&mut self) -> Result<String>;
    /// So many bytes.
    fn bytes_of(&mut self, length: usize) -> Result<Vec<u8>>;
}

impl<R: Read> ReadLine for BufReader<R> {
    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        let read = self.take(MOST_BYTES as u64).read_line(&mut line);
        if read.context("no answer")? == 0 {
            return Err(std::io::Error::from(ErrorKind::UnexpectedEof))
                .context("the daemon hung up");
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    fn bytes_of(&mut self, length: usize) -> Result<Vec<u8>> {
        ensure!(length <= MOST_BYTES, "too long an answer");
        let mut bytes = vec![0; length];
        self.read_exact(&mut bytes)
            .context("an answer that breaks off")?;
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole_and_in_chunks() {
        let whole =
            Answer::parse("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"text\":\"a\"}").unwrap();
        assert_eq!((whole.status, whole.closes), (200, false));
        assert_eq!(whole.body["text"], "a");
        let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n\
                       5\r\n{\"tex\r\n7\r\nt\":\"a\"}\r\n0\r\n\r\n";
        let chunked = Answer::parse(chunked).unwrap();
        assert_eq!((chunked.body, chunked.closes), (whole.body, true));
    }

    #[test]
    fn refusals_say_why_and_when_to_come_again() {
        let body = "{\"error\":{\"code\":\"busy\"}}";
        let head = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 3\r\ncontent-length: 25\r\n\r\n";
        let refused = Answer::parse(&format!("{head}{body}")).unwrap();
        assert_eq!(refused.code(), Some("busy"));
        assert_eq!((refused.status, refused.retry_after), (429, Some(3)));
    }

    #[test]
    fn what_breaks_off_is_no_answer() {
        for text in [
            "",
            "HTTP/1.1\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}",
        ] {
            assert!(Answer::parse(text).is_err(), "{text:?}");
        }
    }
}
