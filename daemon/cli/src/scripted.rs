//! A daemon that says what it is told to, for tests of commands.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a command asked.
pub(crate) struct Asked {
    pub(crate) line: String,
    pub(crate) headers: Vec<String>,
    pub(crate) body: String,
}

impl Asked {
    fn read(stream: &UnixStream) -> Asked {
        let mut lines = BufReader::new(stream);
        let mut next = || {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            line.trim_end().to_owned()
        };
        let line = next();
        let headers: Vec<String> = std::iter::from_fn(|| Some(next()))
            .take_while(|line| !line.is_empty())
            .map(|line| line.to_ascii_lowercase())
            .collect();
        let length = headers.iter().find_map(|header| {
            let length = header.strip_prefix("content-length: ")?;
            length.parse::<usize>().ok()
        });
        let mut body = vec![0; length.unwrap_or(0)];
        lines.read_exact(&mut body).unwrap();
        Asked {
            line,
            headers,
            body: String::from_utf8(body).unwrap(),
        }
    }

    /// Whether it showed this code of an authenticator.
    pub(crate) fn shows(&self, code: &str) -> bool {
        let expected = format!("earnest-second-factor: {code}");
        self.headers.contains(&expected)
    }

    /// Its body.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// A daemon that gives these answers, one a connection, and tells what it was asked.
pub(crate) struct Scripted {
    folder: tempfile::TempDir,
    asked: Receiver<Asked>,
}

impl Scripted {
    /// One that gives objects.
    pub(crate) fn new(answers: Vec<(u16, Value)>) -> Scripted {
        let answers = answers.into_iter();
        Scripted::of(answers.map(|(status, answer)| (status, answer.to_string())))
    }

    /// One that gives these bodies.
    pub(crate) fn of(answers: impl IntoIterator<Item = (u16, String)>) -> Scripted {
        let answers: Vec<_> = answers.into_iter().collect();
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("earnest.sock")).unwrap();
        let (tell, asked) = channel();
        thread::spawn(move || {
            for (status, body) in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let _ = tell.send(Asked::read(&stream));
                let head = format!(
                    "HTTP/1.1 {status} \r\ncontent-length: {}\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all(format!("{head}{body}").as_bytes());
            }
        });
        Scripted { folder, asked }
    }

    /// Its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.path("earnest.sock")
    }

    /// What it was asked next.
    pub(crate) fn asked(&self) -> Asked {
        self.asked.recv_timeout(PATIENCE).unwrap()
    }

    /// Whether it was asked anything more.
    pub(crate) fn was_asked(&self) -> bool {
        self.asked.try_recv().is_ok()
    }

    /// A place beside its socket.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// What a daemon says that refuses for this reason.
pub(crate) fn refusal(code: &str) -> Value {
    json!({ "error": { "message": "No.", "type": "invalid_request_error", "param": null, "code": code } })
}
