//! A capturing process, from the daemon's side.

use std::fmt;
use std::io;
use std::process::Stdio;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::process::{self, ChildStdin, ChildStdout, Command};
use tokio::time::{self, timeout};

use crate::arguments::Request;
use crate::protocol::{Decoder, FromCapture};
use crate::rules::Rules;
use crate::{CaptureProgram, Device, Loss};

/// How long a device may take to open. Sound servers that start up take a second or two, and
/// Bluetooth a few.
const TIME_TO_OPEN: Duration = Duration::from_secs(10);

/// How long an open child may say nothing: it says that it is alive each second.
const TIME_TO_SPEAK: Duration = Duration::from_secs(5);

/// A pause between two questions that is the reader's own, and none of the child's.
const AWAY: Duration = Duration::from_secs(1);

/// How long a killed process may take to be gone: the kernel's own time, and no more of ours.
const TIME_TO_DIE: Duration = Duration::from_secs(1);

/// Bytes that are read at once: what a pipe holds.
const READ_BYTES: usize = 64 << 10;

/// What a child has to say, once it was judged.
pub(crate) enum Heard {
    Opened {
        device: String,
        rate: u32,
    },
    Sound(Bytes),
    Overrun {
        frames: u64,
    },
    Devices(Vec<Device>),
    /// It is over, one way or another.
    Lost(Loss),
}

/// The process. It is killed when this is dropped.
pub(crate) struct Child {
    process: process::Child,
    output: ChildStdout,
    /// The child ends itself when this is closed.
    _input: ChildStdin,
    request: Request,
    rules: Rules,
    decoder: Decoder,
    /// What was read and not yet decoded.
    unread: BytesMut,
    /// When something was read last, but for time in which nobody asked.
    spoke: Instant,
    /// When somebody asked last.
    asked: Instant,
}

impl Child {
    /// Starts a process.
    pub(crate) fn start(program: &CaptureProgram, request: &Request) -> io::Result<Child> {
        let mut process = Command::new(&program.program)
            .args(&program.arguments)
            .args(request.arguments())
            .env_clear()
            .envs(program.environment.iter().cloned())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Sound libraries write what they like.
            .stderr(Stdio::null())
            // A group of its own: a terminal's interrupt is the daemon's.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        let (Some(input), Some(output)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(io::Error::other("a process without its pipes"));
        };
        let now = Instant::now();
        Ok(Child {
            process,
            output,
            _input: input,
            request: request.clone(),
            rules: Rules::new(request),
            decoder: Decoder::new(),
            unread: BytesMut::new(),
            spoke: now,
            asked: now,
        })
    }

    /// What it says next. After a loss there is nothing more.
    pub(crate) async fn next(&mut self) -> Heard {
        let now = Instant::now();
        if now.saturating_duration_since(self.asked) > AWAY {
            self.spoke = now;
        }
        loop {
            match self.decode() {
                Ok(Some(heard)) => return heard,
                Ok(None) => {}
                Err(why) => return Heard::Lost(why),
            }
            self.unread.reserve(READ_BYTES);
            let patience = match self.rules.is_open() {
                true => TIME_TO_SPEAK,
                false => TIME_TO_OPEN,
            };
            self.asked = Instant::now();
            let read = tokio::select! {
                biased;
                read = self.output.read_buf(&mut self.unread) => read,
                () = time::sleep_until((self.spoke + patience).into()) => {
                    return Heard::Lost(Loss::Stalled);
                }
            };
            match read {
                Ok(0) | Err(_) => return Heard::Lost(Loss::Died),
                Ok(_) => self.spoke = Instant::now(),
            }
        }
    }

    /// The next message among what was read, if it is whole and anybody's business.
    fn decode(&mut self) -> Result<Option<Heard>, Loss> {
        loop {
            let mut left = &self.unread[..];
            let decoded = self.decoder.push(&mut left);
            let used = self.unread.len() - left.len();
            self.unread.advance(used);
            let Some(message) = decoded.map_err(|_| Loss::Broken)? else {
                return Ok(None);
            };
            self.rules.judge(&self.request, &message, Instant::now())?;
            return Ok(Some(match message {
                FromCapture::Hello { .. } | FromCapture::Alive => continue,
                FromCapture::Opened { device, rate } => Heard::Opened { device, rate },
                FromCapture::Sound(pcm) => Heard::Sound(pcm.into()),
                FromCapture::Overrun { frames } => Heard::Overrun { frames },
                FromCapture::Devices(devices) => Heard::Devices(devices),
                FromCapture::Lost(why) => Heard::Lost(why),
            }));
        }
    }

    /// Kills it, which closes the microphone.
    pub(crate) fn kill(&mut self) {
        // It may have ended already.
        let _ = self.process.start_kill();
    }

    /// Waits until the process is gone.
    pub(crate) async fn gone(&mut self) {
        // An error says that there is nothing to wait for.
        let _ = self.process.wait().await;
    }

    /// Kills it and waits for that. What does not die in time is left to the runtime.
    pub(crate) async fn end(mut self) {
        self.kill();
        let _ = timeout(TIME_TO_DIE, self.gone()).await;
    }
}

/// Without what was read, which is somebody's words.
impl fmt::Debug for Child {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Child")
            .field("process", &self.process.id())
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}
