//! A phrase that is to be spotted.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Words to be spotted in speech. What is spotted is told by their place in a list, so that
/// whoever is told learns no word.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Phrase {
    /// The words.
    pub words: String,
    /// Whether it wakes: it is spotted where an utterance begins with it, before that ends, and
    /// more speech may follow. Any other phrase is a command: all of an utterance, or all of it
    /// that follows a phrase that wakes.
    pub wakes: bool,
}

impl Phrase {
    /// A phrase that wakes.
    pub fn waking(words: impl Into<String>) -> Phrase {
        Phrase {
            words: words.into(),
            wakes: true,
        }
    }

    /// A command.
    pub fn command(words: impl Into<String>) -> Phrase {
        Phrase {
            words: words.into(),
            wakes: false,
        }
    }
}

/// Without the words: a person may have chosen them so that nobody knows them.
impl fmt::Debug for Phrase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self.wakes {
            true => "Phrase(wakes)",
            false => "Phrase(command)",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_of_a_phrase_is_printed() {
        let phrases = [Phrase::waking("hey earnest"), Phrase::command("be dark")];
        assert_eq!(format!("{phrases:?}"), "[Phrase(wakes), Phrase(command)]");
    }
}
