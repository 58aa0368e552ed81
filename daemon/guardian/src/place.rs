//! Where the guard is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What a socket's path stands behind.
const SOCKET: &str = "unix:";

/// Where the guard is: by a serial device, or by a Unix socket, as emulators and the simulator
/// have one.
///
/// ```
/// use earnest_guardian::GuardPlace;
///
/// let board: GuardPlace = "/dev/ttyACM0".parse()?;
/// assert!(matches!(board, GuardPlace::Serial(_)));
/// let emulated: GuardPlace = "unix:/run/earnest/guard.sock".parse()?;
/// assert_eq!(emulated.to_string(), "unix:/run/earnest/guard.sock");
/// assert!("ttyACM0".parse::<GuardPlace>().is_err());
/// # Ok::<(), earnest_guardian::PlaceError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuardPlace {
    /// A serial device.
    Serial(PathBuf),
    /// A Unix socket that the guard's side listens on.
    Socket(PathBuf),
}

impl GuardPlace {
    /// The path.
    pub fn path(&self) -> &Path {
        match self {
            GuardPlace::Serial(path) | GuardPlace::Socket(path) => path,
        }
    }
}

impl FromStr for GuardPlace {
    type Err = PlaceError;

    fn from_str(told: &str) -> Result<GuardPlace, PlaceError> {
        let place = match told.strip_prefix(SOCKET) {
            Some(path) => GuardPlace::Socket(path.into()),
            None => GuardPlace::Serial(told.into()),
        };
        match place.path().is_absolute() {
            true => Ok(place),
            false => Err(PlaceError {
                found: told.to_owned(),
            }),
        }
    }
}

impl fmt::Display for GuardPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GuardPlace::Serial(path) => write!(formatter, "{}", path.display()),
            GuardPlace::Socket(path) => write!(formatter, "{SOCKET}{}", path.display()),
        }
    }
}

/// Why this is no place of a guard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a guard is at an absolute path of a serial device, or at one of a socket behind \"{SOCKET}\", \
     not at \"{found}\""
)]
pub struct PlaceError {
    /// What was told.
    pub found: String,
}
