//! Where a segment is quiet, by the level of its own frames.
//!
//! The alignment must give the frames of a pause to some word. Their level tells them: a
//! frame is quiet when it is nearer to the segment's floor than to its speech, and a pause
//! is a run of quiet frames longer than the closure of a plosive.

use crate::SAMPLES_PER_FRAME;

/// A shorter run may be the closure before a plosive: 6 frames are 144 ms.
const SHORTEST_PAUSE: usize = 6;

/// Below this distance of speech from floor, in dB, nothing is known about pauses: the
/// segment has none, or noise fills them.
const LEAST_RANGE: f32 = 10.0;

/// How far up from the floor to the speech a quiet frame may reach.
const QUIET_SHARE: f32 = 0.3;

/// The quantiles of the frames' levels that count as floor and as speech.
const FLOOR: f32 = 0.1;
const SPEECH: f32 = 0.95;

/// The pauses of a segment.
#[derive(Debug)]
pub(super) struct Silence {
    /// For each whole frame of [`SAMPLES_PER_FRAME`] samples, whether it lies in a pause.
    paused: Vec<bool>,
}

impl Silence {
    /// Finds the pauses in `pcm`.
    pub(super) fn of(pcm: &[f32]) -> Silence {
        let levels: Vec<f32> = pcm.chunks_exact(SAMPLES_PER_FRAME).map(level).collect();
        let mut sorted = levels.clone();
        sorted.sort_by(f32::total_cmp);
        let quantile = |share: f32| {
            let last = sorted.len().saturating_sub(1);
            sorted.get((last as f32 * share) as usize).copied()
        };
        let (Some(floor), Some(speech)) = (quantile(FLOOR), quantile(SPEECH)) else {
            return Silence { paused: Vec::new() };
        };
        let mut paused = vec![false; levels.len()];
        // Written so that a level that is no number finds no pause.
        if speech - floor >= LEAST_RANGE {
            let threshold = floor + QUIET_SHARE * (speech - floor);
            let mut run = 0;
            for (frame, level) in levels.iter().enumerate() {
                run = if *level < threshold { run + 1 } else { 0 };
                if run >= SHORTEST_PAUSE {
                    paused[frame + 1 - run..=frame].fill(true);
                }
            }
        }
        Silence { paused }
    }

    /// `start..end` in samples without the pauses at its edges. What is all pause, or lies
    /// past the last whole frame, stays as it is.
    pub(super) fn trim(&self, start: usize, end: usize) -> (usize, usize) {
        let first = start / SAMPLES_PER_FRAME;
        let last = (end / SAMPLES_PER_FRAME).min(self.paused.len().saturating_sub(1));
        let sounds = |frame: &usize| self.paused.get(*frame) == Some(&false);
        let (Some(onset), Some(offset)) =
            ((first..=last).find(sounds), (first..=last).rfind(sounds))
        else {
            return (start, end);
        };
        let onset = start.max(onset * SAMPLES_PER_FRAME);
        match offset == last {
            true => (onset, end),
            false => (onset, end.min((offset + 1) * SAMPLES_PER_FRAME).max(onset)),
        }
    }
}

/// Mean power in dB; silence is -100.
fn level(frame: &[f32]) -> f32 {
    let power = frame.iter().map(|sample| sample * sample).sum::<f32>() / frame.len() as f32;
    10.0 * (power + 1e-10).log10()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Frames of the given loudness.
    fn sound(frames: &[(usize, f32)]) -> Vec<f32> {
        frames
            .iter()
            .flat_map(|(count, loudness)| {
                (0..count * SAMPLES_PER_FRAME)
                    .map(move |i| if i % 2 == 0 { *loudness } else { -*loudness })
            })
            .collect()
    }

    #[test]
    fn a_word_gives_back_the_pause_before_and_after_it() {
        let frame = SAMPLES_PER_FRAME;
        let silence = Silence::of(&sound(&[(10, 1e-4), (10, 0.1), (10, 1e-4)]));
        assert_eq!(silence.trim(5, 29 * frame), (10 * frame, 20 * frame));
        let inside = (12 * frame + 3, 15 * frame - 7);
        assert_eq!(silence.trim(inside.0, inside.1), inside);
        let pause = (3, 5 * frame);
        assert_eq!(silence.trim(pause.0, pause.1), pause);
    }

    #[test]
    fn a_short_gap_is_part_of_the_word() {
        let frame = SAMPLES_PER_FRAME;
        let silence = Silence::of(&sound(&[(10, 0.1), (5, 1e-4), (10, 0.1), (5, 1e-4)]));
        assert_eq!(
            silence.trim(11 * frame, 29 * frame),
            (11 * frame, 29 * frame)
        );
    }

    #[test]
    fn a_segment_without_quiet_keeps_its_words() {
        let silence = Silence::of(&sound(&[(10, 0.08), (10, 0.1)]));
        assert_eq!(silence.trim(0, 3000), (0, 3000));
    }

    proptest! {
        #[test]
        fn trimming_only_shrinks(
            blocks in prop::collection::vec((0..9_usize, prop::num::f32::ANY), 0..6),
            a in 0..20_000_usize,
            length in 0..20_000_usize,
        ) {
            let silence = Silence::of(&sound(&blocks));
            let (start, end) = silence.trim(a, a + length);
            prop_assert!(a <= start && start <= end && end <= a + length);
        }
    }
}
