//! Binding, and what a socket that is bound already must be.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::net::TcpListener as StdTcpListener;
use std::num::NonZeroUsize;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use earnest_files::FileError;
use nix::errno::Errno;
use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, UnixAddr};
use nix::unistd::geteuid;
use tokio::net::{TcpListener, UnixListener};

use crate::accept::{Listener, Socket};
use crate::activation::{self, ActivationError};
use crate::address::{AddressError, LoopbackAddress};
use crate::place::{Place, UnixPath, UnixPathError, WyomingPlace};
use crate::tls::TlsIdentity;

/// The mode of a Unix socket: its owner and group may connect.
const MODE: u32 = 0o660;

/// The bit of a folder's mode by which everybody may make files in it.
const WORLD_WRITABLE: u32 = 0o002;

/// How long binding waits for another that binds the same path. It takes that one milliseconds.
const LOCK_PATIENCE: Duration = Duration::from_secs(5);

/// Where to listen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// TLS on loopback.
    pub tls: Vec<LoopbackAddress>,
    /// Clear text on loopback, which is for who asks for it.
    pub clear: Vec<LoopbackAddress>,
    /// A Unix socket.
    pub unix: Option<UnixPlan>,
    /// The Wyoming protocol, which is for who asks for it.
    pub wyoming: Vec<WyomingPlan>,
}

/// A place of Wyoming to bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WyomingPlan {
    /// Where.
    pub place: WyomingPlace,
    /// The group that may connect to a Unix socket, by its number; the process's own where it is
    /// not told. It says nothing of TCP.
    pub group: Option<u32>,
}

/// A Unix socket to bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixPlan {
    /// Where.
    pub path: UnixPath,
    /// The group that may connect, by its number; the process's own where it is not told.
    pub group: Option<u32>,
}

/// Sockets that are bound and checked. The kernel queues who connects until
/// [`Listeners::open`] lets them be accepted.
#[derive(Debug, Default)]
pub struct Listeners {
    bound: Vec<Bound>,
}

#[derive(Debug)]
pub(crate) struct Bound {
    pub(crate) place: Place,
    pub(crate) socket: BoundSocket,
    pub(crate) removal: Option<Removal>,
}

#[derive(Debug)]
pub(crate) enum BoundSocket {
    Tcp(StdTcpListener),
    Unix(StdUnixListener),
}

impl Listeners {
    /// Binds every place of the plan, or none.
    ///
    /// A Unix socket appears under its path with its mode and group already set. One that is
    /// there is replaced if nobody answers on it, and nothing else ever is.
    ///
    /// # Errors
    ///
    /// When a place is taken or cannot be bound, or the Unix socket's folder is one where others
    /// could put a socket of their own.
    pub fn bind(plan: &Plan) -> Result<Listeners, BindError> {
        let mut bound = Vec::new();
        for address in &plan.tls {
            bound.push(bind_tcp(*address, Place::Tls)?);
        }
        for address in &plan.clear {
            bound.push(bind_tcp(*address, Place::Clear)?);
        }
        if let Some(plan) = &plan.unix {
            bound.push(bind_unix(plan, Place::Unix)?);
        }
        for WyomingPlan { place, group } in &plan.wyoming {
            bound.push(match place {
                WyomingPlace::Tcp(address) => bind_tcp(*address, |address| {
                    Place::Wyoming(WyomingPlace::Tcp(address))
                })?,
                WyomingPlace::Unix(path) => {
                    let plan = UnixPlan {
                        path: path.clone(),
                        group: *group,
                    };
                    bind_unix(&plan, |path| Place::Wyoming(WyomingPlace::Unix(path)))?
                }
            });
        }
        Ok(Listeners { bound })
    }

    /// The sockets that the service manager bound for this process (`sd_listen_fds(3)`); none
    /// where it bound none, and then the plan is to be bound.
    ///
    /// A socket is named in its unit: `FileDescriptorName=` `tls`, `clear`, `unix` or `wyoming`.
    /// One with another name is a `unix` one or a `tls` one, as its kind is. Clear text and
    /// Wyoming are for who asks for them.
    ///
    /// It takes variables out of the environment, so it is called before any thread starts, and
    /// it takes the sockets, so it is called once.
    ///
    /// # Errors
    ///
    /// When one of them is not on loopback, not a listening stream socket, or a Unix socket to
    /// which everybody may connect.
    pub fn inherited() -> Result<Option<Listeners>, ActivationError> {
        let bound = activation::from_environment()?;
        Ok((!bound.is_empty()).then_some(Listeners { bound }))
    }

    /// Where they are bound. A port that the system chose is told as it is.
    pub fn places(&self) -> impl Iterator<Item = &Place> {
        self.bound.iter().map(|bound| &bound.place)
    }

    /// Listens, with at most so many connections to each. It takes a runtime of tokio.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn open(
        self,
        identity: &Arc<TlsIdentity>,
        most: NonZeroUsize,
    ) -> Result<Vec<Listener>, OpenError> {
        let open = |bound: Bound| {
            let Bound {
                place,
                socket,
                removal,
            } = bound;
            let socket = opened(socket, &place, identity).map_err(|error| OpenError {
                place: Box::new(place.clone()),
                error,
            })?;
            Ok(Listener::new(socket, place, most, removal))
        };
        self.bound.into_iter().map(open).collect()
    }
}

fn opened(socket: BoundSocket, place: &Place, identity: &Arc<TlsIdentity>) -> io::Result<Socket> {
    Ok(match socket {
        BoundSocket::Unix(listener) => {
            listener.set_nonblocking(true)?;
            Socket::Unix(UnixListener::from_std(listener)?)
        }
        BoundSocket::Tcp(listener) => {
            listener.set_nonblocking(true)?;
            let listener = TcpListener::from_std(listener)?;
            match place.is_tls() {
                true => Socket::Tls(listener, Arc::clone(identity)),
                false => Socket::Clear(listener),
            }
        }
    })
}

fn bind_tcp(
    address: LoopbackAddress,
    place: impl FnOnce(LoopbackAddress) -> Place,
) -> Result<Bound, BindError> {
    let refused = |error| BindError::Tcp { address, error };
    let socket = StdTcpListener::bind(address.socket()).map_err(refused)?;
    let address = socket.local_addr().map_err(refused)?;
    let address = LoopbackAddress::try_from(address)?;
    Ok(Bound {
        place: place(address),
        socket: BoundSocket::Tcp(socket),
        removal: None,
    })
}

fn bind_unix(plan: &UnixPlan, place: impl FnOnce(UnixPath) -> Place) -> Result<Bound, BindError> {
    let UnixPlan { path, group } = plan;
    check_folder(path.folder())?;
    let beside = |end: &str| {
        let mut name = std::ffi::OsString::from(".");
        name.push(path.name());
        name.push(end);
        path.folder().join(name)
    };
    // Whether somebody answers and whose socket is there are one question for who holds this.
    let _alone = earnest_files::lock(&beside(".lock"), LOCK_PATIENCE)?;
    check_vacant(path)?;
    let new = UnixPath::new(beside(".new"))?;
    earnest_files::remove(new.path())?;
    let refused = |error| BindError::Unix {
        path: path.clone(),
        error,
    };
    let socket = StdUnixListener::bind(new.path()).map_err(refused)?;
    let put_in_place = || {
        if let Some(group) = group {
            chown(new.path(), None, Some(*group))?;
        }
        fs::set_permissions(new.path(), Permissions::from_mode(MODE))?;
        let removal = Removal::of(new.path(), path.path())?;
        fs::rename(new.path(), path.path())?;
        Ok(removal)
    };
    let removal = put_in_place().map_err(|error| {
        // What cannot be removed either is removed by the next who binds.
        let _ = fs::remove_file(new.path());
        refused(error)
    })?;
    Ok(Bound {
        place: place(path.clone()),
        socket: BoundSocket::Unix(socket),
        removal: Some(removal),
    })
}

/// Whoever may make files in the folder could put a socket of his own in the place of ours, and
/// hear what was meant for us.
fn check_folder(folder: &Path) -> Result<(), BindError> {
    let path = || folder.to_owned();
    let about = fs::metadata(folder).and_then(|about| match about.is_dir() {
        true => Ok(about),
        false => Err(ErrorKind::NotADirectory.into()),
    });
    let about = about.map_err(|error| BindError::Folder {
        path: path(),
        error,
    })?;
    let mode = about.mode() & 0o7777;
    if mode & WORLD_WRITABLE != 0 {
        return Err(BindError::OpenFolder {
            path: path(),
            found: mode,
        });
    }
    let own = geteuid().as_raw();
    if about.uid() != own && about.uid() != 0 {
        return Err(BindError::OthersFolder {
            path: path(),
            expected: own,
            found: about.uid(),
        });
    }
    Ok(())
}

/// Nothing is there, or a socket on which nobody answers: its process was killed.
fn check_vacant(path: &UnixPath) -> Result<(), BindError> {
    let refused = |error| BindError::Unix {
        path: path.clone(),
        error,
    };
    match fs::symlink_metadata(path.path()) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(refused(error)),
        Ok(about) if !about.file_type().is_socket() => {
            return Err(BindError::NoSocket { path: path.clone() });
        }
        Ok(_) => {}
    }
    // A connection is tried and not waited for: one whose queue is full is answered by somebody.
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let tried = socket::socket(AddressFamily::Unix, SockType::Stream, flags, None)
        .and_then(|probe| Ok((probe, UnixAddr::new(path.path())?)))
        .and_then(|(probe, address)| socket::connect(probe.as_raw_fd(), &address));
    match tried {
        Err(Errno::ECONNREFUSED | Errno::ENOENT) => Ok(()),
        Ok(()) | Err(Errno::EAGAIN) => Err(BindError::Answered { path: path.clone() }),
        Err(error) => Err(refused(error.into())),
    }
}

/// Removes the file of a socket when it is dropped, if it is still the file of this socket.
#[derive(Debug)]
pub(crate) struct Removal {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Removal {
    /// Of the file that is at `now`, and will be at `path`.
    fn of(now: &Path, path: &Path) -> io::Result<Removal> {
        let about = fs::symlink_metadata(now)?;
        Ok(Removal {
            path: path.to_owned(),
            device: about.dev(),
            inode: about.ino(),
        })
    }
}

impl Drop for Removal {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|about| (about.dev(), about.ino()) == (self.device, self.inode));
        if ours {
            // One that stays is one on which nobody answers, which the next replaces.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Why a place cannot be bound.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address is taken, or not of this machine.
    #[error("cannot listen on {address}: {error}")]
    Tcp {
        /// Which address.
        address: LoopbackAddress,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The system bound another address than it was told.
    #[error(transparent)]
    Elsewhere(#[from] AddressError),
    /// The folder of the Unix socket is not there.
    #[error("the folder {} of the socket: {error}", .path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// Everybody may make files in the folder of the Unix socket.
    #[error(
        "everybody may make files in {}, whose mode is {found:o}: another could put a socket of          his own in the place of ours", .path.display()
    )]
    OpenFolder {
        /// The folder.
        path: PathBuf,
        /// Its mode.
        found: u32,
    },
    /// The folder of the Unix socket is somebody else's.
    #[error(
        "{} belongs to user {found}, and not to user {expected} or root: another could put a          socket of his own in the place of ours", .path.display()
    )]
    OthersFolder {
        /// The folder.
        path: PathBuf,
        /// The user of this process.
        expected: u32,
        /// The user that the folder belongs to.
        found: u32,
    },
    /// What is there is not replaced.
    #[error("{path} is there and is no socket")]
    NoSocket {
        /// Its path.
        path: UnixPath,
    },
    /// A daemon runs already.
    #[error("somebody listens on {path} already")]
    Answered {
        /// The socket's path.
        path: UnixPath,
    },
    /// Its name leaves no room to put it in place whole.
    #[error(transparent)]
    Path(#[from] UnixPathError),
    /// A file beside the socket cannot be made or removed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The system refused.
    #[error("cannot listen on {path}: {error}")]
    Unix {
        /// The socket's path.
        path: UnixPath,
        /// What the system said.
        #[source]
        error: io::Error,
    },
}

/// Why a bound socket cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {place}: {error}")]
pub struct OpenError {
    /// Which one.
    pub place: Box<Place>,
    /// What the system said.
    #[source]
    pub error: io::Error,
}
