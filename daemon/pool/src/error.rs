//! What can go wrong, one error for each operation.

use std::io;
use std::time::Duration;

use earnest_channel::{DecodeError, EncodeError, Failure, Misbehaviour};
use earnest_evidence::measured::SandboxLevel;
use earnest_sandbox::StatusError;

/// Why a pool did not start.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The thread that starts workers could not be started.
    #[error("cannot start the thread that starts workers")]
    Thread(#[source] io::Error),
}

/// Why a job did not begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BeginError {
    /// The gate is closed, or the pool has ended with it.
    #[error("the gate is closed")]
    Closed,
    /// No worker is ever asked for that.
    #[error("the job cannot be asked of a worker")]
    BadJob(#[source] EncodeError),
    /// All places are taken, and so are those to wait in; or no place became free in time.
    #[error("all workers are at work: come again in {retry_after:?}")]
    Busy {
        /// When to come again.
        retry_after: Duration,
    },
    /// Workers do not start.
    #[error("no worker can be started: come again in {retry_after:?}")]
    Unavailable {
        /// When to come again.
        retry_after: Duration,
    },
}

/// Why a job ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The worker gave up: the sound cannot be read, say. The worker is well.
    #[error("the sound was not transcribed")]
    Failed(#[source] Failure),
    /// The worker is gone.
    #[error("the worker died")]
    WorkerDied,
    /// The worker showed no progress, or took too long altogether.
    #[error("the worker took longer than {limit:?}")]
    WorkerHung {
        /// What it might have taken.
        limit: Duration,
    },
    /// The worker said what no honest worker says.
    #[error("the worker misbehaved")]
    WorkerMisbehaved(#[source] Misdeed),
    /// The client sent no sound, or took no events.
    #[error("nothing came from the client, and nothing was taken, for {limit:?}")]
    ClientStalled {
        /// How long one waits for it.
        limit: Duration,
    },
    /// The sender was dropped before the sound had ended.
    #[error("the sound broke off")]
    Abandoned,
    /// The gate closed.
    #[error("the gate is closed")]
    GateClosed,
}

/// What a worker did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misdeed {
    /// It sent what is no message.
    #[error("it sent what is no message")]
    NoMessage(#[source] DecodeError),
    /// It sent a message that was not due.
    #[error("it sent a message that was not due")]
    NotDue(#[source] Misbehaviour),
    /// It took text back that it had called stable.
    #[error("it took text back that it had called stable")]
    TookBack,
}

/// Why a worker could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The program could not be run.
    #[error("cannot run the worker's program")]
    Spawn(#[source] io::Error),
    /// It ended, or closed its socket, before it was ready.
    #[error("the worker ended before it was ready")]
    Died,
    /// It was not ready in time.
    #[error("the worker was not ready within {limit:?}")]
    Late {
        /// The time that it has.
        limit: Duration,
    },
    /// It sent what is no message.
    #[error("the worker sent what is no message")]
    Decode(#[from] DecodeError),
    /// It sent another message than the one that was due.
    #[error("the worker did not say {expected} when it should")]
    OutOfTurn {
        /// What was due.
        expected: &'static str,
    },
    /// It speaks another version.
    #[error("the worker speaks version {found}, expected {expected}")]
    Version {
        /// Ours.
        expected: u16,
        /// Its own.
        found: u16,
    },
    /// The kernel's word on it could not be had.
    #[error("cannot ask the kernel about the worker")]
    Inspect(#[source] StatusError),
    /// It claims a sandbox that the kernel knows nothing of.
    #[error("the worker claims sandbox level {claimed}, and the kernel says otherwise")]
    Lies {
        /// What it claims.
        claimed: SandboxLevel,
    },
    /// It is less locked in than is demanded.
    #[error("the worker reached sandbox level {found}, expected at least {least}")]
    Unconfined {
        /// What is demanded.
        least: SandboxLevel,
        /// What it reached.
        found: SandboxLevel,
    },
    /// The pool ended meanwhile.
    #[error("the pool has ended")]
    Closed,
}
