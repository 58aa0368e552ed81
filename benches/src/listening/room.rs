//! A sound server of the bench's own, with a sink that plays into its microphone: a real clock.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use tempfile::TempDir;

use crate::sound::RATE;

const SINK: [&str; 4] = [
    "module-null-sink",
    "sink_name=mic",
    "rate=16000",
    "channels=1",
];

/// Longer than a server takes to start.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a player holds back. What it lacks is played as silence and makes all that follows late,
/// so it is enough for a machine that does much else.
const PLAYS: [&str; 2] = ["--latency-msec=200", "--process-time-msec=20"];
/// What a recorder holds back.
const RECORDS: [&str; 2] = ["--latency-msec=40", "--process-time-msec=10"];

/// Sound from here on is the beginning of something, in steps of 16 bits: 30 dB over the room.
const LOUD: i16 = 330;

/// What is quiet for so long has ended.
const PAUSE: usize = RATE;

/// Ended with the process.
pub(super) struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The server.
pub(super) struct Room {
    // The server ends before its folder.
    _server: Ended,
    folder: TempDir,
}

impl Room {
    pub(super) fn open() -> Result<Room> {
        let folder = tempfile::tempdir()?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700))?;
        // Nobody but the bench starts a server, whoever runs it.
        fs::write(folder.path().join("client.conf"), "autospawn = no\n")?;
        let mut server = command(&folder, "pulseaudio");
        server.args(["-n", "--exit-idle-time=-1", "--use-pid-file=no"]);
        server.args(["-L", "module-native-protocol-unix"]);
        server.args(["-L", &SINK.join(" ")]);
        let server = Ended(server.spawn().context("cannot run pulseaudio")?);
        let room = Room {
            _server: server,
            folder,
        };
        let begin = Instant::now();
        while room.control(&["info"]).is_err() {
            ensure!(begin.elapsed() < PATIENCE, "the sound server says nothing");
            thread::sleep(Duration::from_millis(10));
        }
        Ok(room)
    }

    pub(super) fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        environment(&self.folder).into()
    }

    fn control(&self, arguments: &[&str]) -> Result<()> {
        let mut pactl = command(&self.folder, "pactl");
        let status = pactl.args(arguments).status();
        let status = status.context("cannot run pactl")?;
        ensure!(status.success(), "pactl {arguments:?}: {status}");
        Ok(())
    }

    /// Takes the microphone away.
    pub(super) fn unplug(&self) -> Result<()> {
        self.control(&["unload-module", SINK[0]])
    }

    /// Brings it back.
    pub(super) fn plug(&self) -> Result<()> {
        self.control(&[&["load-module"], &SINK[..]].concat())
    }

    /// A player, which plays what it is written.
    pub(super) fn player(&self) -> Result<(Ended, ChildStdin)> {
        let mut player = command(&self.folder, "pacat");
        player.args(["--playback", "--device=mic", "--raw", "--format=s16le"]);
        player.args(["--rate=16000", "--channels=1"]).args(PLAYS);
        let player = player.stdin(Stdio::piped()).spawn();
        let mut player = Ended(player.context("cannot run pacat")?);
        let input = player.0.stdin.take().context("it is piped")?;
        Ok((player, input))
    }

    /// The server's own recorder, which says when it heard something begin.
    pub(super) fn recorder(&self) -> Result<Recorder> {
        let mut recorder = command(&self.folder, "pacat");
        recorder.args(["--record", "--device=mic.monitor", "--raw"]);
        recorder.args(["--format=s16le", "--rate=16000", "--channels=1"]);
        recorder.args(RECORDS);
        let recorder = recorder.stdout(Stdio::piped()).spawn();
        let mut process = Ended(recorder.context("cannot run pacat")?);
        let mut output = process.0.stdout.take().context("it is piped")?;
        let (sender, beginnings) = channel();
        thread::spawn(move || {
            let (mut buffer, mut beginning) = ([0; 640], Beginnings::default());
            // The end of the process is the end of what it writes.
            while output.read_exact(&mut buffer).is_ok() {
                let now = Instant::now();
                let (samples, _) = buffer.as_chunks::<2>();
                for sample in samples {
                    if beginning.is_one(i16::from_le_bytes(*sample)) && sender.send(now).is_err() {
                        return;
                    }
                }
            }
        });
        Ok(Recorder {
            _process: process,
            beginnings,
        })
    }
}

/// Who records, until it is dropped.
pub(super) struct Recorder {
    _process: Ended,
    beginnings: Receiver<Instant>,
}

impl Recorder {
    /// When each beginning so far was heard.
    pub(super) fn heard(&self) -> Vec<Instant> {
        self.beginnings.try_iter().collect()
    }
}

/// Finds where sound begins after a pause.
struct Beginnings {
    quiet: usize,
}

impl Default for Beginnings {
    fn default() -> Beginnings {
        Beginnings { quiet: PAUSE }
    }
}

impl Beginnings {
    /// Whether something begins with the next sample.
    fn is_one(&mut self, sample: i16) -> bool {
        if sample.unsigned_abs() < LOUD.unsigned_abs() {
            self.quiet += 1;
            return false;
        }
        std::mem::take(&mut self.quiet) >= PAUSE
    }
}

/// Where something begins in `pcm`, by the recorder's rule.
pub(super) fn beginnings(pcm: &[i16]) -> Vec<usize> {
    let mut beginnings = Beginnings::default();
    let all = pcm.iter().enumerate();
    all.filter(|(_, sample)| beginnings.is_one(**sample))
        .map(|(index, _)| index)
        .collect()
}

/// How long each beginning took from being handed over to being heard.
pub(super) fn delays(said: &[Instant], heard: &[Instant]) -> Result<Vec<Duration>> {
    if said.len() != heard.len() {
        bail!(
            "{} sounds were played, {} recorded",
            said.len(),
            heard.len()
        );
    }
    let pairs = said.iter().zip(heard);
    Ok(pairs
        .map(|(said, heard)| heard.saturating_duration_since(*said))
        .collect())
}

fn environment(folder: &TempDir) -> [(&'static str, PathBuf); 3] {
    let folder = folder.path();
    [
        ("XDG_RUNTIME_DIR", folder.to_owned()),
        ("HOME", folder.to_owned()),
        ("PULSE_CLIENTCONFIG", folder.join("client.conf")),
    ]
}

fn command(folder: &TempDir, program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(environment(folder));
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_begins_after_a_pause_alone() {
        let mut pcm = vec![0; 3 * PAUSE];
        for index in [10, 20, PAUSE, 2 * PAUSE + 1] {
            pcm[index] = -LOUD;
        }
        assert_eq!(beginnings(&pcm), [10, 2 * PAUSE + 1]);
    }
}
