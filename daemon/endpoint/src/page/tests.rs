//! The page of devices in good and in bad condition.

use std::time::Duration;

use earnest_gate::{ModeName, Standing, Status};
use earnest_telemetry::{AlertKind, AlertLevel, GateReason, GateState, Refusal, Scope};
use proptest::prelude::*;

use super::verdict::{Verdict, verdict};
use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

fn app(name: &str, scopes: &[Scope], last_used: Option<Duration>, used: Option<f64>) -> AppState {
    AppState {
        name: name.to_owned(),
        scopes: scopes.to_vec(),
        last_used,
        budget_used: used,
        revoked: false,
    }
}

fn event(ago: u64, text: &str) -> EventState {
    EventState {
        ago: Duration::from_secs(ago),
        text: text.to_owned(),
    }
}

/// A device of a fleet on which all is well.
fn good() -> PageState {
    let requests = (0_u32..60).map(|minute| (minute * 7) % 13 + minute % 5);
    PageState {
        device: Some("kitchen-panel-07".to_owned()),
        version: "0.1.0".to_owned(),
        model: "moonshine-tiny".to_owned(),
        uptime: 53 * HOUR,
        wall: Duration::from_secs(1_795_419_750),
        gate: Status {
            state: GateState::Attested,
            open: true,
            reason: GateReason::ProvenToFleet,
            for_seconds: 53 * 3600,
            seconds_left: Some(540),
            mode: ModeName::Fleet,
            standing: Some(Standing::Affirming),
            grace_seconds: 900,
            package: Some("5be1c7d2".repeat(8)),
            answered: true,
        },
        trouble: None,
        software_tpm: false,
        self_test: Some(SelfTestState {
            ago: 18 * MINUTE,
            passed: true,
        }),
        sandbox: Some("full".to_owned()),
        audit: AuditState {
            writable: true,
            entries: 18_204,
            lost: 0,
            anchored_ago: Some(12 * MINUTE),
        },
        alerts: Vec::new(),
        hour: Minutes {
            requests: requests.collect(),
            refusals: vec![(Refusal::RateLimited, 3)],
            sound: 47 * MINUTE,
        },
        load: Some(LoadState {
            working: 1,
            most: 4,
            waiting: 0,
            processes: 3,
            failures: 0,
        }),
        apps: vec![
            app("notes", &[Scope::Transcribe], Some(MINUTE), Some(0.31)),
            app(
                "home-assistant",
                &[Scope::Vad, Scope::Command],
                Some(3 * HOUR),
                Some(0.04),
            ),
            app("uid-1000", &[Scope::Vad, Scope::Transcribe], None, None),
        ],
        findings: 0,
        events: vec![
            event(2, "request 2231 ended (notes): 200 after 812 ms, 6400 ms of sound"),
            event(3, "request 2231 begun (notes)"),
            event(1080, "self-test passed: 3 clips"),
        ],
    }
}

/// A device that is being attacked.
fn attacked() -> PageState {
    let alert = |id, subject: &str, kind, level, minutes: u32, requests| AlertState {
        id,
        subject: subject.to_owned(),
        kind,
        level,
        since: MINUTE * minutes,
        requests,
    };
    let state = good();
    PageState {
        software_tpm: true,
        gate: Status {
            reason: GateReason::ProvenLocally,
            seconds_left: None,
            mode: ModeName::Local,
            standing: None,
            ..state.gate.clone()
        },
        alerts: vec![
            alert(12, "uid-1001", AlertKind::Guessing, AlertLevel::Throttle, 4, 38),
            alert(
                11,
                "screen-reader",
                AlertKind::SlowDrain,
                AlertLevel::Alert,
                130,
                2_900,
            ),
            alert(
                9,
                "transcript-batch",
                AlertKind::Extraction,
                AlertLevel::Quarantine,
                47,
                412,
            ),
        ],
        hour: Minutes {
            requests: (0_u32..60).map(|minute| minute * minute / 20).collect(),
            refusals: vec![
                (Refusal::BadToken, 1_318),
                (Refusal::RateLimited, 640),
                (Refusal::Quarantined, 207),
                (Refusal::InsufficientScope, 61),
                (Refusal::SecondFactorRefused, 6),
            ],
            sound: 131 * MINUTE,
        },
        load: Some(LoadState {
            working: 4,
            most: 4,
            waiting: 7,
            processes: 4,
            failures: 0,
        }),
        apps: vec![
            app("notes", &[Scope::Transcribe], Some(MINUTE), Some(0.31)),
            app("transcript-batch", &[Scope::Transcribe], Some(MINUTE), Some(1.0)),
            app(
                "screen-reader",
                &[Scope::Vad, Scope::Transcribe],
                Some(MINUTE),
                Some(0.86),
            ),
            AppState {
                revoked: true,
                ..app("old-bot", &[Scope::Transcribe], Some(900 * HOUR), Some(0.0))
            },
            app("door-bell", &[Scope::Command], None, Some(0.0)),
        ],
        findings: 2,
        events: vec![
            event(1, "refused: quarantined (transcript-batch)"),
            event(4, "refused: bad_token"),
            event(240, "alert 12: guessing, throttle (uid 1001) after 38 requests"),
        ],
        ..state
    }
}

/// A device whose gate closed.
fn closed() -> PageState {
    let state = good();
    PageState {
        gate: Status {
            state: GateState::Closed,
            open: false,
            reason: GateReason::MeasurementChanged,
            for_seconds: 130,
            seconds_left: None,
            standing: None,
            package: None,
            answered: false,
            ..state.gate.clone()
        },
        trouble: Some("PCR 7 is another one than at unsealing".to_owned()),
        load: None,
        hour: Minutes {
            requests: vec![0; 60],
            refusals: vec![(Refusal::GateClosed, 44)],
            sound: Duration::ZERO,
        },
        audit: AuditState {
            writable: true,
            entries: 18_249,
            lost: 3,
            anchored_ago: None,
        },
        self_test: None,
        sandbox: None,
        ..state
    }
}

#[test]
fn samples() {
    if let Some(folder) = std::env::var_os("EARNEST_PAGE_SAMPLES") {
        let folder = std::path::PathBuf::from(folder);
        for (name, state) in [("good", good()), ("attacked", attacked()), ("closed", closed())] {
            std::fs::write(folder.join(format!("{name}.html")), render(&state)).unwrap();
        }
        std::fs::write(folder.join("status.css"), STYLE).unwrap();
    }
}
