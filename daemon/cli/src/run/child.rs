//! The command: started, told of signals, waited for.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgrp, tcgetpgrp};
use tokio::process::Command;
use tokio::signal::unix::{self, SignalKind, signal};

use crate::exit::Exit;

/// The number from which on shells count ends by signals.
const BY_SIGNAL: i32 = 128;

/// Why the command was not run to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChildError {
    /// It does not start.
    #[error("{} cannot be started", program.display())]
    Start {
        /// Its name.
        program: OsString,
        /// Why.
        #[source]
        error: io::Error,
    },
    /// It cannot be waited for, or signals cannot be passed on.
    #[error("the command cannot be looked after")]
    Wait(#[source] io::Error),
}

impl ChildError {
    /// How `earnest` ends for it: as a shell does.
    pub(super) fn exit(&self) -> Exit {
        match self {
            ChildError::Start { error, .. } => match error.kind() {
                io::ErrorKind::NotFound => Exit::NotFound,
                _ => Exit::NotExecutable,
            },
            ChildError::Wait(_) => Exit::Internal,
        }
    }
}

/// A command that runs.
pub(super) struct Child {
    child: tokio::process::Child,
    signals: Signals,
}

impl Child {
    /// Starts a command of at least one word, with these variables besides what is inherited.
    pub(super) fn start(
        command: &[OsString],
        variables: &[(&str, OsString)],
    ) -> Result<Child, ChildError> {
        // From here on a signal ends the command, and with it this process.
        let signals = Signals::new().map_err(ChildError::Wait)?;
        let (program, arguments) = command.split_first().ok_or_else(|| ChildError::Start {
            program: OsString::new(),
            error: io::ErrorKind::NotFound.into(),
        })?;
        let started = Command::new(program)
            .args(arguments)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .spawn();
        let child = started.map_err(|error| ChildError::Start {
            program: program.clone(),
            error,
        })?;
        Ok(Child { child, signals })
    }

    /// Passes signals on until the command ends, and gives what a shell would end with.
    pub(super) async fn run(mut self) -> Result<u8, ChildError> {
        loop {
            tokio::select! {
                status = self.child.wait() => {
                    return status.map(code).map_err(ChildError::Wait);
                }
                signal = self.signals.next() => self.pass_on(signal),
            }
        }
    }

    fn pass_on(&self, signal: Signal) {
        if is_of_the_keyboard(signal) && has_the_terminal() {
            // The terminal has told everything in the foreground, the command too, and once is
            // enough.
            return;
        }
        // It is not waited for yet, so that nobody else has its number.
        if let Some(id) = self.child.id().and_then(|id| i32::try_from(id).ok()) {
            // One that has just ended needs no signal.
            let _ = kill(Pid::from_raw(id), signal);
        }
    }
}

/// The signals that are passed on, and by which people say that they have enough.
pub(crate) struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    quit: unix::Signal,
    hang_up: unix::Signal,
}

impl Signals {
    /// From here on they end this process no more.
    ///
    /// # Errors
    ///
    /// When the system tells of none.
    pub(crate) fn new() -> io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
            hang_up: signal(SignalKind::hangup())?,
        })
    }

    /// The next that comes.
    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::SIGTERM,
            _ = self.interrupt.recv() => Signal::SIGINT,
            _ = self.quit.recv() => Signal::SIGQUIT,
            _ = self.hang_up.recv() => Signal::SIGHUP,
        }
    }
}

fn is_of_the_keyboard(signal: Signal) -> bool {
    matches!(signal, Signal::SIGINT | Signal::SIGQUIT)
}

/// Whether this process is in the foreground of a terminal, which sends it what is typed.
fn has_the_terminal() -> bool {
    let terminal = File::open("/dev/tty");
    terminal.is_ok_and(|terminal| tcgetpgrp(&terminal).is_ok_and(|group| group == getpgrp()))
}

/// What a shell would end with.
fn code(status: ExitStatus) -> u8 {
    let number = status
        .code()
        .or_else(|| Some(BY_SIGNAL + status.signal()?))
        .unwrap_or(BY_SIGNAL);
    u8::try_from(number).unwrap_or(u8::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Vec<OsString> {
        ["sh", "-c", script].map(OsString::from).to_vec()
    }

    async fn ended(script: &str) -> u8 {
        let variables = [("EARNEST_APP", OsString::from("notes"))];
        let child = Child::start(&shell(script), &variables).unwrap();
        child.run().await.unwrap()
    }

    #[tokio::test]
    async fn the_end_is_that_of_the_command() {
        assert_eq!(ended("exit 0").await, 0);
        assert_eq!(ended("exit 42").await, 42);
        assert_eq!(ended("kill -TERM $$").await, 143);
        assert_eq!(ended("test \"$EARNEST_APP\" = notes").await, 0);
    }

    #[tokio::test]
    async fn what_cannot_be_started_ends_as_in_a_shell() {
        let exit = |name: &str| {
            let started = Child::start(&[OsString::from(name)], &[]);
            started.err().unwrap().exit()
        };
        assert_eq!(exit("/no/such/command"), Exit::NotFound);
        assert_eq!(exit("/dev/null"), Exit::NotExecutable);
    }

    #[tokio::test]
    async fn a_signal_is_passed_on() {
        let child = Child::start(&shell("sleep 60"), &[]).unwrap();
        child.pass_on(Signal::SIGTERM);
        assert_eq!(child.run().await.unwrap(), 143);
    }
}
