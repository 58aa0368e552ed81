//! What the daemon itself gives up: connections.

use crate::SandboxError;
use crate::filter;
use crate::status::inspect_self;
use crate::walls;

/// What holds for the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DaemonReached {
    /// Whether connecting by TCP is possible to the listed ports alone. Landlock knows ports
    /// and not addresses, so a listed port is reachable anywhere; the unit's `IPAddressDeny=`
    /// knows addresses. False before Linux 6.7.
    pub connections: bool,
    /// Whether new sockets are Unix or TCP ones alone: no UDP, no raw packets, and none of the
    /// stream protocols that Landlock does not see.
    pub sockets: bool,
}

/// Takes from the daemon, for good, what it has no use for: connecting by TCP to any port but
/// `ports` (those of a TPM that is reached by TCP, for development; on a device there are
/// none), and every socket that is not a Unix or a TCP one. Listening and accepting stay.
///
/// Workers inherit both and go further. To be called before the first thread starts, as each
/// thread has its rights from the one that started it.
///
/// # Errors
/// When threads run already, or the kernel has the means and refuses. What it lacks is told in
/// [`DaemonReached`].
pub fn confine_daemon(ports: &[u16]) -> Result<DaemonReached, SandboxError> {
    let found = inspect_self()?.threads;
    if found != 1 {
        return Err(SandboxError::Threads { found });
    }
    let connections = walls::connect_only_to(ports)?.is_some();
    let sockets = filter::install_for_daemon()?;
    Ok(DaemonReached {
        connections,
        sockets,
    })
}
