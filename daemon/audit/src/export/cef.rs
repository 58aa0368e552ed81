//! ArcSight's Common Event Format, version 0 (Micro Focus, "ArcSight Common Event Format
//! Implementation Standard", version 26).

use std::fmt::Write as _;

use earnest_telemetry::Event;

use super::{Device, PRODUCT, Severity, VENDOR, kind, who};
use crate::{Entry, Pseudonyms};

/// One entry as one line, without its end.
pub fn cef(entry: &Entry, pseudonyms: &Pseudonyms, device: Device<'_>) -> String {
    let event = &entry.event;
    let mut line = format!(
        "CEF:0|{}|{}|{}|{}|{}|{}|",
        header(VENDOR),
        header(PRODUCT),
        header(device.version),
        kind(event),
        kind(event).replace('_', " "),
        severity(event),
    );
    let mut fields: Vec<(&str, String)> = vec![
        ("rt", entry.wall_milliseconds.to_string()),
        ("externalId", entry.sequence.to_string()),
        ("cnt", entry.times.to_string()),
        ("dvchost", device.name.to_owned()),
    ];
    let (app, uid) = who(event);
    fields.extend(app.map(|app| ("sproc", pseudonyms.of(app))));
    fields.extend(uid.map(|uid| ("suser", pseudonyms.of_user(uid))));
    if let Some(request) = entry.request {
        fields.push(("cn1Label", "request".to_owned()));
        fields.push(("cn1", request.to_string()));
    }
    fields.extend(particular(event));
    for (index, (key, value)) in fields.iter().enumerate() {
        let gap = if index == 0 { "" } else { " " };
        // Writing to a string does not fail.
        let _ = write!(line, "{gap}{key}={}", extension(value));
    }
    line
}

/// What a kind of event has besides.
fn particular(event: &Event) -> Vec<(&'static str, String)> {
    match event {
        Event::Refused {
            reason,
            door,
            scope,
            ..
        } => {
            let mut fields = vec![
                ("outcome", "failure".to_owned()),
                ("reason", reason.to_string()),
                ("app", door.to_string()),
            ];
            fields.extend(scope.map(|scope| ("act", scope.to_string())));
            fields
        }
        Event::RequestBegun { scope, door, .. } => {
            vec![("act", scope.to_string()), ("app", door.to_string())]
        }
        Event::RequestEnded {
            scope,
            door,
            status,
            milliseconds,
            sound_milliseconds,
            ..
        } => {
            let outcome = if *status < 400 { "success" } else { "failure" };
            vec![
                ("act", scope.to_string()),
                ("app", door.to_string()),
                ("outcome", outcome.to_owned()),
                ("reason", status.to_string()),
                ("cn2Label", "milliseconds".to_owned()),
                ("cn2", milliseconds.to_string()),
                ("cn3Label", "sound milliseconds".to_owned()),
                ("cn3", sound_milliseconds.to_string()),
            ]
        }
        Event::Gate { from, to, reason } => vec![
            ("reason", reason.to_string()),
            ("cs1Label", "from".to_owned()),
            ("cs1", from.to_string()),
            ("cs2Label", "to".to_owned()),
            ("cs2", to.to_string()),
        ],
        Event::SecondFactor { outcome, .. } => vec![("outcome", outcome.to_string())],
        Event::OperatorAction { action, .. } => vec![("act", action.to_string())],
        Event::BrowserSession { part, .. } => vec![("act", part.to_string())],
        Event::MicrophoneOpened { rate } => {
            vec![("cn2Label", "rate".to_owned()), ("cn2", rate.to_string())]
        }
        Event::MicrophoneClosed { milliseconds } | Event::MicrophoneBack { milliseconds } => vec![
            ("cn2Label", "milliseconds".to_owned()),
            ("cn2", milliseconds.to_string()),
        ],
        Event::Guard { state } => vec![("reason", state.to_string())],
        Event::KeysRotated { which, .. } => vec![("act", which.to_string())],
        Event::WorkerEnded { why, .. } => vec![("reason", why.to_string())],
        Event::Alert(alert) => vec![
            ("cat", alert.kind.to_string()),
            ("act", alert.level.to_string()),
        ],
        Event::AuditPurged {
            segments, through, ..
        } => vec![
            ("cn2Label", "segments".to_owned()),
            ("cn2", segments.to_string()),
            ("cn3Label", "through".to_owned()),
            ("cn3", through.to_string()),
        ],
        Event::AuditLost { events } => vec![
            ("cn2Label", "events".to_owned()),
            ("cn2", events.to_string()),
        ],
        _ => Vec::new(),
    }
}

/// From 0 to 10.
fn severity(event: &Event) -> u8 {
    match Severity::of(event) {
        Severity::Informational => 1,
        Severity::Low => 3,
        Severity::Medium => 5,
        Severity::High => 8,
        Severity::Critical => 10,
    }
}

/// A field of the header: the bar ends one, and so does a line's end.
fn header(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('|', "\\|");
    text.replace(|c: char| c.is_control(), " ")
}

/// A value of the extension: what would begin another key or another line is marked.
fn extension(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('=', "\\=");
    let text = text.replace('\n', "\\n").replace('\r', "\\r");
    text.replace(|c: char| c.is_control(), " ")
}

#[cfg(test)]
mod tests {
    use earnest_telemetry::{App, Door, Refusal, Scope};
    use proptest::prelude::*;

    use super::*;

    const DEVICE: Device<'_> = Device {
        name: "kitchen",
        version: "0.1.0",
    };

    fn refused() -> Entry {
        Entry {
            sequence: 12,
            wall_milliseconds: 1_700_000_000_000,
            boot_milliseconds: 9,
            request: Some(7),
            times: 3,
            event: Event::Refused {
                app: Some(App::new("notes")),
                uid: Some(1000),
                scope: Some(Scope::Transcribe),
                door: Door::Unix,
                reason: Refusal::InsufficientScope,
            },
        }
    }

    #[test]
    fn a_refusal_is_one_line_without_a_name() {
        let pseudonyms = Pseudonyms::new(&[1; 32]);
        let app = pseudonyms.of(&App::new("notes"));
        let user = pseudonyms.of_user(1000);
        let expected = format!(
            "CEF:0|Earnest|earnestd|0.1.0|refused|refused|3|rt=1700000000000 externalId=12 cnt=3 \
             dvchost=kitchen sproc={app} suser={user} cn1Label=request cn1=7 outcome=failure \
             reason=insufficient_scope app=unix act=transcribe"
        );
        assert_eq!(cef(&refused(), &pseudonyms, DEVICE), expected);
    }

    proptest! {
        #[test]
        fn a_devices_name_stays_within_its_field(name in "\\PC{0,20}[\\\\|=\n\r]{0,4}\\PC{0,8}") {
            let device = Device { name: &name, version: &name };
            let line = cef(&refused(), &Pseudonyms::new(&[1; 32]), device);
            prop_assert!(!line.contains(['\n', '\r']));
            // Bars and signs of equality that are not marked are those of the form.
            let plain = line.replace("\\\\", "");
            let bars = plain.replace("\\|", "").matches('|').count();
            let in_name = name.replace('\\', "").matches('|').count();
            prop_assert_eq!(bars, 7 + in_name);
            let keys = plain.replace("\\=", "").matches('=').count();
            let in_version = name.matches('=').count();
            prop_assert_eq!(keys, 12 + in_version);
        }
    }
}
