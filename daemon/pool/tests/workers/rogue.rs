//! Workers of every kind of malice.
//!
//! How one starts is written in the file that its argument names, so that the same pool's next
//! worker may start otherwise. How it does a job is written in the sound: a piece that begins
//! with `!`. Everything else is heard honestly: a segment for each [`PIECE`] bytes. In a live job
//! nothing is said but what such pieces dictate ([`dictated`]), and that a tuning has come.

use std::fs;
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{ExitCode, abort, exit};
use std::thread::{park, sleep};
use std::time::Duration;

use earnest_channel::{
    Confinement, Failure, FromWorker, HEARD_SAMPLES, Hello, Partial, Report, SoundFault, Spotted,
    Task, ToWorker, VERSION, encode, read, write,
};
use earnest_evidence::measured::SandboxLevel;
use earnest_sandbox::{Limits, enter};
use earnest_transcript::{Milliseconds, Segment};

/// What a worker's fd 0 holds.
pub(crate) const WEIGHTS: &[u8] = b"weights";

/// Bytes of sound for a segment: a second of 16-bit sound at 16 kHz.
pub(crate) const PIECE: usize = 32_000;

/// Runs a worker to its end.
pub(crate) fn run(starts: &str) -> ExitCode {
    match serve(starts) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn serve(starts: &str) -> Outcome {
    let how = fs::read_to_string(starts)?;
    // Whoever locks himself in does so first: other open files are closed then.
    let confined = match how.as_str() {
        "locked" => Some(enter(&Limits::new(1 << 30))?),
        _ => None,
    };
    let mut socket = UnixStream::from(std::io::stdout().as_fd().try_clone_to_owned()?);
    let mut sandbox = Confinement {
        level: SandboxLevel::None,
        landlock_abi: None,
        seccomp: false,
    };
    let mut version = VERSION;
    match how.as_str() {
        "honest" => {}
        "locked" => {
            if let Some(reached) = confined {
                sandbox = Confinement {
                    level: reached.level(),
                    landlock_abi: reached.landlock_abi,
                    seccomp: reached.seccomp,
                };
            }
        }
        "crash" => abort(),
        "exit" => return Ok(()),
        "garbage" => socket.write_all(&[0xFF; 64])?,
        "mute" => park(),
        "version" => version = VERSION + 1,
        "lie" => {
            sandbox = Confinement {
                level: SandboxLevel::Full,
                landlock_abi: Some(7),
                seccomp: true,
            };
        }
        "ready-first" => write(&mut socket, &FromWorker::Ready)?,
        other => return Err(other.into()),
    }
    let kernels = "none".parse()?;
    let hello = Hello {
        version,
        sandbox,
        kernels,
    };
    write(&mut socket, &FromWorker::Hello(hello))?;
    look_around(how == "locked")?;
    write(&mut socket, &FromWorker::Ready)?;
    jobs(&mut socket)
}

/// A worker that was given something else than it should does not get ready.
fn look_around(locked: bool) -> Outcome {
    let mut weights = Vec::new();
    let shared: OwnedFd = std::io::stdin().as_fd().try_clone_to_owned()?;
    let mut buffer = [0; 64];
    // At an offset of its own: the file is shared with all the others.
    let count = nix::sys::uio::pread(&shared, &mut buffer, 0)?;
    weights.extend_from_slice(&buffer[..count]);
    let given = weights == WEIGHTS && std::env::vars_os().next().is_none();
    let here = locked || std::env::current_dir()? == std::path::Path::new("/");
    match given && here {
        true => Ok(()),
        false => Err("not what a worker is given".into()),
    }
}

fn jobs(socket: &mut UnixStream) -> Outcome {
    let mut job = Job::default();
    while let Some(order) = read::<ToWorker>(socket)? {
        match order {
            ToWorker::Begin(begun) => {
                let jobs = job.number + 1;
                job = Job {
                    number: jobs,
                    open: true,
                    live: matches!(begun.task, Task::Live(_)),
                    ..Job::default()
                };
            }
            // Up to the next beginning everything is left over.
            _ if !job.open => {}
            ToWorker::Sound(bytes) => job.sound(socket, &bytes)?,
            ToWorker::EndOfSound if job.deaf => {}
            ToWorker::EndOfSound => {
                job.open = false;
                write(socket, &FromWorker::Finished(job.report()))?;
                match job.after {
                    After::Nothing => {}
                    After::Exit => exit(0),
                    After::Talk => write(socket, &FromWorker::Ready)?,
                }
            }
            // Says so, and how much sound came before.
            ToWorker::Tune(tuning) if !tuning.phrases.is_empty() => {
                let spotted = Spotted {
                    generation: tuning.generation,
                    phrase: 0,
                    at: Milliseconds((job.bytes * 1_000 / PIECE) as u64),
                };
                write(socket, &FromWorker::Spotted(spotted))?;
            }
            ToWorker::Tune(_) => {}
            ToWorker::Abandon if job.deaf => {}
            ToWorker::Abandon => {
                job.open = false;
                write(socket, &FromWorker::Failed(Failure::Abandoned))?;
            }
        }
    }
    Ok(())
}

#[derive(Default)]
struct Job {
    number: u32,
    open: bool,
    live: bool,
    deaf: bool,
    after: After,
    bytes: usize,
    segments: u64,
}

#[derive(Default)]
enum After {
    #[default]
    Nothing,
    Exit,
    Talk,
}

impl Job {
    fn report(&self) -> Report {
        Report {
            samples: (self.bytes / 2) as u64,
            speech: 0,
            skipped: 0,
            flaw: None,
            shape: None,
        }
    }

    fn sound(&mut self, socket: &mut UnixStream, bytes: &[u8]) -> Outcome {
        if let Some(command) = bytes.strip_prefix(b"!") {
            return self.misbehave(socket, &String::from_utf8_lossy(command));
        }
        self.bytes += bytes.len();
        while !self.live && self.bytes / PIECE > self.segments as usize {
            self.segments += 1;
            let answer = self.segment(self.segments - 1, self.segments);
            write(socket, &FromWorker::Segment(answer))?;
        }
        Ok(())
    }

    /// Says who it is, so that a test can tell workers apart.
    fn segment(&self, from: u64, to: u64) -> Segment {
        Segment {
            start: Milliseconds(from * 1_000),
            end: Milliseconds(to * 1_000),
            text: format!("{} {}", std::process::id(), self.number),
            tokens: Vec::new(),
            avg_logprob: 0.0,
            compression_ratio: 1.0,
            no_speech_prob: 0.0,
            words: Vec::new(),
        }
    }

    fn misbehave(&mut self, socket: &mut UnixStream, how: &str) -> Outcome {
        match how {
            "crash" => abort(),
            "exit" => exit(3),
            // Not even a broken socket wakes it.
            "hang" => loop {
                park();
            },
            "deaf" => self.deaf = true,
            "exit-after" => self.after = After::Exit,
            "talk-after" => self.after = After::Talk,
            "flood" => loop {
                write(socket, &FromWorker::Segment(self.segment(0, 0)))?;
            },
            "garbage" => socket.write_all(&[0xA5; 4_096])?,
            "oversized" => socket.write_all(&[0xFF, 0xFF, 0xFF, 0x7F, 3, 0, 0])?,
            "half" => {
                let whole = encode(&FromWorker::Segment(self.segment(0, 0)))?;
                socket.write_all(&whole[..whole.len() / 2])?;
                exit(0);
            }
            "out-of-turn" => write(socket, &FromWorker::Ready)?,
            "early" => {
                self.open = false;
                write(socket, &FromWorker::Finished(self.report()))?;
            }
            "backwards" => {
                self.bytes += PIECE;
                write(socket, &FromWorker::Segment(self.segment(0, 1)))?;
                write(socket, &FromWorker::Segment(self.segment(0, 1)))?;
            }
            "unasked" => {
                let (start, end) = (Milliseconds(0), Milliseconds(1));
                write(socket, &FromWorker::Activity { start, end })?;
            }
            "beyond" => write(socket, &FromWorker::Segment(self.segment(0, 9_999)))?,
            "abandon" => write(socket, &FromWorker::Failed(Failure::Abandoned))?,
            // Busy for ever, and says so.
            "restless" => {
                for count in 1.. {
                    let samples = count * HEARD_SAMPLES;
                    write(socket, &FromWorker::Heard { samples })?;
                    sleep(Duration::from_millis(20));
                }
            }
            "refuse" => {
                self.open = false;
                let failure = Failure::Sound(SoundFault::NotSound);
                write(socket, &FromWorker::Failed(failure))?;
            }
            // Takes nothing more, and says nothing, but is there.
            "close" => {
                socket.shutdown(std::net::Shutdown::Both)?;
                park();
            }
            other => write(socket, &self.dictated(other)?)?,
        }
        Ok(())
    }

    /// An answer as a test wants it: its name, its times, its text with a `|` before what is
    /// tentative. Instead of a segment's text it may say who it is.
    fn dictated(&self, words: &str) -> Result<FromWorker, Box<dyn std::error::Error>> {
        let mut parts = words.splitn(4, ' ');
        let mut part = || parts.next().unwrap_or_default();
        let (name, first) = (part(), part().parse().unwrap_or(0));
        let (second, text) = (part().parse().unwrap_or(0), part());
        let at = Milliseconds(first);
        Ok(match name {
            "started" => FromWorker::SpeechStarted { at },
            "stopped" => FromWorker::SpeechStopped { at },
            "partial" => {
                let (stable, tentative) = text.split_once('|').unwrap_or((text, ""));
                FromWorker::Partial(Partial {
                    start: at,
                    at: Milliseconds(second),
                    stable: stable.to_owned(),
                    tentative: tentative.to_owned(),
                })
            }
            "segment" => {
                let mut segment = self.segment(0, 0);
                (segment.start, segment.end) = (at, Milliseconds(second));
                if !text.is_empty() {
                    segment.text = text.to_owned();
                }
                FromWorker::Segment(segment)
            }
            "spotted" => FromWorker::Spotted(Spotted {
                generation: u32::try_from(first)?,
                phrase: u16::try_from(second)?,
                at: Milliseconds(0),
            }),
            other => return Err(other.into()),
        })
    }
}
