//! What a watch notices, does and forgets.

mod any;
mod goals;
mod learning;
mod saving;
mod watching;

use std::time::Duration;

use earnest_telemetry::{App, Refusal};

use crate::{Observation, Options, Request, Subject, Watch};

/// Monday, nine in the morning.
const NINE: u8 = 9;

fn at(seconds: u64) -> Duration {
    Duration::from_secs(7 * 86_400 + seconds)
}

fn watch() -> Watch {
    Watch::new(Options::default())
}

fn app(name: &str) -> Subject {
    Subject::App(App::new(name))
}

fn refusal(reason: Refusal) -> Observation {
    Observation::Refused { reason }
}

/// Speech of ten seconds, unlike any other by this number.
fn speech(number: u64) -> Observation {
    Observation::Request(Request {
        milliseconds: 600,
        sound_milliseconds: 10_000 + number % 241 * 37,
        speech_milliseconds: 8_000,
        certainty_low: false,
        status: 200,
        payload: Some(number),
        shape: Some(number.wrapping_mul(0x9E37_79B9_7F4A_7C15)),
        bytes_per_second: None,
    })
}

/// The same sound again.
fn replay() -> Observation {
    speech(7)
}

/// Puts a subject into quarantine by what it does.
fn shut_out(watch: &Watch, subject: &Subject, from: Duration) -> Duration {
    let reason = match subject {
        Subject::App(_) => Refusal::InsufficientScope,
        _ => Refusal::BadToken,
    };
    (0..100).fold(from, |now, _| {
        watch.observe(subject, &refusal(reason), now, NINE);
        now + Duration::from_secs(1)
    })
}
