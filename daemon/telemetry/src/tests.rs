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
        status: 200,
        milliseconds: 410,
        sound_milliseconds: 5_000,
    };
    let refused = Event::Refused {
        app: None,
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
            },
            json!({"event": "request_begun", "request": 3, "app": "notes"}),
            "request 3 begun (notes)",
        ),
        (
            ended,
            json!({"event": "request_ended", "request": 3, "app": "notes", "status": 200,
                   "milliseconds": 410, "sound_milliseconds": 5_000}),
            "request 3 ended (notes): 200 after 410 ms, 5000 ms of sound",
        ),
        (
            refused,
            json!({"event": "refused", "app": null, "reason": "foreign_origin"}),
            "refused: foreign_origin",
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

#[test]
fn each_kind_of_event_is_written_in_its_own_words() {
    for (event, expected, line) in kinds() {
        assert_eq!(serde_json::to_value(&event).unwrap(), expected);
        assert_eq!(event.to_string(), line);
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
    for (event, _, _) in kinds() {
        telemetry.record(event);
    }
    telemetry.record(Event::WorkerEnded {
        worker: 1,
        why: WorkerEnd::Idle,
    });
    telemetry.record(Event::RequestEnded {
        request: 4,
        app: app(),
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
        events: 19,
        requests_begun: 1,
        requests_ended: 2,
        requests_failed: 1,
        refused: 1,
        sound_milliseconds: 5_007,
        workers_started: 1,
        workers_ended: 2,
        workers_failed: 1,
        gate_opened: 1,
        gate_closed: 1,
        self_tests_passed: 1,
        self_tests_failed: 1,
        tokens_issued: 1,
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
        for (event, _, _) in kinds() {
            telemetry.record(event);
        }
    });
    let levels = levels.lock().unwrap();
    let warned: Vec<String> = kinds()
        .iter()
        .zip(levels.iter())
        .filter(|(_, level)| **level == tracing::Level::WARN)
        .map(|((event, _, _), _)| event.to_string())
        .collect();
    assert_eq!(levels.len(), kinds().len());
    assert_eq!(
        warned,
        [
            "gate: attested -> closed, measurement_changed",
            "worker 2 ended: crashed"
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
