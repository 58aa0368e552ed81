//! ALSA's file plugin: a device that plays a file, as fast as it is read.

use std::fs;
use std::path::{Path, PathBuf};

use earnest_audio::{DeviceWish, Loss, Microphone, MicrophoneOptions, Sounding, devices};
use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::house::{AT_ONCE, alsa, lost, next, opened, program, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("every_sample_of_a_file_arrives_in_order", in_order),
        trial(
            "a_file_that_ends_in_silence_is_silent_from_then_on",
            after_the_end,
        ),
        trial(
            "a_device_without_a_clock_is_refused_unless_it_is_asked_for",
            without_a_clock,
        ),
        trial(
            "a_device_is_found_by_its_name_or_what_it_says_of_itself",
            by_name,
        ),
        trial("the_devices_that_there_are_are_told", told),
        trial("a_rate_that_is_wished_for_is_had", rate),
    ]
}

/// A device for each name that plays the folder's file `sound.raw`.
fn files(folder: &Path, names: &[(&str, &str)]) -> String {
    let sound = folder.join("sound.raw");
    let sound = sound.display();
    let file = format!("type file slave.pcm null file /dev/null infile \"{sound}\" format raw");
    let devices = names.iter().map(|(name, says)| {
        format!("pcm.{name} {{ {file} hint {{ show on description \"{says}\" }} }}\n")
    });
    devices.collect()
}

/// A folder in which the default device plays `samples`, and what captures it.
fn house(samples: impl IntoIterator<Item = i16>) -> (TempDir, earnest_audio::CaptureProgram) {
    let folder = tempfile::tempdir().expect("a folder for tests");
    let bytes: Vec<u8> = samples.into_iter().flat_map(i16::to_le_bytes).collect();
    fs::write(folder.path().join("sound.raw"), bytes).expect("the folder can be written");
    let devices = files(
        folder.path(),
        &[
            ("!default", "The usual"),
            ("desk", "Something Else"),
            ("lamp", "Desk Lamp"),
        ],
    );
    let configuration = alsa(folder.path(), &devices);
    let program = program(&["capture"], &[("ALSA_CONFIG_PATH", &configuration)]);
    (folder, program)
}

/// A configuration in which the default device is silent and has no clock.
pub(crate) fn silence(folder: &Path) -> PathBuf {
    fs::write(folder.join("sound.raw"), [0; 32_000]).expect("the folder can be written");
    alsa(folder, &files(folder, &[("!default", "Silence")]))
}

fn lossless() -> MicrophoneOptions {
    MicrophoneOptions {
        lossless: true,
        ..MicrophoneOptions::default()
    }
}

/// So many samples after the opening.
async fn heard(microphone: &mut Microphone, count: usize) -> Vec<i16> {
    let mut samples = Vec::new();
    while samples.len() < count {
        match next(microphone).await {
            Sounding::Sound(pcm) => {
                assert!(pcm.len() >= 640 && pcm.len() <= 3_200, "{}", pcm.len());
                let (pcm, _) = pcm.as_chunks::<2>();
                samples.extend(pcm.iter().map(|sample| i16::from_le_bytes(*sample)));
            }
            other => panic!("{other:?}"),
        }
    }
    samples.truncate(count);
    samples
}

/// A minute that repeats nothing within two seconds.
fn minute() -> impl Iterator<Item = i16> {
    (0..60 * 16_000u32).map(|n| (n.wrapping_mul(40_503) >> 3) as i16)
}

async fn in_order() {
    let (_folder, program) = house(minute());
    let mut microphone = Microphone::open(program, lossless());
    let (_, rate, losses) = opened(&mut microphone).await;
    assert_eq!((rate, losses), (16_000, Vec::new()));
    let expected: Vec<i16> = minute().collect();
    let heard = heard(&mut microphone, expected.len()).await;
    let first = heard.iter().zip(&expected).position(|(a, b)| a != b);
    assert_eq!(first, None, "the first sample that differs");
}

async fn after_the_end() {
    // What the plugin read last, it gives for ever: here, silence.
    let sound: Vec<i16> = minute().take(8_000).collect();
    let (_folder, program) = house(sound.iter().copied().chain([0; 16_000]));
    let mut microphone = Microphone::open(program, lossless());
    opened(&mut microphone).await;
    let heard = heard(&mut microphone, 200_000).await;
    assert_eq!(heard[..sound.len()], sound);
    assert!(heard[sound.len()..].iter().all(|sample| *sample == 0));
}

async fn without_a_clock() {
    let (_folder, program) = house([0; 16_000]);
    let options = MicrophoneOptions::default();
    let mut microphone = Microphone::open_with(program, options, AT_ONCE);
    let mut lost = 0;
    let why = loop {
        match next(&mut microphone).await {
            Sounding::Overrun { frames } => lost += frames,
            Sounding::Lost { why, .. } => break why,
            Sounding::Opened { .. } | Sounding::Sound(_) => {}
        }
    };
    assert_eq!(why, Loss::TooFast);
    assert!(lost > 0, "nothing was dropped");
}

async fn by_name() {
    let (_folder, program) = house([0; 16_000]);
    for (wish, expected) in [
        ("", Some("default")),
        ("desk", Some("desk")),
        ("DESK", Some("desk")),
        ("desk*", Some("desk")),
        ("*lamp", Some("lamp")),
        ("something", Some("desk")),
        ("chair", None),
    ] {
        let options = MicrophoneOptions {
            device: wish.parse::<DeviceWish>().expect("a pattern"),
            ..lossless()
        };
        let mut microphone = Microphone::open_with(program.clone(), options, AT_ONCE);
        match expected {
            Some(name) => assert_eq!(opened(&mut microphone).await.0, name, "{wish}"),
            None => assert_eq!(lost(&mut microphone).await, (Loss::NotFound, 0)),
        }
    }
}

async fn told() {
    let (_folder, program) = house([0; 16_000]);
    let devices = devices(&program).await.expect("they are told");
    assert!(devices[0].is_default, "{devices:?}");
    let desk = devices.iter().find(|device| device.name == "desk");
    let desk = desk.expect("it is among them");
    assert_eq!(desk.description, "Something Else");
    assert!(desk.rates.contains(&16_000) && desk.rates.contains(&48_000));
    assert_eq!(desk.channels, [1, 2, 3, 4, 5, 6, 7, 8]);
    assert!(devices.iter().all(|device| device.name != "null"));
}

async fn rate() {
    let (_folder, program) = house(minute());
    let options = MicrophoneOptions {
        rate: Some(44_100),
        ..lossless()
    };
    let mut microphone = Microphone::open(program, options);
    assert_eq!(opened(&mut microphone).await.1, 44_100);
}
