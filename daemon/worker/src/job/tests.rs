//! Jobs on a script: a detector and a recogniser that tests put in place of the models.

use std::sync::Arc;

use earnest_channel::{
    Encoding, Exchange, LiveTask, SoundFault, SoundKind, ToWorker, Tuning, encode, read,
};
use earnest_speech::{DecodeOptions, Hypothesis, Live, Timekeeper, Tokenizer};

use super::*;
use crate::ear::{Listener, options};
use crate::incoming::tests::Pipe;

/// A detector that hears speech where samples are not zero.
struct Script;

impl DetectSpeech for Script {
    fn probability(&mut self, frame: &[f32; FRAME_SAMPLES]) -> Result<f32, SpeechError> {
        let spoken = frame.iter().any(|sample| *sample != 0.0);
        Ok(if spoken { 0.9 } else { 0.0 })
    }

    fn reset(&mut self) {}
}

/// A recogniser that nobody may ask.
struct Nobody;

impl Recognize for Nobody {
    fn recognize(&mut self, _: &[f32], _: &DecodeOptions) -> Result<Hypothesis, SpeechError> {
        panic!("the recogniser was asked");
    }
}

impl Reread for Nobody {
    type Encoded = ();

    fn encode(&mut self, _: &[f32]) -> Result<(), SpeechError> {
        panic!("the recogniser was asked");
    }

    fn read(&mut self, _: &(), _: &[u32], _: &DecodeOptions) -> Result<Hypothesis, SpeechError> {
        panic!("the recogniser was asked");
    }

    fn score(&mut self, _: &(), _: &[u32]) -> Result<Vec<f32>, SpeechError> {
        panic!("the recogniser was asked");
    }
}

const JOB: Job = Job {
    kind: SoundKind::Raw {
        rate: 16_000,
        channels: 1,
        encoding: Encoding::S16Le,
    },
    task: Task::Activity,
};

/// Seconds of sound: silent, or of a level that comes and goes.
fn second(spoken: bool) -> ToWorker {
    let level = |index: usize| match (spoken, index % 4_000 < 2_000) {
        (false, _) => 0_i16,
        (true, true) => 16_000,
        (true, false) => 300,
    };
    let samples = (0..16_000).map(level);
    ToWorker::Sound(samples.flat_map(i16::to_le_bytes).collect())
}

/// What a worker says of a job on this sound, its last word included.
fn said(sound: &[ToWorker]) -> Vec<FromWorker> {
    let begin = [ToWorker::Begin(JOB)];
    let pipe = Pipe::of(&[&begin, sound, &[ToWorker::EndOfSound]].concat());
    let ear: Ear<Nobody, _> = Ear::Times(Timekeeper::new(Script));
    said_to(pipe, ear)
}

/// What a worker with this ear says of what comes to it.
fn said_to<R: Recognize + Reread>(pipe: Pipe, ear: Ear<R, Script>) -> Vec<FromWorker> {
    let said = Arc::clone(&pipe.said);
    let incoming = Incoming::new(pipe);
    let job = incoming.next_job().unwrap();
    let last = hear(&incoming, job, ear).unwrap();
    incoming.say(&last).unwrap();
    let said = said.lock().unwrap();
    let mut left = &said[..];
    std::iter::from_fn(|| read(&mut left).unwrap()).collect()
}

#[test]
fn speech_is_timed_and_the_recogniser_left_alone() {
    let pattern = [false, true, true, false, false, true, false];
    let said = said(&pattern.map(second));
    let [
        FromWorker::Activity { start, end },
        FromWorker::Activity { .. },
        FromWorker::Finished(report),
    ] = &said[..]
    else {
        panic!("{said:?}");
    };
    assert!((700..=1_000).contains(&start.0), "{start:?}");
    assert!((3_000..=3_300).contains(&end.0), "{end:?}");
    assert_eq!(report.samples, 7 * 16_000);
    let seconds = report.speech as f32 / 16_000.0;
    assert!((3.0..4.2).contains(&seconds), "{seconds} s of speech");
    assert!(report.shape.is_some());
}

#[test]
fn silence_is_no_speech_and_has_no_shape() {
    let said = said(&[false, false].map(second));
    let [FromWorker::Finished(report)] = &said[..] else {
        panic!("{said:?}");
    };
    assert_eq!((report.samples, report.speech), (32_000, 0));
    assert_eq!(report.shape, None);
}

#[test]
fn long_sound_gives_signs_of_life() {
    let said = said(&vec![second(false); 25]);
    let heard = said
        .iter()
        .filter(|it| matches!(it, FromWorker::Heard { .. }));
    assert_eq!(heard.count(), 2);
}

#[test]
fn sound_that_is_none_is_told() {
    let empty = FromWorker::Failed(Failure::Sound(SoundFault::Empty));
    assert_eq!(said(&[]), [empty]);
}

/// A recogniser that hears a word in each quarter of a second, always the same ones.
struct Counter;

const WORDS: [&str; 12] = [
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
];

impl Recognize for Counter {
    fn recognize(&mut self, _: &[f32], _: &DecodeOptions) -> Result<Hypothesis, SpeechError> {
        panic!("who listens live reads again");
    }
}

impl Reread for Counter {
    type Encoded = usize;

    fn encode(&mut self, pcm: &[f32]) -> Result<usize, SpeechError> {
        Ok((pcm.len() / 4_000).clamp(1, WORDS.len()))
    }

    fn read(
        &mut self,
        count: &usize,
        prefix: &[u32],
        _: &DecodeOptions,
    ) -> Result<Hypothesis, SpeechError> {
        let tokens: Vec<u32> = (1..=(*count).max(prefix.len()) as u32).collect();
        assert!(tokens.starts_with(prefix));
        Ok(Hypothesis {
            logprobs: vec![-0.1; tokens.len() + 1],
            tokens,
            ended: true,
            cross_attention: None,
        })
    }

    fn score(&mut self, _: &usize, tokens: &[u32]) -> Result<Vec<f32>, SpeechError> {
        Ok(vec![-0.1; tokens.len() + 1])
    }
}

fn tokenizer() -> Arc<Tokenizer> {
    let words = WORDS.iter().enumerate();
    let vocabulary: String = words
        .map(|(at, word)| format!(", \"\u{2581}{word}\": {}", at + 1))
        .collect();
    let json = format!(
        r#"{{
        "model": {{"type": "BPE", "vocab": {{"<s>": 0{vocabulary}}}}},
        "added_tokens": [{{"id": 0, "content": "<s>", "special": true}}],
        "decoder": {{"type": "Sequence", "decoders": [
            {{"type": "Replace", "pattern": {{"String": "\u2581"}}, "content": " "}},
            {{"type": "ByteFallback"}},
            {{"type": "Fuse"}},
            {{"type": "Strip", "content": " ", "start": 1, "stop": 0}}]}}
    }}"#
    );
    Arc::new(Tokenizer::from_json(json.as_bytes()).unwrap())
}

const LIVE: LiveTask = LiveTask {
    silence: 700,
    text: true,
    partials: true,
    words: false,
};

/// Seconds of sound in pieces of 40 ms, as a microphone gives it.
fn flow(pattern: &[bool]) -> Vec<ToWorker> {
    let seconds = pattern.iter().flat_map(|spoken| match second(*spoken) {
        ToWorker::Sound(bytes) => bytes,
        _ => Vec::new(),
    });
    let bytes: Vec<u8> = seconds.collect();
    let pieces = bytes.chunks(1_280).map(<[u8]>::to_vec);
    pieces.map(ToWorker::Sound).collect()
}

fn tune(generation: u32, text: bool) -> ToWorker {
    ToWorker::Tune(Tuning {
        generation,
        text,
        phrases: Vec::new(),
    })
}

/// What a worker says of a live job, none of which the daemon would refuse.
fn said_live(task: LiveTask, orders: &[ToWorker], keeps_pace: bool) -> Vec<FromWorker> {
    let job = Job {
        task: Task::Live(task),
        ..JOB
    };
    let begin = [ToWorker::Begin(job)];
    let mut pipe = Pipe::of(&[&begin, orders, &[ToWorker::EndOfSound]].concat());
    pipe.keeps_pace = keeps_pace;
    let live = Live::new(Counter, Script, tokenizer(), options(task));
    let said = said_to(pipe, Ear::Live(Box::new(Listener::new(live, task.text))));

    let mut exchange = Exchange::new(job);
    for order in orders {
        match order {
            ToWorker::Sound(bytes) => exchange.sound(bytes.len()),
            ToWorker::Tune(tuning) => exchange.tune(tuning),
            _ => {}
        }
    }
    exchange.end();
    for answer in &said {
        let frame = encode(answer).unwrap();
        let answered = exchange.answer(answer, frame.len());
        assert!(answered.is_ok(), "{answered:?}: {answer:?}");
    }
    assert!(exchange.is_over());
    said
}

fn texts(said: &[FromWorker]) -> usize {
    let is_text = |it: &&FromWorker| matches!(it, FromWorker::Partial(_) | FromWorker::Segment(_));
    said.iter().filter(is_text).count()
}

#[test]
fn what_is_being_said_is_told_as_it_is_said() {
    let orders = flow(&[false, true, true, false, false, true, false]);
    let said = said_live(LIVE, &orders, true);
    let mut utterances = Vec::new();
    let mut stable = String::new();
    for message in &said {
        match message {
            FromWorker::SpeechStarted { .. } => stable.clear(),
            FromWorker::Partial(partial) => {
                assert!(partial.stable.starts_with(&stable));
                stable.clone_from(&partial.stable);
            }
            FromWorker::Segment(segment) => {
                assert!(segment.text.starts_with(&stable));
                utterances.push(segment.text.clone());
            }
            _ => {}
        }
    }
    assert_eq!(utterances.len(), 2, "{utterances:?}");
    assert!(utterances[0].starts_with("one two three four five"));
    assert!(texts(&said) > 4, "{} texts", texts(&said));
    let Some(FromWorker::Finished(report)) = said.last() else {
        panic!("{:?}", said.last());
    };
    assert_eq!((report.samples, report.shape), (7 * 16_000, None));
    let seconds = report.speech as f32 / 16_000.0;
    assert!((3.0..5.5).contains(&seconds), "{seconds} s of speech");
}

#[test]
fn who_is_behind_leaves_partials_out_and_no_final() {
    let said = said_live(LIVE, &flow(&[false, true, true, false, false]), false);
    assert_eq!(texts(&said), 1, "{said:?}");
    assert!(said.iter().any(|it| matches!(it, FromWorker::Segment(_))));
}

#[test]
fn a_tuning_counts_from_its_place_in_the_sound() {
    let spoken = flow(&[true, false, true, false]);
    let (first, second) = spoken.split_at(spoken.len() / 2);
    let check = |orders: &[ToWorker], task, expected: &[bool]| {
        let said = said_live(task, orders, true);
        let of = |from: u64| {
            let from = from.saturating_sub(500);
            let within = said.iter().filter(|it| match it {
                FromWorker::Segment(segment) => (from..from + 1_000).contains(&segment.start.0),
                _ => false,
            });
            within.count() == 1
        };
        assert_eq!([of(0), of(2_000)], *expected, "{said:?}");
    };
    let between = |order| [first, &[order], second].concat();
    let silent = LiveTask {
        text: false,
        ..LIVE
    };
    check(&spoken, LIVE, &[true, true]);
    check(&between(tune(1, false)), LIVE, &[true, false]);
    check(&between(tune(1, true)), silent, &[false, true]);
    check(&spoken, silent, &[false, false]);
}

#[test]
fn without_a_wish_for_it_not_a_word_is_said() {
    let silent = LiveTask {
        text: false,
        ..LIVE
    };
    let sound = flow(&[true, true, false, true, true]);
    for tunings in [&[][..], &[(10, tune(1, false)), (30, tune(2, false))]] {
        let mut orders = sound.clone();
        for (place, order) in tunings.iter().rev() {
            orders.insert(*place, order.clone());
        }
        assert_eq!(texts(&said_live(silent, &orders, true)), 0);
    }
    // Taken back within the word.
    for place in [1, 10, 20, 45] {
        let mut orders = sound.clone();
        orders.insert(place, tune(1, false));
        let said = said_live(LIVE, &orders, true);
        let last = said
            .iter()
            .rposition(|it| texts(std::slice::from_ref(it)) > 0);
        let until = 40 * place as u64;
        for text in &said[..last.map_or(0, |last| last + 1)] {
            match text {
                FromWorker::Partial(partial) => assert!(partial.at.0 <= until),
                FromWorker::Segment(segment) => assert!(segment.end.0 <= until),
                _ => {}
            }
        }
    }
}

#[test]
fn a_live_job_without_sound_is_told_as_any_other() {
    let job = Job {
        task: Task::Live(LIVE),
        ..JOB
    };
    let pipe = Pipe::of(&[ToWorker::Begin(job), tune(1, true), ToWorker::EndOfSound]);
    let live = Live::new(Counter, Script, tokenizer(), options(LIVE));
    let said = said_to(pipe, Ear::Live(Box::new(Listener::new(live, true))));
    let empty = FromWorker::Failed(Failure::Sound(SoundFault::Empty));
    assert_eq!(said, [empty]);
}
