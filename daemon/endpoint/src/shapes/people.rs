//! Operators and auditors: their second factor, and their way in with a browser.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `POST /v1/operators/enrol`: a secret for an authenticator, shown once. Show it to nobody.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolAnswer {
    /// The secret in base32 (RFC 4648), to type in.
    pub secret: String,
    /// The same as `otpauth://…`, to scan.
    pub uri: String,
}

/// Without the secret.
impl fmt::Debug for EnrolAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("EnrolAnswer(...)")
    }
}

/// `POST /v1/operators/confirm`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfirmRequest {
    /// The six digits that the authenticator shows.
    pub code: String,
}

/// Without the code.
impl fmt::Debug for ConfirmRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ConfirmRequest(...)")
    }
}

/// `POST /v1/browser-links`: what a browser is to be let in for. Without a body, for the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinkRequest {
    /// What for.
    pub purpose: LinkPurpose,
}

/// What a browser is let in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkPurpose {
    /// To see how the device fares: for operators and auditors, with a second factor.
    #[default]
    Status,
    /// To read what the microphone hears, as the application that asks: for whoever may listen.
    Captions,
}

/// What [`LinkRequest`] gets: a way in, once. Show it to nobody else.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkAnswer {
    /// The link.
    pub url: String,
    /// Seconds that it lasts.
    pub expires_in: u64,
}

/// Without the link.
impl fmt::Debug for LinkAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "LinkAnswer(for {} s)", self.expires_in)
    }
}
