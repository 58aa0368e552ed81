//! What was said and what was heard of it, as words.

use serde_json::Value;

use crate::client::SAID;

/// Words of the sample that may be heard wrong.
const MOST_ERRORS: usize = 1;

/// And where each of its sentences is heard by itself, because a short silence ends an utterance.
/// It is read slowly and by an old voice, and a model as small as this one lives by context.
const MOST_ERRORS_OF_PARTS: usize = 3;

/// Sees that this is the sample's text.
pub(crate) fn is_the_sample(who: &str, heard: &str) {
    check(who, heard, MOST_ERRORS);
}

/// The same of a text that was heard sentence by sentence.
pub(crate) fn is_nearly_the_sample(who: &str, heard: &str) {
    check(who, heard, MOST_ERRORS_OF_PARTS);
}

fn check(who: &str, heard: &str, most: usize) {
    let errors = errors(SAID, heard);
    assert!(
        errors <= most,
        "{who}: {errors} words are wrong in {heard:?}"
    );
}

/// Words that were left out, put in or exchanged.
fn errors(said: &str, heard: &str) -> usize {
    let (said, heard) = (words(said), words(heard));
    // Levenshtein's distance, one row at a time.
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (at, word) in said.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, other) in heard.iter().enumerate() {
            let exchanged = diagonal + usize::from(word != other);
            diagonal = row[column + 1];
            row[column + 1] = exchanged.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[heard.len()]
}

pub(crate) fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    let words = lower.split(|one: char| !one.is_alphanumeric());
    words
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Sees that no stable text was taken back, neither by what was told later of its utterance nor
/// by its final. Gives how many partials told any.
pub(crate) fn stable_text_stays(events: &[Value]) -> usize {
    let (mut stable, mut told) = (String::new(), 0);
    for event in events {
        let next = match event["type"].as_str() {
            Some("speech_started") => {
                stable.clear();
                continue;
            }
            Some("partial") => &event["stable"],
            Some("final" | "segment") => &event["text"],
            _ => continue,
        };
        let next = next.as_str().expect("a text");
        assert!(next.starts_with(&stable), "{stable:?} became {next:?}");
        told += usize::from(event["type"] == "partial" && !next.is_empty());
        stable = match event["type"] == "partial" {
            true => next.to_owned(),
            false => String::new(),
        };
    }
    told
}

#[test]
fn words_that_differ_are_counted() {
    assert_eq!(errors(SAID, &SAID.to_uppercase()), 0);
    assert_eq!(errors("one two three", "one three"), 1);
    assert_eq!(errors("one two three", "one too three four"), 2);
    assert_eq!(errors(SAID, ""), 12);
}
