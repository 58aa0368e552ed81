//! HTTP as no client would write it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::curl::Reply;
use crate::earnestd::Earnestd;
use crate::wait::PATIENCE;

/// A connection over the Unix socket, byte by byte.
pub(crate) struct Raw {
    socket: UnixStream,
}

impl Raw {
    /// Connects.
    pub(crate) fn connect(daemon: &Earnestd) -> Raw {
        let socket = UnixStream::connect(daemon.socket()).expect("the daemon listens");
        for timed in [
            socket.set_read_timeout(Some(PATIENCE)),
            socket.set_write_timeout(Some(PATIENCE)),
        ] {
            timed.expect("the time is not zero");
        }
        Raw { socket }
    }

    /// The longest that an answer is waited for.
    pub(crate) fn patient_for(self, patience: Duration) -> Raw {
        let timed = self.socket.set_read_timeout(Some(patience));
        timed.expect("the time is not zero");
        self
    }

    /// Sends bytes. Says no when the other side has had enough.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> bool {
        self.socket.write_all(bytes).is_ok()
    }

    /// Sends a chunk of a chunked body.
    pub(crate) fn send_chunk(&mut self, bytes: &[u8]) -> bool {
        let head = format!("{:x}\r\n", bytes.len());
        self.send(head.as_bytes()) && self.send(bytes) && self.send(b"\r\n")
    }

    /// Everything that comes until the other side closes.
    pub(crate) fn rest(&mut self) -> String {
        let mut answer = Vec::new();
        // One that is reset has said what it said.
        let _ = self.socket.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// The answer, to a request that ends with its connection.
    pub(crate) fn reply(&mut self) -> Reply {
        let answer = self.rest();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.split(' ').nth(1).unwrap_or_default();
        // What is chunked is of one line here: it begins with a brace.
        let body = body.lines().find(|line| line.starts_with('{'));
        Reply {
            status: status.parse().unwrap_or(0),
            body: body.unwrap_or_default().to_owned(),
            said: head.to_owned(),
            code: 0,
        }
    }
}

/// A connection over which one request follows another.
pub(crate) struct KeptAlive {
    socket: BufReader<UnixStream>,
}

impl KeptAlive {
    /// Connects.
    pub(crate) fn connect(daemon: &Earnestd) -> KeptAlive {
        KeptAlive {
            socket: BufReader::new(Raw::connect(daemon).socket),
        }
    }

    /// Asks and gives the status, the request's id and the body, if the answer came whole.
    pub(crate) fn ask(&mut self, head: &str) -> Option<(u16, String, String)> {
        let request = format!("{head}\r\nhost: localhost\r\n\r\n");
        self.socket.get_mut().write_all(request.as_bytes()).ok()?;
        let (mut status, mut id, mut length) = (0, String::new(), 0);
        loop {
            let mut line = String::new();
            self.socket.read_line(&mut line).ok()?;
            let line = line.strip_suffix("\r\n")?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(rest) = line.strip_prefix("http/1.1 ") {
                status = rest.get(..3)?.parse().ok()?;
            } else if let Some(value) = line.strip_prefix("x-request-id: ") {
                id = value.to_owned();
            } else if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        self.socket.read_exact(&mut body).ok()?;
        Some((status, id, String::from_utf8(body).ok()?))
    }
}

/// Base64 as tokens have it (RFC 7515, section 2).
pub(crate) fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let mut three = [0; 3];
        three[..group.len()].copy_from_slice(group);
        let [a, b, c] = three;
        let bits = u32::from_be_bytes([0, a, b, c]);
        for place in 0..=group.len() {
            let index = bits >> (18 - 6 * place) & 63;
            text.push(char::from(ALPHABET[index as usize]));
        }
    }
    text
}

/// The bytes of such a text.
pub(crate) fn from_base64url(text: &str) -> Vec<u8> {
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for character in text.bytes() {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => panic!("{text} is no base64url"),
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    bytes
}

#[test]
fn base64url_is_that_of_rfc_4648() {
    for (bytes, text) in [
        (&b""[..], ""),
        (b"f", "Zg"),
        (b"fo", "Zm8"),
        (b"foo", "Zm9v"),
        (b"foobar", "Zm9vYmFy"),
        (&[0xfb, 0xff], "-_8"),
    ] {
        assert_eq!(base64url(bytes), text);
        assert_eq!(from_base64url(text), bytes);
    }
}
