//! Operators and auditors: their second factors, and their browsers.

use std::time::Duration;

use super::{Changed, Policy, State};
use crate::permit::Leave;
use crate::scope::sealed::Group;
use crate::{
    AppId, Applicant, Browse, BrowserSession, ChangeError, Denial, Enrolment, Link, Listen,
    NoRandomNumbers, Operate, Origin, Permit, Proof, Purpose, Scope, ScopeSet, SecondFactor,
    SecondFactorRefused, See, SessionError,
};

impl Policy {
    /// A person that sees: a listed peer of the Unix socket, or a browser with a session.
    pub(super) fn seeing<S: Scope>(
        &self,
        state: &mut State,
        applicant: &Applicant<'_>,
    ) -> Result<Leave, Denial> {
        let (uid, proof) = match applicant.origin {
            Origin::Unix { uid, .. } => (uid, Proof::Peer),
            Origin::Loopback { uid } => {
                let cookie = applicant.session.ok_or(Denial::NoSession)?;
                let known = uid.unwrap_or(u32::MAX);
                let purpose = state.sessions.touch(cookie, known, applicant.now);
                let uid = uid.ok_or(Denial::UnknownPeer)?;
                if purpose != Some(&Purpose::Seeing) {
                    return Err(Denial::BadSession);
                }
                (uid, Proof::Session)
            }
            Origin::Bare { .. } => return Err(Denial::WrongDoor { scope: S::NAME }),
        };
        self.listed::<S>(uid)?;
        Ok(self.person::<S>(applicant, uid, proof))
    }

    /// A person that acts: over the Unix socket, with the role, and with a code each time.
    pub(super) fn acting<S: Scope>(
        &self,
        state: &mut State,
        applicant: &Applicant<'_>,
    ) -> Result<Leave, Denial> {
        let Origin::Unix { uid, .. } = applicant.origin else {
            return Err(Denial::WrongDoor { scope: S::NAME });
        };
        self.listed::<S>(uid)?;
        state.second_factor(applicant, uid)?;
        Ok(self.person::<S>(applicant, uid, Proof::Peer))
    }

    /// Begins to give a listed person a second factor, or another one: that takes a code of the
    /// one before. It is none until it is confirmed.
    ///
    /// # Errors
    ///
    /// When the permit rests on a session, the book is sealed, the code of the earlier factor is
    /// missing or refused, or the system has no random numbers.
    pub fn enrol(
        &self,
        permit: &Permit<See>,
        applicant: &Applicant<'_>,
    ) -> Result<Enrolment, EnrolError> {
        let uid = by_peer(permit)?;
        let mut state = self.state();
        let book = state.book.as_ref().ok_or(EnrolError::Sealed)?;
        if book.person(uid).is_some() {
            state.second_factor(applicant, uid)?;
        }
        let account = permit.app().as_str();
        let (pending, shown) = SecondFactor::enrol(account, applicant.now)?;
        // One for each listed person at most.
        state.pending.insert(uid, pending);
        Ok(shown)
    }

    /// Confirms a second factor by a code of it. The earlier one, if there was one, is gone, and
    /// so are the person's sessions.
    ///
    /// # Errors
    ///
    /// When the permit rests on a session, the book is sealed or full, nothing was begun, or the
    /// code is refused.
    pub fn confirm(
        &self,
        permit: &Permit<See>,
        code: &str,
        now: Duration,
        wall: Duration,
    ) -> Result<Changed, EnrolError> {
        let uid = by_peer(permit)?;
        let mut state = self.state();
        let State { book, pending, .. } = &mut *state;
        let book = book.as_mut().ok_or(EnrolError::Sealed)?;
        let waiting = pending.get_mut(&uid).ok_or(EnrolError::NothingPending)?;
        let refused = |why| EnrolError::Denied(Denial::SecondFactor { uid, why });
        let factor = waiting.confirm(code, wall, now).map_err(refused)?;
        pending.remove(&uid);
        book.enrol(uid, factor)?;
        state.sessions.end_of(uid);
        Ok(state.change())
    }

    /// Takes a person's second factor away, at an operator's word; the person enrols anew.
    ///
    /// # Errors
    ///
    /// When the book is sealed. Says whether there was one.
    pub fn forget_person(
        &self,
        _operator: &Permit<Operate>,
        uid: u32,
    ) -> Result<Option<Changed>, ChangeError> {
        let mut state = self.state();
        let book = state.book.as_mut().ok_or(ChangeError::Sealed)?;
        let there = book.forget_person(uid);
        state.pending.remove(&uid);
        state.sessions.end_of(uid);
        Ok(there.then(|| state.change()))
    }

    /// Gives a person a link for a browser.
    ///
    /// # Errors
    ///
    /// As [`BrowserSessions::link`](crate::BrowserSessions::link).
    pub fn link(&self, permit: &Permit<Browse>, now: Duration) -> Result<Link, SessionError> {
        let purpose = Purpose::Seeing;
        self.state().sessions.link(permit.uid(), purpose, now)
    }

    /// Gives an application that may listen a link for a page of captions. Its session listens
    /// as that application, for as long as that and its user may, and does nothing else.
    ///
    /// # Errors
    ///
    /// [`SessionError::NotByPeer`] unless the permit was asked for over the Unix socket, and as
    /// [`BrowserSessions::link`](crate::BrowserSessions::link).
    pub fn captions_link(
        &self,
        permit: &Permit<Listen>,
        now: Duration,
    ) -> Result<Link, SessionError> {
        if !matches!(permit.origin(), Origin::Unix { .. }) {
            return Err(SessionError::NotByPeer);
        }
        let app = permit.app().clone();
        let purpose = Purpose::Captions { app };
        self.state().sessions.link(permit.uid(), purpose, now)
    }

    /// Opens a link for the user at the other end of a loopback connection.
    ///
    /// # Errors
    ///
    /// As [`BrowserSessions::open`](crate::BrowserSessions::open), and when nobody knows who is
    /// at the other end, or the user may no longer see what the link is to show.
    pub fn open_link(
        &self,
        code: &str,
        origin: Origin,
        now: Duration,
    ) -> Result<BrowserSession, SessionError> {
        let uid = origin.uid();
        let mut state = self.state();
        // Used up whoever opens it: nobody is this user.
        let session = state.sessions.open(code, uid.unwrap_or(u32::MAX), now)?;
        let may = uid.is_some_and(|uid| match session.purpose {
            Purpose::Seeing => self.allowed.is_person(uid),
            // What the application may is asked with each request.
            Purpose::Captions { .. } => true,
        });
        if !may {
            let cookie = session.cookie.expose();
            state.sessions.end(cookie, uid.unwrap_or(u32::MAX));
            return Err(SessionError::NoLink);
        }
        Ok(session)
    }

    /// Ends a browser's session, and says whether there was one.
    pub fn end_session(&self, cookie: &str, origin: Origin) -> bool {
        let uid = origin.uid();
        uid.is_some_and(|uid| self.state().sessions.end(cookie, uid))
    }

    /// Ends all sessions and links of browsers, and says how many sessions.
    pub fn end_sessions(&self) -> usize {
        self.state().sessions.end_all()
    }

    /// Sessions of browsers that are live.
    pub fn live_sessions(&self, now: Duration) -> usize {
        self.state().sessions.live(now)
    }

    fn listed<S: Scope>(&self, uid: u32) -> Result<(), Denial> {
        let listed = match S::GROUP {
            Group::Operators => self.allowed.operators.contains(&uid),
            Group::Auditors => self.allowed.auditors.contains(&uid),
            Group::People | Group::ProvenPeople => self.allowed.is_person(uid),
            Group::Apps => false,
        };
        match listed {
            true => Ok(()),
            false => Err(Denial::NotListed {
                uid,
                scope: S::NAME,
            }),
        }
    }

    fn person<S: Scope>(&self, applicant: &Applicant<'_>, uid: u32, proof: Proof) -> Leave {
        Leave {
            app: AppId::of_uid(uid),
            uid,
            proof,
            origin: applicant.origin,
            certificate: applicant.certificate,
            scopes: S::IN_SETS.into_iter().collect::<ScopeSet>(),
            limits: self.limits,
            registered: false,
        }
    }
}

impl State {
    /// Judges the code that a person shows, and notes what came of it.
    fn second_factor(&mut self, applicant: &Applicant<'_>, uid: u32) -> Result<(), Denial> {
        let book = self.book.as_mut().ok_or(Denial::BookSealed)?;
        let person = book.person_mut(uid);
        let person = person.ok_or(Denial::NotEnrolled { uid })?;
        let code = applicant.second_factor;
        let code = code.ok_or(Denial::NoSecondFactor { uid })?;
        let factor = &mut person.second_factor;
        let checked = factor.check(code, applicant.wall, applicant.now);
        if checked.is_ok() {
            person.note_use(applicant.wall.as_secs());
        }
        // A code that was used, or a failure, counts after a crash, too. A locked one changes
        // nothing, so that guessing does not make the disk work.
        if !matches!(checked, Err(SecondFactorRefused::Locked { .. })) {
            let _ = self.change();
        }
        checked.map_err(|why| Denial::SecondFactor { uid, why })
    }
}

/// The person that is known by the kernel's word.
fn by_peer(permit: &Permit<See>) -> Result<u32, EnrolError> {
    match permit.proof() {
        Proof::Peer => Ok(permit.uid()),
        _ => Err(EnrolError::NotByPeer),
    }
}

/// Why a person has no other second factor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnrolError {
    /// Only who is known by the Unix socket may have one.
    #[error("second factors are given out over the Unix socket alone")]
    NotByPeer,
    /// The book is sealed, as the gate is closed.
    #[error("second factors are sealed")]
    Sealed,
    /// Nothing was begun that could be confirmed.
    #[error("no enrolment was begun")]
    NothingPending,
    /// A code is missing or was refused.
    #[error(transparent)]
    Denied(#[from] Denial),
    /// The book is full.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The system's source failed.
    #[error(transparent)]
    NoRandomNumbers(#[from] NoRandomNumbers),
}
