//! Sounds that nobody makes with a mouth.

use std::f64::consts::TAU;

use crate::client::pcm;
use crate::house::{RATE, Recording, listening};
use crate::reader::Reader;
use crate::words::is_the_sample;

/// Seconds of each.
const SECONDS: usize = 20;

/// A silence between two, in samples.
const PAUSE: usize = 2 * RATE;

/// How loud they are, of a full scale of one.
const LOUD: f64 = 0.15;

/// Tones of a melody under which another one runs, in hertz.
const MELODY: [f64; 8] = [262.0, 330.0, 392.0, 523.0, 494.0, 392.0, 349.0, 294.0];
const BASS: [f64; 4] = [131.0, 98.0, 110.0, 87.0];

/// White noise: a shift register's (Marsaglia's xorshift).
fn noise() -> impl Iterator<Item = f64> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    })
}

/// The hum of the mains, with its overtones.
fn hum() -> impl Iterator<Item = f64> {
    seconds().map(|at| {
        let tones = [(50.0, 0.6), (100.0, 0.3), (150.0, 0.2), (250.0, 0.1)];
        tones
            .map(|(hertz, share)| share * (TAU * hertz * at).sin())
            .iter()
            .sum()
    })
}

/// A melody with a bass and a rattle, as of a television in the next room.
fn television() -> impl Iterator<Item = f64> {
    seconds().zip(noise()).map(|(at, noise)| {
        let tone = MELODY[(at * 3.0) as usize % MELODY.len()];
        let bass = BASS[at as usize % BASS.len()];
        let fades = 1.0 - (at * 3.0).fract() * 0.8;
        let beat = if (at * 2.0).fract() < 0.05 { 0.4 } else { 0.0 };
        let tones = [(tone, 0.4), (2.0 * tone, 0.15), (bass, 0.4)];
        let tones: f64 = tones
            .map(|(hertz, share)| share * (TAU * hertz * at).sin())
            .iter()
            .sum();
        tones * fades + beat * noise
    })
}

fn seconds() -> impl Iterator<Item = f64> {
    (0..).map(|sample: u32| f64::from(sample) / RATE as f64)
}

fn samples(sound: impl Iterator<Item = f64>) -> Vec<u8> {
    let scale = LOUD * f64::from(i16::MAX);
    let bytes = sound
        .take(SECONDS * RATE)
        .flat_map(|sample| ((sample * scale) as i16).to_le_bytes());
    bytes.chain([0; 2 * PAUSE]).collect()
}

#[test]
fn a_minute_of_noise_hum_and_tones_is_no_text() {
    let sound = [
        samples(noise()),
        samples(hum()),
        samples(television()),
        pcm(),
    ];
    let recording = Recording::of(&sound.concat());
    let (daemon, _person) = listening(recording.wish());
    let mut reader = Reader::events(&daemon);
    // What is said behind it all is the first text.
    is_the_sample("events", &reader.sample());
    let speech = (3 * (SECONDS * RATE + PAUSE) / RATE) as f64;
    let early = reader.heard.iter().filter(|event| {
        let is_text = event["type"] == "partial" || event["type"] == "final";
        is_text
            && event["start"]
                .as_f64()
                .is_some_and(|start| start < speech - 1.0)
    });
    assert_eq!(early.count(), 0, "{:#?}", reader.heard);
}
