//! The line to the host: a pseudo-terminal or a Unix socket, never waited for.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::openpty;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::ttyname;

/// Where the host finds the guard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A pseudo-terminal, as a serial port is. The link, if one is named, points to it.
    Pty {
        /// The path that a configuration may name, as the terminal's own changes.
        link: Option<PathBuf>,
    },
    /// A Unix socket that takes one host after the other.
    Socket(PathBuf),
}

/// The guard's end.
#[derive(Debug)]
pub(crate) enum Line {
    Pty {
        master: File,
        /// Kept open, so that the terminal stays when a host leaves.
        _slave: OwnedFd,
        path: PathBuf,
        link: Option<PathBuf>,
    },
    Socket {
        listener: UnixListener,
        host: Option<UnixStream>,
        path: PathBuf,
    },
}

impl Line {
    pub(crate) fn open(place: &Place) -> io::Result<Self> {
        match place {
            Place::Pty { link } => Self::pty(link.clone()),
            Place::Socket(path) => {
                remove(path)?;
                let listener = UnixListener::bind(path)?;
                listener.set_nonblocking(true)?;
                Ok(Self::Socket {
                    listener,
                    host: None,
                    path: path.clone(),
                })
            }
        }
    }

    fn pty(link: Option<PathBuf>) -> io::Result<Self> {
        let ends = openpty(None, None)?;
        let mut settings = tcgetattr(&ends.slave)?;
        cfmakeraw(&mut settings);
        tcsetattr(&ends.slave, SetArg::TCSANOW, &settings)?;
        let flags = OFlag::from_bits_truncate(fcntl(&ends.master, FcntlArg::F_GETFL)?);
        fcntl(&ends.master, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        let path = ttyname(&ends.slave)?;
        if let Some(link) = &link {
            remove(link)?;
            symlink(&path, link)?;
        }
        Ok(Self::Pty {
            master: File::from(ends.master),
            _slave: ends.slave,
            path,
            link,
        })
    }

    /// What the host opens.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Pty { path, link, .. } => link.as_deref().unwrap_or(path),
            Self::Socket { path, .. } => path,
        }
    }

    /// What is to be waited on.
    pub(crate) fn waits_on(&self) -> BorrowedFd<'_> {
        match self {
            Self::Pty { master, .. } => master.as_fd(),
            Self::Socket {
                host: Some(host), ..
            } => host.as_fd(),
            Self::Socket { listener, .. } => listener.as_fd(),
        }
    }

    /// What has come, which may be nothing.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Pty { master, .. } => nothing_yet(master.read(into)),
            Self::Socket { listener, host, .. } => {
                let Some(stream) = host else {
                    if let Some(stream) = nothing_yet(listener.accept().map(Some))
                        .map(|accepted| accepted.map(|(stream, _)| stream))?
                    {
                        stream.set_nonblocking(true)?;
                        *host = Some(stream);
                    }
                    return Ok(0);
                };
                match stream.read(into) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
                    Ok(length @ 1..) => Ok(length),
                    // The host is gone; the next one may come.
                    Ok(0) | Err(_) => {
                        *host = None;
                        Ok(0)
                    }
                }
            }
        }
    }

    /// Writes as many of the bytes as go, which may be none. With nobody there they go nowhere.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Pty { master, .. } => nothing_yet(master.write(bytes)),
            Self::Socket { host, .. } => {
                let Some(stream) = host else {
                    return Ok(bytes.len());
                };
                match stream.write(bytes) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
                    Ok(length) => Ok(length),
                    Err(_) => {
                        *host = None;
                        Ok(bytes.len())
                    }
                }
            }
        }
    }

    /// Hangs up on the host that is there.
    pub(crate) fn hang_up(&mut self) {
        if let Self::Socket { host, .. } = self {
            *host = None;
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let path = match self {
            Self::Pty { link, .. } => link.as_deref(),
            Self::Socket { path, .. } => Some(path.as_path()),
        };
        if let Some(path) = path {
            // Left behind, it would only be a name that nobody answers to.
            let _ = remove(path);
        }
    }
}

fn nothing_yet<T: Default>(result: io::Result<T>) -> io::Result<T> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(T::default()),
        other => other,
    }
}

/// Removes a socket or link of an earlier run. Anything else at that path is somebody's own.
fn remove(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?.file_type(),
    };
    if kind.is_socket() || kind.is_symlink() {
        return fs::remove_file(path);
    }
    let text = format!("{} is neither a socket nor a link", path.display());
    Err(io::Error::new(io::ErrorKind::AlreadyExists, text))
}
