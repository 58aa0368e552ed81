//! The Open Cybersecurity Schema Framework, version 1.3.
//!
//! | what happened | class |
//! |---|---|
//! | requests, and those who were turned away from what they may not do | API Activity, 6003 |
//! | credentials, second factors, tokens, browser sessions | Authentication, 3002 |
//! | applications, keys and certificates, and what operators did | Entity Management, 3004 |
//! | alerts | Detection Finding, 2004 |
//! | the audit log itself | Event Log Activity, 1008 |
//! | the daemon, its gate, its workers and its microphone | Application Lifecycle, 6002 |

use earnest_telemetry::{
    Action, Alert, AlertLevel, Event, FactorOutcome, GateState, Refusal, SessionPart,
};
use serde_json::{Map, Value, json};

use super::{Device, PRODUCT, Severity, VENDOR, kind, who};
use crate::{Entry, Pseudonyms};

/// The version of the schema.
const VERSION: &str = "1.3.0";

/// What the log is called.
const LOG: &str = "audit";

/// A class of events, by its category's number and name and its own.
#[derive(Debug, Clone, Copy)]
struct Class(u32, &'static str, u32, &'static str);

const FINDING: Class = Class(2, "Findings", 2004, "Detection Finding");
const AUTHENTICATION: Class = Class(3, "Identity & Access Management", 3002, "Authentication");
const ENTITY: Class = Class(3, "Identity & Access Management", 3004, "Entity Management");
const EVENT_LOG: Class = Class(1, "System Activity", 1008, "Event Log Activity");
const LIFECYCLE: Class = Class(6, "Application Activity", 6002, "Application Lifecycle");
const API: Class = Class(6, "Application Activity", 6003, "API Activity");

/// What is done in a class, by number and name.
#[derive(Debug, Clone, Copy)]
struct Activity(u32, &'static str);

/// What no class has a number for, under its own name.
const fn other(name: &'static str) -> Activity {
    Activity(99, name)
}

const CREATE: Activity = Activity(1, "Create");
const READ: Activity = Activity(2, "Read");
const UPDATE: Activity = Activity(3, "Update");
const DELETE: Activity = Activity(4, "Delete");

/// One entry as one object.
pub fn ocsf(entry: &Entry, pseudonyms: &Pseudonyms, device: Device<'_>) -> Value {
    let event = &entry.event;
    let (class, activity) = classify(event);
    let Class(category, category_name, class_uid, class_name) = class;
    let severity = Severity::of(event);
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| {
        object.insert(key.to_owned(), value);
    };
    put("category_uid", json!(category));
    put("category_name", json!(category_name));
    put("class_uid", json!(class_uid));
    put("class_name", json!(class_name));
    put("activity_id", json!(activity.0));
    put("activity_name", json!(activity.1));
    put("type_uid", json!(class_uid * 100 + activity.0));
    put("severity_id", json!(severity as u32));
    put("severity", json!(format!("{severity:?}")));
    put("time", json!(entry.wall_milliseconds));
    put("count", json!(entry.times));
    let status = status(event);
    put("status_id", json!(status));
    put("status", json!(["Unknown", "Success", "Failure"][status]));
    put("log_name", json!(LOG));
    put("metadata", metadata(entry, device));
    put("device", json!({"name": device.name, "type_id": 0}));
    let (app, uid) = who(event);
    let user = uid.map(|uid| pseudonyms.of_user(uid));
    let app = app.map(|app| pseudonyms.of(app));
    let user = user.or_else(|| app.clone());
    put("actor", actor(app.as_deref(), user.as_deref()));
    for (key, value) in particular(event, app.as_deref(), user.as_deref()) {
        put(key, value);
    }
    Value::Object(object)
}

fn metadata(entry: &Entry, device: Device<'_>) -> Value {
    let mut metadata = json!({
        "version": VERSION,
        "product": {"name": PRODUCT, "vendor_name": VENDOR, "version": device.version},
        "log_name": LOG,
        "sequence": entry.sequence,
        "uid": entry.sequence.to_string(),
        "event_code": kind(&entry.event),
    });
    if let Some(request) = entry.request {
        metadata["correlation_uid"] = json!(request.to_string());
    }
    metadata
}

fn actor(app: Option<&str>, user: Option<&str>) -> Value {
    let mut actor = Map::new();
    // The daemon itself acts where nobody else does.
    actor.insert("app_name".to_owned(), json!(app.unwrap_or(PRODUCT)));
    if let Some(user) = user {
        actor.insert("user".to_owned(), json!({"name": user, "type_id": 1}));
    }
    Value::Object(actor)
}

fn classify(event: &Event) -> (Class, Activity) {
    match event {
        Event::RequestBegun { .. } => (API, other("Begin")),
        Event::RequestEnded { .. } => (API, other("End")),
        Event::Refused { reason, .. } if reason.is_of_identity() => {
            (AUTHENTICATION, Activity(1, "Logon"))
        }
        Event::Refused { .. } => (API, other("Refuse")),
        Event::TokenIssued { .. } => (AUTHENTICATION, other("Token Issue")),
        Event::TokensRevoked { .. } => (AUTHENTICATION, Activity(2, "Logoff")),
        Event::SecondFactor { outcome, .. } => match outcome {
            FactorOutcome::Enrolled => (ENTITY, CREATE),
            _ => (AUTHENTICATION, Activity(1, "Logon")),
        },
        Event::BrowserSession { part, .. } => match part {
            SessionPart::Begun => (AUTHENTICATION, Activity(1, "Logon")),
            SessionPart::Ended => (AUTHENTICATION, Activity(2, "Logoff")),
        },
        Event::AppAdded { .. } | Event::CertificateIssued { .. } => (ENTITY, CREATE),
        Event::AppChanged { .. }
        | Event::CertificateRenewed
        | Event::KeysRotated { .. }
        | Event::StateSaved => (ENTITY, UPDATE),
        Event::AppRevoked { .. } => (ENTITY, DELETE),
        Event::OperatorAction { action, .. } => (ENTITY, deed(*action)),
        Event::Alert(alert) => match alert.level {
            AlertLevel::Alert => (FINDING, Activity(1, "Create")),
            AlertLevel::Throttle | AlertLevel::Quarantine => (FINDING, Activity(2, "Update")),
        },
        Event::Released { .. } => (FINDING, Activity(3, "Close")),
        Event::AuditPurged { .. } => (EVENT_LOG, Activity(2, "Delete")),
        Event::AuditUnavailable => (EVENT_LOG, Activity(7, "Stop")),
        Event::AuditRestored => (EVENT_LOG, Activity(6, "Start")),
        Event::AuditLost { .. } => (EVENT_LOG, other("Lose")),
        Event::AuditCut { .. } => (EVENT_LOG, other("Cut")),
        Event::AuditDamaged { .. } => (EVENT_LOG, other("Damage")),
        Event::Started | Event::WorkerStarted { .. } => (LIFECYCLE, Activity(3, "Start")),
        Event::Stopping | Event::WorkerEnded { .. } => (LIFECYCLE, Activity(4, "Stop")),
        Event::MicrophoneOpened { .. } | Event::MicrophoneBack { .. } => {
            (LIFECYCLE, Activity(3, "Start"))
        }
        Event::MicrophoneClosed { .. } | Event::MicrophoneLost => (LIFECYCLE, Activity(4, "Stop")),
        Event::MicrophoneMuted { .. } => (LIFECYCLE, Activity(7, "Disable")),
        Event::MicrophoneUnmuted { .. } => (LIFECYCLE, Activity(6, "Enable")),
        Event::Guard { .. } => (LIFECYCLE, other("Guard")),
        Event::Gate { to, .. } => match to {
            GateState::Attested => (LIFECYCLE, Activity(6, "Enable")),
            GateState::Closed => (LIFECYCLE, Activity(7, "Disable")),
            GateState::Sealed | GateState::Unsealed | GateState::Grace => {
                (LIFECYCLE, other("Gate"))
            }
        },
        Event::SelfTest(_) => (LIFECYCLE, other("Self-Test")),
        Event::Sandbox { .. } => (LIFECYCLE, other("Sandbox")),
        Event::ConfigurationRefused => (LIFECYCLE, other("Configuration")),
    }
}

fn deed(action: Action) -> Activity {
    match action {
        Action::AddApp | Action::CertifyApp | Action::PutCommands | Action::Enrol => CREATE,
        Action::ChangeApp | Action::RotateKeys | Action::Release | Action::UnmuteMicrophone => {
            UPDATE
        }
        Action::RevokeApp | Action::RemoveCommands => DELETE,
        Action::ReviewAccess
        | Action::ReadAudit
        | Action::VerifyAudit
        | Action::ExportAudit
        | Action::Report
        | Action::LinkBrowser => READ,
    }
}

/// Unknown, success or failure, as `status_id` numbers them.
fn status(event: &Event) -> usize {
    let failed = match event {
        Event::RequestBegun { .. } => return 0,
        Event::RequestEnded { status, .. } => *status >= 400,
        Event::SelfTest(test) => !test.passed,
        Event::Guard { state } => state.is_wrong(),
        Event::WorkerEnded { why, .. } => !why.is_orderly(),
        Event::SecondFactor { outcome, .. } => {
            !matches!(outcome, FactorOutcome::Enrolled | FactorOutcome::Passed)
        }
        Event::Refused { .. }
        | Event::ConfigurationRefused
        | Event::AuditLost { .. }
        | Event::AuditDamaged { .. }
        | Event::AuditUnavailable
        | Event::MicrophoneLost => true,
        _ => false,
    };
    1 + usize::from(failed)
}

/// What a class has besides.
fn particular(event: &Event, app: Option<&str>, user: Option<&str>) -> Vec<(&'static str, Value)> {
    match event {
        Event::RequestBegun { scope, door, .. } => api(scope.name(), door.name(), None),
        Event::RequestEnded {
            scope,
            door,
            status,
            milliseconds,
            sound_milliseconds,
            ..
        } => {
            let mut fields = api(scope.name(), door.name(), Some(*status));
            fields.push(("duration", json!(milliseconds)));
            fields.push((
                "unmapped",
                json!({"sound_milliseconds": sound_milliseconds}),
            ));
            fields
        }
        Event::Refused {
            reason,
            scope,
            door,
            ..
        } => refused(
            *reason,
            scope.map_or("unknown", |scope| scope.name()),
            door.name(),
            user,
        ),
        Event::SecondFactor { outcome, .. } if *outcome != FactorOutcome::Enrolled => {
            let mut fields = authentication(user, outcome.name());
            fields.push(("is_mfa", json!(true)));
            fields
        }
        Event::SecondFactor { .. } => entity("Second Factor", user),
        Event::TokenIssued { .. } | Event::TokensRevoked { .. } => authentication(user, "token"),
        Event::BrowserSession { .. } => authentication(user, "browser"),
        Event::AppAdded { .. } | Event::AppChanged { .. } | Event::AppRevoked { .. } => {
            entity("Application", app)
        }
        Event::CertificateIssued { .. } => entity("Certificate", app),
        Event::CertificateRenewed => entity("Certificate", Some("listeners")),
        Event::KeysRotated { which, .. } => entity("Key", Some(which.name())),
        Event::StateSaved => entity("State", Some("book")),
        Event::OperatorAction { action, .. } => entity("Operation", Some(action.name())),
        Event::Alert(alert) => finding(alert),
        Event::Released { alert, .. } => vec![(
            "finding_info",
            json!({"uid": alert.to_string(), "title": "released"}),
        )],
        Event::AuditPurged {
            segments,
            through,
            digest,
        } => vec![(
            "unmapped",
            json!({"segments": segments, "through": through, "digest": digest}),
        )],
        Event::AuditLost { events } => vec![("unmapped", json!({"events": events}))],
        Event::AuditCut { bytes } => vec![("unmapped", json!({"bytes": bytes}))],
        Event::AuditDamaged { segment } => vec![("unmapped", json!({"segment": segment}))],
        Event::AuditUnavailable | Event::AuditRestored => Vec::new(),
        Event::Started
        | Event::Stopping
        | Event::Gate { .. }
        | Event::SelfTest(_)
        | Event::Sandbox { .. }
        | Event::WorkerStarted { .. }
        | Event::WorkerEnded { .. }
        | Event::MicrophoneOpened { .. }
        | Event::MicrophoneClosed { .. }
        | Event::MicrophoneLost
        | Event::MicrophoneBack { .. }
        | Event::MicrophoneMuted { .. }
        | Event::MicrophoneUnmuted { .. }
        | Event::Guard { .. }
        | Event::ConfigurationRefused => lifecycle(event),
    }
}

fn api(operation: &str, door: &str, status: Option<u16>) -> Vec<(&'static str, Value)> {
    let mut api = json!({"operation": operation, "service": {"name": PRODUCT}});
    if let Some(status) = status {
        api["response"] = json!({"code": status});
    }
    vec![("api", api), ("src_endpoint", source(door))]
}

fn refused(
    reason: Refusal,
    operation: &str,
    door: &str,
    user: Option<&str>,
) -> Vec<(&'static str, Value)> {
    let mut fields = match reason.is_of_identity() {
        true => authentication(user, door),
        false => api(operation, door, None),
    };
    fields.push(("status_detail", json!(reason)));
    fields
}

fn authentication(user: Option<&str>, detail: &str) -> Vec<(&'static str, Value)> {
    let name = user.unwrap_or("unknown");
    vec![
        ("user", json!({"name": name, "type_id": 1})),
        ("service", json!({"name": PRODUCT})),
        ("auth_protocol_id", json!(99)),
        ("auth_protocol", json!(detail)),
    ]
}

fn entity(kind: &str, name: Option<&str>) -> Vec<(&'static str, Value)> {
    vec![(
        "entity",
        json!({"type": kind, "name": name.unwrap_or("unknown")}),
    )]
}

fn finding(alert: &Alert) -> Vec<(&'static str, Value)> {
    vec![
        (
            "finding_info",
            json!({
                "uid": alert.alert.to_string(),
                "title": alert.kind,
                "types": [alert.kind],
            }),
        ),
        (
            "unmapped",
            json!({"level": alert.level, "requests": alert.requests}),
        ),
    ]
}

fn lifecycle(event: &Event) -> Vec<(&'static str, Value)> {
    let mut fields = vec![("app", json!({"name": PRODUCT, "vendor_name": VENDOR}))];
    match event {
        Event::Gate { from, to, reason } => {
            fields.push(("status_detail", json!(reason)));
            fields.push(("unmapped", json!({"from": from, "to": to})));
        }
        Event::WorkerEnded { worker, why } => {
            fields.push(("status_detail", json!(why)));
            fields.push(("unmapped", json!({"worker": worker})));
        }
        Event::MicrophoneOpened { rate } => fields.push(("unmapped", json!({"rate": rate}))),
        Event::Guard { state } => fields.push(("status_detail", json!(state))),
        Event::MicrophoneClosed { milliseconds } | Event::MicrophoneBack { milliseconds } => {
            fields.push(("duration", json!(milliseconds)));
        }
        _ => {}
    }
    fields
}

/// Every caller is on this machine.
fn source(door: &str) -> Value {
    json!({"name": "localhost", "interface_name": door})
}

#[cfg(test)]
mod tests {
    use earnest_telemetry::{AlertKind, App, Door, KeyKind, Scope};

    use super::*;

    const DEVICE: Device<'_> = Device {
        name: "kitchen",
        version: "0.1.0",
    };

    fn export(event: Event) -> Value {
        let entry = Entry {
            sequence: 12,
            wall_milliseconds: 1_700_000_000_000,
            boot_milliseconds: 9,
            request: Some(7),
            times: 3,
            event,
        };
        ocsf(&entry, &Pseudonyms::new(&[1; 32]), DEVICE)
    }

    #[test]
    fn a_refused_scope_is_an_api_activity_that_failed_and_names_nobody() {
        let found = export(Event::Refused {
            app: Some(App::new("notes")),
            uid: Some(424_242),
            scope: Some(Scope::Transcribe),
            door: Door::Unix,
            reason: Refusal::InsufficientScope,
        });
        let pseudonyms = Pseudonyms::new(&[1; 32]);
        let expected = json!({
            "category_uid": 6, "category_name": "Application Activity",
            "class_uid": 6003, "class_name": "API Activity",
            "activity_id": 99, "activity_name": "Refuse", "type_uid": 600_399,
            "severity_id": 2, "severity": "Low",
            "time": 1_700_000_000_000_u64, "count": 3,
            "status_id": 2, "status": "Failure", "status_detail": "insufficient_scope",
            "metadata": {
                "version": "1.3.0",
                "product": {"name": "earnestd", "vendor_name": "Earnest", "version": "0.1.0"},
                "log_name": "audit", "sequence": 12, "uid": "12", "event_code": "refused",
                "correlation_uid": "7",
            },
            "log_name": "audit",
            "device": {"name": "kitchen", "type_id": 0},
            "actor": {
                "app_name": pseudonyms.of(&App::new("notes")),
                "user": {"name": pseudonyms.of_user(424_242), "type_id": 1},
            },
            "api": {"operation": "transcribe", "service": {"name": "earnestd"}},
            "src_endpoint": {"name": "localhost", "interface_name": "unix"},
        });
        assert_eq!(found, expected);
    }

    #[test]
    fn each_kind_has_its_class_and_what_the_class_demands() {
        let uid = 424_242;
        let alert = Alert {
            alert: 5,
            app: Some(App::new("notes")),
            uid: Some(uid),
            kind: AlertKind::Guessing,
            level: AlertLevel::Quarantine,
            requests: 90,
        };
        let outcome = FactorOutcome::Locked;
        let (which, now) = (KeyKind::Audit, false);
        for (event, type_uid, demanded) in [
            (Event::Started, 600_203, "app"),
            (Event::Alert(alert), 200_402, "finding_info"),
            (Event::SecondFactor { uid, outcome }, 300_201, "user"),
            (Event::KeysRotated { which, now }, 300_403, "entity"),
            (Event::AuditUnavailable, 100_807, "log_name"),
            (Event::MicrophoneOpened { rate: 16_000 }, 600_203, "app"),
            (Event::MicrophoneMuted { uid }, 600_207, "actor"),
            (
                Event::OperatorAction {
                    uid,
                    action: Action::RevokeApp,
                },
                300_404,
                "entity",
            ),
        ] {
            let found = export(event);
            assert_eq!(found["type_uid"], type_uid, "{found}");
            assert!(!found[demanded].is_null(), "{found}");
            assert_eq!(
                found["type_uid"].as_u64().unwrap() / 100,
                found["class_uid"].as_u64().unwrap()
            );
            assert_eq!(
                found["class_uid"].as_u64().unwrap() / 1000,
                found["category_uid"].as_u64().unwrap()
            );
            let text = found.to_string();
            assert!(!text.contains("\"notes\"") && !text.contains("424242"));
        }
    }
}
