//! Why not.

use std::time::Duration;

use crate::{AppId, SecondFactorRefused};

/// Why not. For the log; who was denied is told no more than [`Denial::face`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The user is not on the list of the scope.
    #[error("uid {uid} is not listed for {scope}")]
    NotListed {
        /// The user.
        uid: u32,
        /// What it asked for.
        scope: &'static str,
    },
    /// Loopback asks for a token or a certificate, and there is neither.
    #[error("no token was shown over loopback")]
    NoToken,
    /// The token was never ours, has expired or was taken back: which of them is not kept.
    #[error("the token is none that is live")]
    BadToken,
    /// Nobody knows whose end of the connection it is.
    #[error("the user at the other end of the loopback connection is unknown")]
    UnknownPeer,
    /// The token belongs to another user.
    #[error("the token is of uid {expected}, and uid {found} shows it")]
    OtherOwner {
        /// The token's user.
        expected: u32,
        /// Who shows it.
        found: u32,
    },
    /// The token is bound to a certificate, and the connection has none.
    #[error("the token of {app} is bound to a certificate, and there is none")]
    NoCertificate {
        /// The token's application.
        app: AppId,
    },
    /// The token is bound to a certificate, and the connection has another.
    #[error("the token of {app} is bound to another certificate")]
    OtherCertificate {
        /// The token's application.
        app: AppId,
    },
    /// The certificate is of our authority and no application's.
    #[error("the certificate is pinned to no application")]
    UnknownCertificate,
    /// The certificate's time is over, while the connection goes on.
    #[error("the certificate of {app} has ended")]
    CertificateEnded {
        /// Whose certificate it is.
        app: AppId,
    },
    /// The token is for somebody else than this device.
    #[error("the token of {app} is for another audience")]
    WrongAudience {
        /// The token's application.
        app: AppId,
    },
    /// The application was revoked.
    #[error("{app} is revoked")]
    Revoked {
        /// The application.
        app: AppId,
    },
    /// The application is not, or no longer, one of this user.
    #[error("{app} is no application of uid {uid}")]
    NotOfApp {
        /// The application.
        app: AppId,
        /// Who asks.
        uid: u32,
    },
    /// Several applications share the user: only a token or a certificate says which one asks.
    #[error("{count} applications share uid {uid}, and nothing says which one asks")]
    AppNotNamed {
        /// The user.
        uid: u32,
        /// Applications that name it.
        count: usize,
    },
    /// The application is known, and may not do this.
    #[error("{app} does not have the scope {scope}")]
    InsufficientScope {
        /// The application.
        app: AppId,
        /// What it asked for.
        scope: &'static str,
    },
    /// The scope is to be had over the Unix socket alone.
    #[error("{scope} is not to be had over loopback")]
    WrongDoor {
        /// What was asked for.
        scope: &'static str,
    },
    /// The book of applications and second factors is sealed, as the gate is closed.
    #[error("applications and second factors are sealed")]
    BookSealed,
    /// A browser came without a session.
    #[error("no session was shown over loopback")]
    NoSession,
    /// The session was never ours, has ended, or belongs to another user.
    #[error("the session is none of this user's that is live")]
    BadSession,
    /// The action wants a second factor, and the person has none.
    #[error("uid {uid} has no second factor")]
    NotEnrolled {
        /// The person.
        uid: u32,
    },
    /// The action wants the code of a second factor, and there is none.
    #[error("uid {uid} showed no code of its second factor")]
    NoSecondFactor {
        /// The person.
        uid: u32,
    },
    /// The code was refused.
    #[error("the second factor of uid {uid} was refused: {why}")]
    SecondFactor {
        /// The person.
        uid: u32,
        /// Why.
        why: SecondFactorRefused,
    },
}

/// What the caller may be told of a denial, and all that it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    /// It is not known who asks: one answer for every reason.
    Credentials,
    /// It is known who asks, and this it may not.
    Scope,
    /// A person is known by the kernel's word, and a code is wanted.
    SecondFactorRequired,
    /// The code was refused: one answer for a wrong and for a used one.
    SecondFactorRefused,
    /// No code is judged for a while. The body is that of a refused one.
    Locked {
        /// For how long.
        retry_after: Duration,
    },
    /// Nothing can be decided while the device's state is sealed.
    Sealed,
}

impl Denial {
    /// All that the caller is told where it is not known who asks.
    pub const PUBLIC: &str = "not permitted";

    /// What the caller may be told.
    pub fn face(&self) -> Face {
        match *self {
            Denial::InsufficientScope { .. } => Face::Scope,
            Denial::BookSealed => Face::Sealed,
            Denial::NotEnrolled { .. } | Denial::NoSecondFactor { .. } => {
                Face::SecondFactorRequired
            }
            Denial::SecondFactor {
                why: SecondFactorRefused::Locked { retry_after },
                ..
            } => Face::Locked { retry_after },
            Denial::SecondFactor { .. } => Face::SecondFactorRefused,
            Denial::NotListed { .. }
            | Denial::NoToken
            | Denial::BadToken
            | Denial::UnknownPeer
            | Denial::OtherOwner { .. }
            | Denial::NoCertificate { .. }
            | Denial::OtherCertificate { .. }
            | Denial::UnknownCertificate
            | Denial::CertificateEnded { .. }
            | Denial::WrongAudience { .. }
            | Denial::Revoked { .. }
            | Denial::NotOfApp { .. }
            | Denial::AppNotNamed { .. }
            | Denial::WrongDoor { .. }
            | Denial::NoSession
            | Denial::BadSession => Face::Credentials,
        }
    }
}
