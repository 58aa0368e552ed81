//! The task that has the line.

use std::fmt;
use std::time::Duration;

use earnest_telemetry::{Event, GuardState as Word, Telemetry};
use earnest_wire::{Identity, NONCE_BYTES, Nonce, PairingKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::core::{Core, Nonces};
use crate::line::Line;
use crate::{Cut, GuardPlace, GuardReport, GuardState, Settings};

/// Bytes that are read at once: two of the longest frames and more.
const READ: usize = 256;

/// The first pause before a line is opened again. It doubles up to [`Settings::rest`].
const REOPEN: Duration = Duration::from_millis(250);

/// Keys that wait for the task, which takes them at once.
const KEYS: usize = 4;

/// The guard, as this host knows it. Clones are the same; when the last is dropped, the line is
/// closed, and the guard cuts the microphone.
#[derive(Clone)]
pub struct Guardian {
    wanted: watch::Sender<bool>,
    keys: mpsc::Sender<(PairingKey, Option<Identity>)>,
    states: watch::Receiver<GuardState>,
    reports: watch::Receiver<GuardReport>,
}

impl Guardian {
    /// Looks for the guard at this place, for as long as anybody holds this. Without a key
    /// ([`Guardian::pair`]) it is there at best, and proves nothing. Called within a tokio
    /// runtime, in which all of it runs.
    pub fn start(place: GuardPlace, settings: Settings, telemetry: Telemetry) -> Guardian {
        let (wanted, wants) = watch::channel(false);
        let (keys, given) = mpsc::channel(KEYS);
        let core = Core::new(settings, SystemNonces(SystemRandom::new()));
        let (state, states) = watch::channel(core.report().state);
        let (report, reports) = watch::channel(*core.report());
        let task = Task {
            place,
            settings,
            telemetry,
            recorded: None,
            core,
            epoch: Instant::now(),
            wants,
            given,
            state,
            report,
        };
        tokio::spawn(task.run());
        Guardian {
            wanted,
            keys,
            states,
            reports,
        }
    }

    /// Gives it the key that the guard has, and says which guard that is, where that is known.
    pub async fn pair(&self, key: PairingKey, pinned: Option<Identity>) {
        // The task ends after this handle.
        let _ = self.keys.send((key, pinned)).await;
    }

    /// Says whether sound is wanted. It does not wait: [`Guardian::states`] says what comes of it.
    pub fn announce(&self, wanted: bool) {
        self.wanted.send_if_modified(|before| {
            let changed = *before != wanted;
            *before = wanted;
            changed
        });
    }

    /// How the guard is.
    pub fn state(&self) -> GuardState {
        *self.states.borrow()
    }

    /// The same, and each change of it.
    pub fn states(&self) -> watch::Receiver<GuardState> {
        self.states.clone()
    }

    /// What is known of the guard.
    pub fn report(&self) -> GuardReport {
        *self.reports.borrow()
    }
}

impl fmt::Debug for Guardian {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Guardian({})", self.state())
    }
}

/// Numbers of the system's.
pub(crate) struct SystemNonces(pub(crate) SystemRandom);

impl Nonces for SystemNonces {
    fn next(&mut self) -> Option<Nonce> {
        let mut nonce = [0; NONCE_BYTES];
        self.0.fill(&mut nonce).ok()?;
        Some(nonce)
    }
}

struct Task {
    place: GuardPlace,
    settings: Settings,
    telemetry: Telemetry,
    /// What the log was told last.
    recorded: Option<Word>,
    core: Core<SystemNonces>,
    epoch: Instant,
    wants: watch::Receiver<bool>,
    given: mpsc::Receiver<(PairingKey, Option<Identity>)>,
    state: watch::Sender<GuardState>,
    report: watch::Sender<GuardReport>,
}

/// What happened next.
enum Happened {
    Read(std::io::Result<usize>),
    Written(std::io::Result<usize>),
    Asked,
    Time,
    /// Nobody holds the guardian any more.
    Over,
}

impl Task {
    async fn run(mut self) {
        let mut pause = REOPEN;
        let mut told = false;
        loop {
            match Line::open(&self.place).await {
                Ok(line) => {
                    told = false;
                    self.core.opened(self.now());
                    self.publish();
                    if !self.speak(&line, &mut pause).await {
                        return;
                    }
                }
                // Once, and not every few seconds.
                Err(error) if !told => {
                    tracing::warn!(%error, "the guard's line");
                    told = true;
                }
                Err(_) => {}
            }
            self.core.lost();
            self.publish();
            if !self.rest(pause).await {
                return;
            }
            pause = (pause * 2).min(self.settings.rest);
        }
    }

    /// Speaks on the line until it is lost; false where nobody wants to any more.
    async fn speak(&mut self, line: &Line, pause: &mut Duration) -> bool {
        let mut buffer = [0; READ];
        loop {
            match self.happens(line, &mut buffer).await {
                Happened::Read(Ok(count)) => {
                    self.core.receive(&buffer[..count], self.now());
                    if self.core.has_session() {
                        *pause = REOPEN;
                    }
                }
                Happened::Written(Ok(count)) => self.core.sent(count),
                Happened::Read(Err(error)) | Happened::Written(Err(error)) => {
                    tracing::debug!(%error, place = %self.place, "the guard's line is lost");
                    return true;
                }
                Happened::Asked => self.want(),
                Happened::Time => self.core.tick(self.now()),
                Happened::Over => return false,
            }
            self.publish();
            if self.core.is_stuck() {
                tracing::debug!(place = %self.place, "nobody reads at the guard's line");
                return true;
            }
        }
    }

    /// Waits for what comes next. What the guard said comes before the time, so that a host that
    /// was late itself does not take that for the guard's silence.
    async fn happens(&mut self, line: &Line, buffer: &mut [u8]) -> Happened {
        let deadline = self.core.deadline().map(|at| self.epoch + at);
        let outgoing = self.core.outgoing();
        tokio::select! {
            biased;
            read = line.read(buffer) => Happened::Read(read),
            written = line.write(outgoing), if !outgoing.is_empty() => Happened::Written(written),
            wanted = self.wants.changed() => match wanted {
                Ok(()) => Happened::Asked,
                Err(_) => Happened::Over,
            },
            key = self.given.recv() => match key {
                Some((key, pinned)) => {
                    self.core.pair(key, pinned, self.epoch.elapsed());
                    Happened::Asked
                }
                None => Happened::Over,
            },
            () = sleep_until(deadline.unwrap_or_else(far)) => Happened::Time,
        }
    }

    /// Waits before the line is opened again; false where nobody wants that any more.
    async fn rest(&mut self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        loop {
            tokio::select! {
                wanted = self.wants.changed() => match wanted {
                    Ok(()) => self.want(),
                    Err(_) => return false,
                },
                key = self.given.recv() => match key {
                    Some((key, pinned)) => self.core.pair(key, pinned, self.now()),
                    None => return false,
                },
                () = sleep_until(until) => return true,
            }
        }
    }

    fn want(&mut self) {
        let wanted = *self.wants.borrow_and_update();
        self.core.want(wanted, self.now());
    }

    fn now(&self) -> Duration {
        self.epoch.elapsed()
    }

    /// Tells everybody what is new.
    fn publish(&mut self) {
        let now = *self.core.report();
        self.report.send_replace(now);
        let changed = self.state.send_if_modified(|state| {
            let changed = *state != now.state;
            *state = now.state;
            changed
        });
        if changed {
            tracing::debug!(guard = %now.state, "the guard");
            // Where a word is lasting, and another than the last: at most a few a second, as a line
            // that comes and goes is not opened more often.
            if let Some(state) = word(now.state)
                && self.recorded.replace(state) != Some(state)
            {
                self.telemetry.record(Event::Guard { state });
            }
        }
    }
}

/// What the log calls a state that does not pass by itself.
fn word(state: GuardState) -> Option<Word> {
    match state {
        GuardState::Absent => Some(Word::Absent),
        GuardState::Unpaired => Some(Word::Unpaired),
        GuardState::Muted => Some(Word::Muted),
        GuardState::Live => Some(Word::Live),
        GuardState::Cut(Cut::Idle) => Some(Word::Idle),
        GuardState::Cut(Cut::Watchdog) => Some(Word::Watchdog),
        GuardState::Cut(Cut::Contradiction) => Some(Word::Contradiction),
        GuardState::Cut(Cut::Memory) => Some(Word::Memory),
        GuardState::Connecting | GuardState::Cut(Cut::Announcing | Cut::Refused) => None,
    }
}

/// A time that nobody waits for: a day.
fn far() -> Instant {
    Instant::now() + Duration::from_secs(24 * 3600)
}
