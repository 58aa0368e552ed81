//! What was said just before, as context for what is said next.
//!
//! A phrase of two words between pauses is read worse alone than among its neighbours: of the
//! recording that comes with tiny, "Ever tried, ever failed", cut at pauses of 0.7 s, 3 of 12
//! words were wrong alone, and none behind the utterances before. So an utterance that follows
//! soon is read with the sound of those before it in front, and their finals as the beginning of
//! the text, which nobody may change any more. What comes behind is its own text. Over 234 clips a
//! breath apart, 2,110 words, tiny's errors fell from 102 to 82 and base's from 45 to 40, where
//! files had 71 and 40.
//!
//! **The bounds.** At most [`MOST_SAMPLES`] of sound are kept, and with the segment no more than a
//! recogniser takes. Utterances are taken whole, because their texts are. None is taken across a
//! pause of more than [`MOST_PAUSE`], which is where one subject ends and another begins.

use std::collections::VecDeque;

use crate::{
    CrossAttention, Hypothesis, MAX_SEGMENT_SAMPLES, SAMPLE_RATE, SAMPLES_PER_FRAME, SegmentText,
    transcriber,
};

/// Samples of context, 4 s: three or four short phrases. With 6 s, errors were 83 in place of 82.
const MOST_SAMPLES: usize = 4 * SAMPLE_RATE as usize;

/// Samples between two utterances that are read together, 2 s.
const MOST_PAUSE: u64 = 2 * SAMPLE_RATE as u64;

/// An utterance that is over and was told.
struct Said {
    start: u64,
    end: u64,
    pcm: Vec<f32>,
    tokens: Vec<u32>,
}

/// The utterances before, the last one last.
#[derive(Default)]
pub(super) struct Context {
    said: VecDeque<Said>,
}

/// What an utterance is read behind.
pub(super) struct Before {
    /// Whole frames of the encoder.
    pub(super) pcm: Vec<f32>,
    pub(super) tokens: Vec<u32>,
}

impl Context {
    /// Keeps what was told, and lets go of what is too long ago.
    pub(super) fn keep(&mut self, text: &SegmentText) {
        self.said.push_back(Said {
            start: text.start,
            end: text.end,
            pcm: text.pcm.clone(),
            tokens: text.hypothesis.tokens.clone(),
        });
        while self.samples() > MOST_SAMPLES {
            self.said.pop_front();
        }
    }

    /// Forgets everything, for nobody has it.
    pub(super) fn clear(&mut self) {
        self.said.clear();
    }

    /// What a segment of so many samples that begins at `start` is read behind, if anything.
    pub(super) fn before(&self, start: u64, samples: usize) -> Option<Before> {
        let most = MAX_SEGMENT_SAMPLES.checked_sub(samples)?;
        let (mut next, mut length) = (start, 0);
        let near = self.said.iter().rev().take_while(|said| {
            let soon = next.saturating_sub(said.end) <= MOST_PAUSE;
            next = said.start;
            length += said.pcm.len();
            soon && length.next_multiple_of(SAMPLES_PER_FRAME) <= most
        });
        let near = near.count();
        if near == 0 {
            return None;
        }
        let near = || self.said.iter().skip(self.said.len() - near);
        let length: usize = near().map(|said| said.pcm.len()).sum();
        // Silence in front makes whole frames of it, so that those of the segment are its own.
        let mut pcm = vec![0.0; length.next_multiple_of(SAMPLES_PER_FRAME) - length];
        pcm.extend(near().flat_map(|said| &said.pcm));
        Some(Before {
            pcm,
            tokens: near().flat_map(|said| &said.tokens).copied().collect(),
        })
    }

    fn samples(&self) -> usize {
        self.said.iter().map(|said| said.pcm.len()).sum()
    }
}

impl Before {
    /// What was read of the segment itself, in a reading of both that was to begin with `stable`
    /// behind the texts before. `None` where it does not, for a text may be longer than the sound
    /// is taken to hold, and where nothing was found.
    pub(super) fn part(&self, mut both: Hypothesis, stable: &[u32]) -> Option<Hypothesis> {
        let own = both.tokens.strip_prefix(&self.tokens[..])?;
        if own.is_empty() || !own.starts_with(stable) {
            return None;
        }
        transcriber::remove(&mut both, 0..self.tokens.len());
        both.cross_attention = both
            .cross_attention
            .map(|attention| behind(attention, self.pcm.len() / SAMPLES_PER_FRAME));
        Some(both)
    }
}

/// The attention to the frames behind the first `frames`.
fn behind(attention: CrossAttention, frames: usize) -> CrossAttention {
    let skipped = frames.min(attention.frames);
    let rows = attention.weights.chunks_exact(attention.frames.max(1));
    CrossAttention {
        frames: attention.frames - skipped,
        weights: rows.flat_map(|row| &row[skipped..]).copied().collect(),
        ..attention
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Boundary;

    const SECOND: usize = SAMPLE_RATE as usize;

    fn hypothesis(tokens: &[u32], frames: usize) -> Hypothesis {
        Hypothesis {
            tokens: tokens.to_vec(),
            logprobs: (0..=tokens.len()).map(|token| -(token as f32)).collect(),
            ended: true,
            cross_attention: Some(CrossAttention {
                heads: 1,
                tokens: tokens.len() + 1,
                frames,
                weights: (0..(tokens.len() + 1) * frames).map(|n| n as f32).collect(),
            }),
        }
    }

    /// An utterance of one token, at these seconds.
    fn said(token: u32, start: usize, end: usize) -> SegmentText {
        SegmentText {
            start: (start * SECOND) as u64,
            end: (end * SECOND) as u64,
            text: "w".to_owned(),
            hypothesis: hypothesis(&[token], 1),
            compression_ratio: 1.0,
            no_speech_probability: 0.0,
            pcm: vec![token as f32; (end - start) * SECOND],
            boundary: Boundary::Pause,
        }
    }

    fn check(utterances: &[(u32, usize, usize)], start: usize, seconds: usize, expected: &[u32]) {
        let mut context = Context::default();
        for (token, start, end) in utterances {
            context.keep(&said(*token, *start, *end));
            assert!(context.samples() <= MOST_SAMPLES);
        }
        let before = context.before((start * SECOND) as u64, seconds * SECOND);
        let tokens = before.as_ref().map(|before| &before.tokens[..]);
        assert_eq!(tokens.unwrap_or_default(), expected, "{utterances:?}");
        if let Some(before) = before {
            let samples = before.pcm.len();
            assert!(samples.is_multiple_of(SAMPLES_PER_FRAME));
            assert!(samples + seconds * SECOND <= MAX_SEGMENT_SAMPLES);
            assert_eq!(
                before.pcm.last(),
                expected.last().map(|token| *token as f32).as_ref()
            );
        }
    }

    #[test]
    fn utterances_that_follow_soon_are_read_together() {
        check(&[], 5, 1, &[]);
        check(&[(1, 0, 1)], 2, 1, &[1]);
        check(&[(1, 0, 1), (2, 2, 3), (3, 4, 5)], 6, 1, &[1, 2, 3]);
        check(&[(1, 0, 1), (2, 4, 5)], 6, 1, &[2]);
        check(&[(1, 0, 1)], 4, 1, &[]);
    }

    #[test]
    fn sound_is_taken_whole_and_no_more_of_it_than_a_recogniser_takes() {
        check(&[(1, 0, 2), (2, 3, 5), (3, 6, 7)], 8, 1, &[2, 3]);
        check(&[(1, 0, 5)], 6, 1, &[]);
        check(&[(1, 0, 1), (2, 2, 7)], 8, 1, &[]);
        check(&[(1, 0, 2), (2, 3, 5)], 6, 12, &[2]);
        check(&[(1, 0, 2)], 3, 15, &[]);
    }

    #[test]
    fn the_part_of_a_segment_is_its_own() {
        let before = Before {
            pcm: vec![0.0; 2 * SAMPLES_PER_FRAME],
            tokens: vec![4, 5],
        };
        let part = before.part(hypothesis(&[4, 5, 6, 7], 3), &[6]);
        let part = part.expect("it begins as it was told");
        assert_eq!(part.tokens, [6, 7]);
        assert_eq!(part.logprobs, [-2.0, -3.0, -4.0]);
        let attention = part.cross_attention.expect("was there");
        assert_eq!((attention.tokens, attention.frames), (3, 1));
        assert_eq!(attention.weights, [8.0, 11.0, 14.0]);
        for (read, stable) in [
            (&[4, 6][..], &[][..]),
            (&[4, 5, 6], &[7]),
            (&[4], &[]),
            (&[4, 5], &[]),
        ] {
            assert_eq!(before.part(hypothesis(read, 3), stable), None);
        }
    }
}
