//! Codes against the RFCs, and what is remembered of them on simulated time.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::code::{SECRET_BYTES, STEP};
use super::*;

/// The secret of the RFCs' examples.
const EXAMPLE: [u8; SECRET_BYTES] = *b"12345678901234567890";

/// A time at which nothing special happens.
const WALL: u64 = 1_700_000_000;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn secret() -> Secret {
    Secret::new(EXAMPLE)
}

/// A second factor that was confirmed long before [`WALL`].
fn factor() -> SecondFactor {
    SecondFactor::confirmed(secret(), 0)
}

fn code_at(wall: u64) -> String {
    format!("{:06}", secret().code(wall / STEP.as_secs()))
}

/// A code of none of the steps around a time.
fn wrong_at(wall: u64) -> String {
    let step = wall / STEP.as_secs();
    let right: BTreeSet<u32> = (step - 2..=step + 2)
        .map(|step| secret().code(step))
        .collect();
    let wrong = (0..1_000_000).find(|code| !right.contains(code));
    format!("{:06}", wrong.unwrap())
}

#[test]
fn codes_are_those_of_rfc_4226() {
    let codes = [
        755_224, 287_082, 359_152, 969_429, 338_314, 254_676, 287_922, 162_583, 399_871, 520_489,
    ];
    for (counter, code) in (0..).zip(codes) {
        assert_eq!(secret().code(counter), code, "counter {counter}");
    }
}

#[test]
fn times_are_those_of_rfc_6238() {
    // Appendix B has eight digits; six are the last six of them.
    let examples = [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ];
    for (wall, code) in examples {
        assert_eq!(factor().check(code, at(wall), at(1)), Ok(()), "{wall}");
    }
}

#[test]
fn a_step_on_each_side_is_taken_and_no_more() {
    for (off, taken) in [
        (-60, false),
        (-30, true),
        (0, true),
        (30, true),
        (60, false),
    ] {
        let code = code_at(WALL.checked_add_signed(off).unwrap());
        let checked = factor().check(&code, at(WALL), at(1));
        assert_eq!(checked.is_ok(), taken, "{off} s off");
    }
}

#[test]
fn only_six_digits_are_a_code() {
    let right = code_at(WALL);
    let mut looks = vec![String::new(), "12345".to_owned(), "1234567".to_owned()];
    looks.extend([
        format!(" {right}"),
        format!("{right} "),
        format!("+{}", &right[1..]),
        "\u{ff11}".repeat(6),
        "\u{661}\u{662}\u{663}".to_owned(),
        "1".repeat(10_000),
    ]);
    for code in looks {
        let checked = factor().check(&code, at(WALL), at(1));
        assert_eq!(checked, Err(SecondFactorRefused::Wrong), "{code:?}");
    }
}

#[test]
fn a_code_is_good_once_and_so_is_every_earlier_one() {
    let mut factor = factor();
    let (before, now, after) = (code_at(WALL - 30), code_at(WALL), code_at(WALL + 30));
    assert_eq!(factor.check(&now, at(WALL), at(1)), Ok(()));
    let replayed = Err(SecondFactorRefused::Replayed);
    assert_eq!(factor.check(&now, at(WALL), at(2)), replayed);
    assert_eq!(factor.check(&before, at(WALL), at(3)), replayed);
    // A second click locks nobody out.
    assert_eq!(factor.failures(), 0);
    assert_eq!(factor.check(&after, at(WALL + 30), at(31)), Ok(()));
}

#[test]
fn a_clock_that_is_set_back_brings_no_code_to_life() {
    let mut factor = factor();
    let used = code_at(WALL);
    assert_eq!(factor.check(&used, at(WALL), at(1)), Ok(()));
    let earlier = WALL - 24 * 60 * 60;
    let code = code_at(earlier);
    let replayed = Err(SecondFactorRefused::Replayed);
    assert_eq!(factor.check(&code, at(earlier), at(2)), replayed);
    // When the clock is right again, so are the codes.
    let code = code_at(WALL + 60);
    assert_eq!(factor.check(&code, at(WALL + 60), at(3)), Ok(()));
}

#[test]
fn a_clock_that_is_set_ahead_takes_only_its_own_codes() {
    let mut factor = factor();
    let ahead = WALL + 365 * 24 * 60 * 60;
    // An authenticator with the right time has no code for the wrong one.
    let honest = code_at(WALL);
    let wrong = Err(SecondFactorRefused::Wrong);
    assert_eq!(factor.check(&honest, at(ahead), at(1)), wrong);
    assert_eq!(factor.check(&honest, at(WALL), at(2)), Ok(()));
    // Whoever has one for it uses up all before it.
    assert_eq!(factor.check(&code_at(ahead), at(ahead), at(3)), Ok(()));
    let later = WALL + 60;
    let replayed = Err(SecondFactorRefused::Replayed);
    assert_eq!(factor.check(&code_at(later), at(later), at(4)), replayed);
}

#[test]
fn the_ends_of_time_are_times() {
    for wall in [Duration::ZERO, Duration::MAX] {
        for now in [Duration::ZERO, Duration::MAX] {
            let mut factor = factor();
            for _ in 0..FREE_FAILURES + 2 {
                let _ = factor.check("000000", wall, now);
            }
        }
    }
}

#[test]
fn wrong_codes_lock_twice_as_long_each_time() {
    let mut factor = factor();
    let mut now = 1000;
    let wrong = wrong_at(WALL);
    for _ in 1..FREE_FAILURES {
        let refused = factor.check(&wrong, at(WALL), at(now));
        assert_eq!(refused, Err(SecondFactorRefused::Wrong));
        assert_eq!(factor.locked_for(at(now)), None);
    }
    for wait in [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600] {
        let refused = factor.check(&wrong, at(WALL), at(now));
        assert_eq!(refused, Err(SecondFactorRefused::Wrong));
        let failures = factor.failures();
        // Not even the right code is judged, and asking makes it no longer.
        let locked = |seconds| {
            Err(SecondFactorRefused::Locked {
                retry_after: at(seconds),
            })
        };
        let right = code_at(WALL);
        assert_eq!(factor.check(&right, at(WALL), at(now)), locked(wait));
        let last = now + wait - 1;
        assert_eq!(factor.check(&right, at(WALL), at(last)), locked(1));
        assert_eq!(factor.failures(), failures);
        now += wait;
    }
    assert_eq!(factor.check(&code_at(WALL), at(WALL), at(now)), Ok(()));
    assert_eq!((factor.failures(), factor.locked_for(at(now))), (0, None));
}

#[test]
fn guessing_is_bounded_in_a_day() {
    let mut factor = factor();
    let (wrong, mut judged) = (wrong_at(WALL), 0);
    // Every second of a day, whatever the factor says; the clock of the wall stands still.
    for now in 0..24 * 60 * 60 {
        let checked = factor.check(&wrong, at(WALL), at(now));
        judged += u32::from(checked == Err(SecondFactorRefused::Wrong));
    }
    // Three codes of a million are right at a time: one guess in ten thousand days.
    assert!(judged <= 36, "{judged} guesses");
}

/// What a restart leaves of a second factor.
fn kept(factor: &SecondFactor) -> SecondFactor {
    let text = serde_json::to_string(factor).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_restart_gives_no_guesses_and_no_codes_away() {
    let mut factor = factor();
    assert_eq!(factor.check(&code_at(WALL), at(WALL), at(900)), Ok(()));
    for _ in 0..FREE_FAILURES {
        let _ = factor.check(&wrong_at(WALL), at(WALL), at(1000));
    }
    let locked = |left| {
        Err(SecondFactorRefused::Locked {
            retry_after: at(left),
        })
    };
    let next = code_at(WALL + 30);
    // Of the daemon: time goes on.
    let mut daemon = kept(&factor);
    assert_eq!(daemon, factor);
    assert_eq!(daemon.check(&next, at(WALL + 30), at(1010)), locked(20));
    assert_eq!(daemon.check(&wrong_at(WALL), at(WALL), at(1030)), wrong());
    assert_eq!(daemon.check(&next, at(WALL + 30), at(1030)), locked(60));
    // Of the device: time begins anew, and so does the wait.
    let mut device = kept(&factor);
    assert_eq!(device.check(&next, at(WALL + 30), at(5)), locked(25));
    assert_eq!(device.check(&code_at(WALL), at(WALL), at(30)), replayed());
    assert_eq!(device.check(&next, at(WALL + 30), at(30)), Ok(()));
    // A device that is up for long has waited enough.
    let mut late = kept(&factor);
    assert_eq!(late.check(&next, at(WALL + 30), at(600)), Ok(()));
}

fn wrong() -> Result<(), SecondFactorRefused> {
    Err(SecondFactorRefused::Wrong)
}

fn replayed() -> Result<(), SecondFactorRefused> {
    Err(SecondFactorRefused::Replayed)
}

#[test]
fn what_is_kept_is_read_strictly() {
    let text = serde_json::to_string(&factor()).unwrap();
    let golden = "{\"secret\":[49,50,51,52,53,54,55,56,57,48,49,50,51,52,53,54,55,56,57,48],\
                  \"last_step\":0,\"failures\":0,\"locked_until\":0}";
    assert_eq!(text, golden);
    let read = |text: &str| serde_json::from_str::<SecondFactor>(text).is_ok();
    assert!(read(golden));
    assert!(!read(&golden.replace("[49,", "[")));
    assert!(!read(&golden.replace("[49,", "[256,")));
    assert!(!read(&golden.replace("\"failures\":0", "\"failures\":-1")));
    assert!(!read(&golden.replace("}", ",\"more\":0}")));
}

#[test]
fn nothing_prints_a_secret() {
    let (pending, shown) = SecondFactor::enrol("uid-1000", at(1)).unwrap();
    let printed = format!("{:?} {pending:?} {shown:?}", factor());
    assert!(printed.contains("failures: 0"), "{printed}");
    for secret in ["49, 50, 51", "GEZDGNBV", shown.secret(), "secret="] {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[test]
fn an_authenticator_is_told_as_it_expects() {
    let shown = Enrolment::new(&secret(), "uid-1000");
    assert_eq!(shown.secret(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    assert_eq!(
        shown.uri(),
        "otpauth://totp/Earnest:uid-1000?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
         &issuer=Earnest&algorithm=SHA1&digits=6&period=30"
    );
    let odd = Enrolment::new(&secret(), "a b?&=\u{e9}");
    assert!(odd.uri().contains("Earnest:a%20b%3F%26%3D%C3%A9?secret="));
    let long = Enrolment::new(&secret(), &"a".repeat(10_000));
    assert!(long.uri().len() < 300);
}

#[test]
fn an_enrolment_is_confirmed_with_a_code_that_is_then_used_up() {
    let mut pending = PendingFactor::new(secret(), at(100));
    let mut factor = pending.confirm(&code_at(WALL), at(WALL), at(110)).unwrap();
    assert_eq!(factor.check(&code_at(WALL), at(WALL), at(111)), replayed());
    let next = code_at(WALL + 30);
    assert_eq!(factor.check(&next, at(WALL + 30), at(140)), Ok(()));
    // Once.
    let again = pending.confirm(&next, at(WALL + 30), at(140));
    assert_eq!(again, Err(SecondFactorRefused::Ended));
}

#[test]
fn an_enrolment_ends_with_time_and_with_tries() {
    let pending = || PendingFactor::new(secret(), at(100));
    let ended = Err(SecondFactorRefused::Ended);
    let code = code_at(WALL);
    let end = at(100) + PENDING_LIFETIME;
    let last = end - at(1);
    assert!(pending().confirm(&code, at(WALL), last).is_ok());
    assert_eq!(pending().confirm(&code, at(WALL), end), ended);
    let mut tried = pending();
    for _ in 0..PENDING_TRIES {
        let refused = tried.confirm(&wrong_at(WALL), at(WALL), at(101));
        assert_eq!(refused, Err(SecondFactorRefused::Wrong));
    }
    assert_eq!(tried.confirm(&code, at(WALL), at(101)), ended);
}

#[test]
fn secrets_differ() {
    let shown = |_| {
        SecondFactor::enrol("a", at(1))
            .unwrap()
            .1
            .secret()
            .to_owned()
    };
    let secrets: BTreeSet<String> = (0..16).map(shown).collect();
    assert_eq!(secrets.len(), 16);
    assert!(secrets.iter().all(|secret| secret.len() == 32));
}

proptest! {
    #[test]
    fn no_step_is_taken_twice_however_the_clock_jumps(
        walls in prop::collection::vec((0_u64..40, -1_i64..=1), 1..60),
    ) {
        let mut factor = factor();
        let mut last = 0;
        for (time, (place, off)) in (0..).zip(walls) {
            // Clocks among forty steps, and codes of authenticators around them.
            let wall = WALL + place * STEP.as_secs();
            let step = (wall / STEP.as_secs()).checked_add_signed(off).unwrap();
            let code = format!("{:06}", secret().code(step));
            let checked = factor.check(&code, at(wall), at(time));
            prop_assert_eq!(checked.is_ok(), step > last);
            if checked.is_ok() {
                last = step;
            }
        }
    }

    #[test]
    fn no_text_makes_trouble(code in "\\PC{0,12}", wall: u64, now: u64) {
        let mut factor = factor();
        let checked = factor.check(&code, at(wall), at(now));
        prop_assert!(checked != Err(SecondFactorRefused::Ended));
    }

    #[test]
    fn a_lock_is_never_longer_than_the_longest(
        failures: u32, locked_until: u64, now: u64, last_step: u64,
    ) {
        let mut factor = SecondFactor { secret: secret(), last_step, failures, locked_until };
        let left = factor.locked_for(Duration::from_millis(now)).unwrap_or_default();
        prop_assert!(left <= LONGEST_LOCK);
        let told = factor.check(&wrong_at(WALL), at(WALL), Duration::from_millis(now));
        match left.is_zero() {
            true => prop_assert_eq!(told, wrong()),
            false => {
                let locked = SecondFactorRefused::Locked { retry_after: left };
                prop_assert_eq!(told, Err(locked));
                // And it ends.
                let after = Duration::from_millis(now).saturating_add(left);
                prop_assert_eq!(factor.locked_for(after), None);
            }
        }
    }
}
