//! Entries in the forms of incident processes.
//!
//! What leaves the device names no application and no user: [`Pseudonyms`](crate::Pseudonyms)
//! stand in their place.

mod cef;
mod ocsf;

pub use cef::cef;
pub use ocsf::ocsf;

use earnest_telemetry::{AlertLevel, App, Event, FactorOutcome, GateState};

/// The device that entries come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device<'a> {
    /// Its name.
    pub name: &'a str,
    /// The daemon's version.
    pub version: &'a str,
}

/// Who makes the product, and what it is called.
const VENDOR: &str = "Earnest";
const PRODUCT: &str = "earnestd";

/// How much an event matters, as OCSF numbers it (`severity_id`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Severity {
    Informational = 1,
    Low = 2,
    Medium = 3,
    High = 4,
    Critical = 5,
}

impl Severity {
    fn of(event: &Event) -> Severity {
        match event {
            Event::Refused { reason, .. } => match reason.is_of_identity() {
                true => Severity::Medium,
                false => Severity::Low,
            },
            Event::Alert(alert) => match alert.level {
                AlertLevel::Alert => Severity::Medium,
                AlertLevel::Throttle => Severity::High,
                AlertLevel::Quarantine => Severity::Critical,
            },
            Event::SecondFactor { outcome, .. } => match outcome {
                FactorOutcome::Enrolled | FactorOutcome::Passed => Severity::Informational,
                FactorOutcome::Refused | FactorOutcome::Replayed => Severity::Medium,
                FactorOutcome::Locked => Severity::High,
            },
            Event::Gate { to, .. } => match to {
                GateState::Grace => Severity::Low,
                GateState::Closed => Severity::High,
                GateState::Sealed | GateState::Unsealed | GateState::Attested => {
                    Severity::Informational
                }
            },
            Event::SelfTest(test) if !test.passed => Severity::High,
            Event::WorkerEnded { why, .. } if !why.is_orderly() => Severity::Medium,
            Event::AuditDamaged { .. } | Event::AuditUnavailable => Severity::Critical,
            Event::AuditLost { .. } => Severity::High,
            Event::ConfigurationRefused => Severity::High,
            Event::AuditCut { .. } => Severity::Low,
            Event::RequestEnded { status, .. } if *status >= 500 => Severity::Low,
            _ => Severity::Informational,
        }
    }
}

/// The application and the user that an event is about.
fn who(event: &Event) -> (Option<&App>, Option<u32>) {
    match event {
        Event::RequestBegun { app, uid, .. } | Event::RequestEnded { app, uid, .. } => {
            (Some(app), Some(*uid))
        }
        Event::Refused { app, uid, .. } | Event::Released { app, uid, .. } => (app.as_ref(), *uid),
        Event::Alert(alert) => (alert.app.as_ref(), alert.uid),
        Event::TokenIssued { app }
        | Event::AppAdded { app }
        | Event::AppChanged { app }
        | Event::AppRevoked { app }
        | Event::CertificateIssued { app } => (Some(app), None),
        Event::SecondFactor { uid, .. }
        | Event::OperatorAction { uid, .. }
        | Event::BrowserSession { uid, .. }
        | Event::MicrophoneMuted { uid }
        | Event::MicrophoneUnmuted { uid } => (None, Some(*uid)),
        _ => (None, None),
    }
}

/// The name of an event's kind, as its JSON has it.
fn kind(event: &Event) -> &'static str {
    match event {
        Event::Started => "started",
        Event::Stopping => "stopping",
        Event::Gate { .. } => "gate",
        Event::SelfTest(_) => "self_test",
        Event::Sandbox { .. } => "sandbox",
        Event::WorkerStarted { .. } => "worker_started",
        Event::WorkerEnded { .. } => "worker_ended",
        Event::RequestBegun { .. } => "request_begun",
        Event::RequestEnded { .. } => "request_ended",
        Event::Refused { .. } => "refused",
        Event::TokenIssued { .. } => "token_issued",
        Event::TokensRevoked { .. } => "tokens_revoked",
        Event::CertificateRenewed => "certificate_renewed",
        Event::AppAdded { .. } => "app_added",
        Event::AppChanged { .. } => "app_changed",
        Event::AppRevoked { .. } => "app_revoked",
        Event::CertificateIssued { .. } => "certificate_issued",
        Event::SecondFactor { .. } => "second_factor",
        Event::OperatorAction { .. } => "operator_action",
        Event::BrowserSession { .. } => "browser_session",
        Event::MicrophoneOpened { .. } => "microphone_opened",
        Event::MicrophoneClosed { .. } => "microphone_closed",
        Event::MicrophoneLost => "microphone_lost",
        Event::MicrophoneBack { .. } => "microphone_back",
        Event::MicrophoneMuted { .. } => "microphone_muted",
        Event::MicrophoneUnmuted { .. } => "microphone_unmuted",
        Event::Guard { .. } => "guard",
        Event::KeysRotated { .. } => "keys_rotated",
        Event::Alert(_) => "alert",
        Event::Released { .. } => "released",
        Event::AuditPurged { .. } => "audit_purged",
        Event::AuditLost { .. } => "audit_lost",
        Event::AuditCut { .. } => "audit_cut",
        Event::AuditDamaged { .. } => "audit_damaged",
        Event::AuditUnavailable => "audit_unavailable",
        Event::AuditRestored => "audit_restored",
        Event::StateSaved => "state_saved",
        Event::ConfigurationRefused => "configuration_refused",
    }
}
