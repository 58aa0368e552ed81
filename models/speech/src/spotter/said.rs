//! What the decoder wrote of its own accord, as a second witness.

use std::collections::HashMap;

/// Letters of a text that are compared; a phrase has fewer.
const MOST_LETTERS: usize = 256;

/// Letters that the text of a command may have beyond twice its own: what is heard wrongly is
/// often longer, but a whole sentence more is something else.
const LETTERS_BEYOND: usize = 12;

/// Words that turn a command into its opposite, without apostrophes. "No" is not among them: a
/// decoder writes it for "the".
const NEGATIONS: [&str; 12] = [
    "not", "never", "without", "dont", "doesnt", "didnt", "cannot", "cant", "wont", "except",
    "cancel", "undo",
];

/// Numbers that sound like other words: for, to, won, ate.
const SOUND_ALIKE: [&str; 4] = ["4", "2", "1", "8"];

const NUMBERS: [(&str, &str); 28] = [
    ("zero", "0"),
    ("one", "1"),
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("seven", "7"),
    ("eight", "8"),
    ("nine", "9"),
    ("ten", "10"),
    ("eleven", "11"),
    ("twelve", "12"),
    ("thirteen", "13"),
    ("fourteen", "14"),
    ("fifteen", "15"),
    ("sixteen", "16"),
    ("seventeen", "17"),
    ("eighteen", "18"),
    ("nineteen", "19"),
    ("twenty", "20"),
    ("thirty", "30"),
    ("forty", "40"),
    ("fifty", "50"),
    ("sixty", "60"),
    ("seventy", "70"),
    ("eighty", "80"),
    ("ninety", "90"),
];

/// The words of a text that may not be mistaken for others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Signs {
    numbers: Vec<String>,
    negated: bool,
}

impl Signs {
    /// Those of `text`.
    pub(super) fn of(text: &str) -> Signs {
        let mut signs = Signs::default();
        for word in text.split(|character: char| {
            !(character.is_alphanumeric() || matches!(character, '\'' | '\u{2019}'))
        }) {
            let word: String = word
                .chars()
                .filter(|character| character.is_alphanumeric())
                .collect();
            let word = word.to_lowercase();
            let number = NUMBERS.iter().find(|(name, _)| *name == word);
            if let Some((_, digits)) = number {
                signs.numbers.push((*digits).to_owned());
            } else if word.starts_with(|character: char| character.is_ascii_digit()) {
                signs.numbers.push(word);
            } else {
                signs.negated |= NEGATIONS.contains(&word.as_str());
            }
        }
        signs
    }
}

/// A text that was read.
#[derive(Debug)]
pub(super) struct Said {
    letters: Vec<char>,
    signs: Signs,
}

impl Said {
    /// The letters and signs of `text`.
    pub(super) fn of(text: &str) -> Said {
        Said {
            letters: letters(text),
            signs: Signs::of(text),
        }
    }

    /// How many letters and digits there are.
    pub(super) fn letters(&self) -> usize {
        self.letters.len()
    }

    /// How much the text's beginning is like `phrase`, in 0..=1.
    pub(super) fn begins_like(&self, phrase: &[char]) -> f32 {
        // A third more, because a phrase that is heard wrongly may be written longer.
        let end = (phrase.len() * 4 / 3).min(self.letters.len());
        likeness(&self.letters[..end], phrase)
    }

    /// How much the text is like `phrase`, in 0..=1, without about as many letters as `before`.
    pub(super) fn ends_like(&self, phrase: &[char], before: usize) -> f32 {
        let start = before.min(self.letters.len());
        likeness(&self.letters[start..], phrase)
    }

    /// Whether so long a text may be `phrase` behind about as many letters as `before`.
    pub(super) fn may_be(&self, phrase: &[char], before: usize) -> bool {
        self.letters.len() <= 2 * (phrase.len() + before) + LETTERS_BEYOND
    }

    /// Whether the text holds a sign that a phrase with `signs` cannot have. A text of nothing
    /// says nothing.
    pub(super) fn contradicts(&self, signs: &Signs) -> bool {
        if self.letters.is_empty() {
            return false;
        }
        let foreign = |number: &&String| !signs.numbers.contains(number);
        let lacks = signs
            .numbers
            .iter()
            .any(|number| !self.signs.numbers.contains(number));
        let mut foreign = self.signs.numbers.iter().filter(foreign);
        let other = foreign.any(|number| lacks || !SOUND_ALIKE.contains(&number.as_str()));
        other || self.signs.negated != signs.negated
    }
}

/// The letters and digits of `text` in lower case.
pub(super) fn letters(text: &str) -> Vec<char> {
    text.chars()
        .filter(|character| character.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .take(MOST_LETTERS)
        .collect()
}

/// The pairs of neighbouring letters that two texts share, twice over the pairs that both have
/// (Dice's coefficient).
fn likeness(one: &[char], other: &[char]) -> f32 {
    let mut pairs: HashMap<&[char], usize> = HashMap::new();
    for pair in one.windows(2) {
        *pairs.entry(pair).or_default() += 1;
    }
    let mut shared = 0;
    for pair in other.windows(2) {
        if let Some(left) = pairs.get_mut(pair).filter(|left| **left > 0) {
            *left -= 1;
            shared += 1;
        }
    }
    let all = one.len().saturating_sub(1) + other.len().saturating_sub(1);
    2.0 * shared as f32 / all.max(1) as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_sounds_nearer_is_more_like() {
        let said = Said::of("Santa timer for five minutes.");
        let like = |phrase| said.ends_like(&letters(phrase), 0);
        assert!(like("set a timer for five minutes") > like("turn on the kitchen light"));
        assert_eq!(Said::of("").ends_like(&letters("a"), 0), 0.0);
        let woken = Said::of("Hey Ernest, stop the music.");
        let stop = letters("stop the music");
        assert!(woken.ends_like(&stop, 9) > woken.ends_like(&stop, 0));
        assert!(woken.begins_like(&letters("hey earnest")) > woken.begins_like(&stop));
    }

    #[test]
    fn another_number_or_a_negation_speaks_against_a_command() {
        let check = |said: &str, phrase: &str, expected| {
            let found = Said::of(said).contradicts(&Signs::of(phrase));
            assert_eq!(found, expected, "{said:?} against {phrase:?}");
        };
        let timer = "set a timer for five minutes";
        check("Setter timer for 9 minutes.", timer, true);
        check("Set a timer for twenty five minutes.", timer, true);
        check("Set a timer for 25 minutes.", timer, true);
        check("Set a time or four five minutes.", timer, false);
        check("Set a timer for 5 minutes.", timer, false);
        check("Santa timer.", timer, false);
        check("", timer, false);
        check("Don\u{2019}t stop the music.", "stop the music", true);
        check("Stop no music.", "stop the music", false);
        check("Stop the music.", "don't stop the music", true);
        check("Turn on the light for me too.", "turn on the light", false);
    }

    #[test]
    fn a_long_text_is_no_short_command() {
        let phrase = letters("stop");
        assert!(Said::of("stop it please").may_be(&phrase, 0));
        let sentence = "I would like to know how the weather is going to be";
        assert!(!Said::of(sentence).may_be(&phrase, 0));
    }

    proptest! {
        #[test]
        fn likeness_is_a_share_and_whole_of_the_same(one in "[a-d]{2,20}", other in "[a-d]{0,20}") {
            let (one, other) = (letters(&one), letters(&other));
            prop_assert!((0.0..=1.0).contains(&likeness(&one, &other)));
            prop_assert_eq!(likeness(&one, &one), 1.0);
            prop_assert_eq!(likeness(&one, &other), likeness(&other, &one));
        }

        #[test]
        fn nothing_that_is_said_ends_it(text in ".{0,80}", phrase in ".{0,40}", before in 0_usize..60) {
            let (said, phrase_letters) = (Said::of(&text), letters(&phrase));
            said.begins_like(&phrase_letters);
            said.ends_like(&phrase_letters, before);
            said.may_be(&phrase_letters, before);
            said.contradicts(&Signs::of(&phrase));
        }
    }
}
