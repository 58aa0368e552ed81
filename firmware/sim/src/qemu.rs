//! The real image on an emulated microcontroller, with this crate as its switch and rail.
//!
//! QEMU plays Arm's MPS2 board with a Cortex-M4 (`mps2-an386`). Its first serial port is the line
//! to the host, on a Unix socket. It drives no pins from outside, so an image built for the bench
//! has them on the second port, a letter for each edge (`firmware/board/src/bench.rs`); [`Board`]
//! is at the other end, and models the rail with the same [`Rail`] as the simulator.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use earnest_wire::Switch;

use crate::rail::Rail;
use crate::watched::Watched;

/// The emulator, of Debian's package of the same name.
const EMULATOR: &str = "qemu-system-arm";

/// How long the emulator may take until its sockets are there: a busy machine starts it in seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long one question waits for its answer before it is asked again.
const AGAIN: Duration = Duration::from_millis(500);

/// Names an image for the bench that is built already: `cargo xtask test` builds it once for all.
const IMAGE: &str = "EARNEST_GUARD_IMAGE";

/// Why no board can be emulated.
#[derive(Debug, thiserror::Error)]
pub enum QemuError {
    /// The image could not be built.
    #[error("`cargo xtask firmware build --bench` failed: {said}")]
    Build {
        /// What it printed.
        said: String,
    },
    /// A program could not be started.
    #[error("cannot start {program}")]
    Start {
        /// Which one.
        program: &'static str,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The emulator ended, or took too long to open its sockets.
    #[error("the emulator did not open {}", path.display())]
    Socket {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// No thread or no handle for the bench.
    #[error("the bench's thread")]
    Bench(#[source] io::Error),
}

/// What a person at the bench of an emulated board sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Picture {
    /// The mute switch.
    pub switch: Switch,
    /// Whether the image drives the power switch's gate.
    pub gate: bool,
    /// Whether the microphone has power.
    pub power: bool,
    /// Whether the light is on.
    pub light: bool,
    /// Bytes ever used of the executor's stack, when the board was last asked.
    pub thread_stack: Option<u32>,
    /// Bytes ever used of the handlers' stack, when the board was last asked.
    pub handler_stack: Option<u32>,
    /// How often the board has said that it let go of the gate.
    pub cuts: u32,
    /// How often the board was asked and answered.
    pub answers: u32,
}

/// Builds the image for the bench with `cargo xtask firmware build`, which is quick when nothing
/// has changed, and says where it is. Where the environment names one in `EARNEST_GUARD_IMAGE`, it is
/// that one.
///
/// # Errors
/// Where it cannot be built, with what was printed.
pub fn build() -> Result<PathBuf, QemuError> {
    if let Some(image) = std::env::var_os(IMAGE) {
        return Ok(PathBuf::from(image));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new(option_env!("CARGO").unwrap_or("cargo"))
        .args(["xtask", "firmware", "build", "--bench"])
        .current_dir(root)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| QemuError::Start {
            program: "cargo",
            source,
        })?;
    let printed = String::from_utf8_lossy(&output.stdout);
    match printed.lines().last() {
        Some(path) if output.status.success() => Ok(PathBuf::from(path)),
        _ => Err(QemuError::Build {
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
        }),
    }
}

/// An emulated board. It ends when dropped.
#[derive(Debug)]
pub struct Board {
    emulator: Child,
    bench: UnixStream,
    rail: Rail,
    line: PathBuf,
    picture: Watched<Picture>,
    thread: Option<JoinHandle<()>>,
}

impl Board {
    /// Starts an image built for the bench, with the switch at mute and the line's socket at
    /// `line`, which takes one host after the other. The bench's socket is beside it.
    ///
    /// # Errors
    /// Where the emulator cannot be started.
    pub fn start(image: &Path, line: &Path) -> Result<Self, QemuError> {
        let pins = line.with_extension("pins");
        for path in [line, &pins] {
            // Of an earlier board; QEMU does not open a socket over a file.
            let _ = std::fs::remove_file(path);
        }
        let mut emulator = Command::new(EMULATOR)
            .args(["-machine", "mps2-an386"])
            .args(["-display", "none", "-monitor", "none"])
            .args(["-serial", &serial(line)])
            .args(["-serial", &serial(&pins)])
            .arg("-kernel")
            .arg(image)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|source| QemuError::Start {
                program: EMULATOR,
                source,
            })?;
        let opened = connect(&mut emulator, &pins).map_err(|source| QemuError::Socket {
            path: pins.clone(),
            source,
        });
        let begun = opened.and_then(|bench| Bench::begin(bench).map_err(QemuError::Bench));
        let (bench, picture, rail, thread) = match begun {
            Ok(bench) => bench,
            Err(error) => {
                end(&mut emulator);
                return Err(error);
            }
        };
        Ok(Self {
            emulator,
            bench,
            rail,
            line: line.to_owned(),
            picture,
            thread: Some(thread),
        })
    }

    /// The socket that the host opens.
    pub fn path(&self) -> &Path {
        &self.line
    }

    /// The hardware around the board.
    pub fn rail(&self) -> &Rail {
        &self.rail
    }

    /// How things look.
    pub fn picture(&self) -> Picture {
        self.picture.now()
    }

    /// Waits until things look as wanted. `None` where they did not in time.
    pub fn wait(&self, patience: Duration, wanted: impl Fn(&Picture) -> bool) -> Option<Picture> {
        self.picture.wait(patience, wanted)
    }

    /// A person moves the switch. The rail follows at once, whatever the board is doing.
    pub fn slide(&self, switch: Switch) {
        self.rail.slide(switch);
        self.say(sense(switch));
        self.say(if self.rail.power() { b'R' } else { b'r' });
        self.picture.change(|picture| picture.look(&self.rail));
    }

    /// Asks for the gate and the stacks' high-water marks, and waits for them. What is asked
    /// while the board starts is lost, so it is asked again.
    pub fn ask(&self, patience: Duration) -> Option<Picture> {
        let (before, begun) = (self.picture().answers, Instant::now());
        loop {
            self.say(b'?');
            let left = patience.saturating_sub(begun.elapsed());
            let answered = self.wait(left.min(AGAIN), |picture| picture.answers != before);
            if answered.is_some() || left <= AGAIN {
                return answered;
            }
        }
    }

    /// Has the image panic.
    pub fn panic(&self) {
        self.say(b'!');
    }

    /// Has the image stand still with interrupts off.
    pub fn hang(&self) {
        self.say(b'@');
    }

    /// Has the image outgrow its stack.
    pub fn overflow(&self) {
        self.say(b'#');
    }

    fn say(&self, letter: u8) {
        // An emulator that is gone answers nothing, which its picture shows.
        let _ = (&self.bench).write_all(&[letter]);
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        end(&mut self.emulator);
        if let Some(thread) = self.thread.take() {
            // Its socket closed with the emulator. A panic in there has been printed already.
            let _ = thread.join();
        }
    }
}

impl Picture {
    fn look(&mut self, rail: &Rail) {
        self.switch = rail.switch();
        self.gate = rail.gate();
        self.power = rail.power();
        self.light = rail.light();
    }
}

/// The bench's side of the second port.
#[derive(Debug)]
struct Bench {
    port: UnixStream,
    rail: Rail,
    picture: Watched<Picture>,
    number: Option<Number>,
}

/// A number that is being read: its letter, its digits so far and how many.
#[derive(Debug, Clone, Copy)]
struct Number {
    name: u8,
    value: u32,
    digits: u32,
}

type Begun = (UnixStream, Watched<Picture>, Rail, JoinHandle<()>);

impl Bench {
    fn begin(port: UnixStream) -> io::Result<Begun> {
        let rail = Rail::default();
        let picture = Watched::new(Picture {
            switch: rail.switch(),
            gate: false,
            power: false,
            light: false,
            thread_stack: None,
            handler_stack: None,
            cuts: 0,
            answers: 0,
        });
        let bench = Self {
            port: port.try_clone()?,
            rail: rail.clone(),
            picture: picture.clone(),
            number: None,
        };
        let thread = thread::Builder::new()
            .name("bench".to_owned())
            .spawn(move || bench.run())?;
        Ok((port, picture, rail, thread))
    }

    fn run(mut self) {
        let mut letters = [0; 64];
        while let Ok(length @ 1..) = self.port.read(&mut letters) {
            for letter in &letters[..length] {
                self.hear(*letter);
            }
        }
        // Without the chip nobody drives the gate.
        self.drive(false);
    }

    fn hear(&mut self, letter: u8) {
        match letter {
            b'G' => self.drive(true),
            b'g' => self.drive(false),
            // It has just started, and knows nothing of its pins.
            b'B' => {
                self.drive(false);
                self.tell(sense(self.rail.switch()));
            }
            b'T' | b'H' => {
                self.number = Some(Number {
                    name: letter,
                    value: 0,
                    digits: 0,
                });
            }
            _ => self.digit(letter),
        }
    }

    fn drive(&mut self, gate: bool) {
        self.rail.drive(gate);
        self.tell(if self.rail.power() { b'R' } else { b'r' });
        let rail = self.rail.clone();
        self.picture.change(|picture| {
            picture.look(&rail);
            picture.cuts += u32::from(!gate);
        });
    }

    fn tell(&mut self, letter: u8) {
        // As in `Board::say`.
        let _ = self.port.write_all(&[letter]);
    }

    fn digit(&mut self, letter: u8) {
        let Some(digit) = char::from(letter).to_digit(16) else {
            self.number = None;
            return;
        };
        let Some(number) = &mut self.number else {
            return;
        };
        number.value = number.value << 4 | digit;
        number.digits += 1;
        let Number {
            name,
            value,
            digits,
        } = *number;
        if digits < 8 {
            return;
        }
        self.number = None;
        self.picture.change(|picture| {
            if name == b'T' {
                picture.thread_stack = Some(value);
            } else {
                picture.handler_stack = Some(value);
                picture.answers += 1;
            }
        });
    }
}

fn sense(switch: Switch) -> u8 {
    match switch {
        Switch::Open => b'S',
        Switch::Muted => b's',
    }
}

/// A serial port that others connect to.
fn serial(path: &Path) -> String {
    // QEMU reads a comma as the end of the path, unless it is doubled.
    let path = path.to_string_lossy().replace(',', ",,");
    format!("unix:{path},server=on,wait=off")
}

/// Connects as soon as the emulator has opened its socket, while it runs.
fn connect(emulator: &mut Child, path: &Path) -> io::Result<UnixStream> {
    let begun = Instant::now();
    loop {
        match UnixStream::connect(path) {
            Ok(stream) => return Ok(stream),
            Err(error) if begun.elapsed() > PATIENCE => return Err(error),
            Err(error) => {
                if emulator.try_wait()?.is_some() {
                    return Err(error);
                }
                thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

fn end(emulator: &mut Child) {
    // One that has ended by itself is no error here.
    let _ = emulator.kill();
    let _ = emulator.wait();
}
