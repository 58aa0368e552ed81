//! Loops: a phrase over and over.

use std::ops::Range;

/// The longest phrase looked for, in tokens: a third of what 15 s can hold.
const LONGEST_PHRASE: usize = 32;

/// A loop says its phrase at least this often. People say a phrase twice and thrice; "no,
/// no, no, no" and "zero zero zero zero" are honest, and short.
const LEAST_TIMES: usize = 4;

/// A loop that the decoder ended by itself has at least this many tokens: more than someone
/// says of one thing in a row.
const LEAST_TOKENS_ENDED: usize = 24;

/// One that was cut short by the cap has at least this many, at its end.
const LEAST_TOKENS_CAPPED: usize = 12;

/// The tokens that only repeat: all of a loop but its first phrase. `ended` says whether the
/// decoder came to an end by itself. Of several loops the longest.
///
/// No honest segment of the evidence has one.
pub fn repetition(tokens: &[u32], ended: bool) -> Option<Range<usize>> {
    let is_loop = |range: &Range<usize>, phrase: usize| {
        let enough = range.len() >= LEAST_TIMES * phrase;
        let capped = !ended && range.end == tokens.len();
        let least = if capped {
            LEAST_TOKENS_CAPPED
        } else {
            LEAST_TOKENS_ENDED
        };
        enough && range.len() >= least
    };
    (1..=LONGEST_PHRASE.min(tokens.len() / LEAST_TIMES))
        .flat_map(|phrase| runs(tokens, phrase).map(move |range| (range, phrase)))
        .filter(|(range, phrase)| is_loop(range, *phrase))
        // Of the same run found under several multiples of its phrase, the shortest phrase.
        .max_by(|(a, short), (b, long)| a.len().cmp(&b.len()).then(long.cmp(short)))
        .map(|(range, phrase)| range.start + phrase..range.end)
}

/// The runs in which each token equals the one `phrase` before it, first phrase included.
fn runs(tokens: &[u32], phrase: usize) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut next = 0;
    std::iter::from_fn(move || {
        while next + phrase < tokens.len() {
            let start = next;
            let repeats = |index: &usize| tokens[*index] == tokens[index + phrase];
            let end = (start..tokens.len() - phrase)
                .find(|index| !repeats(index))
                .unwrap_or(tokens.len() - phrase);
            next = end + 1;
            if end > start {
                return Some(start..end + phrase);
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tokens: &[u32], ended: bool, expected: Option<Range<usize>>) {
        assert_eq!(repetition(tokens, ended), expected, "{tokens:?}");
    }

    #[test]
    fn honest_text_has_no_loop() {
        check(&[], true, None);
        check(&[1, 2, 3, 4, 5], true, None);
        check(&[7; 6], true, None);
        check(&[8, 9].repeat(6), true, None);
        check(&[1, 2, 3, 4, 5, 6, 7, 8].repeat(3), true, None);
    }

    #[test]
    fn a_loop_keeps_its_first_phrase() {
        check(&[7; 60], true, Some(1..60));
        let mut tokens = vec![1, 2];
        tokens.extend([3, 4, 5].repeat(10));
        check(&tokens, true, Some(5..32));
        tokens.extend([6, 9]);
        check(&tokens, true, Some(5..32));
    }

    #[test]
    fn a_loop_that_the_cap_cut_is_found_sooner() {
        let mut tokens = vec![1, 2];
        tokens.extend([3, 4, 5].repeat(4));
        tokens.push(3);
        check(&tokens, false, Some(5..15));
        check(&tokens, true, None);
        tokens.extend([8, 9]);
        check(&tokens, false, None);
    }

    proptest::proptest! {
        #[test]
        fn what_is_cut_stood_before_it(
            head in proptest::collection::vec(0u32..9, 0..20),
            phrase in proptest::collection::vec(0u32..9, 1..12),
            times in 1usize..12,
            ended: bool,
        ) {
            let tokens = [head, phrase.repeat(times)].concat();
            if let Some(range) = repetition(&tokens, ended) {
                proptest::prop_assert!(range.start > 0 && range.end <= tokens.len());
                let kept = &tokens[..range.start];
                let period = (1..=range.start).find(|period| {
                    range.clone().all(|at| tokens[at] == tokens[at - period])
                });
                proptest::prop_assert!(period.is_some(), "{kept:?} {range:?}");
            }
        }
    }
}
