//! The page of devices in good and in bad condition.

use std::time::Duration;

use earnest_gate::{ModeName, Standing, Status};
use earnest_telemetry::{AlertKind, AlertLevel, GateReason, GateState, Refusal, Scope};
use proptest::prelude::*;

use super::verdict::{Verdict, verdict};
use super::*;
use crate::shapes::{ListenerEntry, StateLine};

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

fn listener(app: &str, what: &str, for_seconds: u64) -> ListenerEntry {
    ListenerEntry {
        app: app.to_owned(),
        uid: Some(1000),
        for_seconds,
        what: what.to_owned(),
    }
}

fn microphone(state: &str, listeners: Vec<ListenerEntry>) -> MicrophoneReport {
    let is_open = state == "open";
    MicrophoneReport {
        enabled: true,
        state: StateLine {
            state: state.to_owned(),
            device: is_open.then(|| "USB Desk Mic".to_owned()),
            rate: is_open.then_some(48_000),
            ..StateLine::default()
        },
        listeners,
        ..MicrophoneReport::default()
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
        sandbox: Some("full: Landlock ABI 7, system calls filtered".to_owned()),
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
        microphone: Some(microphone("off", Vec::new())),
        events: vec![
            event(
                2,
                "request 2231 ended (notes): 200 after 812 ms, 6400 ms of sound",
            ),
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
            alert(
                12,
                "uid-1001",
                AlertKind::Guessing,
                AlertLevel::Throttle,
                4,
                38,
            ),
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
            app(
                "transcript-batch",
                &[Scope::Transcribe],
                Some(MINUTE),
                Some(1.0),
            ),
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
        microphone: Some(MicrophoneReport {
            overruns: 2,
            ..microphone(
                "open",
                vec![
                    listener("captions", "text", 4_320),
                    listener("door-bell", "commands", 61),
                ],
            )
        }),
        events: vec![
            event(1, "refused: quarantined (transcript-batch)"),
            event(4, "refused: bad_token"),
            event(
                240,
                "alert 12: guessing, throttle (uid 1001) after 38 requests",
            ),
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
        microphone: Some(MicrophoneReport {
            muted: true,
            losses: 1,
            ..microphone("off", Vec::new())
        }),
        ..state
    }
}

/// Holds a page to the one that was looked at.
fn check(state: &PageState, golden: &str, name: &str) {
    let found = render(state);
    if found != golden {
        let place = std::env::temp_dir().join(name);
        std::fs::write(&place, &found).expect("a place for what differs");
        panic!(
            "{name} is another page than it was: see {}",
            place.display()
        );
    }
}

#[test]
fn pages_are_those_that_were_looked_at() {
    check(&good(), include_str!("golden/good.html"), "good.html");
    let attacked = attacked();
    check(
        &attacked,
        include_str!("golden/attacked.html"),
        "attacked.html",
    );
    check(&closed(), include_str!("golden/closed.html"), "closed.html");
}

#[test]
fn risk_comes_first() {
    let page = render(&attacked());
    let places: Vec<usize> = [
        "class=\"verdict attention\"",
        "<h2>Alerts",
        "Quarantined",
        "Throttled",
        "Watched",
        "<h2>Refused",
        "<h2>Gate",
        "<h2>Load",
        "<h2>Applications",
        "<h2>Last events",
    ]
    .iter()
    .map(|part| {
        page.find(part)
            .unwrap_or_else(|| panic!("{part} is missing"))
    })
    .collect();
    assert!(places.is_sorted(), "{places:?}");
}

/// Holds a verdict and the words of its first reason.
fn judged(state: &PageState, expected: Verdict, reason: &str) {
    let (word, reasons) = verdict(state);
    assert_eq!(word, expected, "{reasons:?}");
    let first = reasons.first().map_or("", String::as_str);
    assert!(first.contains(reason), "{first:?} does not tell {reason:?}");
}

#[test]
fn the_verdict_is_open_only_where_nothing_is_amiss() {
    type Change = fn(&mut PageState);
    judged(&good(), Verdict::Open, "");
    judged(&closed(), Verdict::Closed, "measurement changed");
    judged(
        &attacked(),
        Verdict::Attention,
        "1 quarantined, 1 throttled, 1 watched",
    );
    let amiss: [(Change, Verdict, &str); 11] = [
        (
            |state| state.software_tpm = true,
            Verdict::Attention,
            "software TPM",
        ),
        (
            |state| state.audit.writable = false,
            Verdict::Closed,
            "audit log cannot be written",
        ),
        (
            |state| state.audit.lost = 1,
            Verdict::Attention,
            "misses 1 event",
        ),
        (
            |state| state.gate.state = GateState::Grace,
            Verdict::Attention,
            "in grace",
        ),
        (
            |state| state.gate.standing = Some(Standing::Warning),
            Verdict::Attention,
            "with a warning",
        ),
        (
            |state| state.sandbox = Some("partial".to_owned()),
            Verdict::Attention,
            "partial",
        ),
        (
            |state| state.load.as_mut().expect("it is open").failures = 2,
            Verdict::Attention,
            "2 workers did not start",
        ),
        (
            |state| state.self_test.as_mut().expect("there was one").passed = false,
            Verdict::Attention,
            "self-test failed",
        ),
        (
            |state| state.hour.refusals = vec![(Refusal::BadToken, 20)],
            Verdict::Attention,
            "20 attempts",
        ),
        (
            |state| state.trouble = Some("the clock stands".to_owned()),
            Verdict::Attention,
            "The clock stands.",
        ),
        (
            |state| {
                state.gate.open = false;
                state.gate.state = GateState::Unsealed;
                state.gate.reason = GateReason::ModelUnsealed;
            },
            Verdict::Closed,
            "not open yet: unsealed, model unsealed",
        ),
    ];
    for (change, expected, reason) in amiss {
        let mut state = good();
        change(&mut state);
        judged(&state, expected, reason);
        let page = render(&state);
        assert!(page.contains(expected.words()), "{reason}");
    }
    // Honest people mistype.
    let mut state = good();
    state.hour.refusals = vec![(Refusal::BadToken, 19), (Refusal::RateLimited, 900)];
    judged(&state, Verdict::Open, "");
}

#[test]
fn the_mode_and_a_software_tpm_are_told_wherever_the_proof_is() {
    let page = render(&attacked());
    assert_eq!(page.matches("software TPM").count(), 2);
    assert_eq!(page.matches("local").count(), 3, "verdict, state and mode");
    let page = render(&good());
    assert!(page.contains("(fleet)") && page.contains("<dd>fleet: "));
}

#[test]
fn however_much_there_is_the_page_stays_short() {
    let mut state = attacked();
    let (one_alert, one_app) = (state.alerts.remove(0), state.apps.remove(0));
    state.alerts = vec![one_alert; MOST_ALERTS + 480];
    state.apps = vec![one_app; MOST_APPS + 1];
    state.events = vec![event(1, "started"); 256];
    let page = render(&state);
    assert_eq!(page.matches("earnest alerts release").count(), MOST_ALERTS);
    assert!(
        page.contains("And 480 alerts more."),
        "what is left out is counted"
    );
    assert!(page.contains("And 1 application more."));
    assert_eq!(page.matches(">started<").count(), MOST_EVENTS);
    assert!(page.len() < 64 << 10, "{} bytes", page.len());
}

#[test]
fn the_page_runs_nothing_and_loads_its_style_alone() {
    for state in [good(), attacked(), closed()] {
        let page = render(&state);
        for never in [
            "<script",
            "style=",
            " on",
            "javascript:",
            "<form",
            "<img",
            "<iframe",
            "url(",
        ] {
            let found = page.split('<').find(|tag| {
                let tag = tag.split('>').next().unwrap_or_default();
                format!("<{tag}").contains(never)
            });
            assert_eq!(found, None, "{never}");
        }
        assert_eq!(page.matches("href=").count(), 1);
        assert!(page.contains("href=\"/status.css\""));
    }
    for never in ["url(", "@import", "@font-face", "//"] {
        assert!(!STYLE.contains(never), "{never}");
    }
    for directive in [
        "default-src 'none'",
        "style-src 'self'",
        "frame-ancestors 'none'",
    ] {
        assert!(PAGE_POLICY.contains(directive));
    }
}

#[test]
fn every_text_can_be_read_on_its_ground_by_day_and_by_night() {
    let grounds = [
        ("text", "ground"),
        ("quiet", "ground"),
        ("text", "card"),
        ("quiet", "card"),
        ("good", "card"),
        ("warn", "card"),
        ("bad", "card"),
        ("note", "card"),
        ("good", "good-ground"),
        ("warn", "warn-ground"),
        ("bad", "bad-ground"),
        ("note", "note-ground"),
        ("text", "good-ground"),
        ("text", "warn-ground"),
        ("text", "bad-ground"),
    ];
    crate::contrast::check(STYLE, 14, &grounds);
}

/// The attacked device, with these words wherever others choose them.
fn with_words(words: &str) -> PageState {
    let mut state = attacked();
    let word = || words.to_owned();
    state.device = Some(word());
    state.version = word();
    state.model = word();
    state.trouble = Some(word());
    state.sandbox = Some(word());
    state.gate.package = Some(word());
    state
        .alerts
        .iter_mut()
        .for_each(|alert| alert.subject = word());
    state.apps.iter_mut().for_each(|app| app.name = word());
    if let Some(microphone) = &mut state.microphone {
        microphone.state.device = Some(word());
        microphone.state.why = Some(word());
        microphone.state.for_seconds = Some(1);
        microphone
            .listeners
            .iter_mut()
            .for_each(|one| one.app = word());
    }
    state
        .events
        .iter_mut()
        .for_each(|event| event.text = word());
    state
}

proptest! {
    #[test]
    fn nobodys_words_become_a_part_of_the_page(words in any::<String>()) {
        let plain = render(&with_words("plain"));
        let page = render(&with_words(&words));
        for mark in ['<', '>', '"'] {
            prop_assert_eq!(page.matches(mark).count(), plain.matches(mark).count());
        }
        let moves = page.chars().any(|one| one != '\n' && one.is_control());
        prop_assert!(!moves, "a character that moves a cursor");
    }

    #[test]
    fn no_number_breaks_the_page(
        numbers in proptest::array::uniform6(any::<u64>()),
        share in any::<f64>(),
        minutes in proptest::collection::vec(any::<u32>(), 0..70),
    ) {
        let mut state = attacked();
        let [uptime, wall, left, working, refused, ago] = numbers;
        state.uptime = Duration::from_secs(uptime);
        state.wall = Duration::from_secs(wall);
        state.gate.seconds_left = Some(left);
        state.hour.requests = minutes;
        state.hour.refusals = vec![(Refusal::Busy, refused / 2)];
        let working = usize::try_from(working).unwrap_or(usize::MAX);
        state.load = Some(LoadState { working, ..LoadState::default() });
        for app in &mut state.apps {
            app.budget_used = Some(share);
            app.last_used = Some(Duration::from_secs(ago));
        }
        let page = render(&state);
        prop_assert!(!page.contains("NaN") && !page.contains("inf"));
        prop_assert!(page.ends_with("</html>\n"));
    }
}

#[test]
fn hostile_names_are_shown_as_they_are() {
    let page = render(&with_words("<img src=x onerror=alert(1)>\u{202e}"));
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;\u{fffd}"));
}
