//! What two readings agree on.
//!
//! The words that readings in a row share, from the beginning on, become stable
//! ("local agreement": Liu, Spanakis, Niehues, "Low-Latency Sequence-to-Sequence Speech
//! Recognition and Translation by Partial Hypothesis Selection", Interspeech 2020). Stable text
//! is whole words with more words behind them, because the end of the sound cuts words in two
//! and invents full stops; and the readings that agree lie [`SPAN`] apart, because two of nearly
//! the same sound make the same mistakes. Over 234 clips a breath apart, agreement over 0.4 s cost
//! 10 word errors in 2,110 words, over 0.6 s one; and 47 of 100 characters were stable before the
//! final, where it had been 49.

use std::collections::VecDeque;

use crate::tokenizer::{Piece, Tokenizer};
use crate::{Hypothesis, SAMPLE_RATE};

/// Words of a reading that stand behind its last stable one.
const HELD_BACK: usize = 2;

/// The natural logarithm of the probability that each token has before it becomes stable.
const LEAST_LOGPROB: f32 = -0.4;

/// Samples between the first and the last of the readings that agree, at least: 0.6 s.
const SPAN: u64 = SAMPLE_RATE as u64 * 3 / 5;

/// Readings that are kept to be agreed with: they come 0.2 s apart at the most often.
const MOST_READINGS: usize = 5;

/// The readings of one utterance.
#[derive(Default)]
pub(super) struct Agreement {
    /// What is not taken back any more.
    stable: Vec<u32>,
    /// The readings before, and how far the sound was heard for each: one that is [`SPAN`] old,
    /// if there is one, and all since.
    before: VecDeque<(u64, Vec<u32>)>,
}

impl Agreement {
    /// The tokens that are not taken back any more.
    pub(super) fn stable(&self) -> &[u32] {
        &self.stable
    }

    /// Takes the next reading, which begins with what is stable, of sound up to `heard`. Where it
    /// is not to be believed (`firm` is false), nothing becomes stable by it or with it.
    pub(super) fn take(
        &mut self,
        tokenizer: &Tokenizer,
        reading: &Hypothesis,
        heard: u64,
        firm: bool,
    ) {
        if !firm || !reading.tokens.starts_with(&self.stable) {
            self.before.clear();
            return;
        }
        let old = |(at, _): &(u64, Vec<u32>)| at + SPAN <= heard;
        while self.before.get(1).is_some_and(old) || self.before.len() >= MOST_READINGS {
            self.before.pop_front();
        }
        if self.before.front().is_some_and(old) {
            let shared = self
                .before
                .iter()
                .map(|(_, tokens)| shared(tokens, &reading.tokens));
            let shared = shared.min().unwrap_or(0);
            let end = boundary(tokenizer, reading, self.stable.len(), shared);
            let agreed = &reading.tokens[..end];
            // Marks alone are nothing to keep a segment for.
            if tokenizer.decode(agreed).contains(char::is_alphanumeric) {
                self.stable = agreed.to_vec();
            }
        }
        self.before.push_back((heard, reading.tokens.clone()));
    }

    /// Forgets what was agreed on, for nobody was told.
    pub(super) fn clear(&mut self) {
        self.stable.clear();
        self.before.clear();
    }
}

/// How many tokens two readings begin with in common.
fn shared(one: &[u32], other: &[u32]) -> usize {
    one.iter()
        .zip(other)
        .take_while(|(one, other)| one == other)
        .count()
}

/// Where stable text may end: behind `stable` tokens, and at most behind `shared`.
fn boundary(tokenizer: &Tokenizer, reading: &Hypothesis, stable: usize, shared: usize) -> usize {
    let begins = |index: &usize| match tokenizer.piece(reading.tokens[*index]) {
        Piece::Text(text) => text.starts_with(' '),
        Piece::Byte(_) | Piece::Special => false,
    };
    let whole = |index: &usize| {
        let last = index.checked_sub(1).map(|last| reading.tokens[last]);
        // Bytes are a character together with those that follow.
        last.is_some_and(|last| matches!(tokenizer.piece(last), Piece::Text(_)))
    };
    let sure = |index: &usize| reading.logprobs[*index] >= LEAST_LOGPROB;
    let shared = (stable..shared.max(stable)).take_while(sure).count() + stable;
    let words: Vec<usize> = (stable.max(1)..reading.tokens.len())
        .filter(begins)
        .filter(whole)
        .collect();
    let held = (words.len() + 1).saturating_sub(HELD_BACK);
    words[..held]
        .iter()
        .copied()
        .filter(|&word| word <= shared)
        .max()
        .unwrap_or(stable)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of one digit are words, 10 sticks to the word before, 11 and 12 are bytes.
    fn tokenizer() -> Tokenizer {
        let mut vocabulary =
            serde_json::json!({"s": 10, "<0xC3>": 11, "<0xA9>": 12, "\u{2581}-": 13});
        for word in 0..10 {
            vocabulary[format!("\u{2581}w{word}")] = word.into();
        }
        let json = serde_json::json!({
            "model": {"type": "BPE", "vocab": vocabulary},
            "added_tokens": [],
            "decoder": {"type": "Sequence", "decoders": [
                {"type": "Replace", "pattern": {"String": "\u{2581}"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
        });
        Tokenizer::from_json(json.to_string().as_bytes()).expect("a tokenizer")
    }

    fn reading(tokens: &[u32]) -> Hypothesis {
        Hypothesis {
            tokens: tokens.to_vec(),
            logprobs: vec![-0.01; tokens.len() + 1],
            ended: true,
            cross_attention: None,
        }
    }

    fn check(readings: &[&[u32]], expected: &[u32]) {
        let (tokenizer, mut agreement) = (tokenizer(), Agreement::default());
        for (turn, tokens) in readings.iter().enumerate() {
            agreement.take(&tokenizer, &reading(tokens), turn as u64 * SPAN, true);
        }
        assert_eq!(agreement.stable(), expected, "{readings:?}");
    }

    #[test]
    fn two_readings_in_a_row_make_words_stable_but_the_last_ones() {
        check(&[&[1, 2, 3, 4, 5]], &[]);
        check(&[&[1, 2, 3, 4, 5], &[1, 2, 3, 4, 5]], &[1, 2, 3]);
        check(&[&[1, 2, 9], &[1, 2, 3, 4, 5]], &[1, 2]);
        check(&[&[1, 2, 9], &[], &[1, 2, 3, 4, 5]], &[]);
        check(&[&[1, 2], &[1, 2]], &[]);
    }

    #[test]
    fn words_stay_whole_and_so_do_characters() {
        check(&[&[1, 2, 10, 3, 4], &[1, 2, 10, 5, 6]], &[1, 2, 10]);
        check(&[&[1, 2, 3, 4], &[1, 2, 10, 5, 6]], &[1]);
        check(
            &[&[1, 11, 12, 5, 6, 7], &[1, 11, 12, 5, 6, 7]],
            &[1, 11, 12, 5],
        );
        check(&[&[1, 11, 12, 5, 6], &[1, 11, 12, 5, 6]], &[]);
    }

    #[test]
    fn marks_alone_are_not_stable() {
        check(&[&[13, 13, 13, 13], &[13, 13, 13, 13]], &[]);
        check(&[&[13, 1, 2, 3], &[13, 1, 2, 3]], &[13, 1]);
    }

    #[test]
    fn what_is_unlikely_waits_and_so_does_what_is_not_believed() {
        let (tokenizer, mut agreement) = (tokenizer(), Agreement::default());
        let mut unlikely = reading(&[1, 2, 3, 4, 5]);
        unlikely.logprobs[1] = -1.0;
        agreement.take(&tokenizer, &unlikely, 0, true);
        agreement.take(&tokenizer, &unlikely, SPAN, true);
        assert_eq!(agreement.stable(), [1]);
        let certain = reading(&[1, 2, 3, 4, 5]);
        agreement.take(&tokenizer, &certain, 2 * SPAN, false);
        agreement.take(&tokenizer, &certain, 3 * SPAN, true);
        assert_eq!(agreement.stable(), [1]);
        agreement.take(&tokenizer, &certain, 4 * SPAN, true);
        assert_eq!(agreement.stable(), [1, 2, 3]);
    }

    #[test]
    fn readings_of_nearly_the_same_sound_agree_on_nothing() {
        let (tokenizer, mut agreement) = (tokenizer(), Agreement::default());
        let readings: [&[u32]; 4] = [
            &[1, 2, 3, 4],
            &[1, 2, 3, 4, 5],
            &[1, 2, 4, 5, 6],
            &[1, 2, 4, 5, 7],
        ];
        for (turn, tokens) in readings.into_iter().enumerate() {
            agreement.take(&tokenizer, &reading(tokens), turn as u64 * SPAN / 2, true);
            // What every reading since has in common.
            let expected: &[u32] = if turn < 2 { &[] } else { &[1, 2] };
            assert_eq!(agreement.stable(), expected, "{turn}");
        }
        for turn in 4..100 {
            agreement.take(&tokenizer, &reading(&[1, 2, 4]), turn, true);
            assert!(agreement.before.len() <= MOST_READINGS);
        }
    }
}
