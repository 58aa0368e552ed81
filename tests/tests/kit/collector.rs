//! Everything that a daemon writes or sends, and the words that must not be in it.

use std::collections::HashSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::client::SAID;

/// Words that are spoken and also stand in what the daemon says of itself: a self-test or a
/// worker has `failed`, and whoever is refused may ask `again`.
const OF_THE_SCHEMA: [&str; 2] = ["failed", "again"];

/// A collector that keeps all it is sent.
pub(crate) struct Collector {
    port: u16,
    sent: Arc<Mutex<Vec<u8>>>,
}

impl Collector {
    /// One that runs to the end of the test.
    pub(crate) fn new() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("it listens").port();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&sent);
        // It ends with the process of the test.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let kept = Arc::clone(&kept);
                thread::spawn(move || collect(stream, &kept));
            }
        });
        Collector { port, sent }
    }

    /// The port of loopback that it listens at.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// All that it was sent so far.
    pub(crate) fn sent(&self) -> Vec<u8> {
        let sent = self.sent.lock().expect("nobody panics with it");
        sent.clone()
    }
}

/// Takes requests of a connection, and answers each with nothing.
fn collect(mut stream: std::net::TcpStream, kept: &Mutex<Vec<u8>>) {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(bytes @ 1..) = stream.read(&mut piece) {
        kept.lock()
            .expect("nobody panics with it")
            .extend(&piece[..bytes]);
        request.extend(&piece[..bytes]);
        if let Some(length) = whole(&request) {
            request.drain(..length);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }
    }
}

/// The length of the request at the beginning, if all of it is there.
fn whole(bytes: &[u8]) -> Option<usize> {
    let head = bytes.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length?.trim().parse().ok()?;
    (bytes.len() >= head + length).then_some(head + length)
}

/// Every file below a folder, but the sealed models and the fleet's keys: they were there before
/// the daemon, which may not write there.
pub(crate) fn read_all(folder: &Path, written: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(folder).expect("it is ours").flatten() {
        let path = entry.path();
        let kind = entry.file_type().expect("a file has a type");
        let is_input = path.ends_with("sealed") || path.ends_with("keys");
        if kind.is_dir() && !is_input {
            read_all(&path, written);
        } else if kind.is_file() {
            let bytes = fs::read(&path).expect("it is ours");
            written.push((path.to_string_lossy().into_owned(), bytes));
        }
    }
}

/// Each word of four letters or more that was spoken.
pub(crate) fn spoken_words() -> Vec<String> {
    let said = SAID.to_lowercase();
    let words: HashSet<&str> = said
        .split(|one: char| !one.is_alphabetic())
        .filter(|word| word.len() >= 4 && !OF_THE_SCHEMA.contains(word))
        .collect();
    words.into_iter().map(str::to_owned).collect()
}
