//! Bad input: a message that says what is wrong, an exit code of its own, never a panic.

use std::fs;
use std::path::Path;

use earnest_package::Card;

use crate::command::{Answer, answer, earnest, run, run_with_input};
use crate::sample::{TINY, sample, words};
use crate::support::models;
use crate::wave::Wave;

/// Holds `answer` to what every failure keeps.
fn check(answer: &Answer, code: i32, message: &str) {
    assert_eq!(answer.code, code, "{answer:?}");
    assert!(
        answer.stderr.contains(message),
        "{answer:?} lacks {message}"
    );
    assert_eq!(answer.stderr.lines().count(), 1, "{answer:?}");
    assert!(!answer.stderr.contains("panicked"), "{answer:?}");
}

/// Transcribes a file of `bytes`, which fails with no text.
fn refused(bytes: &[u8], code: i32, message: &str) {
    let answer = run_file(bytes);
    check(&answer, code, message);
    assert_eq!(answer.stdout, "");
}

fn run_file(bytes: &[u8]) -> Answer {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("input.wav");
    fs::write(&path, bytes).unwrap();
    run([path])
}

#[test]
fn a_missing_file_and_a_folder() {
    check(&run(["no-such-file.wav"]), 10, "no-such-file.wav");
    check(&run(["/"]), 10, "directory");
}

#[test]
fn an_empty_file() {
    refused(b"", 12, "empty");
    check(&run_with_input(&["-"], b""), 12, "empty");
    check(&run_with_input(&["-", "--rate", "16000"], b""), 12, "empty");
    refused(&Wave::of(&[]).bytes(), 12, "no samples");
}

#[test]
fn a_text_file() {
    refused(
        b"Dear diary, nothing happened today.\n",
        13,
        "not a sound file",
    );
}

#[test]
fn a_codec_that_is_not_read() {
    let opus =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/sound/tests/fixtures/opus.ogg");
    check(&run([opus]), 14, "not supported");
}

#[test]
fn a_truncated_file_is_transcribed_as_far_as_it_goes() {
    let whole = fs::read(&sample().path).unwrap();
    let answer = run_file(&whole[..whole.len() * 6 / 10]);
    check(&answer, 16, "truncated");
    let said = words(&answer.stdout);
    assert!(said.len() >= 5, "{answer:?}");
    // The word at the cut may be read wrongly.
    assert_eq!(said[..5], sample().words[..5]);
}

#[test]
fn a_header_that_lies_about_the_length() {
    // The file says that it is whole, and its samples that they are fewer than there are.
    let wave = Wave {
        length: Some(16_000),
        ..Wave::of(&sample().pcm)
    };
    let answer = run_file(&wave.bytes());
    check(&answer, 17, "lies about the length");
    assert_eq!(words(&answer.stdout), sample().words);
}

#[test]
fn a_sample_rate_of_zero_or_beyond_reason() {
    for rate in [0, 1, u32::MAX] {
        let wave = Wave {
            rate,
            ..Wave::of(&sample().pcm)
        };
        refused(&wave.bytes(), 18, "sample rate");
    }
    check(
        &run_with_input(&["-", "--rate", "0"], &[0; 64]),
        18,
        "sample rate",
    );
}

#[test]
fn no_channel_and_64_of_them() {
    for channels in [0, 64] {
        let wave = Wave {
            channels,
            ..Wave::of(&sample().pcm)
        };
        refused(&wave.bytes(), 19, "channels");
    }
}

#[test]
fn samples_that_are_no_numbers() {
    for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut pcm = vec![0.0; 32_000];
        pcm[20_000] = wrong;
        refused(&Wave::of_floats(&pcm).bytes(), 20, "not a finite number");
    }
}

#[test]
fn a_broken_header() {
    let mut wave = Wave::of(&sample().pcm).bytes();
    wave[16..20].copy_from_slice(&7_u32.to_le_bytes());
    refused(&wave, 15, "broken WAV header");
}

#[test]
fn a_missing_model() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        sample().argument(),
        "--models",
        folder.path().to_str().unwrap(),
    ];
    let answer = run(arguments);
    check(&answer, 30, "cargo xtask models fetch");
    assert_eq!(answer.stdout, "");
}

#[test]
fn an_unreadable_model() {
    let folder = copied_models();
    let file = folder.path().join(TINY).join("tokenizer.json");
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let arguments = [
        sample().argument(),
        "--models",
        folder.path().to_str().unwrap(),
    ];
    check(&run(arguments), 31, "tokenizer.json");
}

#[test]
fn a_model_with_one_flipped_byte() {
    let folder = copied_models();
    let file = folder.path().join(TINY).join("decoder_model_merged.onnx");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::remove_file(&file).unwrap();
    fs::write(&file, bytes).unwrap();
    let arguments = [
        sample().argument(),
        "--models",
        folder.path().to_str().unwrap(),
    ];
    let answer = run(arguments);
    check(&answer, 32, "decoder_model_merged.onnx");
    assert_eq!(answer.stdout, "");
}

/// The models of this machine in a folder where they may be spoilt.
fn copied_models() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in [TINY, "silero-vad-6.2"] {
        let card = Card::named(name).expect("is compiled in");
        fs::create_dir(folder.path().join(name)).unwrap();
        for file in card.files() {
            let from = models().join(name).join(file.name());
            fs::copy(from, folder.path().join(name).join(file.name()))
                .expect(crate::support::FETCH);
        }
    }
    folder
}

#[test]
fn bad_usage() {
    let refused = |arguments: &[&str], message: &str| {
        let answer = run(arguments);
        assert_eq!(answer.code, 2, "{answer:?}");
        assert!(answer.stderr.contains(message), "{answer:?}");
    };
    refused(&[], "FILE");
    refused(&["a.wav", "--format", "doc"], "doc");
    refused(&["a.wav", "--rate", "8000"], "standard input");
    refused(&["a.wav", "--words"], "verbose-json");
}

#[test]
fn output_that_cannot_be_written() {
    let arguments = [sample().argument(), "--output", "/no-such-folder/out.txt"];
    check(&run(arguments), 40, "/no-such-folder/out.txt");
    if Path::new("/dev/full").exists() {
        check(
            &run([sample().argument(), "--output", "/dev/full"]),
            40,
            "/dev/full",
        );
    }
}

#[test]
fn different_failures_of_several_files_have_a_code_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.wav");
    fs::write(&empty, "").unwrap();
    let answer = run([Path::new("no-such-file.wav"), &empty]);
    assert_eq!(answer.code, 3, "{answer:?}");
    assert_eq!(answer.stderr.lines().count(), 2, "{answer:?}");
}

#[test]
fn a_name_cannot_write_to_the_terminal() {
    let answer = run(["\u{1b}]0;title\u{7}.wav"]);
    check(&answer, 10, "title");
    let mut shown = answer.stderr.trim_end().chars();
    assert!(!shown.any(char::is_control), "{answer:?}");
}

#[test]
fn the_help_tells_the_codes() {
    let help = answer(earnest().arg("--help"), &[]).success();
    for (code, meaning) in [
        ("10", "missing"),
        ("16", "truncated"),
        ("32", "bytes"),
        ("40", "output"),
    ] {
        let told = |line: &str| line.trim().starts_with(code) && line.contains(meaning);
        assert!(help.lines().any(told), "{code} {meaning}: {help}");
    }
}
