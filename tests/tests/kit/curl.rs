//! curl, as scripts call it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::wait::PATIENCE;

/// Longer than any answer takes on a busy machine.
const MOST_SECONDS: &str = "120";

/// Between two pieces that a microphone sends.
const PAUSE: Duration = Duration::from_millis(50);

/// A curl with what all its requests share.
pub(crate) struct Curl {
    command: Command,
    base: String,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The status; 0 where there was no answer.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: String,
    /// What curl says, which ends with its number for the failure.
    pub(crate) said: String,
    /// How curl ended.
    pub(crate) code: i32,
}

impl Reply {
    /// The body, of an answer with this status.
    pub(crate) fn text(&self, status: u16) -> &str {
        assert_eq!(self.status, status, "{self:?}");
        &self.body
    }

    /// The body as JSON, of an answer with this status.
    pub(crate) fn json(&self, status: u16) -> Value {
        let text = self.text(status);
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The stable code of a refusal with this status.
    pub(crate) fn refusal(&self, status: u16) -> String {
        let object = self.json(status);
        let code = object["error"]["code"].as_str();
        code.unwrap_or_else(|| panic!("no code in {object}"))
            .to_owned()
    }
}

impl Curl {
    /// Over a Unix socket. What is put before the path does not matter there.
    pub(crate) fn over_unix(command: Command, socket: &Path) -> Curl {
        let mut curl = Curl::to(command, "http://localhost");
        curl.command.arg("--unix-socket").arg(socket);
        curl
    }

    /// Over TLS, trusting this certificate alone.
    pub(crate) fn over_tls(command: Command, base: &str, authority: &Path) -> Curl {
        let mut curl = Curl::to(command, base);
        curl.command.arg("--cacert").arg(authority);
        curl
    }

    /// Without any of that.
    pub(crate) fn to(mut command: Command, base: &str) -> Curl {
        command
            .args(["--silent", "--show-error", "--max-time", MOST_SECONDS])
            .args(["--noproxy", "*"])
            // The status behind the body: 000 where there is none.
            .args(["--write-out", "\n%{http_code}"]);
        Curl {
            command,
            base: base.to_owned(),
        }
    }

    /// With another header.
    pub(crate) fn header(mut self, header: &str) -> Curl {
        self.command.args(["--header", header]);
        self
    }

    /// With other arguments.
    pub(crate) fn args(mut self, arguments: &[&str]) -> Curl {
        self.command.args(arguments);
        self
    }

    /// `GET`, or what the arguments make of it.
    pub(crate) fn get(mut self, path: &str) -> Reply {
        self.command.arg(format!("{}{path}", self.base));
        let output = self.command.output().expect("curl is installed");
        reply(
            &String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr).into_owned(),
            output.status.code(),
        )
    }

    /// `POST` of JSON.
    pub(crate) fn post_json(self, path: &str, body: &str) -> Reply {
        self.header("Content-Type: application/json")
            .args(&["--data-binary", body])
            .get(path)
    }

    /// `POST` of a form for a transcript of this file. The file goes last, as it should.
    pub(crate) fn transcribe(self, file: &Path, fields: &[&str]) -> Reply {
        let with_fields = fields
            .iter()
            .fold(self, |curl, field| curl.args(&["--form", field]));
        let file = format!("file=@{}", file.display());
        with_fields
            .args(&["--form", &file])
            .get("/v1/audio/transcriptions")
    }

    /// Begins a `POST` whose body is sent while the answer is read.
    pub(crate) fn stream(mut self, path: &str, kind: &str) -> Stream {
        self = self
            .header(&format!("Content-Type: {kind}"))
            // No waiting for leave, no waiting for the whole answer; a single dot reads what
            // there is and hears the answer meanwhile.
            .header("Expect:")
            .args(&["--no-buffer", "--request", "POST", "--upload-file", "."]);
        self.command.arg(format!("{}{path}", self.base));
        let process = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("curl is installed");
        Stream::new(process)
    }
}

fn reply(stdout: &str, said: String, code: Option<i32>) -> Reply {
    let (body, status) = stdout.rsplit_once('\n').unwrap_or(("", stdout));
    Reply {
        status: status.parse().unwrap_or(0),
        body: body.to_owned(),
        said,
        code: code.unwrap_or(-1),
    }
}

/// A request whose body is still being sent.
pub(crate) struct Stream {
    process: Child,
    lines: Receiver<String>,
}

impl Stream {
    fn new(mut process: Child) -> Stream {
        let stdout = process.stdout.take().expect("it is piped");
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Stream { process, lines }
    }

    /// Sends a piece of the body. The other side may have had enough.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        if let Some(stdin) = &mut self.process.stdin {
            let _ = stdin.write_all(bytes).and_then(|()| stdin.flush());
        }
    }

    /// Ends the body.
    pub(crate) fn end(&mut self) {
        self.process.stdin = None;
    }

    /// The next line of the answer, as JSON; nothing once it is over. Until it comes, `more` is
    /// sent again and again, as from a microphone: curl looks at the answer when it has something
    /// to send.
    pub(crate) fn next(&mut self, more: &[u8]) -> Option<Value> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            self.send(more);
            // The last line is the status, which is a number; the answer has objects alone.
            match self.lines.recv_timeout(PAUSE) {
                Ok(line) => match serde_json::from_str::<Value>(&line) {
                    Ok(value) if value.is_object() => return Some(value),
                    _ => {}
                },
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        panic!("no line comes")
    }

    /// The rest of the answer.
    pub(crate) fn rest(&mut self) -> Vec<Value> {
        std::iter::from_fn(|| self.next(&[])).collect()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
