//! Everything that sound may come in, and transcripts may go out to.

use std::path::Path;

use serde_json::Value;

use crate::command::{run, run_with_input};
use crate::sample::{sample, words};
use crate::wave::{Wave, aiff};

/// What is said in the files of `data` (see its README.md).
const SENTENCE: &str = "My name is John. I live in London with my family.";

/// Writes the file that `bytes` are and transcribes it.
fn transcript_of(name: &str, bytes: &[u8]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    words(&run([path]).success())
}

#[test]
fn compressed_formats_are_read() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("data");
    for extension in ["flac", "mp3", "ogg", "m4a", "aac"] {
        let path = data.join(format!("sentence.{extension}"));
        let text = run([&path]).success();
        assert_eq!(words(&text), words(SENTENCE), "{extension}");
    }
}

#[test]
fn pcm_of_other_depths_is_read() {
    let pcm = &sample().pcm;
    let widened = |bytes: usize| {
        let wide = |sample: &i16| {
            let all = (i32::from(*sample) << 16).to_le_bytes();
            all[4 - bytes..].to_vec()
        };
        Wave {
            bits: 8 * bytes as u16,
            data: pcm.iter().flat_map(wide).collect(),
            ..Wave::of(&[])
        }
    };
    let floats: Vec<f32> = pcm.iter().map(|s| f32::from(*s) / 32_768.0).collect();
    let said = &sample().words;
    assert_eq!(transcript_of("a.wav", &widened(3).bytes()), *said);
    assert_eq!(transcript_of("a.wav", &widened(4).bytes()), *said);
    assert_eq!(
        transcript_of("a.wav", &Wave::of_floats(&floats).bytes()),
        *said
    );
    assert_eq!(transcript_of("a.aiff", &aiff(pcm)), *said);
}

#[test]
fn a_name_says_nothing_about_the_format() {
    assert_eq!(
        transcript_of("a.mp3", &Wave::of(&sample().pcm).bytes()),
        sample().words
    );
}

#[test]
fn another_rate_and_two_channels_are_read() {
    // Three times the rate by straight lines between samples, the second channel silent.
    let pcm = &sample().pcm;
    let mut stereo = Vec::new();
    for pair in pcm.windows(2) {
        let (from, to) = (i32::from(pair[0]), i32::from(pair[1]));
        for third in 0..3 {
            stereo.push((from + (to - from) * third / 3) as i16);
            stereo.push(0);
        }
    }
    let wave = Wave {
        rate: 48_000,
        channels: 2,
        ..Wave::of(&stereo)
    };
    assert_eq!(transcript_of("a.wav", &wave.bytes()), sample().words);
}

#[test]
fn raw_samples_come_on_standard_input() {
    let text = run_with_input(&["-", "--rate", "16000"], &sample().bytes()).success();
    assert_eq!(words(&text), sample().words);

    let twice: Vec<i16> = sample().pcm.iter().flat_map(|s| [*s, *s]).collect();
    let arguments = ["-", "--rate", "16000", "--channels", "2"];
    let text = run_with_input(&arguments, &crate::wave::bytes_of(&twice)).success();
    assert_eq!(words(&text), sample().words);
}

#[test]
fn a_file_comes_on_standard_input() {
    let text = run_with_input(&["-"], &std::fs::read(&sample().path).unwrap()).success();
    assert_eq!(words(&text), sample().words);
}

#[test]
fn several_files_are_one_object_a_line_and_a_bad_one_stops_none() {
    let folder = tempfile::tempdir().unwrap();
    let bad = folder.path().join("not sound.wav");
    std::fs::write(&bad, "Dear diary, nothing happened today.\n").unwrap();
    let (good, bad) = (sample().argument(), bad.to_str().unwrap());
    let answer = run([good, bad, good, "--format", "json"]);
    assert_eq!(answer.code, 13, "{answer:?}");
    assert!(answer.stderr.contains(bad), "{answer:?}");
    let lines: Vec<Value> = answer
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    for line in lines {
        assert_eq!(line["file"], good);
        assert_eq!(words(line["text"].as_str().unwrap()), sample().words);
    }
}

#[test]
fn several_files_are_one_line_of_text_each() {
    let good = sample().argument();
    let answer = run([good, good]);
    assert_eq!(answer.code, 0, "{answer:?}");
    assert_eq!(answer.stdout.lines().count(), 2);
    for line in answer.stdout.lines() {
        assert_eq!(words(line), sample().words);
    }
    assert_eq!(answer.stderr, format!("{good}:\n{good}:\n"));
}

#[test]
fn output_goes_to_a_file_that_was_there_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("transcript.txt");
    for _ in 0..2 {
        let output = path.to_str().unwrap();
        assert_eq!(run([sample().argument(), "--output", output]).success(), "");
        assert_eq!(
            words(&std::fs::read_to_string(&path).unwrap()),
            sample().words
        );
        std::fs::write(&path, "an older transcript").unwrap();
    }
    let left = std::fs::read_dir(folder.path()).unwrap();
    assert_eq!(left.count(), 1, "nothing is left beside the transcript");
}

#[test]
fn output_stays_as_it_was_when_nothing_was_transcribed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("transcript.txt");
    std::fs::write(&path, "an older transcript").unwrap();
    let answer = run(["no-such-file.wav", "--output", path.to_str().unwrap()]);
    assert_eq!(answer.code, 10, "{answer:?}");
    assert_eq!(
        std::fs::read_to_string(&path).unwrap(),
        "an older transcript"
    );
}

#[test]
fn silence_gives_no_text_at_all() {
    let silence = vec![0; 2 * 16_000 * 5];
    let text = run_with_input(&["-", "--rate", "16000"], &silence).success();
    assert_eq!(text, "");
}
