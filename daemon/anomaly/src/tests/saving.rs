//! What outlives the daemon, and what is refused where it was kept.

use std::time::Duration;

use earnest_telemetry::{AlertLevel, Refusal};

use serde_json::Value;

use super::*;
use crate::{Baselines, ImportError, MAX_SAVED_BYTES, MAX_SUBJECTS, Standing};

/// Ten days of one application, and one that is shut out.
fn lived() -> (Watch, Duration) {
    let watch = watch();
    let mut now = at(0);
    for day in 0..10u64 {
        for number in 0..30 {
            now = at(day * 86_400 + number * 600);
            let hour = (day % 7 * 24 + number / 6) as u8;
            let request = speech(day << 40 | 0xABCD_0000_0000_0000 | number);
            watch.observe(&app("notes"), &request, now, hour);
        }
    }
    shut_out(&watch, &Subject::Uid(1001), now);
    let now = shut_out(&watch, &app("culprit"), now);
    (watch, now)
}

fn text(baselines: &Baselines) -> String {
    String::from_utf8(baselines.encode()).expect("JSON is UTF-8")
}

/// The same but for the last digits of fractions.
fn alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| one.0 == other.0 && alike(one.1, other.1))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| alike(one, other))
        }
        (Value::Number(one), Value::Number(other)) => match (one.as_f64(), other.as_f64()) {
            (Some(one), Some(other)) => (one - other).abs() <= 1e-9 * one.abs(),
            _ => one == other,
        },
        _ => one == other,
    }
}

#[test]
fn what_was_learned_and_who_was_shut_out_outlive_the_daemon() {
    let (before, then) = lived();
    let saved = before.export(then);
    let read = Baselines::parse(&saved.encode()).expect("it was written a moment ago");
    let values = [&saved, &read].map(|one| {
        serde_json::from_slice::<Value>(&one.encode()).expect("it was written a moment ago")
    });
    assert!(alike(&values[0], &values[1]));
    // The machine started anew, and its clock with it.
    let after = watch();
    let now = Duration::from_secs(30);
    after.import(read, now, NINE).expect("it is sound");
    assert_eq!(
        after.standing(&app("culprit"), now),
        Standing::Quarantined { until: None }
    );
    let Standing::Quarantined { until: Some(until) } = after.standing(&Subject::Uid(1001), now)
    else {
        panic!("a user's quarantine ended with the daemon");
    };
    assert!(until > now && until <= now + Duration::from_secs(3_600));
    assert_eq!(after.alerts().len(), 2);
    for alert in after.alerts() {
        after.release(alert.id, now).expect("it is open");
    }
    let again = text(&after.export(now));
    assert!(again.contains("\"notes\"") && again.contains("\"days\":9"));
}

#[test]
fn no_payload_and_no_shape_is_saved() {
    let watch = watch();
    for number in 0..50 {
        let request = Observation::Request(Request {
            sound_milliseconds: 4_000,
            speech_milliseconds: 3_000,
            payload: Some(0xABCD_EF01_2345_6789),
            shape: Some(0x1357_9BDF_0246_8ACE),
            ..Request::default()
        });
        watch.observe(&app("notes"), &request, at(number * 60), NINE);
    }
    let saved = text(&watch.export(at(4_000)));
    for secret in [0xABCD_EF01_2345_6789_u64, 0x1357_9BDF_0246_8ACE] {
        assert!(!saved.contains(&secret.to_string()));
        assert!(!saved.contains(&format!("{secret:x}")));
    }
    assert!(!saved.contains("payload") && !saved.contains("shape"));
}

#[test]
fn a_number_that_was_given_twice_becomes_another() {
    let (before, then) = lived();
    let after = watch();
    // Before the state was readable somebody else was shut out.
    let now = shut_out(&after, &app("other"), at(0));
    after.import(before.export(then), now, NINE).expect("sound");
    let mut ids: Vec<u64> = after.alerts().iter().map(|alert| alert.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    let subjects = [app("other"), app("culprit"), Subject::Uid(1001)];
    for subject in &subjects {
        assert_ne!(after.standing(subject, now), Standing::Normal);
    }
}

#[test]
fn who_was_seen_before_the_state_was_readable_is_still_shut_out() {
    let (before, then) = lived();
    let after = watch();
    let culprit = app("culprit");
    after.observe(&culprit, &refusal(Refusal::GateClosed), at(0), NINE);
    after.observe(&culprit, &speech(1), at(0), NINE);
    after
        .import(before.export(then), at(1), NINE)
        .expect("sound");
    assert_ne!(after.standing(&culprit, at(1)), Standing::Normal);
    assert!(
        after
            .alerts()
            .iter()
            .any(|alert| alert.subject == culprit && alert.level == AlertLevel::Quarantine)
    );
}

#[test]
fn what_nobody_wrote_is_refused() {
    let (watch, now) = lived();
    let good = text(&watch.export(now));
    assert!(Baselines::parse(good.as_bytes()).is_ok());
    let changes = [
        ("\"format\":1", "\"format\":2"),
        ("\"format\":1", "\"format\":1,\"more\":0"),
        ("\"days\":", "\"day\":"),
        ("\"days\":", "\"days\":-"),
        ("\"days\":", "\"days\":9999"),
        ("\"mean\":", "\"mean\":1e3,\"was\":"),
        ("\"with\":", "\"with\":-"),
        ("\"weekday\":", "\"weekday\":7"),
        ("\"week\":[", "\"week\":[0.0,"),
        ("\"variance\":", "\"variance\":9"),
        ("\"app\":\"culprit\"", "\"app\":\"notes\""),
        ("\"trust\":", "\"trust\":1"),
        ("\"trust\":", "\"trust\":7"),
        ("\"last_alert\":2", "\"last_alert\":18446744073709551615"),
    ];
    for (from, to) in changes {
        assert!(good.contains(from), "{from}");
        let bad = good.replacen(from, to, 1);
        assert!(Baselines::parse(bad.as_bytes()).is_err(), "{from} as {to}");
    }
}

#[test]
fn too_much_is_refused_before_it_is_read() {
    let long = vec![b' '; MAX_SAVED_BYTES + 1];
    let found = Baselines::parse(&long);
    assert!(matches!(found, Err(ImportError::TooLong(_))));
    // All places taken fit, with every number at its longest.
    let watch = watch();
    for number in 0..2 * MAX_SUBJECTS as u64 {
        let name = app(&format!("{number:064}"));
        for request in 0..3 {
            let second = number * 9_000 + request * 3_000;
            let hour = (second / 3_600 % 168) as u8;
            watch.observe(&name, &speech(request), at(second), hour);
        }
    }
    let saved = watch.export(at(0)).encode();
    assert!(Baselines::parse(&saved).is_ok());
}
