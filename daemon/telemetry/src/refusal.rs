//! The words for turning somebody away.

use crate::words::words;

words! {
    /// Why somebody was turned away.
    pub enum Refusal {
        /// The gate is closed.
        GateClosed = "gate_closed",
        /// Who is calling cannot be told.
        UnknownPeer = "unknown_peer",
        /// The caller is on no list.
        NotListed = "not_listed",
        /// No token was shown where one is needed.
        NoToken = "no_token",
        /// The token is none of ours, or none any more.
        BadToken = "bad_token",
        /// The token was made for another service.
        WrongAudience = "wrong_audience",
        /// The token belongs to somebody else.
        OtherOwner = "other_owner",
        /// No client certificate was shown where one is needed.
        NoCertificate = "no_certificate",
        /// The certificate is not one that was written down for the application.
        OtherCertificate = "other_certificate",
        /// The application was taken off the book.
        Revoked = "revoked",
        /// The browser's session is none, or none any more.
        BadSession = "bad_session",
        /// The application may do something, but not this.
        InsufficientScope = "insufficient_scope",
        /// The second factor is missing.
        SecondFactorRequired = "second_factor_required",
        /// The second factor is wrong, used up, or locked.
        SecondFactorRefused = "second_factor_refused",
        /// The source failed too often and has to wait.
        Locked = "locked",
        /// More requests in a short time than are granted.
        RateLimited = "rate_limited",
        /// The day's sound is used up.
        BudgetSpent = "budget_spent",
        /// More requests at once than are granted.
        TooManyAtOnce = "too_many_at_once",
        /// Its behaviour had it shut out, until an operator releases it.
        Quarantined = "quarantined",
        /// Nothing is done that cannot be written down.
        AuditUnavailable = "audit_unavailable",
        /// The way of calling does not reach this far.
        WrongDoor = "wrong_door",
        /// `Host` names another machine.
        ForeignHost = "foreign_host",
        /// `Origin` names a page from elsewhere.
        ForeignOrigin = "foreign_origin",
        /// The request is no valid one.
        Malformed = "malformed",
        /// It names what there is not.
        NotFound = "not_found",
        /// It asks for what there is not.
        Unsupported = "unsupported",
        /// It brings more than is taken.
        TooLarge = "too_large",
        /// It took too long.
        TimedOut = "timed_out",
        /// All places are taken.
        Busy = "busy",
        /// It holds as many connections as one may.
        TooManyConnections = "too_many_connections",
        /// The daemon ends.
        Stopping = "stopping",
    }
}

impl Refusal {
    /// Whether the caller was not believed to be who it says, rather than not granted
    /// something.
    pub const fn is_of_identity(self) -> bool {
        matches!(
            self,
            Refusal::UnknownPeer
                | Refusal::NotListed
                | Refusal::NoToken
                | Refusal::BadToken
                | Refusal::WrongAudience
                | Refusal::OtherOwner
                | Refusal::NoCertificate
                | Refusal::OtherCertificate
                | Refusal::Revoked
                | Refusal::BadSession
                | Refusal::SecondFactorRequired
                | Refusal::SecondFactorRefused
                | Refusal::Locked
        )
    }
}
