//! The process that is locked in, and what it tries.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, IoSliceMut, Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::{Command, ExitCode, Stdio};
use std::thread;

use earnest_sandbox::{Limits, Reached, confine_daemon, enter};
use nix::errno::Errno;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::prctl;
use nix::sys::ptrace;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::kill;
use nix::sys::uio::{RemoteIoVec, process_vm_readv};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, chroot, execv};

/// What file 0 holds.
pub(crate) const WEIGHTS: &[u8] = b"weights that everybody may read";

/// The last line that is told.
pub(crate) const DONE: &str = "done";

/// Attempts that fail inside.
pub(crate) const FORBIDDEN: &[&str] = &[
    "open",
    "list",
    "stat",
    "connect-tcp",
    "bind-udp",
    "unix-socket",
    "execute",
    "trace-parent",
    "read-parent",
    "signal-parent",
    "new-memory-file",
    "executable-memory",
    "allocate",
    "raise-limit",
    "dumpable",
];

/// What a worker needs, and has.
pub(crate) const ALLOWED: &[&str] = &[
    "thread",
    "thread-name",
    "panic",
    "weights",
    "weights-length",
    "memory",
    "clock",
];

/// Bytes that a process here may have, and what it then tries to take in vain.
const MEMORY: u64 = 1 << 30;

const ROLES: &[&str] = &[
    "free", "both", "landlock", "filter", "neither", "overstep", "abort", "threads", "parent",
    "dialler", "daemon",
];

pub(crate) fn is_role(word: &str) -> bool {
    ROLES.contains(&word)
}

/// Plays the role. The arguments are the parent's id, the address of its secret, and what the
/// role takes besides.
pub(crate) fn run(role: &str, arguments: &[String]) -> ExitCode {
    match play(role, arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn play(role: &str, arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let limits = Limits::new(MEMORY);
    match role {
        "free" => {
            let mut channel = channel()?;
            attempt_all(&mut channel, arguments)?;
            finish(&mut channel)
        }
        "both" => locked_in(limits, arguments),
        "landlock" => locked_in(limits.without_filter(), arguments),
        "filter" => locked_in(limits.without_landlock(), arguments),
        "neither" => {
            let limits = limits.without_filter().without_landlock();
            locked_in(limits, arguments)
        }
        "overstep" => {
            enter(&limits)?;
            let _ = chroot("/");
            Ok(())
        }
        "abort" => {
            enter(&limits)?;
            std::process::abort()
        }
        "threads" => {
            let waiting = thread::spawn(thread::park);
            let refusal = enter(&limits).err().ok_or("two threads got in")?;
            waiting.thread().unpark();
            let mut channel = channel()?;
            writeln!(channel, "error {refusal}")?;
            finish(&mut channel)
        }
        "parent" => worker_of_this(arguments),
        "daemon" => {
            confine_daemon(&[])?;
            worker_of_this(arguments)
        }
        "dialler" => dial(arguments),
        _ => Err("no such role".into()),
    }
}

/// File 1, in the way that safe code comes to own it.
fn channel() -> Result<UnixStream, io::Error> {
    let file = io::stdout().as_fd().try_clone_to_owned()?;
    Ok(UnixStream::from(file))
}

/// Says that all is told, and waits to be let go.
fn finish(channel: &mut UnixStream) -> Result<(), Box<dyn Error>> {
    writeln!(channel, "{DONE}")?;
    channel.read_exact(&mut [0])?;
    Ok(())
}

fn locked_in(limits: Limits, arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let reached = enter(&limits)?;
    let mut channel = channel()?;
    tell(&mut channel, &reached)?;
    attempt_all(&mut channel, arguments)?;
    finish(&mut channel)
}

fn tell(channel: &mut UnixStream, reached: &Reached) -> Result<(), io::Error> {
    let landlock = reached
        .landlock_abi
        .map_or("none".to_owned(), |version| version.to_string());
    writeln!(channel, "process {}", std::process::id())?;
    writeln!(channel, "level {}", reached.level())?;
    writeln!(channel, "landlock {landlock}")?;
    writeln!(channel, "seccomp {}", reached.seccomp)?;
    writeln!(channel, "bounding {}", reached.bounding_cleared)?;
    writeln!(channel, "closed {}", reached.closed)
}

/// Starts a worker on this process's own files, and waits for it.
fn worker_of_this(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let mut worker = Command::new(std::env::current_exe()?)
        .arg("both")
        .args(arguments)
        .spawn()?;
    match worker.wait()?.success() {
        true => Ok(()),
        false => Err("the worker failed".into()),
    }
}

fn dial(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let [_, _, listed, other] = arguments else {
        return Err("expected are two ports".into());
    };
    let (listed, other): (u16, u16) = (listed.parse()?, other.parse()?);
    let reached = confine_daemon(&[listed])?;
    let mut channel = channel()?;
    writeln!(channel, "connections {}", reached.connections)?;
    writeln!(channel, "sockets {}", reached.sockets)?;
    for (word, outcome) in [
        (
            "listed",
            TcpStream::connect(("127.0.0.1", listed)).map(drop),
        ),
        ("other", TcpStream::connect(("127.0.0.1", other)).map(drop)),
        ("udp", UdpSocket::bind("127.0.0.1:0").map(drop)),
        ("unix", UnixDatagram::unbound().map(drop)),
        ("listen", TcpListener::bind("127.0.0.1:0").map(drop)),
        ("open", File::open("/proc/self/status").map(drop)),
    ] {
        writeln!(channel, "{word} {}", name(&outcome))?;
    }
    finish(&mut channel)
}

/// `ok`, or the name of the error's number.
fn name(outcome: &io::Result<()>) -> String {
    match outcome {
        Ok(()) => "ok".to_owned(),
        Err(error) => match error.raw_os_error() {
            Some(number) => format!("{:?}", Errno::from_raw(number)),
            None => error.to_string(),
        },
    }
}

fn attempt_all(channel: &mut UnixStream, arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let [parent, secret, ..] = arguments else {
        return Err("expected are the parent and the place of its secret".into());
    };
    let (parent, secret) = (Pid::from_raw(parent.parse()?), secret.parse()?);
    for &word in FORBIDDEN.iter().chain(ALLOWED) {
        writeln!(channel, "{word} {}", name(&attempt(word, parent, secret)))?;
    }
    Ok(())
}

fn attempt(word: &str, parent: Pid, secret: usize) -> io::Result<()> {
    match word {
        "open" => File::open("/etc/passwd").map(drop),
        "list" => fs::read_dir("/").map(drop),
        "stat" => fs::metadata("/etc/passwd").map(drop),
        "connect-tcp" => connect_to_nobody(),
        "bind-udp" => UdpSocket::bind("127.0.0.1:0").map(drop),
        "unix-socket" => UnixDatagram::unbound().map(drop),
        "execute" => execute(),
        "trace-parent" => trace(parent),
        "read-parent" => read_parent(parent, secret),
        "signal-parent" => kill(parent, None).map_err(io::Error::from),
        "new-memory-file" => {
            let made = memfd_create("more", MFdFlags::MFD_CLOEXEC);
            made.map(drop).map_err(io::Error::from)
        }
        "executable-memory" => memmap2::MmapMut::map_anon(4096)?.make_exec().map(drop),
        // Only as much as it may have is too much, as it has some already.
        "allocate" => {
            let mut space = Vec::<u8>::new();
            let enough = usize::try_from(MEMORY).map_err(io::Error::other)?;
            let taken = space.try_reserve_exact(enough);
            taken.map_err(|_| Errno::ENOMEM.into())
        }
        "raise-limit" => raise_limit(),
        "dumpable" => prctl::set_dumpable(true).map_err(io::Error::from),
        "thread" => thread::Builder::new()
            .spawn(|| ())
            .map(|started| drop(started.join())),
        "thread-name" => prctl::set_name(c"inference").map_err(io::Error::from),
        "panic" => match thread::Builder::new()
            .spawn(|| panic!("as expected"))?
            .join()
        {
            Ok(()) => Err(io::Error::other("it did not panic")),
            Err(_) => Ok(()),
        },
        "weights" => weights_are_there(),
        "weights-length" => match weights()?.seek(SeekFrom::End(0))? {
            length if length == WEIGHTS.len() as u64 => Ok(()),
            length => Err(io::Error::other(format!("{length} bytes"))),
        },
        // Beyond what malloc keeps, so that the kernel is asked.
        "memory" => vec![1_u8; 64 << 20]
            .iter()
            .all(|&byte| byte == 1)
            .then_some(())
            .ok_or_else(|| io::Error::other("other bytes than written")),
        "clock" => {
            thread::sleep(std::time::Duration::from_millis(1));
            Ok(())
        }
        _ => Err(io::Error::other("no such attempt")),
    }
}

/// That nobody listens is as good as a connection here: the attempt left the process.
fn connect_to_nobody() -> io::Result<()> {
    match TcpStream::connect("127.0.0.1:1") {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        other => other.map(drop),
    }
}

/// Both ways to another program: a new process, and in place of this one. The second is tried
/// where the first failed.
fn execute() -> io::Result<()> {
    let started = Command::new("/bin/true").stdout(Stdio::null()).spawn();
    match started {
        Ok(mut child) => child.wait().map(drop),
        Err(_) => match execv(c"/bin/true", &[c"true"]) {
            Ok(never) => match never {},
            Err(error) => Err(error.into()),
        },
    }
}

/// Where it succeeds, the parent stands still until it is let go again.
fn trace(parent: Pid) -> io::Result<()> {
    ptrace::attach(parent)?;
    waitpid(parent, None)?;
    ptrace::detach(parent, None)?;
    Ok(())
}

fn read_parent(parent: Pid, secret: usize) -> io::Result<()> {
    let mut bytes = [0; 8];
    let length = bytes.len();
    let there = RemoteIoVec {
        base: secret,
        len: length,
    };
    process_vm_readv(parent, &mut [IoSliceMut::new(&mut bytes)], &[there])?;
    Ok(())
}

/// Gives itself back what [`enter`] took. A free process merely sets what it has.
fn raise_limit() -> io::Result<()> {
    let most = match nix::sys::resource::getrlimit(Resource::RLIMIT_DATA) {
        Ok((_, hard)) => hard.saturating_add(1),
        // Inside, the question is refused already.
        Err(_) => 2 * MEMORY,
    };
    setrlimit(Resource::RLIMIT_DATA, most, most).map_err(io::Error::from)
}

fn weights() -> io::Result<File> {
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

fn weights_are_there() -> io::Result<()> {
    let mut found = vec![0; WEIGHTS.len()];
    weights()?.read_exact_at(&mut found, 0)?;
    match found == WEIGHTS {
        true => Ok(()),
        false => Err(io::Error::other("other bytes than given")),
    }
}
