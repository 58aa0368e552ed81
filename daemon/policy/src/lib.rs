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
//! On the Unix socket the kernel says who calls, and that suffices. On loopback TCP anybody can
//! connect, a web page included: a token is required, and the user at the other end must be the
//! one that it was given to, so that a token is worth nothing in other hands. What operators do
//! goes over the Unix socket alone.
//!
//! The crate does no I/O: origins and times are passed in. Scopes and rates for each application
//! will stand behind the same [`Policy::permit`].
//!
//! ```
//! use std::time::Duration;
//! use earnest_policy::{AllowList, Applicant, Denial, Origin, Policy, Transcribe};
//!
//! let policy = Policy::new(AllowList { apps: vec![1000], operators: vec![] });
//! let ask = |uid| policy.permit::<Transcribe>(&Applicant {
//!     origin: Origin::Unix { uid, gid: uid, pid: None },
//!     bearer: None,
//!     now: Duration::from_secs(60),
//! });
//! assert_eq!(ask(1000)?.app().as_str(), "uid-1000");
//! assert_eq!(ask(1001).unwrap_err(), Denial::NotListed { uid: 1001, scope: "transcribe" });
//! # Ok::<(), Denial>(())
//! ```

mod answers;
mod app;
mod applicant;
mod commands;
mod limits;
mod lockout;
mod numbers;
mod permit;
mod policy;
mod scope;
mod second_factor;
mod sessions;
#[cfg(test)]
mod tests;
mod token;

pub use answers::{AnswerRules, AnswerRulesError, REDACTED};
pub use app::{AppId, AppIdError, MAX_APP_BYTES};
pub use applicant::{Applicant, Origin};
pub use commands::{
    CommandError, CommandList, MAX_NAME_BYTES, MAX_PHRASE_BYTES, MAX_PHRASE_WORDS, MAX_PHRASES,
    PlainName, PlainNameError,
};
pub use limits::{AppLimits, LimitsError};
pub use lockout::{
    FAILURES, LONGEST_LOCKOUT, LockedOut, Lockout, MAX_SOURCES, SHORTEST_LOCKOUT, Source, WINDOW,
};
pub use permit::{Permit, Proof};
pub use policy::{AllowList, Denial, Policy};
pub use scope::{Audit, Command, Listen, Operate, Scope, See, Transcribe, Vad, Work};
pub use second_factor::{
    Enrolment, FREE_FAILURES, LONGEST_LOCK, NoRandomNumbers, PENDING_LIFETIME, PENDING_TRIES,
    PendingFactor, SHORTEST_LOCK, STEP, SecondFactor, SecondFactorRefused,
};
pub use sessions::{
    BrowserSecret, BrowserSession, BrowserSessions, LINK_LIFETIME, Link, MAX_LINKS,
    MAX_LINKS_OF_A_USER, MAX_SESSIONS, MAX_SESSIONS_OF_A_USER, SESSION_IDLE, SESSION_LIFETIME,
    SessionError,
};
pub use token::{
    DEFAULT_LIFETIME, IssueError, Issued, LifetimeError, MAX_LIFETIME, MAX_TOKENS,
    MAX_TOKENS_OF_A_USER, MIN_LIFETIME, RenewError, TOKEN_BYTES, Token,
};
