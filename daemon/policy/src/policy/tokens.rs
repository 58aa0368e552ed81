//! Giving tokens out and taking them back.

use std::time::Duration;

use super::{Policy, State};
use crate::scope::OfApps;
use crate::token::Order;
use crate::{
    AppId, Audience, Fingerprint, IssueError, Issued, Permit, Proof, RenewError, RotateError,
    ScopeSet, Wish,
};

impl Policy {
    /// Gives out a token, which lasts from `now` for the policy's lifetime. The caller must have
    /// proven who it is to the kernel or by a certificate: a token does not give birth to tokens.
    ///
    /// It is bound to the permit's user, and to its certificate if there is one. It is good for
    /// what the application may do at most, now and whenever it is shown.
    ///
    /// # Errors
    ///
    /// When the permit rests on a token, when the application is not the asker's, when it is to
    /// be good for more than that may do, when there are too many tokens already, or when the
    /// system has no random numbers.
    pub fn issue<S: OfApps>(
        &self,
        permit: &Permit<S>,
        wish: impl Into<Wish>,
        now: Duration,
        wall: Duration,
    ) -> Result<Issued, IssueError> {
        let wish = wish.into();
        let certificate = match permit.proof() {
            Proof::Peer => None,
            Proof::Certificate => permit.certificate().map(Fingerprint),
            Proof::Token | Proof::Session => return Err(IssueError::NotByPeer),
        };
        let name = wish.app.unwrap_or_else(|| permit.app().clone());
        let mut state = self.state();
        let (app, allowed, audience) = self.nameable(&state, permit, name)?;
        let scopes = wish.scopes.unwrap_or(allowed);
        if scopes.is_empty() || !allowed.holds_all(scopes) {
            return Err(IssueError::Scopes {
                app,
                expected: allowed,
                found: scopes,
            });
        }
        let order = Order {
            app,
            uid: permit.uid(),
            certificate,
            scopes,
            audience: wish.audience.unwrap_or(audience),
        };
        state.tokens.issue(order, self.lifetime, now, wall)
    }

    /// Lets a token that is still live last from `now` for the policy's lifetime, but never past
    /// [`MAX_AGE`](crate::MAX_AGE), and says until when. It stays the same token, because a
    /// running client cannot be given another.
    ///
    /// # Errors
    ///
    /// When the permit rests on a token, or the token is not live, not this user's, or bound to
    /// a certificate that is not shown.
    pub fn renew<S: OfApps>(
        &self,
        permit: &Permit<S>,
        bearer: &str,
        now: Duration,
    ) -> Result<Duration, RenewError> {
        if !matches!(permit.proof(), Proof::Peer | Proof::Certificate) {
            return Err(RenewError::NotByPeer);
        }
        let mut state = self.state();
        let shown = state.tokens.judge(bearer, now);
        let claims = &shown.claims;
        let bound = match claims.certificate {
            Some(bound) => permit.certificate() == Some(bound.0),
            None => true,
        };
        if !(shown.genuine && claims.uid == permit.uid() && bound) {
            return Err(RenewError::BadToken);
        }
        let until = now.saturating_add(self.lifetime);
        let renewed = state.tokens.renew(&shown, until);
        renewed.ok_or(RenewError::BadToken)
    }

    /// Takes a token of the permit's user back, and says whether there was one.
    pub fn revoke<S: OfApps>(&self, permit: &Permit<S>, bearer: &str, now: Duration) -> bool {
        let mut state = self.state();
        let shown = state.tokens.judge(bearer, now);
        let own = shown.genuine && shown.claims.uid == permit.uid();
        own && state.tokens.revoke(&shown) > 0
    }

    /// Takes all tokens back, with the keys that signed them, and says how many.
    pub fn forget_all(&self) -> usize {
        self.state().tokens.forget_all()
    }

    /// Tokens that are live.
    pub fn live_tokens(&self, now: Duration) -> usize {
        self.state().tokens.live(now)
    }

    /// Keys that tokens are verified by: one, and those of tokens that were signed before it.
    pub fn signing_keys(&self) -> usize {
        self.state().tokens.keys()
    }

    /// Signs tokens by a new key from now on, as the schedule says. The earlier keys verify
    /// until their tokens end.
    ///
    /// # Errors
    ///
    /// When the system has no random numbers. The key of before stays, then.
    pub fn rotate(&self, now: Duration) -> Result<(), RotateError> {
        self.state().tokens.rotate(false, now).map(|_| ())
    }

    /// The same at once: the earlier keys die, and all tokens with them. Says how many tokens
    /// that were.
    ///
    /// # Errors
    ///
    /// When the system has no random numbers. Everything stays as it was, then.
    pub fn rotate_at_once(&self, now: Duration) -> Result<usize, RotateError> {
        self.state().tokens.rotate(true, now)
    }

    /// The application that the asker may speak for under this name, what it may do, and for
    /// whom its tokens are.
    fn nameable<S: OfApps>(
        &self,
        state: &State,
        permit: &Permit<S>,
        name: AppId,
    ) -> Result<(AppId, ScopeSet, Audience), IssueError> {
        let uid = permit.uid();
        let refused = |app| IssueError::NotYours { app, uid };
        let record = state.book.as_ref().and_then(|book| book.app(&name));
        if let Some(record) = record {
            let own = record.is_active() && record.uids.binary_search(&uid).is_ok();
            // A certificate speaks for its own application alone.
            let bound = permit.proof() != Proof::Certificate || *permit.app() == name;
            let audience = record.audience.as_ref().unwrap_or(&self.audience);
            return match own && bound {
                true => Ok((name, record.scopes, audience.clone())),
                false => Err(refused(name)),
            };
        }
        if permit.proof() == Proof::Certificate || !self.blanket(state, uid) {
            return Err(refused(name));
        }
        match AppId::unregistered(uid, &name) {
            Some(app) => Ok((app, ScopeSet::BLANKET, self.audience.clone())),
            None => Err(refused(name)),
        }
    }
}
