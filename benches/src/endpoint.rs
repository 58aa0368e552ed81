//! What the daemon costs: a clip through the endpoint beside the same call in-process, four
//! applications beside one, and the way from a start to an open gate.

use std::io::Cursor;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use earnest_package::VOICE_CARD;
use earnest_sound::{Source, Status};
use earnest_speech::{Engine, EngineOptions, Heard, Recognizer, Vad};
use serde_json::json;

use crate::accuracy::verdict;
use crate::bench::open_files;
use crate::corpus::Clip;
use crate::daemon::{Daemon, Device};
use crate::places::Model;
use crate::report::{Report, Table, median, milliseconds};
use crate::sound;

/// The clip of the target.
const SECONDS: f64 = 5.0;
/// The endpoint may take this much of the time in-process, or this much longer.
const TARGET_RATIO: f64 = 1.15;
const TARGET_MORE: f64 = 10.0;
/// Four applications may take this much of the memory of one.
const TARGET_MEMORY: f64 = 2.0;
const APPLICATIONS: usize = 4;
/// From the start of the daemon to an open gate, and from a kill to the next text.
const TARGET_READY: f64 = 1_500.0;
const TARGET_AGAIN: f64 = 2_000.0;
/// How long applications work while memory is watched.
const WORK: Duration = Duration::from_secs(6);

/// Runs all of it.
pub(crate) fn run(
    report: &mut Report,
    model: Model,
    clips: &[Clip],
    threads: usize,
    rounds: usize,
) -> Result<()> {
    let device = Device::new(model, threads)?;
    let file = five_seconds(clips)?;
    println!("\n{}, {threads} thread(s)", model.name());
    starts(report, &device, &file, model, rounds.min(10))?;
    let daemon = device.start()?;
    cost(report, &daemon, &file, model, threads, rounds)?;
    drop(daemon);
    memory(report, &device, &file, model)
}

/// A file of five seconds of speech.
pub(crate) fn five_seconds(clips: &[Clip]) -> Result<Vec<u8>> {
    let near = |clip: &&Clip| (clip.seconds() - SECONDS).abs();
    let clip = clips.iter().min_by(|a, b| near(a).total_cmp(&near(b)));
    let mut pcm = clip.context("there are no recordings")?.pcm.clone();
    pcm.resize((SECONDS * sound::RATE as f64) as usize, 0.0);
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("clip.wav");
    sound::write(&path, &pcm)?;
    Ok(std::fs::read(path)?)
}

/// The same work without a daemon: from the bytes of a file to its text.
struct InProcess(Engine);

impl InProcess {
    fn load(model: Model, threads: usize) -> Result<InProcess> {
        let recognizer = Recognizer::load(&open_files(model.card())?, &EngineOptions { threads })?;
        let vad = Vad::load(&open_files(VOICE_CARD)?)?;
        Ok(InProcess(Engine::new(recognizer, vad)))
    }

    fn transcribe(&mut self, file: &[u8]) -> Result<String> {
        let mut source = Source::from_reader(Cursor::new(file.to_vec()))?;
        let mut scribe = self.0.scribe(false);
        let (mut block, mut heard) = (Vec::new(), Vec::new());
        while source.read(&mut block)? == Status::More {
            heard.extend(scribe.push(&block)?);
            block.clear();
        }
        heard.extend(scribe.finish()?);
        let segments = heard.into_iter().filter_map(Heard::segment);
        let texts: Vec<_> = segments.map(|segment| segment.text).collect();
        Ok(texts.join(" "))
    }
}

fn cost(
    report: &mut Report,
    daemon: &Daemon,
    file: &[u8],
    model: Model,
    threads: usize,
    rounds: usize,
) -> Result<()> {
    let token = daemon.token("bench")?;
    let mut own = InProcess::load(model, threads)?;
    // The first call of each wakes what the others find awake.
    let expected = own.transcribe(file)?;
    let answered = daemon.transcribe(&token, file)?;
    ensure!(answered == expected, "{answered:?} is not {expected:?}");
    let (mut inside, mut outside) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let mut measure_own = || -> Result<()> {
            let begin = Instant::now();
            own.transcribe(file)?;
            inside.push(milliseconds(begin.elapsed()));
            Ok(())
        };
        let mut measure_daemon = || -> Result<()> {
            let begin = Instant::now();
            daemon.transcribe(&token, file)?;
            outside.push(milliseconds(begin.elapsed()));
            Ok(())
        };
        // Each goes first as often as the other.
        if round % 2 == 0 {
            measure_own()?;
            measure_daemon()?;
        } else {
            measure_daemon()?;
            measure_own()?;
        }
    }
    let (inside, outside) = (median(&inside), median(&outside));
    let mut table = Table::new(&["a clip of 5 s", "ms"]);
    table.row(["in-process".to_owned(), format!("{inside:.1}")]);
    table.row(["through the endpoint".to_owned(), format!("{outside:.1}")]);
    table.print();
    let (ratio, more) = (outside / inside, outside - inside);
    println!(
        "ratio {ratio:.3}, {more:.1} ms more; {}",
        verdict(
            ratio <= TARGET_RATIO || more <= TARGET_MORE,
            &format!("{TARGET_RATIO} or {TARGET_MORE} ms"),
        ),
    );
    let record = json!({
        "model": model.name(), "threads": threads, "rounds": rounds,
        "in_process_ms": inside, "endpoint_ms": outside, "ratio": ratio,
    });
    report.record("endpoint.cost", record)
}

fn starts(
    report: &mut Report,
    device: &Device,
    file: &[u8],
    model: Model,
    rounds: usize,
) -> Result<()> {
    let (mut ready, mut again) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let daemon = device.start()?;
        ready.push(milliseconds(daemon.until_ready));
        daemon.transcribe(&daemon.token("bench")?, file)?;
        let begin = Instant::now();
        daemon.kill()?;
        let daemon = device.start()?;
        daemon.transcribe(&daemon.token("bench")?, file)?;
        again.push(milliseconds(begin.elapsed()));
    }
    let most = |times: &[f64]| times.iter().copied().fold(0.0, f64::max);
    let mut table = Table::new(&["starts", "median ms", "most ms"]);
    for (name, times) in [
        ("start to open gate", &ready),
        ("kill -9 to the next text", &again),
    ] {
        let cells = [median(times), most(times)].map(|time| format!("{time:.0}"));
        table.row(std::iter::once(name.to_owned()).chain(cells));
    }
    table.print();
    println!(
        "{}; {}",
        verdict(
            median(&ready) <= TARGET_READY,
            &format!("{TARGET_READY} ms")
        ),
        verdict(
            median(&again) <= TARGET_AGAIN,
            &format!("{TARGET_AGAIN} ms")
        ),
    );
    let record = json!({ "model": model.name(), "ready_ms": ready, "again_ms": again });
    report.record("endpoint.starts", record)
}

fn memory(report: &mut Report, device: &Device, file: &[u8], model: Model) -> Result<()> {
    let mut peaks = Vec::new();
    let mut table = Table::new(&["applications at work", "processes", "MB"]);
    for applications in [1, APPLICATIONS] {
        // A fresh daemon, whose heap knows of no earlier work.
        let daemon = device.start()?;
        let (processes, bytes) = at_work(&daemon, file, applications)?;
        let megabytes = bytes as f64 / 1e6;
        table.row([
            applications.to_string(),
            processes.to_string(),
            format!("{megabytes:.0}"),
        ]);
        peaks.push(megabytes);
    }
    table.print();
    let ratio = peaks[1] / peaks[0];
    println!(
        "{APPLICATIONS} applications take {ratio:.2} of the memory of one; {}",
        verdict(ratio <= TARGET_MEMORY, &TARGET_MEMORY.to_string()),
    );
    let record = json!({ "model": model.name(), "megabytes": peaks, "ratio": ratio });
    report.record("endpoint.memory", record)
}

/// The most memory of all processes while so many applications ask without a pause: how many
/// processes there were then, and their bytes.
fn at_work(daemon: &Daemon, file: &[u8], applications: usize) -> Result<(usize, u64)> {
    let stop = AtomicBool::new(false);
    let tokens: Vec<String> = (0..applications)
        .map(|index| daemon.token(&format!("bench-{index}")))
        .collect::<Result<_>>()?;
    std::thread::scope(|scope| {
        let work = |token: String| {
            let stop = &stop;
            move || -> Result<()> {
                while !stop.load(Ordering::Relaxed) {
                    daemon.transcribe(&token, file)?;
                }
                Ok(())
            }
        };
        let workers: Vec<_> = tokens
            .into_iter()
            .map(|token| scope.spawn(work(token)))
            .collect();
        let begin = Instant::now();
        let mut most = (0, 0);
        while begin.elapsed() < WORK {
            let sizes = daemon.memory()?;
            let bytes = sizes.iter().sum();
            if bytes > most.1 {
                most = (sizes.len(), bytes);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        stop.store(true, Ordering::Relaxed);
        for worker in workers {
            match worker.join() {
                Ok(outcome) => outcome?,
                Err(_) => anyhow::bail!("an application panicked"),
            }
        }
        Ok(most)
    })
}
