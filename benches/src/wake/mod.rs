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

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::accuracy::verdict;
use crate::places::Model;
use crate::report::{Report, Table};
use crate::sound::RATE;

use curve::{Curve, Trial, upper_bound};
use ear::Ear;

/// A phrase of the bench.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// As somebody enrols it; a phrase that wakes ends in an ellipsis.
    phrase: &'static str,
    /// Whether it wakes.
    wakes: bool,
}

/// What is looked for, all at once.
const WANTED: [Wanted; 5] = [
    Wanted {
        phrase: "hey earnest…",
        wakes: true,
    },
    Wanted {
        phrase: "okay computer…",
        wakes: true,
    },
    Wanted {
        phrase: "turn on the kitchen light",
        wakes: false,
    },
    Wanted {
        phrase: "set a timer for five minutes",
        wakes: false,
    },
    Wanted {
        phrase: "stop the music",
        wakes: false,
    },
];

/// False accepts an hour that are borne, of all phrases together.
const MOST_ACCEPTS: f64 = 1.0;

/// The gain of misses that is borne.
const MOST_MISSES: f64 = 0.10;

/// The fewest spoken positives of a kind, and the fewest hours of negatives.
const LEAST_POSITIVES: usize = 100;
const LEAST_HOURS: f64 = 3.0;

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

/// Listens to everything on so many threads, and prints the curves. `every` keeps one sound of so
/// many, for a quick look.
pub(crate) fn run(report: &mut Report, model: Model, threads: usize, every: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut sounds = spoken::positives(folder.path())?;
    sounds.extend(negatives::all(folder.path())?);
    let sounds: Vec<Sound> = sounds.into_iter().step_by(every.max(1)).collect();
    println!("\n{}: {} sounds", model.name(), sounds.len());
    let outcomes = listen(&sounds, model, threads)?;
    for wakes in [true, false] {
        print_curve(report, model, wakes, &outcomes)?;
    }
    print_negatives(report, model, &outcomes)?;
    print_accepted(&outcomes);
    print_near(report, model, &outcomes)
}

/// Has every sound heard by one of `threads` ears.
fn listen(sounds: &[Sound], model: Model, threads: usize) -> Result<Vec<Outcome>> {
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::with_capacity(sounds.len()));
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            let mut ear = Ear::new(model, &WANTED.map(|wanted| wanted.phrase.to_owned()))?;
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(sound) = sounds.get(index) else {
                    return Ok(());
                };
                if index.is_multiple_of(500) {
                    eprintln!("{index} of {}", sounds.len());
                }
                let pcm = (sound.make)()?;
                let (segments, gains) = ear.hear(&pcm)?;
                let outcome = Outcome {
                    name: sound.name.clone(),
                    class: sound.class.clone(),
                    samples: pcm.len(),
                    segments,
                    gains,
                };
                if let Ok(mut outcomes) = outcomes.lock() {
                    outcomes.push(outcome);
                }
            }
        };
        let workers: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().ok().context("a thread ended early")??;
        }
        Ok::<(), anyhow::Error>(())
    })?;
    outcomes.into_inner().ok().context("a thread ended early")
}

/// Misses and false accepts over thresholds, of the phrases that wake or of commands.
fn print_curve(report: &mut Report, model: Model, wakes: bool, outcomes: &[Outcome]) -> Result<()> {
    let kind = match wakes {
        true => "phrases that wake",
        false => "commands",
    };
    let curve = Curve::of(outcomes.iter().flat_map(|outcome| trials(outcome, wakes)));
    let hours = hours(outcomes);
    let chosen = Ear::threshold(wakes);
    println!(
        "\n{}, {kind}: {} spoken by machines; {hours:.2} h in which none is said",
        model.name(),
        curve.positives(),
    );
    let mut table = Table::new(&[
        "gain",
        "misses",
        "missed %",
        "accepts",
        "an hour",
        "95 % below",
        "",
    ]);
    for threshold in (8..=24).map(|step| step as f32).chain([chosen]) {
        let (misses, accepts) = curve.at(threshold);
        let missed = misses as f64 / curve.positives().max(1) as f64;
        let rate = accepts as f64 / hours;
        let mark = if threshold == chosen { "chosen" } else { "" };
        table.row([
            format!("{threshold:.1}"),
            misses.to_string(),
            format!("{:.1}", 100.0 * missed),
            accepts.to_string(),
            format!("{rate:.2}"),
            format!("{:.2}", upper_bound(accepts) / hours),
            mark.to_owned(),
        ]);
        report.record(
            "wake",
            json!({
                "model": model.name(), "kind": kind, "gain": threshold, "misses": misses,
                "positives": curve.positives(), "accepts": accepts, "hours": hours,
                "chosen": threshold == chosen,
            }),
        )?;
    }
    table.print();
    print_noises(wakes, chosen, outcomes);
    let (misses, accepts) = curve.at(chosen);
    let missed = misses as f64 / curve.positives().max(1) as f64;
    let rate = accepts as f64 / hours;
    println!(
        "missed {:.1} %, {}; {rate:.2} false accepts an hour, {}; {}; {}",
        100.0 * missed,
        verdict(missed <= MOST_MISSES, "at most 10 %"),
        verdict(rate <= MOST_ACCEPTS, "at most one"),
        verdict(curve.positives() >= LEAST_POSITIVES, "at least 100 spoken"),
        verdict(hours >= LEAST_HOURS, "at least 3 h without"),
    );
    Ok(())
}

/// Misses at the chosen threshold, by phrase and noise.
fn print_noises(wakes: bool, chosen: f32, outcomes: &[Outcome]) {
    let mut table = Table::new(&["phrase", "noise", "spoken", "missed"]);
    for (place, wanted) in WANTED
        .iter()
        .enumerate()
        .filter(|(_, wanted)| wanted.wakes == wakes)
    {
        for noise in spoken::NOISES {
            let (mut count, mut missed) = (0, 0);
            for outcome in outcomes {
                match &outcome.class {
                    Class::Spoken {
                        phrases,
                        noise: name,
                    } if *name == noise.name && phrases.contains(&place) => {
                        count += 1;
                        missed += usize::from(best(outcome, place) < chosen);
                    }
                    _ => {}
                }
            }
            table.row([
                wanted.phrase.to_owned(),
                noise.name.to_owned(),
                count.to_string(),
                missed.to_string(),
            ]);
        }
    }
    table.print();
}

/// What the negatives are, and how near each kind came.
fn print_negatives(report: &mut Report, model: Model, outcomes: &[Outcome]) -> Result<()> {
    let mut classes: Vec<(&'static str, bool)> = Vec::new();
    for outcome in outcomes {
        if let Class::Without { name, synthetic } = outcome.class
            && !classes.contains(&(name, synthetic))
        {
            classes.push((name, synthetic));
        }
    }
    let mut table = Table::new(&[
        "without a phrase",
        "made",
        "minutes",
        "segments",
        "greatest wake",
        "greatest command",
        "accepts",
    ]);
    for (name, synthetic) in classes {
        let of = || {
            outcomes.iter().filter(|outcome| matches!(outcome.class, Class::Without { name: other, .. } if other == name))
        };
        let minutes =
            of().map(|outcome| outcome.samples).sum::<usize>() as f64 / RATE as f64 / 60.0;
        let segments: usize = of().map(|outcome| outcome.segments).sum();
        let greatest = |wakes: bool| {
            let gains = of().flat_map(|outcome| &outcome.gains);
            let gains = gains.filter(|(place, _)| WANTED[*place].wakes == wakes);
            gains.map(|(_, gain)| *gain).fold(0.0, f32::max)
        };
        let accepts = of().flat_map(|outcome| &outcome.gains);
        let accepts = accepts
            .filter(|(place, gain)| *gain >= Ear::threshold(WANTED[*place].wakes))
            .count();
        table.row([
            name.to_owned(),
            if synthetic { "by machine" } else { "recorded" }.to_owned(),
            format!("{minutes:.1}"),
            segments.to_string(),
            format!("{:.1}", greatest(true)),
            format!("{:.1}", greatest(false)),
            accepts.to_string(),
        ]);
        report.record(
            "wake",
            json!({
                "model": model.name(), "without": name, "synthetic": synthetic,
                "minutes": minutes, "segments": segments, "accepts": accepts,
            }),
        )?;
    }
    table.print();
    Ok(())
}

/// Where a phrase was spotted that nobody said.
fn print_accepted(outcomes: &[Outcome]) {
    let mut table = Table::new(&["accepted", "for", "gain"]);
    for outcome in outcomes {
        if matches!(outcome.class, Class::Spoken { .. }) {
            continue;
        }
        for (place, gain) in &outcome.gains {
            if *gain >= Ear::threshold(WANTED[*place].wakes) {
                let name: String = outcome.name.chars().take(60).collect();
                table.row([name, WANTED[*place].phrase.to_owned(), format!("{gain:.1}")]);
            }
        }
    }
    table.print();
}

/// How often phrases that are like the ones looked for are taken for them. That is no rate an
/// hour: nobody says such things all day.
fn print_near(report: &mut Report, model: Model, outcomes: &[Outcome]) -> Result<()> {
    let near = outcomes
        .iter()
        .filter(|outcome| outcome.class == Class::Near);
    let count = near.clone().count();
    let taken = near.filter(|outcome| {
        let mut gains = outcome.gains.iter();
        gains.any(|(place, gain)| *gain >= Ear::threshold(WANTED[*place].wakes))
    });
    let taken = taken.count();
    println!("\nof {count} sounds that are meant to be mistaken, {taken} are");
    report.record(
        "wake",
        json!({"model": model.name(), "near": count, "taken": taken}),
    )
}

/// What an outcome adds to the curve of one kind.
fn trials(outcome: &Outcome, wakes: bool) -> Vec<Trial> {
    let of_kind = |place: usize| WANTED[place].wakes == wakes;
    match &outcome.class {
        Class::Spoken { phrases, .. } => phrases
            .iter()
            .filter(|place| of_kind(**place))
            .map(|place| Trial::Spoken(best(outcome, *place)))
            .collect(),
        Class::Without { .. } => outcome
            .gains
            .iter()
            .filter(|(place, _)| of_kind(*place))
            .map(|(_, gain)| Trial::Without(*gain))
            .collect(),
        Class::Near => Vec::new(),
    }
}

fn best(outcome: &Outcome, place: usize) -> f32 {
    let gains = outcome.gains.iter();
    let gains = gains.filter(|(other, _)| *other == place);
    gains.map(|(_, gain)| *gain).fold(0.0, f32::max)
}

/// Hours of sound without a phrase.
fn hours(outcomes: &[Outcome]) -> f64 {
    let without = outcomes
        .iter()
        .filter(|outcome| matches!(outcome.class, Class::Without { .. }));
    let samples: usize = without.map(|outcome| outcome.samples).sum();
    samples as f64 / RATE as f64 / 3600.0
}
