//! The daemon as a process of a test's own.

use std::fs::{self, File};
use std::net::{Ipv6Addr, TcpListener};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getuid};
use serde_json::Value;

use crate::curl::Curl;
use crate::device::{DEVICE, sealed_device};
use crate::sides::Sides;
use crate::support::program;
use crate::wait::{PATIENCE, wait_for, wait_to_see};

/// How the daemon ends where it cannot listen (`earnestd --help`).
const CANNOT_LISTEN: i32 = 4;

/// Ports are asked of the kernel and given back before the daemon takes them: somebody may be
/// faster, but not this often.
const MOST_STARTS: usize = 5;

/// Thresholds past what any flood reaches, for tests whose many requests are the daemon's to
/// take and not the watch's.
pub(crate) const NOBODY_WATCHES: &str =
    "[anomalies]\nalert = 1e7\nthrottle = 1e8\nquarantine = 1e9";

/// What a test wants otherwise than usual.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// What every program is started by: nothing, or what enters another network.
    pub(crate) through: Vec<String>,
    /// What the daemon alone is started by, behind that: nothing, or what gives it another clock.
    pub(crate) started_by: Vec<String>,
    /// Where the daemon keeps its state; in the test's own folder where nothing is said.
    pub(crate) state: Option<PathBuf>,
    /// A listener for clear text, too.
    pub(crate) clear_text: bool,
    /// More of the table `[listen]`.
    pub(crate) listen: String,
    /// More of the table `[gate]`; local mode where there is none.
    pub(crate) gate: String,
    /// More of the table `[workers]`.
    pub(crate) workers: String,
    /// More of the table `[limits]`.
    pub(crate) limits: String,
    /// The table `[apps]`: what a test needs that is not about limits, unless told otherwise.
    pub(crate) apps: String,
    /// Whole tables besides.
    pub(crate) tables: String,
    /// Whether the gate is expected to open by itself.
    pub(crate) opens: bool,
}

impl Default for Wish {
    fn default() -> Wish {
        Wish {
            through: Vec::new(),
            started_by: Vec::new(),
            state: None,
            clear_text: false,
            listen: String::new(),
            gate: "mode = \"local\"".to_owned(),
            workers: String::new(),
            limits: String::new(),
            apps: "per_minute = 6000\nburst = 1000\ndaily_minutes = 14400\nat_once = 16".to_owned(),
            tables: String::new(),
            opens: true,
        }
    }
}

/// A daemon that runs on a device of its own. It ends with this value, and so does its TPM.
pub(crate) struct Earnestd {
    /// The device and its fleet.
    pub(crate) sides: Sides,
    wish: Wish,
    port: u16,
    clear_port: u16,
    process: Option<Child>,
    manager: UnixDatagram,
}

impl Earnestd {
    /// A daemon as a test wants it, ready.
    pub(crate) fn start(wish: Wish) -> Earnestd {
        let sides = sealed_device(&wish.through);
        fs::create_dir(sides.path("run")).expect("the folder is new");
        let manager = UnixDatagram::bind(sides.path("manager")).expect("the path is free");
        let timeout = manager.set_read_timeout(Some(Duration::from_millis(50)));
        timeout.expect("the time is not zero");
        let mut daemon = Earnestd {
            sides,
            wish,
            port: 0,
            clear_port: 0,
            process: None,
            manager,
        };
        for _ in 0..MOST_STARTS {
            (daemon.port, daemon.clear_port) = (free_port(), free_port());
            fs::write(daemon.configuration(), daemon.written()).expect("there is room");
            if daemon.try_to_run() {
                return daemon;
            }
        }
        panic!("somebody takes every port: {}", daemon.log());
    }

    /// One as usual.
    pub(crate) fn usual() -> Earnestd {
        Earnestd::start(Wish::default())
    }

    /// Starts it again, which must not run, where it was.
    pub(crate) fn run_again(&mut self) {
        assert!(self.try_to_run(), "{}", self.log());
    }

    /// Starts it and waits until it is ready. Says no if it could not listen.
    fn try_to_run(&mut self) -> bool {
        let log = File::create(self.sides.path("daemon.log")).expect("there is room");
        let process = self
            .command()
            .env("NOTIFY_SOCKET", self.sides.path("manager"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the daemon is built");
        self.process = Some(process);
        let ready = wait_for("the daemon is ready", || {
            if let Some(status) = self.ended() {
                return Some(Err(status));
            }
            self.told().contains("READY=1").then_some(Ok(()))
        });
        match ready {
            Ok(()) => {}
            Err(status) if status.code() == Some(CANNOT_LISTEN) => return false,
            Err(status) => panic!("the daemon ended, {status}: {}", self.log()),
        }
        if self.wish.opens {
            wait_to_see(200, || self.curl().get("/health").status);
        }
        true
    }

    /// `earnestd` with this daemon's configuration.
    pub(crate) fn command(&self) -> Command {
        let mut words = self.wish.started_by.iter();
        let mut command = match words.next() {
            Some(first) => {
                let mut command = self.sides.command(first);
                command.args(words).arg(program("earnestd"));
                command
            }
            None => self.sides.command(program("earnestd")),
        };
        command.arg("--config").arg(self.configuration());
        command
    }

    /// `earnest`, for this daemon and its device.
    pub(crate) fn earnest(&self) -> Command {
        let mut command = self.sides.command(program("earnest"));
        command
            .env("EARNEST_DEVICE", self.sides.path(DEVICE))
            .env("EARNEST_SOCKET", self.socket())
            .env_remove("EARNEST_MODELS");
        command
    }

    /// The next thing that the service manager was told, if any came.
    fn told(&self) -> String {
        let mut told = [0; 4096];
        match self.manager.recv(&mut told) {
            Ok(length) => String::from_utf8_lossy(&told[..length]).into_owned(),
            Err(_) => String::new(),
        }
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        let process = self.process.as_mut()?;
        let ended = process.try_wait().expect("it is our child");
        if ended.is_some() {
            self.process = None;
        }
        ended
    }

    /// Waits until it has ended.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait_for("the daemon ends", || self.ended())
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid() as i32), signal).expect("it runs");
    }

    /// Its process id, while it runs.
    pub(crate) fn pid(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// What it logged.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.sides.path("daemon.log")).unwrap_or_default()
    }

    /// Its Unix socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.sides.path("run/earnest.sock")
    }

    /// The certificate that clients of its TLS listeners trust.
    pub(crate) fn authority(&self) -> PathBuf {
        self.sides.path("run/authority.pem")
    }

    /// Its port for TLS, on both loopback addresses.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Its port for clear text, where that was wished for.
    pub(crate) fn clear_port(&self) -> u16 {
        self.clear_port
    }

    fn configuration(&self) -> PathBuf {
        self.sides.path("earnestd.toml")
    }

    /// A curl that asks over the Unix socket.
    pub(crate) fn curl(&self) -> Curl {
        Curl::over_unix(self.sides.command("curl"), &self.socket())
    }

    /// A curl that asks over TLS and trusts the device's authority.
    pub(crate) fn curl_tls(&self) -> Curl {
        let url = format!("https://localhost:{}", self.port);
        Curl::over_tls(self.sides.command("curl"), &url, &self.authority())
    }

    /// A curl that asks over TLS with a token for an app of this name.
    pub(crate) fn curl_of(&self, app: &str) -> Curl {
        self.curl_tls()
            .header(&format!("Authorization: Bearer {}", self.token(app)))
    }

    /// A token for an app of this name.
    pub(crate) fn token(&self, app: &str) -> String {
        let asked = self
            .curl()
            .post_json("/v1/token", &format!("{{\"app\":\"{app}\"}}"));
        let answer = asked.json(200);
        answer["token"].as_str().expect("it is a text").to_owned()
    }

    /// What an operator is told.
    pub(crate) fn status(&self) -> Value {
        self.curl().get("/v1/status").json(200)
    }

    /// One of the operator's counts.
    pub(crate) fn count(&self, name: &str) -> u64 {
        let status = self.status();
        let count = status["counters"][name].as_u64();
        count.unwrap_or_else(|| panic!("no count {name} in {status:#}"))
    }

    /// Waits until the gate is in this state, and says how long that took.
    pub(crate) fn see_gate(&self, state: &str) -> Duration {
        let since = Instant::now();
        wait_to_see(state.to_owned(), || {
            let status = self.status();
            status["gate"]["state"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        });
        since.elapsed()
    }

    fn written(&self) -> String {
        let text = |path: &str| toml::Value::from(self.sides.text(path)).to_string();
        let Wish {
            listen,
            gate,
            workers,
            limits,
            apps,
            tables,
            ..
        } = &self.wish;
        let clear_text = match self.wish.clear_text {
            true => format!("\"127.0.0.1:{}\"", self.clear_port),
            false => String::new(),
        };
        format!(
            "[device]\nfolder = {device}\n\
             [state]\nfolder = {state}\n\
             [model]\nspeech = {speech}\nvoice = {voice}\nrelease_key = {key}\n\
             [gate]\n{gate}\n\
             [listen]\ntls = [\"127.0.0.1:{port}\", \"[::1]:{port}\"]\nunix = {socket}\n\
             clear_text = [{clear_text}]\n{listen}\n\
             [allow]\napps = [{uid}]\noperators = [{uid}]\nauditors = [{uid}]\n\
             [apps]\n{apps}\n\
             [workers]\nthreads = 1\n{workers}\n\
             [limits]\n{limits}\n\
             [run]\nuser = \"root\"\nexposed_memory = \"warn\"\n\
             {tables}\n",
            device = text(DEVICE),
            state = match &self.wish.state {
                Some(folder) => toml::Value::from(folder.to_string_lossy().as_ref()).to_string(),
                None => text("state"),
            },
            speech = text("sealed/moonshine-tiny-en-int8.earnest"),
            voice = text("sealed/silero-vad-6.2.earnest"),
            key = text("keys/release-1.pub.pem"),
            socket = text("run/earnest.sock"),
            port = self.port,
            // In a network of its own, a user's programs find themselves root.
            uid = match self.wish.through.is_empty() {
                true => getuid().as_raw(),
                false => 0,
            },
        )
    }

    /// Has the next run be started by something else.
    pub(crate) fn start_by(&mut self, words: &[&str]) {
        self.wish.started_by = words.iter().map(|&word| word.to_owned()).collect();
    }

    /// Has the next run be one whose gate is expected to open by itself, or not to.
    pub(crate) fn expect_to_open(&mut self, opens: bool) {
        self.wish.opens = opens;
    }

    /// Has the next run be that of a device in a fleet.
    pub(crate) fn become_one_of_a_fleet(&mut self, grace_seconds: u64) {
        let key = toml::Value::from(self.sides.text("keys/result-1.pub.pem"));
        self.wish.gate =
            format!("mode = \"fleet\"\nresult_key = {key}\ngrace_seconds = {grace_seconds}");
        self.expect_to_open(false);
        fs::write(self.configuration(), self.written()).expect("there is room");
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it is our child");
            process.wait().expect("it is our child");
        }
    }
}

impl Drop for Earnestd {
    fn drop(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        let _ = kill(Pid::from_raw(process.id() as i32), Signal::SIGTERM);
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if !matches!(process.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = process.kill();
        let _ = process.wait();
        if !std::thread::panicking() {
            panic!("the daemon did not end when it was told to");
        }
    }
}

/// A port that is free on ::1, just now, and with it most likely on 127.0.0.1.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("it listens").port()
}
