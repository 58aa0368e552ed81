//! Everything that can be wrong with a file, each with its own error, and no sound lost.

mod build;

use std::io::{self, Read};
use std::path::Path;

use build::{Outcome, Wave, aiff, drain, read, read_stream};
use earnest_sound::{RawPcm, SoundError, Source, Status};

fn tone(frames: usize) -> Vec<i16> {
    (0..frames)
        .map(|n| (8000.0 * (n as f64 * 0.3).sin()) as i16)
        .collect()
}

#[track_caller]
fn error(outcome: Outcome) -> SoundError {
    outcome.error.expect("the file is bad")
}

#[test]
fn a_missing_file_and_a_directory_cannot_be_opened() {
    for path in ["/nonexistent/sound.wav", "/"] {
        let error = Source::open(Path::new(path)).err().expect("it is no file");
        assert!(matches!(error, SoundError::Open { .. }), "{error}");
        assert!(error.to_string().contains(path));
    }
}

#[test]
fn a_file_on_disk_reads_like_its_bytes() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let path = directory.path().join("no-extension");
    let bytes = Wave::pcm16(48_000, 2, &tone(4800)).bytes();
    std::fs::write(&path, &bytes).expect("the file can be written");
    let outcome = drain(Source::open(&path));
    assert_eq!(outcome.samples, read(&bytes).samples);
    assert_eq!(outcome.samples.len(), 800);
}

#[test]
fn an_empty_file_is_empty() {
    assert!(matches!(error(read(b"")), SoundError::Empty));
    assert!(matches!(error(read_stream(b"")), SoundError::Empty));
}

#[test]
fn what_is_no_sound_says_what_it_looks_like() {
    let mut accented = "Ä".repeat(3000);
    accented.insert(0, 'x');
    for (bytes, expected) in [
        (&b"Dear reader,\nthis is a letter.\n"[..], "text"),
        (accented.as_bytes(), "text"),
        (b"%PDF-1.7\n\xFF", "a PDF document"),
        (b"PK\x03\x04\0\0", "a ZIP archive"),
        (b"\x7FELF\x02", "a program"),
        (b"\x89PNG\r\n\x1A\n", "a picture"),
        (&[0; 5000], "nothing but zeros"),
        (b"\x01\x02\x03", "no format that is known here"),
    ] {
        match error(read(bytes)) {
            SoundError::NotSound { looks_like } => assert_eq!(looks_like, expected),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_long_text_with_marks_of_mp3_frames_is_still_no_sound() {
    let mut bytes = b"some words\n".repeat(1000);
    bytes.extend([0xFF, 0xFB, 0x90, 0x64]);
    assert!(matches!(error(read(&bytes)), SoundError::NotSound { .. }));
}

#[test]
fn formats_and_codecs_that_are_not_read_are_named() {
    let webm = error(read(b"\x1A\x45\xDF\xA3\x93\x42\x82\x88webm"));
    assert!(
        matches!(webm, SoundError::UnsupportedFormat { .. }),
        "{webm}"
    );
    for (bytes, name) in [
        (&include_bytes!("fixtures/opus.ogg")[..], "Opus"),
        (
            include_bytes!("fixtures/layer-two.mp2"),
            "MPEG layer I or II",
        ),
        (
            &Wave {
                tag: 0x55,
                ..Wave::pcm16(16_000, 1, &tone(9))
            }
            .bytes(),
            "MP3",
        ),
        (
            &Wave {
                tag: 0x161,
                ..Wave::pcm16(16_000, 1, &tone(9))
            }
            .bytes(),
            "number 0x0161",
        ),
        (
            &Wave {
                bits: 64,
                ..Wave::pcm16(16_000, 1, &tone(9))
            }
            .bytes(),
            "PCM in 64-bit integers",
        ),
        (
            &aiff(16_000, 1, 16, Some(b"ima4"), 9, &[0; 18]),
            "IMA4 in 16 bits",
        ),
    ] {
        match error(read(bytes)) {
            SoundError::UnsupportedCodec { codec, .. } => assert_eq!(codec, name),
            other => panic!("expected {name}, found {other}"),
        }
    }
}

#[test]
fn a_video_without_a_soundtrack_has_no_audio() {
    let found = error(read(include_bytes!("fixtures/video-only.mp4")));
    assert!(matches!(found, SoundError::NoAudioTrack { .. }), "{found}");
}

#[test]
fn rates_of_zero_and_beyond_reason_are_named() {
    for rate in [0, 1, 3_999, 768_001, 4_000_000_000] {
        for bytes in [
            Wave::pcm16(rate, 1, &tone(100)).bytes(),
            aiff(rate, 1, 16, None, 100, &[0; 200]),
        ] {
            match error(read(&bytes)) {
                SoundError::SampleRate { found } => assert_eq!(found, u64::from(rate)),
                other => panic!("{other}"),
            }
        }
    }
    let mut flac = include_bytes!("fixtures/sweep-16000-mono.flac").to_vec();
    flac[18..20].fill(0);
    flac[20] &= 0x0F;
    assert!(matches!(
        error(read(&flac)),
        SoundError::SampleRate { found: 0 }
    ));
    let mut ogg = include_bytes!("fixtures/sweep-48000-mono.ogg").to_vec();
    ogg[40..44].fill(0);
    assert!(matches!(
        error(read(&ogg)),
        SoundError::SampleRate { found: 0 }
    ));
}

#[test]
fn rates_at_the_bounds_are_read() {
    for rate in [4_000, 768_000] {
        let outcome = read(&Wave::pcm16(rate, 1, &tone(rate as usize / 10)).bytes());
        assert!(outcome.error.is_none());
        assert_eq!(outcome.samples.len(), 1600);
    }
}

#[test]
fn too_many_channels_and_none_are_named() {
    for channels in [0, 33, 64, 65_535] {
        for bytes in [
            Wave::pcm16(16_000, channels, &[0; 1024]).bytes(),
            aiff(16_000, channels, 16, None, 16, &[0; 2048]),
        ] {
            match error(read(&bytes)) {
                SoundError::Channels { found } => assert_eq!(found, u32::from(channels)),
                other => panic!("{other}"),
            }
        }
    }
}

#[test]
fn a_sample_that_is_no_number_is_named_after_the_sound_before_it() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut samples = vec![0.25; 20_000];
        samples[12_345] = bad;
        let outcome = read(&Wave::float(16_000, 2, &samples).bytes());
        assert_eq!(outcome.samples.len(), 6172);
        match outcome.error {
            Some(SoundError::NotFinite { frame, channel }) => {
                assert_eq!((frame, channel), (6172, 1))
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_header_without_samples_has_none() {
    for bytes in [
        Wave::pcm16(16_000, 1, &[]).bytes(),
        aiff(16_000, 1, 16, None, 0, &[]),
    ] {
        let found = error(read(&bytes));
        assert!(matches!(found, SoundError::NoSamples { .. }), "{found}");
    }
    let mut listed = Wave::pcm16(16_000, 1, &[]);
    listed.trailer = b"LIST\x04\0\0\0INFO".to_vec();
    assert!(matches!(
        error(read(&listed.bytes())),
        SoundError::NoSamples { .. }
    ));
}

#[test]
fn a_wav_cut_short_is_truncated_and_keeps_its_sound() {
    let whole = Wave::pcm16(16_000, 1, &tone(10_000)).bytes();
    let all = read(&whole).samples;
    for kept in [46, 1000, 10_043, 20_043] {
        for outcome in [read(&whole[..kept]), read_stream(&whole[..kept])] {
            let frames = (kept - 44) / 2;
            assert_eq!(outcome.samples, all[..frames]);
            match outcome.error {
                Some(SoundError::Truncated { declared, decoded }) => {
                    assert_eq!((declared, decoded), (Some(10_000), frames as u64));
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn a_file_cut_in_its_header_is_truncated() {
    let wave = Wave::pcm16(16_000, 1, &tone(100)).bytes();
    let aiff = aiff(16_000, 1, 16, None, 100, &[1; 200]);
    let flac = include_bytes!("fixtures/sweep-16000-mono.flac");
    let m4a = include_bytes!("fixtures/sweep-44100-stereo.m4a");
    let ogg = include_bytes!("fixtures/sweep-48000-mono.ogg");
    for (bytes, kept) in [
        (&wave[..], 30),
        (&aiff, 30),
        (flac, 30),
        (m4a, 6000),
        (ogg, 100),
    ] {
        let found = error(read(&bytes[..kept]));
        assert!(
            matches!(found, SoundError::Truncated { decoded: 0, .. }),
            "{kept}: {found}"
        );
        assert!(!found.leaves_sound_usable());
    }
}

#[test]
fn a_header_that_promises_too_much_or_too_little_lies() {
    let honest = Wave::pcm16(16_000, 1, &tone(10_000));
    for declared in [30_000, 5_000, 1] {
        let wave = Wave {
            data_bytes: Some(2 * declared),
            ..honest.clone()
        };
        for outcome in [read(&wave.bytes()), read_stream(&wave.bytes())] {
            assert_eq!(outcome.samples, read(&honest.bytes()).samples);
            let found = outcome.error.expect("the header lies");
            assert!(found.leaves_sound_usable());
            match found {
                SoundError::HeaderLength {
                    declared: d,
                    decoded,
                } => {
                    assert_eq!((d, decoded), (u64::from(declared), 10_000));
                }
                other => panic!("{declared}: {other}"),
            }
        }
    }
}

#[test]
fn an_aiff_whose_two_lengths_disagree_lies() {
    let found = error(read(&aiff(16_000, 1, 16, None, 50, &[1; 400])));
    assert!(
        matches!(
            found,
            SoundError::HeaderLength {
                declared: 50,
                decoded: 200
            }
        ),
        "{found}"
    );
    let whole = aiff(16_000, 1, 16, None, 200, &[1; 400]);
    let found = error(read(&whole[..300]));
    assert!(
        matches!(
            found,
            SoundError::Truncated {
                declared: Some(200),
                decoded: 123
            }
        ),
        "{found}"
    );
}

#[test]
fn flac_tells_a_cut_from_a_lie() {
    let whole = include_bytes!("fixtures/sweep-16000-mono.flac");
    let cut = read(&whole[..whole.len() * 2 / 3]);
    assert!(cut.samples.len() > 4000);
    assert!(matches!(
        cut.error,
        Some(SoundError::Truncated {
            declared: Some(16_000),
            ..
        })
    ));
    for total in [32_000u32, 8_000] {
        let mut lying = whole.to_vec();
        lying[22..26].copy_from_slice(&total.to_be_bytes());
        let outcome = read(&lying);
        assert_eq!(outcome.samples, read(whole).samples);
        assert!(
            matches!(
                outcome.error,
                Some(SoundError::HeaderLength {
                    decoded: 16_000,
                    ..
                })
            ),
            "{:?}",
            outcome.error
        );
    }
}

#[test]
fn compressed_files_cut_short_are_truncated_and_keep_their_sound() {
    for whole in [
        &include_bytes!("fixtures/sweep-44100-stereo.mp3")[..],
        include_bytes!("fixtures/sweep-48000-mono.ogg"),
        include_bytes!("fixtures/sweep-44100-stereo-index-first.m4a"),
    ] {
        let cut = &whole[..whole.len() * 2 / 3];
        for outcome in [read(cut), read_stream(cut)] {
            let error = outcome.error.expect("the file is cut");
            assert!(
                matches!(error, SoundError::Truncated { decoded: 1.., .. }),
                "{error}"
            );
            assert!(
                outcome.samples.len() > 3000,
                "{} samples",
                outcome.samples.len()
            );
        }
    }
}

#[test]
fn an_mp3_longer_than_it_says_is_read_to_its_end() {
    let one = include_bytes!("fixtures/sweep-44100-stereo.mp3");
    let outcome = read(&[&one[..], &one[..], &one[..]].concat());
    assert!(
        outcome.samples.len() > 47_000,
        "{} samples",
        outcome.samples.len()
    );
    assert!(matches!(
        outcome.error,
        Some(SoundError::HeaderLength {
            declared: 44_100,
            ..
        })
    ));
}

#[test]
fn damage_in_the_middle_is_passed_over_and_keeps_the_time() {
    for (whole, length) in [
        (
            &include_bytes!("fixtures/sweep-16000-mono.flac")[..],
            16_000,
        ),
        (include_bytes!("fixtures/sweep-44100-stereo.mp3"), 16_000),
        (include_bytes!("fixtures/sweep-48000-mono.ogg"), 16_000),
    ] {
        let mut damaged = whole.to_vec();
        let late = damaged.len() * 3 / 4;
        damaged[late..late + 40].fill(0x55);
        let outcome = read(&damaged);
        assert!(outcome.error.is_none(), "{:?}", outcome.error);
        assert_eq!(outcome.samples.len(), length);
        let tail = length - 1500..length - 100;
        assert_eq!(outcome.samples[tail.clone()], read(whole).samples[tail]);
    }
}

#[test]
fn an_m4a_with_its_index_behind_cannot_be_streamed() {
    let found = error(read_stream(include_bytes!(
        "fixtures/sweep-44100-stereo.m4a"
    )));
    assert!(matches!(found, SoundError::NotStreamable { .. }), "{found}");
}

struct Failing(Vec<u8>, usize);

impl Read for Failing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.1 == self.0.len() {
            return Err(io::Error::other("the disk is on fire"));
        }
        let count = buffer.len().min(self.0.len() - self.1);
        buffer[..count].copy_from_slice(&self.0[self.1..self.1 + count]);
        self.1 += count;
        Ok(count)
    }
}

#[test]
fn a_disk_that_fails_is_not_taken_for_the_end() {
    for whole in [
        &include_bytes!("fixtures/sweep-16000-mono.flac")[..],
        include_bytes!("fixtures/sweep-44100-stereo.mp3"),
        include_bytes!("fixtures/sweep-48000-mono.ogg"),
        include_bytes!("fixtures/sweep-16000-mono-ima-adpcm.wav"),
    ] {
        let part = whole[..whole.len() * 3 / 4].to_vec();
        let found = error(drain(Source::from_reader(Failing(part, 0))));
        assert!(matches!(found, SoundError::Read(_)), "{found}");
        assert!(found.to_string().contains("on fire"), "{found}");
    }
}

fn raw(bytes: &[u8], channels: u32) -> (Vec<f32>, Option<SoundError>) {
    let mut pcm = RawPcm::new(bytes, 16_000, channels).expect("the format is sane");
    let mut samples = Vec::new();
    loop {
        match pcm.read(&mut samples) {
            Ok(Status::More) => {}
            Ok(Status::End) => return (samples, None),
            Err(error) => return (samples, Some(error)),
        }
    }
}

#[test]
fn raw_samples_are_read_and_their_end_is_checked() {
    assert!(matches!(raw(b"", 1).1, Some(SoundError::Empty)));
    assert!(raw(&[0, 64, 0, 192], 1).1.is_none());
    for (bytes, channels) in [(&[0, 64, 0][..], 1), (&[0, 64, 0, 64, 0, 64], 2)] {
        let (samples, error) = raw(bytes, channels);
        assert_eq!(samples, [0.5]);
        assert!(matches!(
            error,
            Some(SoundError::Truncated {
                declared: None,
                decoded: 1
            })
        ));
    }
    assert!(matches!(
        RawPcm::new(&b""[..], 0, 1).err(),
        Some(SoundError::SampleRate { found: 0 })
    ));
}
