//! Misses and false accepts of spotted phrases, over every threshold.
//!
//! The positives are spoken by machines (`spoken`): many voices, speeds, pitches and levels of
//! noise. The negatives (`negatives`) are recorded prompts in five languages, recorded music,
//! readings by machines in four languages, and noises; beside them, apart, phrases that are meant
//! to be taken for the ones looked for. Every sound is cut into segments as live sound is, and
//! weighed while a segment is open and when it is over, as [`earnest_speech::Live`] has it done.

mod curve;
mod ear;
mod negatives;
mod spoken;
mod tell;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use anyhow::{Context as _, Result};
use earnest_transcript::Phrase;
use serde_json::json;

use crate::places::Model;
use crate::report::Report;

use ear::Ear;

/// A phrase of the bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// What is said.
    words: &'static str,
    /// Whether it wakes.
    wakes: bool,
}

impl Wanted {
    /// As somebody enrols it.
    fn enrolled(self) -> Phrase {
        Phrase {
            words: self.words.to_owned(),
            wakes: self.wakes,
        }
    }
}

/// What is looked for, all at once.
const WANTED: [Wanted; 5] = [
    Wanted {
        words: "hey earnest",
        wakes: true,
    },
    Wanted {
        words: "okay computer",
        wakes: true,
    },
    Wanted {
        words: "turn on the kitchen light",
        wakes: false,
    },
    Wanted {
        words: "set a timer for five minutes",
        wakes: false,
    },
    Wanted {
        words: "stop the music",
        wakes: false,
    },
];

/// Sounds from one sign of life to the next.
const PROGRESS: usize = 100;

/// One sound to be listened to.
struct Sound {
    /// What it is: a text, or the name of a file.
    name: String,
    /// What it counts as.
    class: Class,
    /// Its 16 kHz mono, made when its turn comes.
    make: Box<dyn Fn() -> Result<Vec<f32>> + Send + Sync>,
}

/// What a sound counts as.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Class {
    /// The phrases at these places are said.
    Spoken {
        phrases: Vec<usize>,
        noise: &'static str,
    },
    /// None is.
    Without { name: &'static str, synthetic: bool },
    /// None is, but something like one.
    Near,
}

/// What came of one sound.
struct Outcome {
    name: String,
    class: Class,
    samples: usize,
    segments: usize,
    /// For each segment and phrase that was weighed the greatest gain.
    gains: Vec<(usize, f32)>,
}

impl Outcome {
    /// Keeps it, so that a curve can be drawn again without listening again.
    fn record(&self, report: &mut Report, model: Model) -> Result<()> {
        let (class, noise, said) = match &self.class {
            Class::Spoken { phrases, noise } => ("spoken", Some(*noise), phrases.as_slice()),
            Class::Without { name, .. } => (*name, None, [].as_slice()),
            Class::Near => ("near", None, [].as_slice()),
        };
        report.record(
            "wake",
            json!({
                "model": model.name(), "sound": self.name, "class": class, "noise": noise,
                "said": said,
                "samples": self.samples, "segments": self.segments, "gains": self.gains,
            }),
        )
    }
}

/// Listens to everything on so many threads, and prints the curves. `every` keeps one sound of so
/// many, for a quick look.
pub(crate) fn run(report: &mut Report, model: Model, threads: usize, every: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut sounds = spoken::positives(folder.path())?;
    sounds.extend(negatives::all(folder.path())?);
    let mut sounds: Vec<Sound> = sounds.into_iter().step_by(every.max(1)).collect();
    println!("\n{}: {} sounds", model.name(), sounds.len());
    // Some are a thousand times as long as others: no thread is left alone with those.
    fastrand::Rng::with_seed(1).shuffle(&mut sounds);
    let outcomes = listen(report, &sounds, model, threads)?;
    tell::tell(report, model, &outcomes)
}

/// Has every sound heard by one of `threads` ears, and keeps what each made of it at once: it
/// takes long.
fn listen(
    report: &mut Report,
    sounds: &[Sound],
    model: Model,
    threads: usize,
) -> Result<Vec<Outcome>> {
    let next = AtomicUsize::new(0);
    let (tell, told) = mpsc::sync_channel(threads.max(1));
    let mut outcomes = Vec::with_capacity(sounds.len());
    std::thread::scope(|scope| {
        let work = |tell: mpsc::SyncSender<Outcome>| -> Result<()> {
            let mut ear = Ear::new(model, &WANTED.map(Wanted::enrolled))?;
            while let Some(sound) = sounds.get(next.fetch_add(1, Ordering::Relaxed)) {
                let pcm = (sound.make)()?;
                let (segments, gains) = ear.hear(&pcm)?;
                tell.send(Outcome {
                    name: sound.name.clone(),
                    class: sound.class.clone(),
                    samples: pcm.len(),
                    segments,
                    gains,
                })?;
            }
            Ok(())
        };
        let workers: Vec<_> = (0..threads.max(1))
            .map(|_| {
                let tell = tell.clone();
                scope.spawn(move || work(tell))
            })
            .collect();
        drop(tell);
        for outcome in told {
            outcome.record(report, model)?;
            outcomes.push(outcome);
            if outcomes.len().is_multiple_of(PROGRESS) {
                eprintln!("{} of {}", outcomes.len(), sounds.len());
            }
        }
        for worker in workers {
            worker.join().ok().context("a thread ended early")??;
        }
        Ok::<(), anyhow::Error>(())
    })?;
    Ok(outcomes)
}
