//! What the daemon learned of everybody's behaviour, as it is kept.

use std::time::Duration;

use earnest_anomaly::{Baselines, Observation, Options, Request, Subject, Watch};
use earnest_telemetry::App;

/// Reads `data` as learned baselines. What is taken can be lived on: it is imported, observed
/// with, and written so that it is read again; and no score is anything but a number.
pub fn baselines(data: &[u8]) {
    let baselines = match Baselines::parse(data) {
        Ok(baselines) => baselines,
        Err(error) => return drop(error.to_string()),
    };
    let watch = Watch::new(Options::default());
    let now = Duration::from_secs(1_000);
    let count = baselines.len();
    watch
        .import(baselines, now, 9)
        .expect("it was checked when it was read");
    let observation = Observation::Request(Request {
        sound_milliseconds: 4_000,
        speech_milliseconds: 3_000,
        payload: Some(1),
        shape: Some(1),
        ..Request::default()
    });
    for subject in [Subject::App(App::new("notes")), Subject::Uid(1001)] {
        for hour in 0..168 {
            let now = now + Duration::from_secs(u64::from(hour) * 3_600);
            let alert = watch.observe(&subject, &observation, now, hour);
            assert!(alert.is_none_or(|alert| alert.score.is_finite()));
        }
    }
    let again = watch.export(now + Duration::from_secs(168 * 3_600));
    assert!(again.len() >= count.min(earnest_anomaly::MAX_SUBJECTS - 1));
    let read = Baselines::parse(&again.encode());
    assert!(read.is_ok(), "{read:?}");
}
