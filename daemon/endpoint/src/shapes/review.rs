//! Who may do what.

use serde::{Deserialize, Serialize};

/// `GET /v1/access-review`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReviewAnswer {
    /// When it was made, in seconds since 1970.
    pub at: u64,
    /// Whether the gate was closed, so that registered applications and second factors are
    /// missing here.
    #[serde(default)]
    pub sealed: bool,
    /// Who may do what.
    pub rights: Vec<RightEntry>,
    /// What should be looked at, or revoked.
    pub findings: Vec<FindingEntry>,
}

/// Somebody who may do something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RightEntry {
    /// The application's name, or `uid-1000`.
    pub who: String,
    /// `app` for a registered one, `user` for all programs of one, `operator`, `auditor`, or
    /// `former` for who is neither any more.
    pub kind: String,
    /// The users.
    pub uids: Vec<u32>,
    /// What, and when it was last used.
    pub scopes: Vec<ScopeUse>,
    /// Whether there is a second factor, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_factor: Option<bool>,
}

/// A scope and its last use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScopeUse {
    /// The scope's name.
    pub scope: String,
    /// When it was last used, in seconds since 1970 and rounded to the hour.
    pub last_used: Option<u64>,
}

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingEntry {
    /// Whose right it is.
    pub who: String,
    /// As [`RightEntry::kind`].
    #[serde(default)]
    pub kind: String,
    /// Why, for programs: `unused`, `shared_uid`, …
    pub reason: String,
    /// Why, for people.
    pub text: String,
    /// Whether it should be revoked, rather than looked at.
    #[serde(default)]
    pub revoke: bool,
}
