//! Finds the loops into which a decoder falls: a phrase said again and again.

/// The longest phrase that is looked for, in words.
const MAX_PHRASE: usize = 12;

/// A phrase that follows itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loop {
    pub(crate) phrase: String,
    /// How often it stands in a row.
    pub(crate) times: usize,
}

/// Every phrase of up to twelve words that stands in a row so often that nobody speaks so:
/// at least three times, and over at least eight words. Longest runs count once, under their
/// shortest phrase.
pub(crate) fn find(text: &str) -> Vec<Loop> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut loops = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let found = (1..=MAX_PHRASE)
            .map(|length| (length, repeats(&words[at..], length)))
            .find(|&(length, times)| times >= 3 && length * times >= 8);
        match found {
            Some((length, times)) => {
                loops.push(Loop {
                    phrase: words[at..at + length].join(" "),
                    times,
                });
                at += length * times;
            }
            None => at += 1,
        }
    }
    loops
}

/// How often the first `length` words stand in a row.
fn repeats(words: &[&str], length: usize) -> usize {
    let Some(phrase) = words.get(..length) else {
        return 0;
    };
    words
        .chunks(length)
        .take_while(|chunk| *chunk == phrase)
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, usize)]) {
        let found = find(text);
        let found: Vec<(&str, usize)> = found
            .iter()
            .map(|one| (one.phrase.as_str(), one.times))
            .collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn a_phrase_in_a_row_is_a_loop() {
        check(
            "and then he said to me he said to me he said to me no",
            &[("he said to me", 3)],
        );
        check("you you you you you you you you", &[("you", 8)]);
    }

    #[test]
    fn what_people_say_is_none() {
        check("no no no", &[]);
        check("press one press one to speak to speak", &[]);
        check("", &[]);
    }

    #[test]
    fn two_loops_are_both_found() {
        let text = format!("{} so {}", "ha ".repeat(9), "it is so ".repeat(3));
        check(&text, &[("ha", 9), ("so it is", 3)]);
    }
}
