//! What the daemon, its worker and the process that captures take of the machine.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::daemon::{Daemon, children, proportional};

/// Linux tells programs of processor time in hundredths of a second.
const TICKS: f64 = 100.0;

/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// The three, in the order of tables.
pub(super) const PARTS: [&str; 3] = ["daemon", "capture", "worker"];

/// The processes of a daemon, each with its place in [`PARTS`].
fn all(daemon: u32) -> Vec<(u32, usize)> {
    let mut found = vec![(daemon, 0)];
    for child in children(daemon).unwrap_or_default() {
        let line = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
        let what = line.split(|byte| *byte == 0).nth(1).unwrap_or_default();
        let part = PARTS.iter().position(|part| part.as_bytes() == what);
        found.extend(part.map(|part| (child, part)));
    }
    found
}

/// The process that captures, while there is one.
pub(super) fn capture(daemon: &Daemon) -> Option<u32> {
    let found = all(daemon.id()).into_iter().find(|(_, part)| *part == 1);
    found.map(|(process, _)| process)
}

/// Megabytes of each part.
pub(super) fn memory(daemon: &Daemon) -> [f64; 3] {
    let mut sums = [0.0; 3];
    for (process, part) in all(daemon.id()) {
        // One that has just ended has no memory.
        sums[part] += proportional(process).unwrap_or_default() as f64 / 1e6;
    }
    sums
}

/// Seconds of processors that a process has used.
fn used(process: u32) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = text.rsplit_once(')').context("no name")?;
    // Fields 14 and 15 of `proc(5)`, of which the first two are before the name's end.
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: Result<Vec<f64>, _> = ticks.map(str::parse).collect();
    Ok(ticks?.iter().sum::<f64>() / TICKS)
}

/// Processor seconds of each part, look by look.
pub(super) struct Looks(Vec<(Instant, [f64; 3])>);

impl Looks {
    /// What was used from `begin` to `end`.
    pub(super) fn between(&self, begin: Instant, end: Instant) -> [f64; 3] {
        let (first, last) = (self.at(begin), self.at(end));
        [0, 1, 2].map(|part| last[part] - first[part])
    }

    /// What had been used at a time: between two looks, as if it was used evenly.
    fn at(&self, time: Instant) -> [f64; 3] {
        let next = self.0.partition_point(|(at, _)| *at < time);
        let after = self.0.get(next).or(self.0.last());
        let before = self.0.get(next.saturating_sub(1)).or(after);
        let (Some(before), Some(after)) = (before, after) else {
            return [0.0; 3];
        };
        let whole = after.0.saturating_duration_since(before.0).as_secs_f64();
        let part = time.saturating_duration_since(before.0).as_secs_f64();
        let share = if whole > 0.0 {
            (part / whole).min(1.0)
        } else {
            0.0
        };
        [0, 1, 2].map(|index| before.1[index] + share * (after.1[index] - before.1[index]))
    }
}

/// Who looks, until it is asked what it saw.
pub(super) struct Watch {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Looks>,
}

impl Watch {
    /// Watches a daemon and its children.
    pub(super) fn begin(daemon: &Daemon) -> Watch {
        let daemon = daemon.id();
        Watch::of(move || all(daemon))
    }

    /// Watches these processes, each with its place in what is told.
    pub(super) fn of(processes: impl Fn() -> Vec<(u32, usize)> + Send + 'static) -> Watch {
        let over = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&over);
        let thread = thread::spawn(move || {
            let (mut looks, mut known) = (Vec::new(), BTreeMap::new());
            while !ended.load(Ordering::Relaxed) {
                for (process, part) in processes() {
                    if let Ok(seconds) = used(process) {
                        known.insert(process, (part, seconds));
                    }
                }
                let mut sums = [0.0; 3];
                // What has ended did what it did.
                known
                    .values()
                    .for_each(|(part, seconds)| sums[*part] += seconds);
                looks.push((Instant::now(), sums));
                thread::sleep(LOOK);
            }
            Looks(looks)
        });
        Watch { over, thread }
    }

    pub(super) fn end(self) -> Result<Looks> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().ok().context("the watch panicked")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_between_looks_is_used_evenly() {
        let begin = Instant::now();
        let at = |milliseconds| begin + Duration::from_millis(milliseconds);
        let looks = Looks(vec![
            (at(0), [0.0, 1.0, 0.0]),
            (at(100), [1.0, 1.0, 0.0]),
            (at(200), [3.0, 1.0, 0.0]),
        ]);
        let used = looks.between(at(50), at(150));
        assert!((used[0] - 1.5).abs() < 1e-9, "{used:?}");
        assert_eq!(used[1], 0.0);
        assert_eq!(looks.between(at(200), at(900)), [0.0; 3]);
    }
}
