//! What is kept, what is counted, and what an event can say.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use earnest_evidence::measured::SandboxLevel;
use proptest::prelude::*;
use serde_json::{Value, json};
use tracing::span;

use crate::*;

fn app() -> App {
    App::new("notes")
}

fn telemetry() -> (Telemetry, Clock) {
    let clock = Clock::simulated(Duration::from_millis(1_500));
    (Telemetry::new(clock.clone()), clock)
}

/// One of each kind, with what it looks like as JSON and as a line.
fn kinds() -> Vec<(Event, Value, &'static str)> {
    let level = SandboxLevel::Partial;
    let gate = Event::Gate {
        from: GateState::Attested,
        to: GateState::Closed,
        reason: GateReason::MeasurementChanged,
    };
    let ended = Event::RequestEnded {
        request: 3,
        app: app(),
        uid: 1000,
        scope: Scope::Transcribe,
        door: Door::Tls,
        trace: None,
        status: 200,
        milliseconds: 410,
        sound_milliseconds: 5_000,
    };
    let refused = Event::Refused {
        app: None,
        uid: Some(1000),
        scope: None,
        door: Door::Clear,
        reason: Refusal::ForeignOrigin,
    };
    let crashed = Event::WorkerEnded {
        worker: 2,
        why: WorkerEnd::Crashed,
    };
    let test = SelfTest {
        clips: 4,
        passed: true,
    };
    vec![
        (Event::Started, json!({"event": "started"}), "started"),
        (Event::Stopping, json!({"event": "stopping"}), "stopping"),
        (
            gate,
            json!({"event": "gate", "from": "attested", "to": "closed",
                   "reason": "measurement_changed"}),
            "gate: attested -> closed, measurement_changed",
        ),
        (
            Event::SelfTest(test),
            json!({"event": "self_test", "clips": 4, "passed": true}),
            "self-test passed: 4 clips",
        ),
        (
            Event::Sandbox { level },
            json!({"event": "sandbox", "level": "partial"}),
            "sandbox: partial",
        ),
        (
            Event::WorkerStarted {
                worker: 2,
                sandbox: SandboxLevel::Full,
            },
            json!({"event": "worker_started", "worker": 2, "sandbox": "full"}),
            "worker 2 started, sandbox full",
        ),
        (
            crashed,
            json!({"event": "worker_ended", "worker": 2, "why": "crashed"}),
            "worker 2 ended: crashed",
        ),
        (
            Event::RequestBegun {
                request: 3,
                app: app(),
                uid: 1000,
                scope: Scope::Vad,
                door: Door::Unix,
                trace: Some(TraceId([0xab; 16])),
            },
            json!({"event": "request_begun", "request": 3, "app": "notes", "uid": 1000,
                   "scope": "vad", "door": "unix", "trace": "ab".repeat(16)}),
            "request 3 begun (notes): vad for uid 1000 over unix",
        ),
        (
            ended,
            json!({"event": "request_ended", "request": 3, "app": "notes", "uid": 1000,
                   "scope": "transcribe", "door": "tls", "trace": null, "status": 200,
                   "milliseconds": 410, "sound_milliseconds": 5_000}),
            "request 3 ended (notes): 200 after 410 ms, 5000 ms of sound",
        ),
        (
            refused,
            json!({"event": "refused", "app": null, "uid": 1000, "scope": null,
                   "door": "clear", "reason": "foreign_origin"}),
            "refused: foreign_origin (uid 1000) over clear",
        ),
        (
            Event::TokenIssued { app: app() },
            json!({"event": "token_issued", "app": "notes"}),
            "token issued (notes)",
        ),
        (
            Event::TokensRevoked { count: 2 },
            json!({"event": "tokens_revoked", "count": 2}),
            "tokens revoked: 2",
        ),
        (
            Event::CertificateRenewed,
            json!({"event": "certificate_renewed"}),
            "certificate renewed",
        ),
    ]
}

/// One of each kind that tells of people, applications and keys.
fn kinds_of_conduct() -> Vec<(Event, Value, &'static str)> {
    let lacking = Event::Refused {
        app: Some(app()),
        uid: Some(1000),
        scope: Some(Scope::Transcribe),
        door: Door::Unix,
        reason: Refusal::InsufficientScope,
    };
    let alert = Alert {
        alert: 4,
        app: Some(app()),
        uid: None,
        kind: AlertKind::SlowDrain,
        level: AlertLevel::Quarantine,
        requests: 90,
    };
    let released = Event::Released {
        alert: 4,
        app: None,
        uid: Some(5),
    };
    let (uid, which) = (7, KeyKind::Tokens);
    let outcome = FactorOutcome::Replayed;
    let action = Action::LinkBrowser;
    let part = SessionPart::Begun;
    vec![
        (
            lacking,
            json!({"event": "refused", "app": "notes", "uid": 1000, "scope": "transcribe",
                   "door": "unix", "reason": "insufficient_scope"}),
            "refused: insufficient_scope (notes, uid 1000): transcribe over unix",
        ),
        (
            Event::AppAdded { app: app() },
            json!({"event": "app_added", "app": "notes"}),
            "application added (notes)",
        ),
        (
            Event::AppChanged { app: app() },
            json!({"event": "app_changed", "app": "notes"}),
            "application changed (notes)",
        ),
        (
            Event::AppRevoked { app: app() },
            json!({"event": "app_revoked", "app": "notes"}),
            "application revoked (notes)",
        ),
        (
            Event::CertificateIssued { app: app() },
            json!({"event": "certificate_issued", "app": "notes"}),
            "certificate issued (notes)",
        ),
        (
            Event::SecondFactor { uid, outcome },
            json!({"event": "second_factor", "uid": 7, "outcome": "replayed"}),
            "second factor replayed (uid 7)",
        ),
        (
            Event::OperatorAction { uid, action },
            json!({"event": "operator_action", "uid": 7, "action": "link_browser"}),
            "operator: link_browser (uid 7)",
        ),
        (
            Event::BrowserSession { uid, part },
            json!({"event": "browser_session", "uid": 7, "part": "begun"}),
            "browser session begun (uid 7)",
        ),
        (
            Event::KeysRotated { which, now: true },
            json!({"event": "keys_rotated", "which": "tokens", "now": true}),
            "keys rotated: tokens, the earlier ones ended",
        ),
        (
            Event::Alert(alert),
            json!({"event": "alert", "alert": 4, "app": "notes", "uid": null,
                   "kind": "slow_drain", "level": "quarantine", "requests": 90}),
            "alert 4: quarantine for slow_drain (notes)",
        ),
        (
            released,
            json!({"event": "released", "alert": 4, "app": null, "uid": 5}),
            "alert 4 released (uid 5)",
        ),
        (
            Event::StateSaved,
            json!({"event": "state_saved"}),
            "state saved",
        ),
        (
            Event::ConfigurationRefused,
            json!({"event": "configuration_refused"}),
            "configuration refused",
        ),
    ]
}

/// One of each kind that tells of the microphone.
fn kinds_of_microphone() -> Vec<(Event, Value, &'static str)> {
    vec![
        (
            Event::MicrophoneOpened { rate: 16_000 },
            json!({"event": "microphone_opened", "rate": 16_000}),
            "microphone opened at 16000 Hz",
        ),
        (
            Event::MicrophoneClosed {
                milliseconds: 90_000,
            },
            json!({"event": "microphone_closed", "milliseconds": 90_000}),
            "microphone closed after 90000 ms",
        ),
        (
            Event::MicrophoneLost,
            json!({"event": "microphone_lost"}),
            "microphone lost",
        ),
        (
            Event::MicrophoneBack { milliseconds: 750 },
            json!({"event": "microphone_back", "milliseconds": 750}),
            "microphone back after 750 ms",
        ),
        (
            Event::MicrophoneMuted { uid: 7 },
            json!({"event": "microphone_muted", "uid": 7}),
            "microphone muted (uid 7)",
        ),
        (
            Event::MicrophoneUnmuted { uid: 7 },
            json!({"event": "microphone_unmuted", "uid": 7}),
            "microphone unmuted (uid 7)",
        ),
        (
            Event::Guard {
                state: GuardState::Contradiction,
            },
            json!({"event": "guard", "state": "contradiction"}),
            "the microphone's guard: contradiction",
        ),
    ]
}

/// One of each kind that tells of the audit log.
fn kinds_of_audit() -> Vec<(Event, Value, &'static str)> {
    let digest = ChainDigest([0x0c; 32]);
    let purged = Event::AuditPurged {
        segments: 2,
        through: 800,
        digest,
    };
    vec![
        (
            purged,
            json!({"event": "audit_purged", "segments": 2, "through": 800,
                   "digest": "0c".repeat(32)}),
            "audit log: 2 segments purged, through entry 800",
        ),
        (
            Event::AuditLost { events: 3 },
            json!({"event": "audit_lost", "events": 3}),
            "audit log: 3 events lost",
        ),
        (
            Event::AuditCut { bytes: 9 },
            json!({"event": "audit_cut", "bytes": 9}),
            "audit log: 9 unfinished bytes cut off",
        ),
        (
            Event::AuditDamaged { segment: 5 },
            json!({"event": "audit_damaged", "segment": 5}),
            "audit log: segment 5 is damaged",
        ),
        (
            Event::AuditUnavailable,
            json!({"event": "audit_unavailable"}),
            "audit log: cannot be written",
        ),
        (
            Event::AuditRestored,
            json!({"event": "audit_restored"}),
            "audit log: can be written again",
        ),
    ]
}

/// One of each kind.
fn all_kinds() -> Vec<(Event, Value, &'static str)> {
    [
        kinds(),
        kinds_of_conduct(),
        kinds_of_microphone(),
        kinds_of_audit(),
    ]
    .concat()
}

#[test]
fn each_kind_of_event_is_written_in_its_own_words_and_read_back() {
    for (event, expected, line) in all_kinds() {
        assert_eq!(serde_json::to_value(&event).unwrap(), expected);
        assert_eq!(event.to_string(), line);
        assert_eq!(serde_json::from_value::<Event>(expected).unwrap(), event);
    }
}

#[test]
fn an_event_is_stamped_and_numbered() {
    let (telemetry, clock) = telemetry();
    telemetry.record(Event::Started);
    clock.advance(Duration::from_secs(1));
    telemetry.clone().record(Event::Stopping);
    let recent = serde_json::to_value(telemetry.recent()).unwrap();
    let expected = json!([
        {"sequence": 1, "at_milliseconds": 1_500, "event": "started"},
        {"sequence": 2, "at_milliseconds": 2_500, "event": "stopping"},
    ]);
    assert_eq!(recent, expected);
}

#[test]
fn one_sink_is_shown_every_event_and_nobody_waits_for_it() {
    let clock = Clock::simulated(Duration::ZERO);
    let (queue, shown) = std::sync::mpsc::sync_channel(2);
    let telemetry = Telemetry::with_sink(clock, move |recorded| {
        // What finds no place is dropped: whoever records does not wait.
        let _ = queue.try_send(recorded.sequence);
    });
    assert!(!telemetry.attach(|_| panic!("there is a sink already")));
    for _ in 0..5 {
        telemetry.clone().record(Event::Started);
    }
    assert_eq!(shown.try_iter().collect::<Vec<u64>>(), [1, 2]);
    assert_eq!(telemetry.counters().events, 5);
}

#[test]
fn what_is_in_no_schema_is_not_read_back() {
    for text in [
        r#"{"event": "said", "text": "hello"}"#,
        r#"{"event": "refused", "app": "Two Words", "uid": null, "scope": null,
            "door": "unix", "reason": "busy"}"#,
        r#"{"event": "sandbox", "level": "perfect"}"#,
        r#"{"event": "token_issued"}"#,
        "[]",
    ] {
        assert!(serde_json::from_str::<Event>(text).is_err(), "{text}");
    }
}

#[test]
fn the_oldest_events_go_and_the_counters_stay() {
    let (telemetry, _) = telemetry();
    let most = u64::try_from(RECENT_EVENTS).unwrap();
    for _ in 0..most + 5 {
        telemetry.record(Event::CertificateRenewed);
    }
    let recent = telemetry.recent();
    assert_eq!(recent.len(), RECENT_EVENTS);
    assert_eq!(recent[0].sequence, 6);
    assert_eq!(recent.last().unwrap().sequence, most + 5);
    assert_eq!(telemetry.counters().events, most + 5);
}

#[test]
fn everything_is_counted_where_it_belongs() {
    let (telemetry, _) = telemetry();
    for (event, _, _) in all_kinds() {
        telemetry.record(event);
    }
    telemetry.record(Event::WorkerEnded {
        worker: 1,
        why: WorkerEnd::Idle,
    });
    for (reason, outcome) in [
        (Refusal::Busy, FactorOutcome::Passed),
        (Refusal::OtherOwner, FactorOutcome::Enrolled),
    ] {
        telemetry.record(Event::Refused {
            app: None,
            uid: None,
            scope: None,
            door: Door::Unix,
            reason,
        });
        telemetry.record(Event::SecondFactor { uid: 7, outcome });
    }
    telemetry.record(Event::RequestEnded {
        request: 4,
        app: app(),
        uid: 1000,
        scope: Scope::Command,
        door: Door::Unix,
        trace: None,
        status: 503,
        milliseconds: 1,
        sound_milliseconds: 7,
    });
    telemetry.record(Event::SelfTest(SelfTest {
        clips: 1,
        passed: false,
    }));
    for (from, to) in [
        (GateState::Unsealed, GateState::Attested),
        (GateState::Attested, GateState::Grace),
        (GateState::Grace, GateState::Attested),
    ] {
        let reason = GateReason::ProvenToFleet;
        telemetry.record(Event::Gate { from, to, reason });
    }
    let expected = Counters {
        events: 49,
        requests_begun: 1,
        requests_ended: 2,
        requests_failed: 1,
        refused: 4,
        sound_milliseconds: 5_007,
        workers_started: 1,
        workers_ended: 2,
        workers_failed: 1,
        gate_opened: 1,
        gate_closed: 1,
        self_tests_passed: 1,
        self_tests_failed: 1,
        tokens_issued: 1,
        refused_identity: 1,
        refused_scope: 1,
        refused_limit: 1,
        second_factors_passed: 1,
        second_factors_refused: 1,
        operator_actions: 1,
        microphone_opened: 1,
        microphone_lost: 1,
        microphone_muted: 1,
        keys_rotated: 1,
        alerts: 1,
        quarantines: 1,
        audit_lost: 3,
        audit_unavailable: 1,
        audit_damaged: 1,
    };
    assert_eq!(telemetry.counters(), expected);
    let json = serde_json::to_string(&expected).unwrap();
    assert_eq!(serde_json::from_str::<Counters>(&json).unwrap(), expected);
}

#[test]
fn counters_stop_at_their_end() {
    let (telemetry, _) = telemetry();
    for _ in 0..2 {
        telemetry.record(Event::RequestEnded {
            request: u64::MAX,
            app: app(),
            uid: u32::MAX,
            scope: Scope::Vad,
            door: Door::Unix,
            trace: None,
            status: u16::MAX,
            milliseconds: u64::MAX,
            sound_milliseconds: u64::MAX,
        });
    }
    assert_eq!(telemetry.counters().sound_milliseconds, u64::MAX);
}

/// Keeps the level of what it is told.
struct Levels(Arc<Mutex<Vec<tracing::Level>>>);

impl tracing::Subscriber for Levels {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "earnest::events"
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        let mut levels = self.0.lock().expect("nobody panicked");
        levels.push(*event.metadata().level());
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[test]
fn the_log_warns_of_what_an_operator_should_see() {
    let levels = Arc::default();
    tracing::subscriber::with_default(Levels(Arc::clone(&levels)), || {
        let (telemetry, _) = telemetry();
        for (event, _, _) in all_kinds() {
            telemetry.record(event);
        }
    });
    let levels = levels.lock().unwrap();
    let warned: Vec<String> = all_kinds()
        .iter()
        .zip(levels.iter())
        .filter(|(_, level)| **level == tracing::Level::WARN)
        .map(|((event, _, _), _)| event.to_string())
        .collect();
    assert_eq!(levels.len(), all_kinds().len());
    assert_eq!(
        warned,
        [
            "gate: attested -> closed, measurement_changed",
            "worker 2 ended: crashed",
            "alert 4: quarantine for slow_drain (notes)",
            "configuration refused",
            "audit log: 3 events lost",
            "audit log: segment 5 is damaged",
            "audit log: cannot be written",
        ]
    );
}

/// Whether these words are written the same in JSON and in text, and no two of them alike.
fn check_words<W: serde::Serialize + std::fmt::Display>(words: &[W]) {
    let mut names: Vec<String> = words.iter().map(ToString::to_string).collect();
    assert_eq!(json!(words), json!(names));
    names.sort();
    names.dedup();
    assert_eq!(names.len(), words.len());
}

#[test]
fn each_word_has_one_name() {
    check_words(GateState::ALL);
    check_words(GateReason::ALL);
    check_words(WorkerEnd::ALL);
    check_words(Refusal::ALL);
    check_words(Scope::ALL);
    check_words(Door::ALL);
    check_words(FactorOutcome::ALL);
    check_words(Action::ALL);
    check_words(SessionPart::ALL);
    check_words(KeyKind::ALL);
    check_words(AlertKind::ALL);
    check_words(AlertLevel::ALL);
    assert_eq!(Scope::named("vad"), Some(Scope::Vad));
    assert_eq!(Scope::named("everything"), None);
}

proptest! {
    #[test]
    fn no_strangers_words_reach_an_event(name in "\\PC{0,80}") {
        let event = Event::TokenIssued { app: App::new(&name) };
        let plain = |c: char| c.is_ascii_graphic() || c == ' ';
        prop_assert!(event.to_string().chars().all(plain));
        prop_assert!(event.to_string().len() <= MAX_APP_BYTES + 20);
        let json = serde_json::to_string(&event).unwrap();
        prop_assert!(!json.contains('\\'));
    }
}
