//! Who is at the other end of a connection, as the kernel knows it.

use std::net::SocketAddr;

use tokio::net::{TcpStream, UnixStream};

use crate::owners;

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// A process on the Unix socket: its credentials when it connected.
    Unix {
        /// Its effective user.
        uid: u32,
        /// Its effective group.
        gid: u32,
        /// Its number, for logs: it may have ended since, and another have its number.
        pid: Option<i32>,
    },
    /// A process of this machine on loopback.
    Loopback {
        /// Its end of the connection.
        address: SocketAddr,
        /// The user that its socket belongs to, where the kernel still tells.
        uid: Option<u32>,
        /// The certificate that it showed, of the clients' authority and valid when the
        /// connection was made, with the proof that it has the key. Nothing in clear text.
        certificate: Option<Fingerprint>,
    },
}

/// The SHA-256 of a certificate in DER.
pub type Fingerprint = [u8; 32];

impl Peer {
    /// The user, where it is known.
    pub fn uid(&self) -> Option<u32> {
        match self {
            Peer::Unix { uid, .. } => Some(*uid),
            Peer::Loopback { uid, .. } => *uid,
        }
    }

    /// The client's certificate, by its digest, where it showed one.
    pub fn certificate(&self) -> Option<&Fingerprint> {
        match self {
            Peer::Unix { .. } => None,
            Peer::Loopback { certificate, .. } => certificate.as_ref(),
        }
    }

    pub(crate) fn of_unix(stream: &UnixStream) -> std::io::Result<Peer> {
        let credentials = stream.peer_cred()?;
        Ok(Peer::Unix {
            uid: credentials.uid(),
            gid: credentials.gid(),
            pid: credentials.pid(),
        })
    }

    /// Looks the owner up, away from the threads that serve connections: the kernel walks all
    /// its sockets for it.
    ///
    /// The answer is of the peer only as long as this end of the connection stands: were it
    /// reset, another user's socket could have taken the peer's address meanwhile. So that is
    /// asked after the table was read.
    pub(crate) async fn of_tcp(stream: &TcpStream, address: SocketAddr) -> Peer {
        let Ok(local) = stream.local_addr() else {
            return Peer::at(address, None);
        };
        let found = tokio::task::spawn_blocking(move || owners::owner_of_peer(address, local));
        let uid = found.await.ok().flatten();
        let stands = stream.peer_addr().is_ok_and(|still| still == address);
        Peer::at(address, uid.filter(|_| stands))
    }

    fn at(address: SocketAddr, uid: Option<u32>) -> Peer {
        Peer::Loopback {
            address,
            uid,
            certificate: None,
        }
    }

    /// The same peer, who showed this.
    pub(crate) fn showing(self, shown: Option<Fingerprint>) -> Peer {
        match self {
            Peer::Unix { .. } => self,
            Peer::Loopback { address, uid, .. } => Peer::Loopback {
                address,
                uid,
                certificate: shown,
            },
        }
    }
}
