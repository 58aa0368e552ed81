//! Sound on its way to a worker.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use earnest_channel::Tuning;
use zeroize::Zeroizing;

/// Bytes of a sample.
const SAMPLE: usize = 2;

/// What a worker is told.
#[derive(Debug)]
pub(crate) enum ToEar {
    /// Sound: whole samples of 16 bits, one channel.
    Sound(Bytes),
    /// What is wanted from here on.
    Tune(Tuning),
    /// That was all the sound.
    End,
}

/// What waits to be sent, in order. Its sound is overwritten once it is on its way or forgotten.
#[derive(Default)]
pub(crate) struct Backlog {
    items: VecDeque<ToEar>,
    bytes: usize,
}

impl Backlog {
    /// The frames of sound in it.
    pub(crate) fn frames(&self) -> u64 {
        frames(self.bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Adds sound, of which it takes a copy of its own.
    pub(crate) fn add(&mut self, pcm: &[u8]) {
        let (samples, _) = pcm.as_chunks::<SAMPLE>();
        let whole = samples.as_flattened();
        if !whole.is_empty() {
            self.bytes += whole.len();
            let copy = Zeroizing::new(whole.to_vec());
            self.items.push_back(ToEar::Sound(Bytes::from_owner(copy)));
        }
    }

    /// Adds a tuning. One that nobody has heard sound by is replaced, so that there are never
    /// more of them than pieces of sound.
    pub(crate) fn tune(&mut self, tuning: Tuning) {
        if let Some(ToEar::Tune(_)) = self.items.back() {
            self.items.pop_back();
        }
        self.items.push_back(ToEar::Tune(tuning));
    }

    /// Adds the end.
    pub(crate) fn end(&mut self) {
        self.items.push_back(ToEar::End);
    }

    /// Takes what came first.
    pub(crate) fn pop(&mut self) -> Option<ToEar> {
        let item = self.items.pop_front()?;
        if let ToEar::Sound(pcm) = &item {
            self.bytes -= pcm.len();
        }
        Some(item)
    }

    /// Forgets the oldest until there are at most so many frames, and says how many went. Only
    /// of sound alone.
    pub(crate) fn keep(&mut self, most: u64) -> u64 {
        let before = self.frames();
        while self.frames() > most {
            let Some(ToEar::Sound(mut pcm)) = self.items.pop_front() else {
                break;
            };
            self.bytes -= pcm.len();
            let missing = most.saturating_sub(self.frames());
            let missing = usize::try_from(missing).unwrap_or(usize::MAX);
            let kept = missing.saturating_mul(SAMPLE).min(pcm.len());
            if kept > 0 {
                let rest = pcm.split_off(pcm.len() - kept);
                self.bytes += rest.len();
                self.items.push_front(ToEar::Sound(rest));
                break;
            }
        }
        before - self.frames()
    }

    /// Adds all that waits elsewhere.
    pub(crate) fn append(&mut self, mut other: Backlog) {
        self.bytes += other.bytes;
        self.items.append(&mut other.items);
    }

    /// Its sound alone.
    pub(crate) fn into_sound(mut self) -> Backlog {
        self.items.retain(|item| matches!(item, ToEar::Sound(_)));
        self
    }

    /// All of it; nothing is left.
    pub(crate) fn take(&mut self) -> Backlog {
        std::mem::take(self)
    }
}

/// The frames in so many bytes.
pub(crate) fn frames(bytes: usize) -> u64 {
    // No memory has more.
    u64::try_from(bytes / SAMPLE).unwrap_or(u64::MAX)
}

/// The frames in so long a time.
pub(crate) fn frames_in(time: Duration, rate: u32) -> u64 {
    let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    milliseconds.saturating_mul(u64::from(rate)) / 1000
}

/// The milliseconds that so many frames last, rounded down.
pub(crate) fn milliseconds(frames: u64, rate: u32) -> u64 {
    frames.saturating_mul(1000) / u64::from(rate.max(1))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sound(backlog: &mut Backlog) -> Vec<u8> {
        let items = std::iter::from_fn(|| backlog.pop());
        let pieces = items.filter_map(|item| match item {
            ToEar::Sound(pcm) => Some(pcm),
            _ => None,
        });
        pieces.flatten().collect()
    }

    #[test]
    fn a_tuning_that_nobody_has_heard_by_is_replaced() {
        let tuning = |generation| Tuning {
            generation,
            text: true,
            phrases: Vec::new(),
        };
        let mut backlog = Backlog::default();
        backlog.tune(tuning(1));
        backlog.tune(tuning(2));
        backlog.add(&[1, 2]);
        backlog.tune(tuning(3));
        backlog.end();
        let items = std::iter::from_fn(|| backlog.pop());
        let names: Vec<String> = items
            .map(|item| match item {
                ToEar::Sound(pcm) => format!("{} bytes", pcm.len()),
                ToEar::Tune(tuning) => format!("tuning {}", tuning.generation),
                ToEar::End => "end".to_owned(),
            })
            .collect();
        assert_eq!(names, ["tuning 2", "2 bytes", "tuning 3", "end"]);
    }

    #[test]
    fn times_and_frames_fit_each_other() {
        assert_eq!(frames_in(Duration::from_millis(500), 44_100), 22_050);
        assert_eq!(milliseconds(22_050, 44_100), 500);
        assert_eq!(milliseconds(u64::MAX, 1), u64::MAX);
        assert_eq!(milliseconds(5, 0), 5_000);
    }

    proptest! {
        #[test]
        fn the_last_sound_is_kept_however_it_is_cut(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 0..9),
            most in 0_u64..30,
        ) {
            let mut backlog = Backlog::default();
            let mut whole = Vec::new();
            for piece in &pieces {
                backlog.add(piece);
                whole.extend_from_slice(&piece[..piece.len() / 2 * 2]);
            }
            let all = frames(whole.len());
            prop_assert_eq!(backlog.frames(), all);
            prop_assert_eq!(backlog.keep(most), all.saturating_sub(most));
            let kept = usize::try_from(all.min(most)).unwrap() * 2;
            let expected = &whole[whole.len() - kept..];
            prop_assert_eq!(sound(&mut backlog), expected);
            prop_assert!(backlog.frames() == 0 && backlog.is_empty());
        }
    }
}
