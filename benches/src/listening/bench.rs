//! `listen`: how soon text comes to whoever listens, what it costs, and how right it is.
//!
//! Clips are said one after another in their own time, with pauses between. An utterance ends
//! with its clip's last sample that is at most 40 dB below the loudest one. Times run from the
//! moment at which that sample was handed over, to the moment at which the event was read from
//! the daemon's Unix socket; what player, sound server and recorder hold back is in them, and is
//! estimated beside them.

use std::fs::{self, OpenOptions};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use serde_json::json;

use super::listener::{Listener, Told};
use super::pace::{self, Said};
use super::processes::{self, Looks, PARTS, Watch};
use super::room::{self, Room};
use super::script::{Script, place_at};
use super::{APP, SILENCE, device_of};
use crate::accuracy::{COUNT_HEADS, count_cells, verdict};
use crate::corpus::Clip;
use crate::daemon::{Daemon, Device};
use crate::normalise::normalise;
use crate::report::{Report, Table, median};
use crate::sound::{self, RATE};
use crate::wer::{WordErrors, word_errors};

/// Quiet before the first clip, in which idle listening is measured, and behind each clip.
const BEFORE: usize = 30 * RATE;
const GAP: usize = 2 * RATE;

/// The parts of that quiet which are looked at: not the beginning of listening.
const SETTLED: usize = 5 * RATE;

/// A block of the pipe is what the process that captures asks of a device at once, 40 ms, and no
/// less: the device would make up the rest. A block for the sound server is as small as makes
/// sense.
const PIPE_BLOCK: usize = RATE / 25;
const PLAYER_BLOCK: usize = RATE / 100;

/// Longer than a device takes to give sound, and than a final takes to come.
const PATIENCE: Duration = Duration::from_secs(15);
const LAST: Duration = Duration::from_secs(4);

/// How long the daemon is looked at while nobody listens.
const REST: Duration = Duration::from_secs(10);

/// The targets: seconds to the final beyond the silence and to the first text, 95 of 100 times;
/// points of word errors over the file's; shares of a core.
const TARGET_FINAL: f64 = 0.3;
const TARGET_FIRST: f64 = 0.7;
const TARGET_POINTS: f64 = 1.0;
const TARGET_SPEECH: f64 = 0.35;
const TARGET_QUIET: f64 = 0.02;

/// How sound gets to the microphone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Way {
    /// A player and a sound server, whose sink plays into its microphone.
    Server,
    /// A pipe in the place of the device, which is read as it is written.
    Pipe,
}

impl Way {
    const fn name(self) -> &'static str {
        match self {
            Way::Server => "sound server",
            Way::Pipe => "pipe",
        }
    }
}

/// What was said, and what was told of it.
struct Run {
    said: Said,
    told: Vec<Told>,
    looks: Looks,
    megabytes: [f64; 3],
    /// Shares of a core while nobody listens: the gate is looked after all the time.
    rest: [f64; 3],
    /// Where something begins, and how long it took to a recorder beside, where there is one.
    playback: Vec<(usize, Duration)>,
}

impl Run {
    /// How long what was said at a sample took to a recorder beside.
    fn playback_at(&self, sample: usize) -> Option<Duration> {
        let next = self
            .playback
            .partition_point(|(begins, _)| *begins <= sample);
        let playback = self.playback.get(next.saturating_sub(1));
        playback.map(|(_, delay)| *delay)
    }
}

/// Runs both ways, each with a daemon of its own, and reads the same clips as files.
pub(crate) fn run(
    report: &mut Report,
    device: &Device,
    clips: &[Clip],
    ways: &[Way],
) -> Result<()> {
    let script = Script::of(clips, BEFORE, GAP);
    println!(
        "{} clips in {:.0} s of sound; an utterance ends after {SILENCE} ms of silence",
        clips.len(),
        script.pcm.len() as f64 / RATE as f64
    );
    let mut files = None;
    for way in ways {
        let room = match way {
            Way::Server => Some(Room::open()?),
            Way::Pipe => None,
        };
        let folder = tempfile::tempdir()?;
        let pipe = folder.path().join("microphone");
        let environment = match &room {
            Some(room) => room.environment(),
            None => {
                mkfifo(&pipe, Mode::S_IRUSR | Mode::S_IWUSR)?;
                device_of(folder.path(), &pipe)?
            }
        };
        let daemon = device.start_hearing("", &environment)?;
        if files.is_none() {
            // What is registered stays so.
            daemon.add_listener(APP)?;
        }
        let token = daemon.token(APP)?;
        let rest = rest(&daemon)?;
        if files.is_none() {
            files = Some(read_files(&daemon, &token, clips)?);
        }
        let mut run = match &room {
            Some(room) => over_server(&daemon, &token, room, &script)?,
            None => {
                // Opened for reading, too, so that it has no end and nobody waits for the other.
                let mut pipe = OpenOptions::new().read(true).write(true).open(&pipe)?;
                let listener = Listener::begin(&daemon, &token)?;
                // A pipe has no sound before somebody speaks.
                let script_of = |told: &Told| told.event["state"] == "open";
                wait_for(&listener, script_of)?;
                listen(&daemon, listener, || {
                    pace::say(&mut pipe, &script.pcm, PIPE_BLOCK)
                })?
            }
        };
        run.rest = rest;
        let texts = files.as_ref().context("they were read")?;
        tell(report, *way, clips, &script, &run, texts)?;
    }
    Ok(())
}

/// Shares of a core of a daemon that does nothing for anybody.
fn rest(daemon: &Daemon) -> Result<[f64; 3]> {
    let (watch, begin) = (Watch::begin(daemon), Instant::now());
    thread::sleep(REST);
    let end = Instant::now();
    let used = watch.end()?.between(begin, end);
    Ok(used.map(|used| used / end.duration_since(begin).as_secs_f64()))
}

/// The texts of clips as files.
fn read_files(daemon: &Daemon, token: &str, clips: &[Clip]) -> Result<Vec<String>> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("clip.wav");
    clips
        .iter()
        .map(|clip| {
            sound::write(&path, &clip.pcm)?;
            daemon.transcribe(token, &fs::read(&path)?)
        })
        .collect()
}

fn wait_for(listener: &Listener, is_it: impl Fn(&Told) -> bool) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let told = listener.next(left)?.context("no microphone is open")?;
        if is_it(&told) {
            return Ok(());
        }
    }
}

fn over_server(daemon: &Daemon, token: &str, room: &Room, script: &Script) -> Result<Run> {
    let listener = Listener::begin(daemon, token)?;
    // The first sound of a server takes its time.
    wait_for(&listener, |told| told.kind() == "level")?;
    let recorder = room.recorder()?;
    let (_player, mut input) = room.player()?;
    let mut run = listen(daemon, listener, || {
        pace::say(&mut input, &script.pcm, PLAYER_BLOCK)
    })?;
    let beginnings = room::beginnings(&script.pcm);
    let said = beginnings.iter().map(|sample| run.said.at(*sample));
    let said: Vec<Instant> = said.collect();
    match room::delays(&said, &recorder.heard()) {
        Ok(delays) => run.playback = beginnings.into_iter().zip(delays).collect(),
        Err(error) => println!("the playback's own latency is not known: {error}"),
    }
    Ok(run)
}

/// Has it said, and keeps what is told until nothing more comes.
fn listen(daemon: &Daemon, listener: Listener, say: impl FnOnce() -> Result<Said>) -> Result<Run> {
    let watch = Watch::begin(daemon);
    let said = say()?;
    let mut told = Vec::new();
    // Everything that came meanwhile waits; behind the last word comes its final.
    let end = Instant::now() + LAST;
    while let Some(one) = listener.next(end.saturating_duration_since(Instant::now()))? {
        told.push(one);
    }
    Ok(Run {
        said,
        told,
        megabytes: processes::memory(daemon),
        rest: [0.0; 3],
        looks: watch.end()?,
        playback: Vec::new(),
    })
}

/// What was told of each clip.
#[derive(Default, Clone)]
struct Clipped {
    first: Option<Instant>,
    last: Option<Instant>,
    text: String,
    /// Seconds from the microphone's beginning.
    begins: Option<f64>,
}

/// Puts what was told to the clips. The microphone was opened some time before: the first words
/// that are told belong to the clip that was said last before, and each clip sets the clock anew.
fn assign(script: &Script, run: &Run) -> Vec<Clipped> {
    let mut clipped = vec![Clipped::default(); script.places.len()];
    let onset = |place: usize| script.places[place].onset as f64 / RATE as f64;
    let mut offset = None;
    for told in run.told.iter().filter(|told| told.has_text()) {
        let start = told.seconds("start");
        let offset = offset.get_or_insert_with(|| {
            let before = |place: &&super::script::Place| run.said.at(place.onset) < told.at;
            let count = script.places.iter().take_while(before).count();
            start - onset(count.saturating_sub(1))
        });
        let Some(place) = place_at(&script.places, start - *offset) else {
            continue;
        };
        let clip = &mut clipped[place];
        clip.first.get_or_insert(told.at);
        if clip.begins.is_none() {
            clip.begins = Some(start);
            *offset = start - onset(place);
        }
        if told.kind() == "final" {
            clip.last = Some(told.at);
            clip.text.push(' ');
            clip.text.push_str(told.text());
        }
    }
    clipped
}

/// The value that this share of them does not exceed.
pub(super) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

fn tell(
    report: &mut Report,
    way: Way,
    clips: &[Clip],
    script: &Script,
    run: &Run,
    files: &[String],
) -> Result<()> {
    let clipped = assign(script, run);
    let since = |from: Instant, to: Instant| match to.checked_duration_since(from) {
        Some(time) => time.as_secs_f64(),
        None => -from.duration_since(to).as_secs_f64(),
    };
    let (mut first, mut last) = (Vec::new(), Vec::new());
    // The same from what a recorder beside heard.
    let (mut first_heard, mut last_heard) = (Vec::new(), Vec::new());
    for (clip, place) in clipped.iter().zip(&script.places) {
        let (Some(begun), Some(ended)) = (clip.first, clip.last) else {
            continue;
        };
        let playback = run.playback_at(place.onset + RATE / 10);
        let (onset, end) = (run.said.at(place.onset), run.said.at(place.end - 1));
        let silence = SILENCE as f64 / 1e3;
        first.push(since(onset, begun));
        last.push(since(end, ended) - silence);
        first_heard.extend(playback.map(|delay| since(onset + delay, begun)));
        last_heard.extend(playback.map(|delay| since(end + delay, ended) - silence));
    }
    let playback = run.playback.iter().map(|(_, delay)| delay.as_secs_f64());
    let playback: Vec<f64> = playback.collect();
    println!("\nby the {}:", way.name());
    let mut table = Table::new(&["seconds", "median", "95 %", "99 %", "most"]);
    let rows = [
        ("final beyond the silence", &last),
        ("first text after the onset", &first),
        ("playback, and a recorder beside", &playback),
        ("final, from what the recorder heard", &last_heard),
        ("first text, from what it heard", &first_heard),
    ];
    for (name, values) in rows.iter().filter(|(_, values)| !values.is_empty()) {
        let cells = [0.5, 0.95, 0.99, 1.0].map(|share| format!("{:.3}", quantile(values, share)));
        table.row([vec![(*name).to_owned()], cells.to_vec()].concat());
    }
    table.print();
    let (p95_last, p95_first) = (quantile(&last, 0.95), quantile(&first, 0.95));
    println!(
        "finals {}; first text {}; {} clips without a final; blocks at most {:.0} ms late; {} overruns",
        verdict(p95_last <= TARGET_FINAL, &format!("{TARGET_FINAL} s")),
        verdict(p95_first <= TARGET_FIRST, &format!("{TARGET_FIRST} s")),
        clips.len() - last.len(),
        run.said.late.as_secs_f64() * 1e3,
        run.told
            .iter()
            .filter(|told| told.kind() == "overrun")
            .count(),
    );
    let errors = tell_errors(clips, &clipped, files)?;
    let shares = tell_costs(script, run, &clipped);
    report.record(
        "listen",
        json!({
            "way": way.name(), "clips": clips.len(), "heard": last.len(),
            "final": { "p50": median(&last), "p95": p95_last, "most": quantile(&last, 1.0) },
            "first": { "p50": median(&first), "p95": p95_first, "most": quantile(&first, 1.0) },
            "playback": { "p50": median(&playback), "p95": quantile(&playback, 0.95) },
            "heard": { "final_p95": quantile(&last_heard, 0.95), "first_p95": quantile(&first_heard, 0.95) },
            "rate_live": errors[1].rate(), "rate_file": errors[0].rate(),
            "share_speech": shares[0], "share_quiet": shares[1], "megabytes": run.megabytes,
        }),
    )?;
    ensure!(!last.is_empty(), "nothing was heard");
    Ok(())
}

fn tell_errors(clips: &[Clip], clipped: &[Clipped], files: &[String]) -> Result<[WordErrors; 2]> {
    let said: Vec<&str> = clips.iter().map(|clip| clip.transcript.as_str()).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let heard: Vec<&str> = clipped.iter().map(|clip| clip.text.trim()).collect();
    let said = normalise(&said)?;
    let count = |texts: &[&str]| -> Result<WordErrors> {
        let texts = normalise(texts)?;
        let pairs = said.iter().zip(&texts);
        Ok(pairs.map(|(said, text)| word_errors(said, text)).sum())
    };
    let errors = [count(&files)?, count(&heard)?];
    let mut table = Table::new(&COUNT_HEADS);
    table.row(count_cells("as files", errors[0]));
    table.row(count_cells("listened to", errors[1]));
    table.print();
    let points = 100.0 * (errors[1].rate() - errors[0].rate());
    println!(
        "listening over files: {points:+.2} points; {}",
        verdict(points <= TARGET_POINTS, "1 point")
    );
    Ok(errors)
}

/// Shares of a core in speech and in quiet, of all three processes.
fn tell_costs(script: &Script, run: &Run, clipped: &[Clipped]) -> [f64; 2] {
    let share = |spans: &[(Instant, Instant)]| {
        let (mut used, mut seconds) = ([0.0; 3], 0.0);
        for (begin, end) in spans {
            let between = run.looks.between(*begin, *end);
            used.iter_mut()
                .zip(between)
                .for_each(|(sum, one)| *sum += one);
            seconds += end.saturating_duration_since(*begin).as_secs_f64();
        }
        used.map(|used| used / f64::max(seconds, 1e-9))
    };
    let places = script.places.iter().zip(clipped);
    // An utterance is work from its first sample to its final.
    let speech: Vec<_> = places
        .filter_map(|(place, clip)| Some((run.said.at(place.onset), clip.last?)))
        .collect();
    let quiet = [(run.said.at(SETTLED), run.said.at(BEFORE - RATE / 2))];
    let all = [(run.said.at(BEFORE), run.said.at(script.pcm.len() - 1))];
    let rows = [
        ("share of a core in speech, %", share(&speech)),
        ("with the pauses between, %", share(&all)),
        ("in silence, %", share(&quiet)),
        ("while nobody listens, %", run.rest),
    ];
    let mut table = Table::new(&["", PARTS[0], PARTS[1], PARTS[2], "all"]);
    let row = |name: &str, of: [f64; 3], digits: usize| {
        let mut cells = vec![name.to_owned()];
        cells.extend(of.map(|one| format!("{one:.digits$}")));
        cells.push(format!("{:.digits$}", of.iter().sum::<f64>()));
        cells
    };
    for (name, shares) in rows {
        table.row(row(name, shares.map(|share| 100.0 * share), 2));
    }
    table.row(row("megabytes at the end", run.megabytes, 1));
    table.print();
    let sums = [rows[0].1, rows[2].1].map(|shares| shares.iter().sum::<f64>());
    let stream = sums[1] - run.rest.iter().sum::<f64>();
    println!(
        "in speech {}; in silence {}; what listening adds in silence, {:.2} %: {}",
        verdict(sums[0] <= TARGET_SPEECH, "35 %"),
        verdict(sums[1] <= TARGET_QUIET, "2 %"),
        100.0 * stream,
        verdict(stream <= TARGET_QUIET, "2 %")
    );
    sums
}
