//! The line to the guard: a serial device or a Unix socket, as bytes.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg, OFlag};
use nix::sys::termios::{self, BaudRate, FlushArg, SetArg};
use tokio::io::Interest;
use tokio::net::UnixStream;
use tokio::net::unix::pipe;

use crate::GuardPlace;

/// What guards speak at.
const SPEED: BaudRate = BaudRate::B115200;

/// An open line. Dropping it closes it.
#[derive(Debug)]
pub(crate) enum Line {
    Serial(Serial),
    Socket(UnixStream),
}

/// A serial device, and the lock that keeps others from it.
#[derive(Debug)]
pub(crate) struct Serial {
    reader: pipe::Receiver,
    writer: pipe::Sender,
    _lock: Flock<File>,
}

impl Line {
    pub(crate) async fn open(place: &GuardPlace) -> Result<Line, LineError> {
        let opened = match place {
            GuardPlace::Serial(path) => serial(path),
            GuardPlace::Socket(path) => UnixStream::connect(path).await.map(Line::Socket),
        };
        opened.map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => LineError::Taken {
                place: place.clone(),
            },
            _ => LineError::Unopened {
                place: place.clone(),
                error,
            },
        })
    }

    /// Bytes that came, at least one. May be dropped before it is done.
    pub(crate) async fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        let taken = match self {
            Line::Serial(Serial { reader, .. }) => loop {
                reader.readable().await?;
                match reader.try_read(into) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    taken => break taken,
                }
            },
            Line::Socket(socket) => {
                let read = || socket.try_read(into);
                socket.async_io(Interest::READABLE, read).await
            }
        };
        match taken {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            taken => taken,
        }
    }

    /// Sends some of the bytes, and says how many. May be dropped before it is done.
    pub(crate) async fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Line::Serial(Serial { writer, .. }) => loop {
                writer.writable().await?;
                match writer.try_write(bytes) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    taken => break taken,
                }
            },
            Line::Socket(socket) => {
                let write = || socket.try_write(bytes);
                socket.async_io(Interest::WRITABLE, write).await
            }
        }
    }
}

/// Opens a serial device, without waiting for a carrier and without becoming its terminal. Two who
/// speak on one line hear each other's answers, so it is locked against the other.
fn serial(path: &Path) -> io::Result<Line> {
    let flags = OFlag::O_NOCTTY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(flags.bits())
        .open(path)?;
    let locked = Flock::lock(file.try_clone()?, FlockArg::LockExclusiveNonblock);
    let lock = locked.map_err(|(_, error)| io::Error::from(error))?;
    let raw = || -> Result<(), Errno> {
        let mut settings = termios::tcgetattr(&file)?;
        termios::cfmakeraw(&mut settings);
        termios::cfsetspeed(&mut settings, SPEED)?;
        termios::tcsetattr(&file, SetArg::TCSANOW, &settings)?;
        // What the board said before anybody listened is noise.
        termios::tcflush(&file, FlushArg::TCIFLUSH)
    };
    raw()?;
    // Tokio's halves of a pipe do with any descriptor that is read and written in order and can be
    // waited for, and do not ask whether it is a pipe's.
    Ok(Line::Serial(Serial {
        reader: pipe::Receiver::from_file_unchecked(file.try_clone()?)?,
        writer: pipe::Sender::from_file_unchecked(file)?,
        _lock: lock,
    }))
}

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Another program speaks on it.
    #[error("{place} is in use by another program: the daemon speaks to its guard while it runs")]
    Taken {
        /// Where.
        place: GuardPlace,
    },
    /// It cannot be opened.
    #[error("{place} cannot be opened: {error}")]
    Unopened {
        /// Where.
        place: GuardPlace,
        /// Why not.
        error: io::Error,
    },
}
