//! Who asks.

use std::fmt;
use std::time::Duration;

/// Where a connection comes from, as the kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The Unix socket, with the credentials of the peer at connecting (unix(7), SO_PEERCRED).
    Unix {
        /// The peer's user.
        uid: u32,
        /// The peer's group.
        gid: u32,
        /// The peer's process; for the log, as numbers are used again.
        pid: Option<i32>,
    },
    /// A TCP connection over loopback.
    Loopback {
        /// The user that the other end belongs to, where it could be found out.
        uid: Option<u32>,
    },
}

/// Who asks, and when.
#[derive(Clone, Copy)]
pub struct Applicant<'a> {
    /// Where the connection comes from.
    pub origin: Origin,
    /// The bearer token of the request (RFC 6750, section 2.1), without the word `Bearer`.
    pub bearer: Option<&'a str>,
    /// The time, on CLOCK_BOOTTIME.
    pub now: Duration,
}

/// Without the token.
impl fmt::Debug for Applicant<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Applicant")
            .field("origin", &self.origin)
            .field("bearer", &self.bearer.map(|_| "..."))
            .field("now", &self.now)
            .finish()
    }
}
