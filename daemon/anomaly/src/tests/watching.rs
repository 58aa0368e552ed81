//! Levels, standings, and the bounds on what is kept.

use std::time::Duration;

use earnest_telemetry::{AlertKind, AlertLevel, App, Refusal};

use super::*;
use crate::{MAX_ENDED_ALERTS, MAX_SUBJECTS, ReleaseError, Standing};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

#[test]
fn what_is_done_rises_from_an_alert_to_a_throttle_to_a_quarantine() {
    let watch = watch();
    let attacker = app("attacker");
    let mut levels = Vec::new();
    for second in 0..60 {
        let probe = refusal(Refusal::InsufficientScope);
        if let Some(alert) = watch.observe(&attacker, &probe, at(second), NINE) {
            assert_eq!(alert.kind, AlertKind::Probing);
            assert_eq!(alert.id, 1);
            levels.push(alert.level);
        }
    }
    assert_eq!(levels, AlertLevel::ALL);
    assert_eq!(
        watch.standing(&attacker, at(61)),
        Standing::Quarantined { until: None }
    );
    assert_eq!(watch.alerts().len(), 1);
    // An application waits for an operator, however long.
    assert!(watch.tick(at(61) + 1_000 * HOUR).is_empty());
    assert!(matches!(
        watch.standing(&attacker, at(61) + 1_000 * HOUR),
        Standing::Quarantined { until: None }
    ));
}

#[test]
fn an_operator_releases_whom_an_alert_shut_out() {
    let watch = watch();
    let attacker = app("attacker");
    let now = shut_out(&watch, &attacker, at(0));
    let alert = watch.alerts()[0].clone();
    assert_eq!(watch.release(9, now), Err(ReleaseError::NoSuchAlert(9)));
    let ended = watch.release(alert.id, now).expect("it is open");
    assert!(ended.ended_milliseconds.is_some());
    assert_eq!(watch.standing(&attacker, now), Standing::Normal);
    // The evidence is gone with it, and one more mistake is only that.
    let probe = refusal(Refusal::InsufficientScope);
    assert_eq!(watch.observe(&attacker, &probe, now, NINE), None);
    assert_eq!(
        watch.release(alert.id, now),
        Err(ReleaseError::NoSuchAlert(alert.id))
    );
    // Going on as before is answered as before.
    let now = shut_out(&watch, &attacker, now);
    assert_eq!(watch.alerts()[0].id, alert.id + 1);
    assert_eq!(watch.alerts()[0].level, AlertLevel::Quarantine);
    assert_ne!(watch.standing(&attacker, now), Standing::Normal);
}

#[test]
fn a_users_quarantine_ends_by_itself_and_the_next_is_twice_as_long() {
    let watch = watch();
    let guesser = Subject::Uid(1001);
    let mut now = at(0);
    let mut lengths = Vec::new();
    for _ in 0..3 {
        now = shut_out(&watch, &guesser, now);
        let Standing::Quarantined { until: Some(until) } = watch.standing(&guesser, now) else {
            panic!("not shut out");
        };
        lengths.push((until - now).as_secs_f64() / 3_600.0);
        assert_ne!(
            watch.standing(&guesser, until - Duration::from_secs(1)),
            Standing::Normal
        );
        assert_eq!(watch.standing(&guesser, until), Standing::Normal);
        now = until;
    }
    for (length, hours) in lengths.iter().zip([1.0, 2.0, 4.0]) {
        assert!((length - hours).abs() < 0.05, "{lengths:?}");
    }
}

#[test]
fn strangers_without_a_name_are_slowed_and_never_shut_out_together() {
    let watch = watch();
    let now = shut_out(&watch, &Subject::Unknown, at(0));
    let Standing::Throttled { factor } = watch.standing(&Subject::Unknown, now) else {
        panic!("{:?}", watch.standing(&Subject::Unknown, now));
    };
    assert!((0.1..=0.5).contains(&factor));
}

#[test]
fn a_throttle_falls_by_itself_after_quiet() {
    let watch = watch();
    let guesser = Subject::Uid(1001);
    let guess = refusal(Refusal::BadToken);
    let mut now = at(0);
    while watch.standing(&guesser, now) == Standing::Normal {
        watch.observe(&guesser, &guess, now, NINE);
        now += Duration::from_secs(1);
    }
    assert!(matches!(
        watch.standing(&guesser, now),
        Standing::Throttled { .. }
    ));
    let mut ended = Vec::new();
    let begun = now;
    while ended.is_empty() && now < begun + 48 * HOUR {
        now += MINUTE;
        ended = watch.tick(now);
    }
    assert_eq!(ended.len(), 1);
    assert_eq!(watch.standing(&guesser, now), Standing::Normal);
    // Not at once: the day still held the evidence.
    assert!(now - begun > HOUR / 2);
    assert_eq!(
        watch.alerts()[0].ended_milliseconds,
        ended[0].ended_milliseconds
    );
}

#[test]
fn what_the_device_is_the_reason_of_is_nobodys_fault() {
    let watch = watch();
    let honest = app("honest");
    for second in 0..5_000 {
        for reason in [
            Refusal::GateClosed,
            Refusal::AuditUnavailable,
            Refusal::Busy,
            Refusal::Stopping,
            Refusal::Quarantined,
        ] {
            assert_eq!(
                watch.observe(&honest, &refusal(reason), at(second), NINE),
                None
            );
        }
    }
    assert_eq!(watch.standing(&honest, at(5_000)), Standing::Normal);
}

#[test]
fn who_is_throttled_is_not_blamed_for_what_the_throttle_refuses() {
    let watch = watch();
    let busy = app("busy");
    let mut now = at(0);
    let mut number = 0;
    while watch.standing(&busy, now) == Standing::Normal {
        number += 1;
        watch.observe(&busy, &replay(), now, NINE);
        now += Duration::from_secs(2);
    }
    let before = watch.alerts()[0].clone();
    for _ in 0..10_000 {
        watch.observe(&busy, &refusal(Refusal::RateLimited), now, NINE);
    }
    assert!(number < 2_000);
    assert_eq!(watch.alerts()[0], before);
}

#[test]
fn evidence_and_events_hold_the_numbers_of_the_window() {
    let watch = watch();
    let flooder = app("flooder");
    let alert = (0..2_000)
        .find_map(|second| watch.observe(&flooder, &replay(), at(second), NINE))
        .expect("a flood is noticed");
    assert_eq!(alert.kind, AlertKind::Repeats);
    assert_eq!(alert.evidence.repeats + 1, alert.evidence.requests);
    assert_eq!(alert.requests, u64::from(alert.evidence.requests));
    assert!(alert.evidence.surprises.repeats >= 12.0);
    let event = earnest_telemetry::Alert::from(&alert);
    assert_eq!(event.app, Some(App::new("flooder")));
    assert_eq!((event.alert, event.uid), (alert.id, None));
}

#[test]
fn newcomers_make_way_for_newcomers_and_never_for_who_is_shut_out() {
    let watch = watch();
    let culprit = app("culprit");
    let mut now = shut_out(&watch, &culprit, at(0));
    // Somebody who has been known for ten days.
    let known = app("known");
    for day in 0..10 {
        now = at(1_000 + day * 86_400);
        watch.observe(&known, &speech(day), now, NINE + (day % 7) as u8 * 24);
    }
    for number in 0..3 * MAX_SUBJECTS as u64 {
        now += Duration::from_secs(1);
        let name = app(&format!("name-{number}"));
        watch.observe(&name, &speech(number), now, NINE);
    }
    let saved = watch.export(now);
    assert_eq!(saved.len(), MAX_SUBJECTS - 1);
    let text = String::from_utf8(saved.encode()).expect("JSON is UTF-8");
    assert!(text.contains("\"known\"") && text.contains("\"culprit\""));
    assert!(!text.contains("\"name-0\""));
    assert_ne!(watch.standing(&culprit, now), Standing::Normal);
}

#[test]
fn where_everybody_is_shut_out_a_newcomer_is_watched_with_the_unknown() {
    let watch = watch();
    for number in 0..MAX_SUBJECTS {
        shut_out(&watch, &app(&format!("name-{number}")), at(0));
    }
    let last = app("one-more");
    let now = shut_out(&watch, &last, at(200));
    assert_eq!(watch.standing(&last, now), Standing::Normal);
    assert!(matches!(
        watch.standing(&Subject::Unknown, now),
        Standing::Throttled { .. }
    ));
    assert!(watch.export(now).len() <= MAX_SUBJECTS);
    // Operators see all of them, and the list of the released stays short.
    let open = watch.alerts();
    assert_eq!(open.len(), MAX_SUBJECTS);
    for alert in open {
        watch.release(alert.id, now).expect("it is open");
    }
    assert_eq!(watch.alerts().len(), MAX_ENDED_ALERTS);
}

#[test]
fn a_forgotten_subject_has_no_past_and_no_open_alert() {
    let watch = watch();
    let gone = app("gone");
    let now = shut_out(&watch, &gone, at(0));
    watch.forget(&gone, now);
    assert_eq!(watch.standing(&gone, now), Standing::Normal);
    assert!(watch.alerts()[0].ended_milliseconds.is_some());
    watch.forget_all();
    assert!(watch.alerts().is_empty() && watch.export(now).is_empty());
}

#[test]
fn a_clock_that_jumps_changes_no_standing_for_the_better() {
    let watch = watch();
    let guesser = Subject::Uid(1001);
    let now = shut_out(&watch, &guesser, at(1_000_000));
    for wrong in [Duration::ZERO, at(5), now] {
        assert_ne!(watch.standing(&guesser, wrong), Standing::Normal);
        watch.observe(&guesser, &refusal(Refusal::BadToken), wrong, 255);
    }
    assert_ne!(watch.standing(&guesser, now), Standing::Normal);
}
