//! Keeps what a process holds in memory out of swap and core dumps.
//!
//! A process that holds a model's plaintext, a content key, sound or text calls
//! [`guard_memory`] once, before it holds any of them. The whole process is guarded, not
//! single buffers: an engine folds a model's weights into tables of its own, a cipher holds
//! its schedule, a stack holds what passes through it, and none of them can be listed.
//!
//! - The process is made non-dumpable (`prctl(2)`, `PR_SET_DUMPABLE`): no core dump, and
//!   another process of the same user reads its memory neither through `ptrace(2)` nor
//!   through `/proc`. An `execve(2)` turns that back, so a child guards itself.
//! - The limit on core dumps is set to zero, hard (`setrlimit(2)`, `RLIMIT_CORE`), which
//!   children inherit.
//! - All pages, those to come too, are locked (`mlockall(2)`), each when it is first touched
//!   (`MCL_ONFAULT`), so that a reserved stack or heap costs nothing before it is used.
//!
//! Locking is refused where it could not last: under a finite `RLIMIT_MEMLOCK` it would
//! succeed today, and the first allocation beyond the limit would end the process. Root, or
//! `LimitMEMLOCK=infinity` in a systemd unit, lifts the limit.
//!
//! It does not guard against root, hibernation (a device has none), or who can read the
//! machine's memory from outside.
//!
//! ```no_run
//! if let Err(exposed) = earnest_package::memory::guard_memory() {
//!     // A development machine may go on; an appliance should not.
//!     eprintln!("warning: {exposed}");
//! }
//! ```

use std::fmt;
use std::io;

use nix::libc;
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, rlim_t, setrlimit};

/// The bit of `CAP_IPC_LOCK` in a set of capabilities (`capabilities(7)`): who has it locks
/// memory beyond any limit.
const CAP_IPC_LOCK: u32 = 14;

/// Guards this process's memory, now and to come. All three measures are tried even where
/// one fails; the error names each that was not reached, for the caller to report or to stop
/// at. Calling it again does no harm.
pub fn guard_memory() -> Result<(), ExposedMemory> {
    let attempts = [
        set_dumpable(false).map_err(|error| Exposure::Dumpable {
            error: error.into(),
        }),
        setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(|error| Exposure::CoreDumps {
            error: error.into(),
        }),
        lock(),
    ];
    let exposures: Vec<Exposure> = attempts.into_iter().filter_map(Result::err).collect();
    match exposures.is_empty() {
        true => Ok(()),
        false => Err(ExposedMemory { exposures }),
    }
}

fn lock() -> Result<(), Exposure> {
    let unlocked = |error: nix::errno::Errno| Exposure::Swap {
        error: error.into(),
    };
    let (soft, hard) = getrlimit(Resource::RLIMIT_MEMLOCK).map_err(unlocked)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_MEMLOCK, hard, hard).map_err(unlocked)?;
    }
    // Where the capabilities cannot be read, none is the careful reading.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    if !lasts(hard, effective_capabilities(&status)) {
        return Err(Exposure::LockLimit { limit: hard });
    }
    // nix has no name for this flag; the kernel has had it since Linux 4.4.
    let on_fault = MlockAllFlags::from_bits_retain(libc::MCL_ONFAULT);
    let flags = MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | on_fault;
    mlockall(flags).map_err(unlocked)
}

/// Whether a lock on all memory to come lasts under this limit with these capabilities.
fn lasts(limit: rlim_t, capabilities: u64) -> bool {
    limit == RLIM_INFINITY || capabilities & (1 << CAP_IPC_LOCK) != 0
}

/// The effective capabilities that a `/proc/PID/status` names (`proc(5)`), none if it names
/// none.
fn effective_capabilities(status: &str) -> u64 {
    let mut lines = status.lines();
    let digits = lines.find_map(|line| line.strip_prefix("CapEff:"));
    digits
        .and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok())
        .unwrap_or(0)
}

/// A measure that was not reached.
#[derive(Debug, thiserror::Error)]
pub enum Exposure {
    /// The process may still be dumped and traced.
    #[error("the process stays dumpable ({error})")]
    Dumpable {
        /// What the system says.
        error: io::Error,
    },
    /// The limit on core dumps is not zero.
    #[error("core dumps stay allowed ({error})")]
    CoreDumps {
        /// What the system says.
        error: io::Error,
    },
    /// A limit on locked memory stands against locking all of it.
    #[error(
        "memory may be swapped out: only {limit} bytes may be locked (RLIMIT_MEMLOCK), and \
         all must be"
    )]
    LockLimit {
        /// The hard limit, in bytes.
        limit: u64,
    },
    /// The system refused to lock memory.
    #[error("memory may be swapped out: it cannot be locked ({error})")]
    Swap {
        /// What the system says.
        error: io::Error,
    },
}

/// What of a process's memory is not guarded. There is at least one exposure.
#[derive(Debug)]
pub struct ExposedMemory {
    exposures: Vec<Exposure>,
}

impl ExposedMemory {
    /// Each measure that was not reached.
    pub fn exposures(&self) -> &[Exposure] {
        &self.exposures
    }
}

impl fmt::Display for ExposedMemory {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, exposure) in self.exposures.iter().enumerate() {
            let separator = if place == 0 { "" } else { "; " };
            write!(formatter, "{separator}{exposure}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ExposedMemory {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_lasts_only_without_a_limit_or_beyond_it() {
        let ipc_lock = 1 << CAP_IPC_LOCK;
        assert!(lasts(RLIM_INFINITY, 0));
        assert!(lasts(8 << 20, ipc_lock));
        assert!(!lasts(8 << 20, 0));
        assert!(!lasts(RLIM_INFINITY - 1, !ipc_lock));
    }

    #[test]
    fn capabilities_are_those_of_the_effective_set() {
        let status = "Name:\tx\nCapPrm:\t00000000ffffffff\nCapEff:\t0000000000004000\nCapBnd:\t0\n";
        assert_eq!(effective_capabilities(status), 1 << CAP_IPC_LOCK);
        for odd in ["", "CapEff:", "CapEff:\tno digits\n", "CapPrm:\t4000\n"] {
            assert_eq!(effective_capabilities(odd), 0, "{odd:?}");
        }
    }

    #[test]
    fn every_exposure_is_named() {
        let exposed = ExposedMemory {
            exposures: vec![
                Exposure::CoreDumps {
                    error: io::ErrorKind::PermissionDenied.into(),
                },
                Exposure::LockLimit { limit: 8_388_608 },
            ],
        };
        let text = exposed.to_string();
        assert!(text.contains("core dumps stay allowed"), "{text}");
        assert!(text.contains("; memory may be swapped out"), "{text}");
        assert!(text.contains("8388608 bytes"), "{text}");
    }
}
