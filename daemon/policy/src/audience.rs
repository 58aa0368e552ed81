//! For whom a token is.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::AppId;

/// For whom a token is: `earnest`, or `earnest:` and the name of one device. What is for one is
/// refused by every other, so that a token that strays is useless elsewhere.
///
/// ```
/// use earnest_policy::Audience;
/// assert_eq!(Audience::default().as_str(), "earnest");
/// assert!("earnest:kitchen".parse::<Audience>().is_ok());
/// assert!("somebody-else".parse::<Audience>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Audience(String);

/// What each audience begins with.
const ANY: &str = "earnest";

impl Audience {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Audience {
    fn default() -> Audience {
        Audience(ANY.to_owned())
    }
}

impl FromStr for Audience {
    type Err = AudienceError;

    fn from_str(text: &str) -> Result<Audience, AudienceError> {
        let good = match text.strip_prefix(ANY) {
            Some("") => true,
            Some(rest) => rest
                .strip_prefix(':')
                .is_some_and(|name| name.parse::<AppId>().is_ok()),
            None => false,
        };
        good.then(|| Audience(text.to_owned())).ok_or(AudienceError)
    }
}

impl TryFrom<String> for Audience {
    type Error = AudienceError;

    fn try_from(text: String) -> Result<Audience, AudienceError> {
        text.parse()
    }
}

impl From<Audience> for String {
    fn from(audience: Audience) -> String {
        audience.0
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// A text is no audience.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "an audience is \"earnest\", or \"earnest:\" and a name of 1 to 64 of a-z, 0-9, '.', '_' and '-'"
)]
pub struct AudienceError;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_is_ours_or_one_device_of_ours() {
        for good in ["earnest", "earnest:a", "earnest:kitchen-1.home"] {
            let audience: Audience = good.parse().unwrap();
            assert_eq!(audience.to_string(), good);
        }
        for wrong in [
            "",
            "Earnest",
            "earnest:",
            "earnest:A",
            "earnest a",
            "earnestly",
            "a:earnest",
        ] {
            assert_eq!(wrong.parse::<Audience>(), Err(AudienceError), "{wrong:?}");
        }
    }
}
