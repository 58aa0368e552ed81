//! The way in, which has no way back.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use caps::{CapSet, Capability};
use nix::libc;
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::prctl::{set_dumpable, set_no_new_privs, set_pdeathsig};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::getppid;

use crate::limits::{OPEN_FILES, STACK_BYTES};
use crate::status::inspect_self;
use crate::{Limits, Reached, SandboxError};
use crate::{descriptors, filter, walls};

/// Locks this process in: what it was given as files 0, 1 and 2, its memory up to the limit,
/// threads and the clock are all that is left to it. See the [crate] for what that is worth.
///
/// To be called first of all, before a stranger's byte is read and before a second thread
/// starts. The order within matters: each step may still need what a later one takes away.
///
/// # Errors
/// When a step fails that every kernel offers. The process is then neither free nor locked in,
/// and must end.
pub fn enter(limits: &Limits) -> Result<Reached, SandboxError> {
    let found = inspect_self()?.threads;
    if found != 1 {
        return Err(SandboxError::Threads { found });
    }
    let closed = descriptors::close_others()?;
    set_no_new_privs().map_err(SandboxError::system("giving up new privileges"))?;
    // Raising a limit takes a capability, keeping what is locked takes none.
    lift_lock_limit();
    let bounding_cleared = drop_capabilities()?;
    let memory_locked = lock_memory();
    die_with_parent()?;
    set_dumpable(false).map_err(SandboxError::system("forbidding dumps and tracing"))?;
    set_limits(limits)?;
    // The last look that /proc grants.
    let capabilities = inspect_self()?.capabilities();
    if capabilities != 0 {
        let found = capabilities;
        return Err(SandboxError::Capabilities { found });
    }
    let landlock_abi = match limits.landlock {
        true => walls::close_everything()?,
        false => None,
    };
    let seccomp = limits.filter && filter::install_for_worker()?;
    Ok(Reached {
        landlock_abi,
        seccomp,
        bounding_cleared,
        memory_locked,
        closed,
    })
}

/// Lets as much memory be locked as the limits on this process allow at all. Where that is not
/// without bound, [`lock_memory`] sees it.
fn lift_lock_limit() {
    let _ = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
    if let Ok((_, hard)) = getrlimit(Resource::RLIMIT_MEMLOCK) {
        let _ = setrlimit(Resource::RLIMIT_MEMLOCK, hard, hard);
    }
}

/// Locks all memory, each page when it is first touched. Only without a limit, as the first
/// allocation beyond one would fail. A machine without swap loses nothing by a refusal, so it
/// is reported and not an error.
fn lock_memory() -> bool {
    let unlimited =
        getrlimit(Resource::RLIMIT_MEMLOCK).is_ok_and(|(soft, _)| soft == RLIM_INFINITY);
    // nix has no name for this flag; the kernel has had it since Linux 4.4.
    let on_fault = MlockAllFlags::from_bits_retain(libc::MCL_ONFAULT);
    let flags = MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | on_fault;
    unlimited && mlockall(flags).is_ok()
}

/// Empties every set of capabilities, and says whether the bounding set is empty, too.
fn drop_capabilities() -> Result<bool, SandboxError> {
    let bounded = caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP).unwrap_or(false)
        && caps::clear(None, CapSet::Bounding).is_ok();
    // The permitted set is last: the others may not exceed it. Whether all are empty is read
    // from /proc later, so a refusal here cannot be missed.
    for set in [
        CapSet::Ambient,
        CapSet::Inheritable,
        CapSet::Effective,
        CapSet::Permitted,
    ] {
        caps::clear(None, set).map_err(|error| SandboxError::System {
            step: "dropping capabilities",
            source: io::Error::other(error.to_string()),
        })?;
    }
    Ok(bounded && inspect_self()?.bounding == 0)
}

/// Has the kernel end this process when its parent ends. A parent that ended before is not
/// seen here but at the socket, which is then at its end.
fn die_with_parent() -> Result<(), SandboxError> {
    let expected = getppid().as_raw();
    set_pdeathsig(Signal::SIGKILL).map_err(SandboxError::system("tying to the parent"))?;
    let found = getppid().as_raw();
    match found == expected {
        true => Ok(()),
        false => Err(SandboxError::ParentGone { expected, found }),
    }
}

/// Sets each limit, hard, so that it cannot be raised again. The number of processes is not
/// limited here: the kernel counts all of a user's together, the daemon's among them. What
/// bounds threads is the memory for their stacks; new processes are the filter's matter.
fn set_limits(limits: &Limits) -> Result<(), SandboxError> {
    // Asking for the length reads nothing of the file; what is no file has none.
    let given = io::stdin().as_fd().try_clone_to_owned().map(File::from);
    let length = given.and_then(|file| file.metadata());
    let weights = length.map_or(0, |metadata| metadata.len());
    let wanted = [
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_FSIZE, 0),
        (Resource::RLIMIT_MSGQUEUE, 0),
        (Resource::RLIMIT_NOFILE, OPEN_FILES),
        (Resource::RLIMIT_STACK, STACK_BYTES),
        (Resource::RLIMIT_DATA, limits.memory),
        (Resource::RLIMIT_AS, limits.address_space(weights)),
    ];
    for (resource, most) in wanted {
        let system = SandboxError::system("limiting resources");
        let (_, hard) = getrlimit(resource).map_err(system)?;
        // A limit that is lower already stays.
        let most = most.min(hard);
        setrlimit(resource, most, most).map_err(SandboxError::system("limiting resources"))?;
    }
    Ok(())
}
