//! A sound server of the test's own: its sink plays into its microphone, which has a real clock.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::earnestd::Wish;
use crate::house::PATIENT;
use crate::reader::env;
use crate::wait::wait_until;

/// The module that is the sink.
const SINK: &str = "module-null-sink";

/// The server's folder and, while it runs, the server. It ends with this value.
pub(crate) struct Server {
    folder: TempDir,
    sink: Vec<String>,
    process: Option<Child>,
}

impl Server {
    /// With a sink of this rate and so many channels.
    pub(crate) fn start(rate: u32, channels: u32) -> Server {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let only_us = fs::Permissions::from_mode(0o700);
        fs::set_permissions(folder.path(), only_us).expect("it is ours");
        // Nobody but the test starts a server, whoever runs it.
        fs::write(folder.path().join("client.conf"), "autospawn = no\n").expect("it is ours");
        let sink = [
            SINK.to_owned(),
            "sink_name=mic".to_owned(),
            format!("rate={rate}"),
            format!("channels={channels}"),
        ];
        let mut server = Server {
            folder,
            sink: sink.to_vec(),
            process: None,
        };
        server.resume();
        server
    }

    /// Starts the server, with its sink.
    pub(crate) fn resume(&mut self) {
        let mut command = self.command("pulseaudio");
        command.args(["-n", "--exit-idle-time=-1", "--use-pid-file=no"]);
        command.args(["-L", "module-native-protocol-unix"]);
        let process = command.args(["-L", &self.sink.join(" ")]).spawn();
        self.process =
            Some(process.expect("pulseaudio is installed: `cargo xtask test` does that"));
        wait_until("the server answers", || {
            let answers = self.command("pactl").arg("info").status();
            answers.expect("pactl is installed").success()
        });
    }

    /// Kills the server.
    pub(crate) fn end(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it is alive");
            process.wait().expect("it was killed");
        }
    }

    /// Takes the sink away, and the microphone with it.
    pub(crate) fn unplug(&self) {
        self.control(&["unload-module", SINK]);
    }

    pub(crate) fn plug(&self) {
        let sink = self.sink.iter().map(String::as_str);
        let words: Vec<&str> = std::iter::once("load-module").chain(sink).collect();
        self.control(&words);
    }

    /// How many record from it.
    pub(crate) fn recorders(&self) -> usize {
        let told = self.control(&["list", "short", "source-outputs"]);
        told.lines().count()
    }

    /// Plays samples of 16 bits at 16 kHz for as long as it takes.
    pub(crate) fn play(&self, pcm: &[u8]) {
        let mut command = self.command("paplay");
        command.args([
            "--device=mic",
            "--raw",
            "--format=s16le",
            "--latency-msec=100",
        ]);
        let player = command.args(["--rate=16000", "--channels=1"]);
        let mut player = player
            .stdin(Stdio::piped())
            .spawn()
            .expect("paplay is installed");
        let mut input = player.stdin.take().expect("it is piped");
        input.write_all(pcm).expect("it takes it");
        drop(input);
        assert!(player.wait().expect("it ends").success());
    }

    /// A daemon that hears it.
    pub(crate) fn wish(&self) -> Wish {
        Wish {
            started_by: env(&self.environment()),
            tables: format!("[microphone]\n{PATIENT}"),
            ..Wish::default()
        }
    }

    fn control(&self, words: &[&str]) -> String {
        let mut command = self.command("pactl");
        let output = command.args(words).stdout(Stdio::piped()).output();
        let output = output.expect("pactl is installed");
        assert!(output.status.success(), "{words:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(self.environment());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    fn environment(&self) -> [(&'static str, PathBuf); 3] {
        let folder = self.folder.path();
        [
            ("XDG_RUNTIME_DIR", folder.to_owned()),
            ("HOME", folder.to_owned()),
            ("PULSE_CLIENTCONFIG", folder.join("client.conf")),
        ]
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
