//! Segments cut into subtitles that a person can read in time.
//!
//! Two lines of 42 characters are what broadcasters allow (BBC and Netflix subtitle
//! guidelines). A segment is cut at the ends of sentences; a sentence that is too long for a
//! cue is cut between words into parts of like length.

use super::{Milliseconds, Segment, Word};

/// Characters of a line.
const LINE: usize = 42;

/// Characters of a cue at most: two lines.
const CUE: usize = 2 * LINE;

/// A subtitle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cue {
    pub(super) start: Milliseconds,
    pub(super) end: Milliseconds,
    /// One or two lines; a word longer than a line makes a longer one.
    pub(super) lines: Vec<String>,
}

/// The cues of `segment`, in order, without overlap and within it.
pub(super) fn cues(segment: &Segment) -> Vec<Cue> {
    let words = match segment.words.is_empty() {
        true => words_by_length(segment),
        false => segment.words.clone(),
    };
    let mut parts: Vec<&[Word]> = Vec::new();
    let mut joined = 0..0;
    for sentence in words.split_inclusive(|word| ends_sentence(&word.text)) {
        let range = joined.end..joined.end + sentence.len();
        // Short sentences share a cue as long as both fit.
        if fits(&words[joined.start..range.end]) {
            joined.end = range.end;
            continue;
        }
        parts.extend(balanced(&words[joined]));
        joined = range;
    }
    parts.extend(balanced(&words[joined]));

    let mut earliest = segment.start;
    let cue = |part: &[Word]| {
        let (first, last) = (part.first()?, part.last()?);
        let start = first.start.max(earliest);
        let end = last.end.min(segment.end).max(start);
        earliest = end;
        Some(Cue {
            start,
            end,
            lines: lines(part),
        })
    };
    parts.into_iter().filter_map(cue).collect()
}

/// The words of a segment whose times are not known: each takes its share of the segment's
/// time by its characters.
fn words_by_length(segment: &Segment) -> Vec<Word> {
    let texts: Vec<&str> = segment.text.split_whitespace().collect();
    let total: u64 = texts.iter().map(|text| weight(text)).sum();
    let span = segment.end.0.saturating_sub(segment.start.0);
    let at = |before: u64| Milliseconds(segment.start.0 + span * before / total.max(1));
    let mut before = 0;
    let word = |text: &&str| {
        let start = at(before);
        before += weight(text);
        Word {
            text: (*text).to_owned(),
            start,
            end: at(before),
            probability: 0.0,
        }
    };
    texts.iter().map(word).collect()
}

/// The characters of a word and the space behind it.
fn weight(text: &str) -> u64 {
    text.chars().count() as u64 + 1
}

/// The characters of a line of `words`.
fn length(words: &[Word]) -> usize {
    let characters: usize = words.iter().map(|word| word.text.chars().count()).sum();
    characters + words.len().saturating_sub(1)
}

/// Words with a full stop that ends no sentence, as they are spoken before a name.
const TITLES: [&str; 8] = ["Mr.", "Mrs.", "Ms.", "Dr.", "St.", "Prof.", "Gen.", "Capt."];

fn ends_sentence(word: &str) -> bool {
    if TITLES.contains(&word) {
        return false;
    }
    word.trim_end_matches(['"', '\'', '\u{201d}', '\u{2019}', ')'])
        .ends_with(['.', '?', '!', '\u{2026}'])
}

/// Cuts `words` into few parts of like length that fit a cue each. A word is never cut.
fn balanced(words: &[Word]) -> Vec<&[Word]> {
    let mut parts = Vec::new();
    let mut rest = words;
    while !fits(rest) {
        let target = length(rest) / length(rest).div_ceil(CUE).max(2);
        let short = |count: &usize| length(&rest[..*count]) <= target && fits(&rest[..*count]);
        let count = (1..=rest.len()).take_while(short).last().unwrap_or(1);
        // The word that crosses the target goes to the nearer side, if the cue has room.
        let more = count + 1;
        let nearer = more < rest.len()
            && fits(&rest[..more])
            && length(&rest[..more]).abs_diff(target) < length(&rest[..count]).abs_diff(target);
        let (part, left) = rest.split_at(if nearer { more } else { count });
        parts.push(part);
        rest = left;
    }
    if !rest.is_empty() {
        parts.push(rest);
    }
    parts
}

/// Whether `words` can stand in one cue. A single word must, however long it is.
fn fits(words: &[Word]) -> bool {
    words.len() < 2 || length(words) <= LINE || longer(words, best_cut(words)) <= LINE
}

/// Where to break `words`, two at least, for lines of the most like length.
fn best_cut(words: &[Word]) -> usize {
    let cuts = 1..words.len();
    cuts.min_by_key(|cut| longer(words, *cut)).unwrap_or(1)
}

/// The length of the longer line of `words` broken at `cut`.
fn longer(words: &[Word], cut: usize) -> usize {
    length(&words[..cut]).max(length(&words[cut..]))
}

/// One line if the words fit, else two of like length.
fn lines(words: &[Word]) -> Vec<String> {
    let join = |words: &[Word]| {
        let texts: Vec<_> = words.iter().map(|word| word.text.as_str()).collect();
        texts.join(" ")
    };
    if length(words) <= LINE || words.len() < 2 {
        return vec![join(words)];
    }
    let (first, second) = words.split_at(best_cut(words));
    vec![join(first), join(second)]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{segment, word};

    fn texts(segment: &Segment) -> Vec<String> {
        cues(segment)
            .iter()
            .map(|cue| cue.lines.join("\n"))
            .collect()
    }

    #[test]
    fn a_short_segment_is_one_cue() {
        let cues = cues(&segment(500, 2_000, "Ever tried. Ever failed."));
        assert_eq!(
            cues,
            [Cue {
                start: Milliseconds(500),
                end: Milliseconds(2_000),
                lines: vec!["Ever tried. Ever failed.".to_owned()],
            }]
        );
    }

    #[test]
    fn sentences_share_a_cue_while_they_fit() {
        let text = "It was the best of times. It was the worst of times. It was the age of \
                    wisdom. It was the age of foolishness.";
        assert_eq!(
            texts(&segment(0, 10_000, text)),
            [
                "It was the best of times. It was the\nworst of times. It was the age of wisdom.",
                "It was the age of foolishness.",
            ]
        );
    }

    #[test]
    fn a_long_sentence_is_cut_between_words_into_like_parts() {
        let text = "And Mr. John Dashwood had then leisure to consider how much there might \
                    be prudently in his power to do for them.";
        assert_eq!(
            texts(&segment(0, 10_000, text)),
            [
                "And Mr. John Dashwood had\nthen leisure to consider how",
                "much there might be prudently\nin his power to do for them.",
            ]
        );
    }

    #[test]
    fn times_of_words_are_used_where_they_are_known() {
        let mut timed = segment(0, 9_000, "");
        timed.words = vec![
            word(100, 400, &format!("{}.", "a".repeat(60))),
            word(7_000, 8_000, &format!("{}.", "b".repeat(60))),
        ];
        let cues = cues(&timed);
        let times: Vec<_> = cues.iter().map(|cue| (cue.start.0, cue.end.0)).collect();
        assert_eq!(times, [(100, 400), (7_000, 8_000)]);
    }

    proptest! {
        #[test]
        fn cues_hold_all_words_in_order_within_the_segment(
            text in "([a-z<>&-]{1,50}[.,?]? ){0,40}",
            start in 0..100_000_u64,
            span in 0..15_000_u64,
        ) {
            let segment = segment(start, start + span, text.trim());
            let cues = cues(&segment);
            let words: Vec<_> = cues
                .iter()
                .flat_map(|cue| &cue.lines)
                .flat_map(|line| line.split_whitespace())
                .collect();
            prop_assert_eq!(words, text.split_whitespace().collect::<Vec<_>>());
            let times: Vec<_> = cues.iter().flat_map(|cue| [cue.start, cue.end]).collect();
            prop_assert!(times.is_sorted());
            prop_assert!(times.iter().all(|time| (start..=start + span).contains(&time.0)));
            for line in cues.iter().flat_map(|cue| &cue.lines) {
                prop_assert!(line.chars().count() <= LINE || !line.contains(' '), "{}", line);
            }
            prop_assert!(cues.iter().all(|cue| cue.lines.len() <= 2));
        }
    }
}
