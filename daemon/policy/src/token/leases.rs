//! The table of tokens that are live.

use std::fmt;
use std::time::Duration;

use subtle::ConstantTimeEq;

use super::jws::TokenId;
use super::keyring::KeyId;
use super::{IssueError, MAX_TOKENS, MAX_TOKENS_OF_A_USER};
use crate::AppId;

/// How long a token lasts, and whose it is.
pub(super) struct Lease {
    pub(super) id: TokenId,
    /// The key that signed it.
    pub(super) key: KeyId,
    pub(super) app: AppId,
    pub(super) uid: u32,
    /// Until when it is live, on CLOCK_BOOTTIME.
    pub(super) until: Duration,
    /// Until when it can be renewed.
    pub(super) ends: Duration,
}

/// Without the token's name.
impl fmt::Debug for Lease {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Lease {
            app, uid, until, ..
        } = self;
        write!(formatter, "{app} of uid {uid} until {until:?}")
    }
}

/// At most [`MAX_TOKENS`] of them, and of one user [`MAX_TOKENS_OF_A_USER`].
#[derive(Debug, Default)]
pub(super) struct Leases(Vec<Lease>);

impl Leases {
    /// Makes sure that there is room for one more of this user. What has expired makes room.
    pub(super) fn room(&mut self, uid: u32, now: Duration) -> Result<(), IssueError> {
        self.0.retain(|lease| now < lease.until);
        let of_user = self.0.iter().filter(|lease| lease.uid == uid).count();
        let bounds = [(of_user, MAX_TOKENS_OF_A_USER), (self.0.len(), MAX_TOKENS)];
        match bounds.into_iter().find(|(found, most)| found >= most) {
            Some((found, expected)) => Err(IssueError::TooMany { expected, found }),
            None => Ok(()),
        }
    }

    pub(super) fn push(&mut self, lease: Lease) {
        self.0.push(lease);
    }

    /// The lease of a token. Every entry is compared in whole, so that the time this takes says
    /// how many tokens there are and nothing about them.
    pub(super) fn find(&self, id: &TokenId) -> Option<&Lease> {
        self.place(id).map(|place| &self.0[place])
    }

    pub(super) fn find_mut(&mut self, id: &TokenId) -> Option<&mut Lease> {
        self.place(id).map(|place| &mut self.0[place])
    }

    pub(super) fn drop_where(&mut self, which: impl Fn(&Lease) -> bool) -> usize {
        let before = self.0.len();
        self.0.retain(|lease| !which(lease));
        before - self.0.len()
    }

    pub(super) fn live_where(&self, now: Duration, which: impl Fn(&Lease) -> bool) -> usize {
        let leases = self.0.iter();
        leases.filter(|it| now < it.until && which(it)).count()
    }

    fn place(&self, id: &TokenId) -> Option<usize> {
        let mut found = None;
        for (place, lease) in self.0.iter().enumerate() {
            if lease.id.ct_eq(id).into() {
                found = Some(place);
            }
        }
        found
    }
}
