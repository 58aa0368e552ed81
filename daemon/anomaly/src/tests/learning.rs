//! What is learned, how fast, and what is never learned.

use std::time::Duration;

use super::*;
use crate::baseline::{Baseline, priors};
use crate::estimate::{Level, Share};
use crate::{Alert, Standing};

const DAY: u64 = 86_400;

/// A day of requests spread over the hours from nine to five; the alert it raised.
fn workday(watch: &Watch, who: &Subject, day: u64, requests: u64) -> Option<Alert> {
    let mut raised = None;
    for number in 0..requests {
        let second = 9 * 3_600 + number * 8 * 3_600 / requests;
        let hour = (day % 7 * 24 + second / 3_600) as u8;
        let request = speech(day << 32 | number);
        raised = raised.or(watch.observe(who, &request, at(day * DAY + second), hour));
    }
    raised
}

#[test]
fn what_is_usual_for_one_alerts_for_another() {
    let watch = watch();
    let (busy, calm) = (app("busy"), app("calm"));
    for day in 0..28 {
        assert_eq!(workday(&watch, &busy, day, 700), None, "day {day}");
        assert_eq!(workday(&watch, &calm, day, 40), None, "day {day}");
    }
    assert_eq!(workday(&watch, &busy, 28, 900), None);
    let alert = workday(&watch, &calm, 28, 4_000).expect("a hundred times as many");
    assert_eq!(alert.subject, calm);
}

#[test]
fn what_alerts_is_not_learned() {
    let watch = watch();
    let flooder = app("flooder");
    for second in 0..3 * DAY {
        if second % 6 == 0 {
            let hour = (second / 3_600 % 168) as u8;
            watch.observe(&flooder, &replay(), at(second), hour);
        }
    }
    let released = watch.alerts()[0].id;
    watch.release(released, at(3 * DAY)).expect("it is open");
    // Days of the flood taught nothing: it is noticed again as fast as by a stranger.
    let until_noticed = |who: &Subject| {
        (0..5_000)
            .find(|second| {
                let now = at(3 * DAY + second * 6);
                watch.observe(who, &replay(), now, 80).is_some()
            })
            .expect("it is noticed")
    };
    let again = until_noticed(&flooder);
    let anew = until_noticed(&app("stranger"));
    assert!(again <= anew + 20, "{again} against {anew}");
}

#[test]
fn an_operator_may_have_it_learned() {
    let watch = watch();
    let tests = app("tests");
    // An hour of the same file, 24 times a minute.
    let hour = |day: u64| {
        (0..1_440).find_map(|number| {
            let now = at(day * DAY + number * 5 / 2);
            let moment = (day % 7 * 24 + 9) as u8;
            watch.observe(&tests, &replay(), now, moment)
        })
    };
    let alert = hour(0).expect("it is unusual");
    watch.accept(alert.id, at(4_000)).expect("it is open");
    let before = alert.requests;
    let after = hour(2).map_or(u64::MAX, |alert| alert.requests);
    assert!(after >= before * 3, "{before} before, {after} after");
    // Not even an operator's word makes guessing usual.
    let now = shut_out(&watch, &tests, at(5 * DAY));
    watch.accept(watch.alerts()[0].id, now).expect("it is open");
    let now = shut_out(&watch, &tests, now);
    assert_ne!(watch.standing(&tests, now), Standing::Normal);
}

#[test]
fn slow_poisoning_alerts_before_it_is_worth_anything() {
    // Each day a twelfth more, as long as nobody says anything.
    let watch = watch();
    let poisoner = app("poisoner");
    let mut requests = 40.0;
    let mut day = 0;
    let alert = loop {
        if let Some(alert) = workday(&watch, &poisoner, day, requests as u64) {
            break alert;
        }
        assert!(requests < 20_000.0, "never noticed");
        requests *= 1.083;
        day += 1;
    };
    // A stranger's line is at 2,000 requests a day, and learning moves it by half at most.
    assert!(requests < 3_500.0, "{requests} a day: {alert:?}");
}

#[test]
fn a_mean_rises_by_its_cap_a_day_at_most() {
    let prior = &priors::RATES[2];
    let mut level = Level::new(prior);
    let start = level.mean;
    for day in 1..=60 {
        for _ in 0..50 {
            level.learn(prior, 100.0, 1.0);
        }
        let most = start + prior.rise * f64::from(day) + 1e-9;
        assert!(level.mean <= most, "day {day}: {}", level.mean);
        level.refill(prior, 1.0);
    }
    // Whatever it was fed, the line at which a day alerts is at most one and a half times the prior's.
    let alerts = |level: &Level| {
        (0..2_000)
            .map(f64::from)
            .map(|step| step / 100.0)
            .find(|value| level.surprise_above(prior, *value) >= 12.0)
            .expect("something alerts")
    };
    let (fed, fresh) = (alerts(&level), alerts(&Level::new(prior)));
    assert!(fed <= fresh + prior.slack + 0.02, "{fed} against {fresh}");
}

#[test]
fn a_share_moves_by_a_bounded_weight_a_day() {
    for prior in &priors::SHARES {
        let mut share = Share::new(prior);
        let start = share.expected(prior);
        for _ in 0..1_000 {
            share.learn(1_000, 1_000, 1.0);
        }
        let after = share.expected(prior);
        assert!(
            after - start <= 0.35 * (1.0 - start) + 1e-9,
            "{start} to {after}"
        );
        for _ in 0..1_000 {
            share.refill(1.0);
            share.learn(1_000, 1_000, 1.0);
        }
        // However long: a share of all is never usual.
        assert_eq!(share.expected(prior), prior.bounds.1);
    }
}

#[test]
fn the_night_is_surprising_for_an_office_that_was_known_for_weeks() {
    let mut baseline = Baseline::new(0);
    let tally = crate::windows::Tally {
        requests: 12,
        ..Default::default()
    };
    for day in 0..28u8 {
        for hour in 9..17 {
            let hour = day % 7 * 24 + hour;
            baseline.add_to_day(&tally, hour, 1.0);
            baseline.learn_hour(&tally, hour, 1.0);
        }
    }
    assert!(baseline.hour_surprise(11) < 0.1);
    assert!(baseline.hour_surprise(3) > 2.5);
    // One who was never seen is surprising at no hour.
    assert_eq!(Baseline::new(0).hour_surprise(3), 0.0);
}

#[test]
fn a_weekly_use_is_learned_as_days_of_its_own() {
    let watch = watch();
    let weekly = app("weekly");
    for week in 0..8 {
        assert_eq!(workday(&watch, &weekly, week * 7, 100), None);
    }
    let text = String::from_utf8(watch.export(at(60 * DAY)).encode()).expect("JSON is UTF-8");
    assert!(text.contains("\"days\":7"), "{text}");
}

#[test]
fn clocks_and_counts_at_their_ends_are_survived() {
    let watch = watch();
    let strange = app("strange");
    let request = Observation::Request(Request {
        milliseconds: u64::MAX,
        sound_milliseconds: u64::MAX,
        speech_milliseconds: u64::MAX,
        certainty_low: true,
        status: u16::MAX,
        payload: Some(u64::MAX),
        shape: Some(0),
        bytes_per_second: Some(0),
    });
    for now in [Duration::MAX, Duration::ZERO, Duration::MAX] {
        for _ in 0..50 {
            watch.observe(&strange, &request, now, u8::MAX);
        }
    }
    assert!(watch.alerts().iter().all(|alert| alert.score.is_finite()));
}
