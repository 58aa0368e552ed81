//! What runs inside the sound library's callback: bytes in, samples into a ring.
//!
//! Nothing here locks, allocates, logs or calls the system; the one exception is a lossless
//! capture, which sleeps until its reader has made room, and which no device with a clock is
//! given. `tests/callback` holds it to that under an allocator that aborts.
//!
//! The reader is not woken: a wake-up is a call of the system in the callback's time, and the
//! reader, which looks every few milliseconds, is late by less than the device's own buffer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rtrb::{Consumer, Producer, RingBuffer};

use super::encoding::{self, Encoding};

/// How long a lossless capture sleeps between looks for room.
const WAIT_FOR_ROOM: Duration = Duration::from_millis(1);

/// The callback's end of the ring.
#[derive(Debug)]
pub struct Intake {
    ring: Producer<i16>,
    encoding: Encoding,
    channels: u16,
    lossless: bool,
    lost: Arc<AtomicU64>,
}

/// The reader's end of the ring.
#[derive(Debug)]
pub struct Outlet {
    ring: Consumer<i16>,
    lost: Arc<AtomicU64>,
}

/// A ring for `frames` samples of one channel, made from frames of `channels` in `encoding`. All
/// that the callback will need is allocated here.
pub fn ring(frames: usize, encoding: Encoding, channels: u16, lossless: bool) -> (Intake, Outlet) {
    let (producer, consumer) = RingBuffer::new(frames);
    let lost = Arc::new(AtomicU64::new(0));
    let intake = Intake {
        ring: producer,
        encoding,
        channels,
        lossless,
        lost: Arc::clone(&lost),
    };
    (
        intake,
        Outlet {
            ring: consumer,
            lost,
        },
    )
}

impl Intake {
    /// Takes what the device gave. What finds no room is dropped and counted.
    pub fn take(&mut self, bytes: &[u8]) {
        use encoding::mono;
        let channels = self.channels;
        match self.encoding {
            Encoding::I8 => self.store(mono(bytes, channels, encoding::i8)),
            Encoding::I16 => self.store(mono(bytes, channels, encoding::i16)),
            Encoding::I24 => self.store(mono(bytes, channels, encoding::i24)),
            Encoding::I32 => self.store(mono(bytes, channels, encoding::i32)),
            Encoding::I64 => self.store(mono(bytes, channels, encoding::i64)),
            Encoding::U8 => self.store(mono(bytes, channels, encoding::u8)),
            Encoding::U16 => self.store(mono(bytes, channels, encoding::u16)),
            Encoding::U24 => self.store(mono(bytes, channels, encoding::u24)),
            Encoding::U32 => self.store(mono(bytes, channels, encoding::u32)),
            Encoding::U64 => self.store(mono(bytes, channels, encoding::u64)),
            Encoding::F32 => self.store(mono(bytes, channels, encoding::f32)),
            Encoding::F64 => self.store(mono(bytes, channels, encoding::f64)),
        }
    }

    fn store(&mut self, mut samples: impl ExactSizeIterator<Item = i16>) {
        loop {
            let room = self.ring.slots().min(samples.len());
            if let Ok(chunk) = self.ring.write_chunk_uninit(room) {
                chunk.fill_from_iter(&mut samples);
            }
            if samples.len() == 0 {
                return;
            }
            if !self.lossless || self.ring.is_abandoned() {
                self.lost.fetch_add(samples.len() as u64, Ordering::Relaxed);
                return;
            }
            thread::sleep(WAIT_FOR_ROOM);
        }
    }
}

impl Outlet {
    /// Samples that wait.
    pub fn waiting(&self) -> usize {
        self.ring.slots()
    }

    /// Fills the beginning of `samples` with what waits; how many there were.
    pub fn read(&mut self, samples: &mut [i16]) -> usize {
        let (filled, _) = self.ring.pop_partial_slice(samples);
        filled.len()
    }

    /// The loudest of the samples that wait, without its sign.
    pub fn loudest(&mut self) -> u16 {
        let waiting = self.ring.slots();
        let Ok(chunk) = self.ring.read_chunk(waiting) else {
            return 0;
        };
        // What is not committed stays in the ring.
        let (first, second) = chunk.as_slices();
        loudest(first).max(loudest(second))
    }

    /// Samples that found no room since this was asked last.
    pub fn take_lost(&mut self) -> u64 {
        self.lost.swap(0, Ordering::Relaxed)
    }
}

/// The loudest of these samples, without its sign.
pub(super) fn loudest(samples: &[i16]) -> u16 {
    let sizes = samples.iter().map(|sample| sample.unsigned_abs());
    sizes.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(samples: impl IntoIterator<Item = i16>) -> Vec<u8> {
        samples.into_iter().flat_map(i16::to_ne_bytes).collect()
    }

    fn drained(outlet: &mut Outlet) -> Vec<i16> {
        let mut samples = vec![0; outlet.waiting()];
        let count = outlet.read(&mut samples);
        assert_eq!(count, samples.len());
        samples
    }

    #[test]
    fn what_finds_no_room_is_dropped_and_counted_once() {
        let (mut intake, mut outlet) = ring(8, Encoding::I16, 1, false);
        intake.take(&bytes(0..5));
        intake.take(&bytes(5..12));
        assert_eq!(drained(&mut outlet), [0, 1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(outlet.take_lost(), 4);
        assert_eq!(outlet.take_lost(), 0);
        intake.take(&bytes([77]));
        assert_eq!(drained(&mut outlet), [77]);
    }

    #[test]
    fn a_lossless_ring_waits_for_its_reader_and_loses_nothing() {
        let (mut intake, mut outlet) = ring(16, Encoding::I16, 1, true);
        let writer = thread::spawn(move || intake.take(&bytes(0..5_000)));
        let mut heard = Vec::new();
        while heard.len() < 5_000 {
            heard.extend(drained(&mut outlet));
            thread::yield_now();
        }
        writer.join().unwrap();
        assert_eq!(heard, (0..5_000).collect::<Vec<i16>>());
        assert_eq!(outlet.take_lost(), 0);
    }

    #[test]
    fn a_lossless_ring_without_a_reader_holds_nobody_up() {
        let (mut intake, outlet) = ring(4, Encoding::I16, 1, true);
        drop(outlet);
        intake.take(&bytes(0..100));
        assert_eq!(intake.lost.load(Ordering::Relaxed), 96);
    }
}
