//! Rotation of keys.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A kind of key that is rotated on a schedule and on command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// What signs tokens.
    Tokens,
    /// What the audit log is written to.
    Audit,
    /// What makes pseudonyms of applications in exports.
    Pseudonyms,
    /// What encrypts the state at rest.
    State,
    /// The leaf that TLS listeners show.
    Tls,
    /// All of them.
    All,
}

impl KeyKind {
    /// Each kind, [`KeyKind::All`] last.
    pub const EACH: [KeyKind; 6] = [
        KeyKind::Tokens,
        KeyKind::Audit,
        KeyKind::Pseudonyms,
        KeyKind::State,
        KeyKind::Tls,
        KeyKind::All,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            KeyKind::Tokens => "tokens",
            KeyKind::Audit => "audit",
            KeyKind::Pseudonyms => "pseudonyms",
            KeyKind::State => "state",
            KeyKind::Tls => "tls",
            KeyKind::All => "all",
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for KeyKind {
    type Err = UnknownKey;

    fn from_str(name: &str) -> Result<KeyKind, UnknownKey> {
        let found = KeyKind::EACH.into_iter().find(|kind| kind.name() == name);
        found.ok_or(UnknownKey)
    }
}

/// No kind of key of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key is one of 'tokens', 'audit', 'pseudonyms', 'state', 'tls' and 'all'")]
pub struct UnknownKey;

/// `POST /v1/keys/rotate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RotateRequest {
    /// Which.
    pub which: KeyKind,
    /// Whether what the earlier key vouched for ends at once: tokens do.
    #[serde(default)]
    pub now: bool,
}

/// What was rotated.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RotateAnswer {
    /// The kinds.
    pub rotated: Vec<KeyKind>,
}
