//! What is taken out of an answer, and when it is given.
//!
//! - Text of too little certainty is withheld: an honest user loses noise, and whoever probes the
//!   model with noise learns nothing ([`AnswerRules::withheld`]).
//! - Runs of digits are taken out, as codes, cards and telephone numbers are what is worth
//!   stealing ([`AnswerRules::redact`]): in figures and in English words ("four two one seven",
//!   "double five", "twenty three"), over spaces, dots, commas, dashes and parentheses. A list
//!   that a model made of years is redacted, too, if it has digits enough.
//! - Answers are given at multiples of a quantum, so that how long one took says little
//!   ([`AnswerRules::pad`]).
//!
//! All of it is off by default.
//!
//! ```
//! use std::time::Duration;
//! use earnest_policy::AnswerRules;
//!
//! let rules = AnswerRules::new(Some(-1.0), Some(4), Some(Duration::from_millis(250)))?;
//! assert_eq!(rules.redact("My code is four 2, one seven."), "My code is [number].");
//! assert_eq!(rules.redact("I have two cats."), "I have two cats.");
//! assert!(rules.withheld(-1.5));
//! assert_eq!(rules.pad(Duration::from_millis(260)), Duration::from_millis(240));
//! # Ok::<(), earnest_policy::AnswerRulesError>(())
//! ```

#[cfg(test)]
mod tests;

use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use crate::numbers;

/// What stands in place of a number.
pub const REDACTED: &str = "[number]";

/// What is done to every answer.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct AnswerRules {
    certainty_floor: Option<f32>,
    redact_digits: Option<u8>,
    pad: Option<Duration>,
}

impl AnswerRules {
    /// What a floor of certainty may be, as the mean natural logarithm of tokens' probabilities.
    pub const CERTAINTY_FLOOR: RangeInclusive<f32> = -10.0..=0.0;

    /// How many digits may be the fewest to be redacted: each single one would be most of what
    /// people say, and no number is longer.
    pub const REDACT_DIGITS: RangeInclusive<u8> = 2..=64;

    /// What a quantum of answering may be: nobody waits longer for an answer that is there.
    pub const PAD: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(60);

    /// Rules: text below `certainty_floor` is withheld, runs of at least `redact_digits` digits
    /// are taken out, and answers are given at multiples of `pad`.
    ///
    /// # Errors
    ///
    /// When a value is out of its range.
    pub fn new(
        certainty_floor: Option<f32>,
        redact_digits: Option<u8>,
        pad: Option<Duration>,
    ) -> Result<AnswerRules, AnswerRulesError> {
        if let Some(found) = certainty_floor
            && !AnswerRules::CERTAINTY_FLOOR.contains(&found)
        {
            return Err(AnswerRulesError::CertaintyFloor { found });
        }
        if let Some(found) = redact_digits
            && !AnswerRules::REDACT_DIGITS.contains(&found)
        {
            return Err(AnswerRulesError::RedactDigits { found });
        }
        if let Some(found) = pad
            && !AnswerRules::PAD.contains(&found)
        {
            return Err(AnswerRulesError::Pad { found });
        }
        Ok(AnswerRules {
            certainty_floor,
            redact_digits,
            pad,
        })
    }

    /// Text of a lower certainty is withheld.
    pub fn certainty_floor(&self) -> Option<f32> {
        self.certainty_floor
    }

    /// Runs of so many digits are taken out.
    pub fn redact_digits(&self) -> Option<u8> {
        self.redact_digits
    }

    /// Answers are given at multiples of this.
    pub fn quantum(&self) -> Option<Duration> {
        self.pad
    }

    /// Whether text of this certainty (`avg_logprob`) is withheld. What is no number is below
    /// every floor.
    pub fn withheld(&self, avg_logprob: f32) -> bool {
        match self.certainty_floor {
            Some(floor) => avg_logprob.is_nan() || avg_logprob < floor,
            None => false,
        }
    }

    /// Whether numbers are taken out at all.
    pub fn redacts(&self) -> bool {
        self.redact_digits.is_some()
    }

    /// The text with [`REDACTED`] in place of each run of too many digits. Text without one comes
    /// back as it is.
    pub fn redact(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut kept = 0;
        for place in self.redactions(text) {
            out.push_str(&text[kept..place.start]);
            out.push_str(REDACTED);
            kept = place.end;
        }
        out.push_str(&text[kept..]);
        out
    }

    /// Texts that follow each other, such as segments, with [`REDACTED`] in place of each run
    /// of too many digits, also of those that go from one text on into the next: there it stands
    /// in each of them.
    pub fn redact_parts(&self, parts: &[&str]) -> Vec<String> {
        let joined = Joined::new(parts);
        let redactions = self.redactions(&joined.text);
        let redact = |(part, place): (&&str, &Range<usize>)| {
            let mut out = String::with_capacity(part.len());
            let mut kept = place.start;
            for redaction in overlapping(&redactions, place) {
                let start = redaction.start.max(place.start);
                out.push_str(&joined.text[kept..start]);
                out.push_str(REDACTED);
                kept = redaction.end.min(place.end);
            }
            out.push_str(&joined.text[kept..place.end]);
            out
        };
        parts.iter().zip(&joined.places).map(redact).collect()
    }

    /// Which words of a text to replace by one [`REDACTED`] each, as ranges of their places.
    /// Words are replaced whole, with their punctuation.
    pub fn redact_words(&self, words: &[&str]) -> Vec<Range<usize>> {
        let joined = Joined::new(words);
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for redaction in self.redactions(&joined.text) {
            let touched = |place: &Range<usize>| overlap(place, &redaction);
            let Some(first) = joined.places.iter().position(touched) else {
                continue;
            };
            let last = joined.places.iter().rposition(touched).unwrap_or(first);
            match ranges.last_mut() {
                // Two numbers in one word.
                Some(before) if before.end > first => before.end = last + 1,
                _ => ranges.push(first..last + 1),
            }
        }
        ranges
    }

    /// From where on a text may not be given yet, because it ends in a run of digits that may go
    /// on in what is said next. `None` when all of it may, which is so whenever numbers are not
    /// taken out.
    pub fn held_from(&self, text: &str) -> Option<usize> {
        self.redact_digits?;
        numbers::open_from(text)
    }

    /// How much longer to wait with an answer that took `elapsed`: until the next multiple of
    /// the quantum.
    pub fn pad(&self, elapsed: Duration) -> Duration {
        let Some(quantum) = self.pad else {
            return Duration::ZERO;
        };
        let over = elapsed.as_nanos() % quantum.as_nanos();
        match u64::try_from(over) {
            Ok(over) if over > 0 => quantum.saturating_sub(Duration::from_nanos(over)),
            _ => Duration::ZERO,
        }
    }

    /// Where there is too much of a number, in bytes, in order.
    fn redactions(&self, text: &str) -> Vec<Range<usize>> {
        let Some(least) = self.redact_digits else {
            return Vec::new();
        };
        let runs = numbers::runs(text).into_iter();
        let long = runs.filter(|run| run.digits.chars().count() >= usize::from(least));
        long.map(|run| with_brackets(text, run.place)).collect()
    }
}

/// The place with the parenthesis that a run broke in two, so that none is left over.
fn with_brackets(text: &str, place: Range<usize>) -> Range<usize> {
    let count = |bracket| text[place.clone()].matches(bracket).count();
    let (opened, closed) = (count('('), count(')'));
    let start = place.start - usize::from(closed > opened && text[..place.start].ends_with('('));
    let end = place.end + usize::from(opened > closed && text[place.end..].starts_with(')'));
    start..end
}

/// Texts with a space between them, and where each of them stands.
struct Joined {
    text: String,
    places: Vec<Range<usize>>,
}

impl Joined {
    fn new(parts: &[&str]) -> Joined {
        let bytes = parts.iter().map(|part| part.len() + 1).sum();
        let mut text = String::with_capacity(bytes);
        let mut places = Vec::with_capacity(parts.len());
        for part in parts {
            if !text.is_empty() {
                text.push(' ');
            }
            let start = text.len();
            text.push_str(part);
            places.push(start..text.len());
        }
        Joined { text, places }
    }
}

fn overlapping<'a>(
    redactions: &'a [Range<usize>],
    place: &'a Range<usize>,
) -> impl Iterator<Item = &'a Range<usize>> {
    redactions
        .iter()
        .filter(|redaction| overlap(redaction, place))
}

fn overlap(one: &Range<usize>, other: &Range<usize>) -> bool {
    one.start.max(other.start) < one.end.min(other.end)
}

/// A rule is none that makes sense.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum AnswerRulesError {
    /// The floor is no mean logarithm of probabilities.
    #[error("a certainty floor is from {least} to {most}, not {found}", least = AnswerRules::CERTAINTY_FLOOR.start(), most = AnswerRules::CERTAINTY_FLOOR.end())]
    CertaintyFloor {
        /// What was asked for.
        found: f32,
    },
    /// Too few or too many digits.
    #[error("numbers are taken out from {least} to {most} digits on, not {found}", least = AnswerRules::REDACT_DIGITS.start(), most = AnswerRules::REDACT_DIGITS.end())]
    RedactDigits {
        /// What was asked for.
        found: u8,
    },
    /// The quantum is too short or too long.
    #[error("answers are padded to {least:?} to {most:?}, not {found:?}", least = AnswerRules::PAD.start(), most = AnswerRules::PAD.end())]
    Pad {
        /// What was asked for.
        found: Duration,
    },
}
