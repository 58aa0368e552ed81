//! What holds for every rate, channel count and way of pushing.

use std::f64::consts::TAU;

use earnest_sound::{Converter, MAXIMUM_RATE, MINIMUM_RATE, Resampler, decode_bytes};
use proptest::prelude::*;

fn resample(rate: u32, samples: &[f32]) -> Vec<f32> {
    let mut resampler = Resampler::new(rate).expect("the rate is sane");
    let mut out = Vec::new();
    resampler.push(samples, &mut out);
    resampler.finish(&mut out);
    out
}

fn sine(rate: u32, hertz: f64, seconds: f64) -> Vec<f32> {
    let frames = (f64::from(rate) * seconds) as usize;
    (0..frames)
        .map(|n| (0.5 * (TAU * hertz * n as f64 / f64::from(rate)).sin()) as f32)
        .collect()
}

/// Level in dB of the middle of `samples` against a sine of 0.5.
fn level(samples: &[f32]) -> f64 {
    let middle = &samples[samples.len() / 4..samples.len() * 3 / 4];
    let power = middle.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / middle.len() as f64;
    10.0 * (power.max(1e-30) / 0.125).log10()
}

#[test]
fn what_would_fold_back_is_suppressed_by_80_decibels() {
    for rate in [22_050, 32_000, 44_100, 48_000, 96_000, 192_000, 44_099] {
        let top = f64::from(rate) / 2.0;
        for hertz in [
            8_100.0, 9_000.0, 10_500.0, 12_345.0, 15_900.0, 20_000.0, 22_000.0, 40_000.0,
        ] {
            if hertz < top {
                let level = level(&resample(rate, &sine(rate, hertz, 0.5)));
                assert!(level < -80.0, "{hertz} Hz at {rate} Hz: {level} dB");
            }
        }
    }
}

#[test]
fn the_band_of_speech_keeps_its_level() {
    for rate in [16_001, 22_050, 44_100, 48_000, 96_000] {
        for hertz in [60.0, 440.0, 3_400.0, 6_000.0, 6_900.0] {
            let level = level(&resample(rate, &sine(rate, hertz, 0.5)));
            assert!(level.abs() < 0.1, "{hertz} Hz at {rate} Hz: {level} dB");
        }
    }
    for hertz in [60.0, 440.0, 3_400.0] {
        let level = level(&resample(8_000, &sine(8_000, hertz, 0.5)));
        assert!(level.abs() < 0.1, "{hertz} Hz at 8000 Hz: {level} dB");
    }
}

#[test]
fn a_resampler_can_be_used_again() {
    let sound = sine(44_100, 500.0, 0.3);
    let mut resampler = Resampler::new(44_100).expect("the rate is sane");
    let mut runs = [Vec::new(), Vec::new()];
    for out in &mut runs {
        resampler.push(&sound, out);
        resampler.finish(out);
    }
    assert_eq!(runs[0], runs[1]);
}

#[test]
fn twenty_minutes_do_not_drift() {
    // A click at the end of every minute comes out where it went in.
    let rate = 44_100;
    let mut resampler = Resampler::new(rate).expect("the rate is sane");
    let mut minute = vec![0.0; 60 * rate as usize];
    minute[60 * rate as usize - rate as usize / 100] = 1.0;
    let mut out = Vec::new();
    let mut at = 0;
    for _ in 0..20 {
        resampler.push(&minute, &mut out);
        let peak = out.iter().position(|s| *s > 0.3);
        at += out.len();
        if let Some(peak) = peak {
            let position = at - out.len() + peak;
            assert_eq!(position % (60 * 16_000), 60 * 16_000 - 160);
        }
        out.clear();
    }
    resampler.finish(&mut out);
    assert_eq!(at + out.len(), 20 * 60 * 16_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_output_is_as_long_as_the_input(
        rate in prop_oneof![
            MINIMUM_RATE..=MAXIMUM_RATE,
            prop::sample::select(vec![8_000u32, 11_025, 16_000, 44_100, 48_000, 192_000]),
        ],
        frames in 0usize..20_000,
    ) {
        let out = resample(rate, &vec![0.1; frames]);
        let expected = (frames as f64 * 16_000.0 / f64::from(rate) + 0.5).floor();
        prop_assert_eq!(out.len(), expected as usize);
    }

    #[test]
    fn a_sine_stays_where_it_is(
        rate in prop_oneof![
            8_000u32..100_000,
            prop::sample::select(vec![8_000u32, 11_025, 22_050, 44_100, 48_000]),
        ],
        hertz in 100.0..3_000.0,
    ) {
        let out = resample(rate, &sine(rate, hertz, 0.3));
        let expected = sine(16_000, hertz, 0.3);
        let middle = out.len() / 4..out.len() * 3 / 4;
        let worst = middle
            .map(|n| (out[n] - expected[n]).abs())
            .fold(0.0, f32::max);
        prop_assert!(worst < 2e-3, "{} at {} Hz", worst, rate);
    }

    #[test]
    fn no_split_of_the_input_changes_a_bit(
        rate in prop::sample::select(vec![8_000u32, 16_000, 22_050, 44_100, 44_099, 48_000]),
        channels in 1u32..5,
        samples in prop::collection::vec(-1.2f32..1.2, 0..6_000),
        cuts in prop::collection::vec(0usize..700, 1..40),
    ) {
        let whole = samples.len() - samples.len() % channels as usize;
        let samples = &samples[..whole];
        let mut converter = Converter::new(rate, channels).unwrap();
        let mut at_once = Vec::new();
        converter.push(samples, &mut at_once).unwrap();
        converter.finish(&mut at_once).unwrap();
        let mut in_parts = Vec::new();
        let mut left = samples;
        for cut in cuts.iter().cycle().take(10_000) {
            let (part, rest) = left.split_at((*cut).min(left.len()));
            converter.push(part, &mut in_parts).unwrap();
            left = rest;
        }
        converter.push(left, &mut in_parts).unwrap();
        converter.finish(&mut in_parts).unwrap();
        prop_assert_eq!(&at_once, &in_parts);
        prop_assert!(at_once.iter().all(|s| s.abs() <= 1.0));
    }

    #[test]
    fn mono_at_16_khz_passes_bit_for_bit(samples in prop::collection::vec(-1.0f32..=1.0, 0..5_000)) {
        let mut converter = Converter::new(16_000, 1).unwrap();
        let mut out = Vec::new();
        converter.push(&samples, &mut out).unwrap();
        converter.finish(&mut out).unwrap();
        let bits = |samples: &[f32]| samples.iter().map(|s| s.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&out), bits(&samples));
    }

    #[test]
    fn any_bytes_give_sound_or_an_error(
        seed in prop::sample::select(vec![
            &include_bytes!("fixtures/sweep-44100-stereo.mp3")[..],
            include_bytes!("fixtures/sweep-48000-mono.ogg"),
            include_bytes!("fixtures/sweep-44100-stereo.m4a"),
            include_bytes!("fixtures/sweep-16000-mono.flac"),
            include_bytes!("fixtures/sweep-22050-mono.aac"),
            include_bytes!("fixtures/sweep-16000-mono-ms-adpcm.wav"),
        ]),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        kept in any::<prop::sample::Index>(),
    ) {
        let mut bytes = seed.to_vec();
        for (at, byte) in changes {
            // The first bytes decide more than the rest, so half of the changes go there.
            let range = if byte & 1 == 0 { bytes.len() } else { 200 };
            bytes[at.index(range)] = byte;
        }
        bytes.truncate(1 + kept.index(2 * bytes.len()));
        let mut out = Vec::new();
        let _ = decode_bytes(&bytes, 200_000, &mut out);
        prop_assert!(out.iter().all(|s| s.abs() <= 1.0));
    }
}
