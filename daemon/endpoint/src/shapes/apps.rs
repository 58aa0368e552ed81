//! Registered applications and their certificates.

use serde::{Deserialize, Serialize};

/// `POST /v1/apps`: an application to register, or to change where one of that name is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AppRequest {
    /// Its name: 1 to 64 of `a-z`, `0-9`, `.`, `_` and `-`.
    pub name: String,
    /// The users whose programs it is.
    pub uids: Vec<u32>,
    /// What it may do, by the names of scopes.
    pub scopes: Vec<String>,
    /// How much of it; the daemon's defaults where nothing is said.
    #[serde(default)]
    pub limits: LimitsWish,
    /// The command list that it is held to, for the scope `command`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commands: Option<String>,
}

/// Limits of an application, each the daemon's default where it is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsWish {
    /// Requests a minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<u32>,
    /// Requests in a row that may go beyond the rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<u32>,
    /// Minutes of sound within 24 hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub daily_sound_minutes: Option<u32>,
    /// Requests at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_once: Option<u32>,
}

/// `GET /v1/apps`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AppsAnswer {
    /// All registered applications, revoked ones included, by name.
    pub apps: Vec<AppEntry>,
}

/// A registered application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppEntry {
    /// Its name.
    pub name: String,
    /// The users whose programs it is.
    pub uids: Vec<u32>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// How much of it.
    pub limits: AppLimitsEntry,
    /// The command list that it is held to.
    pub commands: Option<String>,
    /// The certificates that are pinned to it.
    pub certificates: Vec<CertificateEntry>,
    /// `active` or `revoked`.
    pub state: String,
    /// When it was registered, in seconds since 1970.
    pub created: u64,
    /// When it was last used, in seconds since 1970 and rounded to the hour.
    pub last_used: Option<u64>,
}

/// The limits of an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppLimitsEntry {
    /// Requests a minute.
    pub per_minute: u32,
    /// Requests in a row that may go beyond the rate.
    pub burst: u32,
    /// Minutes of sound within 24 hours.
    pub daily_sound_minutes: u32,
    /// Requests at once.
    pub at_once: u32,
}

/// A certificate that is pinned to an application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateEntry {
    /// The SHA-256 of its DER, in hexadecimal.
    pub fingerprint: String,
    /// When it ends, in seconds since 1970.
    pub not_after: u64,
}

/// `POST /v1/apps/{name}/certificates`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateRequest {
    /// A certificate signing request (RFC 2986) in PEM. Nothing is taken of it but its key.
    pub request: String,
}

/// A certificate that was signed, and is pinned from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateAnswer {
    /// The certificate in PEM.
    pub certificate: String,
    /// The device's authority in PEM.
    pub authority: String,
    /// The SHA-256 of the certificate's DER, in hexadecimal.
    pub fingerprint: String,
    /// When it ends, in seconds since 1970.
    pub not_after: u64,
}
