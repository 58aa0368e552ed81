//! Every format comes out as the sound that went in.

mod build;

use build::{Wave, aiff, read, read_stream, signal_to_noise, sweep, sweep_from};

fn integers(bits: u32, rate: u32) -> Vec<i32> {
    let scale = f64::from(2u32.pow(bits - 1));
    sweep(rate, rate as usize)
        .iter()
        .map(|s| (s * scale).round() as i32)
        .collect()
}

/// Checks 16 kHz samples against the sweep.
fn check(found: &[f32], decibels: f64) {
    let expected = sweep(16_000, 16_000);
    assert_eq!(found.len(), expected.len());
    let ratio = signal_to_noise(&expected, found);
    assert!(ratio > decibels, "{ratio} dB, expected {decibels}");
}

#[test]
fn wav_of_every_depth_gives_the_samples() {
    let bytes: [(u16, u16, Vec<u8>, f64); 6] = [
        (
            1,
            8,
            integers(8, 16_000)
                .iter()
                .map(|s| (s + 128) as u8)
                .collect(),
            30.0,
        ),
        (
            1,
            16,
            integers(16, 16_000)
                .iter()
                .flat_map(|s| (*s as i16).to_le_bytes())
                .collect(),
            80.0,
        ),
        (
            1,
            24,
            integers(24, 16_000)
                .iter()
                .flat_map(|s| s.to_le_bytes()[..3].to_vec())
                .collect(),
            120.0,
        ),
        (
            1,
            32,
            integers(32, 16_000)
                .iter()
                .flat_map(|s| s.to_le_bytes())
                .collect(),
            130.0,
        ),
        (
            3,
            32,
            sweep(16_000, 16_000)
                .iter()
                .flat_map(|s| (*s as f32).to_le_bytes())
                .collect(),
            130.0,
        ),
        (
            3,
            64,
            sweep(16_000, 16_000)
                .iter()
                .flat_map(|s| s.to_le_bytes())
                .collect(),
            130.0,
        ),
    ];
    for (tag, bits, data, decibels) in bytes {
        let wave = Wave {
            tag,
            bits,
            data,
            ..Wave::pcm16(16_000, 1, &[])
        };
        let outcome = read(&wave.bytes());
        assert!(outcome.error.is_none(), "{bits} bits: {:?}", outcome.error);
        check(&outcome.samples, decibels);
        assert_eq!(read_stream(&wave.bytes()).samples, outcome.samples);
    }
}

#[test]
fn aiff_of_every_depth_gives_the_samples() {
    type Case<'a> = (u16, Option<&'a [u8; 4]>, Vec<u8>, f64);
    let big = |bits: u32| -> Vec<u8> {
        let bytes = bits as usize / 8;
        integers(bits, 16_000)
            .iter()
            .flat_map(|s| s.to_be_bytes()[4 - bytes..].to_vec())
            .collect()
    };
    let little: Vec<u8> = integers(16, 16_000)
        .iter()
        .flat_map(|s| (*s as i16).to_le_bytes())
        .collect();
    let floats: Vec<u8> = sweep(16_000, 16_000)
        .iter()
        .flat_map(|s| (*s as f32).to_be_bytes())
        .collect();
    let cases: [Case<'_>; 6] = [
        (8, None, big(8), 30.0),
        (16, None, big(16), 80.0),
        (24, None, big(24), 120.0),
        (32, None, big(32), 130.0),
        (16, Some(b"sowt"), little, 80.0),
        (32, Some(b"fl32"), floats, 130.0),
    ];
    for (bits, compression, data, decibels) in cases {
        let bytes = aiff(16_000, 1, bits, compression, 16_000, &data);
        let outcome = read(&bytes);
        assert!(outcome.error.is_none(), "{bits} bits: {:?}", outcome.error);
        check(&outcome.samples, decibels);
        assert_eq!(read_stream(&bytes).samples, outcome.samples);
    }
}

#[test]
fn wav_at_other_rates_is_resampled_in_place() {
    for rate in [
        8_000, 11_025, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 44_099, 17_321,
    ] {
        let samples: Vec<i16> = integers(16, rate).iter().map(|s| *s as i16).collect();
        let outcome = read(&Wave::pcm16(rate, 1, &samples).bytes());
        assert!(outcome.error.is_none());
        assert_eq!(outcome.samples.len(), 16_000, "at {rate} Hz");
        // Off the ends, where the sweep starts and stops at once and so has no band limit.
        let expected = sweep(16_000, 16_000);
        let ratio = signal_to_noise(&expected[200..15_800], &outcome.samples[200..15_800]);
        assert!(ratio > 75.0, "{ratio} dB at {rate} Hz");
    }
}

#[test]
fn channels_are_mixed_by_their_mean() {
    for channels in [2u16, 6, 32] {
        let one = sweep(16_000, 4000);
        let samples: Vec<f32> = one
            .iter()
            .flat_map(|s| (0..channels).map(move |c| if c == 0 { *s as f32 } else { 0.0 }))
            .collect();
        let outcome = read(&Wave::float(16_000, channels, &samples).bytes());
        let expected: Vec<f64> = one.iter().map(|s| s / f64::from(channels)).collect();
        assert!(outcome.error.is_none());
        assert!(signal_to_noise(&expected, &outcome.samples) > 120.0);
    }
}

/// Reads a fixture and compares it with the sweep, which starts `delay` seconds late.
fn fixture(bytes: &[u8], names: (&str, &str), length: Option<u64>, decibels: f64, delay: f64) {
    let outcome = read(bytes);
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    let info = outcome.info.expect("it was opened");
    assert_eq!((info.format, info.codec), names);
    assert_eq!(info.length_frames, length);
    let ratio = delayed(&outcome.samples, delay);
    assert!(ratio > decibels, "{ratio} dB");
}

/// The signal-to-noise ratio of the sweep, off its ends, when it starts `delay` seconds late.
fn delayed(found: &[f32], delay: f64) -> f64 {
    let expected = sweep_from(-delay, 16_000, found.len());
    signal_to_noise(&expected[1500..15_500], &found[1500..15_500])
}

#[test]
fn flac() {
    let bytes = include_bytes!("fixtures/sweep-16000-mono.flac");
    fixture(bytes, ("FLAC", "flac"), Some(16_000), 80.0, 0.0);
    assert_eq!(read_stream(bytes).samples, read(bytes).samples);
}

#[test]
fn mp3_without_its_encoders_delay() {
    let bytes = include_bytes!("fixtures/sweep-44100-stereo.mp3");
    fixture(bytes, ("MP3", "mp3"), Some(44_100), 25.0, 0.0);
    assert_eq!(read(bytes).samples.len(), 16_000);
    assert_eq!(read_stream(bytes).samples, read(bytes).samples);
}

#[test]
fn mp3_without_a_length() {
    let bytes = include_bytes!("fixtures/sweep-22050-mono-no-length.mp3");
    // Nothing says so, but the encoder and the decoder delay by 576 and 529 frames.
    fixture(bytes, ("MP3", "mp3"), None, 20.0, 1105.0 / 22_050.0);
}

#[test]
fn mp3_behind_tags() {
    let sound = include_bytes!("fixtures/sweep-44100-stereo.mp3");
    // The encoder put a tag in front; another with a picture of 70 kB comes before it.
    let mut tagged = b"ID3\x04\0\0\0\x04\x22\x70".to_vec();
    tagged.extend(vec![0xFF; (4 << 14) + (0x22 << 7) + 0x70]);
    tagged.extend(sound);
    assert_eq!(read(&tagged).samples, read(sound).samples);
    assert_eq!(read_stream(&tagged).samples, read(sound).samples);
}

#[test]
fn ogg_vorbis() {
    let bytes = include_bytes!("fixtures/sweep-48000-mono.ogg");
    fixture(bytes, ("Ogg", "vorbis"), Some(48_000), 20.0, 0.0);
    assert_eq!(read(bytes).samples.len(), 16_000);
    assert_eq!(read_stream(bytes).samples.len(), 16_000);
}

#[test]
fn chained_ogg_reads_on() {
    let one = include_bytes!("fixtures/sweep-48000-mono.ogg");
    let outcome = read_stream(&[&one[..], &one[..]].concat());
    assert!(outcome.error.is_none(), "{:?}", outcome.error);
    assert_eq!(outcome.samples.len(), 32_000);
}

#[test]
fn m4a_without_its_encoders_delay() {
    for bytes in [
        include_bytes!("fixtures/sweep-44100-stereo.m4a"),
        include_bytes!("fixtures/sweep-44100-stereo-index-first.m4a"),
    ] {
        fixture(bytes, ("M4A", "aac"), Some(45_124), 25.0, 0.0);
    }
    // A stream cannot go back to read the edit list, so the run-in of 1,024 frames stays.
    let stream = read_stream(include_bytes!(
        "fixtures/sweep-44100-stereo-index-first.m4a"
    ));
    assert!(stream.error.is_none(), "{:?}", stream.error);
    assert!(delayed(&stream.samples, 1024.0 / 44_100.0) > 25.0);
}

#[test]
fn aac_in_adts() {
    let bytes = include_bytes!("fixtures/sweep-22050-mono.aac");
    fixture(bytes, ("AAC", "aac"), None, 20.0, 1024.0 / 22_050.0);
}

#[test]
fn adpcm() {
    let ima = include_bytes!("fixtures/sweep-16000-mono-ima-adpcm.wav");
    fixture(ima, ("WAV", "adpcm_ima_wav"), Some(16_328), 20.0, 0.0);
    let ms = include_bytes!("fixtures/sweep-16000-mono-ms-adpcm.wav");
    fixture(ms, ("WAV", "adpcm_ms"), Some(16_288), 20.0, 0.0);
}

#[test]
fn lengths_of_programs_that_write_to_pipes_are_no_lies() {
    let samples: Vec<i16> = (0..4000).map(|s| s as i16).collect();
    let wave = Wave::pcm16(16_000, 1, &samples);
    for (riff, data) in [
        (u32::MAX, u32::MAX),
        (0x7FFF_F024, 0x7FFF_F000),
        (0x8000_0024, 0x8000_0000),
        (0x7FFF_FFFF, 0x7FFF_FFDB),
        (0, 0),
        (36, 0),
    ] {
        let wave = Wave {
            riff_bytes: Some(riff),
            data_bytes: Some(data),
            ..wave.clone()
        };
        for outcome in [read(&wave.bytes()), read_stream(&wave.bytes())] {
            assert!(outcome.error.is_none(), "{data:#x}: {:?}", outcome.error);
            assert_eq!(outcome.samples.len(), 4000);
            assert_eq!(outcome.info.expect("it was opened").length_frames, None);
        }
    }
}

#[test]
fn chunks_behind_the_samples_are_not_heard() {
    let mut wave = Wave::pcm16(16_000, 1, &[100; 1000]);
    wave.trailer = b"LIST\x10\x27\0\0".to_vec();
    wave.trailer.extend([7; 10_000]);
    for outcome in [read(&wave.bytes()), read_stream(&wave.bytes())] {
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        assert_eq!(outcome.samples.len(), 1000);
    }
}

#[test]
fn samples_beyond_full_scale_are_clamped() {
    let outcome = read(&Wave::float(16_000, 1, &[0.5, 1.5, -7.0, 1.0, 1e30]).bytes());
    assert!(outcome.error.is_none());
    assert_eq!(outcome.samples, [0.5, 1.0, -1.0, 1.0, 1.0]);
}
