//! What crosses between the endpoint and its client in JSON, beside OpenAI's own shapes: written
//! here once, and read and written by both.
//!
//! Names of scopes, reasons and kinds are plain strings, so that a client of another version
//! still reads what it does not know. Whoever shows one in a terminal makes it printable first.
//!
//! ```
//! use earnest_endpoint::shapes::{AppRequest, LimitsWish};
//!
//! let request = AppRequest {
//!     name: "notes".to_owned(),
//!     uids: vec![1000],
//!     scopes: vec!["transcribe".to_owned()],
//!     limits: LimitsWish { per_minute: Some(30), ..LimitsWish::default() },
//!     commands: None,
//! };
//! assert!(serde_json::to_string(&request)?.contains("\"per_minute\":30"));
//! # Ok::<(), serde_json::Error>(())
//! ```

mod alerts;
mod apps;
mod audit;
mod commands;
mod keys;
mod listen;
mod microphone;
mod people;
mod review;
mod tokens;

/// `GET /v1/report`: what the device did, in counts by day, kind and reason.
pub use earnest_audit::Summary as ReportAnswer;

pub use alerts::{AlertEntry, AlertsAnswer};
pub use apps::{
    AppEntry, AppLimitsEntry, AppRequest, AppsAnswer, CertificateAnswer, CertificateEntry,
    CertificateRequest, LimitsWish,
};
pub use audit::{AuditLine, ExportFormat, HeadEntry, VerificationAnswer};
pub use commands::{
    ActivityAnswer, ActivityEntry, CommandAnswer, CommandListEntry, CommandListRequest,
    CommandListsAnswer, PhraseEntry,
};
pub use keys::{KeyKind, RotateAnswer, RotateRequest};
pub use listen::{LevelLine, ListenEvent, PartialLine, StateLine};
pub use microphone::{
    DeviceEntry, DevicesAnswer, GuardCounts, GuardEntry, ListenerEntry, MicrophoneReport,
    MuteRequest,
};
pub use people::{ConfirmRequest, EnrolAnswer, LinkAnswer, LinkPurpose, LinkRequest};
pub use review::{FindingEntry, ReviewAnswer, RightEntry, ScopeUse};
pub use tokens::{RenewAnswer, TokenAnswer, TokenRequest};
