//! Who may do what: a request in, a permit or a denial out.
//!
//! - [`Applicant`] says who asks: where the connection comes from ([`Origin`]), the bearer token
//!   that it brought, and the time.
//! - [`Policy`] holds the lists of users and the tokens. What is on no list is denied.
//! - [`Permit`] is a passed check as a value. Only [`Policy::permit`] makes one, nobody can copy
//!   one, and handlers take it by value: what was not permitted cannot be called.
//! - [`Denial`] is why not, for the log. Whoever was denied is told [`Denial::PUBLIC`] in every
//!   case, so that trying tells nothing.
//!
//! - The [`Book`] holds the applications that operators registered, people's second factors and
//!   command lists. It lies sealed on disk, and is here while the gate is open.
//!
//! On the Unix socket the kernel says who calls, and that suffices. On loopback TCP anybody can
//! connect, a web page included: a token or a certificate is required, and the user at the other
//! end must be one that it was given to, so that neither is worth anything in other hands. What
//! operators and auditors do goes over the Unix socket alone, and takes the code of a second
//! factor each time.
//!
//! Whoever the configuration's blanket list names may find speech and transcribe under any name,
//! until an operator registers an application for that user: from then on registered
//! applications alone count for it.
//!
//! The crate does no I/O: origins and times are passed in.
//!
//! ```
//! use std::time::Duration;
//! use earnest_policy::{AllowList, Applicant, Denial, Origin, Policy, Transcribe};
//!
//! let policy = Policy::new(AllowList { apps: vec![1000], ..AllowList::default() });
//! let (now, wall) = (Duration::from_secs(60), Duration::from_secs(1_800_000_000));
//! let ask = |uid| {
//!     let origin = Origin::Unix { uid, gid: uid, pid: None };
//!     policy.permit::<Transcribe>(&Applicant::new(origin, now, wall))
//! };
//! assert_eq!(ask(1000)?.app().as_str(), "uid-1000");
//! assert_eq!(ask(1001).unwrap_err(), Denial::NotListed { uid: 1001, scope: "transcribe" });
//! # Ok::<(), Denial>(())
//! ```

mod answers;
mod app;
mod applicant;
mod audience;
mod book;
mod commands;
mod denial;
mod fingerprint;
mod limits;
mod lockout;
mod numbers;
mod permit;
mod policy;
mod review;
mod scope;
mod second_factor;
mod sessions;
#[cfg(test)]
mod tests;
mod token;

pub use answers::{AnswerRules, AnswerRulesError, REDACTED};
pub use app::{AppId, AppIdError, MAX_APP_BYTES};
pub use applicant::{Applicant, Origin};
pub use audience::{Audience, AudienceError};
pub use book::{
    AppRecord, AppState, Book, BookError, ChangeError, FORMAT, MAX_APPS, MAX_BOOK_BYTES,
    MAX_CERTIFICATES, MAX_COMMAND_LISTS, MAX_PEOPLE, MAX_UIDS, NewApp, Person, PinnedCertificate,
    RecordError,
};
pub use commands::{
    CommandError, CommandList, MAX_NAME_BYTES, MAX_PHRASE_BYTES, MAX_PHRASE_WORDS, MAX_PHRASES,
    PlainName, PlainNameError,
};
pub use denial::{Denial, Face};
pub use fingerprint::{Fingerprint, FingerprintError};
pub use limits::{
    AppLimits, Limited, LimitedBy, Limits, LimitsError, MAX_APPS_WATCHED, MAX_NAMES_OF_A_USER,
    MAX_USERS_WATCHED, Slot, Standing, Who, Whose,
};
pub use lockout::{
    FAILURES, LONGEST_LOCKOUT, LockedOut, Lockout, MAX_SOURCES, SHORTEST_LOCKOUT, Source, WINDOW,
};
pub use permit::{Permit, Proof};
pub use policy::{
    AllowList, Changed, EnrolError, Policy, Registered, Revision, Revoked, Snapshot, Unsaved,
};
pub use review::{
    CERTIFICATE_DAYS, Finding, NEW_DAYS, Reason, Review, Right, Subject, UNUSED_DAYS,
};
pub use scope::{
    Audit, Browse, Command, Listen, OfApps, Operate, Scope, ScopeName, ScopeNameError,
    ScopeOrderError, ScopeSet, See, Tokens, Transcribe, Vad, Work,
};
pub use second_factor::{
    Enrolment, FREE_FAILURES, LONGEST_LOCK, NoRandomNumbers, PENDING_LIFETIME, PENDING_TRIES,
    PendingFactor, SHORTEST_LOCK, STEP, SecondFactor, SecondFactorRefused,
};
pub use sessions::{
    BrowserSecret, BrowserSession, BrowserSessions, LINK_LIFETIME, Link, MAX_LINKS,
    MAX_LINKS_OF_A_USER, MAX_SESSIONS, MAX_SESSIONS_OF_A_USER, Purpose, SESSION_IDLE,
    SESSION_LIFETIME, SessionError,
};
#[cfg(any(test, feature = "simulation"))]
pub use token::simulation;
pub use token::{
    DEFAULT_LIFETIME, IssueError, Issued, LifetimeError, MAX_AGE, MAX_KEYS, MAX_LIFETIME,
    MAX_TOKEN_BYTES, MAX_TOKENS, MAX_TOKENS_OF_A_USER, MIN_LIFETIME, RenewError, RotateError,
    Token, Wish,
};
