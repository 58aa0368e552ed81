//! Speed, memory and accuracy, side by side with what a user would pick instead.
//!
//! `prepare` fetches what the measurements need; each other verb answers one question and
//! prints a table. `--json FILE` appends the same figures as JSON lines.

mod corpus;
mod engine;
mod places;
mod prepare;
mod reference;
mod report;
mod speed;
mod tune;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::{Args, Parser, Subcommand};

use crate::engine::Clock;
use crate::places::Model;
use crate::reference::{Reference, Runtime};
use crate::report::Report;
use crate::tune::Graphs;

/// Measures Earnest beside ONNX Runtime on the same model files.
#[derive(Debug, Parser)]
#[command(name = "earnest-benches", version, about)]
struct Arguments {
    /// Append every figure to this file as JSON lines.
    #[arg(long, global = true)]
    json: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Fetch ONNX Runtime, Whisper's normaliser and the recordings.
    Prepare {
        /// Only print the commands.
        #[arg(long)]
        print: bool,
    },
    /// Say which recordings there are.
    Corpora,
    /// Time on identical segments, in alternation.
    Speed(SpeedOptions),
}

#[derive(Debug, Args)]
struct SpeedOptions {
    /// Only this model.
    #[arg(long)]
    model: Option<Model>,
    /// Thread counts.
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    threads: Vec<usize>,
    /// Times that each clip is read.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only so many clips, spread over the recordings; 0 is all.
    #[arg(long, default_value_t = 0)]
    clips: usize,
    /// What to measure time in.
    #[arg(long, default_value = "wall")]
    clock: Clock,
    /// Choose ONNX Runtime's session options afresh.
    #[arg(long)]
    tune: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut report = Report::new(arguments.json.as_deref())?;
    match arguments.verb {
        Verb::Prepare { print } => prepare::run(print),
        Verb::Corpora => corpora(),
        Verb::Speed(options) => speed(&mut report, &options),
    }
}

fn corpora() -> Result<()> {
    let clips = corpus::load()?;
    for set in [corpus::Set::Asterisk, corpus::Set::LibriVox] {
        let (count, seconds) = clips
            .iter()
            .filter(|clip| clip.set == set)
            .fold((0, 0.0), |(count, seconds), clip| {
                (count + 1, seconds + clip.seconds())
            });
        println!("{}: {count} clips, {seconds:.1} s", set.name());
    }
    Ok(())
}

fn speed(report: &mut Report, options: &SpeedOptions) -> Result<()> {
    let all = corpus::load()?;
    let runtime = Runtime::load(&prepare::runtime_library()?)?;
    println!("{}", Runtime::build_info());
    let clips = corpus::spread(all.clone(), options.clips);
    for model in Model::ALL {
        if options.model.is_some_and(|only| only != model) {
            continue;
        }
        let graphs = graphs(model)?;
        for &threads in &options.threads {
            let chosen = tune::options(&runtime, model, &graphs, threads, &all, options.tune)?;
            println!("ONNX Runtime's options: {chosen:?}");
            let mut reference =
                Reference::load(&runtime, &graphs.encoder, &graphs.decoder, &chosen)?;
            let stages =
                speed::measure(&mut [&mut reference], &clips, options.rounds, options.clock)?;
            let title = format!(
                "{}, {threads} thread(s), {:?} time",
                model.name(),
                options.clock
            );
            speed::print(report, &title, &["ONNX Runtime"], &stages, &clips)?;
        }
    }
    Ok(())
}

fn graphs(model: Model) -> Result<Graphs> {
    let directory = places::model_directory(model.card())?;
    let read = |name: &str| {
        let path = directory.join(name);
        fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
    };
    Ok(Graphs {
        encoder: read("encoder_model.onnx")?,
        decoder: read("decoder_model_merged.onnx")?,
    })
}
