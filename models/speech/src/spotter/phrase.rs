//! A phrase, and how the model may write it.

use super::Score;
use super::encode::Encoder;
use super::evidence::{self, Evidence};
use super::said::{Signs, letters};
use crate::SpeechError;

/// Tokens of the longest spelling; [`super::nothing_said`] holds as many, and no phrase that
/// anybody says has more.
const MOST_TOKENS: usize = 36;

/// What a person may write behind a phrase, and nobody says.
const ENDS: &str = ".!?,\u{2026}";

/// A phrase of the list.
pub(super) struct Phrase {
    /// Its place in the list.
    pub(super) place: usize,
    /// Whether more speech may follow.
    pub(super) wakes: bool,
    /// Its letters and digits in lower case.
    pub(super) letters: Vec<char>,
    pub(super) signs: Signs,
    /// At least one.
    pub(super) spellings: Vec<Spelling>,
    /// A command as it is written behind a phrase that wakes.
    after: Vec<u32>,
    /// What the decoder makes of `after` without sound, behind the phrase at that place.
    after_unheard: Option<(usize, Vec<f32>)>,
}

/// One way to write a phrase.
pub(super) struct Spelling {
    tokens: Vec<u32>,
    /// The tokens up to a comma behind the phrase; only of a phrase that wakes.
    opening: Vec<u32>,
    /// What the decoder makes of it without sound: one more than the tokens, once asked for.
    unheard: Option<Vec<f32>>,
}

impl Spelling {
    /// The phrase with a comma, for what follows.
    pub(super) fn opening(&self) -> Vec<u32> {
        self.opening.clone()
    }
}

impl Phrase {
    /// For [`Self::heard`]: the text may go on behind the phrase.
    pub(super) const SPOKEN: bool = false;
    /// For [`Self::heard`]: the text ends behind the phrase.
    pub(super) const ENDED: bool = true;

    /// The `phrase` at `place` of the list; `None` where it has no letter or digit, is longer
    /// than anybody speaks, or cannot be written.
    pub(super) fn new(
        place: usize,
        phrase: &earnest_transcript::Phrase,
        encoder: &Encoder<'_>,
    ) -> Option<Phrase> {
        let wakes = phrase.wakes;
        let text = phrase.words.trim();
        let text = text.trim_end_matches(|last: char| last.is_whitespace() || ENDS.contains(last));
        let letters = letters(text);
        if letters.is_empty() {
            return None;
        }
        let texts = match wakes {
            true => waking(text),
            false => vec![format!("{}.", sentence(text))],
        };
        let spelling = |text: &String| {
            let tokens = encoder
                .encode(text)
                .filter(|tokens| tokens.len() <= MOST_TOKENS)?;
            let opening = match wakes {
                true => encoder.encode(&format!("{text},"))?,
                false => Vec::new(),
            };
            Some(Spelling {
                tokens,
                opening,
                unheard: None,
            })
        };
        let spellings: Vec<Spelling> = texts.iter().filter_map(spelling).collect();
        let after = encoder.encode(&format!("{}.", uncapitalised(text)))?;
        (!spellings.is_empty()).then(|| Phrase {
            place,
            wakes,
            letters,
            signs: Signs::of(text),
            spellings,
            after,
            after_unheard: None,
        })
    }

    /// Tokens that all its spellings take, with their ends.
    pub(super) fn tokens(&self) -> usize {
        let tokens = self
            .spellings
            .iter()
            .map(|spelling| spelling.tokens.len() + 1);
        tokens.sum()
    }

    /// Asks once how likely the spellings are without sound.
    pub(super) fn ask_unheard(&mut self, scorer: &mut dyn Score) -> Result<(), SpeechError> {
        if self
            .spellings
            .iter()
            .all(|spelling| spelling.unheard.is_some())
        {
            return Ok(());
        }
        let texts: Vec<&[u32]> = self
            .spellings
            .iter()
            .map(|spelling| spelling.tokens.as_slice())
            .collect();
        let unheard = scorer.unheard(&texts)?;
        for (spelling, unheard) in self.spellings.iter_mut().zip(unheard) {
            spelling.unheard = Some(unheard);
        }
        Ok(())
    }

    /// The evidence for the spelling that fits best, and which that is. Where the text is to have
    /// `ended` behind the phrase, its end counts as a token does.
    pub(super) fn heard(
        &self,
        scorer: &mut dyn Score,
        ended: bool,
    ) -> Result<Option<(usize, Evidence)>, SpeechError> {
        let otherwise = |spelling: &Spelling| {
            let unheard = spelling.unheard.as_deref().unwrap_or_default();
            let count = spelling.tokens.len() + usize::from(ended);
            evidence::total(&unheard[..count.min(unheard.len())])
        };
        let otherwise = self.spellings.iter().map(otherwise);
        let otherwise = otherwise.fold(f32::NEG_INFINITY, f32::max);
        let mut best: Option<(usize, Evidence)> = None;
        for (index, spelling) in self.spellings.iter().enumerate() {
            let Some(unheard) = &spelling.unheard else {
                continue;
            };
            let heard = scorer.score(&spelling.tokens)?;
            let count = spelling.tokens.len() + usize::from(ended);
            let heard = &heard[..count.min(heard.len())];
            let Some(evidence) = Evidence::of(heard, unheard, otherwise) else {
                continue;
            };
            if best.is_none_or(|(_, best)| best.heard < evidence.heard) {
                best = Some((index, evidence));
            }
        }
        Ok(best)
    }

    /// The evidence for a command behind `opening`, the tokens of the phrase at `place` with a
    /// comma: for the command's own tokens and the end.
    pub(super) fn heard_after(
        &mut self,
        scorer: &mut dyn Score,
        place: usize,
        opening: &[u32],
    ) -> Result<Option<Evidence>, SpeechError> {
        let whole = [opening, &self.after].concat();
        if whole.len() > MOST_TOKENS {
            return Ok(None);
        }
        let known = self
            .after_unheard
            .as_ref()
            .is_some_and(|(known, _)| *known == place);
        if !known {
            let unheard = scorer.unheard(&[&whole])?.pop();
            self.after_unheard = unheard.map(|unheard| (place, unheard));
        }
        let heard = scorer.score(&whole)?;
        let from = opening.len();
        let unheard = self.after_unheard.as_ref();
        let unheard = unheard.and_then(|(_, unheard)| unheard.get(from..));
        Ok(heard
            .get(from..)
            .zip(unheard)
            .and_then(|(heard, unheard)| Evidence::of(heard, unheard, f32::NEG_INFINITY)))
    }
}

/// How a phrase that wakes may be written: as the beginning of a sentence, as names, and with a
/// comma behind the first word ("Okay, computer").
fn waking(text: &str) -> Vec<String> {
    let sentence = sentence(text);
    let names: Vec<String> = text.split_whitespace().map(self::sentence).collect();
    let names = names.join(" ");
    let comma = sentence.replacen(' ', ", ", 1);
    let mut texts = vec![sentence];
    for text in [names, comma] {
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    texts
}

/// `text` with its first letter as a capital, words parted by single spaces.
fn sentence(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut rest = text.chars();
    let first = rest.next().map(char::to_uppercase);
    first.into_iter().flatten().chain(rest).collect()
}

/// `text` with its first letter small, unless the first word is "I" or has other capitals: "TV".
fn uncapitalised(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut rest = text.chars();
    let Some(first) = rest.next() else {
        return text;
    };
    let rest = rest.as_str();
    let pronoun = first == 'I' && !rest.starts_with(char::is_alphanumeric);
    match pronoun || rest.starts_with(char::is_uppercase) {
        true => text,
        false => first.to_lowercase().chain(rest.chars()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_that_wake_have_three_spellings_at_most() {
        assert_eq!(
            waking("hey  earnest"),
            ["Hey earnest", "Hey Earnest", "Hey, earnest"]
        );
        assert_eq!(waking("Computer"), ["Computer"]);
    }

    #[test]
    fn commands_begin_small_behind_a_phrase_that_wakes() {
        assert_eq!(uncapitalised("Turn on the light"), "turn on the light");
        assert_eq!(uncapitalised("TV on"), "TV on");
        assert_eq!(uncapitalised("I'm  home"), "I'm home");
        assert_eq!(sentence("élan vital"), "Élan vital");
        assert_eq!(sentence(""), "");
    }
}
