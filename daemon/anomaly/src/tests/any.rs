//! Any course of events, and any bytes.

use std::time::Duration;

use earnest_telemetry::Refusal;
use proptest::prelude::*;

use super::*;
use crate::{Baselines, Standing};

fn observations() -> impl Strategy<Value = Observation> {
    let request = (
        any::<[u64; 3]>(),
        any::<bool>(),
        any::<Option<u64>>(),
        any::<Option<u64>>(),
        any::<Option<u64>>(),
    )
        .prop_map(|(times, low, payload, shape, rate)| {
            Observation::Request(Request {
                milliseconds: times[0],
                sound_milliseconds: times[1] >> (times[0] % 64),
                speech_milliseconds: times[2] >> (times[0] % 64),
                certainty_low: low,
                status: 200,
                payload: payload.map(|payload| payload % 5),
                shape,
                bytes_per_second: rate,
            })
        });
    let refusal = prop::sample::select(Refusal::ALL).prop_map(super::refusal);
    prop_oneof![request, refusal]
}

fn subjects() -> impl Strategy<Value = Subject> {
    prop_oneof![
        "[a-c]{1,2}".prop_map(|name| app(&name)),
        (0..3u32).prop_map(Subject::Uid),
        Just(Subject::Unknown),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_course_of_events_leaves_numbers_that_can_be_saved(
        course in prop::collection::vec(
            (subjects(), observations(), 0..200_000u64, any::<u8>(), 1..60u32),
            0..40,
        )
    ) {
        let watch = watch();
        let mut now = Duration::ZERO;
        for (subject, observation, wait, hour, times) in course {
            now += Duration::from_secs(wait);
            for _ in 0..times {
                if let Some(alert) = watch.observe(&subject, &observation, now, hour) {
                    prop_assert!(alert.score.is_finite() && alert.score >= 12.0 - 24.0);
                    prop_assert!(alert.requests > 0);
                }
            }
            if let Standing::Throttled { factor } = watch.standing(&subject, now) {
                prop_assert!((0.1..=0.5).contains(&factor));
            }
        }
        let saved = watch.export(now);
        let read = Baselines::parse(&saved.encode());
        prop_assert!(read.is_ok(), "{read:?}");
        let other = super::watch();
        prop_assert!(other.import(read.expect("checked"), Duration::ZERO, 0).is_ok());
        prop_assert_eq!(other.export(Duration::ZERO).len(), saved.len());
        watch.tick(now + Duration::from_secs(1 << 40));
    }

    #[test]
    fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Baselines::parse(&bytes);
    }

    #[test]
    fn what_is_cut_or_turned_is_refused_or_sound(cut in any::<prop::sample::Index>(), byte: u8) {
        let watch = watch();
        for number in 0..20 {
            watch.observe(&app("notes"), &speech(number), at(number * 60), NINE);
        }
        let mut bytes = watch.export(at(0)).encode();
        let place = cut.index(bytes.len());
        prop_assert!(Baselines::parse(&bytes[..place]).is_err());
        bytes[place] = byte;
        if let Ok(read) = Baselines::parse(&bytes) {
            let other = super::watch();
            prop_assert!(other.import(read, at(0), NINE).is_ok());
            other.observe(&app("notes"), &speech(1), at(1), NINE);
        }
    }
}
