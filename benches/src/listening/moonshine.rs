//! Moonshine's own library for live speech, hearing the same sound in the same time: what somebody
//! would build on who had no daemon.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::listener::Told;
use super::pace::{self, Said};
use super::processes::{Looks, Watch};
use crate::daemon::proportional;
use crate::prepare;

const SCRIPT: &str = include_str!("../../moonshine.py");

/// Longer than the library takes to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// What it told of what was said, and what it took.
pub(super) struct Heard {
    pub(super) said: Said,
    pub(super) told: Vec<Told>,
    pub(super) looks: Looks,
    pub(super) megabytes: f64,
}

/// A process with the library. It ends with this.
struct Library(Child);

impl Drop for Library {
    fn drop(&mut self) {
        // Either may find that it has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Has it hear `pcm` in blocks of so many samples.
pub(super) fn hear(pcm: &[i16], block: usize) -> Result<Heard> {
    let packages = prepare::MOONSHINE.folder()?;
    ensure!(
        packages.is_dir(),
        "Moonshine's library is missing; run `prepare`"
    );
    let child = Command::new("python3")
        .args(["-c", SCRIPT])
        .env("PYTHONPATH", &packages)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run python3")?;
    let mut library = Library(child);
    let mut input = library.0.stdin.take().context("its input is piped")?;
    let output = library.0.stdout.take().context("its output is piped")?;
    let events = read(BufReader::new(output));
    events
        .recv_timeout(PATIENCE)
        .context("Moonshine's library does not start")?;
    let process = library.0.id();
    let watch = Watch::of(move || vec![(process, 0)]);
    let said = pace::say(&mut input, pcm, block)?;
    let megabytes = proportional(process)? as f64 / 1e6;
    let looks = watch.end()?;
    // It tells what is left, and ends.
    drop(input);
    let mut told = Vec::new();
    while let Ok(one) = events.recv_timeout(PATIENCE) {
        told.push(one);
    }
    Ok(Heard {
        said,
        told,
        looks,
        megabytes,
    })
}

/// Notes when each line came, in a thread that ends with the lines.
fn read(lines: BufReader<impl std::io::Read + Send + 'static>) -> Receiver<Told> {
    let (sender, events) = channel();
    thread::spawn(move || {
        for line in lines.lines().map_while(Result::ok) {
            let at = Instant::now();
            let Ok(event) = serde_json::from_str(&line) else {
                continue;
            };
            if sender.send(Told { at, event }).is_err() {
                return;
            }
        }
    });
    events
}
