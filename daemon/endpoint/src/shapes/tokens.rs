//! Tokens.

use std::fmt;

use serde::{Deserialize, Serialize};

/// `POST /v1/token`: for whom a token is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// The application's name.
    pub app: String,
    /// What it is to be good for, by the names of scopes; all that the application may do where
    /// nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
    /// Whom it is to be shown to; the daemon's own audience where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
}

impl TokenRequest {
    /// For all that the application `app` may do.
    pub fn of(app: &str) -> TokenRequest {
        TokenRequest {
            app: app.to_owned(),
            scopes: None,
            audience: None,
        }
    }
}

/// A token that was given out. Show it to nobody.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenAnswer {
    /// The token: `Authorization: Bearer …`.
    pub token: String,
    /// The application that it is for.
    pub app: String,
    /// Seconds that it lasts.
    pub expires_in: u64,
    /// What it is good for, by the names of scopes.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Where clients find the daemon that know no Unix sockets, with the path that OpenAI's
    /// begin with; nothing where it listens on no address with TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
}

/// Without the token.
impl fmt::Debug for TokenAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TokenAnswer")
            .field("app", &self.app)
            .field("expires_in", &self.expires_in)
            .field("scopes", &self.scopes)
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}

/// How long a token lasts now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewAnswer {
    /// Seconds.
    pub expires_in: u64,
}
