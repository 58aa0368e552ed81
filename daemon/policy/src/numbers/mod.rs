//! Numbers in what was said, in figures and in English words.
//!
//! A *run* is a stretch of text that reads as one series of digits: figures and spelled numbers
//! with nothing between them but space, dots, commas, dashes, parentheses, apostrophes, and the
//! words for them. "4-2 one seven", "twenty three forty five" and "double five oh two" are runs. Each run
//! knows its digits: "twenty three" has the digits 23, "two thousand five" has 2005.
//!
//! Whoever hears digits writes them down in one way or another; this module reads all of them
//! alike. It is exact for what people dictate (codes, telephone numbers, cards), and where a
//! series of words can be read in two ways it takes the usual one.

mod digits;
mod tokens;

use std::ops::Range;

use digits::digits;
use tokens::{Kind, Token, tokens};

/// A series of digits in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Run {
    /// Where, in bytes of the text, from the first digit to the last.
    pub(crate) place: Range<usize>,
    /// What the digits are, in order.
    pub(crate) digits: String,
}

/// The runs of a text, in order; each is as long as it can be.
pub(crate) fn runs(text: &str) -> Vec<Run> {
    let tokens = tokens(text);
    let mut runs = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let (numbers, next) = stretch(&tokens, at);
        if let (Some(first), Some(last)) = (numbers.first(), numbers.last())
            && numbers.iter().any(|token| token.kind.is_number_by_itself())
        {
            runs.push(Run {
                place: first.place.start..last.place.end,
                digits: digits(&numbers),
            });
        }
        at = next;
    }
    runs
}

/// Where the last run begins that what follows the text may go on with, if there may be one: the
/// text ends in numbers, or in words such as "double".
pub(crate) fn open_from(text: &str) -> Option<usize> {
    let tokens = tokens(text);
    let tail = tokens.iter().rev();
    let tail = tail.take_while(|token| token.kind.is_number() || token.kind == Kind::Link);
    let numbers = tail.filter(|token| token.kind.is_number());
    numbers.last().map(|token| token.place.start)
}

/// The numbers that belong together from `at` on, and where to go on.
fn stretch<'a>(tokens: &'a [Token<'a>], at: usize) -> (Vec<&'a Token<'a>>, usize) {
    let mut numbers: Vec<&Token<'_>> = Vec::new();
    let mut here = at;
    while let Some(token) = tokens.get(here) {
        match &token.kind {
            Kind::Link if !numbers.is_empty() => {}
            kind if kind.is_number() && joins(kind, numbers.last(), &tokens[here + 1..]) => {
                numbers.push(token);
            }
            _ => break,
        }
        here += 1;
    }
    (numbers, here.max(at + 1))
}

/// Whether a number goes on a run that ends in `before`, or begins one.
fn joins(kind: &Kind<'_>, before: Option<&&Token<'_>>, after: &[Token<'_>]) -> bool {
    let next = after.iter().find(|token| token.kind != Kind::Link);
    match kind {
        // "Thanks a million": a bare power of ten is no number that somebody gave.
        Kind::Hundred | Kind::Scale(_) => before.is_some(),
        Kind::And => {
            let power = |token: &&Token<'_>| matches!(token.kind, Kind::Hundred | Kind::Scale(_));
            before.is_some_and(power) && next.is_some_and(|token| token.kind.is_number_by_itself())
        }
        Kind::Times(_) => next.is_some_and(|token| token.kind.single_digit().is_some()),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[(&str, &str)]) {
        let runs = runs(text);
        let found: Vec<_> = runs
            .iter()
            .map(|run| (&text[run.place.clone()], run.digits.as_str()))
            .collect();
        assert_eq!(found, expected, "{text:?}");
    }

    #[test]
    fn figures_join_over_what_stands_between_them() {
        check("no numbers here", &[]);
        check("", &[]);
        check(
            "call 0170 123-45.67 now",
            &[("0170 123-45.67", "01701234567")],
        );
        check("(030) 12 34", &[("030) 12 34", "0301234")]);
        check("4,2,1,7 and 5", &[("4,2,1,7", "4217"), ("5", "5")]);
        check("A4217b99", &[("4217", "4217"), ("99", "99")]);
        check("4'217 is one's own", &[("4'217", "4217")]);
        check("12:34", &[("12", "12"), ("34", "34")]);
        check(
            "1\u{2013}2\u{a0}3\u{200b}4",
            &[("1\u{2013}2\u{a0}3\u{200b}4", "1234")],
        );
        check(
            "\u{ff11}\u{ff12}",
            &[("\u{ff11}\u{ff12}", "\u{ff11}\u{ff12}")],
        );
    }

    #[test]
    fn spelled_digits_are_digits() {
        check(
            "it is Four two ONE seven.",
            &[("Four two ONE seven", "4217")],
        );
        check("one oh five", &[("one oh five", "105")]);
        check(
            "double five triple oh 2",
            &[("double five triple oh 2", "550002")],
        );
        check("four dash two dot one", &[("four dash two dot one", "421")]);
        check("four 2, one seven", &[("four 2, one seven", "4217")]);
        check(
            "nought naught zero nil",
            &[("nought naught zero nil", "0000")],
        );
    }

    #[test]
    fn words_that_only_sound_like_numbers_are_none() {
        check("oh oh oh", &[]);
        check("double trouble", &[]);
        check("someone, ones, one's", &[]);
        check("thanks a million", &[]);
        check("and a hundred dashes", &[]);
        check("double 55", &[("55", "55")]);
    }

    #[test]
    fn cardinals_have_the_digits_of_their_value() {
        check("twenty three", &[("twenty three", "23")]);
        check(
            "twenty-three forty-five",
            &[("twenty-three forty-five", "2345")],
        );
        check("nineteen eighty four", &[("nineteen eighty four", "1984")]);
        check("two hundred", &[("two hundred", "200")]);
        check("one hundred and five", &[("one hundred and five", "105")]);
        check("twelve hundred", &[("twelve hundred", "1200")]);
        check("two thousand five", &[("two thousand five", "2005")]);
        check("5 million", &[("5 million", "5000000")]);
        check(
            "one million two hundred thirty four thousand five hundred and sixty seven",
            &[(
                "one million two hundred thirty four thousand five hundred and sixty seven",
                "1234567",
            )],
        );
        check(
            "one hundred two hundred",
            &[("one hundred two hundred", "100200")],
        );
        check(
            "one thousand two thousand",
            &[("one thousand two thousand", "10002000")],
        );
        check(
            "two thousand four one seven",
            &[("two thousand four one seven", "200417")],
        );
        check("007 hundred", &[("007 hundred", "700")]);
        check("one hundred and nothing", &[("one hundred", "100")]);
        check(
            "trillion one trillion",
            &[("one trillion", "1000000000000")],
        );
    }

    #[test]
    fn what_may_go_on_is_known() {
        assert_eq!(open_from("my number is four two"), Some(13));
        assert_eq!(open_from("my number is double"), Some(13));
        assert_eq!(open_from("my number is 42, "), Some(13));
        assert_eq!(open_from("four two it is"), None);
        assert_eq!(open_from(""), None);
        assert_eq!(open_from(" - "), None);
    }
}
