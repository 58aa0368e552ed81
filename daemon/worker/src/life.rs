//! A worker's life: locked in, ready, one job after the other, gone.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use earnest_channel::{Confinement, FromWorker, Hello, Kernels, VERSION};
use earnest_sandbox::{Limits, Reached, SandboxError, enter};
use earnest_speech::{Engine, EngineOptions, ShareError, SharedModels, kernels};

use crate::ear::Ear;
use crate::incoming::{Incoming, Socket};
use crate::job::hear;

/// What the daemon tells a worker when it starts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// The most bytes of memory of its own ([`Limits::new`]); shared weights are not counted.
    pub memory: u64,
    /// Threads to compute on.
    pub threads: usize,
}

/// Arguments that are none of a worker's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OptionsError {
    /// Not the two that there are.
    #[error("a worker takes --memory BYTES --threads N; the daemon starts it, nobody else")]
    Unknown,
    /// A number that is none.
    #[error("{option} {found:?} is no number")]
    Number {
        /// Which argument.
        option: &'static str,
        /// What it was.
        found: String,
    },
}

impl Options {
    /// The arguments that say so.
    pub fn arguments(&self) -> [String; 4] {
        let (memory, threads) = (self.memory.to_string(), self.threads.to_string());
        [
            "--memory".to_owned(),
            memory,
            "--threads".to_owned(),
            threads,
        ]
    }

    /// Reads `--memory BYTES --threads N`, in this order.
    ///
    /// # Errors
    /// When the arguments are others.
    pub fn parse(arguments: &[String]) -> Result<Options, OptionsError> {
        let [memory, bytes, threads, count] = arguments else {
            return Err(OptionsError::Unknown);
        };
        if memory != "--memory" || threads != "--threads" {
            return Err(OptionsError::Unknown);
        }
        let number = |option, found: &String| {
            let found = found.clone();
            OptionsError::Number { option, found }
        };
        Ok(Options {
            memory: bytes.parse().map_err(|_| number("--memory", bytes))?,
            threads: count.parse().map_err(|_| number("--threads", count))?,
        })
    }
}

/// Lives a worker's life on standard input (the sealed weights) and standard output (the
/// socket). To be called first in a process, before any thread and before anything is read.
pub fn run(options: Options) -> ExitCode {
    match live(options) {
        Ok(()) => ExitCode::SUCCESS,
        // Standard error leads nowhere. The daemon sees the code, and reports it.
        Err(End::Sandbox(_)) => ExitCode::from(3),
        Err(End::Models(_)) => ExitCode::from(4),
        Err(End::Socket(_)) => ExitCode::from(5),
    }
}

/// Why a worker ends before the daemon wants it to.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error(transparent)]
    Models(#[from] ShareError),
    #[error(transparent)]
    Socket(#[from] io::Error),
}

fn live(options: Options) -> Result<(), End> {
    let reached = enter(&Limits::new(options.memory))?;
    let socket = UnixStream::from(io::stdout().as_fd().try_clone_to_owned()?);
    let incoming = Incoming::new(socket);
    incoming.say(&FromWorker::Hello(hello(&reached)?))?;
    let models = SharedModels::open(&io::stdin().as_fd())?;
    serve(&incoming, models, options.threads)
}

fn hello(reached: &Reached) -> io::Result<Hello> {
    Ok(Hello {
        version: VERSION,
        sandbox: Confinement {
            level: reached.level(),
            landlock_abi: reached.landlock_abi,
            seccomp: reached.seccomp,
        },
        kernels: kernels().parse::<Kernels>().map_err(io::Error::other)?,
    })
}

fn serve<S: Socket>(
    incoming: &Incoming<S>,
    models: SharedModels,
    threads: usize,
) -> Result<(), End> {
    let recognizer = models.recognizer(&EngineOptions { threads })?;
    let mut engine = Engine::new(recognizer, models.vad()?);
    // What is read of them from here on is in their region, not in this process.
    drop(models);
    earnest_speech::give_back_freed_memory();
    incoming.say(&FromWorker::Ready)?;
    while let Some(job) = incoming.next_job() {
        let ear = Ear::of(job.task, &mut engine);
        let last = hear(incoming, job, ear)?;
        incoming.say(&last)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemons_arguments_are_read_and_no_others() {
        let parse = |line: &str| {
            let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            Options::parse(&arguments)
        };
        let expected = Options {
            memory: 1 << 30,
            threads: 2,
        };
        assert_eq!(parse("--memory 1073741824 --threads 2"), Ok(expected));
        assert_eq!(Options::parse(&expected.arguments()), Ok(expected));
        for line in [
            "",
            "--memory 1",
            "--threads 2 --memory 1",
            "--memory 1 --threads 2 x",
        ] {
            assert_eq!(parse(line), Err(OptionsError::Unknown), "{line}");
        }
        let error = parse("--memory much --threads 2").unwrap_err();
        assert_eq!(error.to_string(), "--memory \"much\" is no number");
    }
}
