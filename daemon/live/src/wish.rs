//! What a listener wants to be told.

use earnest_channel::MAX_PHRASE_BYTES;
use earnest_policy::{Command, CommandList, Listen, PlainName, Work};
use earnest_transcript::Phrase;

use crate::{ListenError, What};

/// Most bytes of a wake phrase.
pub const MAX_WAKE_BYTES: usize = MAX_PHRASE_BYTES;

/// What a listener wants to be told. Each wish has the scope that it takes: a permit for commands
/// gets nobody text.
pub trait Wish: sealed::Wanted {
    /// The scope.
    type Scope: Work + 'static;
}

/// What is said; where there is a wake phrase, only once that was said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text {
    /// The wake phrase, with letters in it and at most [`MAX_WAKE_BYTES`] bytes.
    pub wake: Option<String>,
}

/// Which phrases of this list are said, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commands(pub CommandList);

impl Wish for Text {
    type Scope = Listen;
}

impl Wish for Commands {
    type Scope = Command;
}

/// A wish as it is granted.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    Text {
        wake: Option<Phrase>,
    },
    /// Phrases with their ids.
    Commands(Vec<(PlainName, Phrase)>),
}

impl Wanted {
    pub(crate) fn what(&self) -> What {
        match self {
            Wanted::Text { .. } => What::Text,
            Wanted::Commands(_) => What::Commands,
        }
    }

    /// The phrases that are to be spotted for it.
    pub(crate) fn phrases(&self) -> impl Iterator<Item = &Phrase> {
        let (wake, commands) = match self {
            Wanted::Text { wake } => (wake.as_ref(), &[][..]),
            Wanted::Commands(phrases) => (None, phrases.as_slice()),
        };
        wake.into_iter()
            .chain(commands.iter().map(|(_, phrase)| phrase))
    }
}

pub(crate) mod sealed {
    use crate::ListenError;

    /// Keeps other crates from adding wishes.
    pub trait Wanted {
        /// Checks it.
        #[doc(hidden)]
        fn wanted(self) -> Result<super::Granted, ListenError>;
    }
}

/// A checked wish, which other crates cannot look into.
#[derive(Debug)]
pub struct Granted(pub(crate) Wanted);

impl sealed::Wanted for Text {
    fn wanted(self) -> Result<Granted, ListenError> {
        let Text { wake } = self;
        let wake = wake.map(|phrase| {
            let phrase = phrase.trim();
            let says_something = phrase.chars().any(char::is_alphanumeric);
            let fits = phrase.len() <= MAX_WAKE_BYTES;
            match fits && says_something && !phrase.chars().any(char::is_control) {
                true => Ok(Phrase::waking(phrase)),
                false => Err(ListenError::BadPhrase {
                    expected: MAX_WAKE_BYTES,
                    found: phrase.len(),
                }),
            }
        });
        let wake = wake.transpose()?;
        Ok(Granted(Wanted::Text { wake }))
    }
}

impl sealed::Wanted for Commands {
    fn wanted(self) -> Result<Granted, ListenError> {
        let phrases = self.0.phrases();
        let phrases = phrases.map(|(id, phrase)| (id.clone(), Phrase::command(phrase)));
        Ok(Granted(Wanted::Commands(phrases.collect())))
    }
}

#[cfg(test)]
mod tests {
    use super::sealed::Wanted as _;
    use super::*;

    fn wake(phrase: &str) -> Result<Wanted, ListenError> {
        let wake = Some(phrase.to_owned());
        Text { wake }.wanted().map(|Granted(wanted)| wanted)
    }

    fn phrases(wanted: &Wanted) -> Vec<Phrase> {
        wanted.phrases().cloned().collect()
    }

    #[test]
    fn a_wake_phrase_wakes_and_a_command_never_does() {
        for phrase in ["hey earnest", " hey earnest "] {
            let wakes = [Phrase::waking("hey earnest")];
            assert_eq!(phrases(&wake(phrase).unwrap()), wakes);
        }
        let list = CommandList::new("kitchen", [("on", "light on\u{2026}"), ("off", "be dark")]);
        let Granted(commands) = Commands(list.unwrap()).wanted().unwrap();
        let expected = ["light on\u{2026}", "be dark"].map(Phrase::command);
        assert_eq!(phrases(&commands), expected);
        let Granted(all) = Text::default().wanted().unwrap();
        assert!(phrases(&all).is_empty());
    }

    #[test]
    fn what_cannot_be_said_wakes_nobody() {
        let long = "a".repeat(MAX_WAKE_BYTES + 1);
        for phrase in ["", "  ", "\u{2026}", "!?", "hey\nearnest", &long] {
            let refused = wake(phrase).map(|_| ());
            assert!(matches!(refused, Err(ListenError::BadPhrase { .. })));
        }
        assert!(wake(&long[1..]).is_ok());
    }
}
