//! A request whose sound is still being sent while its answer is read, to the byte as a test
//! wants it. curl has its own mind of when to look at either side.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

use serde_json::Value;

use crate::earnestd::Earnestd;
use crate::wait::PATIENCE;

/// A stream of raw sound over the Unix socket. Dropped, it breaks off.
pub(crate) struct Upload {
    socket: UnixStream,
    lines: Receiver<Value>,
}

impl Upload {
    /// Begins to send sound of 16 kHz for an app of this name.
    pub(crate) fn begin(daemon: &Earnestd, app: &str) -> Upload {
        let token = daemon.token(app);
        let socket = UnixStream::connect(daemon.socket()).expect("the daemon listens");
        let (sender, lines) = channel();
        let answer = socket.try_clone().expect("there is room for a descriptor");
        thread::spawn(move || {
            let lines = BufReader::new(answer).lines().map_while(Result::ok);
            // An object is a line of its own; neither the head nor the framing of chunks begins
            // with a brace.
            for line in lines.filter(|line| line.starts_with('{')) {
                let value = serde_json::from_str(&line).unwrap_or(Value::String(line));
                if sender.send(value).is_err() {
                    return;
                }
            }
        });
        let mut upload = Upload { socket, lines };
        upload.write(
            format!(
                "POST /v1/audio/stream HTTP/1.1\r\nhost: localhost\r\n\
                 authorization: Bearer {token}\r\ncontent-type: audio/pcm;rate=16000\r\n\
                 transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
            )
            .as_bytes(),
        );
        upload
    }

    /// The other side may have had enough, and says why in its answer.
    fn write(&mut self, bytes: &[u8]) {
        let _ = self.socket.write_all(bytes);
    }

    /// Sends some sound.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(16_000) {
            self.write(format!("{:x}\r\n", piece.len()).as_bytes());
            self.write(piece);
            self.write(b"\r\n");
        }
    }

    /// Ends the sound.
    pub(crate) fn end(&mut self) {
        self.write(b"0\r\n\r\n");
    }

    /// The next line of the answer; nothing once it is over.
    pub(crate) fn next(&mut self) -> Option<Value> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("no line comes"),
        }
    }

    /// The rest of the answer.
    pub(crate) fn rest(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.next()).collect()
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        // The thread that reads has another descriptor of it.
        let _ = self.socket.shutdown(std::net::Shutdown::Both);
    }
}
