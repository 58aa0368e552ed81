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
    /// A TCP connection over loopback whose protocol knows no tokens, where an operator has it
    /// served. The kernel's word on the user at the other end has to do, as on a Unix socket;
    /// but every user of the machine reaches it, and the word is about a port of the kernel's
    /// table and not about who connected.
    Bare {
        /// The user that the other end belongs to, where it could be found out.
        uid: Option<u32>,
    },
}

impl Origin {
    /// The user at the other end, where it is known.
    pub fn uid(&self) -> Option<u32> {
        match *self {
            Origin::Unix { uid, .. } => Some(uid),
            Origin::Loopback { uid } | Origin::Bare { uid } => uid,
        }
    }
}

/// Who asks, and when.
///
/// ```
/// use std::time::Duration;
/// use earnest_policy::{Applicant, Origin};
/// let origin = Origin::Loopback { uid: Some(1000) };
/// let applicant = Applicant {
///     bearer: Some("..."),
///     ..Applicant::new(origin, Duration::from_secs(60), Duration::from_secs(1_800_000_000))
/// };
/// assert!(applicant.second_factor.is_none());
/// ```
#[derive(Clone, Copy)]
pub struct Applicant<'a> {
    /// Where the connection comes from.
    pub origin: Origin,
    /// The bearer token of the request (RFC 6750, section 2.1), without the word `Bearer`.
    pub bearer: Option<&'a str>,
    /// The SHA-256 of the DER of the certificate that the client proved to have the key of.
    pub certificate: Option<[u8; 32]>,
    /// The cookie of a browser's session.
    pub session: Option<&'a str>,
    /// The code of a second factor.
    pub second_factor: Option<&'a str>,
    /// The time, on CLOCK_BOOTTIME.
    pub now: Duration,
    /// The time since 1970 on the wall clock, which somebody may set.
    pub wall: Duration,
}

impl Applicant<'_> {
    /// Who comes with nothing but the word of the kernel.
    pub fn new(origin: Origin, now: Duration, wall: Duration) -> Applicant<'static> {
        Applicant {
            origin,
            bearer: None,
            certificate: None,
            session: None,
            second_factor: None,
            now,
            wall,
        }
    }
}

/// Without token, cookie and code.
impl fmt::Debug for Applicant<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Applicant")
            .field("origin", &self.origin)
            .field("bearer", &self.bearer.map(|_| "..."))
            .field("certificate", &self.certificate.map(|_| "..."))
            .field("session", &self.session.map(|_| "..."))
            .field("second_factor", &self.second_factor.map(|_| "..."))
            .field("now", &self.now)
            .field("wall", &self.wall)
            .finish()
    }
}
