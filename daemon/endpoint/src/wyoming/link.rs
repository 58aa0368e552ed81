//! A connection that speaks Wyoming.

use std::sync::Arc;
use std::time::Duration;

use earnest_listen::Connection;
use earnest_wyoming::{Decoder, Event, Fault, Reply};
use tokio::io::{
    AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadHalf, WriteHalf, split,
};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::body::Meter;
use crate::limits::{REFUSED_BYTES, REFUSED_LIVE_TIME};
use crate::paced::Paced;
use crate::refusal::Refusal;

/// Bytes that are read at once: some tenths of a second of sound.
const READ_BYTES: usize = 16 << 10;

/// The half that events come from.
pub(crate) struct Incoming {
    half: ReadHalf<Paced<Connection>>,
    decoder: Decoder,
    idle: Duration,
}

/// The half that events go to. Several may have something to say.
#[derive(Clone)]
pub(crate) struct Outgoing(Arc<Mutex<WriteHalf<Paced<Connection>>>>);

/// Why there is no event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// The client is gone, or has no more to say.
    Over,
    /// Nothing came for too long.
    Idle,
    /// What came is none of the protocol.
    Broken(Fault),
}

/// The two halves of a connection, either of which is given up after `idle` without a byte.
pub(crate) fn halves(connection: Connection, idle: Duration) -> (Incoming, Outgoing) {
    let (reading, writing) = split(Paced::new(connection, idle));
    let incoming = Incoming {
        half: reading,
        decoder: Decoder::default(),
        idle,
    };
    (incoming, Outgoing(Arc::new(Mutex::new(writing))))
}

impl Incoming {
    /// The next event. May be dropped and asked again.
    ///
    /// # Errors
    ///
    /// When there is none any more.
    pub(crate) async fn next(&mut self, meter: Option<&Meter>) -> Result<Event, Silence> {
        loop {
            match self.decoder.next_event() {
                Ok(Some(event)) => return Ok(event),
                Ok(None) => {}
                Err(fault) => return Err(Silence::Broken(fault)),
            }
            let mut bytes = [0; READ_BYTES];
            let read = match timeout(self.idle, self.half.read(&mut bytes)).await {
                Ok(Ok(0) | Err(_)) => return Err(Silence::Over),
                Ok(Ok(read)) => read,
                Err(_) => return Err(Silence::Idle),
            };
            if let Some(meter) = meter {
                meter.came(read);
            }
            self.decoder.push(&bytes[..read]);
        }
    }

    /// Reads and drops what still comes for a moment: a connection that is closed upon bytes
    /// that nobody read takes the last event with it.
    pub(crate) async fn leave(&mut self) {
        leave(&mut self.half).await;
    }
}

impl Outgoing {
    /// Says something.
    ///
    /// # Errors
    ///
    /// When the client is gone, or takes nothing.
    pub(crate) async fn say(&self, reply: &Reply) -> Result<(), Silence> {
        let mut half = self.0.lock().await;
        let written = half.write_all(&reply.encode()).await;
        let flushed = match written {
            Ok(()) => half.flush().await,
            Err(error) => Err(error),
        };
        flushed.map_err(|_| Silence::Over)
    }

    /// Says nothing any more.
    pub(crate) async fn close(&self) {
        // Who is gone needs no farewell.
        let _ = self.0.lock().await.shutdown().await;
    }
}

/// The event of a refusal.
pub(crate) fn error(refusal: &Refusal, id: &str) -> Reply {
    let error = refusal.object(id).error;
    Reply::Error {
        text: error.message,
        code: error.code.unwrap_or_default(),
    }
}

/// Refuses a client that was never listened to.
pub(crate) async fn refuse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    refusal: &Refusal,
    id: &str,
) {
    let told = stream.write_all(&error(refusal, id).encode()).await;
    if told.is_ok() && stream.shutdown().await.is_ok() {
        leave(&mut stream).await;
    }
}

async fn leave(stream: &mut (impl AsyncRead + Unpin)) {
    let mut rest = stream.take(REFUSED_BYTES);
    let mut nowhere = tokio::io::sink();
    let reading = tokio::io::copy(&mut rest, &mut nowhere);
    // Whoever takes longer has had its time to read.
    let _ = timeout(REFUSED_LIVE_TIME, reading).await;
}
