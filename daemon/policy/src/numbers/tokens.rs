//! A text as words, figures, and what may stand between figures.

use std::ops::Range;

/// A piece of a text. Together, the pieces are the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) place: Range<usize>,
    pub(super) kind: Kind<'a>,
}

/// What a piece is, as numbers go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// Figures, of any script.
    Figures(&'a str),
    /// 0 to 9 as a word.
    Unit(u8),
    /// "oh": a zero among numbers, and a sigh elsewhere.
    Oh,
    /// 10 to 19.
    Teen(u8),
    /// 20, 30, ... 90.
    Tens(u8),
    /// "hundred".
    Hundred,
    /// Ten to this power: "thousand" and above.
    Scale(u8),
    /// The next digit so many times: "double", "triple".
    Times(u8),
    /// "and", as in "one hundred and five".
    And,
    /// What may stand between digits: space, dots, dashes, and their names.
    Link,
    /// Any other word or sign.
    Other,
}

impl Kind<'_> {
    /// Whether it can be part of a number.
    pub(super) fn is_number(&self) -> bool {
        !matches!(self, Kind::Link | Kind::Other)
    }

    /// Whether it is a number without any other word.
    pub(super) fn is_number_by_itself(&self) -> bool {
        matches!(
            self,
            Kind::Figures(_) | Kind::Unit(_) | Kind::Teen(_) | Kind::Tens(_)
        )
    }

    /// The one digit that it is, where it is one.
    pub(super) fn single_digit(&self) -> Option<char> {
        match self {
            Kind::Unit(value) => char::from_digit(u32::from(*value), 10),
            Kind::Oh => Some('0'),
            Kind::Figures(figures) => {
                let mut characters = figures.chars();
                characters.next().filter(|_| characters.next().is_none())
            }
            _ => None,
        }
    }
}

/// What a text consists of.
pub(super) fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let class = Class::of(first);
        // Words and figures are taken whole, everything else by the character.
        let length = match class {
            Class::Word | Class::Figure => rest
                .find(|character| Class::of(character) != class)
                .unwrap_or(rest.len()),
            Class::Between | Class::Sign => first.len_utf8(),
        };
        let (piece, after) = rest.split_at(length);
        let start = text.len() - rest.len();
        tokens.push(Token {
            place: start..start + length,
            kind: match class {
                Class::Word => word(piece),
                Class::Figure => Kind::Figures(piece),
                Class::Between => Kind::Link,
                Class::Sign => Kind::Other,
            },
        });
        rest = after;
    }
    tokens
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Word,
    Figure,
    Between,
    Sign,
}

impl Class {
    fn of(character: char) -> Class {
        match character {
            // Some figures are letters besides; figures they are.
            _ if character.is_numeric() => Class::Figure,
            '\'' | '\u{2019}' => Class::Word,
            _ if character.is_alphabetic() => Class::Word,
            '.' | ',' | '(' | ')' | '-' | '\u{2212}' => Class::Between,
            '\u{2010}'..='\u{2015}' => Class::Between,
            // What takes no room cannot be seen to be there.
            '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' => Class::Between,
            _ if character.is_whitespace() => Class::Between,
            _ => Class::Sign,
        }
    }
}

/// The words of numbers, in English. They are found by length and letters, without regard to case.
const WORDS: &[(&str, Kind<'static>)] = &[
    ("zero", Kind::Unit(0)),
    ("nought", Kind::Unit(0)),
    ("naught", Kind::Unit(0)),
    ("nil", Kind::Unit(0)),
    ("one", Kind::Unit(1)),
    ("two", Kind::Unit(2)),
    ("three", Kind::Unit(3)),
    ("four", Kind::Unit(4)),
    ("five", Kind::Unit(5)),
    ("six", Kind::Unit(6)),
    ("seven", Kind::Unit(7)),
    ("eight", Kind::Unit(8)),
    ("nine", Kind::Unit(9)),
    ("niner", Kind::Unit(9)),
    ("oh", Kind::Oh),
    ("o", Kind::Oh),
    ("ten", Kind::Teen(10)),
    ("eleven", Kind::Teen(11)),
    ("twelve", Kind::Teen(12)),
    ("thirteen", Kind::Teen(13)),
    ("fourteen", Kind::Teen(14)),
    ("fifteen", Kind::Teen(15)),
    ("sixteen", Kind::Teen(16)),
    ("seventeen", Kind::Teen(17)),
    ("eighteen", Kind::Teen(18)),
    ("nineteen", Kind::Teen(19)),
    ("twenty", Kind::Tens(20)),
    ("thirty", Kind::Tens(30)),
    ("forty", Kind::Tens(40)),
    ("fourty", Kind::Tens(40)),
    ("fifty", Kind::Tens(50)),
    ("sixty", Kind::Tens(60)),
    ("seventy", Kind::Tens(70)),
    ("eighty", Kind::Tens(80)),
    ("ninety", Kind::Tens(90)),
    ("hundred", Kind::Hundred),
    ("thousand", Kind::Scale(3)),
    ("million", Kind::Scale(6)),
    ("billion", Kind::Scale(9)),
    ("trillion", Kind::Scale(12)),
    ("double", Kind::Times(2)),
    ("triple", Kind::Times(3)),
    ("treble", Kind::Times(3)),
    ("and", Kind::And),
    ("dash", Kind::Link),
    ("hyphen", Kind::Link),
    ("minus", Kind::Link),
    ("dot", Kind::Link),
    ("point", Kind::Link),
    ("comma", Kind::Link),
];

fn word(word: &str) -> Kind<'static> {
    // As between thousands in some countries.
    if matches!(word, "'" | "\u{2019}") {
        return Kind::Link;
    }
    let known = WORDS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(word));
    known.map_or(Kind::Other, |(_, kind)| *kind)
}
