//! From the ring to the daemon.

use std::io::{self, Write};
use std::mem;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::calm::Calm;
use super::intake::{Outlet, loudest};
use super::library::Opened;
use super::output::Output;
use crate::Loss;
use crate::protocol::FromCapture;

/// How often the ring is looked into. The callback wakes nobody.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How often while it is calm: what breaks the calm is passed on at once.
const LOOK_IN_CALM: Duration = Duration::from_millis(50);

/// Pieces of sound a second, at most and at least: of 50 to 100 milliseconds. Each piece wakes three
/// processes, which is most of what listening to silence costs; a final comes so much later at most.
/// While it is calm, no text waits for them and all are of 100.
const PIECES: (usize, usize) = (20, 10);

/// Seconds of quiet that make calm: by then, what was said is over and its final was read.
const UNTIL_CALM: u64 = 3;

/// How long an open device may give nothing: one with a clock gives something every few
/// milliseconds.
const SILENT: Duration = Duration::from_secs(2);

/// How long it may take to its first sound: a sound server that had nothing to do may give two
/// seconds at once before it heeds the buffer that it is asked for.
const SILENT_AT_FIRST: Duration = Duration::from_secs(5);

/// What went wrong in the callback's thread, which can neither log nor send.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    overruns: AtomicU64,
    lost: OnceLock<Loss>,
}

impl Troubles {
    /// The device itself lost sound.
    pub(super) fn overrun(&self) {
        self.overruns.fetch_add(1, Ordering::Relaxed);
    }

    /// The device is lost. The first reason stays.
    pub(super) fn lost(&self, why: Loss) {
        let _ = self.lost.set(why);
    }

    fn take_overruns(&self) -> u64 {
        self.overruns.swap(0, Ordering::Relaxed)
    }
}

/// Writes what the device gives until it is lost, and says why it is.
pub(super) fn pump(opened: Opened, output: &mut Output<impl Write>) -> io::Result<Loss> {
    let mut pump = Pump::new(opened.outlet, opened.rate, opened.buffer);
    let lost = loop {
        // Looked at before the ring, so that what came before the end is written.
        let lost = opened.troubles.lost.get().copied();
        let moved = pump.pass(opened.troubles.take_overruns(), lost.is_some(), output)?;
        if let Some(why) = lost {
            break why;
        }
        if moved {
            continue;
        }
        if pump.silent(Instant::now()) {
            break Loss::Silent;
        }
        output.beat()?;
        thread::sleep(match pump.calm.lasts() {
            true => LOOK_IN_CALM,
            false => LOOK_EVERY,
        });
    };
    // Closing it would wait for its thread, and that for a library that may hang. The device is
    // closed with the process.
    mem::forget(opened.stream);
    Ok(lost)
}

struct Pump {
    outlet: Outlet,
    samples: Vec<i16>,
    /// Samples of the shortest piece.
    least: usize,
    calm: Calm,
    /// Frames that the device loses at once.
    buffer: u64,
    /// When it gave something last.
    heard: Instant,
    patience: Duration,
}

impl Pump {
    fn new(outlet: Outlet, rate: u32, buffer: u64) -> Pump {
        Pump {
            outlet,
            samples: vec![0; rate as usize / PIECES.1],
            least: rate as usize / PIECES.0,
            calm: Calm::new(rate, UNTIL_CALM * u64::from(rate)),
            buffer,
            heard: Instant::now(),
            patience: SILENT_AT_FIRST,
        }
    }

    /// Writes what waits, but for less than a piece unless this is the last pass, and then what
    /// was lost after it. Whether anything was written.
    fn pass(
        &mut self,
        overruns: u64,
        last: bool,
        output: &mut Output<impl Write>,
    ) -> io::Result<bool> {
        // Asked before the ring is: what was lost was lost when the ring was full.
        let lost = self.outlet.take_lost() + overruns * self.buffer;
        let least = match last || lost > 0 {
            true => 1,
            false => self.worth(),
        };
        let mut waiting = self.outlet.waiting();
        let mut moved = false;
        while waiting >= least {
            let most = waiting.min(self.samples.len());
            let count = self.outlet.read(&mut self.samples[..most]);
            if count == 0 {
                break;
            }
            let samples = &self.samples[..count];
            self.calm.hear(loudest(samples), count);
            let pcm = samples.iter();
            let pcm = pcm.flat_map(|sample| sample.to_le_bytes()).collect();
            output.say(&FromCapture::Sound(pcm))?;
            // After the writing, which takes as long as the daemon likes.
            self.heard = Instant::now();
            self.patience = SILENT;
            waiting -= count;
            moved = true;
        }
        if lost > 0 {
            output.say(&FromCapture::Overrun { frames: lost })?;
        }
        Ok(moved)
    }

    /// How many samples are worth a piece now.
    fn worth(&mut self) -> usize {
        if !self.calm.lasts() {
            return self.least;
        }
        let waiting = self.outlet.loudest();
        match self.calm.is_loud(waiting) {
            true => 1,
            false => self.samples.len(),
        }
    }

    /// Whether nothing came for too long.
    fn silent(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.heard) >= self.patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::{Encoding, ring};
    use crate::protocol::Decoder;

    fn said(bytes: &[u8]) -> Vec<FromCapture> {
        let mut decoder = Decoder::new();
        let mut left = bytes;
        let mut messages = Vec::new();
        while let Some(message) = decoder.push(&mut left).unwrap() {
            messages.push(message);
        }
        messages
    }

    fn pcm(samples: impl IntoIterator<Item = i16>) -> Vec<u8> {
        samples.into_iter().flat_map(i16::to_ne_bytes).collect()
    }

    /// What a pass writes, as lengths of sound in samples and as frames lost.
    fn check(given: usize, overruns: u64, last: bool, expected: &[(&str, usize)]) {
        let (mut intake, outlet) = ring(16_000, Encoding::I16, 1, false);
        let mut pump = Pump::new(outlet, 16_000, 640);
        intake.take(&pcm(vec![5; given]));
        let mut written = Vec::new();
        let mut output = Output::new(&mut written);
        pump.pass(overruns, last, &mut output).unwrap();
        let messages = said(&written).into_iter().map(|message| match message {
            FromCapture::Sound(pcm) => ("sound", pcm.len() / 2),
            FromCapture::Overrun { frames } => ("overrun", frames as usize),
            other => panic!("{other:?}"),
        });
        assert_eq!(messages.collect::<Vec<_>>(), expected);
    }

    #[test]
    fn pieces_are_of_fifty_to_a_hundred_milliseconds() {
        check(799, 0, false, &[]);
        check(800, 0, false, &[("sound", 800)]);
        check(2_400, 0, false, &[("sound", 1_600), ("sound", 800)]);
        check(1_700, 0, false, &[("sound", 1_600)]);
    }

    #[test]
    fn while_it_is_calm_pieces_are_long_and_what_breaks_the_calm_is_written_at_once() {
        let (mut intake, outlet) = ring(16_000, Encoding::I16, 1, false);
        let mut pump = Pump::new(outlet, 16_000, 640);
        let mut pass = |loudness: i16, count: usize| {
            intake.take(&pcm(vec![loudness; count]));
            let mut written = Vec::new();
            let mut output = Output::new(&mut written);
            pump.pass(0, false, &mut output).unwrap();
            let messages = said(&written).into_iter().map(|message| match message {
                FromCapture::Sound(pcm) => pcm.len() / 2,
                other => panic!("{other:?}"),
            });
            messages.collect::<Vec<_>>()
        };
        // Three seconds of the room.
        for _ in 0..60 {
            assert_eq!(pass(50, 800), [800]);
        }
        assert_eq!(pass(50, 800), []);
        assert_eq!(pass(-50, 800), [1_600]);
        assert_eq!(pass(50, 799), []);
        assert_eq!(pass(-900, 1), [800]);
        // Somebody may be speaking.
        assert_eq!(pass(50, 799), []);
        assert_eq!(pass(50, 1), [800]);
    }

    #[test]
    fn the_rest_is_written_at_the_end_and_before_what_was_lost() {
        check(7, 0, true, &[("sound", 7)]);
        check(7, 2, false, &[("sound", 7), ("overrun", 1_280)]);
        check(
            16_010,
            0,
            false,
            &[("sound", 1_600); 10]
                .into_iter()
                .chain([("overrun", 10)])
                .collect::<Vec<_>>(),
        );
    }

    #[test]
    fn a_device_may_take_longer_to_its_first_sound_than_to_the_next() {
        let (mut intake, outlet) = ring(16_000, Encoding::I16, 1, false);
        let mut pump = Pump::new(outlet, 16_000, 640);
        assert!(!pump.silent(pump.heard + SILENT));
        assert!(pump.silent(pump.heard + SILENT_AT_FIRST));
        intake.take(&pcm([0; 800]));
        pump.pass(0, false, &mut Output::new(Vec::new())).unwrap();
        assert!(!pump.silent(pump.heard + SILENT / 2));
        assert!(pump.silent(pump.heard + SILENT));
    }
}
