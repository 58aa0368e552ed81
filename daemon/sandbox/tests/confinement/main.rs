//! Processes that lock themselves in, and what they then still can do.
//!
//! This program is the test and also what is tested: started with a role, it is the process
//! that is locked in ([`inmate`]), and tells over its file 1 what each attempt came to. So it
//! has no harness that starts threads before its `main`.

mod inmate;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use earnest_sandbox::{SeccompMode, inspect, inspect_self};
use libtest_mimic::{Arguments, Failed, Trial};
use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::Signal;
use nix::unistd::{dup, geteuid};

use inmate::{ALLOWED, DONE, FORBIDDEN, WEIGHTS};

/// How long a process may take that answers at once. Only a broken one comes near it.
const PATIENCE: Duration = Duration::from_secs(60);

/// An ordinary user and group without anything of their own.
const NOBODY: u32 = 65_534;

/// The bit of the capability to empty the bounding set (`capabilities(7)`).
const CAP_SETPCAP: u64 = 1 << 8;

/// What a process that is locked in tries to read of its parent.
static SECRET: [u8; 8] = *b"a secret";

/// This program where every user may execute it.
static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

fn main() -> ExitCode {
    let mut arguments = std::env::args();
    if let Some(role) = arguments.nth(1).filter(|first| inmate::is_role(first)) {
        return inmate::run(&role, &arguments.collect::<Vec<_>>());
    }
    // Before there are threads: a program that is still being written cannot be executed.
    let folder = tempfile::tempdir().expect("there is room for a copy of this program");
    let program = copy_of_this(folder.path()).expect("this program can be copied");
    PROGRAM.set(program).expect("it is set once");
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials());
    drop(folder);
    conclusion.exit_code()
}

fn trials() -> Vec<Trial> {
    let trial = |name, test: fn() -> Result<(), Box<dyn Error>>| {
        Trial::test(name, move || {
            test().map_err(|error| Failed::from(error.to_string()))
        })
    };
    vec![
        trial("a_free_process_can_do_what_is_forbidden_inside", free),
        trial("nothing_but_computing_is_left", as_this_user),
        trial("an_ordinary_user_is_locked_in_as_well", as_nobody),
        trial(
            "landlock_alone_closes_files_and_connections",
            landlock_alone,
        ),
        trial("the_filter_alone_closes_everything", filter_alone),
        trial("without_either_the_level_is_none", neither),
        trial("the_kernel_confirms_what_is_claimed", confirmed),
        trial("an_unknown_call_ends_the_process", overstep),
        trial("a_process_may_abort", abort),
        trial("a_process_with_threads_is_refused", threads),
        trial("what_was_left_open_is_closed", left_open),
        trial("a_process_ends_with_its_parent", orphan),
        trial("the_daemon_connects_to_listed_ports_alone", dialler),
        trial(
            "a_worker_of_a_confined_daemon_has_filters_of_its_own",
            nested,
        ),
    ]
}

fn copy_of_this(folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let copy = folder.join("confinement");
    std::fs::copy(std::env::current_exe()?, &copy)?;
    for path in [folder, &copy] {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755))?;
    }
    Ok(copy)
}

/// What a process told: a word, and what it came to.
type Told = BTreeMap<String, String>;

/// A process in its role, started as the pool starts a worker.
struct Inmate {
    child: Child,
    channel: BufReader<UnixStream>,
}

impl Inmate {
    fn start(role: &str) -> Result<Inmate, Box<dyn Error>> {
        Inmate::start_as(None, role, &[])
    }

    fn start_as(
        user: Option<u32>,
        role: &str,
        arguments: &[String],
    ) -> Result<Inmate, Box<dyn Error>> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_read_timeout(Some(PATIENCE))?;
        let mut command = Command::new(PROGRAM.get().ok_or("there is no program")?);
        command
            .arg(role)
            .arg(std::process::id().to_string())
            .arg((&raw const SECRET as usize).to_string())
            .args(arguments)
            .env_clear()
            .current_dir("/")
            .stdin(weights()?)
            .stdout(OwnedFd::from(theirs))
            .stderr(Stdio::null());
        if let Some(user) = user {
            command.uid(user).gid(user);
        }
        let child = command.spawn()?;
        let channel = BufReader::new(ours);
        Ok(Inmate { child, channel })
    }

    /// What it tells until it is done.
    fn told(&mut self) -> Result<Told, Box<dyn Error>> {
        let mut told = Told::new();
        for line in self.channel.by_ref().lines() {
            let line = line?;
            if line == DONE {
                return Ok(told);
            }
            let (word, outcome) = line.split_once(' ').ok_or("a line of two words")?;
            told.insert(word.to_owned(), outcome.to_owned());
        }
        Err(format!("it ended early: {:?} after {told:?}", self.child.wait()?).into())
    }

    /// Lets it end, and sees that it does well.
    fn release(mut self) -> Result<(), Box<dyn Error>> {
        self.channel.get_mut().write_all(b".")?;
        match self.child.wait()? {
            status if status.success() => Ok(()),
            status => Err(format!("it ended with {status}").into()),
        }
    }

    /// Waits for the signal that it ends by.
    fn ended_by(mut self) -> Result<Option<i32>, Box<dyn Error>> {
        Ok(self.child.wait()?.signal())
    }
}

impl Drop for Inmate {
    fn drop(&mut self) {
        // A test that failed leaves nothing behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A sealed file, as the weights are.
fn weights() -> Result<File, Box<dyn Error>> {
    let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
    let mut file = File::from(memfd_create("weights", flags)?);
    file.write_all(WEIGHTS)?;
    let seals = SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK;
    fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
    Ok(file)
}

/// Fails with every word whose outcome is another.
fn compare<'a>(
    told: &Told,
    expected: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), Box<dyn Error>> {
    let differences: Vec<String> = expected
        .into_iter()
        .filter_map(|(word, expected)| {
            let found = told.get(word).map_or("nothing", String::as_str);
            (found != expected).then(|| format!("{word}: {found}, expected {expected}"))
        })
        .collect();
    match differences.is_empty() {
        true => Ok(()),
        false => Err(differences.join("\n").into()),
    }
}

fn free() -> Result<(), Box<dyn Error>> {
    let mut inmate = Inmate::start("free")?;
    let told = inmate.told()?;
    // What a free process can do to its parent depends on who it is, so it is left out.
    let others = ["trace-parent", "read-parent"];
    let attempts = FORBIDDEN.iter().chain(ALLOWED);
    let expected = attempts.filter(|word| !others.contains(word));
    compare(&told, expected.map(|&word| (word, "ok")))?;
    inmate.release()
}

/// Locked in by both walls, with every attempt failed and all that is needed done.
fn behind_both(user: Option<u32>) -> Result<Told, Box<dyn Error>> {
    let mut inmate = Inmate::start_as(user, "both", &[])?;
    let told = inmate.told()?;
    compare(&told, [("level", "full"), ("seccomp", "true")])?;
    compare(&told, ALLOWED.iter().map(|&word| (word, "ok")))?;
    compare(
        &told,
        FORBIDDEN.iter().map(|&word| match word {
            "allocate" => (word, "ENOMEM"),
            _ => (word, "EPERM"),
        }),
    )?;
    inmate.release()?;
    Ok(told)
}

fn as_this_user() -> Result<(), Box<dyn Error>> {
    let told = behind_both(None)?;
    let may_clear = inspect_self()?.effective & CAP_SETPCAP != 0;
    let bounding = if may_clear { "true" } else { "false" };
    compare(&told, [("bounding", bounding)])
}

fn as_nobody() -> Result<(), Box<dyn Error>> {
    // Only root can be somebody else; another user is an ordinary one already.
    let user = geteuid().is_root().then_some(NOBODY);
    compare(&behind_both(user)?, [("bounding", "false")])
}

fn landlock_alone() -> Result<(), Box<dyn Error>> {
    let mut inmate = Inmate::start("landlock")?;
    let told = inmate.told()?;
    let walls = [("level", "partial"), ("seccomp", "false")];
    compare(&told, walls)?;
    let version: u32 = told.get("landlock").ok_or("no version")?.parse()?;
    // Which right came with which version: see the kernel's documentation of Landlock.
    let since = [
        (1, "open", "EACCES"),
        (1, "list", "EACCES"),
        (1, "execute", "EACCES"),
        (1, "trace-parent", "EPERM"),
        (1, "read-parent", "EPERM"),
        (4, "connect-tcp", "EACCES"),
        (6, "signal-parent", "EPERM"),
    ];
    let expected = since.iter().filter(|(first, ..)| version >= *first);
    compare(&told, expected.map(|&(_, word, outcome)| (word, outcome)))?;
    inmate.release()
}

fn filter_alone() -> Result<(), Box<dyn Error>> {
    let mut inmate = Inmate::start("filter")?;
    let told = inmate.told()?;
    let walls = [("level", "partial"), ("landlock", "none")];
    compare(&told, walls)?;
    let refused = FORBIDDEN.iter().filter(|&&word| word != "allocate");
    compare(&told, refused.map(|&word| (word, "EPERM")))?;
    inmate.release()
}

fn neither() -> Result<(), Box<dyn Error>> {
    let mut inmate = Inmate::start("neither")?;
    let told = inmate.told()?;
    let walls = [
        ("level", "none"),
        ("landlock", "none"),
        ("seccomp", "false"),
    ];
    compare(&told, walls)?;
    // The limits and the empty sets of capabilities stand without any wall.
    compare(&told, [("allocate", "ENOMEM"), ("raise-limit", "EPERM")])?;
    let status = inspect(inmate.child.id())?;
    if status.capabilities() != 0 || !status.no_new_privs || status.is_confined() {
        return Err(format!("{status:?}").into());
    }
    inmate.release()
}

fn confirmed() -> Result<(), Box<dyn Error>> {
    let mut inmate = Inmate::start("both")?;
    inmate.told()?;
    let status = inspect(inmate.child.id())?;
    let own = inspect_self()?;
    if !status.is_confined() || !status.is_confined_within(&own) {
        return Err(format!("{status:?}").into());
    }
    if own.is_confined_within(&own) {
        return Err("the test itself counts as locked in".into());
    }
    inmate.release()
}

fn overstep() -> Result<(), Box<dyn Error>> {
    let signal = Inmate::start("overstep")?.ended_by()?;
    match signal == Some(Signal::SIGSYS as i32) {
        true => Ok(()),
        false => Err(format!("it ended by {signal:?}").into()),
    }
}

fn abort() -> Result<(), Box<dyn Error>> {
    let signal = Inmate::start("abort")?.ended_by()?;
    match signal == Some(Signal::SIGABRT as i32) {
        true => Ok(()),
        false => Err(format!("it ended by {signal:?}").into()),
    }
}

fn threads() -> Result<(), Box<dyn Error>> {
    let mut inmate = Inmate::start("threads")?;
    let told = inmate.told()?;
    let reason = "2 threads run; only a process of one can lock itself in";
    compare(&told, [("error", reason)])?;
    inmate.release()
}

fn left_open() -> Result<(), Box<dyn Error>> {
    // A copy like this is inherited, as are the files that some C libraries open.
    let leak = dup(weights()?)?;
    let mut inmate = Inmate::start("both")?;
    let told = inmate.told()?;
    let closed: usize = told.get("closed").ok_or("no count")?.parse()?;
    if closed == 0 {
        return Err("nothing was closed".into());
    }
    compare(&told, [("level", "full")])?;
    drop(leak);
    inmate.release()
}

fn orphan() -> Result<(), Box<dyn Error>> {
    let mut parent = Inmate::start("parent")?;
    let told = parent.told()?;
    compare(&told, [("level", "full")])?;
    parent.child.kill()?;
    parent.child.wait()?;
    // Its file 1 is the socket's only other end, which closes when it has ended.
    match parent.channel.fill_buf()? {
        [] => Ok(()),
        more => Err(format!("it goes on: {more:?}").into()),
    }
}

fn dialler() -> Result<(), Box<dyn Error>> {
    let listed = TcpListener::bind("127.0.0.1:0")?;
    let other = TcpListener::bind("127.0.0.1:0")?;
    let ports = [&listed, &other].map(|listener| listener.local_addr());
    let ports: Vec<String> = ports
        .into_iter()
        .map(|address| Ok(address?.port().to_string()))
        .collect::<Result<_, std::io::Error>>()?;
    let mut inmate = Inmate::start_as(None, "dialler", &ports)?;
    let told = inmate.told()?;
    compare(
        &told,
        [
            ("connections", "true"),
            ("sockets", "true"),
            ("listed", "ok"),
            ("other", "EACCES"),
            ("udp", "EAFNOSUPPORT"),
            ("unix", "ok"),
            ("listen", "ok"),
            ("open", "ok"),
        ],
    )?;
    inmate.release()
}

fn nested() -> Result<(), Box<dyn Error>> {
    let mut daemon = Inmate::start("daemon")?;
    let told = daemon.told()?;
    compare(&told, [("level", "full")])?;
    let worker: u32 = told.get("process").ok_or("no process")?.parse()?;
    let (worker, parent) = (inspect(worker)?, inspect(daemon.child.id())?);
    if parent.seccomp != SeccompMode::Filter || parent.is_confined_within(&parent) {
        return Err(format!("the daemon: {parent:?}").into());
    }
    if !worker.is_confined_within(&parent) {
        return Err(format!("the worker: {worker:?}").into());
    }
    daemon.release()
}
