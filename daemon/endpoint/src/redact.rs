//! Numbers are taken out of what was said, also of those that go on from one segment into the
//! next.
//!
//! A stream of segments cannot be asked for what comes later, so a segment whose end may be the
//! beginning of a number is held until the next one says. Nothing is held where the policy takes
//! no numbers out.
//!
//! Who reads numbers without an end would have all of them held; at [`MOST_HELD`] segments what
//! there is goes out, with the whole of its open number taken out however short it is.

use std::ops::Range;

use earnest_policy::{AnswerRules, REDACTED};
use earnest_transcript::{Segment, Word};

/// Most segments that are held: some minutes of nothing but numbers.
const MOST_HELD: usize = 16;

/// Takes numbers out of segments as they come.
#[derive(Debug)]
pub(crate) struct Redactor {
    rules: AnswerRules,
    held: Vec<Segment>,
}

impl Redactor {
    pub(crate) fn new(rules: AnswerRules) -> Redactor {
        Redactor {
            rules,
            held: Vec::new(),
        }
    }

    /// Takes a segment, and gives those that may go out.
    pub(crate) fn push(&mut self, segment: Segment) -> Vec<Segment> {
        if !self.rules.redacts() {
            return vec![segment];
        }
        self.held.push(segment);
        let (joined, places) = joined(&self.held);
        let Some(open) = self.rules.held_from(&joined) else {
            return self.end();
        };
        if self.held.len() >= MOST_HELD {
            return self.give_up();
        }
        let complete = places.iter().take_while(|place| place.end <= open).count();
        let mut ready = redacted(&self.rules, &self.held);
        ready.truncate(complete);
        self.held.drain(..complete);
        ready
    }

    /// All that is held, though something may come after it: without the whole of the number that
    /// it may be in the middle of.
    pub(crate) fn give_up(&mut self) -> Vec<Segment> {
        let (joined, places) = joined(&self.held);
        let open = self.rules.held_from(&joined).unwrap_or(joined.len());
        let mut all = self.end();
        // Each text that the open number is in ends in it.
        places
            .iter()
            .zip(&mut all)
            .filter(|(place, _)| place.end > open)
            .for_each(|(_, segment)| close(segment));
        all
    }

    /// Whether anything is held.
    pub(crate) fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// All that is held: nothing comes after it.
    pub(crate) fn end(&mut self) -> Vec<Segment> {
        let all = redacted(&self.rules, &self.held);
        self.held.clear();
        all
    }
}

/// The texts of segments with a space between them, and where each stands.
fn joined(segments: &[Segment]) -> (String, Vec<Range<usize>>) {
    let mut text = String::new();
    let mut places = Vec::with_capacity(segments.len());
    for segment in segments {
        if !text.is_empty() {
            text.push(' ');
        }
        let start = text.len();
        text.push_str(&segment.text);
        places.push(start..text.len());
    }
    (text, places)
}

/// A segment that ends in the middle of a number, of which nobody waits for the rest.
fn close(segment: &mut Segment) {
    segment.text = REDACTED.to_owned();
    let whole = segment.start..segment.end;
    segment.words.truncate(1);
    if let Some(word) = segment.words.first_mut() {
        word.text = REDACTED.to_owned();
        (word.start, word.end) = (whole.start, whole.end);
    }
}

/// The segments without numbers.
fn redacted(rules: &AnswerRules, segments: &[Segment]) -> Vec<Segment> {
    let texts: Vec<&str> = segments
        .iter()
        .map(|segment| segment.text.as_str())
        .collect();
    let texts = rules.redact_parts(&texts);
    let words: Vec<&str> = segments
        .iter()
        .flat_map(|segment| &segment.words)
        .map(|word| word.text.as_str())
        .collect();
    let ranges = rules.redact_words(&words);
    let mut first = 0;
    let mut out = Vec::with_capacity(segments.len());
    for (segment, text) in segments.iter().zip(texts) {
        let place = first..first + segment.words.len();
        first = place.end;
        out.push(Segment {
            text,
            words: without(&segment.words, &place, &ranges),
            ..segment.clone()
        });
    }
    out
}

/// The words, which stand at `place` among all of them, with one for each of the ranges.
fn without(words: &[Word], place: &Range<usize>, ranges: &[Range<usize>]) -> Vec<Word> {
    let mut out: Vec<Word> = Vec::with_capacity(words.len());
    let mut within: Option<&Range<usize>> = None;
    for (number, word) in place.clone().zip(words) {
        let range = ranges.iter().find(|range| range.contains(&number));
        match (range, out.last_mut()) {
            (None, _) => out.push(word.clone()),
            (Some(range), Some(last)) if within == Some(range) => last.end = word.end,
            (Some(_), _) => out.push(Word {
                text: REDACTED.to_owned(),
                ..word.clone()
            }),
        }
        within = range;
    }
    out
}

#[cfg(test)]
mod tests {
    use earnest_transcript::Milliseconds;
    use proptest::prelude::*;

    use super::*;

    fn segment(number: usize, text: &str) -> Segment {
        let start = number as u64 * 1_000;
        let word = |(place, word): (usize, &str)| Word {
            text: word.to_owned(),
            start: Milliseconds(start + place as u64),
            end: Milliseconds(start + place as u64 + 1),
            probability: 0.5,
        };
        Segment {
            start: Milliseconds(start),
            end: Milliseconds(start + 1_000),
            text: text.to_owned(),
            tokens: Vec::new(),
            avg_logprob: -0.25,
            compression_ratio: 1.0,
            no_speech_prob: 0.0,
            words: text.split_whitespace().enumerate().map(word).collect(),
        }
    }

    fn rules() -> AnswerRules {
        AnswerRules::new(None, Some(4), None).expect("four digits")
    }

    /// What goes out after each segment, and at the end, by text and by words.
    fn run(texts: &[&str]) -> Vec<Vec<String>> {
        let mut redactor = Redactor::new(rules());
        let mut out = Vec::new();
        let show = |segments: Vec<Segment>| {
            let texts = segments.iter().map(|segment| {
                let words: Vec<&str> = segment.words.iter().map(|one| one.text.as_str()).collect();
                assert_eq!(
                    words.join(" ").replace(".", ""),
                    segment.text.replace(".", "")
                );
                segment.text.clone()
            });
            texts.collect::<Vec<_>>()
        };
        for (number, text) in texts.iter().enumerate() {
            out.push(show(redactor.push(segment(number, text))));
        }
        out.push(show(redactor.end()));
        out
    }

    #[test]
    fn a_number_is_taken_out_of_text_and_words() {
        let out = run(&["My code is four two one seven okay", "Good."]);
        assert_eq!(out[0], ["My code is [number] okay"]);
        assert_eq!(out[1], ["Good."]);
    }

    #[test]
    fn what_may_be_the_beginning_of_a_number_waits_for_its_end() {
        let out = run(&["My code is four two", "one seven and so on", "Good"]);
        assert!(out[0].is_empty());
        assert_eq!(out[1], ["My code is [number]", "[number] and so on"]);
        assert_eq!(out[2], ["Good"]);
        let out = run(&["I have two", "cats"]);
        assert_eq!(out, [vec![], vec!["I have two", "cats"], vec![]]);
        let out = run(&["It is 42"]);
        assert_eq!(out, [vec![], vec!["It is 42"]]);
    }

    #[test]
    fn numbers_without_an_end_are_not_held_for_ever() {
        let texts = vec!["1"; MOST_HELD];
        let out = run(&texts);
        assert!(out[..MOST_HELD - 1].iter().all(Vec::is_empty));
        assert_eq!(out[MOST_HELD - 1], vec![REDACTED; MOST_HELD]);
    }

    #[test]
    fn nothing_is_held_where_no_numbers_are_taken_out() {
        let mut redactor = Redactor::new(AnswerRules::default());
        assert_eq!(redactor.push(segment(0, "four two one seven")).len(), 1);
        assert!(redactor.end().is_empty());
    }

    proptest! {
        #[test]
        fn segments_come_out_in_their_order_and_all_of_them(
            texts in proptest::collection::vec("[a-c 0-9]{0,8}|four|two|double", 0..40),
        ) {
            let mut redactor = Redactor::new(rules());
            let mut out = Vec::new();
            for (number, text) in texts.iter().enumerate() {
                out.extend(redactor.push(segment(number, text)));
                prop_assert!(redactor.held.len() < MOST_HELD);
            }
            out.extend(redactor.end());
            let starts: Vec<u64> = out.iter().map(|segment| segment.start.0 / 1_000).collect();
            let expected: Vec<u64> = (0..texts.len() as u64).collect();
            prop_assert_eq!(starts, expected);
        }

        #[test]
        fn no_number_that_is_long_enough_survives_the_borders(
            digits in proptest::collection::vec("[0-9]{1,3}", 4..12),
        ) {
            let mut redactor = Redactor::new(rules());
            let mut out = Vec::new();
            for (number, text) in digits.iter().enumerate() {
                out.extend(redactor.push(segment(number, text)));
            }
            out.extend(redactor.end());
            for segment in out {
                prop_assert_eq!(segment.text.as_str(), REDACTED);
                prop_assert!(segment.words.iter().all(|word| word.text == REDACTED));
            }
        }
    }
}
