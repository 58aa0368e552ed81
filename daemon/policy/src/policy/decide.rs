//! The decision.

use super::{Policy, State};
use crate::permit::Leave;
use crate::scope::sealed::Group;
use crate::token::Shown;
use crate::{
    AppId, AppLimits, AppRecord, Applicant, Book, Denial, Origin, Permit, PinnedCertificate, Proof,
    Purpose, Scope, ScopeName, ScopeSet,
};

impl Policy {
    /// Decides whether `applicant` may use the scope `S` now.
    ///
    /// **Scopes of applications.** On the Unix socket the peer's user decides; a live token of
    /// that user only names the application, and what is no token of ours is passed over,
    /// because clients made for other services always send something. Over loopback a live
    /// token is required, or a certificate that is pinned to an application, or for
    /// [`Listen`](crate::Listen) a browser's session for captions, and the user at the other end
    /// must be one that it was given to. Where a protocol knows no tokens the user at
    /// the other end decides, as on the Unix socket. Whoever registered applications name may do
    /// what those may, and others what the blanket list allows.
    ///
    /// **Scopes of people.** [`Operate`](crate::Operate), [`Audit`](crate::Audit) and
    /// [`Browse`](crate::Browse) want the Unix socket, the role, and each time the code of a
    /// second factor. [`See`](crate::See) wants the role, or over loopback a browser's session.
    ///
    /// Whatever is wrong with a token, the same is done in the same order before it is refused.
    ///
    /// # Errors
    ///
    /// For the log alone: the caller is told no more than [`Denial::face`].
    pub fn permit<S: Scope>(&self, applicant: &Applicant<'_>) -> Result<Permit<S>, Denial> {
        let mut state = self.state();
        let leave = match S::GROUP {
            Group::Apps => self.app::<S>(&mut state, applicant)?,
            Group::People => self.seeing::<S>(&mut state, applicant)?,
            Group::Operators | Group::Auditors | Group::ProvenPeople => {
                self.acting::<S>(&mut state, applicant)?
            }
        };
        Ok(Permit::new(leave))
    }

    fn app<S: Scope>(&self, state: &mut State, applicant: &Applicant<'_>) -> Result<Leave, Denial> {
        let leave = self.identify::<S>(state, applicant)?;
        let held = match S::IN_SETS {
            Some(scope) => leave.scopes.holds(scope),
            None => true,
        };
        if !held {
            return Err(Denial::InsufficientScope {
                app: leave.app,
                scope: S::NAME,
            });
        }
        if let (Some(book), Some(scope)) = (&mut state.book, S::IN_SETS)
            && leave.registered
            && book.note_use(&leave.app, scope, applicant.wall.as_secs())
        {
            state.use_noted();
        }
        Ok(leave)
    }

    /// Which application asks, and all that it may do with what it shows.
    fn identify<S: Scope>(
        &self,
        state: &mut State,
        applicant: &Applicant<'_>,
    ) -> Result<Leave, Denial> {
        let token = applicant.bearer.map(|bearer| {
            let shown = state.tokens.judge(bearer, applicant.now);
            let verdict = self.judge(state, applicant, &shown);
            (shown, verdict)
        });
        match (applicant.origin, token) {
            (_, Some((shown, verdict))) if shown.genuine => verdict,
            (Origin::Unix { uid, .. }, _) => self.peer::<S>(state, applicant, uid),
            (Origin::Bare { uid }, _) => {
                self.peer::<S>(state, applicant, uid.ok_or(Denial::UnknownPeer)?)
            }
            (Origin::Loopback { uid }, token) => match applicant.certificate {
                Some(certificate) => self.certified(state, applicant, &certificate, uid),
                None if token.is_some() => Err(Denial::BadToken),
                None if S::IN_SETS == Some(ScopeName::Listen) => {
                    self.captions(state, applicant, uid)
                }
                None => Err(Denial::NoToken),
            },
        }
    }

    /// A browser that shows captions: the application that its session was made for, as far as
    /// that may listen, and no further.
    fn captions(
        &self,
        state: &mut State,
        applicant: &Applicant<'_>,
        uid: Option<u32>,
    ) -> Result<Leave, Denial> {
        let cookie = applicant.session.ok_or(Denial::NoToken)?;
        let known = uid.unwrap_or(u32::MAX);
        let purpose = state.sessions.touch(cookie, known, applicant.now).cloned();
        let uid = uid.ok_or(Denial::UnknownPeer)?;
        let Some(Purpose::Captions { app }) = purpose else {
            return Err(Denial::BadSession);
        };
        let record = state.book.as_ref().and_then(|book| book.app(&app));
        let standing = self.standing(state, record, &app, uid)?;
        let listening = ScopeSet::from_iter([ScopeName::Listen]);
        Ok(Leave {
            app,
            uid,
            proof: Proof::Session,
            origin: applicant.origin,
            certificate: None,
            scopes: standing.scopes.common(listening),
            limits: standing.limits,
            registered: standing.registered,
        })
    }

    /// Judges what a token says. All is looked up and compared before anything is decided, for
    /// what is genuine and for what is not.
    fn judge(
        &self,
        state: &State,
        applicant: &Applicant<'_>,
        shown: &Shown,
    ) -> Result<Leave, Denial> {
        let claims = &shown.claims;
        let record = state.book.as_ref().and_then(|book| book.app(&claims.app));
        let pinned = applicant.certificate.unwrap_or_default();
        let owner = state
            .book
            .as_ref()
            .and_then(|book| book.app_of_certificate(&pinned));
        let peer = applicant.origin.uid();
        let uid = peer.unwrap_or(u32::MAX);
        let own = claims.uid == uid;
        let bound = claims.certificate;
        let bound_to = bound.is_none_or(|bound| bool::from(bound.same(&pinned)));
        let expected = record.and_then(|record| record.audience.as_ref());
        let for_us = claims.audience == *expected.unwrap_or(&self.audience);
        let standing = self.standing(state, record, &claims.app, uid);

        let app = || claims.app.clone();
        if !shown.genuine {
            return Err(Denial::BadToken);
        }
        if peer.is_none() {
            return Err(Denial::UnknownPeer);
        }
        if !own {
            return Err(Denial::OtherOwner {
                expected: claims.uid,
                found: uid,
            });
        }
        if bound.is_some() && applicant.certificate.is_none() {
            return Err(Denial::NoCertificate { app: app() });
        }
        if !bound_to {
            return Err(Denial::OtherCertificate { app: app() });
        }
        if !for_us {
            return Err(Denial::WrongAudience { app: app() });
        }
        let Standing {
            scopes,
            limits,
            registered,
        } = standing?;
        let by_certificate = owner.is_some_and(|(owner, pinned)| {
            owner.name == claims.app && good_until(&pinned, applicant)
        });
        let proof = match applicant.origin {
            Origin::Unix { .. } | Origin::Bare { .. } => Proof::Peer,
            Origin::Loopback { .. } if by_certificate => Proof::Certificate,
            Origin::Loopback { .. } => Proof::Token,
        };
        Ok(Leave {
            app: app(),
            uid,
            proof,
            origin: applicant.origin,
            certificate: applicant.certificate,
            scopes: scopes.common(claims.scopes),
            limits,
            registered,
        })
    }

    /// A peer of the Unix socket, or of a protocol without tokens, that names no application.
    fn peer<S: Scope>(
        &self,
        state: &State,
        applicant: &Applicant<'_>,
        uid: u32,
    ) -> Result<Leave, Denial> {
        let leave = |app: AppId, standing: Standing| Leave {
            app,
            uid,
            proof: Proof::Peer,
            origin: applicant.origin,
            certificate: applicant.certificate,
            scopes: standing.scopes,
            limits: standing.limits,
            registered: standing.registered,
        };
        if !state.narrowed.contains(&uid) {
            return match self.allowed.apps.contains(&uid) {
                true => Ok(leave(AppId::of_uid(uid), self.unregistered())),
                false => Err(Denial::NotListed {
                    uid,
                    scope: S::NAME,
                }),
            };
        }
        let book = state.book.as_ref().ok_or(Denial::BookSealed)?;
        let mut active = book.apps_of(uid).filter(|record| record.is_active());
        match (active.next(), active.count()) {
            (Some(record), 0) => Ok(leave(record.name.clone(), Standing::of(record))),
            // Which of them asks matters to all but who asks for a token, to say so with it.
            (Some(_), _) if S::IN_SETS.is_none() => {
                Ok(leave(AppId::of_uid(uid), self.unregistered()))
            }
            (Some(_), others) => Err(Denial::AppNotNamed {
                uid,
                count: others + 1,
            }),
            (None, _) => Err(revoked(book, uid)),
        }
    }

    /// A client over loopback that shows a certificate, and no token of ours.
    fn certified(
        &self,
        state: &State,
        applicant: &Applicant<'_>,
        certificate: &[u8; 32],
        uid: Option<u32>,
    ) -> Result<Leave, Denial> {
        let book = state.book.as_ref().ok_or(Denial::BookSealed)?;
        let owner = book.app_of_certificate(certificate);
        let uid = uid.ok_or(Denial::UnknownPeer)?;
        let (record, pinned) = owner.ok_or(Denial::UnknownCertificate)?;
        let name = record.name.clone();
        let standing = self.standing(state, Some(record), &name, uid)?;
        if !good_until(&pinned, applicant) {
            return Err(Denial::CertificateEnded { app: name });
        }
        Ok(Leave {
            app: name,
            uid,
            proof: Proof::Certificate,
            origin: applicant.origin,
            certificate: applicant.certificate,
            scopes: standing.scopes,
            limits: standing.limits,
            registered: true,
        })
    }

    /// What an application may do that speaks for this user: what its record says, or what the
    /// blanket list does where there is no record.
    fn standing(
        &self,
        state: &State,
        record: Option<&AppRecord>,
        app: &AppId,
        uid: u32,
    ) -> Result<Standing, Denial> {
        let blanket = self.blanket(state, uid);
        match record {
            Some(record) if !record.is_active() => Err(Denial::Revoked { app: app.clone() }),
            Some(record) if record.uids.binary_search(&uid).is_ok() => Ok(Standing::of(record)),
            None if blanket && app.is_of_a_uid() => Ok(self.unregistered()),
            None if state.book.is_none() && !app.is_of_a_uid() => Err(Denial::BookSealed),
            _ => Err(Denial::NotOfApp {
                app: app.clone(),
                uid,
            }),
        }
    }

    /// Whether the blanket list holds for this user: it is on it, and no registered application
    /// names it.
    pub(super) fn blanket(&self, state: &State, uid: u32) -> bool {
        self.allowed.apps.contains(&uid) && !state.narrowed.contains(&uid)
    }

    fn unregistered(&self) -> Standing {
        Standing {
            scopes: ScopeSet::BLANKET,
            limits: self.limits,
            registered: false,
        }
    }
}

/// What an application may do, and how much of it.
struct Standing {
    scopes: ScopeSet,
    limits: AppLimits,
    registered: bool,
}

impl Standing {
    fn of(record: &AppRecord) -> Standing {
        Standing {
            scopes: record.scopes,
            limits: record.limits,
            registered: true,
        }
    }
}

/// Why a user may nothing whose applications are all revoked.
fn revoked(book: &Book, uid: u32) -> Denial {
    match book.apps_of(uid).next() {
        Some(record) => Denial::Revoked {
            app: record.name.clone(),
        },
        // The users of the book are those that are narrowed.
        None => Denial::BookSealed,
    }
}

/// The time of the handshake is not that of the request: a connection may outlive its
/// certificate.
fn good_until(pinned: &PinnedCertificate, applicant: &Applicant<'_>) -> bool {
    applicant.wall.as_secs() < pinned.not_after
}
