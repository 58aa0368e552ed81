//! What each `--format` gives of real speech.

use serde_json::Value;

use crate::command::run;
use crate::sample::{sample, words};

fn verbose(arguments: &[&str]) -> Value {
    let all = [
        &[sample().argument(), "--format", "verbose-json"],
        arguments,
    ]
    .concat();
    let line = run(all).success();
    assert_eq!(line.lines().count(), 1, "{line}");
    serde_json::from_str(&line).unwrap()
}

#[test]
fn text_is_the_transcript_alone() {
    let text = run([sample().argument()]).success();
    assert_eq!(words(&text), sample().words);
    assert_eq!(text.lines().count(), 1, "{text:?}");
    assert!(text.ends_with('\n'));
}

#[test]
fn the_base_model_reads_it_too() {
    let text = run([sample().argument(), "--model", "base"]).success();
    assert_eq!(words(&text), sample().words);
}

#[test]
fn one_thread_and_two_read_the_same() {
    let text = |threads| run([sample().argument(), "--threads", threads]).success();
    assert_eq!(text("1"), text("2"));
}

#[test]
fn json_has_the_text_and_nothing_else() {
    let line = run([sample().argument(), "--format", "json"]).success();
    let object: Value = serde_json::from_str(&line).unwrap();
    let object = object.as_object().unwrap();
    assert_eq!(object.len(), 1);
    assert_eq!(words(object["text"].as_str().unwrap()), sample().words);
}

#[test]
fn verbose_json_has_openais_fields() {
    let object = verbose(&[]);
    assert_eq!(object["task"], "transcribe");
    assert_eq!(object["language"], "english");
    let duration = object["duration"].as_f64().unwrap();
    assert!((duration - sample().seconds()).abs() < 0.01, "{duration}");
    assert!(object.get("words").is_none());
    assert!(object.get("file").is_none());

    let segments = object["segments"].as_array().unwrap();
    let mut texts = Vec::new();
    let mut earliest = 0.0;
    for (id, segment) in segments.iter().enumerate() {
        let number = |name: &str| segment[name].as_f64().expect(name);
        assert_eq!(segment["id"], id);
        assert!(segment["seek"].is_u64());
        let (start, end) = (number("start"), number("end"));
        assert!(
            earliest <= start && start < end && end <= duration,
            "{segment}"
        );
        earliest = end;
        let tokens = segment["tokens"].as_array().unwrap();
        assert!(!tokens.is_empty() && tokens.iter().all(Value::is_u64));
        assert_eq!(number("temperature"), 0.0);
        assert!((-1.0..=0.0).contains(&number("avg_logprob")), "{segment}");
        assert!(
            (0.1..2.4).contains(&number("compression_ratio")),
            "{segment}"
        );
        assert!((0.0..0.5).contains(&number("no_speech_prob")), "{segment}");
        texts.push(segment["text"].as_str().unwrap());
    }
    assert_eq!(object["text"], texts.join(" "));
    assert_eq!(words(&texts.join(" ")), sample().words);
}

#[test]
fn words_are_timed_in_order_within_the_sound() {
    for model in ["tiny", "base"] {
        let object = verbose(&["--words", "--model", model]);
        let duration = object["duration"].as_f64().unwrap();
        let timed = object["words"].as_array().unwrap();
        let texts: Vec<_> = timed.iter().map(|w| w["word"].as_str().unwrap()).collect();
        assert_eq!(object["text"], texts.join(" "));
        let mut earliest = 0.0;
        for word in timed {
            let time = |name: &str| word[name].as_f64().expect(name);
            let (start, end) = (time("start"), time("end"));
            assert!(
                earliest <= start && start <= end && end <= duration,
                "{word}"
            );
            earliest = end;
            assert!((0.0..=1.0).contains(&time("probability")), "{word}");
        }
    }
}

#[test]
fn words_are_where_a_person_hears_them() {
    // Three sentences begin behind pauses that are plain to see in the level of the sound:
    // "No matter", "Fail again" and "Fail better".
    const SENTENCES: [(usize, f64); 3] = [(4, 3.52), (8, 6.66), (10, 8.00)];
    let object = verbose(&["--words"]);
    let timed = object["words"].as_array().unwrap();
    for (index, expected) in SENTENCES {
        let start = timed[index]["start"].as_f64().unwrap();
        assert!(
            (start - expected).abs() < 0.25,
            "{}: {expected}",
            timed[index]
        );
    }
}

#[test]
fn srt_has_numbered_cues_with_times() {
    let srt = run([sample().argument(), "--format", "srt"]).success();
    let mut spoken = Vec::new();
    for (index, cue) in srt.trim_end().split("\n\n").enumerate() {
        let lines: Vec<_> = cue.lines().collect();
        assert_eq!(lines[0], (index + 1).to_string());
        assert_clock(lines[1], ',');
        assert!(
            lines[2..].iter().all(|line| line.chars().count() <= 42),
            "{cue}"
        );
        spoken.extend(words(&lines[2..].join(" ")));
    }
    assert_eq!(spoken, sample().words);
}

#[test]
fn vtt_has_a_header_and_cues_with_times() {
    let vtt = run([sample().argument(), "--format", "vtt"]).success();
    let cues = vtt.strip_prefix("WEBVTT\n\n").unwrap();
    let mut spoken = Vec::new();
    for cue in cues.trim_end().split("\n\n") {
        let lines: Vec<_> = cue.lines().collect();
        assert_clock(lines[0], '.');
        spoken.extend(words(&lines[1..].join(" ")));
    }
    assert_eq!(spoken, sample().words);
}

/// `00:00:01,230 --> 00:00:02,050`, forward and within the recording.
fn assert_clock(line: &str, mark: char) {
    let (start, end) = line.split_once(" --> ").unwrap();
    let seconds = |clock: &str| {
        let rest = clock.strip_prefix("00:00:").unwrap();
        let (whole, part) = rest.split_once(mark).unwrap();
        assert_eq!((whole.len(), part.len()), (2, 3), "{line}");
        whole.parse::<f64>().unwrap() + part.parse::<f64>().unwrap() / 1000.0
    };
    assert!(seconds(start) < seconds(end), "{line}");
    assert!(seconds(end) <= sample().seconds(), "{line}");
}
