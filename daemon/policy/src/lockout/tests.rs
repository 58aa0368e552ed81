//! Guessing, on simulated time.

use proptest::prelude::*;

use super::*;

const GUESSER: Source = Source::Uid(1000);
const DAY: u64 = 24 * 60 * 60;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Fails until the source is locked, and says for how long.
fn fail_until_locked(lockout: &mut Lockout, source: Source, now: Duration) -> Duration {
    for _ in 1..FAILURES {
        assert_eq!(lockout.failed(source, now), None);
    }
    lockout.failed(source, now).unwrap()
}

/// How many guesses of a source are listened to in a day, when it tries every so many seconds.
fn guesses_of_a_day(every: usize) -> usize {
    let mut lockout = Lockout::default();
    let mut guesses = 0;
    for second in (0..DAY).step_by(every) {
        if lockout.check(GUESSER, at(second)).is_ok() {
            guesses += 1;
            lockout.failed(GUESSER, at(second));
        }
    }
    guesses
}

#[test]
fn a_source_that_fails_too_often_is_locked_and_no_other() {
    let mut lockout = Lockout::default();
    let wait = fail_until_locked(&mut lockout, GUESSER, at(100));
    assert_eq!(wait, SHORTEST_LOCKOUT);
    let locked = LockedOut {
        retry_after: at(50),
    };
    assert_eq!(lockout.check(GUESSER, at(110)), Err(locked));
    for other in [Source::Uid(1001), Source::Unknown] {
        assert_eq!(lockout.check(other, at(110)), Ok(()));
    }
    assert_eq!(lockout.locked(at(110)), 1);
    assert_eq!(lockout.check(GUESSER, at(160)), Ok(()));
    assert_eq!(lockout.locked(at(160)), 0);
}

#[test]
fn failures_that_are_far_apart_lock_nobody() {
    let mut lockout = Lockout::default();
    // Nineteen in ten minutes, all day long.
    for second in (0..DAY).step_by(32) {
        assert_eq!(lockout.failed(GUESSER, at(second)), None, "{second}");
    }
}

#[test]
fn lockouts_double_up_to_an_hour() {
    let mut lockout = Lockout::default();
    let mut now = at(100);
    for minutes in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        let wait = fail_until_locked(&mut lockout, GUESSER, now);
        assert_eq!(wait, at(60 * minutes));
        now += wait;
    }
}

#[test]
fn only_time_clears_what_was_failed() {
    let mut lockout = Lockout::default();
    let first = fail_until_locked(&mut lockout, GUESSER, at(100));
    let quiet = at(100) + first + LONGEST_LOCKOUT;
    let mut soon = Lockout::default();
    fail_until_locked(&mut soon, GUESSER, at(100));
    let wait = fail_until_locked(&mut soon, GUESSER, quiet - at(1));
    assert_eq!(wait, 2 * SHORTEST_LOCKOUT);
    let wait = fail_until_locked(&mut lockout, GUESSER, quiet);
    assert_eq!(wait, SHORTEST_LOCKOUT);
}

#[test]
fn guesses_of_a_day_are_bounded() {
    // As fast as one can: doubling leaves 20 guesses to each of some thirty lockouts.
    assert!(guesses_of_a_day(1) <= 30 * FAILURES);
    // And with the best patience: just below the threshold, all day. A token has 256 bits.
    for every in 1..=60 {
        let guesses = guesses_of_a_day(every);
        let most = FAILURES * (1 + (DAY / WINDOW.as_secs()) as usize);
        assert!(guesses <= most, "{guesses}, one each {every} s");
    }
}

#[test]
fn the_table_is_bounded_and_no_lockout_makes_room() {
    let mut lockout = Lockout::default();
    fail_until_locked(&mut lockout, GUESSER, at(100));
    // More sources than there are places, each of which fails once.
    for uid in 2000..2000 + 3 * MAX_SOURCES as u32 {
        lockout.failed(Source::Uid(uid), at(101));
        assert!(lockout.records.len() <= MAX_SOURCES);
    }
    assert!(lockout.check(GUESSER, at(102)).is_err());
    // The latest are still watched: the oldest made room.
    let latest = Source::Uid(2000 + 3 * MAX_SOURCES as u32 - 1);
    for _ in 2..FAILURES {
        assert_eq!(lockout.failed(latest, at(102)), None);
    }
    assert!(lockout.failed(latest, at(102)).is_some());
}

#[test]
fn when_all_places_are_locked_the_others_are_one_source() {
    let mut lockout = Lockout::default();
    for uid in 0..MAX_KNOWN as u32 {
        fail_until_locked(&mut lockout, Source::Uid(uid), at(100));
    }
    let (one, two) = (Source::Uid(9_000_001), Source::Uid(9_000_002));
    assert_eq!(lockout.check(one, at(101)), Ok(()));
    for _ in 0..FAILURES / 2 {
        lockout.failed(one, at(101));
        lockout.failed(two, at(101));
    }
    assert!(lockout.records.len() <= MAX_SOURCES);
    assert!(lockout.check(one, at(102)).is_err());
    assert!(lockout.check(Source::Unknown, at(102)).is_err());
    // With a place of its own, nobody answers for others.
    assert_eq!(lockout.check(one, at(100) + SHORTEST_LOCKOUT), Ok(()));
}

#[test]
fn a_clock_that_goes_back_forgives_nothing() {
    let mut lockout = Lockout::default();
    for _ in 1..FAILURES {
        lockout.failed(GUESSER, at(5000));
    }
    assert_eq!(lockout.failed(GUESSER, at(1)), Some(SHORTEST_LOCKOUT));
    assert!(lockout.check(GUESSER, at(5000)).is_err());
    assert!(lockout.check(GUESSER, Duration::ZERO).is_err());
    // Nor does the end of time make trouble.
    lockout.failed(GUESSER, Duration::MAX);
    assert_eq!(lockout.check(GUESSER, Duration::MAX), Ok(()));
}

proptest! {
    #[test]
    fn no_window_holds_more_than_it_may(
        steps in prop::collection::vec((0_u64..120, 0_u32..3), 1..400),
    ) {
        let mut lockout = Lockout::default();
        let mut now = at(0);
        let mut heard: Vec<(Source, Duration)> = Vec::new();
        for (seconds, uid) in steps {
            now += at(seconds);
            let source = Source::Uid(uid);
            if lockout.check(source, now).is_ok() {
                heard.push((source, now));
                lockout.failed(source, now);
            }
            let own = heard.iter().filter(|(other, _)| *other == source);
            let lately = own.filter(|(_, time)| now - *time < WINDOW);
            // A short lockout lets a second series into the window, and a third hardly.
            prop_assert!(lately.count() <= 4 * FAILURES);
        }
    }
}
