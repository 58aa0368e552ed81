//! Who may do what, when it was last used, and what to look at.
//!
//! A review is made for people, who decide; nothing is revoked by it. Times of use are known to
//! the hour, and a scope counts as never used only once it has been there for
//! [`NEW_DAYS`].
//!
//! ```
//! use std::time::Duration;
//! use earnest_policy::{AllowList, Book, Policy, Reason};
//!
//! let policy = Policy::new(AllowList { operators: vec![900], ..AllowList::default() });
//! policy.load(Book::default());
//! let review = policy.review(Duration::from_secs(1_800_000_000));
//! assert_eq!(review.findings[0].reason, Reason::NoSecondFactor);
//! assert_eq!(review.findings[0].to_string(), "uid-900: may act, and has no second factor");
//! ```

mod finding;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use finding::{Finding, Reason};

use crate::{AllowList, AppRecord, Book, Policy, ScopeName, ScopeSet};

/// Days without a use after which a right should go.
pub const UNUSED_DAYS: u64 = 90;

/// Days for which a new application's rights are not called unused.
pub const NEW_DAYS: u64 = 30;

/// Days before its end from which on a certificate is to be renewed.
pub const CERTIFICATE_DAYS: u64 = 14;

/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;

/// Who may do what, and what to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// When it was made, in seconds since 1970.
    pub at: u64,
    /// Whether the book was sealed: what it holds is missing here, then.
    pub sealed: bool,
    /// Who may do what: registered applications by name, then users, operators and auditors.
    pub rights: Vec<Right>,
    /// What to look at, in the same order.
    pub findings: Vec<Finding>,
}

/// Somebody who may do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right {
    /// Who.
    pub who: Subject,
    /// The users.
    pub uids: Vec<u32>,
    /// What, and when each was last used, in seconds since 1970 and by the hour. What is not
    /// registered is not noted.
    pub scopes: Vec<(ScopeName, Option<u64>)>,
    /// Whether there is a second factor, for people.
    pub second_factor: Option<bool>,
}

/// Whose right it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A registered application.
    App(crate::AppId),
    /// All programs of a user that the blanket list names.
    User(u32),
    /// An operator.
    Operator(u32),
    /// An auditor.
    Auditor(u32),
    /// A user that is no longer an operator or an auditor.
    Former(u32),
}

impl Subject {
    /// What kind it is, in one word: `app`, `user`, `operator`, `auditor` or `former`.
    pub fn kind(&self) -> &'static str {
        match self {
            Subject::App(_) => "app",
            Subject::User(_) => "user",
            Subject::Operator(_) => "operator",
            Subject::Auditor(_) => "auditor",
            Subject::Former(_) => "former",
        }
    }
}

impl Policy {
    /// Reviews who may do what, at `wall` since 1970.
    pub fn review(&self, wall: Duration) -> Review {
        let book = self.book();
        review(self.allowed(), book.as_ref(), wall.as_secs())
    }
}

fn review(allowed: &AllowList, book: Option<&Book>, at: u64) -> Review {
    let empty = Book::default();
    let sealed = book.is_none();
    let book = book.unwrap_or(&empty);
    let mut review = Review {
        at,
        sealed,
        rights: Vec::new(),
        findings: Vec::new(),
    };
    for record in book.apps().filter(|record| record.is_active()) {
        review.app(book, record);
    }
    let narrowed = book.users();
    for uid in once(&allowed.apps) {
        let subject = Subject::User(uid);
        if narrowed.contains(&uid) {
            review.find(subject, Reason::Shadowed);
        } else {
            let scopes = ScopeSet::BLANKET.iter().map(|scope| (scope, None));
            review.rights.push(Right {
                who: subject.clone(),
                uids: vec![uid],
                scopes: scopes.collect(),
                second_factor: None,
            });
            review.find(subject, Reason::Blanket);
        }
    }
    let roles = [
        (&allowed.operators, ScopeName::Operate),
        (&allowed.auditors, ScopeName::Audit),
    ];
    for (users, scope) in roles {
        for uid in once(users) {
            review.person(book, uid, scope);
        }
    }
    for person in book.people() {
        if !allowed.is_person(person.uid) {
            review.find(Subject::Former(person.uid), Reason::SecondFactorLeft);
        }
    }
    review
}

/// The users of a list in order, each once.
fn once(users: &[u32]) -> Vec<u32> {
    let mut users = users.to_vec();
    users.sort_unstable();
    users.dedup();
    users
}

impl Review {
    fn find(&mut self, who: Subject, reason: Reason) {
        self.findings.push(Finding { who, reason });
    }

    fn app(&mut self, book: &Book, record: &AppRecord) {
        let who = || Subject::App(record.name.clone());
        let used = |scope: ScopeName| record.used.get(&scope).copied();
        self.rights.push(Right {
            who: who(),
            uids: record.uids.clone(),
            scopes: record.scopes.iter().map(|it| (it, used(it))).collect(),
            second_factor: None,
        });
        let last = record.last_used();
        let idle = days(last.unwrap_or(record.created), self.at);
        if idle >= UNUSED_DAYS {
            self.find(who(), Reason::Unused { days: idle });
        } else if days(record.created, self.at) >= NEW_DAYS {
            for scope in record.scopes.iter() {
                match used(scope).map(|last| days(last, self.at)) {
                    None => self.find(who(), Reason::ScopeNeverUsed { scope }),
                    Some(days) if days >= UNUSED_DAYS => {
                        self.find(who(), Reason::ScopeUnused { scope, days });
                    }
                    Some(_) => {}
                }
            }
        }
        for &uid in &record.uids {
            let mut others = book.apps_of(uid).filter(|it| it.is_active());
            if let Some(other) = others.find(|other| other.name != record.name) {
                let with = other.name.clone();
                self.find(who(), Reason::SharedUid { uid, with });
            }
        }
        for pinned in &record.certificates {
            let left = pinned.not_after.saturating_sub(self.at);
            let fingerprint = pinned.fingerprint;
            if left == 0 {
                self.find(who(), Reason::CertificateEnded { fingerprint });
            } else if left < CERTIFICATE_DAYS * DAY {
                let days = left / DAY;
                self.find(who(), Reason::CertificateEnds { fingerprint, days });
            }
        }
        let both = ScopeSet::NONE
            .with(ScopeName::Transcribe)
            .with(ScopeName::Listen);
        if record.scopes.holds_all(both) {
            self.find(who(), Reason::TranscribeAndListen);
        }
    }

    fn person(&mut self, book: &Book, uid: u32, scope: ScopeName) {
        let person = book.person(uid);
        let who = match scope {
            ScopeName::Operate => Subject::Operator(uid),
            _ => Subject::Auditor(uid),
        };
        let last_used = person.and_then(|person| person.last_used);
        self.rights.push(Right {
            who: who.clone(),
            uids: vec![uid],
            scopes: vec![(ScopeName::See, None), (scope, last_used)],
            second_factor: Some(person.is_some()),
        });
        if person.is_none() && !self.sealed {
            self.find(who.clone(), Reason::NoSecondFactor);
        }
        if let Some(last) = last_used
            && days(last, self.at) >= UNUSED_DAYS
        {
            let days = days(last, self.at);
            self.find(who, Reason::Unused { days });
        }
    }
}

/// Whole days between two times; none where the clock was set back between them.
fn days(from: u64, to: u64) -> u64 {
    to.saturating_sub(from) / DAY
}
