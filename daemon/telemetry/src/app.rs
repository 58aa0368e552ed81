//! The name of an application, as events carry it.

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

/// Most bytes of an application's name.
pub const MAX_APP_BYTES: usize = 64;

/// What is written for a name that is none.
const UNNAMED: &str = "unnamed";

/// The name of an application: 1 to [`MAX_APP_BYTES`] of `a-z`, `0-9`, `.`, `_` and `-`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct App(String);

impl App {
    /// The name, which a policy has checked before. What is no name after all becomes
    /// `unnamed`: an event is never lost, and never carries a stranger's words.
    pub fn new(name: &str) -> App {
        let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        let is_name = (1..=MAX_APP_BYTES).contains(&name.len()) && name.bytes().all(plain);
        App(if is_name { name } else { UNNAMED }.to_owned())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Read back strictly: what is no name was never written.
impl<'de> Deserialize<'de> for App {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<App, D::Error> {
        let name = String::deserialize(deserializer)?;
        let app = App::new(&name);
        match app.0 == name {
            true => Ok(app),
            false => Err(D::Error::custom("this is no name of an application")),
        }
    }
}

impl fmt::Display for App {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_and_anything_else_is_unnamed() {
        let longest = "a".repeat(MAX_APP_BYTES);
        for name in ["notes", "uid-1000", "org.example_app-2", &longest] {
            assert_eq!(App::new(name).as_str(), name);
            let json = serde_json::to_string(&App::new(name)).unwrap();
            assert_eq!(serde_json::from_str::<App>(&json).unwrap().as_str(), name);
        }
        let too_long = "a".repeat(MAX_APP_BYTES + 1);
        for text in ["", "Notes", "two words", "a\n", "é", &too_long] {
            assert_eq!(App::new(text).as_str(), UNNAMED, "{text:?}");
            let json = serde_json::to_string(text).unwrap();
            assert!(serde_json::from_str::<App>(&json).is_err(), "{text:?}");
        }
    }
}
