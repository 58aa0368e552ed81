//! What a review finds.

use std::fmt;

use super::Subject;
use crate::{AppId, Fingerprint, ScopeName};

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whose right it is.
    pub who: Subject,
    /// Why.
    pub reason: Reason,
}

/// Why a right should be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It was not used for long: revoke it.
    Unused {
        /// Days since the last use, or since it was given.
        days: u64,
    },
    /// A scope was never used: take it away.
    ScopeNeverUsed {
        /// Which.
        scope: ScopeName,
    },
    /// A scope was not used for long: take it away.
    ScopeUnused {
        /// Which.
        scope: ScopeName,
        /// Days since the last use.
        days: u64,
    },
    /// Two applications share a user, so that neither is safe from the other.
    SharedUid {
        /// The user.
        uid: u32,
        /// The other application.
        with: AppId,
    },
    /// A certificate ends soon: renew it.
    CertificateEnds {
        /// Which.
        fingerprint: Fingerprint,
        /// Whole days that are left.
        days: u64,
    },
    /// A certificate has ended: it proves nothing any more.
    CertificateEnded {
        /// Which.
        fingerprint: Fingerprint,
    },
    /// It may hear the microphone and have any sound transcribed: one of them may do.
    TranscribeAndListen,
    /// An operator or auditor has no second factor, so that any program of that user can take
    /// one.
    NoSecondFactor,
    /// Somebody who has no role has a second factor still.
    SecondFactorLeft,
    /// The blanket list names the user, and registered applications do, too: the entry is
    /// without effect, and would come back with the last of them.
    Shadowed,
    /// All programs of a user may transcribe: register those that should.
    Blanket,
}

impl Reason {
    /// The reason in one word, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Reason::Unused { .. } => "unused",
            Reason::ScopeNeverUsed { .. } => "scope_never_used",
            Reason::ScopeUnused { .. } => "scope_unused",
            Reason::SharedUid { .. } => "shared_uid",
            Reason::CertificateEnds { .. } => "certificate_ends",
            Reason::CertificateEnded { .. } => "certificate_ended",
            Reason::TranscribeAndListen => "transcribe_and_listen",
            Reason::NoSecondFactor => "no_second_factor",
            Reason::SecondFactorLeft => "second_factor_left",
            Reason::Shadowed => "shadowed",
            Reason::Blanket => "blanket",
        }
    }

    /// Whether something should be revoked, rather than looked at.
    pub fn is_to_revoke(&self) -> bool {
        matches!(
            self,
            Reason::Unused { .. }
                | Reason::ScopeNeverUsed { .. }
                | Reason::ScopeUnused { .. }
                | Reason::CertificateEnded { .. }
                | Reason::SecondFactorLeft
                | Reason::Shadowed
        )
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Unused { days } => write!(formatter, "not used for {days} days"),
            Reason::ScopeNeverUsed { scope } => write!(formatter, "never used {scope}"),
            Reason::ScopeUnused { scope, days } => {
                write!(formatter, "did not use {scope} for {days} days")
            }
            Reason::SharedUid { uid, with } => {
                write!(formatter, "shares uid {uid} with {with}")
            }
            Reason::CertificateEnds { fingerprint, days } => {
                write!(formatter, "certificate {fingerprint} ends in {days} days")
            }
            Reason::CertificateEnded { fingerprint } => {
                write!(formatter, "certificate {fingerprint} has ended")
            }
            Reason::TranscribeAndListen => {
                formatter.write_str("may transcribe and listen, where one may do")
            }
            Reason::NoSecondFactor => formatter.write_str("may act, and has no second factor"),
            Reason::SecondFactorLeft => {
                formatter.write_str("has no role any more, and a second factor still")
            }
            Reason::Shadowed => formatter.write_str(
                "is on the list of all programs, and registered applications count instead",
            ),
            Reason::Blanket => formatter.write_str("may transcribe by any program"),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::App(app) => app.fmt(formatter),
            Subject::User(uid)
            | Subject::Operator(uid)
            | Subject::Auditor(uid)
            | Subject::Former(uid) => AppId::of_uid(*uid).fmt(formatter),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.who, self.reason)
    }
}
