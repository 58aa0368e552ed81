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

use anyhow::{Context as _, Result};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::figures;
use super::listener::{Listener, Told};
use super::pace::{self, Said};
use super::processes::{self, Looks, Watch};
use super::room::{self, Room};
use super::script::Script;
use super::{APP, SILENCE, device_of, moonshine};
use crate::corpus::Clip;
use crate::daemon::{Daemon, Device};
use crate::report::Report;
use crate::sound::{self, RATE};

/// Quiet before the first clip, in which idle listening is measured, and behind each clip.
pub(super) const BEFORE: usize = 30 * RATE;
const GAP: usize = 2 * RATE;

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

/// How sound gets to the microphone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Way {
    /// A player and a sound server, whose sink plays into its microphone.
    Server,
    /// A pipe in the place of the device, which is read as it is written.
    Pipe,
    /// To Moonshine's own library, and to no daemon.
    Moonshine,
}

impl Way {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Way::Server => "sound server",
            Way::Pipe => "pipe",
            Way::Moonshine => "Moonshine's library",
        }
    }

    /// Seconds of silence that end an utterance by this project's own setting. The library has
    /// one of its own.
    pub(super) const fn silence(self) -> Option<f64> {
        match self {
            Way::Server | Way::Pipe => Some(SILENCE as f64 / 1e3),
            Way::Moonshine => None,
        }
    }
}

/// What was said, and what was told of it.
pub(super) struct Run {
    pub(super) said: Said,
    pub(super) told: Vec<Told>,
    pub(super) looks: Looks,
    pub(super) megabytes: [f64; 3],
    /// Shares of a core while nobody listens: the gate is looked after all the time.
    pub(super) rest: [f64; 3],
    /// Where something begins, and how long it took to a recorder beside, where there is one.
    pub(super) playback: Vec<(usize, Duration)>,
}

impl Run {
    /// How long what was said at a sample took to a recorder beside.
    pub(super) fn playback_at(&self, sample: usize) -> Option<Duration> {
        let next = self
            .playback
            .partition_point(|(begins, _)| *begins <= sample);
        let playback = self.playback.get(next.saturating_sub(1));
        playback.map(|(_, delay)| *delay)
    }
}

/// Runs all ways, each with a daemon of its own, and reads the same clips as files.
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
    let (mut files, mut figures) = (None, Vec::new());
    for way in ways {
        let run = match way {
            Way::Moonshine => by_library(&script)?,
            _ => by_daemon(device, *way, clips, &script, &mut files)?,
        };
        let found = figures::tell(report, *way, clips, &script, &run, files.as_deref())?;
        figures.push((*way, found));
    }
    figures::compare(&figures);
    Ok(())
}

/// Where a clip's text as a file is wanted first, it is read.
fn by_daemon(
    device: &Device,
    way: Way,
    clips: &[Clip],
    script: &Script,
    files: &mut Option<Vec<String>>,
) -> Result<Run> {
    let room = match way {
        Way::Server => Some(Room::open()?),
        _ => None,
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
        *files = Some(read_files(&daemon, &token, clips)?);
    }
    let mut run = match &room {
        Some(room) => over_server(&daemon, &token, room, script)?,
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
    Ok(run)
}

/// By the library, which takes blocks as the pipe's capture does.
fn by_library(script: &Script) -> Result<Run> {
    let heard = moonshine::hear(&script.pcm, PIPE_BLOCK)?;
    Ok(Run {
        said: heard.said,
        told: heard.told,
        looks: heard.looks,
        megabytes: [heard.megabytes, 0.0, 0.0],
        rest: [0.0; 3],
        playback: Vec::new(),
    })
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
