//! The command line: which question is asked of which model.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use serde_json::json;

use crate::accuracy::{self, COUNT_HEADS, count_cells};
use crate::bench::Bench;
use crate::corpus::{self, Clip, Set};
use crate::daemon::Device;
use crate::engine::{Clock, Engine, Reader as _};
use crate::listening::bench::{self, Way};
use crate::listening::soak::{self, Length};
use crate::places::{self, Model};
use crate::reference::Reference;
use crate::report::{Report, Table};
use crate::wer::WordErrors;
use crate::{
    anomalies, endpoint, live, load, long, memory, prepare, process, robust, silence, speed, wake,
};

/// Measures Earnest beside ONNX Runtime on the same model files.
#[derive(Debug, Parser)]
#[command(name = "earnest-benches", version, about)]
pub(crate) struct Arguments {
    /// Append every figure to this file as JSON lines.
    #[arg(long, global = true, value_name = "FILE")]
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
    /// Word errors of ONNX Runtime alone, on whole clips: the figures of the model cards.
    Reference(ModelOptions),
    /// Word errors beside ONNX Runtime, and identity of tokens on the same segments.
    Accuracy(ModelOptions),
    /// Time on identical segments, in alternation.
    Speed(SpeedOptions),
    /// From process start to text, whole processes.
    Start(ProcessOptions),
    /// Peak memory on a minute and an hour, whole processes.
    Memory(ProcessOptions),
    /// What the daemon costs: a clip through its endpoint, four applications, its start.
    Endpoint(EndpointOptions),
    /// What the daemon does when far too much is asked of it, and what a greedy application
    /// leaves to a polite one.
    Load {
        /// Seconds of overload. The other parts take a fifth of it each, a minute at most.
        #[arg(long, default_value_t = 300)]
        seconds: u64,
        /// Clients at once.
        #[arg(long, default_value_t = 200)]
        clients: usize,
        /// The model.
        #[arg(long, default_value = "tiny")]
        model: Model,
        /// Threads of a worker.
        #[arg(long, default_value_t = 1)]
        threads: usize,
    },
    /// False alarms of simulated honest months, and what attacks need until they are answered.
    Anomalies {
        /// Months, each from a seed of its own.
        #[arg(long, default_value_t = 24)]
        months: u64,
    },
    /// Characters said to silence, noise, hum and tones.
    Silence {
        #[command(flatten)]
        models: ModelOptions,
        /// Seconds of each sound.
        #[arg(long, default_value_t = silence::SECONDS)]
        seconds: usize,
    },
    /// Word errors on quiet speech and on speech in noise.
    Robust(ModelOptions),
    /// Word errors and loops on an hour of clips end to end.
    Long {
        #[command(flatten)]
        models: ModelOptions,
        /// Length of the file in seconds.
        #[arg(long, default_value_t = 3600)]
        seconds: usize,
    },
    /// Live text: how soon it comes, what it costs, and its word errors beside a file's.
    Live {
        #[command(flatten)]
        models: ModelOptions,
        /// Threads.
        #[arg(long, default_value_t = 1)]
        threads: usize,
        /// What to measure time in.
        #[arg(long, default_value = "wall")]
        clock: Clock,
        /// Recordings to compare with themselves as files, beside the clips.
        files: Vec<PathBuf>,
    },
    /// Misses and false accepts of spotted phrases, over every threshold. Speaks with espeak-ng
    /// and flite.
    Wake {
        /// The model.
        #[arg(long, default_value = "tiny")]
        model: Model,
        /// Recognisers at once, a thread each.
        #[arg(long, default_value_t = 2)]
        threads: usize,
        /// Keep one sound of so many, for a quick look.
        #[arg(long, default_value_t = 1)]
        every: usize,
    },
    /// The microphone from end to end, in its own time: how soon text comes to who listens, what
    /// that costs, and its word errors beside a file's.
    Listen {
        /// Clips, spread over the recordings; 0 is all.
        #[arg(long, default_value_t = 200)]
        clips: usize,
        /// The model.
        #[arg(long, default_value = "tiny")]
        model: Model,
        /// How sound gets to the microphone, or to what else hears it.
        #[arg(long, value_delimiter = ',', default_value = "server,pipe,moonshine")]
        ways: Vec<Way>,
    },
    /// Hours of listening faster than they pass, sound that is no speech, and a microphone that
    /// is lost again and again.
    Soak {
        #[command(flatten)]
        length: Length,
        /// Clips that are said again and again.
        #[arg(long, default_value_t = 40)]
        clips: usize,
    },
    /// Everything above but what listens, in this order.
    All(ProcessOptions),
    /// Run a command and print what it took.
    #[command(hide = true)]
    Measured {
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Transcribe one file with ONNX Runtime, for measurements of whole processes.
    #[command(hide = true)]
    ReferenceProcess {
        #[arg(long)]
        model: Model,
        #[arg(long)]
        threads: usize,
        file: PathBuf,
    },
}

#[derive(Debug, Clone, Args)]
struct ModelOptions {
    /// Only this model.
    #[arg(long)]
    model: Option<Model>,
    /// Only so many clips, spread over the recordings; 0 is all.
    #[arg(long, default_value_t = 0)]
    clips: usize,
}

impl ModelOptions {
    fn models(&self) -> impl Iterator<Item = Model> {
        let only = self.model;
        Model::ALL
            .into_iter()
            .filter(move |model| only.is_none_or(|only| only == *model))
    }

    fn clips(&self) -> Result<Vec<Clip>> {
        Ok(corpus::spread(corpus::load()?, self.clips))
    }
}

#[derive(Debug, Clone, Args)]
struct SpeedOptions {
    #[command(flatten)]
    models: ModelOptions,
    /// Thread counts.
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    threads: Vec<usize>,
    /// Times that each clip is read.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// What to measure time in.
    #[arg(long, default_value = "wall")]
    clock: Clock,
    /// Choose ONNX Runtime's session options afresh.
    #[arg(long)]
    tune: bool,
}

#[derive(Debug, Clone, Args)]
struct ProcessOptions {
    #[command(flatten)]
    models: ModelOptions,
    /// Threads on both sides.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Times that a short process is run.
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// The command `earnest`; without it, the one built beside this program.
    #[arg(long, value_name = "FILE")]
    earnest: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
struct EndpointOptions {
    #[command(flatten)]
    models: ModelOptions,
    /// Threads of a worker, and in-process.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// Times that the clip is read on each side.
    #[arg(long, default_value_t = 40)]
    rounds: usize,
}

impl Arguments {
    /// Does what was asked.
    pub(crate) fn run(self) -> Result<()> {
        let mut report = Report::new(self.json.as_deref())?;
        let report = &mut report;
        match self.verb {
            Verb::Prepare { print } => prepare::run(print),
            Verb::Corpora => corpora(),
            Verb::Reference(options) => reference(report, &options),
            Verb::Accuracy(options) => run_accuracy(report, &options),
            Verb::Speed(options) => run_speed(report, &options),
            Verb::Start(options) => run_start(report, &options),
            Verb::Memory(options) => run_memory(report, &options),
            Verb::Endpoint(options) => run_endpoint(report, &options),
            Verb::Load {
                seconds,
                clients,
                model,
                threads,
            } => {
                let device = Device::new(model, threads)?;
                let file = endpoint::five_seconds(&corpus::load()?)?;
                load::run(report, &device, &file, clients, seconds)
            }
            Verb::Anomalies { months } => anomalies::run(report, months),
            Verb::Silence { models, seconds } => run_silence(report, &models, seconds),
            Verb::Robust(options) => run_robust(report, &options),
            Verb::Long { models, seconds } => run_long(report, &models, seconds),
            Verb::Live {
                models,
                threads,
                clock,
                files,
            } => run_live(report, &models, threads, clock, &files),
            Verb::Wake {
                model,
                threads,
                every,
            } => wake::run(report, model, threads, every),
            Verb::Listen { clips, model, ways } => {
                let clips = corpus::spread(corpus::load()?, clips);
                bench::run(report, &Device::new(model, 1)?, &clips, &ways)
            }
            Verb::Soak { length, clips } => {
                let clips = corpus::spread(corpus::load()?, clips);
                soak::run(report, &Device::new(Model::Tiny, 1)?, &clips, length)
            }
            Verb::All(options) => run_all(report, &options),
            Verb::Measured { command } => process::run_measured(&command),
            Verb::ReferenceProcess {
                model,
                threads,
                file,
            } => crate::bench::reference_process(model, threads, &file),
        }
    }
}

fn corpora() -> Result<()> {
    let clips = corpus::load()?;
    for set in [Set::Asterisk, Set::LibriVox] {
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

fn reference(report: &mut Report, options: &ModelOptions) -> Result<()> {
    let clips = options.clips()?;
    let mut table = Table::new(&COUNT_HEADS);
    for model in options.models() {
        let mut reader = Bench::open(model)?.reference_reader(1)?;
        let texts = accuracy::read_all(&mut reader, &clips)?;
        let counts = accuracy::score(&clips, &texts)?;
        for set in [Set::Asterisk, Set::LibriVox] {
            let sum: WordErrors = clips
                .iter()
                .zip(&counts)
                .filter(|(clip, _)| clip.set == set)
                .map(|(_, counts)| *counts)
                .sum();
            let name = format!("{}, {}, {}", reader.name(), model.name(), set.name());
            table.row(count_cells(&name, sum));
            report.record(
                "reference",
                json!({
                    "model": model.name(), "set": set.name(), "words": sum.words,
                    "errors": sum.errors(), "rate": sum.rate(),
                }),
            )?;
        }
    }
    table.print();
    Ok(())
}

fn run_accuracy(report: &mut Report, options: &ModelOptions) -> Result<()> {
    let clips = options.clips()?;
    for model in options.models() {
        let bench = Bench::open(model)?;
        let mut ours = bench.earnest_reader(1)?;
        let mut theirs = bench.reference_reader(1)?;
        let our_texts = accuracy::read_all(&mut ours, &clips)?;
        let their_texts = accuracy::read_all(&mut theirs, &clips)?;
        accuracy::compare_texts(
            report,
            model.name(),
            &clips,
            (ours.name(), &our_texts),
            (theirs.name(), &their_texts),
        )?;
        compare_identity(report, &bench, model, &clips, &mut theirs.reference)?;
    }
    Ok(())
}

/// Three ways to read the same segments. How far ONNX Runtime agrees with itself under
/// other options says how much of a difference is arithmetic alone.
fn compare_identity(
    report: &mut Report,
    bench: &Bench,
    model: Model,
    clips: &[Clip],
    tuned: &mut Reference,
) -> Result<()> {
    let tokenizer = bench.tokenizer()?;
    let decode = |tokens: &[u32]| tokenizer.decode(tokens);
    let ours = accuracy::read_tokens(&mut bench.earnest(1)?, clips)?;
    let tuned = accuracy::read_tokens(tuned, clips)?;
    let plain = accuracy::read_tokens(&mut bench.plain_reference(1)?, clips)?;
    let ours = ("Earnest", ours.as_slice());
    let tuned = ("ONNX Runtime at its fastest", tuned.as_slice());
    let plain = ("ONNX Runtime by default", plain.as_slice());
    let name = model.name();
    accuracy::compare_tokens(report, name, clips, ours, tuned, true, &decode)?;
    accuracy::compare_tokens(report, name, clips, ours, plain, false, &decode)?;
    accuracy::compare_tokens(report, name, clips, tuned, plain, false, &decode)?;
    let texts = |tokens: &[Vec<u32>]| -> Vec<String> {
        tokens.iter().map(|tokens| decode(tokens)).collect()
    };
    accuracy::compare_texts(
        report,
        &format!("{name}, whole clips on both sides"),
        clips,
        ("Earnest", &texts(ours.1)),
        ("ONNX Runtime", &texts(tuned.1)),
    )
}

fn run_speed(report: &mut Report, options: &SpeedOptions) -> Result<()> {
    let clips = options.models.clips()?;
    for model in options.models.models() {
        let bench = Bench::open(model)?;
        for &threads in &options.threads {
            if options.tune {
                bench.tune(threads)?;
            }
            let mut ours = bench.earnest(threads)?;
            let mut theirs = bench.reference(threads)?;
            println!("\nkernels of Earnest: {}", ours.kernels());
            let mut engines = [&mut ours as &mut dyn Engine, &mut theirs];
            let names = engines.each_ref().map(|engine| engine.name());
            let stages = speed::measure(&mut engines, &clips, options.rounds, options.clock)?;
            let title = format!(
                "{}, {threads} thread(s), {:?} time",
                model.name(),
                options.clock
            );
            speed::print(report, &title, &names, &stages, &clips)?;
        }
    }
    Ok(())
}

fn run_start(report: &mut Report, options: &ProcessOptions) -> Result<()> {
    let earnest = places::earnest_command(options.earnest.as_deref())?;
    for model in options.models.models() {
        memory::start(report, model, &earnest, options.threads, options.rounds)?;
    }
    Ok(())
}

fn run_memory(report: &mut Report, options: &ProcessOptions) -> Result<()> {
    let earnest = places::earnest_command(options.earnest.as_deref())?;
    let clips = options.models.clips()?;
    for model in options.models.models() {
        memory::run(report, model, &earnest, &clips, options.threads)?;
    }
    Ok(())
}

fn run_endpoint(report: &mut Report, options: &EndpointOptions) -> Result<()> {
    let clips = options.models.clips()?;
    for model in options.models.models() {
        endpoint::run(report, model, &clips, options.threads, options.rounds)?;
    }
    Ok(())
}

fn run_silence(report: &mut Report, options: &ModelOptions, seconds: usize) -> Result<()> {
    for model in options.models() {
        let bench = Bench::open(model)?;
        let mut ours = bench.earnest_reader(1)?;
        let mut theirs = bench.reference_reader(1)?;
        silence::run(report, model.name(), seconds, &mut ours, &mut theirs)?;
    }
    Ok(())
}

fn run_robust(report: &mut Report, options: &ModelOptions) -> Result<()> {
    let clips = options.clips()?;
    for model in options.models() {
        let bench = Bench::open(model)?;
        let mut ours = bench.earnest_reader(1)?;
        let mut theirs = bench.reference_reader(1)?;
        robust::run(report, model.name(), &clips, &mut ours, &mut theirs)?;
    }
    Ok(())
}

fn run_long(report: &mut Report, options: &ModelOptions, seconds: usize) -> Result<()> {
    let clips = options.clips()?;
    for model in options.models() {
        let mut ours = Bench::open(model)?.earnest_reader(1)?;
        long::run(report, model.name(), &clips, seconds, &mut ours)?;
    }
    Ok(())
}

fn run_live(
    report: &mut Report,
    options: &ModelOptions,
    threads: usize,
    clock: Clock,
    files: &[PathBuf],
) -> Result<()> {
    let clips = options.clips()?;
    for model in options.models() {
        let settings = live::Settings {
            model,
            threads,
            clock,
            files,
        };
        live::run(report, &settings, &clips)?;
    }
    Ok(())
}

fn run_all(report: &mut Report, options: &ProcessOptions) -> Result<()> {
    let models = &options.models;
    corpora()?;
    run_accuracy(report, models)?;
    run_speed(
        report,
        &SpeedOptions {
            models: models.clone(),
            threads: vec![1, 2],
            rounds: 3,
            clock: Clock::Wall,
            tune: false,
        },
    )?;
    run_start(report, options)?;
    run_memory(report, options)?;
    run_silence(report, models, silence::SECONDS)?;
    run_robust(report, models)?;
    run_long(report, models, 3600)?;
    run_live(report, models, 1, Clock::Wall, &[])?;
    for model in models.models() {
        wake::run(report, model, 2, 1)?;
    }
    Ok(())
}
