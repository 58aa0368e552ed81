//! The audit log, as its readers see it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One entry, one line of `GET /v1/audit`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AuditLine {
    /// Its number, without gaps.
    pub sequence: u64,
    /// When, in milliseconds since 1970 by the wall clock, which may be wrong.
    pub wall_milliseconds: u64,
    /// When, in milliseconds of CLOCK_BOOTTIME.
    pub boot_milliseconds: u64,
    /// The request that it belongs to, as the answer's `x-request-id` says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// How often: once, or as often as like refusals were counted together.
    #[serde(default = "once")]
    pub times: u32,
    /// What happened, on one line.
    pub text: String,
    /// What happened, for programs: an object whose `event` says which. It is `unreadable`
    /// where a part of the log cannot be read; the number is that of the entry before it then.
    pub event: serde_json::Value,
}

fn once() -> u32 {
    1
}

/// `GET /v1/audit/verification`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerificationAnswer {
    /// Whether the log is whole and reaches the anchored head.
    pub intact: bool,
    /// Entries that were checked.
    pub entries: u64,
    /// Segments that they stand in.
    pub segments: u64,
    /// The newest entry.
    pub head: Option<HeadEntry>,
    /// The newest head that the TPM holds the device to.
    pub anchored: Option<HeadEntry>,
    /// What is wrong, where something is.
    pub damage: Option<String>,
}

/// A head of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeadEntry {
    /// The number of its last entry.
    pub sequence: u64,
    /// The chain's digest there, in hexadecimal.
    pub digest: String,
}

/// A form in which entries go to an incident process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// The Open Cybersecurity Schema Framework: one JSON object a line.
    Ocsf,
    /// ArcSight's Common Event Format: one line an event.
    Cef,
}

impl ExportFormat {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            ExportFormat::Ocsf => "ocsf",
            ExportFormat::Cef => "cef",
        }
    }
}

impl fmt::Display for ExportFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for ExportFormat {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<ExportFormat, UnknownFormat> {
        [ExportFormat::Ocsf, ExportFormat::Cef]
            .into_iter()
            .find(|format| format.name() == name)
            .ok_or(UnknownFormat)
    }
}

/// No form of that name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("entries are exported as 'ocsf' or 'cef'")]
pub struct UnknownFormat;
