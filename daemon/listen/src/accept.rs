//! Accepting: so many connections at once, each with so long for its handshake.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::bind::Removal;
use crate::peer::Peer;
use crate::place::Place;
use crate::stream::{Connection, Stream};
use crate::tls::{self, TlsIdentity};

/// How long a TLS handshake may take. On loopback it takes a millisecond or two; who needs
/// longer holds a place that others wait for.
pub const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// How long accepting rests when the system has no room for one more connection: one that ends
/// makes room, and asking again at once would only keep a core busy.
const REST: Duration = Duration::from_millis(100);

/// How often it rests in a row before that is an error: 30 seconds without room.
const MOST_RESTS: u32 = 300;

/// A socket that listens, with its cap on connections. Dropping it ends the listening, and
/// removes the file of a Unix socket that it bound itself; connections that stand go on.
#[derive(Debug)]
pub struct Listener {
    // Dropped first: a file that is gone is not connected to by who would wait for nobody.
    _removal: Option<Removal>,
    socket: Socket,
    place: Place,
    room: Arc<Semaphore>,
}

#[derive(Debug)]
pub(crate) enum Socket {
    Tls(TcpListener, Arc<TlsIdentity>),
    Clear(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    pub(crate) fn new(
        socket: Socket,
        place: Place,
        most: NonZeroUsize,
        removal: Option<Removal>,
    ) -> Listener {
        let most = most.get().min(Semaphore::MAX_PERMITS);
        Listener {
            socket,
            place,
            room: Arc::new(Semaphore::new(most)),
            _removal: removal,
        }
    }

    /// Where it listens.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The next who comes. At the cap it waits until a connection ends; who comes meanwhile
    /// waits in the kernel's queue, and beyond that is turned away by the kernel.
    ///
    /// It can be dropped at any time without losing a connection.
    ///
    /// # Errors
    ///
    /// When the socket is broken, or the system has had no room for long.
    pub async fn accept(&self) -> Result<Incoming, AcceptError> {
        let room = Arc::clone(&self.room);
        let held = room.acquire_owned().await;
        let held = held.expect("nobody closes the semaphore");
        let mut rests = 0;
        loop {
            let error = match self.arrived().await {
                Ok(Some(arrived)) => {
                    return Ok(Incoming {
                        arrived,
                        place: self.place.clone(),
                        held,
                    });
                }
                Ok(None) => continue,
                Err(error) => error,
            };
            match outlook(&error) {
                Outlook::Gone => {}
                Outlook::NoRoom if rests < MOST_RESTS => {
                    rests += 1;
                    sleep(REST).await;
                }
                Outlook::NoRoom | Outlook::Broken => {
                    return Err(AcceptError {
                        place: Box::new(self.place.clone()),
                        error,
                    });
                }
            }
        }
    }

    /// Who came; nobody where it was one from outside of loopback.
    async fn arrived(&self) -> io::Result<Option<Arrived>> {
        let (stream, address, identity) = match &self.socket {
            Socket::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                return Ok(Some(Arrived::Unix(stream)));
            }
            Socket::Clear(listener) => {
                let (stream, address) = listener.accept().await?;
                (stream, address, None)
            }
            Socket::Tls(listener, identity) => {
                let (stream, address) = listener.accept().await?;
                (stream, address, Some(Arc::clone(identity)))
            }
        };
        // A kernel that was told to route loopback lets others in. They get no answer.
        if !address.ip().to_canonical().is_loopback() {
            return Ok(None);
        }
        // Answers go out in small pieces as they come to be. Where it fails, the client is gone,
        // and the handshake will tell.
        let _ = stream.set_nodelay(true);
        Ok(Some(Arrived::Tcp(stream, address, identity)))
    }
}

/// What an error of `accept(2)` means for the next try.
#[derive(Debug, PartialEq, Eq)]
enum Outlook {
    /// Who came has gone, and is no matter of ours.
    Gone,
    /// The system has no room now.
    NoRoom,
    /// It will be the same next time.
    Broken,
}

fn outlook(error: &io::Error) -> Outlook {
    let gone = [
        ErrorKind::ConnectionAborted,
        ErrorKind::ConnectionReset,
        ErrorKind::NotConnected,
        ErrorKind::Interrupted,
    ];
    if gone.contains(&error.kind()) {
        return Outlook::Gone;
    }
    let full = [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM];
    match full
        .iter()
        .any(|code| error.raw_os_error() == Some(*code as i32))
    {
        true => Outlook::NoRoom,
        false => Outlook::Broken,
    }
}

/// A connection that was accepted, and nothing more: no byte was read, and who it is was not
/// asked. It holds one of its listener's places.
#[derive(Debug)]
pub struct Incoming {
    arrived: Arrived,
    place: Place,
    held: OwnedSemaphorePermit,
}

#[derive(Debug)]
enum Arrived {
    Unix(UnixStream),
    Tcp(TcpStream, SocketAddr, Option<Arc<TlsIdentity>>),
}

/// A connection whose other end is known by its user. Nothing was read of it, and no handshake
/// done: who is not wanted costs no more than this.
#[derive(Debug)]
pub struct Identified {
    arrived: Arrived,
    peer: Peer,
    place: Place,
    held: OwnedSemaphorePermit,
}

impl Incoming {
    /// Finds out who it is, and does the TLS handshake where there is one. This belongs into a
    /// task of its own, so that a slow client keeps nobody else waiting.
    ///
    /// # Errors
    ///
    /// As [`identify`](Incoming::identify) and [`Identified::establish`].
    pub async fn establish(self) -> Result<Connection, EstablishError> {
        self.identify().await?.establish().await
    }

    /// Finds out who it is, and no more.
    ///
    /// # Errors
    ///
    /// When the kernel does not say who connected to a Unix socket.
    pub async fn identify(self) -> Result<Identified, EstablishError> {
        let Incoming {
            arrived,
            place,
            held,
        } = self;
        let peer = match &arrived {
            Arrived::Unix(stream) => Peer::of_unix(stream).map_err(EstablishError::Peer)?,
            Arrived::Tcp(stream, address, _) => Peer::of_tcp(stream, *address).await,
        };
        Ok(Identified {
            arrived,
            peer,
            place,
            held,
        })
    }
}

impl Identified {
    /// Who is at the other end. What a certificate says is not known yet.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The listener that it came to.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Does the TLS handshake where there is one.
    ///
    /// # Errors
    ///
    /// When the client is gone, does not speak TLS 1.3, shows a certificate that is not of the
    /// clients' authority, or takes longer than [`HANDSHAKE_LIMIT`].
    pub async fn establish(self) -> Result<Connection, EstablishError> {
        let Identified {
            arrived,
            peer,
            place,
            held,
        } = self;
        let (stream, peer) = match arrived {
            Arrived::Unix(stream) => (Stream::Unix(stream), peer),
            Arrived::Tcp(stream, _, None) => (Stream::Clear(stream), peer),
            Arrived::Tcp(stream, _, Some(identity)) => {
                let stream = handshake(stream, &identity).await?;
                let shown = tls::shown_by(stream.get_ref().1);
                (Stream::Tls(Box::new(stream)), peer.showing(shown))
            }
        };
        Ok(Connection::new(stream, peer, place, held))
    }
}

async fn handshake(
    stream: TcpStream,
    identity: &TlsIdentity,
) -> Result<TlsStream<TcpStream>, EstablishError> {
    let acceptor = TlsAcceptor::from(identity.configuration());
    match timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(EstablishError::Handshake(error)),
        Err(_) => Err(EstablishError::TooSlow {
            limit: HANDSHAKE_LIMIT,
        }),
    }
}

/// Why a listener accepts nobody any more.
#[derive(Debug, thiserror::Error)]
#[error("{place} accepts no more connections: {error}")]
pub struct AcceptError {
    /// Which listener.
    pub place: Box<Place>,
    /// What the system said.
    #[source]
    pub error: io::Error,
}

/// Why an incoming connection came to nothing. It is the client's matter, and ends nothing else.
#[derive(Debug, thiserror::Error)]
pub enum EstablishError {
    /// The kernel does not say who it is.
    #[error("who connected to the Unix socket is not known: {0}")]
    Peer(#[source] io::Error),
    /// The client spoke no TLS 1.3, does not trust the certificate, showed one that is not of
    /// the clients' authority, or left.
    #[error("the TLS handshake failed: {0}")]
    Handshake(#[source] io::Error),
    /// The client took too long.
    #[error("the TLS handshake was not done after {limit:?}")]
    TooSlow {
        /// How long it may take.
        limit: Duration,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_broken_socket_ends_a_listener() {
        let check = |code: Errno, expected: Outlook| {
            let found = outlook(&io::Error::from_raw_os_error(code as i32));
            assert_eq!(found, expected, "{code}");
        };
        check(Errno::ECONNABORTED, Outlook::Gone);
        check(Errno::ECONNRESET, Outlook::Gone);
        check(Errno::ENOTCONN, Outlook::Gone);
        check(Errno::EINTR, Outlook::Gone);
        check(Errno::EMFILE, Outlook::NoRoom);
        check(Errno::ENFILE, Outlook::NoRoom);
        check(Errno::ENOMEM, Outlook::NoRoom);
        check(Errno::EBADF, Outlook::Broken);
        check(Errno::ENOTSOCK, Outlook::Broken);
        check(Errno::EINVAL, Outlook::Broken);
    }
}
