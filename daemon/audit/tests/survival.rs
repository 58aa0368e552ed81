//! What was acknowledged survives a daemon that is killed, and a disk that is really full.
//!
//! The test is also the program that it runs: `write FOLDER` appends for ever and says each
//! number that was acknowledged; `limited FOLDER` and `full FOLDER` fill a disk and free it.

use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use earnest_audit::{AppendError, Log, Options, Reader, SecretKey, verify};
use earnest_telemetry::{Clock, Event, Telemetry, WallClock};
use libtest_mimic::{Arguments, Failed, Trial};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::task::JoinSet;

/// How often the daemon is killed.
const KILLS: u64 = 20;

/// Bytes of the disk that is filled.
const DISK_BYTES: u64 = 1 << 20;

/// Bytes of a segment.
const SEGMENT_BYTES: u64 = 128 << 10;

type Outcome = Result<(), Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let told: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match told[..] {
        ["write", folder] => write(Path::new(folder)),
        ["limited", folder] => limited(Path::new(folder)),
        ["full", folder] => full(Path::new(folder)),
        _ => {
            let trials = vec![
                Trial::test("what_was_acknowledged_survives_being_killed", || {
                    tried(killed())
                }),
                Trial::test("a_limit_of_the_system_refuses_work_and_heals", || {
                    tried(run("trap '' XFSZ; exec \"$0\" limited \"$1\"", &[]))
                }),
                Trial::test("a_full_disk_refuses_work_and_heals", || {
                    tried(on_a_small_disk())
                }),
            ];
            return libtest_mimic::run(&Arguments::from_args(), trials).exit_code();
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn tried(outcome: Outcome) -> Result<(), Failed> {
    outcome.map_err(|error| error.to_string().into())
}

fn secret() -> SecretKey {
    SecretKey::from_bytes(&[7; 32])
}

fn open(folder: &Path) -> Result<(Log, earnest_audit::Recovered), Box<dyn Error>> {
    let options = Options {
        segment_bytes: SEGMENT_BYTES,
        most_bytes: 64 << 20,
        ..Options::default()
    };
    let telemetry = Telemetry::new(Clock::boot_time());
    let public = secret().public();
    let opened = Log::open(folder, options, public, &telemetry, WallClock::system());
    Ok(opened?)
}

fn runtime() -> Result<tokio::runtime::Runtime, Box<dyn Error>> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    Ok(builder.build()?)
}

/// Appends for ever, several at once, and says what was acknowledged.
fn write(folder: &Path) -> Outcome {
    let (log, _) = open(folder)?;
    runtime()?.block_on(async move {
        let mut tasks = JoinSet::new();
        for _ in 0..5 {
            let log = log.clone();
            tasks.spawn(async move { append_for_ever(&log).await });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(())
    })
}

async fn append_for_ever(log: &Log) -> Result<(), std::io::Error> {
    loop {
        let receipt = log.append(Event::StateSaved).await;
        let receipt = receipt.map_err(std::io::Error::other)?;
        let mut output = std::io::stdout();
        writeln!(output, "{}", receipt.sequence)?;
        output.flush()?;
    }
}

/// Kills a daemon in the middle of its writes, again and again, and looks for what it had
/// acknowledged.
fn killed() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut acknowledged = Vec::new();
    for kill in 0..KILLS {
        let mut daemon = Command::new(std::env::current_exe()?)
            .arg("write")
            .arg(folder.path())
            .stdout(Stdio::piped())
            .spawn()?;
        let said = listen(&mut daemon, 1 + kill * 7 % 40)?;
        if said.is_empty() {
            return Err("the daemon acknowledged nothing".into());
        }
        acknowledged.extend(said);
        let (log, recovered) = open(folder.path())?;
        if !recovered.damaged.is_empty() {
            return Err(format!("after kill {kill}: {recovered:?}").into());
        }
        drop(log);
        let newest = acknowledged.iter().max().copied().unwrap_or_default();
        if recovered.head.sequence < newest {
            return Err(format!("entry {newest} is not among {recovered:?}").into());
        }
    }
    verify(folder.path(), None)?;
    let mut read = Vec::new();
    for entry in Reader::open(folder.path(), &[secret()])?.after(0) {
        read.push(entry?.sequence);
    }
    let all: Vec<u64> = (1..=read.len() as u64).collect();
    if read != all {
        return Err("numbers are missing, or used twice".into());
    }
    for sequence in acknowledged {
        if !read.contains(&sequence) {
            return Err(format!("entry {sequence} was acknowledged and is gone").into());
        }
    }
    Ok(())
}

/// Hears so many numbers, kills the daemon, and hears what it had said before that.
fn listen(daemon: &mut Child, many: u64) -> Result<Vec<u64>, Box<dyn Error>> {
    let output = daemon.stdout.take().ok_or("the daemon has an output")?;
    let mut output = BufReader::new(output);
    let mut text = String::new();
    for _ in 0..many {
        output.read_line(&mut text)?;
    }
    daemon.kill()?;
    output.read_to_string(&mut text)?;
    daemon.wait()?;
    // The last line may be half of one.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    Ok(whole.lines().map(str::parse).collect::<Result<_, _>>()?)
}

/// Runs this program within a shell's command, on a folder of its own.
fn run(command: &str, within: &[&str]) -> Outcome {
    let folder = tempfile::tempdir()?;
    let shell = ["sh", "-c", command];
    let words: Vec<&str> = within.iter().chain(&shell).copied().collect();
    let mut process = Command::new(words[0]);
    process.args(&words[1..]);
    process.arg(std::env::current_exe()?).arg(folder.path());
    let output = process.output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
    }
}

/// Fills a file system of its own, in a mount namespace that nobody else sees. Where the system
/// lets nobody have one, the limit of the test before is what fills up.
fn on_a_small_disk() -> Outcome {
    let root = ["unshare", "--mount"];
    let user = ["unshare", "--user", "--map-root-user", "--mount"];
    let mount = format!("mount -t tmpfs -o size={DISK_BYTES} none \"$1\"");
    let may = |within: &[&str]| {
        let probe = format!("{mount} && umount \"$1\"");
        run(&probe, within).is_ok()
    };
    let fill = format!("{mount} && exec \"$0\" full \"$1\"");
    if may(&root) {
        return run(&fill, &root);
    }
    if may(&user) {
        return run(&fill, &user);
    }
    run("trap '' XFSZ; exec \"$0\" limited \"$1\"", &[])
}

/// Fills the disk with another file, so that the log finds no room, and frees it.
fn full(folder: &Path) -> Outcome {
    let other = folder.join("other");
    let log = folder.join("audit");
    fill_and_free(
        &log,
        || {
            Ok(fs::write(
                &other,
                vec![1; DISK_BYTES as usize - (300 << 10)],
            )?)
        },
        || Ok(fs::remove_file(&other)?),
    )
}

/// Lets the system refuse files of a segment's length, and allows them again.
fn limited(folder: &Path) -> Outcome {
    let (_, most) = getrlimit(Resource::RLIMIT_FSIZE)?;
    fill_and_free(
        folder,
        || Ok(setrlimit(Resource::RLIMIT_FSIZE, SEGMENT_BYTES - 1, most)?),
        || Ok(setrlimit(Resource::RLIMIT_FSIZE, most, most)?),
    )
}

fn fill_and_free(
    folder: &Path,
    fill: impl FnOnce() -> Outcome,
    free: impl FnOnce() -> Outcome,
) -> Outcome {
    let (log, _) = open(folder)?;
    let runtime = runtime()?;
    let append = || runtime.block_on(log.append(Event::StateSaved));
    append()?;
    fill()?;
    let mut taken = 1;
    let refused = loop {
        match append() {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
        if taken > 100_000 {
            return Err("the log takes more than the disk has".into());
        }
    };
    if refused != AppendError::Full || append() != Err(AppendError::Full) {
        return Err(format!("refused for {refused:?}").into());
    }
    let head = log.head();
    verify(folder, Some(head))?;
    free()?;
    append()?;
    log.close();
    let found = verify(folder, Some(head))?;
    // Beside those that were taken: the last words, the first ones, and the last entry.
    if found.entries != taken + 3 {
        return Err(format!("{taken} were taken, and the log is {found:?}").into());
    }
    Ok(())
}
