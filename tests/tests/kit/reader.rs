//! Programs that listen, and what they are told.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::client::python;
use crate::earnestd::Earnestd;
use crate::house::APP;
use crate::wait::{PATIENCE, wait_for};

/// The last word of the sample.
const LAST: &str = "better";

/// Tells what comes over a websocket, a message a line.
const WEBSOCKET: &str = "
import os, sys
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
base = os.environ['OPENAI_BASE_URL'].replace('https:', 'wss:')
leave = {'Authorization': 'Bearer ' + os.environ['OPENAI_API_KEY']}
with connect(base + sys.argv[1], additional_headers=leave, proxy=None) as socket:
    try:
        for message in socket:
            print(message, flush=True)
    except ConnectionClosed as closed:
        print('the websocket is closed:', closed, file=sys.stderr)
";

/// A program that listens. It ends with this value.
pub(crate) struct Reader {
    name: &'static str,
    process: Child,
    told: Receiver<Value>,
    /// All that it was told so far, but for how loud it is.
    pub(crate) heard: Vec<Value>,
}

impl Reader {
    /// `earnest listen`.
    pub(crate) fn earnest(daemon: &Earnestd) -> Reader {
        let mut command = daemon.earnest();
        command.args(["listen", "--format", "json"]);
        Reader::of("earnest listen", &mut command)
    }

    /// Server-sent events, as curl reads them over the Unix socket.
    pub(crate) fn events(daemon: &Earnestd) -> Reader {
        let mut command = daemon.sides.command("curl");
        command.args(["--silent", "--show-error", "--no-buffer", "--unix-socket"]);
        command
            .arg(daemon.socket())
            .arg("http://localhost/v1/listen");
        Reader::of("events", &mut command)
    }

    /// A websocket over TLS.
    pub(crate) fn websocket(daemon: &Earnestd) -> Reader {
        Reader::of(
            "websocket",
            &mut python(daemon, APP, WEBSOCKET, &["/listen".as_ref()]),
        )
    }

    /// Any program that prints objects, be it as lines or as server-sent events.
    pub(crate) fn of(name: &'static str, command: &mut Command) -> Reader {
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let stdout = process.stdout.take().expect("it is piped");
        let (sender, told) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let object = line.strip_prefix("data:").unwrap_or(&line);
                if let Ok(event @ Value::Object(_)) = serde_json::from_str(object)
                    && sender.send(event).is_err()
                {
                    return;
                }
            }
        });
        Reader {
            name,
            process,
            told,
            heard: Vec::new(),
        }
    }

    /// What it is told next, but for how loud it is; nothing once it has ended.
    pub(crate) fn next(&mut self) -> Option<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.told.recv_timeout(left) {
                Ok(event) if event["type"] == "level" => {}
                Ok(event) => {
                    self.heard.push(event.clone());
                    return Some(event);
                }
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{} is told nothing more after {:#?}", self.name, self.heard)
                }
            }
        }
    }

    /// The next event of this type.
    pub(crate) fn wait_for(&mut self, kind: &str) -> Value {
        while let Some(event) = self.next() {
            if event["type"] == kind {
                return event;
            }
        }
        panic!("{} ended before {kind}: {:#?}", self.name, self.heard)
    }

    /// Waits until the microphone gives sound: the first of a device may be late.
    pub(crate) fn wait_until_it_hears(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.told.recv_timeout(left) {
                Ok(event) if event["type"] == "level" => return,
                Ok(event) => self.heard.push(event),
                Err(error) => panic!(
                    "{} hears nothing: {error} after {:#?}",
                    self.name, self.heard
                ),
            }
        }
    }

    /// The text of all utterances from here to the one with the sample's last word.
    pub(crate) fn sample(&mut self) -> String {
        self.text_to(LAST)
    }

    /// The text of all utterances from here to one with this word.
    pub(crate) fn text_to(&mut self, last: &str) -> String {
        let mut text = String::new();
        while !crate::words::words(&text).iter().any(|word| word == last) {
            let said = self.wait_for("final");
            text.push(' ');
            text.push_str(said["text"].as_str().expect("it is a text"));
        }
        text
    }

    /// Its name.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Has it end, as a person does who has read enough.
    pub(crate) fn end(mut self) {
        self.stop();
    }

    fn stop(&mut self) {
        if !matches!(self.process.try_wait(), Ok(None)) {
            return;
        }
        let _ = kill(Pid::from_raw(self.process.id() as i32), Signal::SIGTERM);
        if !std::thread::panicking() {
            wait_for("a reader ends", || self.process.try_wait().ok().flatten());
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop();
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The environment of a program that `env` starts.
pub(crate) fn env<V: AsRef<OsStr>>(variables: &[(&str, V)]) -> Vec<String> {
    let set = variables.iter().map(|(name, value)| {
        let value = value.as_ref().to_string_lossy();
        format!("{name}={value}")
    });
    std::iter::once("env".to_owned()).chain(set).collect()
}
