//! What a listener wants to be told.

use earnest_channel::MAX_PHRASE_BYTES;
use earnest_policy::{Command, CommandList, Listen, PlainName, Work};

use crate::{ListenError, What};

/// What a listener wants to be told. Each wish has the scope that it takes: a permit for commands
/// gets nobody text.
pub trait Wish: sealed::Wanted {
    /// The scope.
    type Scope: Work;
}

/// What is said; where there is a wake phrase, only once that was said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Text {
    /// The wake phrase: one to [`MAX_PHRASE_BYTES`] bytes of any language's letters.
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
        wake: Option<String>,
    },
    /// Phrases with their ids.
    Commands(Vec<(PlainName, String)>),
}

impl Wanted {
    pub(crate) fn what(&self) -> What {
        match self {
            Wanted::Text { .. } => What::Text,
            Wanted::Commands(_) => What::Commands,
        }
    }

    /// The phrases that are to be spotted for it.
    pub(crate) fn phrases(&self) -> impl Iterator<Item = &str> {
        let (wake, commands) = match self {
            Wanted::Text { wake } => (wake.as_deref(), &[][..]),
            Wanted::Commands(phrases) => (None, phrases.as_slice()),
        };
        let commands = commands.iter().map(|(_, phrase)| phrase.as_str());
        wake.into_iter().chain(commands)
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
        let wake = wake.map(|phrase| phrase.trim().to_owned());
        if let Some(phrase) = &wake {
            let says_something = phrase.chars().any(char::is_alphanumeric);
            let fits = phrase.len() <= MAX_PHRASE_BYTES;
            if !fits || !says_something || phrase.chars().any(char::is_control) {
                return Err(ListenError::BadPhrase {
                    expected: MAX_PHRASE_BYTES,
                    found: phrase.len(),
                });
            }
        }
        Ok(Granted(Wanted::Text { wake }))
    }
}

impl sealed::Wanted for Commands {
    fn wanted(self) -> Result<Granted, ListenError> {
        let phrases = self.0.phrases();
        let phrases = phrases.map(|(id, phrase)| (id.clone(), phrase.to_owned()));
        Ok(Granted(Wanted::Commands(phrases.collect())))
    }
}
