//! The transcriber with a detector and a recogniser that follow a script.

use proptest::prelude::*;

use super::*;
use crate::FRAME_SAMPLES;

/// Says that a frame is speech when its first sample is loud.
struct Loud {
    resets: usize,
}

impl DetectSpeech for Loud {
    fn probability(&mut self, frame: &[f32; FRAME_SAMPLES]) -> Result<f32, SpeechError> {
        let loudest = frame
            .iter()
            .fold(0.0f32, |peak, sample| peak.max(sample.abs()));
        Ok(if loudest > 0.2 { 0.99 } else { 0.01 })
    }

    fn reset(&mut self) {
        self.resets += 1;
    }
}

/// Gives one answer after the other, and remembers how much it was given to read.
#[derive(Default)]
struct Script {
    answers: Vec<Vec<u32>>,
    read: Vec<usize>,
}

impl Recognize for Script {
    fn recognize(
        &mut self,
        pcm: &[f32],
        _options: &DecodeOptions,
    ) -> Result<Hypothesis, SpeechError> {
        let tokens = self.answers.get(self.read.len()).cloned();
        let tokens = tokens.unwrap_or_else(|| vec![1, 2]);
        self.read.push(pcm.len());
        Ok(Hypothesis {
            logprobs: vec![-0.1; tokens.len() + 1],
            tokens,
            ended: true,
            cross_attention: None,
        })
    }
}

fn tokenizer() -> Arc<Tokenizer> {
    let json = br#"{
        "model": {"type": "BPE", "vocab": {
            "<s>": 0, "\u2581Hi": 1, "\u2581there": 2, "\u2581\u266a": 3}},
        "added_tokens": [{"id": 0, "content": "<s>", "special": true}],
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
    }"#;
    Arc::new(Tokenizer::from_json(json).expect("a tokenizer"))
}

/// A word of half a second at each of `seconds`, its level swinging as a voice's does.
fn words(length: f32, seconds: &[f32]) -> Vec<f32> {
    let mut pcm = vec![0.0005; (length * 16_000.0) as usize];
    for second in seconds {
        let start = (second * 16_000.0) as usize;
        for (n, sample) in pcm[start..].iter_mut().take(8_000).enumerate() {
            let swell = if (n / 1_500).is_multiple_of(2) {
                0.9
            } else {
                0.3
            };
            *sample = swell * (n as f32 * 0.1).sin();
        }
    }
    pcm
}

fn transcribe(script: &mut Script, pcm: &[f32], blocks: &[usize]) -> Vec<Event> {
    let mut detector = Loud { resets: 0 };
    let options = TranscriberOptions::default();
    let mut transcriber = Transcriber::new(script, &mut detector, tokenizer(), options);
    let mut events = Vec::new();
    let mut rest = pcm;
    for block in blocks.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at((*block).min(rest.len()));
        events.extend(transcriber.push(now).expect("finite"));
        rest = later;
    }
    assert_eq!(transcriber.heard(), pcm.len() as u64);
    events.extend(transcriber.finish().expect("finite"));
    assert_eq!(detector.resets, 1);
    events
}

#[test]
fn a_word_is_announced_then_read() {
    let events = transcribe(&mut Script::default(), &words(6.0, &[2.0]), &[4096]);
    let [Event::SpeechStarted { at }, Event::Segment(segment)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(*at, segment.start);
    assert_eq!(segment.text, "Hi there");
    assert!(segment.start < 2 * 16_000 && segment.end > 2 * 16_000 + 8_000);
    assert_eq!(segment.hypothesis.tokens, [1, 2]);
    assert!(segment.no_speech_probability < 0.02);
    assert!(segment.compression_ratio > 0.0);
    assert_eq!(segment.pcm.len() as u64, segment.end - segment.start);
}

#[test]
fn the_last_segment_ends_with_the_stream() {
    let pcm = words(2.3, &[1.9]);
    let events = transcribe(&mut Script::default(), &pcm, &[1000]);
    let Some(Event::Segment(segment)) = events.last() else {
        panic!("{events:?}");
    };
    assert_eq!(segment.end, pcm.len() as u64);
    assert_eq!(segment.boundary, Boundary::End);
}

#[test]
fn invented_text_is_dropped_with_its_reason() {
    let mut script = Script {
        answers: vec![vec![3, 3]],
        ..Script::default()
    };
    let events = transcribe(&mut script, &words(6.0, &[2.0]), &[4096]);
    let [
        Event::SpeechStarted { at },
        Event::Dropped { start, reason, .. },
    ] = &events[..]
    else {
        panic!("{events:?}");
    };
    assert_eq!((at, *reason), (start, Reason::NoWords));
}

#[test]
fn loops_are_cut_from_the_text() {
    let mut script = Script {
        answers: vec![[1, 2].repeat(30)],
        ..Script::default()
    };
    let events = transcribe(&mut script, &words(6.0, &[2.0]), &[4096]);
    let Some(Event::Segment(segment)) = events.last() else {
        panic!("{events:?}");
    };
    assert_eq!(segment.text, "Hi there");
    assert_eq!(segment.hypothesis.tokens.len(), 2);
}

#[test]
fn a_word_that_was_not_read_gets_a_second_look_without_its_silence() {
    let mut script = Script {
        answers: vec![vec![], vec![1]],
        ..Script::default()
    };
    let events = transcribe(&mut script, &words(6.0, &[2.0]), &[4096]);
    let Some(Event::Segment(segment)) = events.last() else {
        panic!("{events:?}");
    };
    assert_eq!(segment.text, "Hi");
    assert_eq!(script.read.len(), 2);
    assert!(script.read[1] < script.read[0], "{:?}", script.read);
}

#[test]
fn sound_that_holds_no_speech_is_never_read() {
    let mut script = Script::default();
    let steady: Vec<f32> = (0..64_000).map(|n| 0.5 * (n as f32 * 0.1).sin()).collect();
    let events = transcribe(&mut script, &steady, &[4096]);
    let dropped = |event: &&Event| {
        matches!(
            event,
            Event::Dropped {
                reason: Reason::Steady,
                ..
            }
        )
    };
    assert_eq!(events.iter().filter(dropped).count(), 1, "{events:?}");
    assert!(script.read.is_empty());
}

#[test]
fn samples_that_are_no_numbers_are_refused_and_not_taken() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let options = TranscriberOptions::default();
        let detector = Loud { resets: 0 };
        let mut transcriber = Transcriber::new(Script::default(), detector, tokenizer(), options);
        let refused = transcriber.push(&[0.0, bad, 0.0]);
        assert!(matches!(
            refused,
            Err(SpeechError::NotFinite { position: 1 })
        ));
        assert_eq!(transcriber.heard(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn events_do_not_depend_on_how_samples_are_divided(
        blocks in proptest::collection::vec(1usize..9000, 1..6),
        seconds in proptest::collection::vec(0.0f32..20.0, 0..8),
    ) {
        let pcm = words(21.37, &seconds);
        let whole = transcribe(&mut Script::default(), &pcm, &[pcm.len()]);
        let parts = transcribe(&mut Script::default(), &pcm, &blocks);
        prop_assert_eq!(whole, parts);
    }
}
