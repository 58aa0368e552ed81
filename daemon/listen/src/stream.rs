//! A connection that stands.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::server::TlsStream;

use crate::peer::Peer;
use crate::place::Place;

/// A connection, its handshake done and its peer known. It holds one of its listener's places
/// until it is dropped.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    peer: Peer,
    place: Place,
    _held: OwnedSemaphorePermit,
}

#[derive(Debug)]
pub(crate) enum Stream {
    Unix(UnixStream),
    Clear(TcpStream),
    /// Far larger than the others, so it has a box.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection {
    pub(crate) fn new(
        stream: Stream,
        peer: Peer,
        place: Place,
        held: OwnedSemaphorePermit,
    ) -> Connection {
        Connection {
            stream,
            peer,
            place,
            _held: held,
        }
    }

    /// Who is at the other end.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The listener that it came to.
    pub fn place(&self) -> &Place {
        &self.place
    }

    fn wire(&mut self) -> Pin<&mut dyn Wire> {
        let wire: &mut dyn Wire = match &mut self.stream {
            Stream::Unix(stream) => stream,
            Stream::Clear(stream) => stream,
            Stream::Tls(stream) => stream.as_mut(),
        };
        Pin::new(wire)
    }
}

/// What bytes come and go by.
trait Wire: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Wire for T {}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.wire().poll_read(context, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.wire().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire().poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.wire().poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Unix(stream) => stream.is_write_vectored(),
            Stream::Clear(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }
}
