//! Tokens: how they look, the keys that sign them, and the table of those that are live.
//!
//! A token is signed, so that it says who may do what, and it is in the table, so that it can
//! be renewed and taken back. Times in the table are those of CLOCK_BOOTTIME, and they decide;
//! the times in a token are for readers.

mod jws;
mod keyring;
mod leases;
#[cfg(any(test, feature = "simulation"))]
pub mod simulation;

use std::fmt;
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

pub(crate) use jws::Claims;
pub use jws::MAX_TOKEN_BYTES;
pub use keyring::MAX_KEYS;

use crate::{AppId, Audience, Fingerprint, ScopeSet};
use jws::{ID_BYTES, Parts};
use keyring::{Keyring, NoKey};
use leases::{Lease, Leases};

/// How long a token lasts where the configuration says nothing.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// The shortest life of a token: less could not be renewed in time on a busy machine.
pub const MIN_LIFETIME: Duration = Duration::from_secs(10);

/// The longest life of a token. A day is bearable only because each connection's user is checked.
pub const MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// How long a token can be renewed: a program that runs for longer is started anew. It is what
/// lets old keys die.
pub const MAX_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Most tokens at a time, for all users together. All of them are compared with each token that
/// is shown, which takes some 10 microseconds.
pub const MAX_TOKENS: usize = 256;

/// Most tokens of one user at a time, so that no user can take all of them.
pub const MAX_TOKENS_OF_A_USER: usize = 32;

/// A token as its owner gets it. It is forgotten when dropped, and shown by nothing but
/// [`Token::expose`].
pub struct Token(Zeroizing<String>);

impl Token {
    /// The text to send as `Authorization: Bearer ...`.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(...)")
    }
}

/// What somebody wants of a token. What is not said is as wide as it may be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wish {
    /// The application that it is to name; else the one that asks.
    pub app: Option<AppId>,
    /// What it is to be good for; else all that the application may do.
    pub scopes: Option<ScopeSet>,
    /// For whom it is to be; else for this device.
    pub audience: Option<Audience>,
}

impl From<AppId> for Wish {
    fn from(app: AppId) -> Wish {
        Wish {
            app: Some(app),
            ..Wish::default()
        }
    }
}

/// A token and what it is good for.
#[derive(Debug)]
pub struct Issued {
    /// The token, which is kept nowhere else.
    pub token: Token,
    /// The application that it names.
    pub app: AppId,
    /// What it is good for.
    pub scopes: ScopeSet,
    /// For whom it is.
    pub audience: Audience,
    /// Until when it is live, on CLOCK_BOOTTIME.
    pub until: Duration,
}

/// What a token is to say.
pub(crate) struct Order {
    pub(crate) app: AppId,
    pub(crate) uid: u32,
    pub(crate) certificate: Option<Fingerprint>,
    pub(crate) scopes: ScopeSet,
    pub(crate) audience: Audience,
}

/// A token that somebody showed. The claims are a decoy's where they could not be read, so that
/// the same is done with them.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) claims: Claims,
    /// Whether it is signed by us, spelt rightly, and live.
    pub(crate) genuine: bool,
}

/// The keys, and the tokens that were given out and have not been taken back.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    keys: Keyring,
    leases: Leases,
}

impl Tokens {
    /// Judges a token. The same steps are done in the same order whatever is wrong with it.
    pub(crate) fn judge(&self, bearer: &str, now: Duration) -> Shown {
        let shaped = Parts::of(bearer);
        let well_shaped = shaped.is_some();
        let parts = shaped.unwrap_or_else(decoy_parts);
        let signer = self.keys.signer(&parts);
        let read = parts.read();
        let well_spelt = read.is_some();
        let claims = read.unwrap_or_else(decoy);
        let lease = self.leases.find(&claims.id);
        let live = lease.is_some_and(|lease| {
            Some(lease.key) == signer
                && lease.app == claims.app
                && lease.uid == claims.uid
                && now < lease.until
        });
        Shown {
            genuine: well_shaped && well_spelt && signer.is_some() && live,
            claims,
        }
    }

    pub(crate) fn issue(
        &mut self,
        order: Order,
        lifetime: Duration,
        now: Duration,
        wall: Duration,
    ) -> Result<Issued, IssueError> {
        self.leases.room(order.uid, now)?;
        let mut id = [0; ID_BYTES];
        let filled = SystemRandom::new().fill(&mut id);
        filled.map_err(|_| IssueError::NoRandomNumbers)?;
        let claims = Claims {
            audience: order.audience,
            app: order.app,
            scopes: order.scopes,
            issued: wall.as_secs(),
            ends: wall.saturating_add(MAX_AGE).as_secs(),
            id,
            uid: order.uid,
            certificate: order.certificate,
        };
        let (text, key) = self
            .keys
            .sign(&claims.write())
            .map_err(|NoKey| IssueError::NoRandomNumbers)?;
        let ends = now.saturating_add(MAX_AGE);
        let until = now.saturating_add(lifetime);
        self.leases.push(Lease {
            id,
            key,
            app: claims.app.clone(),
            uid: claims.uid,
            until,
            ends,
        });
        Ok(Issued {
            token: Token(text),
            app: claims.app,
            scopes: claims.scopes,
            audience: claims.audience,
            until,
        })
    }

    /// Lets a token that was judged last until then, or until it can be renewed no further.
    pub(crate) fn renew(&mut self, shown: &Shown, until: Duration) -> Option<Duration> {
        let lease = self.leases.find_mut(&shown.claims.id)?;
        lease.until = until.min(lease.ends).max(lease.until);
        Some(lease.until)
    }

    /// Takes a token that was judged back.
    pub(crate) fn revoke(&mut self, shown: &Shown) -> usize {
        self.leases.drop_where(|lease| lease.id == shown.claims.id)
    }

    /// Takes all tokens of an application back, and says how many were live.
    pub(crate) fn revoke_app(&mut self, app: &AppId, now: Duration) -> usize {
        let live = self.leases.live_where(now, |lease| lease.app == *app);
        self.leases.drop_where(|lease| lease.app == *app);
        live
    }

    /// Makes a new key. The older ones go on verifying until their tokens end, or die at once.
    /// Says how many live tokens died with them.
    pub(crate) fn rotate(&mut self, at_once: bool, now: Duration) -> Result<usize, RotateError> {
        let leases = &self.leases;
        let used = |key: &_| !at_once && leases.live_where(now, |lease| lease.key == *key) > 0;
        let gone = self.keys.rotate(used);
        let gone = gone.map_err(|NoKey| RotateError::NoRandomNumbers)?;
        let dead = |lease: &Lease| gone.contains(&lease.key);
        let live = self.leases.live_where(now, dead);
        self.leases.drop_where(dead);
        Ok(live)
    }

    /// Takes all tokens back, and their keys. Says how many tokens there were.
    pub(crate) fn forget_all(&mut self) -> usize {
        self.keys.clear();
        self.leases.drop_where(|_| true)
    }

    pub(crate) fn live(&self, now: Duration) -> usize {
        self.leases.live_where(now, |_| true)
    }

    pub(crate) fn keys(&self) -> usize {
        self.keys.len()
    }
}

/// What stands in for a token that has no shape: a header that no key has, and claims that can
/// be read.
const DECOY: [&str; 2] = [
    "eyJhbGciOiJIUzI1NiIsImtpZCI6IkFBQUFBQUFBIiwidHlwIjoiSldUIn0",
    concat!(
        "eyJpc3MiOiJlYXJuZXN0IiwiYXVkIjoiZWFybmVzdCIsInN1YiI6ImRlY295Iiwic2NvcGUiOiJ2YWQiLCJp",
        "YXQiOjAsImV4cCI6MCwianRpIjoiQUFBQUFBQUFBQUFBQUFBQUFBQUFBQSIsImNuZiI6eyJ1aWQiOjQyOTQ5",
        "NjcyOTV9fQ"
    ),
];

fn decoy_parts<'a>() -> Parts<'a> {
    Parts {
        header: DECOY[0],
        claims: DECOY[1],
        signed: DECOY[1],
        signature: [0; jws::SIGNATURE_BYTES],
    }
}

fn decoy() -> Claims {
    Claims {
        audience: Audience::default(),
        app: AppId::of_uid(u32::MAX),
        scopes: ScopeSet::NONE,
        issued: 0,
        ends: 0,
        id: [0; ID_BYTES],
        uid: u32::MAX,
        certificate: None,
    }
}

pub(crate) fn check_lifetime(lifetime: Duration) -> Result<(), LifetimeError> {
    match (MIN_LIFETIME..=MAX_LIFETIME).contains(&lifetime) {
        true => Ok(()),
        false => Err(LifetimeError {
            least: MIN_LIFETIME,
            most: MAX_LIFETIME,
            found: lifetime,
        }),
    }
}

/// A token would last too short or too long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a token lasts from {least:?} to {most:?}, not {found:?}")]
pub struct LifetimeError {
    /// The shortest life.
    pub least: Duration,
    /// The longest life.
    pub most: Duration,
    /// What was asked for.
    pub found: Duration,
}

/// Why no token was given out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// Only who is known by the Unix socket or by a certificate may have one.
    #[error("a token gives birth to no token")]
    NotByPeer,
    /// The application is none that the asker may speak for.
    #[error("{app} is no application of uid {uid}")]
    NotYours {
        /// The application that it was to name.
        app: AppId,
        /// Who asks.
        uid: u32,
    },
    /// The token was to be good for more than its application may do.
    #[error("{app} has the scopes {expected}, and {found} were asked for")]
    Scopes {
        /// The application.
        app: AppId,
        /// What it may do.
        expected: ScopeSet,
        /// What was asked for.
        found: ScopeSet,
    },
    /// The table is full, for this user or for all.
    #[error("{found} tokens are live, of at most {expected}")]
    TooMany {
        /// Most tokens at a time.
        expected: usize,
        /// Tokens that are live.
        found: usize,
    },
    /// The system's source failed.
    #[error("the system has no random numbers")]
    NoRandomNumbers,
}

/// Why a token does not last longer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenewError {
    /// Only who is known by the Unix socket or by a certificate may prolong one.
    #[error("a token prolongs no token")]
    NotByPeer,
    /// It is no token of this user that is live, or it is bound to a certificate that is not
    /// shown.
    #[error("the token is none of this user's that is live")]
    BadToken,
}

/// Why there is no new key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RotateError {
    /// The system's source failed.
    #[error("the system has no random numbers")]
    NoRandomNumbers,
}
