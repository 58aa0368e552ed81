//! What is written to the daemon.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::protocol::{self, FromCapture};

/// How long nothing may be said before [`FromCapture::Alive`] is.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// The daemon's end of a pipe, which waits where the daemon does not read.
#[derive(Debug)]
pub(super) struct Output<W> {
    to: W,
    said: Instant,
}

impl<W: Write> Output<W> {
    pub(super) fn new(to: W) -> Output<W> {
        Output {
            to,
            said: Instant::now(),
        }
    }

    /// Writes a message.
    pub(super) fn say(&mut self, message: &FromCapture) -> io::Result<()> {
        let frame = protocol::encode(message).map_err(io::Error::other)?;
        self.to.write_all(&frame)?;
        self.said = Instant::now();
        Ok(())
    }

    /// Says that it is alive, if nothing else was said for a while.
    pub(super) fn beat(&mut self) -> io::Result<()> {
        match self.said.elapsed() >= HEARTBEAT {
            true => self.say(&FromCapture::Alive),
            false => Ok(()),
        }
    }
}
