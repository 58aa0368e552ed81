//! Devices, and how one is wished for.

use std::fmt;
use std::str::FromStr;

use earnest_printable::is_printable;
use serde::{Deserialize, Serialize};

/// Most bytes of a device's name, and of a pattern for one. ALSA's own names are shorter.
pub const MAX_NAME_BYTES: usize = 256;

/// Most devices that are told of. Machines with many cards show some dozens of names.
pub const MAX_DEVICES: usize = 256;

/// A device that may capture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its name, which opens it.
    pub name: String,
    /// What it says of itself, in one line.
    pub description: String,
    /// Whether this is the one that is opened when none is wished for.
    pub is_default: bool,
    /// The usual rates that it offers, in samples a second; none where it could not be asked,
    /// because another program has it, for one.
    pub rates: Vec<u32>,
    /// The numbers of channels that it offers, up to eight.
    pub channels: Vec<u16>,
}

/// Which device to open.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DeviceWish {
    /// The system's default.
    #[default]
    Default,
    /// The first whose name or description fits.
    Named(DevicePattern),
}

impl FromStr for DeviceWish {
    type Err = PatternError;

    /// A wish as configurations write it: nothing is the default.
    fn from_str(text: &str) -> Result<DeviceWish, PatternError> {
        match text {
            "" => Ok(DeviceWish::Default),
            text => text.parse().map(DeviceWish::Named),
        }
    }
}

/// A pattern that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It is empty.
    #[error("a device's name of no characters")]
    Empty,
    /// It is too long.
    #[error("a device's name of {found} bytes, expected {most} at most")]
    Long {
        /// The most that it may have.
        most: usize,
        /// What it has.
        found: usize,
    },
    /// It holds what cannot be printed.
    #[error("a device's name with a character that cannot be printed")]
    Unprintable,
}

/// A device's name, a part of one, or a glob: `*` is any characters and `?` is one. Without
/// either it fits whatever contains it; with them it must fit the whole. Case does not matter.
///
/// ```
/// use earnest_audio::DevicePattern;
///
/// let pattern: DevicePattern = "usb*mic".parse()?;
/// assert!(pattern.fits("USB Desk Mic"));
/// assert!(!pattern.fits("USB Desk Mic, Front"));
/// # Ok::<(), earnest_audio::PatternError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevicePattern(String);

impl DevicePattern {
    /// The pattern as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it fits a name or a description.
    pub fn fits(&self, text: &str) -> bool {
        let pattern = folded(&self.0);
        let text = folded(text);
        match self.0.contains(['*', '?']) {
            true => glob(&pattern, &text),
            false => text.windows(pattern.len()).any(|part| part == pattern),
        }
    }

    /// How well it fits a device: lower is better, none is not at all. A name that is the
    /// pattern, then a name that fits, then a description that does.
    pub fn rank(&self, name: &str, description: &str) -> Option<u8> {
        if folded(name) == folded(&self.0) {
            Some(0)
        } else if self.fits(name) {
            Some(1)
        } else if self.fits(description) {
            Some(2)
        } else {
            None
        }
    }
}

impl FromStr for DevicePattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<DevicePattern, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.len() > MAX_NAME_BYTES {
            return Err(PatternError::Long {
                most: MAX_NAME_BYTES,
                found: text.len(),
            });
        }
        match text.chars().all(is_printable) {
            true => Ok(DevicePattern(text.to_owned())),
            false => Err(PatternError::Unprintable),
        }
    }
}

impl fmt::Display for DevicePattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// A text without its case.
fn folded(text: &str) -> Vec<char> {
    text.chars().flat_map(char::to_lowercase).collect()
}

/// Whether a glob fits the whole text. A star is tried again from its last place alone, so the
/// work is at most the product of both lengths.
fn glob(pattern: &[char], text: &[char]) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(&one) if one == '?' || one == text[seen] => {
                at += 1;
                seen += 1;
            }
            _ => match star {
                Some((after, taken)) => {
                    star = Some((after, taken + 1));
                    at = after + 1;
                    seen = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|one| *one == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str, expected: bool) {
        let pattern: DevicePattern = pattern.parse().unwrap();
        assert_eq!(pattern.fits(text), expected, "{pattern} on {text}");
    }

    #[test]
    fn a_part_of_a_name_fits_whatever_its_case() {
        check("usb", "USB Audio", true);
        check("hw:card=0", "plughw:CARD=0,DEV=0", true);
        check("usb audio device", "USB Audio", false);
        check("größe", "GRÖSSE", false);
        check("grö", "GRÖSSE", true);
    }

    #[test]
    fn a_glob_fits_the_whole() {
        check("*", "", true);
        check("hw:*", "plughw:0", false);
        check("*hw:*", "plughw:0", true);
        check("h?:0", "hw:0", true);
        check("h?:0", "h:0", false);
        check("a*b*c", "a-b-b-c", true);
        check("a*b*c", "a-b-b-c-d", false);
        check("*a*a*a*a*b", &"a".repeat(200), false);
    }

    #[test]
    fn a_name_that_is_the_pattern_goes_before_one_that_contains_it() {
        let pattern: DevicePattern = "mic".parse().unwrap();
        assert_eq!(pattern.rank("MIC", "x"), Some(0));
        assert_eq!(pattern.rank("mic.monitor", "x"), Some(1));
        assert_eq!(pattern.rank("hw:0", "Desk Mic"), Some(2));
        assert_eq!(pattern.rank("hw:0", "Desk"), None);
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        assert_eq!("".parse::<DevicePattern>(), Err(PatternError::Empty));
        assert_eq!("".parse::<DeviceWish>(), Ok(DeviceWish::Default));
        let unprintable = "a\u{1b}".parse::<DevicePattern>();
        assert_eq!(unprintable, Err(PatternError::Unprintable));
        let long = "a".repeat(MAX_NAME_BYTES + 1).parse::<DevicePattern>();
        assert!(matches!(long, Err(PatternError::Long { .. })));
    }
}
