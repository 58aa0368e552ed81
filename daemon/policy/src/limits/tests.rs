//! Limits, on simulated time.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

const USER: u32 = 1000;
const OTHER: u32 = 1001;
const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn app(name: &str) -> AppId {
    name.parse().unwrap()
}

fn amounts(per_minute: u32, burst: u32, minutes: u32, at_once: u32) -> AppLimits {
    let limits = AppLimits::default().with_per_minute(per_minute).unwrap();
    let limits = limits.with_burst(burst).unwrap();
    let limits = limits.with_daily_sound_minutes(minutes).unwrap();
    limits.with_at_once(at_once).unwrap()
}

/// Asks without keeping the place.
fn ask(limits: &Limits, name: &str, of_app: &AppLimits, now: Duration) -> Result<(), Limited> {
    limits.take(&app(name), USER, of_app, 1.0, now).map(drop)
}

/// How many of so many requests at one time are let in.
fn let_in(limits: &Limits, name: &str, of_app: &AppLimits, requests: u32, now: Duration) -> u32 {
    let asked = (0..requests).filter(|_| ask(limits, name, of_app, now).is_ok());
    u32::try_from(asked.count()).unwrap()
}

#[test]
fn a_burst_is_let_in_and_then_the_rate() {
    let limits = Limits::default();
    let of_app = amounts(60, 5, 600, 2);
    assert_eq!(let_in(&limits, "notes", &of_app, 50, at(100)), 5);
    let limited = ask(&limits, "notes", &of_app, at(100)).unwrap_err();
    let expected = Limited {
        by: LimitedBy::Rate,
        whose: Whose::App,
        retry_after: at(1),
    };
    assert_eq!(limited, expected);
    let after = at(100) + limited.retry_after;
    let before = after - Duration::from_millis(1);
    assert_eq!(let_in(&limits, "notes", &of_app, 9, before), 0);
    assert_eq!(let_in(&limits, "notes", &of_app, 9, after), 1);
    // An hour of rest is worth one burst, not an hour's requests.
    assert_eq!(let_in(&limits, "notes", &of_app, 99, at(HOUR)), 5);
}

#[test]
fn applications_have_buckets_of_their_own_and_users_twice_as_much() {
    let limits = Limits::default();
    let of_app = amounts(60, 5, 600, 2);
    assert_eq!(let_in(&limits, "one", &of_app, 50, at(1)), 5);
    assert_eq!(let_in(&limits, "two", &of_app, 50, at(1)), 5);
    assert_eq!(let_in(&limits, "three", &of_app, 50, at(1)), 0);
    let limited = ask(&limits, "three", &of_app, at(1)).unwrap_err();
    assert_eq!((limited.by, limited.whose), (LimitedBy::Rate, Whose::User));
    // Its own bucket is untouched by what the user's refused.
    assert_eq!(let_in(&limits, "three", &of_app, 50, at(4)), 5);
    let other = limits.take(&app("four"), OTHER, &of_app, 1.0, at(1));
    assert!(other.is_ok());
}

#[test]
fn what_an_application_is_refused_costs_its_user_nothing() {
    let limits = Limits::default();
    let of_app = amounts(60, 5, 600, 2);
    let_in(&limits, "greedy", &of_app, 10_000, at(1));
    assert_eq!(let_in(&limits, "polite", &of_app, 5, at(1)), 5);
}

#[test]
fn places_are_given_back() {
    let limits = Limits::default();
    let of_app = amounts(600, 100, 600, 2);
    let take = |name: &str| limits.take(&app(name), USER, &of_app, 1.0, at(1));
    let (first, second) = (take("one").unwrap(), take("one").unwrap());
    let limited = take("one").unwrap_err();
    assert_eq!((limited.by, limited.whose), (LimitedBy::AtOnce, Whose::App));
    assert!(!limited.retry_after.is_zero());
    // Another application of the user has places, and both together have no more than two have.
    let others = (take("two").unwrap(), take("two").unwrap());
    let limited = take("three").unwrap_err();
    assert_eq!(
        (limited.by, limited.whose),
        (LimitedBy::AtOnce, Whose::User)
    );
    drop(first);
    let third = take("one").unwrap();
    drop((second, third, others));
    let standings = limits.standings(at(1));
    assert!(standings.iter().all(|standing| standing.at_work == 0));
    assert_eq!(
        standings
            .iter()
            .map(|standing| standing.refused)
            .sum::<u64>(),
        2
    );
}

#[test]
fn a_place_is_given_back_by_whoever_panics() {
    let limits = Limits::default();
    let of_app = amounts(600, 100, 600, 1);
    let slot = limits
        .take(&app("notes"), USER, &of_app, 1.0, at(1))
        .unwrap();
    let failed = std::thread::spawn(move || {
        let _slot = slot;
        panic!("a request fails");
    });
    assert!(failed.join().is_err());
    assert!(ask(&limits, "notes", &of_app, at(1)).is_ok());
}

#[test]
fn a_budget_is_spent_and_comes_back_a_day_later() {
    let limits = Limits::default();
    let of_app = amounts(600, 100, 10, 2);
    let begin = 7 * DAY + 30 * 60;
    let slot = limits
        .take(&app("notes"), USER, &of_app, 1.0, at(begin))
        .unwrap();
    assert!(slot.heard(at(9 * 60), at(begin)));
    assert!(slot.heard(at(60), at(begin)));
    // A running stream is cut, and nothing new begins.
    assert!(!slot.heard(at(1), at(begin)));
    let limited = ask(&limits, "notes", &of_app, at(begin)).unwrap_err();
    assert_eq!((limited.by, limited.whose), (LimitedBy::Budget, Whose::App));
    assert!(limited.retry_after >= at(DAY) && limited.retry_after <= at(DAY + HOUR));
    let after = at(begin) + limited.retry_after;
    assert!(ask(&limits, "notes", &of_app, after - at(1)).is_err());
    assert!(ask(&limits, "notes", &of_app, after).is_ok());
}

#[test]
fn a_user_has_twice_the_budget_under_any_names() {
    let limits = Limits::default();
    let of_app = amounts(6000, 1000, 10, 2);
    let mut heard = 0;
    for name in 0..100 {
        let name = app(&format!("uid-1000.name-{name}"));
        let minute = || {
            let slot = limits.take(&name, USER, &of_app, 1.0, at(60)).ok()?;
            slot.heard(at(60), at(60)).then_some(1)
        };
        while let Some(minutes) = minute() {
            heard += minutes;
        }
    }
    assert_eq!(heard, 20);
}

#[test]
fn names_that_nobody_registered_are_bounded() {
    let limits = Limits::default();
    let of_app = amounts(6000, 1000, 600, 16);
    for name in 0..200 {
        let name = app(&format!("uid-1000.name-{name}"));
        drop(limits.take(&name, USER, &of_app, 1.0, at(60)));
    }
    let watched = limits.standings(at(60));
    // With the one that stands for the rest, and the user.
    assert_eq!(watched.len(), MAX_NAMES_OF_A_USER + 2);
    let rest = Who::App(AppId::of_uid(USER));
    assert!(watched.iter().any(|standing| standing.who == rest));
}

#[test]
fn accounts_are_bounded_and_who_used_nothing_makes_room() {
    let limits = Limits::default();
    let of_app = AppLimits::default();
    let take = |number: usize, now| {
        let uid = u32::try_from(number).unwrap();
        limits.take(&app(&format!("app-{number}")), uid, &of_app, 1.0, now)
    };
    for number in 0..MAX_USERS_WATCHED {
        drop(take(number, at(1)).unwrap());
    }
    let limited = take(MAX_USERS_WATCHED, at(1)).unwrap_err();
    assert_eq!((limited.by, limited.whose), (LimitedBy::Crowd, Whose::User));
    // All buckets are full again after a minute.
    drop(take(MAX_USERS_WATCHED, at(61)).unwrap());
    let of_users = |now| {
        let standings = limits.standings(now);
        let users = standings
            .iter()
            .filter(|standing| matches!(standing.who, Who::User(_)));
        users.count()
    };
    assert_eq!(of_users(at(61)), 1);
    // Who is at work, or has spent some of a budget, is remembered.
    let slot = take(5, at(61)).unwrap();
    assert!(slot.heard(at(1), at(61)));
    drop(slot);
    let _at_work = take(6, at(61)).unwrap();
    for number in 1000..3 * MAX_APPS_WATCHED {
        drop(take(number, at(10 * HOUR + number as u64)));
        assert!(limits.standings(at(1)).len() <= MAX_APPS_WATCHED + MAX_USERS_WATCHED);
    }
    let remembered = |who| {
        let standings = limits.standings(at(10 * HOUR));
        standings.iter().any(|standing| standing.who == who)
    };
    assert!(remembered(Who::User(5)) && remembered(Who::User(6)));
    assert!(remembered(Who::App(app("app-5"))) && !remembered(Who::User(1)));
}

#[test]
fn who_is_throttled_pays_more() {
    let of_app = amounts(60, 8, 600, 2);
    let burst = |throttle: f32| {
        let limits = Limits::default();
        let take = |_: &i32| {
            limits
                .take(&app("notes"), USER, &of_app, throttle, at(1))
                .is_ok()
        };
        (0..100).filter(take).count()
    };
    let shares = [
        1.0,
        2.0,
        0.5,
        0.25,
        0.3,
        0.01,
        0.0,
        -1.0,
        f32::NAN,
        f32::INFINITY,
    ];
    assert_eq!(shares.map(burst), [8, 8, 4, 2, 2, 1, 1, 1, 1, 8]);
    // And later, too: one in four seconds.
    let limits = Limits::default();
    let later = |second: &u64| {
        let taken = limits.take(&app("notes"), USER, &of_app, 0.25, at(*second));
        taken.is_ok()
    };
    assert_eq!((100..160).filter(later).count(), 2 + 14);
}

#[test]
fn other_limits_hold_at_once_and_fill_nothing() {
    let limits = Limits::default();
    let (small, large) = (amounts(60, 5, 600, 2), amounts(60, 10, 600, 2));
    assert_eq!(let_in(&limits, "notes", &small, 50, at(1)), 5);
    // What lacks of five lacks of ten, too.
    assert_eq!(let_in(&limits, "notes", &large, 50, at(1)), 5);
    assert_eq!(let_in(&limits, "notes", &small, 50, at(1)), 0);
    assert_eq!(let_in(&limits, "notes", &small, 50, at(61)), 5);
}

#[test]
fn a_clock_that_stands_or_goes_back_gives_nothing() {
    let limits = Limits::default();
    let of_app = amounts(60, 5, 1, 2);
    assert_eq!(let_in(&limits, "notes", &of_app, 50, at(DAY)), 5);
    for now in [at(DAY), at(1), Duration::ZERO] {
        assert_eq!(let_in(&limits, "notes", &of_app, 50, now), 0);
    }
    assert_eq!(let_in(&limits, "notes", &of_app, 50, at(DAY + 2)), 2);
    let slot = limits
        .take(&app("other"), OTHER, &of_app, 1.0, at(2 * DAY))
        .unwrap();
    assert!(!slot.heard(at(61), at(2 * DAY)));
    assert!(!slot.heard(Duration::ZERO, at(0)));
    // A jump ahead is a long rest and no more.
    assert_eq!(let_in(&limits, "notes", &of_app, 50, at(900 * DAY)), 5);
    // The end of time is a time.
    let _ = let_in(&limits, "notes", &of_app, 50, Duration::MAX);
    let _ = let_in(&limits, "notes", &of_app, 50, Duration::MAX);
}

#[test]
fn limits_are_read_strictly() {
    let read = |text: &str| serde_json::from_str::<AppLimits>(text);
    let golden = "{\"per_minute\":120,\"burst\":20,\"daily_sound_minutes\":600,\"at_once\":2}";
    assert_eq!(read(golden).unwrap(), AppLimits::default());
    assert_eq!(
        serde_json::to_string(&AppLimits::default()).unwrap(),
        golden
    );
    assert!(read(&golden.replace("120", "0")).is_err());
    assert!(read(&golden.replace("120", "6001")).is_err());
    assert!(read(&golden.replace("}", ",\"more\":1}")).is_err());
    assert!(read(&golden.replace("\"burst\":20,", "")).is_err());
    let error = AppLimits::default().with_burst(0).unwrap_err();
    assert_eq!(error.to_string(), "burst is from 1 to 1000, not 0");
}

proptest! {
    #[test]
    fn never_more_than_the_rate_and_the_burst(
        per_minute in 1_u32..300,
        burst in 1_u32..40,
        steps in prop::collection::vec(0_u64..3000, 1..200),
    ) {
        let limits = Limits::default();
        let of_app = amounts(per_minute, burst, 600, 2);
        let (mut now, mut taken) = (at(1000), Vec::new());
        for milliseconds in steps {
            now += Duration::from_millis(milliseconds);
            if ask(&limits, "notes", &of_app, now).is_ok() {
                taken.push(now);
            }
            // Between any two that were let in there is no more than a burst and the rate.
            for (place, first) in taken.iter().enumerate() {
                let count = (taken.len() - place) as f64;
                let minutes = (now - *first).as_secs_f64() / 60.0;
                let most = f64::from(burst) + minutes * f64::from(per_minute);
                prop_assert!(count <= most + 1e-6, "{} > {}", count, most);
            }
        }
    }

    #[test]
    fn retrying_when_told_succeeds_and_not_before(
        per_minute in 1_u32..300, burst in 1_u32..40, throttle in 0.05_f32..1.0,
    ) {
        let limits = Limits::default();
        let of_app = amounts(per_minute, burst, 600, 2);
        let take = |now| limits.take(&app("notes"), USER, &of_app, throttle, now).map(drop);
        let mut now = at(1000);
        for _ in 0..50 {
            if let Err(limited) = take(now) {
                prop_assert_eq!(limited.by, LimitedBy::Rate);
                let early = limited.retry_after.saturating_sub(Duration::from_nanos(1));
                prop_assert!(take(now + early).is_err());
                now += limited.retry_after;
                prop_assert!(take(now).is_ok());
            }
        }
    }

    #[test]
    fn no_24_hours_hold_more_than_the_budget_and_what_ran_over(
        minutes in 1_u32..30,
        steps in prop::collection::vec((0_u64..4 * HOUR, 1_u64..600), 1..150),
    ) {
        let limits = Limits::default();
        let of_app = amounts(6000, 1000, minutes, 1);
        let budget = at(60 * u64::from(minutes));
        let mut now = at(100);
        let mut heard: VecDeque<(Duration, Duration)> = VecDeque::new();
        for (pause, sound) in steps {
            now += at(pause);
            let Ok(slot) = limits.take(&app("notes"), USER, &of_app, 1.0, now) else {
                continue;
            };
            let fits = slot.heard(at(sound), now);
            heard.push_back((now, at(sound)));
            heard.retain(|(time, _)| now - *time < at(DAY));
            let sum: Duration = heard.iter().map(|(_, sound)| *sound).sum();
            prop_assert!(sum <= budget + at(sound));
            // The window is at most an hour longer than a day, and never shorter.
            prop_assert!(!fits || sum <= budget);
        }
    }

    #[test]
    fn any_series_of_requests_gives_all_places_back(
        steps in prop::collection::vec((0_u32..6, 0_u32..3, any::<bool>(), any::<u64>()), 1..80),
    ) {
        let limits = Limits::default();
        let of_app = amounts(6000, 1000, 14_400, 16);
        let mut slots = VecDeque::new();
        for (name, uid, gives_back, time) in steps {
            if gives_back {
                slots.pop_front();
            }
            let name = app(&format!("app-{name}"));
            let now = Duration::from_millis(time);
            if let Ok(slot) = limits.take(&name, uid, &of_app, 0.5, now) {
                let _ = slot.heard(Duration::from_secs(time % 1000), now);
                slots.push_back(slot);
            }
        }
        let standings = limits.standings(at(1));
        let at_work: u32 = standings.iter().map(|standing| standing.at_work).sum();
        prop_assert_eq!(at_work as usize, 2 * slots.len());
        drop(slots);
        let standings = limits.standings(at(1));
        prop_assert!(standings.iter().all(|standing| standing.at_work == 0));
    }
}
