//! A daemon on the bench: a device with a software TPM in a folder of its own, the real
//! programs, and a client that costs nothing: HTTP/1.1 written by hand on the Unix socket.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use earnest_package::VOICE_CARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::http::Door;
use crate::places::{self, Model};

/// Longer than any start takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Between two looks whether the gate is open: what a start is measured to.
const PAUSE: Duration = Duration::from_millis(2);

/// Seconds that an authenticator shows a code (RFC 6238, section 5.2).
const STEP: u64 = 30;

/// How much the daemon lets an application take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Granted {
    /// So much that the work decides, not the limits.
    Plenty,
    /// What it is by default.
    Default,
}

/// Scores that nothing reaches.
const UNWATCHED: &str =
    "anomalies.alert = 8e8\nanomalies.throttle = 9e8\nanomalies.quarantine = 1e9";

/// Connections that the daemon serves at once where it grants plenty: 250 of one user's.
const CONNECTIONS: usize = 800;

/// A provisioned device with sealed models and no daemon yet.
pub(crate) struct Device {
    home: TempDir,
    programs: PathBuf,
    model: Model,
    threads: usize,
}

impl Device {
    /// Provisions a device, seals the models and approves its state.
    pub(crate) fn new(model: Model, threads: usize) -> Result<Device> {
        let programs = std::env::current_exe()?;
        let programs = programs
            .parent()
            .context("this program lies in no folder")?;
        let device = Device {
            home: tempfile::tempdir()?,
            programs: programs.to_owned(),
            model,
            threads,
        };
        device.prepare(model)?;
        Ok(device)
    }

    fn path(&self, name: &str) -> String {
        self.home.path().join(name).to_string_lossy().into_owned()
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command.env("EARNEST_DEVICE", self.path("device"));
        command
    }

    fn run(&self, name: &str, line: &str) -> Result<()> {
        // A word that begins with "@" is a file of the device's.
        let words = line
            .split_whitespace()
            .map(|word| match word.strip_prefix('@') {
                Some(file) => self.path(file),
                None => word.to_owned(),
            });
        let output = self.program(name).args(words).output();
        let output = output.with_context(|| format!("cannot run {name}; build it first"))?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{name} {line}: {told}");
        Ok(())
    }

    fn prepare(&self, model: Model) -> Result<()> {
        let models = places::model_directory(model.card())?;
        let models = models
            .parent()
            .context("a model lies in a folder of models")?;
        let (models, size) = (models.display(), model.name());
        let nonce = "00".repeat(32);
        self.run("earnest-fleet", "keys init --keys @keys")?;
        let first = "policy allow-version --first --version 1 --keys @keys --out @first";
        self.run("earnest-fleet", first)?;
        let provision = "tpm provision --root @keys/root.pub.pem --first-version @first";
        self.run("earnest", provision)?;
        let keys = "--release-key @keys/release-1.key.pem --out @sealed";
        let seal = format!("model seal --model {size} --models {models} {keys}");
        self.run("earnest", &seal)?;
        self.run(
            "earnest",
            &format!("attest --nonce {nonce} --out @approved"),
        )?;
        let sign = "policy sign --version 1 --evidence @approved/evidence.cbor --any-device";
        self.run(
            "earnest-fleet",
            &format!("{sign} --keys @keys --out @policy"),
        )?;
        self.run("earnest", "tpm policy @policy")
    }

    fn configuration(&self, granted: Granted, port: u16) -> Result<String> {
        let user = nix::unistd::getuid().as_raw();
        let (model, threads) = (self.model, self.threads);
        let mut text = String::new();
        writeln!(text, "device.folder = {:?}", self.path("device"))?;
        writeln!(text, "state.folder = {:?}", self.path("state"))?;
        writeln!(text, "model.size = {:?}", model.name())?;
        let package = |card: &str| self.path(&format!("sealed/{card}.earnest"));
        writeln!(text, "model.speech = {:?}", package(model.card()))?;
        writeln!(text, "model.voice = {:?}", package(VOICE_CARD))?;
        let key = self.path("keys/release-1.pub.pem");
        writeln!(text, "model.release_key = {key:?}")?;
        writeln!(text, "listen.tls = [\"127.0.0.1:{port}\"]")?;
        writeln!(text, "listen.unix = {:?}", self.path("earnest.sock"))?;
        writeln!(text, "allow.apps = [{user}]\nallow.operators = [{user}]")?;
        if granted == Granted::Plenty {
            writeln!(text, "listen.connections = {CONNECTIONS}")?;
            writeln!(text, "apps.per_minute = 6000\napps.burst = 1000")?;
            writeln!(text, "apps.daily_minutes = 14400\napps.at_once = 16")?;
        }
        writeln!(text, "apps.token_seconds = 86400")?;
        // Nobody honest sends one clip a thousand times.
        writeln!(text, "{UNWATCHED}")?;
        writeln!(text, "workers.threads = {threads}\nrun.user = \"root\"")?;
        writeln!(text, "run.exposed_memory = \"warn\"")?;
        Ok(text)
    }

    /// Starts a daemon that grants plenty, and waits until it serves.
    pub(crate) fn start(&self) -> Result<Daemon> {
        self.start_granting(Granted::Plenty)
    }

    /// The same with these limits.
    pub(crate) fn start_granting(&self, granted: Granted) -> Result<Daemon> {
        self.start_with(granted, "", &[])
    }

    /// One that grants plenty, with a microphone that is configured by `lines` and found by the
    /// variables of `environment`.
    pub(crate) fn start_hearing(
        &self,
        lines: &str,
        environment: &[(&str, PathBuf)],
    ) -> Result<Daemon> {
        self.start_with(Granted::Plenty, lines, environment)
    }

    fn start_with(
        &self,
        granted: Granted,
        lines: &str,
        environment: &[(&str, PathBuf)],
    ) -> Result<Daemon> {
        let port = free_port()?;
        let text = self.configuration(granted, port)? + lines;
        fs::write(self.path("earnestd.toml"), text)?;
        let log = fs::File::create(self.path("log"))?;
        let begin = Instant::now();
        let process = self
            .program("earnestd")
            .args(["--config", &self.path("earnestd.toml")])
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("cannot run earnestd; build it first")?;
        let mut daemon = Daemon {
            process,
            socket: PathBuf::from(self.path("earnest.sock")),
            port,
            until_ready: Duration::ZERO,
        };
        while !daemon.is_up() {
            let told = || fs::read_to_string(self.path("log")).unwrap_or_default();
            ensure!(begin.elapsed() < PATIENCE, "no open gate: {}", told());
            if let Some(status) = daemon.process.try_wait()? {
                bail!("earnestd ended with {status}: {}", told());
            }
            std::thread::sleep(PAUSE);
        }
        daemon.until_ready = begin.elapsed();
        Ok(daemon)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        // The software TPM outlives the commands that use it.
        let _ = self.program("earnest").args(["tpm", "stop"]).output();
    }
}

/// A daemon that serves.
pub(crate) struct Daemon {
    process: Child,
    socket: PathBuf,
    port: u16,
    /// From its start to an open gate.
    pub(crate) until_ready: Duration,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Daemon {
    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// Its ways in.
    pub(crate) fn doors(&self) -> [Door; 2] {
        let tls = Door::Tls {
            port: self.port,
            authority: self.socket.with_file_name("authority.pem"),
        };
        [Door::Unix(self.socket.clone()), tls]
    }

    fn is_up(&self) -> bool {
        self.ask("GET /health", "", &[]).is_ok()
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its Unix socket.
    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// Registers an application of this user that may have text of its own sound and of the
    /// microphone's, as an operator with a second factor.
    pub(crate) fn add_listener(&self, app: &str) -> Result<()> {
        let enrolled = self.ask("POST /v1/operators/enrol", "", &[])?;
        let secret = enrolled["secret"].as_str().context("there is no secret")?;
        // A code is good once, and those of the steps before and after are good, too.
        let step = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() / STEP;
        let json = "content-type: application/json\r\n";
        let body = json!({ "code": code(secret, step)? }).to_string();
        self.ask("POST /v1/operators/confirm", json, body.as_bytes())?;
        let head = format!(
            "{json}earnest-second-factor: {}\r\n",
            code(secret, step + 1)?
        );
        let body = json!({
            "name": app, "uids": [nix::unistd::getuid().as_raw()],
            "scopes": ["transcribe", "listen"],
            "limits": {"per_minute": 6000, "burst": 1000, "at_once": 16},
        });
        self.ask("POST /v1/apps", &head, body.to_string().as_bytes())
            .map(drop)
    }

    /// A token for an application of this name.
    pub(crate) fn token(&self, app: &str) -> Result<String> {
        let body = format!("{{\"app\":\"{app}\"}}");
        let head = "content-type: application/json\r\n";
        let answer = self.ask("POST /v1/token", head, body.as_bytes())?;
        let token = answer["token"]
            .as_str()
            .context("an answer without a token")?;
        Ok(token.to_owned())
    }

    /// The text of a file, as the bearer of `token`.
    pub(crate) fn transcribe(&self, token: &str, file: &[u8]) -> Result<String> {
        let answer = self.ask(TRANSCRIBE, &form_head(token), &form(file))?;
        let text = answer["text"]
            .as_str()
            .context("an answer without a text")?;
        Ok(text.to_owned())
    }

    fn ask(&self, what: &str, head: &str, body: &[u8]) -> Result<Value> {
        let mut stream = UnixStream::connect(&self.socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let length = body.len();
        let head = format!(
            "{what} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{head}\
             content-length: {length}\r\n\r\n"
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.context("an answer without an end of its head")?;
        let told = String::from_utf8_lossy(&answer);
        ensure!(answer.starts_with(b"HTTP/1.1 2"), "refused: {told}");
        match &answer[end + 4..] {
            b"" => Ok(Value::Null),
            body => serde_json::from_slice(body).context("an answer that is no JSON"),
        }
    }

    /// Bytes of memory of the daemon and its workers together, each shared page counted once.
    pub(crate) fn memory(&self) -> Result<Vec<u64>> {
        let mut processes = vec![self.process.id()];
        processes.extend(children(self.process.id())?);
        // One that has just ended has no memory.
        let bytes = processes
            .into_iter()
            .filter_map(|process| proportional(process).ok());
        Ok(bytes.collect())
    }
}

/// A request for text.
pub(crate) const TRANSCRIBE: &str = "POST /v1/audio/transcriptions";

/// A form with a file.
pub(crate) fn form(file: &[u8]) -> Vec<u8> {
    let mut body = b"--part\r\ncontent-disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\
        \r\n--part\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n"
        .to_vec();
    body.extend_from_slice(file);
    body.extend_from_slice(b"\r\n--part--\r\n");
    body
}

/// What its head says of it and of the bearer of `token`.
pub(crate) fn form_head(token: &str) -> String {
    format!("content-type: multipart/form-data; boundary=part\r\nauthorization: Bearer {token}\r\n")
}

/// The code of an authenticator at a step.
fn code(secret: &str, step: u64) -> Result<String> {
    let time = format!("@{}", step * STEP);
    let mut oathtool = Command::new("oathtool");
    let output = oathtool
        .args(["--totp", "--base32", "--now", &time, secret])
        .output();
    let output = output.context("cannot run oathtool; install it first")?;
    ensure!(output.status.success(), "oathtool gave no code");
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// A port of 127.0.0.1 that is free just now.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?.port())
}

/// The processes that this one started, by whichever of its threads.
pub(crate) fn children(process: u32) -> Result<Vec<u32>> {
    let mut found = Vec::new();
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let list = fs::read_to_string(thread?.path().join("children")).unwrap_or_default();
        found.extend(
            list.split_whitespace()
                .filter_map(|child| child.parse::<u32>().ok()),
        );
    }
    Ok(found)
}

/// The proportional set size of a process (`proc(5)`, `smaps_rollup`), in bytes.
pub(crate) fn proportional(process: u32) -> Result<u64> {
    let path = format!("/proc/{process}/smaps_rollup");
    let text = fs::read_to_string(Path::new(&path))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next());
    let kibibytes: u64 = kibibytes.context("no proportional size")?.parse()?;
    Ok(kibibytes * 1024)
}
