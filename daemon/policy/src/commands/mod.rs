//! Phrases that an operator enrolled, of which an application learns the id and nothing else.
//!
//! A list that a caller could choose would be a way to read text, so lists are an operator's, and
//! an answer is the id of one phrase or nothing. There is no score, and hardly any tolerance: a
//! text is a phrase when both are the same after normalising (case, punctuation, and the way that
//! numbers are written do not count), or when they differ by **one edit**:
//! - a word too many, a word left out, or a word of at least four letters that differs in one
//!   letter;
//! - only in phrases of at least three words;
//! - never a number, and never a word that says no ("not", "never", "without", ...).
//!
//! The same phrase always wins. Where two phrases are one edit away, none is the answer. Two
//! phrases that are the same or one edit apart cannot be enrolled together, so that no slip of
//! the tongue turns one into the other.
//!
//! ```
//! use earnest_policy::CommandList;
//!
//! let list = CommandList::new(
//!     "kitchen",
//!     [("light-on", "Turn on the light"), ("timer-5", "Set a timer for five minutes")],
//! )?;
//! let id = |text| list.matches(text).map(|id| id.as_str());
//! assert_eq!(id("turn on the lights!"), Some("light-on"));
//! assert_eq!(id("Set a timer for 5 minutes."), Some("timer-5"));
//! assert_eq!(id("Set a timer for 6 minutes."), None);
//! # Ok::<(), earnest_policy::CommandError>(())
//! ```

mod name;
mod normal;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use name::{MAX_NAME_BYTES, PlainName, PlainNameError};
use normal::Normal;

/// Most phrases of a list.
pub const MAX_PHRASES: usize = 64;

/// Most words of a phrase, as it is written.
pub const MAX_PHRASE_WORDS: usize = 12;

/// Most bytes of a phrase.
pub const MAX_PHRASE_BYTES: usize = 200;

/// A list of phrases. Every list has been checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "RawList", into = "RawList")]
pub struct CommandList {
    name: PlainName,
    phrases: Vec<Command>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Command {
    id: PlainName,
    phrase: String,
    normal: Normal,
}

impl CommandList {
    /// A list of phrases, each with its id.
    ///
    /// # Errors
    ///
    /// When a name, a phrase or the number of phrases is out of its bounds, an id comes twice, or
    /// two phrases are too near each other.
    pub fn new<'a>(
        name: &str,
        phrases: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<CommandList, CommandError> {
        let name: PlainName = name.parse().map_err(CommandError::Name)?;
        let mut list = CommandList {
            name,
            phrases: Vec::new(),
        };
        for (id, phrase) in phrases {
            list.push(id, phrase)?;
        }
        match list.phrases.is_empty() {
            true => Err(CommandError::Empty),
            false => Ok(list),
        }
    }

    /// The name of the list.
    pub fn name(&self) -> &PlainName {
        &self.name
    }

    /// The phrases as they were enrolled, with their ids.
    pub fn phrases(&self) -> impl ExactSizeIterator<Item = (&PlainName, &str)> {
        self.phrases
            .iter()
            .map(|command| (&command.id, command.phrase.as_str()))
    }

    /// The phrase that a text is, if it is one.
    pub fn matches(&self, text: &str) -> Option<&PlainName> {
        let said = Normal::heard(text)?;
        let same = self.phrases.iter().find(|command| command.normal == said);
        if let Some(command) = same {
            return Some(&command.id);
        }
        let mut near = self.phrases.iter();
        let mut near = near.by_ref().filter(|command| command.normal.admits(&said));
        let only = near.next()?;
        match near.next() {
            Some(_) => None,
            None => Some(&only.id),
        }
    }

    fn push(&mut self, id: &str, phrase: &str) -> Result<(), CommandError> {
        if self.phrases.len() >= MAX_PHRASES {
            return Err(CommandError::TooManyPhrases {
                expected: MAX_PHRASES,
            });
        }
        let id: PlainName = id.parse().map_err(CommandError::Id)?;
        let normal = check_phrase(&id, phrase)?;
        for other in &self.phrases {
            if other.id == id {
                return Err(CommandError::TwiceTheId { id });
            }
            let near = other.normal == normal
                || other.normal.admits(&normal)
                || normal.admits(&other.normal);
            if near {
                return Err(CommandError::TooNear {
                    id,
                    other: other.id.clone(),
                });
            }
        }
        self.phrases.push(Command {
            id,
            phrase: phrase.to_owned(),
            normal,
        });
        Ok(())
    }
}

fn check_phrase(id: &PlainName, phrase: &str) -> Result<Normal, CommandError> {
    let id = || id.clone();
    if phrase.len() > MAX_PHRASE_BYTES {
        return Err(CommandError::PhraseBytes {
            id: id(),
            expected: MAX_PHRASE_BYTES,
            found: phrase.len(),
        });
    }
    if phrase.chars().any(char::is_control) {
        return Err(CommandError::ControlCharacter { id: id() });
    }
    let words = phrase.split_whitespace().count();
    if words > MAX_PHRASE_WORDS {
        return Err(CommandError::PhraseWords {
            id: id(),
            expected: MAX_PHRASE_WORDS,
            found: words,
        });
    }
    Normal::heard(phrase).ok_or_else(|| CommandError::Unsayable { id: id() })
}

/// A list as it is written, before it is checked.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawList {
    name: String,
    phrases: Vec<RawPhrase>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPhrase {
    id: String,
    phrase: String,
}

impl TryFrom<RawList> for CommandList {
    type Error = CommandError;

    fn try_from(raw: RawList) -> Result<CommandList, CommandError> {
        let phrases = raw.phrases.iter();
        let phrases = phrases.map(|phrase| (phrase.id.as_str(), phrase.phrase.as_str()));
        CommandList::new(&raw.name, phrases)
    }
}

impl From<CommandList> for RawList {
    fn from(list: CommandList) -> RawList {
        let raw = |command: Command| RawPhrase {
            id: command.id.to_string(),
            phrase: command.phrase,
        };
        RawList {
            name: list.name.to_string(),
            phrases: list.phrases.into_iter().map(raw).collect(),
        }
    }
}

/// Why a list is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// The list's name is none.
    #[error("the list's name: {0}")]
    Name(#[source] PlainNameError),
    /// The id of a phrase is none.
    #[error("the id of a phrase: {0}")]
    Id(#[source] PlainNameError),
    /// No phrase.
    #[error("a list has at least one phrase")]
    Empty,
    /// Too many phrases.
    #[error("a list has at most {expected} phrases")]
    TooManyPhrases {
        /// Most phrases.
        expected: usize,
    },
    /// A phrase is too long.
    #[error("the phrase of {id} has at most {expected} bytes, not {found}")]
    PhraseBytes {
        /// Whose phrase.
        id: PlainName,
        /// Most bytes.
        expected: usize,
        /// Bytes that it has.
        found: usize,
    },
    /// A phrase has too many words.
    #[error("the phrase of {id} has at most {expected} words, not {found}")]
    PhraseWords {
        /// Whose phrase.
        id: PlainName,
        /// Most words.
        expected: usize,
        /// Words that it has.
        found: usize,
    },
    /// A phrase has a line's end or the like in it.
    #[error("the phrase of {id} has a control character in it")]
    ControlCharacter {
        /// Whose phrase.
        id: PlainName,
    },
    /// A phrase has no word that could be said, or numbers too long.
    #[error("the phrase of {id} has no words, or a number of too many digits")]
    Unsayable {
        /// Whose phrase.
        id: PlainName,
    },
    /// Two phrases with one id.
    #[error("the id {id} comes twice")]
    TwiceTheId {
        /// Which id.
        id: PlainName,
    },
    /// Two phrases that are the same, or one edit apart.
    #[error("the phrases of {id} and {other} are too near each other to be told apart")]
    TooNear {
        /// The later one.
        id: PlainName,
        /// The earlier one.
        other: PlainName,
    },
}
