//! The daemon's configuration: read here for the few places that the other looks need, and
//! judged by the daemon itself, which alone knows what it takes.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use earnest_files::FileError;
use earnest_printable::describe;
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use tokio::time::timeout;

use super::finding::Finding;

/// The daemon's own bound on the file.
const MAX_FILE_BYTES: usize = 64 << 10;

/// How long the daemon may take to judge a file: it reads and ends.
const JUDGING: Duration = Duration::from_secs(10);

/// Most bytes of the daemon's reasons that are read: it gives one line.
const MAX_REASON_BYTES: u64 = 4 << 10;

const ABOUT: &str = "configuration";

/// The places that the configuration names, or that hold where it names none. The daemon's
/// example has the same defaults; a test holds them to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    /// The device's folder.
    pub(super) device: PathBuf,
    /// The sealed models.
    pub(super) packages: [PathBuf; 2],
    /// The key that they are signed by.
    pub(super) release_key: PathBuf,
    /// In a fleet, the key of its results.
    pub(super) result_key: Option<PathBuf>,
    /// The Unix socket, if there is to be one.
    pub(super) socket: Option<PathBuf>,
    /// The daemon's user.
    pub(super) user: String,
    /// The folder of what the daemon keeps.
    pub(super) state: PathBuf,
    /// Megabytes that the audit log may have.
    pub(super) audit_megabytes: u64,
    /// Where spans are sent, if anywhere.
    pub(super) collector: Option<String>,
    /// Whether anybody may listen to the microphone.
    pub(super) microphone: bool,
    /// The device that is wished for; empty for the system's own choice.
    pub(super) microphone_device: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct File {
    device: Device,
    model: Model,
    gate: Gate,
    listen: Listen,
    run: Run,
    state: State,
    audit: Audit,
    traces: Traces,
    microphone: Microphone,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Device {
    folder: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Model {
    size: Option<String>,
    speech: Option<PathBuf>,
    voice: Option<PathBuf>,
    release_key: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Gate {
    mode: Option<String>,
    result_key: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listen {
    unix: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Run {
    user: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct State {
    folder: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Audit {
    megabytes: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Traces {
    collector: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Microphone {
    enabled: Option<bool>,
    device: Option<String>,
}

impl Told {
    /// Reads the file, and says how it is.
    pub(super) fn load(path: &Path) -> (Told, Vec<Finding>) {
        let text = earnest_files::read(path, MAX_FILE_BYTES);
        let told = match &text {
            // What is no TOML is said by the daemon, in its own words.
            Ok(text) => Told::parse(str::from_utf8(text).unwrap_or_default()),
            Err(_) => None,
        };
        let finding = match text {
            Ok(_) => judged(path),
            Err(error) => unread(path, &error),
        };
        (told.unwrap_or_else(Told::usual), vec![finding])
    }

    /// Where everything is when nothing is said.
    pub(super) fn usual() -> Told {
        Told::from(File::default())
    }

    fn parse(text: &str) -> Option<Told> {
        toml::from_str(text).ok().map(|file: File| Told::from(file))
    }
}

impl From<File> for Told {
    fn from(file: File) -> Told {
        let or = |told: Option<PathBuf>, usual: &str| told.unwrap_or_else(|| usual.into());
        let card = match file.model.size.as_deref() {
            Some("base") => "moonshine-base-en-int8",
            _ => "moonshine-tiny-en-int8",
        };
        let speech = format!("/var/lib/earnest/models/{card}.earnest");
        let voice = "/var/lib/earnest/models/silero-vad-6.2.earnest";
        let socket = or(file.listen.unix, crate::daemon::DEFAULT_SOCKET);
        Told {
            device: or(file.device.folder, "/var/lib/earnest/device"),
            packages: [or(file.model.speech, &speech), or(file.model.voice, voice)],
            release_key: or(file.model.release_key, "/etc/earnest/release.pem"),
            result_key: match file.gate.mode.as_deref() {
                Some("fleet") => file.gate.result_key,
                _ => None,
            },
            socket: Some(socket).filter(|socket| !socket.as_os_str().is_empty()),
            user: file.run.user.unwrap_or_else(|| "earnest".to_owned()),
            state: or(file.state.folder, "/var/lib/earnest/state"),
            audit_megabytes: file.audit.megabytes.unwrap_or(64),
            collector: file.traces.collector,
            microphone: file.microphone.enabled.unwrap_or(true),
            microphone_device: file.microphone.device.unwrap_or_default(),
        }
    }
}

fn unread(path: &Path, error: &FileError) -> Finding {
    match error {
        FileError::NotFound { .. } => Finding::wrong(
            ABOUT,
            format!("{} is not there", path.display()),
            format!(
                "install the example earnestd.toml as {}, or name yours with --config",
                path.display()
            ),
        ),
        FileError::Read { error: refused, .. }
            if refused.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            Finding::warn(
                ABOUT,
                format!("{} may not be read by this user", path.display()),
                "sudo earnest doctor",
            )
        }
        error => Finding::wrong(ABOUT, describe(error), format!("ls -l {}", path.display())),
    }
}

/// What the daemon says of the file.
fn judged(path: &Path) -> Finding {
    let Some(program) = daemon_program() else {
        return Finding::warn(
            ABOUT,
            format!(
                "{} is there, and nobody checks it: earnestd is neither beside earnest nor in PATH",
                path.display()
            ),
            "install earnestd",
        );
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let asked = runtime.and_then(|runtime| runtime.block_on(ask(&program, path)));
    match asked {
        Ok((status, reason)) => verdict(path, &program, status, &reason),
        Err(error) => Finding::warn(
            ABOUT,
            format!("{} says nothing: {error}", program.display()),
            format!("{} --check --config {}", program.display(), path.display()),
        ),
    }
}

fn verdict(path: &Path, program: &Path, status: ExitStatus, reason: &str) -> Finding {
    if status.success() {
        return Finding::ok(ABOUT, format!("{} is valid", path.display()));
    }
    let reason = reason.trim();
    let reason = reason.strip_prefix("earnestd: ").unwrap_or(reason);
    Finding::wrong(
        ABOUT,
        format!("{} is refused: {reason}", path.display()),
        format!(
            "mend the file; then {} --check --config {}",
            program.display(),
            path.display()
        ),
    )
}

/// Has the daemon check the file, and gives how it ended and what it said.
async fn ask(program: &Path, path: &Path) -> std::io::Result<(ExitStatus, String)> {
    let mut child = Command::new(program)
        .arg("--check")
        .arg("--config")
        .arg(path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let said = child.stderr.take();
    let judging = async {
        let mut reason = Vec::new();
        if let Some(said) = said {
            said.take(MAX_REASON_BYTES).read_to_end(&mut reason).await?;
        }
        let status = child.wait().await?;
        Ok((status, String::from_utf8_lossy(&reason).into_owned()))
    };
    let late = || Err(std::io::ErrorKind::TimedOut.into());
    timeout(JUDGING, judging).await.unwrap_or_else(|_| late())
}

/// The daemon's program: beside this one, or where a shell would find it.
fn daemon_program() -> Option<PathBuf> {
    let beside = env::current_exe().ok();
    let beside = beside.and_then(|own| Some(own.parent()?.join("earnestd")));
    beside
        .filter(|program| program.is_file())
        .or_else(|| in_path("earnestd"))
}

/// Where a shell would find a program.
pub(super) fn in_path(name: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::super::finding::Grade;
    use super::*;

    const EXAMPLE: &str = include_str!("../../../earnestd/dist/earnestd.toml");

    #[test]
    fn the_usual_places_are_those_of_the_daemons_example() {
        assert_eq!(Told::parse(EXAMPLE).unwrap(), Told::usual());
        // The example names them, so that this holds anything at all.
        for place in ["/var/lib/earnest/device", "/run/earnest/earnest.sock"] {
            assert!(EXAMPLE.contains(place), "{place}");
        }
    }

    #[test]
    fn what_the_file_says_is_taken() {
        let told = Told::parse(
            "strange = 1\n[device]\nfolder = \"/d\"\n[model]\nsize = \"base\"\n[gate]\n\
             mode = \"fleet\"\nresult_key = \"/k\"\n[listen]\nunix = \"\"\n[run]\nuser = \"u\"\n\
             [state]\nfolder = \"/s\"\n[audit]\nmegabytes = 8\n[traces]\ncollector = \"c\"\n\
             [microphone]\nenabled = false\ndevice = \"usb\"",
        )
        .unwrap();
        assert_eq!(told.device, Path::new("/d"));
        assert!(told.packages[0].ends_with("moonshine-base-en-int8.earnest"));
        assert_eq!(told.result_key.as_deref(), Some(Path::new("/k")));
        assert_eq!((told.socket, told.user.as_str()), (None, "u"));
        assert_eq!((told.state, told.audit_megabytes), ("/s".into(), 8));
        assert_eq!(told.collector.as_deref(), Some("c"));
        assert_eq!(
            (told.microphone, told.microphone_device.as_str()),
            (false, "usb")
        );
        assert_eq!(Told::parse("= broken"), None);
    }

    #[test]
    fn the_daemons_verdict_is_told() {
        let check = |code: i32, reason: &str| {
            let status = ExitStatus::from_raw(code << 8);
            verdict(Path::new("/c"), Path::new("/bin/earnestd"), status, reason)
        };
        assert_eq!(check(0, "").grade, Grade::Ok);
        let refused = check(2, "earnestd: `listen.tls` has \"0.0.0.0:1\"\n");
        assert_eq!(refused.grade, Grade::Wrong);
        assert_eq!(
            refused.found,
            "/c is refused: `listen.tls` has \"0.0.0.0:1\""
        );
    }

    #[test]
    fn a_missing_file_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let (told, findings) = Told::load(&folder.path().join("none.toml"));
        assert_eq!(told, Told::usual());
        assert_eq!(findings[0].grade, Grade::Wrong);
        assert!(findings[0].mend.is_some());
    }
}
