//! Where a listener is, and how it is spoken to.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::address::{AddressError, LoopbackAddress};

/// The most bytes of a Unix socket's path: `sun_path` has 108 with the zero at its end
/// (`unix(7)`).
const MAX_PATH_BYTES: usize = 107;

/// The path of a Unix socket: absolute, with a name, and short enough for the system.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UnixPath(PathBuf);

impl UnixPath {
    /// Checks a path.
    ///
    /// # Errors
    ///
    /// When it is relative, has no file name, or is too long for a socket.
    pub fn new(path: impl Into<PathBuf>) -> Result<UnixPath, UnixPathError> {
        let path = path.into();
        if !path.is_absolute() {
            return Err(UnixPathError::Relative { found: path });
        }
        if path.file_name().is_none() {
            return Err(UnixPathError::NoName { found: path });
        }
        let bytes = path.as_os_str().as_bytes();
        if bytes.len() > MAX_PATH_BYTES {
            return Err(UnixPathError::TooLong {
                limit: MAX_PATH_BYTES,
                found: bytes.len(),
            });
        }
        if bytes.contains(&0) {
            return Err(UnixPathError::Zero);
        }
        Ok(UnixPath(path))
    }

    /// The path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The folder that the socket is in.
    pub(crate) fn folder(&self) -> &Path {
        self.0.parent().expect("a checked path has a name")
    }

    /// The socket's own name.
    pub(crate) fn name(&self) -> &OsStr {
        self.0.file_name().expect("a checked path has a name")
    }
}

impl fmt::Display for UnixPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(formatter)
    }
}

/// Why a path is none of a socket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnixPathError {
    /// Where it leads depends on who asks.
    #[error("{} is not an absolute path, such as /run/earnest/earnest.sock", .found.display())]
    Relative {
        /// The path.
        found: PathBuf,
    },
    /// It names no file.
    #[error("{} names no file", .found.display())]
    NoName {
        /// The path.
        found: PathBuf,
    },
    /// The system has no room for it.
    #[error("the path of a socket has at most {limit} bytes; this has {found}")]
    TooLong {
        /// The most bytes.
        limit: usize,
        /// Bytes of this one.
        found: usize,
    },
    /// The system would read it up to there.
    #[error("the path of a socket holds no zero byte")]
    Zero,
}

/// Where a listener is, and what is spoken there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// TLS over TCP on loopback.
    Tls(LoopbackAddress),
    /// Clear text over TCP on loopback. Every user of the machine can reach it, and root can
    /// read along.
    Clear(LoopbackAddress),
    /// Clear text over a Unix socket, which only its owner and group can reach.
    Unix(UnixPath),
    /// The Wyoming protocol, which is no HTTP and knows neither TLS nor tokens.
    Wyoming(WyomingPlace),
}

/// Where the Wyoming protocol is spoken. As it knows no tokens, the kernel's word on who
/// connects is all that there is to go by, so it is for who asks for it.
///
/// ```
/// use earnest_listen::WyomingPlace;
///
/// let socket: WyomingPlace = "unix:/run/earnest/wyoming.sock".parse().unwrap();
/// let port: WyomingPlace = "127.0.0.1:10300".parse().unwrap();
/// assert!(matches!(socket, WyomingPlace::Unix(_)) && matches!(port, WyomingPlace::Tcp(_)));
/// assert!("0.0.0.0:10300".parse::<WyomingPlace>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum WyomingPlace {
    /// A Unix socket, which only its owner and group can reach.
    Unix(UnixPath),
    /// TCP on loopback. Every user of the machine can reach it, and is known by whose the other
    /// end of the connection is.
    Tcp(LoopbackAddress),
}

impl FromStr for WyomingPlace {
    type Err = WyomingPlaceError;

    fn from_str(text: &str) -> Result<WyomingPlace, WyomingPlaceError> {
        match text.strip_prefix("unix:") {
            Some(path) => Ok(WyomingPlace::Unix(UnixPath::new(path)?)),
            None => Ok(WyomingPlace::Tcp(text.parse()?)),
        }
    }
}

impl fmt::Display for WyomingPlace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WyomingPlace::Unix(path) => write!(formatter, "unix:{path}"),
            WyomingPlace::Tcp(address) => address.fmt(formatter),
        }
    }
}

/// Why a text names no place for Wyoming.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WyomingPlaceError {
    /// After `unix:` comes no path of a socket.
    #[error(transparent)]
    Path(#[from] UnixPathError),
    /// It is no address of loopback.
    #[error(transparent)]
    Address(#[from] AddressError),
}

impl Place {
    /// The port, where there is one.
    pub fn port(&self) -> Option<u16> {
        match self {
            Place::Tls(address)
            | Place::Clear(address)
            | Place::Wyoming(WyomingPlace::Tcp(address)) => Some(address.port()),
            Place::Unix(_) | Place::Wyoming(WyomingPlace::Unix(_)) => None,
        }
    }

    /// Whether TLS is spoken there.
    pub fn is_tls(&self) -> bool {
        matches!(self, Place::Tls(_))
    }

    /// Whether it is a Unix socket.
    pub fn is_unix(&self) -> bool {
        matches!(self, Place::Unix(_) | Place::Wyoming(WyomingPlace::Unix(_)))
    }

    /// Whether Wyoming is spoken there, and not HTTP.
    pub fn is_wyoming(&self) -> bool {
        matches!(self, Place::Wyoming(_))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Tls(address) => write!(formatter, "https://{address}"),
            Place::Clear(address) => write!(formatter, "http://{address}"),
            Place::Unix(path) => write!(formatter, "unix:{path}"),
            // As Wyoming's own clients are told it.
            Place::Wyoming(WyomingPlace::Unix(path)) => {
                write!(formatter, "wyoming unix://{path}")
            }
            Place::Wyoming(WyomingPlace::Tcp(address)) => {
                write!(formatter, "wyoming tcp://{address}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_absolute_has_a_name_and_fits_the_system() {
        assert!(UnixPath::new("/run/earnest/earnest.sock").is_ok());
        let refused = |path: &str| UnixPath::new(path).unwrap_err();
        let relative = refused("earnest.sock");
        assert!(matches!(relative, UnixPathError::Relative { .. }));
        assert!(matches!(refused("/"), UnixPathError::NoName { .. }));
        assert!(matches!(refused("/run/.."), UnixPathError::NoName { .. }));
        assert!(matches!(refused("/run/a\0b"), UnixPathError::Zero));
        let long = |bytes: usize| format!("/{}", "x".repeat(bytes - 1));
        assert!(UnixPath::new(long(107)).is_ok());
        let too_long = refused(&long(108));
        assert!(matches!(
            too_long,
            UnixPathError::TooLong {
                limit: 107,
                found: 108
            }
        ));
    }

    #[test]
    fn a_place_says_how_it_is_reached() {
        let tls = Place::Tls(LoopbackAddress::v6(8473));
        assert_eq!(tls.to_string(), "https://[::1]:8473");
        let clear = Place::Clear(LoopbackAddress::v4(80));
        assert_eq!(clear.to_string(), "http://127.0.0.1:80");
        let unix = Place::Unix(UnixPath::new("/run/x.sock").unwrap());
        assert_eq!(unix.to_string(), "unix:/run/x.sock");
        assert_eq!((tls.port(), unix.port()), (Some(8473), None));
        assert_eq!(
            (tls.is_tls(), clear.is_tls(), unix.is_unix()),
            (true, false, true)
        );
        assert!(!tls.is_wyoming() && !unix.is_wyoming());
    }

    #[test]
    fn a_place_of_wyoming_is_a_socket_or_loopback_and_says_so() {
        let check = |text: &str, shown: &str, port: Option<u16>| {
            let spot: WyomingPlace = text.parse().unwrap();
            assert_eq!(spot.to_string(), text);
            let place = Place::Wyoming(spot);
            assert_eq!(place.to_string(), shown);
            assert_eq!((place.port(), place.is_unix()), (port, port.is_none()));
            assert!(place.is_wyoming() && !place.is_tls());
        };
        check("unix:/run/w.sock", "wyoming unix:///run/w.sock", None);
        let shown = "wyoming tcp://127.0.0.1:10300";
        check("127.0.0.1:10300", shown, Some(10_300));
        check("[::1]:10300", "wyoming tcp://[::1]:10300", Some(10_300));
        let refused = |text: &str| text.parse::<WyomingPlace>().unwrap_err();
        let elsewhere = refused("0.0.0.0:10300");
        assert!(matches!(elsewhere, WyomingPlaceError::Address(_)));
        let relative = refused("unix:w.sock");
        assert!(matches!(relative, WyomingPlaceError::Path(_)));
    }
}
