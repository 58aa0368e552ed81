//! Scopes by name, and sets of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A scope by its name, in the order of risk: each lets out more than the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScopeName {
    /// Times of speech come out.
    Vad,
    /// The number of an enrolled phrase comes out.
    Command,
    /// Text of the caller's own sound comes out.
    Transcribe,
    /// Text of what the microphone hears comes out.
    Listen,
    /// A person sees how the device fares.
    See,
    /// A person changes who may do what.
    Operate,
    /// A person reads who did what.
    Audit,
}

impl ScopeName {
    /// All of them, in the order of risk.
    pub const ALL: [ScopeName; 7] = [
        ScopeName::Vad,
        ScopeName::Command,
        ScopeName::Transcribe,
        ScopeName::Listen,
        ScopeName::See,
        ScopeName::Operate,
        ScopeName::Audit,
    ];

    /// The name, as it is written everywhere.
    pub const fn as_str(self) -> &'static str {
        match self {
            ScopeName::Vad => "vad",
            ScopeName::Command => "command",
            ScopeName::Transcribe => "transcribe",
            ScopeName::Listen => "listen",
            ScopeName::See => "see",
            ScopeName::Operate => "operate",
            ScopeName::Audit => "audit",
        }
    }

    /// Whether applications can have it. The others are for people.
    pub const fn is_work(self) -> bool {
        matches!(
            self,
            ScopeName::Vad | ScopeName::Command | ScopeName::Transcribe | ScopeName::Listen
        )
    }
}

impl FromStr for ScopeName {
    type Err = ScopeNameError;

    fn from_str(name: &str) -> Result<ScopeName, ScopeNameError> {
        let mut all = ScopeName::ALL.into_iter();
        all.find(|scope| scope.as_str() == name)
            .ok_or(ScopeNameError)
    }
}

impl fmt::Display for ScopeName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A text is no scope's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a scope is one of vad, command, transcribe, listen, see, operate and audit")]
pub struct ScopeNameError;

/// Some scopes. Written, they are a list of names in the order of risk, each once.
///
/// ```
/// use earnest_policy::{ScopeName, ScopeSet};
/// let set: ScopeSet = [ScopeName::Transcribe, ScopeName::Vad].into_iter().collect();
/// assert_eq!(set.to_string(), "vad transcribe");
/// assert!(ScopeSet::WORK.holds_all(set) && !set.holds(ScopeName::Listen));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<ScopeName>", into = "Vec<ScopeName>")]
pub struct ScopeSet(u8);

impl ScopeSet {
    /// No scope.
    pub const NONE: ScopeSet = ScopeSet(0);

    /// All that an application can have.
    pub const WORK: ScopeSet = ScopeSet(0b1111);

    /// What the programs of users have whom `[allow] apps` lists.
    pub const BLANKET: ScopeSet = ScopeSet::NONE
        .with(ScopeName::Vad)
        .with(ScopeName::Transcribe);

    /// These scopes and this one.
    pub const fn with(self, scope: ScopeName) -> ScopeSet {
        ScopeSet(self.0 | 1 << scope as u8)
    }

    /// Whether the scope is one of them.
    pub const fn holds(self, scope: ScopeName) -> bool {
        self.0 & (1 << scope as u8) != 0
    }

    /// Whether all of `others` are among them.
    pub const fn holds_all(self, others: ScopeSet) -> bool {
        self.0 & others.0 == others.0
    }

    /// What is in both.
    pub const fn common(self, other: ScopeSet) -> ScopeSet {
        ScopeSet(self.0 & other.0)
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The scopes, in the order of risk.
    pub fn iter(self) -> impl Iterator<Item = ScopeName> {
        let all = ScopeName::ALL.into_iter();
        all.filter(move |scope| self.holds(*scope))
    }

    /// Reads what [`Display`](fmt::Display) writes, and nothing else: names in the order of
    /// risk with one space between (RFC 6749, section 3.3).
    pub(crate) fn parse(text: &str) -> Option<ScopeSet> {
        let names = text.split(' ').map(|name| name.parse().ok());
        let names: Option<Vec<ScopeName>> = names.take(ScopeName::ALL.len() + 1).collect();
        ScopeSet::try_from(names?).ok()
    }
}

impl FromIterator<ScopeName> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = ScopeName>>(names: I) -> ScopeSet {
        names.into_iter().fold(ScopeSet::NONE, ScopeSet::with)
    }
}

impl TryFrom<Vec<ScopeName>> for ScopeSet {
    type Error = ScopeOrderError;

    fn try_from(names: Vec<ScopeName>) -> Result<ScopeSet, ScopeOrderError> {
        match names.is_sorted_by(|one, next| one < next) {
            true => Ok(names.into_iter().collect()),
            false => Err(ScopeOrderError),
        }
    }
}

impl From<ScopeSet> for Vec<ScopeName> {
    fn from(set: ScopeSet) -> Vec<ScopeName> {
        set.iter().collect()
    }
}

/// Scopes are written in another order, or twice: a set has one spelling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("scopes are written in the order of risk, each once")]
pub struct ScopeOrderError;

impl fmt::Display for ScopeSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, scope) in self.iter().enumerate() {
            let space = if place == 0 { "" } else { " " };
            write!(formatter, "{space}{scope}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ScopeSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for scope in ScopeName::ALL {
            assert_eq!(scope.as_str().parse(), Ok(scope));
        }
        for wrong in ["", "Vad", "vad ", "tokens", "*"] {
            assert_eq!(wrong.parse::<ScopeName>(), Err(ScopeNameError));
        }
        assert!(ScopeName::ALL.is_sorted());
        let work: ScopeSet = ScopeName::ALL
            .into_iter()
            .filter(|it| it.is_work())
            .collect();
        assert_eq!(work, ScopeSet::WORK);
        assert_eq!(ScopeSet::BLANKET.to_string(), "vad transcribe");
    }

    #[test]
    fn a_set_has_one_spelling() {
        let read = ScopeSet::parse;
        assert_eq!(read("vad transcribe"), Some(ScopeSet::BLANKET));
        for wrong in [
            "",
            " ",
            "transcribe vad",
            "vad vad",
            "vad  transcribe",
            "vad ",
            "x",
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn sets_come_back(bits in 1_u8..128) {
            let set = ScopeSet(bits);
            prop_assert_eq!(ScopeSet::parse(&set.to_string()), Some(set));
            prop_assert_eq!(ScopeSet::try_from(Vec::from(set)), Ok(set));
            prop_assert!(set.holds_all(set.common(ScopeSet::WORK)));
        }
    }
}
