//! A worker without a model: sound is a script of what it is to say, line by line.
//!
//! ```text
//! say 0 1500 Hello, world.    a segment, in milliseconds
//! mumble 0 1500 Hello.        a segment that the model is not sure of
//! speech 100                  somebody began to speak
//! sound 0 1500                somebody spoke from here to there
//! refuse                      the sound cannot be read
//! tire                        the model failed
//! crash                       the process ends
//! hang                        it never answers again
//! ```
//!
//! Bytes that are no script are no sound either. Raw sound gives a segment for each second, and in
//! a live job words for what is loud ([`live`]).

mod live;

use std::io::{Read, Write};

use earnest_channel::{
    Confinement, Failure, FromWorker, Hello, Job, Report, SoundFault, SoundKind, Task, ToWorker,
    VERSION, read, write,
};
use earnest_evidence::measured::SandboxLevel;
use earnest_transcript::{Milliseconds, Segment, Word};
use live::Live;

/// Speaks until the stream ends.
pub(crate) fn work(mut from: impl Read, mut to: impl Write) {
    let hello = Hello {
        version: VERSION,
        sandbox: Confinement {
            level: SandboxLevel::None,
            landlock_abi: None,
            seccomp: false,
        },
        kernels: "none".parse().expect("a name"),
    };
    let mut say = |message: &FromWorker| write(&mut to, message).is_ok();
    if !say(&FromWorker::Hello(hello)) || !say(&FromWorker::Ready) {
        return;
    }
    let mut course: Option<Course> = None;
    while let Ok(Some(message)) = read::<ToWorker>(&mut from) {
        let answers = match (message, &mut course) {
            (ToWorker::Begin(job), _) => {
                course = Some(Course::of(job));
                Vec::new()
            }
            (ToWorker::Sound(bytes), Some(course)) => course.hear(&bytes),
            (ToWorker::EndOfSound, Some(course)) => course.end(),
            (ToWorker::Tune(tuning), Some(course)) => {
                if let Some(live) = &mut course.live {
                    live.tune(tuning);
                }
                Vec::new()
            }
            (ToWorker::Abandon, Some(_)) => vec![FromWorker::Failed(Failure::Abandoned)],
            (_, None) => Vec::new(),
        };
        for answer in answers {
            if matches!(answer, FromWorker::Finished(_) | FromWorker::Failed(_)) {
                course = None;
            }
            if !say(&answer) {
                return;
            }
        }
    }
}

/// One job.
struct Course {
    job: Job,
    heard: Vec<u8>,
    bytes: u64,
    latest: u64,
    spoke: bool,
    live: Option<Live>,
}

impl Course {
    fn of(job: Job) -> Course {
        let mut course = Course {
            job,
            heard: Vec::new(),
            bytes: 0,
            latest: 0,
            spoke: false,
            live: None,
        };
        if let Task::Live(task) = job.task {
            course.live = Some(Live::new(task, course.bytes_per_second()));
        }
        course
    }

    fn hear(&mut self, bytes: &[u8]) -> Vec<FromWorker> {
        self.bytes += bytes.len() as u64;
        if let Some(live) = &mut self.live {
            return live.hear(bytes);
        }
        let mut answers = Vec::new();
        match self.job.kind {
            SoundKind::Raw { .. } => {
                let second = self.bytes_per_second();
                while (self.latest + 1000) * second <= self.bytes * 1000 {
                    let start = self.latest;
                    answers.push(self.segment(start, start + 1000, "one second"));
                }
            }
            SoundKind::Container => {
                self.heard.extend_from_slice(bytes);
                while let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = self.heard.drain(..=end).collect();
                    answers.push(self.line(&line));
                    if matches!(answers.last(), Some(FromWorker::Failed(_))) {
                        break;
                    }
                }
                if self.heard.len() > 200 && !self.spoke {
                    return vec![no_sound()];
                }
            }
        }
        answers
    }

    fn end(&mut self) -> Vec<FromWorker> {
        if self.job.kind == SoundKind::Container && !self.spoke {
            return vec![no_sound()];
        }
        let samples = match self.job.kind {
            SoundKind::Raw { .. } => self.bytes * 16_000 / self.bytes_per_second(),
            SoundKind::Container => self.latest * 16,
        };
        if let Some(live) = &mut self.live {
            return live.end(samples);
        }
        vec![FromWorker::Finished(Report {
            samples,
            speech: 0,
            skipped: 0,
            flaw: None,
            shape: None,
        })]
    }

    fn line(&mut self, line: &[u8]) -> FromWorker {
        let line = String::from_utf8_lossy(line);
        let mut words = line.split_whitespace();
        let command = words.next().unwrap_or_default();
        let mut number = || words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        let answer = match command {
            "say" => {
                let (start, end) = (number(), number());
                let text: Vec<_> = words.collect();
                self.segment(start, end, &text.join(" "))
            }
            "mumble" => {
                let (start, end) = (number(), number());
                let text: Vec<_> = words.collect();
                match self.segment(start, end, &text.join(" ")) {
                    FromWorker::Segment(segment) => FromWorker::Segment(Segment {
                        avg_logprob: -3.1,
                        ..segment
                    }),
                    other => other,
                }
            }
            "sound" => {
                let (start, end) = (number(), number());
                self.latest = end;
                FromWorker::Activity {
                    start: Milliseconds(start),
                    end: Milliseconds(end),
                }
            }
            "speech" => FromWorker::SpeechStarted {
                at: Milliseconds(number()),
            },
            "tire" => FromWorker::Failed(Failure::Speech),
            "crash" => std::process::exit(3),
            "hang" => loop {
                std::thread::park();
            },
            _ => no_sound(),
        };
        self.spoke = true;
        answer
    }

    fn segment(&mut self, start: u64, end: u64, text: &str) -> FromWorker {
        self.latest = end;
        let spoken = text.split_whitespace().map(|word| Word {
            text: word.to_owned(),
            start: Milliseconds(start),
            end: Milliseconds(end),
            probability: 0.876_543,
        });
        FromWorker::Segment(Segment {
            start: Milliseconds(start),
            end: Milliseconds(end),
            text: text.to_owned(),
            tokens: vec![5, 66, 777],
            avg_logprob: -0.423_456,
            compression_ratio: 0.71,
            no_speech_prob: 0.031_25,
            words: match self.job.task.wants_words() {
                true => spoken.collect(),
                false => Vec::new(),
            },
        })
    }

    fn bytes_per_second(&self) -> u64 {
        match self.job.kind {
            SoundKind::Raw {
                rate,
                channels,
                encoding,
            } => u64::from(rate) * u64::from(channels) * encoding.bytes(),
            SoundKind::Container => 1,
        }
    }
}

fn no_sound() -> FromWorker {
    FromWorker::Failed(Failure::Sound(SoundFault::NotSound))
}
