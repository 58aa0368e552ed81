//! The name of an application.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Most bytes of an application's name.
pub const MAX_APP_BYTES: usize = 64;

/// The name that an application goes by: 1 to [`MAX_APP_BYTES`] of `a-z`, `0-9`, `.`, `_` and
/// `-`, so that it can stand in a log, a path or a header as it is.
///
/// Applications that share a user are not safe from each other: the name tells them apart, the
/// user is what is checked.
///
/// ```
/// use earnest_policy::AppId;
/// let app: AppId = "notes".parse()?;
/// assert_eq!(app.as_str(), "notes");
/// assert_eq!(AppId::of_uid(1000).as_str(), "uid-1000");
/// # Ok::<(), earnest_policy::AppIdError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AppId(String);

/// What the names begin with that users have without registration.
const OF_UID: &str = "uid-";

impl AppId {
    /// The name of everything that a user runs without naming it.
    pub fn of_uid(uid: u32) -> AppId {
        AppId(format!("{OF_UID}{uid}"))
    }

    /// The name of a program that a user runs under a name that nobody registered. The user is
    /// part of it, so that two users who choose the same name share no worker and no limits:
    /// `notes` of user 1000 goes by `uid-1000.notes`.
    ///
    /// Nothing where the name is too long with the user before it, or is made up to look like
    /// a user's. What already is a name of this user's stays itself.
    pub fn unregistered(uid: u32, name: &AppId) -> Option<AppId> {
        let own = AppId::of_uid(uid);
        let rest = name.0.strip_prefix(&own.0);
        if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.')) {
            return Some(name.clone());
        }
        if name.is_of_a_uid() {
            return None;
        }
        format!("{own}.{name}").parse().ok()
    }

    /// Whether the name is one that users have without registration, which no registered
    /// application may bear.
    pub fn is_of_a_uid(&self) -> bool {
        self.0.starts_with(OF_UID)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AppId {
    type Err = AppIdError;

    fn from_str(name: &str) -> Result<AppId, AppIdError> {
        if name.is_empty() {
            return Err(AppIdError::Empty);
        }
        if name.len() > MAX_APP_BYTES {
            return Err(AppIdError::Length {
                expected: MAX_APP_BYTES,
                found: name.len(),
            });
        }
        let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        match name.bytes().position(|byte| !plain(byte)) {
            Some(place) => Err(AppIdError::Character { place }),
            None => Ok(AppId(name.to_owned())),
        }
    }
}

impl TryFrom<String> for AppId {
    type Error = AppIdError;

    fn try_from(name: String) -> Result<AppId, AppIdError> {
        name.parse()
    }
}

impl From<AppId> for String {
    fn from(app: AppId) -> String {
        app.0
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// Why a text is no name of an application.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppIdError {
    /// Nothing.
    #[error("an application's name is not empty")]
    Empty,
    /// Too much.
    #[error("an application's name has at most {expected} characters, not {found}")]
    Length {
        /// Most bytes that a name has.
        expected: usize,
        /// Bytes that the text has.
        found: usize,
    },
    /// Something else than `a-z`, `0-9`, `.`, `_` and `-`.
    #[error("byte {place} of the application's name is not one of a-z, 0-9, '.', '_' and '-'")]
    Character {
        /// Where in the text, from zero.
        place: usize,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(name: &str, expected: Result<(), AppIdError>) {
        assert_eq!(name.parse::<AppId>().map(|_| ()), expected, "{name:?}");
    }

    #[test]
    fn names_are_short_and_plain() {
        check("notes", Ok(()));
        check("org.example_app-2", Ok(()));
        check(&"a".repeat(MAX_APP_BYTES), Ok(()));
        check("", Err(AppIdError::Empty));
        let length = AppIdError::Length {
            expected: 64,
            found: 65,
        };
        check(&"a".repeat(65), Err(length));
        check("Notes", Err(AppIdError::Character { place: 0 }));
        check("a\nb", Err(AppIdError::Character { place: 1 }));
        check("a/b", Err(AppIdError::Character { place: 1 }));
        check("ab\u{e9}", Err(AppIdError::Character { place: 2 }));
    }

    #[test]
    fn users_who_choose_the_same_name_are_told_apart() {
        let named = |uid, name: &str| {
            let name = name.parse().unwrap();
            AppId::unregistered(uid, &name).map(|app| app.to_string())
        };
        assert_eq!(named(1000, "notes").as_deref(), Some("uid-1000.notes"));
        assert_eq!(named(1001, "notes").as_deref(), Some("uid-1001.notes"));
        for own in ["uid-1000", "uid-1000.notes"] {
            assert_eq!(named(1000, own).as_deref(), Some(own));
        }
        assert_eq!(named(100, "uid-1000"), None);
        for posing in ["uid-1000", "uid-1000.notes", "uid-"] {
            assert_eq!(named(1001, posing), None);
        }
        assert_eq!(
            named(1000, &"a".repeat(55)).map(|name| name.len()),
            Some(64)
        );
        assert_eq!(named(1000, &"a".repeat(56)), None);
    }

    proptest! {
        #[test]
        fn whatever_is_a_name_is_printable_and_bounded(name in "\\PC{0,80}") {
            if let Ok(app) = name.parse::<AppId>() {
                prop_assert_eq!(app.as_str(), &name);
                prop_assert!(name.len() <= MAX_APP_BYTES);
                prop_assert!(name.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }

        #[test]
        fn the_name_of_a_user_is_a_name(uid: u32) {
            let app = AppId::of_uid(uid);
            prop_assert_eq!(app.as_str().parse::<AppId>(), Ok(app.clone()));
        }
    }
}
