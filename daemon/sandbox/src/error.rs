//! Why a process could not be locked in.

use std::io;

/// Why [`enter`](crate::enter()) or [`confine_daemon`](crate::confine_daemon) gave up.
///
/// A process that gets one of these has given up some of its rights and not the others: it
/// ends, and reads nothing. What a kernel merely lacks is no error; see
/// [`Reached`](crate::Reached).
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// Other threads run already. They would keep what this one gives up.
    #[error("{found} threads run; only a process of one can lock itself in")]
    Threads {
        /// How many there are.
        found: u32,
    },
    /// An open file that was not given could not be closed.
    #[error("file descriptor {descriptor} is open beside 0, 1 and 2 and cannot be closed")]
    Descriptor {
        /// Its number.
        descriptor: i32,
    },
    /// More open files than are looked through.
    #[error("more than {limit} files are open; a worker is given 3")]
    Descriptors {
        /// The most that are looked through.
        limit: usize,
    },
    /// Capabilities are still there after they were dropped.
    #[error("capabilities remain: {found:#x} of all sets together; expected are none")]
    Capabilities {
        /// The union of the effective, permitted, inheritable and ambient sets.
        found: u64,
    },
    /// The process that started this one has ended, so nobody would end this one.
    #[error("the parent was process {expected} and is {found} now; it has ended")]
    ParentGone {
        /// Its id before.
        expected: i32,
        /// The id after.
        found: i32,
    },
    /// The kernel does not say what this process is.
    #[error(transparent)]
    Status(#[from] StatusError),
    /// The kernel refused a step that every kernel offers.
    #[error("{step}: {source}")]
    System {
        /// Which.
        step: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// Landlock is there and failed.
    #[error("Landlock: {reason}")]
    Landlock {
        /// What failed.
        reason: String,
    },
    /// The filter of system calls could not be made or installed.
    #[error("seccomp: {reason}")]
    Filter {
        /// What failed.
        reason: String,
    },
}

impl SandboxError {
    /// A step that failed as the system says.
    pub(crate) fn system(step: &'static str) -> impl FnOnce(nix::errno::Errno) -> SandboxError {
        move |error| SandboxError::System {
            step,
            source: error.into(),
        }
    }
}

/// Why it is not known what holds for a process.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// `/proc/PID/status` cannot be read: the process has gone, or `/proc` hides it.
    #[error("the status of process {process}: {source}")]
    Unreadable {
        /// The process's id, or `self`.
        process: String,
        /// What the system says.
        source: io::Error,
    },
    /// It is longer than any kernel writes it.
    #[error("the status is longer than {limit} bytes")]
    TooLong {
        /// The most that is read.
        limit: usize,
    },
    /// A line that is needed is not there.
    #[error("the status has no line \"{field}\"")]
    Missing {
        /// Its name.
        field: &'static str,
    },
    /// A line is there twice, so one of them is not the kernel's.
    #[error("the status has two lines \"{field}\"")]
    Twice {
        /// Its name.
        field: &'static str,
    },
    /// A value is not what the kernel writes.
    #[error("\"{field}\" of the status is {found:?}; expected is {expected}")]
    Value {
        /// The line's name.
        field: &'static str,
        /// What a value looks like.
        expected: &'static str,
        /// What is there, shortened.
        found: String,
    },
}
