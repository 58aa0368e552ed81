//! What decides, and what it holds.

mod decide;
mod people;
mod registry;
mod tokens;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use people::EnrolError;
pub use registry::{Registered, Revoked};

use crate::token::{self, Tokens};
use crate::{
    AppLimits, Audience, Book, BrowserSessions, DEFAULT_LIFETIME, LifetimeError, PendingFactor,
};

/// The users that may do something at all, as the configuration lists them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowList {
    /// Users whose programs may, under any name, find speech and transcribe, as long as no
    /// registered application names the user.
    pub apps: Vec<u32>,
    /// Users that may operate the device. An operator is no application: whoever is to be both
    /// stands on both lists.
    pub operators: Vec<u32>,
    /// Users that may read the audit log.
    pub auditors: Vec<u32>,
}

impl AllowList {
    /// Whether the user is an operator or an auditor.
    pub(crate) fn is_person(&self, uid: u32) -> bool {
        self.operators.contains(&uid) || self.auditors.contains(&uid)
    }
}

/// Decides. It can be shared between threads.
#[derive(Debug)]
pub struct Policy {
    allowed: AllowList,
    lifetime: Duration,
    audience: Audience,
    limits: AppLimits,
    state: Mutex<State>,
}

/// What changes while the daemon runs.
#[derive(Debug, Default)]
struct State {
    /// The book, unless it is sealed.
    book: Option<Book>,
    /// The users that registered applications named when the book was last here: while it is
    /// sealed, what they may do does not widen.
    narrowed: BTreeSet<u32>,
    revision: Revision,
    /// The last revision that is to be saved before anybody is answered.
    pressing: Revision,
    saved: Revision,
    pending: BTreeMap<u32, PendingFactor>,
    sessions: BrowserSessions,
    tokens: Tokens,
}

/// A state of the book. Each change makes a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Revision(u64);

/// The book was changed: it is to be saved before the change is acknowledged.
#[must_use = "a change is saved before it is acknowledged"]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Changed {
    /// What is to be saved at least.
    pub revision: Revision,
}

/// A copy of the book, to be saved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The book.
    pub book: Book,
    /// What to tell [`Policy::saved`] afterwards.
    pub revision: Revision,
}

/// What is not saved yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unsaved {
    /// Nothing.
    Nothing,
    /// Times of use, by the hour: to be saved now and then.
    Uses,
    /// A change, or a second factor that was used or failed: to be saved before anybody is
    /// answered.
    Changes,
}

impl Policy {
    /// A policy with these lists, no book, and tokens that last [`DEFAULT_LIFETIME`].
    pub fn new(allowed: AllowList) -> Policy {
        Policy {
            allowed,
            lifetime: DEFAULT_LIFETIME,
            audience: Audience::default(),
            limits: AppLimits::default(),
            state: Mutex::default(),
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

    /// The same policy, whose tokens are for this audience.
    pub fn with_audience(self, audience: Audience) -> Policy {
        Policy { audience, ..self }
    }

    /// The same policy, with these limits for what is not registered.
    pub fn with_limits(self, limits: AppLimits) -> Policy {
        Policy { limits, ..self }
    }

    /// How long a token lasts.
    pub fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// For whom tokens are.
    pub fn audience(&self) -> &Audience {
        &self.audience
    }

    /// The limits of what is not registered.
    pub fn limits(&self) -> AppLimits {
        self.limits
    }

    /// The users that the configuration lists.
    pub fn allowed(&self) -> &AllowList {
        &self.allowed
    }

    /// Takes the book that was unsealed. It is to be there before anything is served: until
    /// then the blanket list holds for everybody on it.
    pub fn load(&self, book: Book) {
        let mut state = self.state();
        state.narrowed = book.users();
        state.book = Some(book);
        state.pending.clear();
        // Whatever was noted of an earlier book is over.
        state.saved = state.revision;
    }

    /// Takes a change back that could not be saved: applications, command lists and who has which
    /// second factor are as in `before`. What became of codes meanwhile stays, so that none is
    /// good twice. Does nothing where the book has been sealed since.
    ///
    /// The disk may hold either state by now, so that this, too, is to be saved.
    pub fn restore(&self, before: Book) {
        let mut state = self.state();
        if let Some(book) = &mut state.book {
            book.restore(before);
            let _ = state.change();
        }
    }

    /// Forgets the book, as the gate is closed: registered applications and second factors are
    /// out of use until [`Policy::load`]. The lists of the configuration stay, but for the users
    /// that registered applications name. Says whether there was a book.
    ///
    /// What is unsaved is lost, so it is saved first ([`Policy::unsaved`]).
    pub fn forget(&self) -> bool {
        let mut state = self.state();
        state.pending.clear();
        state.book.take().is_some()
    }

    /// Whether there is a book.
    pub fn book_loaded(&self) -> bool {
        self.state().book.is_some()
    }

    /// A copy of the book, if it is not sealed.
    pub fn book(&self) -> Option<Book> {
        self.state().book.clone()
    }

    /// A copy of the book to be saved, if it is not sealed.
    pub fn snapshot(&self) -> Option<Snapshot> {
        let state = self.state();
        Some(Snapshot {
            book: state.book.clone()?,
            revision: state.revision,
        })
    }

    /// Notes that this revision has been saved.
    pub fn saved(&self, revision: Revision) {
        let mut state = self.state();
        state.saved = state.saved.max(revision);
    }

    /// What is not saved yet.
    pub fn unsaved(&self) -> Unsaved {
        let state = self.state();
        match state.saved {
            _ if state.book.is_none() => Unsaved::Nothing,
            saved if saved < state.pressing => Unsaved::Changes,
            saved if saved < state.revision => Unsaved::Uses,
            _ => Unsaved::Nothing,
        }
    }

    /// Whether anything is not saved yet.
    pub fn is_dirty(&self) -> bool {
        self.unsaved() > Unsaved::Nothing
    }

    /// The state is whole between any two of its methods' statements, so one that somebody
    /// panicked over is still good.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Notes a change that is to be saved before anybody is answered.
    fn change(&mut self) -> Changed {
        self.revision.0 += 1;
        self.pressing = self.revision;
        if let Some(book) = &self.book {
            self.narrowed = book.users();
        }
        Changed {
            revision: self.revision,
        }
    }

    /// Notes a change that can wait.
    fn use_noted(&mut self) {
        self.revision.0 += 1;
    }
}
