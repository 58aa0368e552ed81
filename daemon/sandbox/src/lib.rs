//! What a process gives up before it reads a stranger's bytes.
//!
//! A worker decodes what anybody sends. [`enter`](enter()) takes from it, for good: open files
//! that it was not given, privileges by execution, capabilities, swap, outliving its parent,
//! dumps, resources beyond the [`Limits`], the file system and the network (Landlock), and all
//! system calls but the few that computing takes (seccomp), in this order. What is left: the
//! files 0, 1 and 2, memory, threads, the clock.
//!
//! - **Two walls.** Landlock and the filter each keep it from files and sockets; a fault in
//!   one is not enough. [`Reached`] says which stand, and [`Reached::level`] is what is
//!   measured into the evidence. A kernel without Landlock is reported, not hidden.
//! - **A second opinion.** [`inspect`] reads what the kernel says of a process, so that the
//!   daemon need not believe its worker.
//! - **The daemon.** [`confine_daemon`] takes from the daemon the connections that it has no
//!   use for. Its system calls are not filtered otherwise: it needs too many of them for a
//!   list to mean anything.
//!
//! The stated limits: the kernel itself is trusted, and so is what processes learn of each
//! other through caches and timing. The kernel ends a worker when the *thread* that started it
//! ends: whoever starts workers does so from a thread that lives as long as they shall.
//!
//! ```no_run
//! use earnest_sandbox::{Limits, enter};
//!
//! // The first line of a worker, before any thread and any byte.
//! let reached = enter(&Limits::new(2 << 30))?;
//! println!("{}", reached.level());
//! # Ok::<(), earnest_sandbox::SandboxError>(())
//! ```

mod calls;
mod daemon;
mod descriptors;
mod enter;
mod error;
mod filter;
mod limits;
mod reached;
mod status;
mod walls;

pub use daemon::{DaemonReached, confine_daemon};
pub use enter::enter;
pub use error::{SandboxError, StatusError};
pub use limits::Limits;
pub use reached::Reached;
pub use status::{MAX_STATUS_BYTES, ProcessStatus, SeccompMode, inspect, inspect_self};
