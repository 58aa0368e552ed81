//! The guard in a terminal: its switch under a key, its light on the screen.
//!
//! A host finds it at a pseudo-terminal, as it finds a serial port, or at a Unix socket. With
//! `--board` the guard is the real image on an emulated microcontroller instead of the same logic
//! in this process.

use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use earnest_sim::qemu::Board;
use earnest_sim::{Options, Place, Rail, Simulator};
use earnest_wire::Switch;
use nix::sys::termios::{LocalFlags, SetArg, Termios, tcgetattr, tcsetattr};

/// How often the picture is looked at: quick enough for an eye.
const LOOK: Duration = Duration::from_millis(50);

/// Takes the place of a guard, with its switch, its light and the microphone's power.
///
/// Keys: m moves the mute switch, r resets the chip, q quits.
#[derive(Debug, Parser)]
#[command(name = "earnest-guard-sim", version)]
struct Arguments {
    /// A link that points to the pseudo-terminal, for the daemon's configuration to name.
    #[arg(long, conflicts_with_all = ["socket", "board"])]
    pty_link: Option<PathBuf>,
    /// A Unix socket in place of a pseudo-terminal.
    #[arg(long)]
    socket: Option<PathBuf>,
    /// The file of what the guard keeps over a reset; in memory alone when left out.
    #[arg(long, conflicts_with = "board")]
    state: Option<PathBuf>,
    /// The image, built for the bench, to run in QEMU.
    #[arg(long, requires = "socket")]
    board: Option<PathBuf>,
    /// A line at each change in place of the picture.
    #[arg(long)]
    plain: bool,
}

/// What stands behind the picture.
enum Guard {
    Simulated(Simulator),
    Emulated(Board),
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let guard = start(&arguments)?;
    let path = match &guard {
        Guard::Simulated(simulator) => simulator.path(),
        Guard::Emulated(board) => board.path(),
    };
    println!("the guard is at {}", path.display());
    let quiet = Quiet::begin()?;
    let result = show(&guard, &keys(), arguments.plain);
    drop(quiet);
    result
}

fn start(arguments: &Arguments) -> Result<Guard> {
    if let Some(image) = &arguments.board {
        let Some(socket) = &arguments.socket else {
            bail!("--board needs --socket");
        };
        return Ok(Guard::Emulated(Board::start(image, socket)?));
    }
    let place = match &arguments.socket {
        Some(socket) => Place::Socket(socket.clone()),
        None => Place::Pty {
            link: arguments.pty_link.clone(),
        },
    };
    let state = arguments.state.clone();
    let options = Options {
        state,
        ..Options::at(place)
    };
    Ok(Guard::Simulated(Simulator::start(options)?))
}

/// Shows the guard and does what the keys say, until `q`.
fn show(guard: &Guard, keys: &Receiver<u8>, plain: bool) -> Result<()> {
    let mut output = io::stdout().lock();
    let mut shown = String::new();
    loop {
        let picture = guard.picture();
        if picture != shown {
            if plain {
                writeln!(output, "{picture}")?;
            } else {
                // From the start of the line, which is cleared behind the picture.
                write!(output, "\r{picture}\x1b[K")?;
            }
            output.flush()?;
            shown = picture;
        }
        match keys.recv_timeout(LOOK) {
            Ok(b'm') => guard.slide(),
            Ok(b'r') => guard.reset(),
            // Ctrl-C and Ctrl-D arrive as keys.
            Ok(b'q' | 3 | 4) => break,
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            // Without keys it runs until somebody ends it.
            Err(RecvTimeoutError::Disconnected) => thread::sleep(LOOK),
        }
    }
    writeln!(output)?;
    Ok(())
}

impl Guard {
    fn rail(&self) -> &Rail {
        match self {
            Self::Simulated(simulator) => simulator.rail(),
            Self::Emulated(board) => board.rail(),
        }
    }

    fn slide(&self) {
        let switch = match self.rail().switch() {
            Switch::Open => Switch::Muted,
            Switch::Muted => Switch::Open,
        };
        match self {
            Self::Simulated(simulator) => simulator.slide(switch),
            Self::Emulated(board) => board.slide(switch),
        }
    }

    fn reset(&self) {
        match self {
            Self::Simulated(simulator) => simulator.reset(),
            // The one way to reset it from its pins.
            Self::Emulated(board) => board.panic(),
        }
    }

    /// Switch, power and light, and what the guard says of itself where that can be seen.
    fn picture(&self) -> String {
        let rail = self.rail();
        let switch = match rail.switch() {
            Switch::Open => "switch [  o] open ",
            Switch::Muted => "switch [o  ] mute ",
        };
        let light = if rail.light() {
            "  light (*)  microphone ON "
        } else {
            "  light ( )  microphone off"
        };
        let told = match self {
            Self::Simulated(simulator) => {
                let picture = simulator.picture();
                format!(
                    "  {:?}, {}, start {}, {} frames refused",
                    picture.why,
                    if picture.session {
                        "host there"
                    } else if picture.paired {
                        "no host"
                    } else {
                        "no key"
                    },
                    picture.boots,
                    picture.refused(),
                )
            }
            Self::Emulated(board) if board.picture().gate => "  gate driven".to_owned(),
            Self::Emulated(_) => "  gate let go".to_owned(),
        };
        format!("{switch}{light}{told}")
    }
}

/// The keys, as they are pressed.
fn keys() -> Receiver<u8> {
    let (pressed, keys) = channel();
    // It ends with the process: nothing waits for a key that is never pressed.
    thread::spawn(move || {
        let mut key = [0];
        while let Ok(1) = io::stdin().read(&mut key) {
            if pressed.send(key[0]).is_err() {
                return;
            }
        }
    });
    keys
}

/// A terminal that hands on keys at once and does not show them, until dropped.
struct Quiet(Option<Termios>);

impl Quiet {
    fn begin() -> Result<Self> {
        if !io::stdin().is_terminal() {
            return Ok(Self(None));
        }
        let before = tcgetattr(io::stdin()).context("the terminal's settings")?;
        let mut settings = before.clone();
        settings
            .local_flags
            .remove(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG);
        tcsetattr(io::stdin(), SetArg::TCSANOW, &settings).context("the terminal's settings")?;
        Ok(Self(Some(before)))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // A terminal that is gone needs no settings.
            let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, before);
        }
    }
}
