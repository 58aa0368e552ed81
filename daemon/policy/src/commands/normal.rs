//! Phrases without what does not count, and how far two of them are apart.

use crate::numbers;

/// Most words and digits of a text that can be a phrase: what is longer is none, however much
/// somebody says.
const MAX_TOKENS: usize = 48;

/// The fewest words of a phrase that admits an edit.
const MIN_WORDS_FOR_EDIT: usize = 3;

/// The fewest letters of a word that may differ in one.
const MIN_LETTERS_FOR_EDIT: usize = 4;

/// Words that turn a phrase into its opposite, without apostrophes.
const NEGATIONS: &[&str] = &[
    "not", "no", "never", "without", "dont", "doesnt", "didnt", "cannot", "cant", "wont", "except",
    "cancel", "stop", "isnt", "arent", "undo",
];

/// A text as words in lower case without punctuation, and as single digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Normal(Vec<Token>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    Digit(char),
}

impl Normal {
    /// The text without what does not count; `None` when nothing or too much is left.
    pub(super) fn heard(text: &str) -> Option<Normal> {
        let mut tokens = Vec::new();
        let mut at = 0;
        for run in numbers::runs(text) {
            push_words(&text[at..run.place.start], &mut tokens);
            tokens.extend(run.digits.chars().map(Token::Digit));
            at = run.place.end;
        }
        push_words(&text[at..], &mut tokens);
        let fits = (1..=MAX_TOKENS).contains(&tokens.len());
        fits.then_some(Normal(tokens))
    }

    /// Whether `said`, which is another text, is one edit away from this phrase, and this phrase
    /// is one that admits an edit.
    pub(super) fn admits(&self, said: &Normal) -> bool {
        let words = self
            .0
            .iter()
            .filter(|token| matches!(token, Token::Word(_)));
        if words.count() < MIN_WORDS_FOR_EDIT {
            return false;
        }
        let (phrase, said) = without_common_ends(&self.0, &said.0);
        match (phrase, said) {
            ([one], []) | ([], [one]) => one.may_come_and_go(),
            ([one], [other]) => one.resembles(other),
            _ => false,
        }
    }
}

impl Token {
    fn may_come_and_go(&self) -> bool {
        match self {
            Token::Word(word) => !NEGATIONS.contains(&word.as_str()),
            Token::Digit(_) => false,
        }
    }

    fn resembles(&self, other: &Token) -> bool {
        let (Token::Word(one), Token::Word(two)) = (self, other) else {
            return false;
        };
        let one_letters: Vec<char> = one.chars().collect();
        let two_letters: Vec<char> = two.chars().collect();
        let long = one_letters.len().min(two_letters.len()) >= MIN_LETTERS_FOR_EDIT;
        let differing = without_common_ends(&one_letters, &two_letters);
        let one_letter = matches!(differing, ([_], []) | ([], [_]) | ([_], [_]));
        long && one_letter && self.may_come_and_go() && other.may_come_and_go()
    }
}

/// What is left of two series without the beginning and the end that they share. They are one
/// edit apart if and only if at most one of each is left.
fn without_common_ends<'a, T: PartialEq>(one: &'a [T], two: &'a [T]) -> (&'a [T], &'a [T]) {
    let pairs = one.iter().zip(two);
    let head = pairs.take_while(|(one, two)| one == two).count();
    let (one, two) = (&one[head..], &two[head..]);
    let pairs = one.iter().rev().zip(two.iter().rev());
    let tail = pairs.take_while(|(one, two)| one == two).count();
    (&one[..one.len() - tail], &two[..two.len() - tail])
}

/// Words in lower case. Apostrophes are left out, and any other sign ends a word.
fn push_words(text: &str, tokens: &mut Vec<Token>) {
    let apostrophe = |character| matches!(character, '\'' | '\u{2019}');
    let part = |character: char| character.is_alphanumeric() || apostrophe(character);
    for word in text.split(|character| !part(character)) {
        let letters = word.chars().filter(|character| !apostrophe(*character));
        let word: String = letters.flat_map(char::to_lowercase).collect();
        if !word.is_empty() {
            tokens.push(Token::Word(word));
        }
    }
}
