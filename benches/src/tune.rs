//! Finds the session options with which ONNX Runtime is fastest on this machine.
//!
//! Starting from the runtime's defaults, each option is turned once and kept if the two
//! sessions, run in alternation over a few clips, say that it gains at least two percent.
//! The choice is kept in the tools folder for each model, thread count and processor.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::corpus::Clip;
use crate::engine::{Clock, Engine as _};
use crate::places::{self, Model};
use crate::prepare;
use crate::reference::{Reference, SessionOptions};
use crate::report::median;

/// Clips on which options are compared.
const CLIPS: usize = 4;
/// Times that each clip is read with both sessions.
const ROUNDS: usize = 6;
/// A turned option is kept if the ratio of times is below this.
const GAIN: f64 = 0.98;

/// One option turned: its name and what it does to the options.
type Turn = (&'static str, fn(&mut SessionOptions));

const TURNS: [Turn; 7] = [
    ("quantization left unfused", |options| {
        options.fuse_quantization = false
    }),
    ("no memory pattern", |options| {
        options.memory_pattern = false
    }),
    ("no arena", |options| options.arena = false),
    ("denormals as zero", |options| {
        options.denormals_as_zero = true
    }),
    ("no spinning", |options| options.spinning = false),
    ("dynamic blocks of 4", |options| options.dynamic_block = 4),
    ("parallel execution", |options| options.parallel = true),
];

/// The options that an earlier search found for `model` on this processor.
pub(crate) fn saved(model: Model, threads: usize) -> Result<Option<SessionOptions>> {
    let path = choice_path(model, threads)?;
    Ok(fs::read_to_string(path)
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok()))
}

/// Seeks the fastest options for `model` on `threads` threads and keeps them.
pub(crate) fn search(
    model: Model,
    threads: usize,
    clips: &[Clip],
    load: &dyn Fn(&SessionOptions) -> Result<Reference>,
) -> Result<SessionOptions> {
    let stride = clips.len().div_ceil(CLIPS).max(1);
    let sample: Vec<&Clip> = clips.iter().step_by(stride).collect();
    // One thread's processor time is steadier than the wall's; of several it would count
    // spinning as work.
    let clock = if threads == 1 {
        Clock::Cpu
    } else {
        Clock::Wall
    };
    let mut best = SessionOptions::with_threads(threads);
    let mut kept = load(&best)?;
    for (name, turn) in TURNS {
        let mut options = best;
        turn(&mut options);
        let mut turned = load(&options)?;
        let ratio = compare(&mut turned, &mut kept, &sample, clock)?;
        eprintln!(
            "tuning ONNX Runtime, {}, {threads} thread(s): {name}: {ratio:.3}",
            model.name()
        );
        if ratio < GAIN {
            best = options;
            kept = turned;
        }
    }
    fs::write(choice_path(model, threads)?, serde_json::to_string(&best)?)?;
    Ok(best)
}

/// Median over clips of the ratio of the best times, `one` over `other`.
fn compare(
    one: &mut Reference,
    other: &mut Reference,
    clips: &[&Clip],
    clock: Clock,
) -> Result<f64> {
    let mut ratios = Vec::with_capacity(clips.len());
    for clip in clips {
        let mut best = [f64::INFINITY; 2];
        for round in 0..ROUNDS {
            for turn in 0..2 {
                // Who goes first changes: the second of the two meets warmer memory.
                let index = (round + turn) % 2;
                let session = if index == 0 { &mut *one } else { &mut *other };
                let total = session.run(&clip.pcm, clock)?.total.as_secs_f64();
                best[index] = best[index].min(total);
            }
        }
        ratios.push(best[0] / best[1]);
    }
    Ok(median(&ratios))
}

/// The file that keeps a choice. Its name carries everything that the choice hangs on.
fn choice_path(model: Model, threads: usize) -> Result<PathBuf> {
    let processor = fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.to_owned())
        })
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned());
    let parts = [processor.as_bytes(), prepare::RUNTIME_VERSION.as_bytes()];
    let digest = prepare::digest_of_parts(parts.into_iter());
    Ok(places::tools_directory()?.join(format!(
        "options-{}-{threads}-{}.json",
        model.name(),
        &digest[..12]
    )))
}
