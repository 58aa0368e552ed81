//! Sockets that the service manager bound before this process started.

use std::env;
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;

use listenfd::ListenFd;
use nix::sys::socket::{getsockopt, sockopt};

use crate::address::{AddressError, LoopbackAddress};
use crate::bind::{Bound, BoundSocket};
use crate::place::{Place, UnixPath, UnixPathError, WyomingPlace};

/// The most sockets that are taken: far more than there are kinds and addresses.
const MOST_SOCKETS: usize = 16;

/// The bit of a socket's mode by which everybody may connect.
const WORLD_WRITABLE: u32 = 0o002;

/// Every socket that was handed over, or the reason why one is none to listen on.
pub(crate) fn from_environment() -> Result<Vec<Bound>, ActivationError> {
    if let Ok(count) = env::var("LISTEN_FDS") {
        let within = count
            .parse()
            .is_ok_and(|count: usize| count <= MOST_SOCKETS);
        if !within {
            return Err(ActivationError::Count {
                limit: MOST_SOCKETS,
                found: count.chars().take(32).collect(),
            });
        }
    }
    let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':');
    let mut inherited = ListenFd::from_env();
    (0..inherited.len())
        .map(|place| {
            let name = names.next().unwrap_or_default();
            let refused = |reason| ActivationError::Socket {
                place,
                name: name.chars().take(64).collect(),
                reason,
            };
            let socket = take(&mut inherited, place).map_err(&refused)?;
            adopt(name, socket).map_err(&refused)
        })
        .collect()
}

fn take(inherited: &mut ListenFd, place: usize) -> Result<BoundSocket, InheritedError> {
    if let Ok(Some(socket)) = inherited.take_unix_listener(place) {
        return Ok(BoundSocket::Unix(socket));
    }
    match inherited.take_tcp_listener(place) {
        Ok(Some(socket)) => Ok(BoundSocket::Tcp(socket)),
        // Each place is taken once.
        Ok(None) | Err(_) => Err(InheritedError::Kind),
    }
}

/// Checks a socket as if it was one that we bind ourselves.
fn adopt(name: &str, socket: BoundSocket) -> Result<Bound, InheritedError> {
    let place = match &socket {
        BoundSocket::Tcp(socket) => tcp(name, socket)?,
        BoundSocket::Unix(socket) => unix(name, socket)?,
    };
    Ok(Bound {
        place,
        socket,
        // The service manager made the file, and removes it.
        removal: None,
    })
}

fn tcp(name: &str, socket: &TcpListener) -> Result<Place, InheritedError> {
    if !getsockopt(socket, sockopt::AcceptConn).map_err(io::Error::from)? {
        return Err(InheritedError::Deaf);
    }
    let address = LoopbackAddress::try_from(socket.local_addr()?)?;
    match name {
        "clear" => Ok(Place::Clear(address)),
        "wyoming" => Ok(Place::Wyoming(WyomingPlace::Tcp(address))),
        "unix" => Err(InheritedError::Name),
        _ => Ok(Place::Tls(address)),
    }
}

fn unix(name: &str, socket: &UnixListener) -> Result<Place, InheritedError> {
    if !getsockopt(socket, sockopt::AcceptConn).map_err(io::Error::from)? {
        return Err(InheritedError::Deaf);
    }
    if matches!(name, "tls" | "clear") {
        return Err(InheritedError::Name);
    }
    let address = socket.local_addr()?;
    let path = address.as_pathname().ok_or(InheritedError::NoPath)?;
    let path = UnixPath::new(path)?;
    let mode = std::fs::metadata(path.path())?.permissions().mode() & 0o777;
    if mode & WORLD_WRITABLE != 0 {
        return Err(InheritedError::OpenToAll { found: mode });
    }
    Ok(match name {
        "wyoming" => Place::Wyoming(WyomingPlace::Unix(path)),
        _ => Place::Unix(path),
    })
}

/// Why what the service manager handed over is not listened on.
#[derive(Debug, thiserror::Error)]
pub enum ActivationError {
    /// There are more sockets than anybody needs, or their number is none.
    #[error("LISTEN_FDS is {found:?}, and not a number up to {limit}")]
    Count {
        /// The most.
        limit: usize,
        /// What it is, its beginning.
        found: String,
    },
    /// One of the sockets is none to listen on.
    #[error("socket {place} ({name:?}) of the service manager: {reason}")]
    Socket {
        /// Which one, counted from zero.
        place: usize,
        /// Its `FileDescriptorName=`.
        name: String,
        /// Why.
        #[source]
        reason: InheritedError,
    },
}

/// Why an inherited socket is none to listen on.
#[derive(Debug, thiserror::Error)]
pub enum InheritedError {
    /// It is on an address that others reach.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// It is a datagram socket, or no socket.
    #[error("it is no stream socket of TCP or Unix")]
    Kind,
    /// It is a connection.
    #[error("it does not listen; set Accept=no")]
    Deaf,
    /// Its name says another kind than it is.
    #[error("its name says another kind of socket than it is")]
    Name,
    /// It has no path, so that no mode says who may connect.
    #[error("it is a Unix socket without a path, to which everybody may connect")]
    NoPath,
    /// Its path is none.
    #[error(transparent)]
    Path(#[from] UnixPathError),
    /// Everybody may connect to it.
    #[error("everybody may connect to it, as its mode is {found:o}; set SocketMode=0660")]
    OpenToAll {
        /// Its mode.
        found: u32,
    },
    /// The system does not tell what it is.
    #[error("what it is cannot be found out: {0}")]
    System(#[from] io::Error),
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::net::TcpStream;
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::SocketAddr;

    use super::*;

    fn check(name: &str, socket: BoundSocket, expected: Result<&str, &str>) {
        let found = adopt(name, socket).map(|bound| bound.place.to_string());
        let found = found.map_err(|error| error.to_string());
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{name}");
    }

    fn tcp_at(address: &str) -> (BoundSocket, u16) {
        let socket = TcpListener::bind(address).unwrap();
        let port = socket.local_addr().unwrap().port();
        (BoundSocket::Tcp(socket), port)
    }

    #[test]
    fn a_socket_is_what_its_name_says_or_else_what_it_is() {
        for (name, scheme) in [
            ("tls", "https"),
            ("clear", "http"),
            ("wyoming", "wyoming tcp"),
            ("earnest.socket", "https"),
            ("", "https"),
        ] {
            let (socket, port) = tcp_at("127.0.0.1:0");
            check(name, socket, Ok(&format!("{scheme}://127.0.0.1:{port}")));
        }
        let (socket, port) = tcp_at("[::1]:0");
        check("tls", socket, Ok(&format!("https://[::1]:{port}")));
        let (socket, port) = tcp_at("[::ffff:127.0.0.1]:0");
        check("tls", socket, Ok(&format!("https://127.0.0.1:{port}")));
        let (socket, _) = tcp_at("127.0.0.1:0");
        let expected = "its name says another kind of socket than it is";
        check("unix", socket, Err(expected));
    }

    #[test]
    fn a_socket_that_others_reach_is_refused_with_its_reason() {
        for (address, shown) in [("0.0.0.0:0", "0.0.0.0"), ("[::]:0", "::")] {
            let expected = format!("{shown} is not loopback: sound and text stay on this device");
            for name in ["tls", "clear", "wyoming", ""] {
                let (socket, _) = tcp_at(address);
                check(name, socket, Err(&expected));
            }
        }
    }

    #[test]
    fn a_socket_that_does_not_listen_is_refused() {
        let (_listener, port) = tcp_at("127.0.0.1:0");
        let connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let socket = TcpListener::from(std::os::fd::OwnedFd::from(connection));
        let expected = "it does not listen; set Accept=no";
        check("tls", BoundSocket::Tcp(socket), Err(expected));
    }

    #[test]
    fn a_unix_socket_has_a_path_and_a_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let socket = UnixListener::bind(&path).unwrap();
        let again = || BoundSocket::Unix(socket.try_clone().unwrap());
        let set = |mode| fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        set(0o660);
        for name in ["unix", "earnest.socket", ""] {
            check(name, again(), Ok(&format!("unix:{}", path.display())));
        }
        let shown = format!("wyoming unix://{}", path.display());
        check("wyoming", again(), Ok(&shown));
        for name in ["tls", "clear"] {
            let expected = "its name says another kind of socket than it is";
            check(name, again(), Err(expected));
        }
        set(0o666);
        let expected = "everybody may connect to it, as its mode is 666; set SocketMode=0660";
        check("unix", again(), Err(expected));
        let name = format!("earnest-test-{}", std::process::id());
        let nameless = SocketAddr::from_abstract_name(name).unwrap();
        let nameless = UnixListener::bind_addr(&nameless).unwrap();
        let expected = "it is a Unix socket without a path, to which everybody may connect";
        check("unix", BoundSocket::Unix(nameless), Err(expected));
    }
}
