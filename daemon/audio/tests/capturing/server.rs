//! A sound server of the test's own, with a sink that plays into its microphone: a real clock. It
//! is spoken to directly, and through ALSA's plugin where somebody says so.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use earnest_audio::{
    CaptureProgram, Loss, Microphone, MicrophoneOptions, Sounding, devices, level,
};
use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::house::{AT_ONCE, alsa, lost, next, opened, program, trial, wait_until};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("what_is_played_is_heard_in_its_time", || {
            played(Way::Direct)
        }),
        trial("what_is_played_is_heard_through_alsa", || {
            played(Way::Plugin)
        }),
        trial(
            "a_sound_server_that_ends_and_is_back_is_heard_again",
            || restarted(Way::Direct),
        ),
        trial(
            "a_sound_server_behind_alsa_that_ends_and_is_back_is_heard_again",
            || restarted(Way::Plugin),
        ),
        trial("a_device_that_is_unplugged_and_back_is_heard_again", || {
            unplugged(Way::Direct)
        }),
        trial(
            "a_device_behind_alsa_that_is_unplugged_and_back_is_heard_again",
            || unplugged(Way::Plugin),
        ),
        trial("the_devices_of_a_sound_server_are_told", || {
            told(Way::Direct)
        }),
        trial("the_devices_behind_alsa_are_told", || told(Way::Plugin)),
    ]
}

const SINK: [&str; 4] = [
    "module-null-sink",
    "sink_name=mic",
    "rate=16000",
    "channels=1",
];

/// How the server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By its own protocol.
    Direct,
    /// By the device that a configuration of ALSA's names.
    Plugin,
}

impl Way {
    /// What becomes of an attempt while the device is not there.
    fn absent(self) -> Loss {
        match self {
            Way::Direct => Loss::NoDevice,
            Way::Plugin => Loss::Failed,
        }
    }
}

/// The server's folder and, while it runs, the server.
struct Server {
    way: Way,
    folder: TempDir,
    process: Option<Child>,
}

impl Server {
    fn start(way: Way) -> Server {
        let folder = tempfile::tempdir().expect("a folder for tests");
        let only_us = fs::Permissions::from_mode(0o700);
        fs::set_permissions(folder.path(), only_us).expect("it is ours");
        // Nobody but the test starts a server, whoever runs it.
        fs::write(folder.path().join("client.conf"), "autospawn = no\n").expect("it is ours");
        let device = "pcm.!default { type pulse device \"mic.monitor\" }";
        alsa(folder.path(), device);
        let mut server = Server {
            way,
            folder,
            process: None,
        };
        server.resume();
        server
    }

    /// Starts the server, with its sink.
    fn resume(&mut self) {
        let mut command = self.command("pulseaudio");
        command.args(["-n", "--exit-idle-time=-1", "--use-pid-file=no"]);
        command.args(["-L", "module-native-protocol-unix"]);
        let process = command.args(["-L", &SINK.join(" ")]).spawn();
        self.process = Some(process.expect("pulseaudio is installed"));
        wait_until("the server answers", || {
            let answers = self.command("pactl").arg("info").status();
            answers.expect("pactl is installed").success()
        });
    }

    /// Kills the server.
    fn end(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("it is alive");
            process.wait().expect("it was killed");
        }
    }

    /// Takes the sink away, and the microphone with it.
    fn unplug(&self) {
        let gone = self
            .command("pactl")
            .args(["unload-module", SINK[0]])
            .status();
        assert!(gone.expect("pactl is installed").success());
    }

    fn plug(&self) {
        let back = self.command("pactl").arg("load-module").args(SINK).status();
        assert!(back.expect("pactl is installed").success());
    }

    /// Plays for as long as it takes.
    fn play(&self, samples: &[i16]) {
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
        let pcm: Vec<u8> = samples.iter().flat_map(|one| one.to_le_bytes()).collect();
        let mut input = player.stdin.take().expect("it is piped");
        input.write_all(&pcm).expect("it takes it");
        drop(input);
        assert!(player.wait().expect("it ends").success());
    }

    /// Starts the server's own recorder, and waits until it hears.
    fn record(&self) -> Child {
        let mut command = self.command("parec");
        command.args([
            "--device=mic.monitor",
            "--raw",
            "--format=s16le",
            "--latency-msec=200",
        ]);
        let path = self.folder.path().join("recorded.raw");
        let file = fs::File::create(&path).expect("the folder can be written");
        command.stdout(file);
        let recorder = command.args(["--rate=16000", "--channels=1"]).spawn();
        let recorder = recorder.expect("parec is installed");
        wait_until("the recorder hears", || {
            fs::metadata(&path).expect("it is there").len() > 0
        });
        recorder
    }

    /// The samples that a recorder heard, but for zeros.
    fn recorded(&self, mut recorder: Child) -> u64 {
        recorder.kill().expect("it is alive");
        recorder.wait().expect("it was killed");
        let pcm = fs::read(self.folder.path().join("recorded.raw"));
        sounds(&pcm.expect("it was written"))
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

    fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        let folder = self.folder.path();
        let mut environment = vec![
            ("XDG_RUNTIME_DIR", folder.to_owned()),
            ("HOME", folder.to_owned()),
            ("PULSE_CLIENTCONFIG", folder.join("client.conf")),
        ];
        if self.way == Way::Plugin {
            environment.push(("ALSA_CONFIG_PATH", folder.join("asound.conf")));
        }
        environment
    }

    fn program(&self) -> CaptureProgram {
        let environment = self.environment();
        let environment: Vec<(&str, &Path)> = environment
            .iter()
            .map(|(name, value)| (*name, value.as_path()))
            .collect();
        program(&["capture"], &environment)
    }

    fn microphone(&self) -> Microphone {
        Microphone::open_with(self.program(), MicrophoneOptions::default(), AT_ONCE)
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

/// A second of a tone of half of full scale.
fn tone() -> Vec<i16> {
    let sine = |n: i32| (f64::from(n) * 0.3).sin() * 16_384.0;
    (0..16_000).map(|n| sine(n) as i16).collect()
}

/// Samples that are not zero.
fn sounds(pcm: &[u8]) -> u64 {
    let (samples, _) = pcm.as_chunks::<2>();
    samples.iter().filter(|sample| **sample != [0, 0]).count() as u64
}

/// Waits for the first sound after an opening.
async fn first_sound(microphone: &mut Microphone) {
    while !matches!(next(microphone).await, Sounding::Sound(_)) {}
}

async fn played(way: Way) {
    let server = Server::start(way);
    let mut microphone = server.microphone();
    let (_, rate, losses) = opened(&mut microphone).await;
    assert_eq!((rate, losses), (16_000, Vec::new()));
    first_sound(&mut microphone).await;
    let recorder = server.record();
    let began = Instant::now();
    let player = std::thread::spawn(move || {
        server.play(&tone());
        server
    });
    // The sink gives nothing but zeros around the samples of the tone, which has few. A busy
    // player may begin late; what the device itself loses, it says.
    let (mut loud, mut quiet, mut torn, mut first) = (0, 0, 0, None);
    while loud == 0 || quiet < 32_000 {
        let pcm = match next(&mut microphone).await {
            Sounding::Sound(pcm) => pcm,
            Sounding::Overrun { frames } => {
                torn += frames;
                continue;
            }
            other => panic!("{other:?}"),
        };
        let level = level::of(&pcm);
        assert!(level.peak_db < -5.0, "{level:?}");
        let sounds = sounds(&pcm);
        loud += sounds;
        quiet = if sounds > 0 { 0 } else { quiet + pcm.len() / 2 };
        if sounds > 0 {
            first.get_or_insert_with(|| began.elapsed());
        }
    }
    println!("first sound {first:?} after the player was started");
    let server = player.join().expect("it played");
    let recorded = server.recorded(recorder);
    assert!(
        (8_000..=16_000).contains(&recorded),
        "{recorded} samples of the tone were played"
    );
    assert!(
        loud <= recorded && loud + torn >= recorded,
        "{loud} of {recorded} samples, and {torn} lost"
    );
}

async fn restarted(way: Way) {
    let mut server = Server::start(way);
    let mut microphone = server.microphone();
    for _ in 0..4 {
        opened(&mut microphone).await;
        first_sound(&mut microphone).await;
        server.end();
        assert_eq!(lost(&mut microphone).await.0, Loss::Vanished);
        // It is tried in the meantime, and is not there.
        assert_eq!(lost(&mut microphone).await, (way.absent(), 0));
        server.resume();
    }
    opened(&mut microphone).await;
    first_sound(&mut microphone).await;
}

async fn unplugged(way: Way) {
    let server = Server::start(way);
    let mut microphone = server.microphone();
    for _ in 0..4 {
        opened(&mut microphone).await;
        first_sound(&mut microphone).await;
        server.unplug();
        assert_eq!(lost(&mut microphone).await.0, Loss::Vanished);
        assert_eq!(lost(&mut microphone).await, (way.absent(), 0));
        server.plug();
    }
    opened(&mut microphone).await;
    first_sound(&mut microphone).await;
}

async fn told(way: Way) {
    let server = Server::start(way);
    let devices = devices(&server.program()).await.expect("they are told");
    assert!(devices[0].is_default, "{devices:?}");
    assert!(devices[0].rates.contains(&16_000), "{devices:?}");
}
