//! Word errors: substitutions, deletions and insertions of the shortest way from what was
//! said to what was read.

use std::iter::Sum;
use std::ops::{Add, AddAssign};

/// Errors and words of one text, or of many added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct WordErrors {
    pub(crate) substitutions: usize,
    pub(crate) deletions: usize,
    pub(crate) insertions: usize,
    /// Words of the transcript.
    pub(crate) words: usize,
}

impl WordErrors {
    /// All three kinds.
    pub(crate) fn errors(self) -> usize {
        self.substitutions + self.deletions + self.insertions
    }

    /// Errors a word of the transcript; zero where there is neither.
    pub(crate) fn rate(self) -> f64 {
        match self.errors() {
            0 => 0.0,
            errors => errors as f64 / self.words as f64,
        }
    }
}

impl Add for WordErrors {
    type Output = WordErrors;

    fn add(mut self, other: WordErrors) -> WordErrors {
        self += other;
        self
    }
}

impl AddAssign for WordErrors {
    fn add_assign(&mut self, other: WordErrors) {
        self.substitutions += other.substitutions;
        self.deletions += other.deletions;
        self.insertions += other.insertions;
        self.words += other.words;
    }
}

impl Sum for WordErrors {
    fn sum<I: Iterator<Item = WordErrors>>(counts: I) -> WordErrors {
        counts.fold(WordErrors::default(), WordErrors::add)
    }
}

/// Compares two texts that are normalised already, word by word. Of several shortest ways the
/// one with the most substitutions counts, as in NIST's sclite with equal weights.
pub(crate) fn word_errors(transcript: &str, hypothesis: &str) -> WordErrors {
    let said: Vec<&str> = transcript.split_whitespace().collect();
    let read: Vec<&str> = hypothesis.split_whitespace().collect();
    let mut row: Vec<WordErrors> = (0..=read.len())
        .map(|insertions| WordErrors {
            insertions,
            ..WordErrors::default()
        })
        .collect();
    for (index, word) in said.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = WordErrors {
            deletions: index + 1,
            ..WordErrors::default()
        };
        for (column, found) in read.iter().enumerate() {
            let above = row[column + 1];
            let left = row[column];
            let mut kept = diagonal;
            kept.substitutions += usize::from(word != found);
            let mut deleted = above;
            deleted.deletions += 1;
            let mut inserted = left;
            inserted.insertions += 1;
            diagonal = above;
            row[column + 1] = [kept, deleted, inserted]
                .into_iter()
                .min_by_key(|way| way.errors())
                .unwrap_or(kept);
        }
    }
    WordErrors {
        words: said.len(),
        ..row.last().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(transcript: &str, hypothesis: &str, expected: [usize; 4]) {
        let found = word_errors(transcript, hypothesis);
        let counts = [
            found.substitutions,
            found.deletions,
            found.insertions,
            found.words,
        ];
        assert_eq!(counts, expected, "{transcript:?} -> {hypothesis:?}");
    }

    #[test]
    fn each_kind_of_error_is_told_apart() {
        check("a b c d", "a b c d", [0, 0, 0, 4]);
        check("a b c d", "a x c d", [1, 0, 0, 4]);
        check("a b c d", "a c d", [0, 1, 0, 4]);
        check("a b c d", "a b b c d", [0, 0, 1, 4]);
        check("a b", "", [0, 2, 0, 2]);
        check("", "a b", [0, 0, 2, 0]);
        check("", "", [0, 0, 0, 0]);
        check("a b", "c d e", [2, 0, 1, 2]);
    }

    #[test]
    fn rates_are_errors_over_words() {
        assert_eq!(word_errors("a b c d", "a x c").rate(), 0.5);
        assert_eq!(word_errors("", "").rate(), 0.0);
        assert_eq!(word_errors("", "a").rate(), f64::INFINITY);
        let sum: WordErrors = [word_errors("a b", "a"), word_errors("c d", "c d")]
            .into_iter()
            .sum();
        assert_eq!(sum.rate(), 0.25);
    }

    fn text() -> impl Strategy<Value = String> {
        proptest::collection::vec(0..4_u8, 0..12).prop_map(|words| {
            let words: Vec<String> = words.iter().map(u8::to_string).collect();
            words.join(" ")
        })
    }

    proptest! {
        #[test]
        fn swapping_the_texts_swaps_deletions_and_insertions(one in text(), other in text()) {
            let (there, back) = (word_errors(&one, &other), word_errors(&other, &one));
            prop_assert_eq!(there.errors(), back.errors());
        }

        #[test]
        fn lengths_account_for_the_errors(one in text(), other in text()) {
            let found = word_errors(&one, &other);
            let read = other.split_whitespace().count();
            prop_assert_eq!(found.words + found.insertions, read + found.deletions);
            prop_assert!(found.errors() <= found.words.max(read));
        }
    }
}
