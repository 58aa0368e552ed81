//! Peak memory and time of whole processes, beside a process that runs ONNX Runtime.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::Result;
use serde_json::json;

use crate::accuracy::verdict;
use crate::corpus::Clip;
use crate::long;
use crate::places::{self, Model};
use crate::process::{Usage, measure};
use crate::report::{Report, Table, median};
use crate::sound;

/// Seconds of the two files: an hour may take a tenth more memory than a minute.
const LENGTHS: [(&str, usize); 2] = [("one minute", 60), ("one hour", 3600)];
const TARGET_GROWTH: f64 = 1.10;
/// From process start to the text of a clip of 10 s.
const TARGET_START_SECONDS: f64 = 1.0;

fn target_megabytes(model: Model) -> f64 {
    match model {
        Model::Tiny => 220.0,
        Model::Base => 400.0,
    }
}

/// Measures the command `earnest` and the reference on a minute and an hour of `clips`.
pub(crate) fn run(
    report: &mut Report,
    model: Model,
    earnest: &Path,
    clips: &[Clip],
    threads: usize,
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut table = Table::new(&[
        "peak memory",
        "sound",
        "MB",
        "s",
        "processor s",
        "of real time",
    ]);
    let mut peaks = Vec::new();
    for (name, seconds) in LENGTHS {
        let path = folder.path().join(format!("{seconds}.wav"));
        sound::write(&path, &long::joined(clips, &long::order(clips, seconds)))?;
        let ours = transcribe(earnest, model, threads, &path)?;
        let theirs = reference(model, threads, &path)?;
        for (engine, usage) in [("Earnest", &ours), ("ONNX Runtime", &theirs)] {
            table.row([
                engine.to_owned(),
                name.to_owned(),
                format!("{:.0}", usage.peak_megabytes()),
                format!("{:.2}", usage.seconds),
                format!("{:.2}", usage.processor_seconds),
                format!("{:.4}", usage.seconds / seconds as f64),
            ]);
            report.record(
                "memory",
                json!({
                    "model": model.name(), "engine": engine, "threads": threads,
                    "sound_seconds": seconds, "peak_bytes": usage.peak_bytes,
                    "seconds": usage.seconds, "processor_seconds": usage.processor_seconds,
                }),
            )?;
        }
        peaks.push(ours.peak_megabytes());
    }
    println!("\n{}, {threads} thread(s), whole processes", model.name());
    table.print();
    let (limit, growth) = (target_megabytes(model), peaks[1] / peaks[0]);
    println!(
        "peak {:.0} MB; {}",
        peaks[1].max(peaks[0]),
        verdict(
            peaks.iter().all(|peak| *peak <= limit),
            &format!("at most {limit} MB")
        )
    );
    println!(
        "an hour over a minute: {growth:.3}; {}",
        verdict(growth <= TARGET_GROWTH, "within 10 %")
    );
    Ok(())
}

/// From process start to text: Earnest and the reference in turn, `rounds` times after one
/// round that warms the file cache.
pub(crate) fn start(
    report: &mut Report,
    model: Model,
    earnest: &Path,
    threads: usize,
    rounds: usize,
) -> Result<()> {
    let sample = places::model_directory(Model::Tiny.card())?.join("beckett.wav");
    let mut times = [Vec::new(), Vec::new()];
    let mut texts = [String::new(), String::new()];
    for round in 0..=rounds {
        let usages = [
            transcribe(earnest, model, threads, &sample)?,
            reference(model, threads, &sample)?,
        ];
        for ((times, text), usage) in times.iter_mut().zip(&mut texts).zip(usages) {
            if round > 0 {
                times.push(usage.seconds);
            }
            *text = usage.output.trim().to_owned();
        }
    }
    let [ours, theirs] = [median(&times[0]), median(&times[1])];
    println!(
        "\n{}, {threads} thread(s): process start to text of the 10 s sample",
        model.name()
    );
    let mut table = Table::new(&["whole process", "s (median)", "text"]);
    table.row(["Earnest".to_owned(), format!("{ours:.3}"), texts[0].clone()]);
    table.row([
        "ONNX Runtime".to_owned(),
        format!("{theirs:.3}"),
        texts[1].clone(),
    ]);
    table.print();
    println!(
        "ratio {:.3}; {}",
        ours / theirs,
        verdict(ours <= TARGET_START_SECONDS, "at most 1.0 s")
    );
    report.record(
        "start",
        json!({
            "model": model.name(), "threads": threads, "rounds": rounds,
            "earnest_seconds": ours, "reference_seconds": theirs,
        }),
    )
}

fn transcribe(earnest: &Path, model: Model, threads: usize, file: &Path) -> Result<Usage> {
    let threads = threads.to_string();
    let arguments = [
        "transcribe",
        "--model",
        model.name(),
        "--threads",
        &threads,
        "--format",
        "text",
    ];
    let mut arguments: Vec<&OsStr> = arguments.into_iter().map(OsStr::new).collect();
    arguments.push(file.as_os_str());
    measure(earnest.as_os_str(), &arguments)
}

fn reference(model: Model, threads: usize, file: &Path) -> Result<Usage> {
    let threads = threads.to_string();
    let arguments = [
        "reference-process",
        "--model",
        model.name(),
        "--threads",
        &threads,
    ];
    let mut arguments: Vec<&OsStr> = arguments.into_iter().map(OsStr::new).collect();
    arguments.push(file.as_os_str());
    measure(std::env::current_exe()?.as_os_str(), &arguments)
}
