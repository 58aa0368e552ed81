//! A live job without a model: whatever is loud is speech, and a quarter of a second of it is a
//! word of the spelling alphabet.
//!
//! A second of a tone and a silence is "Alfa bravo charlie delta." All words but the last are
//! stable. A phrase of as many words as the utterance has is spotted at its end.

use earnest_channel::{FromWorker, LiveTask, Partial, Report, Spotted, Tuning};
use earnest_transcript::{Milliseconds, Segment};

/// Milliseconds of a step.
const STEP: u64 = 10;

/// Milliseconds of a word.
const WORD: u64 = 250;

/// What is quieter is silence.
const LOUD: u16 = 1_000;

const WORDS: [&str; 8] = [
    "alfa", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel",
];

/// One live job of 16-bit sound.
pub(crate) struct Live {
    task: LiveTask,
    /// Bytes of a step.
    step: usize,
    rest: Vec<u8>,
    /// Milliseconds that were heard.
    heard: u64,
    tuning: Tuning,
    utterance: Option<Utterance>,
}

struct Utterance {
    start: u64,
    /// Milliseconds of loudness.
    loud: u64,
    end: u64,
    told: usize,
}

impl Live {
    pub(crate) fn new(task: LiveTask, bytes_per_second: u64) -> Live {
        let step = bytes_per_second * STEP / 1_000;
        Live {
            task,
            step: usize::try_from(step).expect("a test's rate is small") & !1,
            rest: Vec::new(),
            heard: 0,
            tuning: Tuning {
                generation: 0,
                text: task.text,
                phrases: Vec::new(),
            },
            utterance: None,
        }
    }

    pub(crate) fn tune(&mut self, tuning: Tuning) {
        self.tuning = tuning;
    }

    pub(crate) fn hear(&mut self, bytes: &[u8]) -> Vec<FromWorker> {
        self.rest.extend_from_slice(bytes);
        let mut answers = Vec::new();
        while self.rest.len() >= self.step {
            let step: Vec<u8> = self.rest.drain(..self.step).collect();
            let is_loud = step.chunks_exact(2).any(|sample| {
                let sample = i16::from_le_bytes([sample[0], sample[1]]);
                sample.unsigned_abs() > LOUD
            });
            self.heard += STEP;
            self.step(is_loud, &mut answers);
        }
        answers
    }

    fn step(&mut self, is_loud: bool, answers: &mut Vec<FromWorker>) {
        let now = self.heard;
        match (&mut self.utterance, is_loud) {
            (None, false) => {}
            (None, true) => {
                let start = now - STEP;
                answers.push(FromWorker::SpeechStarted {
                    at: Milliseconds(start),
                });
                self.utterance = Some(Utterance {
                    start,
                    loud: STEP,
                    end: now,
                    told: 0,
                });
            }
            (Some(utterance), true) => {
                utterance.loud += STEP;
                utterance.end = now;
                let words = utterance.words();
                if words > utterance.told && self.tuning.text && self.task.partials {
                    utterance.told = words;
                    answers.push(utterance.partial(now));
                }
            }
            (Some(utterance), false) => {
                if now - utterance.end >= u64::from(self.task.silence) {
                    self.stop(answers);
                }
            }
        }
    }

    fn stop(&mut self, answers: &mut Vec<FromWorker>) {
        let Some(utterance) = self.utterance.take() else {
            return;
        };
        let at = Milliseconds(utterance.end);
        let words = utterance.words();
        if words > 0 && self.tuning.text {
            answers.push(FromWorker::Segment(Segment {
                start: Milliseconds(utterance.start),
                end: at,
                text: format!("{}.", said(words)),
                tokens: Vec::new(),
                avg_logprob: -0.423_456,
                compression_ratio: 0.71,
                no_speech_prob: 0.031_25,
                words: Vec::new(),
            }));
        }
        for (place, phrase) in self.tuning.phrases.iter().enumerate() {
            if phrase.words.split_whitespace().count() == words {
                answers.push(FromWorker::Spotted(Spotted {
                    generation: self.tuning.generation,
                    phrase: u16::try_from(place).expect("lists are short"),
                    at,
                }));
            }
        }
        answers.push(FromWorker::SpeechStopped { at });
    }

    pub(crate) fn end(&mut self, samples: u64) -> Vec<FromWorker> {
        let mut answers = Vec::new();
        self.stop(&mut answers);
        answers.push(FromWorker::Finished(Report {
            samples,
            speech: 0,
            skipped: 0,
            flaw: None,
            shape: None,
        }));
        answers
    }
}

impl Utterance {
    fn words(&self) -> usize {
        usize::try_from(self.loud / WORD).expect("a test is short")
    }

    fn partial(&self, now: u64) -> FromWorker {
        let (all, stable) = (said(self.told), said(self.told - 1));
        FromWorker::Partial(Partial {
            start: Milliseconds(self.start),
            at: Milliseconds(now),
            tentative: all[stable.len()..].to_owned(),
            stable,
        })
    }
}

/// So many words, the first with a capital letter.
fn said(words: usize) -> String {
    let all: Vec<&str> = WORDS.iter().cycle().take(words).copied().collect();
    let text = all.join(" ");
    text.get(..1).unwrap_or_default().to_uppercase() + text.get(1..).unwrap_or_default()
}
