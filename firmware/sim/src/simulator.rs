//! A bench in real time, behind a line that a host opens like a serial port.

use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use earnest_guard::Settings;
use earnest_wire::Switch;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::bench::{Bench, Firmware, Picture};
use crate::kept::{Kept, KeptError};
use crate::line::{Line, Place};
use crate::rail::Rail;
use crate::watched::Watched;

/// The longest time between two rounds, as on the board.
const ROUND: Duration = Duration::from_millis(10);

/// Why a simulator cannot run.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// The line cannot be opened.
    #[error("the line at {place:?}")]
    Line {
        /// Where it was to be.
        place: Place,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// What the guard keeps cannot be used.
    #[error("what the guard keeps")]
    Kept(#[from] KeptError),
    /// No thread or no pipe for it.
    #[error("the simulator's thread")]
    Thread(#[source] io::Error),
}

/// What to simulate.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the host finds it.
    pub place: Place,
    /// What the chip runs.
    pub firmware: Firmware,
    /// The file of what it keeps over a reset; in memory alone when `None`.
    pub state: Option<PathBuf>,
    /// Times and rates.
    pub settings: Settings,
}

impl Options {
    /// The guard's own firmware with its own times, keeping all in memory.
    pub fn at(place: Place) -> Self {
        Self {
            place,
            firmware: Firmware::Honest,
            state: None,
            settings: Settings::default(),
        }
    }
}

/// What may be asked of the thread.
#[derive(Debug)]
enum Command {
    Slide(Switch),
    Reset,
    Flash(Firmware),
    HangUp,
    Say(Vec<u8>),
    End,
}

/// A guard that a host can talk to. It ends when dropped.
///
/// ```no_run
/// use std::time::Duration;
/// use earnest_sim::{Options, Place, Simulator};
/// use earnest_wire::Switch;
///
/// let simulator = Simulator::start(Options::at(Place::Pty { link: None }))?;
/// println!("the guard is at {}", simulator.path().display());
/// simulator.slide(Switch::Open);
/// let lit = simulator.wait(Duration::from_secs(60), |picture| picture.light);
/// assert!(lit.is_some());
/// # Ok::<(), earnest_sim::SimulatorError>(())
/// ```
#[derive(Debug)]
pub struct Simulator {
    path: PathBuf,
    rail: Rail,
    picture: Watched<Picture>,
    commands: Sender<Command>,
    bell: UnixStream,
    thread: Option<JoinHandle<()>>,
}

impl Simulator {
    /// Opens the line and starts the guard, with the switch at mute.
    ///
    /// # Errors
    /// Where the line cannot be opened, or the file of what is kept is none.
    pub fn start(options: Options) -> Result<Self, SimulatorError> {
        let kept = match &options.state {
            None => Kept::default(),
            Some(path) => Kept::in_file(path)?,
        };
        let place = options.place;
        let line = Line::open(&place).map_err(|source| SimulatorError::Line { place, source })?;
        let bench = Bench::with_settings(options.firmware, kept, options.settings);
        let (bell, heard) = UnixStream::pair().map_err(SimulatorError::Thread)?;
        for end in [&bell, &heard] {
            end.set_nonblocking(true).map_err(SimulatorError::Thread)?;
        }
        let (commands, asked) = channel();
        let picture = Watched::new(bench.picture());
        let (path, rail) = (line.path().to_owned(), bench.rail().clone());
        let work = Work {
            bench,
            line,
            asked,
            heard,
            picture: picture.clone(),
            waiting: Vec::new(),
        };
        let thread = thread::Builder::new()
            .name("guard".to_owned())
            .spawn(move || work.run())
            .map_err(SimulatorError::Thread)?;
        Ok(Self {
            path,
            rail,
            picture,
            commands,
            bell,
            thread: Some(thread),
        })
    }

    /// What the host opens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The hardware around the guard.
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

    /// A person moves the switch. The rail follows at once, whatever the guard is doing.
    pub fn slide(&self, switch: Switch) {
        self.rail.slide(switch);
        self.ask(Command::Slide(switch));
    }

    /// Resets the chip.
    pub fn reset(&self) {
        self.ask(Command::Reset);
    }

    /// Writes other firmware onto the chip, and resets it.
    pub fn flash(&self, firmware: Firmware) {
        self.ask(Command::Flash(firmware));
    }

    /// Pulls the line's plug for a moment: a host on a socket finds it closed.
    pub fn hang_up(&self) {
        self.ask(Command::HangUp);
    }

    /// Puts bytes on the line to the host that the guard never said: noise, or somebody's own.
    pub fn inject(&self, bytes: &[u8]) {
        self.ask(Command::Say(bytes.to_vec()));
    }

    fn ask(&self, command: Command) {
        // A thread that is gone does nothing any more, which its picture shows.
        let _ = self.commands.send(command);
        // A bell that is full has not been answered yet, and will be.
        let _ = (&self.bell).write(&[1]);
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.ask(Command::End);
        if let Some(thread) = self.thread.take() {
            // A panic in there has been printed already.
            let _ = thread.join();
        }
    }
}

/// What the thread has.
#[derive(Debug)]
struct Work {
    bench: Bench,
    line: Line,
    asked: Receiver<Command>,
    heard: UnixStream,
    picture: Watched<Picture>,
    /// Bytes that were taken from the guard and do not go yet: one at most, or what was injected.
    waiting: Vec<u8>,
}

impl Work {
    fn run(mut self) {
        let mut before = Instant::now();
        let mut bytes = [0; 1_024];
        loop {
            self.sleep();
            let now = Instant::now();
            self.bench.pass(now - before);
            before = now;
            while let Ok(command) = self.asked.try_recv() {
                if !self.obey(command) {
                    return;
                }
            }
            // What the line says when it fails is what it says when nobody is there.
            let length = self.line.read(&mut bytes).unwrap_or(0);
            self.bench.receive(&bytes[..length]);
            self.write();
            self.picture
                .change(|picture| *picture = self.bench.picture());
        }
    }

    /// Sleeps until there is something to do.
    fn sleep(&mut self) {
        let time = self.bench.deadline().unwrap_or(ROUND).min(ROUND);
        let mut files = [
            PollFd::new(self.line.waits_on(), PollFlags::POLLIN),
            PollFd::new(self.heard.as_fd(), PollFlags::POLLIN),
        ];
        let timeout = PollTimeout::try_from(time).unwrap_or(PollTimeout::ZERO);
        match poll(&mut files, timeout) {
            Ok(_) | Err(Errno::EINTR) => {}
            // Without a way to wait there is still the clock.
            Err(_) => thread::sleep(time),
        }
        let mut rung = [0; 64];
        while matches!(self.heard.read(&mut rung), Ok(1..)) {}
    }

    /// Whether to go on.
    fn obey(&mut self, command: Command) -> bool {
        match command {
            Command::Slide(switch) => self.bench.slide(switch),
            Command::Reset => self.bench.reset(),
            Command::Flash(firmware) => self.bench.flash(firmware),
            Command::HangUp => self.line.hang_up(),
            Command::Say(bytes) => self.waiting.extend(bytes),
            Command::End => return false,
        }
        true
    }

    /// Writes what waits, as far as it goes.
    fn write(&mut self) {
        loop {
            if self.waiting.is_empty() {
                match self.bench.send() {
                    None => return,
                    Some(byte) => self.waiting.push(byte),
                }
                while let Some(byte) = self.bench.send() {
                    self.waiting.push(byte);
                }
            }
            match self.line.write(&self.waiting) {
                Ok(length @ 1..) => drop(self.waiting.drain(..length)),
                Ok(0) | Err(_) => return,
            }
        }
    }
}
