//! Names of lists and phrases.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Most bytes of a name.
pub const MAX_NAME_BYTES: usize = 64;

/// A name of 1 to [`MAX_NAME_BYTES`] of `a-z`, `0-9`, `.`, `_` and `-`, so that it can stand in a
/// log, a path or an answer as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PlainName(String);

impl PlainName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PlainName {
    type Err = PlainNameError;

    fn from_str(name: &str) -> Result<PlainName, PlainNameError> {
        let error = || PlainNameError {
            expected: MAX_NAME_BYTES,
            found: name.len(),
        };
        let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        let fits = (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(plain);
        fits.then(|| PlainName(name.to_owned())).ok_or_else(error)
    }
}

impl TryFrom<String> for PlainName {
    type Error = PlainNameError;

    fn try_from(name: String) -> Result<PlainName, PlainNameError> {
        name.parse()
    }
}

impl From<PlainName> for String {
    fn from(name: PlainName) -> String {
        name.0
    }
}

impl fmt::Display for PlainName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// A text is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a name has 1 to {expected} of a-z, 0-9, '.', '_' and '-'; this one has {found} bytes")]
pub struct PlainNameError {
    /// Most bytes of a name.
    pub expected: usize,
    /// Bytes that the text has.
    pub found: usize,
}
