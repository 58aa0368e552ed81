//! The lists, and the decision.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::scope::sealed::Group;
use crate::token::{self, Table};
use crate::{
    AppId, Applicant, DEFAULT_LIFETIME, IssueError, Issued, LifetimeError, Origin, Permit, Proof,
    RenewError, Scope, Transcribe,
};

/// The users that may do something at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowList {
    /// Users whose applications may transcribe.
    pub apps: Vec<u32>,
    /// Users that may operate the device. An operator is no application: whoever is to be both
    /// stands on both lists.
    pub operators: Vec<u32>,
}

/// Decides. It can be shared between threads.
#[derive(Debug)]
pub struct Policy {
    allowed: AllowList,
    lifetime: Duration,
    tokens: Mutex<Table>,
}

impl Policy {
    /// A policy with these lists, whose tokens last [`DEFAULT_LIFETIME`].
    pub fn new(allowed: AllowList) -> Policy {
        Policy {
            allowed,
            lifetime: DEFAULT_LIFETIME,
            tokens: Mutex::default(),
        }
    }

    /// The same policy, with tokens that last this long.
    ///
    /// # Errors
    ///
    /// When the time is not between [`MIN_LIFETIME`](crate::MIN_LIFETIME) and
    /// [`MAX_LIFETIME`](crate::MAX_LIFETIME).
    pub fn with_lifetime(self, lifetime: Duration) -> Result<Policy, LifetimeError> {
        token::check_lifetime(lifetime)?;
        Ok(Policy { lifetime, ..self })
    }

    /// Decides whether `applicant` may use the scope `S` now.
    ///
    /// On the Unix socket the peer's user decides; a live token of that user only names the
    /// application, and what is no token of ours is passed over, because clients made for other
    /// services always send something. Over loopback a live token is required, and its user must
    /// be the one at the other end.
    ///
    /// # Errors
    ///
    /// For the log alone: the caller is told [`Denial::PUBLIC`].
    pub fn permit<S: Scope>(&self, applicant: &Applicant<'_>) -> Result<Permit<S>, Denial> {
        let holder = applicant
            .bearer
            .and_then(|bearer| self.tokens().holder(bearer, applicant.now));
        let (app, uid, proof) = match applicant.origin {
            Origin::Unix { uid, .. } => match holder {
                Some(holder) if holder.uid == uid => (holder.app, uid, Proof::Peer),
                Some(holder) => return Err(Denial::other_owner(&holder, uid)),
                None => (AppId::of_uid(uid), uid, Proof::Peer),
            },
            Origin::Loopback { uid } => {
                if S::GROUP != Group::Apps {
                    return Err(Denial::WrongDoor { scope: S::NAME });
                }
                let bearer = applicant.bearer.map(|_| holder);
                let holder = bearer.ok_or(Denial::NoToken)?.ok_or(Denial::BadToken)?;
                let uid = uid.ok_or(Denial::UnknownPeer)?;
                if holder.uid != uid {
                    return Err(Denial::other_owner(&holder, uid));
                }
                (holder.app, uid, Proof::Token)
            }
        };
        match self.lists::<S>(uid) {
            true => Ok(Permit::new(app, uid, proof)),
            false => Err(Denial::NotListed {
                uid,
                scope: S::NAME,
            }),
        }
    }

    /// Gives out a token for `app`, which lasts from `now` for the policy's lifetime. The caller
    /// must have proven who it is to the kernel: a token does not give birth to tokens.
    ///
    /// # Errors
    ///
    /// When the permit rests on a token, when there are too many tokens already, or when the
    /// system has no random numbers.
    pub fn issue(
        &self,
        permit: &Permit<Transcribe>,
        app: AppId,
        now: Duration,
    ) -> Result<Issued, IssueError> {
        if permit.proof() != Proof::Peer {
            return Err(IssueError::NotByPeer);
        }
        let ends = now.saturating_add(self.lifetime);
        self.tokens().issue(permit.uid(), app, now, ends)
    }

    /// Lets a token that is still live last from `now` for the policy's lifetime, and says until
    /// when. It stays the same token, because a running client cannot be given another.
    ///
    /// # Errors
    ///
    /// When the permit rests on a token, or the token is not live or not this user's.
    pub fn renew(
        &self,
        permit: &Permit<Transcribe>,
        bearer: &str,
        now: Duration,
    ) -> Result<Duration, RenewError> {
        if permit.proof() != Proof::Peer {
            return Err(RenewError::NotByPeer);
        }
        let ends = now.saturating_add(self.lifetime);
        self.tokens().renew(permit.uid(), bearer, now, ends)
    }

    /// Takes a token of the permit's user back, and says whether there was one.
    pub fn revoke(&self, permit: &Permit<Transcribe>, bearer: &str) -> bool {
        self.tokens().revoke(permit.uid(), bearer)
    }

    /// Takes all tokens back, and says how many.
    pub fn forget_all(&self) -> usize {
        self.tokens().forget_all()
    }

    /// Tokens that are live.
    pub fn live_tokens(&self, now: Duration) -> usize {
        self.tokens().live(now)
    }

    /// How long a token lasts.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    fn lists<S: Scope>(&self, uid: u32) -> bool {
        let list = match S::GROUP {
            Group::Apps => &self.allowed.apps,
            Group::Operators | Group::People => &self.allowed.operators,
            Group::Auditors => return false,
        };
        list.contains(&uid)
    }

    /// The table is whole between any two of its methods' statements, so one that somebody
    /// panicked over is still good.
    fn tokens(&self) -> MutexGuard<'_, Table> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why not. For the log; who was denied is told [`Denial::PUBLIC`].
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
    /// Loopback asks for a token, and there is none.
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
    /// The scope is to be had over the Unix socket alone.
    #[error("{scope} is not to be had over loopback")]
    WrongDoor {
        /// What was asked for.
        scope: &'static str,
    },
}

impl Denial {
    /// All that the caller is told, whatever the reason.
    pub const PUBLIC: &str = "not permitted";

    fn other_owner(holder: &token::Holder, found: u32) -> Denial {
        Denial::OtherOwner {
            expected: holder.uid,
            found,
        }
    }
}
