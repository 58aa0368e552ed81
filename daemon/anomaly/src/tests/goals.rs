//! Honest months raise next to no alarm, and every attack raises one.

use crate::Options;
use crate::simulation::{APPS, Attack, History, attack, month};

#[test]
fn a_month_of_honest_use_has_at_most_one_false_alarm() {
    for seed in [11, 12, 13] {
        let month = month(seed, Options::default());
        assert!(month.observations > 10_000, "{month:?}");
        assert!(month.alarms.len() <= 1, "seed {seed}: {:?}", month.alarms);
    }
}

#[test]
fn a_month_that_is_watched_more_sharply_does_raise_alarms() {
    let thresholds = crate::Thresholds::new(4.0, 20.0, 32.0).expect("they rise");
    let options = Options {
        thresholds,
        ..Options::default()
    };
    let month = month(11, options);
    assert!(!month.alarms.is_empty());
    for alarm in &month.alarms {
        assert!(APPS.contains(&alarm.subject.to_string().as_str()));
    }
}

#[test]
fn every_attack_is_told_and_slowed_in_each_variant() {
    for kind in Attack::ALL {
        for history in [History::Fresh, History::Known] {
            let found = attack(kind, history, 21, Options::default());
            let alert = found
                .alert
                .unwrap_or_else(|| panic!("{kind}, {history:?}: not noticed"));
            assert!(
                kind.kinds().contains(&alert.kind),
                "{kind}, {history:?}: told as {}",
                alert.kind
            );
            assert!(found.throttle.is_some(), "{kind}, {history:?}: not slowed");
            // A day of the most patient, minutes of the others.
            assert!(alert.hours < 24.5, "{kind}, {history:?}: {alert:?}");
            assert!(alert.requests < 1_500, "{kind}, {history:?}: {alert:?}");
        }
    }
}

#[test]
fn guessing_and_probing_are_shut_out_within_thirty_tries() {
    for kind in [Attack::Guessing, Attack::Probing] {
        let found = attack(kind, History::Fresh, 3, Options::default());
        let end = found.quarantine.expect("it is shut out");
        assert!(end.requests <= 30, "{kind}: {end:?}");
    }
}
