//! The demo's daemon: served while the device is proven, and not a moment longer.
//!
//! The daemon runs as whoever runs the demo, on free ports and in a folder of its own, and ends
//! with the demo however that ends. Its clients are other people's: `curl`, and the `openai`
//! package as `earnest run` starts it.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::net::{Ipv6Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::clients;
use crate::listening;
use crate::setup::Mode;
use crate::shell::Program;
use crate::trust::Trust;

/// How long the daemon may take to open its gate on a machine that does much else.
const OPENING: Duration = Duration::from_secs(60);

/// From a change of the boot's measurement to a closed gate without workers.
const CLOSING: Duration = Duration::from_secs(2);

/// How long the daemon may take to end.
const ENDING: Duration = Duration::from_secs(20);

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// The boot PCR that the demo extends: what a change of the machine's Secure Boot keys changes.
const BOOT_PCR: u8 = 7;

/// The daemon's folder in what is printed: what a person pastes has no use for a folder that is
/// gone by then.
const PRINTED: &str = "/tmp/earnest-demo";

/// The client: it knows nothing of Earnest but what is in its environment.
const CLIENT: &str = "\
import sys, openai
client = openai.OpenAI(max_retries=0)
try:
    with open(sys.argv[1], 'rb') as sound:
        print(client.audio.transcriptions.create(file=sound, model='whisper-1').text)
except openai.APIStatusError as error:
    print('refused:', error.status_code, error.code)
";

/// curl with what `earnest run` gives a command: a token, and the authority to trust.
const OVER_TLS: &str = "exec curl --silent --show-error --cacert \"$CURL_CA_BUNDLE\" \
    --header \"Authorization: Bearer $OPENAI_API_KEY\" \
    --form model=whisper-1 --form response_format=text --form file=@\"$1\" \
    \"$2/v1/audio/transcriptions\"";

/// The daemon of the demo.
#[derive(Debug)]
pub(crate) struct Service {
    mode: Mode,
    running: RefCell<Option<Running>>,
}

/// A daemon that runs.
#[derive(Debug)]
struct Running {
    process: Child,
    home: TempDir,
    port: u16,
}

impl Service {
    /// A daemon that does not run yet.
    pub(crate) fn new(mode: Mode) -> Service {
        Service {
            mode,
            running: RefCell::new(None),
        }
    }

    /// Where the daemon runs, or would.
    pub(crate) fn place(&self) -> Place {
        match self.running.borrow().as_ref() {
            Some(running) => running.place(),
            None => Place(PathBuf::from(PRINTED)),
        }
    }

    /// Starts the daemon on the sealed models, and waits until its gate is open.
    pub(crate) fn start(
        &self,
        trust: &Trust,
        size: &str,
        card: &str,
        recording: &Path,
    ) -> Result<()> {
        let home = tempfile::tempdir().context("no temporary directory can be made")?;
        let port = free_port()?;
        let place = Place(match self.mode {
            Mode::Act => home.path().to_owned(),
            Mode::Print => PathBuf::from(PRINTED),
        });
        let uid = own_uid()?;
        let text = configuration(trust, size, card, &place, port, &uid);
        let configuration = place.text("earnestd.toml");
        if self.mode == Mode::Print {
            println!("mkdir -m 700 {PRINTED}");
        }
        let alsa = listening::make_device(self.mode, &place, recording)?;
        let daemon = trust.earnestd().env("ALSA_CONFIG_PATH", alsa);
        let daemon = daemon.args(["--config", &configuration]);
        if self.mode == Mode::Print {
            println!("cat > {configuration} <<'END'\n{text}END");
            println!("{daemon} &");
            return Ok(());
        }
        fs::write(&configuration, text)?;
        let started = Instant::now();
        let log = File::create(home.path().join("log"))?;
        let process = daemon.start(log)?;
        let mut running = Running {
            process,
            home,
            port,
        };
        let opened = running.wait(OPENING, || Ok(health(&place)? == 200));
        if let Err(error) = opened {
            let log = fs::read_to_string(running.home.path().join("log")).unwrap_or_default();
            bail!("the daemon does not open its gate: {error}\n{log}");
        }
        let status = status(&place)?;
        eprintln!(
            "  the gate is open {:.1} s after the start: {}",
            started.elapsed().as_secs_f64(),
            told(&status["gate"]["reason"])
        );
        eprintln!("  workers: {}", told(&status["sandbox"]));
        for listener in status["listeners"].as_array().into_iter().flatten() {
            eprintln!("  listens: {}", told(listener));
        }
        self.running.replace(Some(running));
        Ok(())
    }

    /// Has the clients ask, and gives what each of them heard, by its name.
    pub(crate) fn ask(&self, trust: &Trust, sound: &Path) -> Result<Vec<(&'static str, String)>> {
        let place = self.place();
        let port = self
            .running
            .borrow()
            .as_ref()
            .map_or(0, |running| running.port);
        let openai = place.openai(trust, sound);
        let over_unix = place.curl(sound);
        if self.mode == Mode::Print {
            for command in [openai, over_unix] {
                println!("{command}");
            }
            return Ok(Vec::new());
        }
        let over_tls = trust.earnest().args(["run", "--app", "demo", "--socket"]);
        let over_tls = over_tls
            .arg(place.socket())
            .args(["--", "sh", "-c", OVER_TLS, "sh"])
            .arg(sound.to_string_lossy())
            .arg(format!("https://localhost:{port}"));
        let asked = [
            ("the openai package, unmodified", openai),
            ("curl over the Unix socket", over_unix),
            ("curl over TLS with a token", over_tls),
        ];
        let answers = asked.into_iter().map(|(name, command)| {
            let said = command.output_quietly()?;
            Ok((name, said.trim().to_owned()))
        });
        answers.collect()
    }

    /// Measures something more into a boot PCR, and sees the gate close in time and with it all
    /// that it let out.
    pub(crate) fn change_the_boot(&self, trust: &Trust, sound: &Path) -> Result<()> {
        let tcti = match self.mode {
            Mode::Act => trust.software_tpm()?,
            Mode::Print => format!("$(cat {})", trust.software_tpm_file().display()),
        };
        let event = format!("{BOOT_PCR}:sha256={}", "5a".repeat(32));
        let extend = Program::new("tpm2_pcrextend").args(["--tcti", &tcti, &event]);
        if self.mode == Mode::Print {
            println!("{extend}");
            return Ok(());
        }
        let mut running = self.running.borrow_mut();
        let running = running.as_mut().context("the daemon does not run")?;
        let place = running.place();
        let workers = children(running.process.id())?.len();
        ensure!(workers > 0, "the daemon has no workers");
        extend.output_quietly()?;
        let changed = Instant::now();
        eprintln!("  PCR {BOOT_PCR} was extended: this is no longer the boot that was approved");
        let id = running.process.id();
        running
            .wait(CLOSING, || {
                Ok(health(&place)? == 503 && children(id)?.is_empty())
            })
            .context("the gate must close, and the workers end, within 2 s")?;
        let took = changed.elapsed().as_secs_f64();
        let status = status(&place)?;
        let gate = &status["gate"];
        ensure!(gate["open"] == false, "the gate is open: {status:#}");
        eprintln!(
            "  {took:.1} s later the gate is {}: {}",
            told(&gate["state"]),
            told(&gate["reason"])
        );
        eprintln!("  workers: {workers} before, none now");
        ensure!(
            gate["package"].is_null() && status["live_tokens"] == 0,
            "something is remembered: {status:#}"
        );
        eprintln!("  keys: the model's is forgotten, and so is every client's token");
        // Who of a user's apps asks is looked at first, until the daemon has forgotten them, too.
        let is_refused = || {
            let said = place.curl(sound).output_quietly()?;
            Ok(said.contains("device_not_proven"))
        };
        running
            .wait(CLOSING, is_refused)
            .context("a client must be refused")?;
        ensure!(
            !place.openai(trust, sound).succeeds(),
            "a client got a token of a daemon that may not serve"
        );
        eprintln!("  the same clients are refused: device_not_proven");
        Ok(())
    }

    /// The processes that the daemon has started and that run.
    pub(crate) fn processes(&self) -> Result<Vec<u32>> {
        let running = self.running.borrow();
        let running = running.as_ref().context("the daemon does not run")?;
        children(running.process.id())
    }

    /// Ends the daemon, which lets requests end first.
    pub(crate) fn stop(&self) -> Result<()> {
        let Some(mut running) = self.running.take() else {
            return Ok(());
        };
        let id = running.process.id().to_string();
        Program::new("kill").args(["-TERM", &id]).run_quietly()?;
        let deadline = Instant::now() + ENDING;
        while Instant::now() < deadline {
            if let Some(status) = running.process.try_wait()? {
                ensure!(status.success(), "the daemon ended otherwise: {status}");
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
        bail!("the daemon did not end within {ENDING:?}")
    }
}

impl Running {
    fn place(&self) -> Place {
        Place(self.home.path().to_owned())
    }

    /// Looks until it is so, while the daemon lives.
    fn wait(&mut self, patience: Duration, is_so: impl Fn() -> Result<bool>) -> Result<()> {
        let deadline = Instant::now() + patience;
        loop {
            let late = Instant::now() >= deadline;
            if is_so()? {
                return Ok(());
            }
            if let Some(status) = self.process.try_wait()? {
                bail!("the daemon ended: {status}");
            }
            ensure!(!late, "it did not happen within {patience:?}");
            thread::sleep(PAUSE);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended; either way nothing of it is left.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The folder of the daemon's own.
pub(crate) struct Place(PathBuf);

impl Place {
    pub(crate) fn text(&self, name: &str) -> String {
        self.0.join(name).to_string_lossy().into_owned()
    }

    /// What tells a command of `earnest` where the daemon is.
    pub(crate) fn at(&self) -> [String; 2] {
        ["--socket".to_owned(), self.socket()]
    }

    /// The daemon's Unix socket.
    pub(crate) fn socket(&self) -> String {
        self.text("earnest.sock")
    }

    fn state(&self) -> String {
        self.text("state")
    }

    /// curl over the Unix socket, with what all requests share.
    fn plain_curl(&self) -> Program {
        Program::new("curl")
            .args(["--silent", "--show-error", "--max-time", "60"])
            .args(["--unix-socket", &self.socket()])
    }

    /// Asks for the text of a file.
    pub(crate) fn curl(&self, sound: &Path) -> Program {
        self.plain_curl()
            .args([
                "--form",
                "model=whisper-1",
                "--form",
                "response_format=text",
            ])
            .args(["--form", &format!("file=@{}", sound.display())])
            .arg("http://localhost/v1/audio/transcriptions")
    }

    /// Asks when there is speech in a file.
    pub(crate) fn curl_for_activity(&self, sound: &Path) -> Program {
        self.plain_curl()
            .args(["--form", &format!("file=@{}", sound.display())])
            .arg("http://localhost/v1/audio/activity")
    }

    fn openai(&self, trust: &Trust, sound: &Path) -> Program {
        let run = ["run", "--app", "demo", "--socket", &self.socket(), "--"];
        trust
            .earnest()
            .args(run)
            .args([&clients::python(), "-c", CLIENT])
            .arg(sound.to_string_lossy())
    }
}

/// What the daemon's health is answered with; 0 while nobody answers.
fn health(place: &Place) -> Result<u16> {
    let curl = place
        .plain_curl()
        .args(["--output", "/dev/null", "--write-out", "%{http_code}"])
        .arg("http://localhost/health");
    let status = curl.output_if_it_succeeds();
    Ok(status.and_then(|code| code.parse().ok()).unwrap_or(0))
}

/// How the daemon says that it fares.
pub(crate) fn status(place: &Place) -> Result<Value> {
    let answer = place.plain_curl().arg("http://localhost/v1/status");
    serde_json::from_str(&answer.output_quietly()?).context("the daemon's status is no JSON")
}

/// A value in words.
fn told(value: &Value) -> String {
    match value.as_str() {
        Some(text) => text.replace('_', " "),
        None => value.to_string(),
    }
}

fn configuration(
    trust: &Trust,
    size: &str,
    card: &str,
    place: &Place,
    port: u16,
    uid: &str,
) -> String {
    let [sealed, release_key] = trust.sealed();
    let quoted = |text: &str| Value::from(text).to_string();
    let tables = [
        ("device", vec![("folder", quoted(&trust.device()))]),
        ("state", vec![("folder", quoted(&place.state()))]),
        (
            "model",
            vec![
                ("size", quoted(size)),
                ("speech", quoted(&format!("{sealed}/{card}.earnest"))),
                ("voice", quoted(&format!("{sealed}/silero-vad-6.2.earnest"))),
                ("release_key", quoted(&release_key)),
            ],
        ),
        (
            "listen",
            vec![
                ("tls", format!("[\"127.0.0.1:{port}\", \"[::1]:{port}\"]")),
                ("unix", quoted(&place.socket())),
            ],
        ),
        (
            "allow",
            vec![
                ("apps", format!("[{uid}]")),
                ("operators", format!("[{uid}]")),
                ("auditors", format!("[{uid}]")),
            ],
        ),
        ("microphone", listening::configuration()),
        (
            "run",
            // Whoever runs the demo has no user for the daemon, and may have little lockable
            // memory.
            vec![("user", quoted("root")), ("exposed_memory", quoted("warn"))],
        ),
    ];
    let mut text = String::new();
    for (table, keys) in tables {
        let _ = writeln!(text, "[{table}]");
        for (key, value) in keys {
            let _ = writeln!(text, "{key} = {value}");
        }
    }
    text
}

/// Whoever runs the demo.
pub(crate) fn own_uid() -> Result<String> {
    Ok(Program::new("id").arg("-u").output()?.trim().to_owned())
}

/// A port that is free on ::1, just now, and with it most likely on 127.0.0.1.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?.port())
}

/// The processes whose parent is this one and that have not ended (`proc_pid_stat(5)`).
fn children(parent: u32) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(id) = entry.file_name().to_str().and_then(|id| id.parse().ok()) else {
            continue;
        };
        // One that is gone by now is no child.
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let fields: Vec<&str> = rest.split(' ').take(2).collect();
        if matches!(fields[..], [state, of] if state != "Z" && of == parent.to_string()) {
            found.push(id);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_child_is_found_and_one_that_ended_is_not() {
        let own = std::process::id();
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        assert!(children(own).unwrap().contains(&child.id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!children(own).unwrap().contains(&child.id()));
    }

    #[test]
    fn words_are_told_without_their_lines() {
        assert_eq!(
            told(&Value::from("measurement_changed")),
            "measurement changed"
        );
        assert_eq!(told(&Value::from(3)), "3");
    }
}
