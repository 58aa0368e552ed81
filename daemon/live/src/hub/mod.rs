//! The task that has the microphone.
//!
//! It waits for whatever comes next: somebody's request, sound, a word of the worker's, or a
//! time-out. Each changes what is known, and [`Hub::settle`] then brings about what follows: the
//! microphone is opened or closed, a worker begins to hear or is tuned, listeners are told.

mod device;
mod guarded;
mod session;

use std::collections::VecDeque;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use earnest_audio::{Level, Source};
use earnest_channel::MAX_PHRASES;
use earnest_policy::AppId;
use earnest_telemetry::Telemetry;
use earnest_transcript::Phrase;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::audience::{Audience, Entry};
use crate::backlog::{Backlog, frames_in, milliseconds};
use crate::ears::Ears;
use crate::guard::Post;
use crate::hub::device::Device;
use crate::hub::session::Session;
use crate::mailbox::Mailbox;
use crate::meter::Meter;
use crate::wish::Wanted;
use crate::{
    BACKLOG, Ending, Hearing, ListenError, Listener, LiveSettings, MAX_PRE_ROLL, MicrophoneState,
    MicrophoneStatus,
};

/// How often it is looked after the gate while somebody listens and nothing else happens.
const GATE: Duration = Duration::from_millis(500);

/// How long a worker may take to bring an utterance to its end, when the microphone closes.
const FINISH: Duration = Duration::from_secs(5);

/// The first pause before a worker is tried again, and the longest.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Failures in a row, after which nobody is left waiting: more than two minutes.
const MOST_FAILURES: u32 = 20;

/// How long a worker that heard well has no failures before it.
const WELL: Duration = Duration::from_secs(30);

/// What waits to be told until an utterance is over. A source that has more to say is not asked.
const MOST_NOTICES: usize = 16;

/// What is asked of the task.
pub(crate) enum Request {
    Listen(Joining, oneshot::Sender<Result<Listener, ListenError>>),
    Mute(bool, oneshot::Sender<bool>),
    EndOf(AppId, oneshot::Sender<usize>),
}

/// Somebody who is to listen.
pub(crate) struct Joining {
    pub(crate) app: AppId,
    pub(crate) uid: u32,
    pub(crate) wanted: Wanted,
    pub(crate) ears: Arc<dyn Ears>,
}

/// What everybody may look at.
pub(crate) struct Board(Mutex<MicrophoneStatus>);

impl Board {
    pub(crate) fn new(settings: &LiveSettings) -> Board {
        Board(Mutex::new(MicrophoneStatus {
            enabled: settings.enabled,
            state: MicrophoneState::Off,
            muted: settings.muted,
            guard: None,
            listeners: Vec::new(),
            level: None,
            overruns: 0,
            losses: 0,
        }))
    }

    /// A status is replaced as a whole, or by a number.
    pub(crate) fn status(&self) -> MutexGuard<'_, MicrophoneStatus> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) struct Hub {
    settings: Arc<LiveSettings>,
    make: Box<dyn Fn() -> Box<dyn Source> + Send + Sync>,
    telemetry: Telemetry,
    board: Arc<Board>,
    requests: mpsc::Receiver<Request>,
    left: Arc<Notify>,
    audience: Audience,
    /// Whether somebody muted it by the daemon. The guard's switch is another matter.
    muted: bool,
    post: Post,
    device: Device,
    meter: Meter,
    level: Option<Level>,
    /// Sound that no worker has yet: the pre-roll, or what came while none could take it.
    waiting: Backlog,
    session: Option<Session>,
    /// What is told once the utterance under way is over.
    notices: VecDeque<Hearing>,
    timeline: Timeline,
    failures: u32,
    /// When a worker may be tried again.
    again: Option<Instant>,
    overruns: u64,
    losses: u64,
    /// Whether the board shows something else than there is.
    changed: bool,
}

/// The time of what is told.
#[derive(Debug, Default)]
struct Timeline {
    /// When the microphone opened first for those who listen now.
    origin: Option<Instant>,
    /// How far sound was heard since.
    reached: u64,
}

impl Hub {
    pub(crate) fn new(
        settings: Arc<LiveSettings>,
        make: Box<dyn Fn() -> Box<dyn Source> + Send + Sync>,
        telemetry: Telemetry,
        board: Arc<Board>,
        requests: mpsc::Receiver<Request>,
        post: Post,
    ) -> Hub {
        Hub {
            muted: settings.muted,
            settings,
            make,
            post,
            telemetry,
            board,
            requests,
            left: Arc::default(),
            audience: Audience::default(),
            device: Device::default(),
            meter: Meter::default(),
            level: None,
            waiting: Backlog::default(),
            session: None,
            notices: VecDeque::new(),
            timeline: Timeline::default(),
            failures: 0,
            again: None,
            overruns: 0,
            losses: 0,
            changed: true,
        }
    }

    /// Runs until nobody can ask anything any more.
    pub(crate) async fn run(mut self) {
        loop {
            self.settle();
            self.publish();
            let deadline = self.deadline();
            let hears = self.takes_sound();
            tokio::select! {
                request = self.requests.recv() => match request {
                    Some(request) => self.answer(request),
                    None => break,
                },
                () = self.left.notified() => {}
                () = self.post.changed() => {}
                sounding = self.device.next(), if hears => {
                    self.heed();
                    // What comes of a source that the guard has just closed is nobody's.
                    if !self.device.is_closed() {
                        self.sounding(sounding);
                    }
                }
                step = Session::step(&mut self.session) => {
                    self.heed();
                    self.step(step);
                }
                () = until(deadline) => {}
            }
        }
        self.audience.end(Ending::Stopping, |_| true);
        self.close();
    }

    /// Does what is asked. Whoever is answered finds it done, and shown in the status; whoever is
    /// gone needs no answer, and a listener that nobody takes has left.
    fn answer(&mut self, request: Request) {
        match request {
            Request::Listen(joining, reply) => {
                let listener = self.listen(joining);
                self.done(reply, listener);
            }
            Request::Mute(muted, reply) => {
                let changed = self.mute(muted);
                self.done(reply, changed);
            }
            Request::EndOf(app, reply) => {
                let of_app = |entry: &Entry| entry.app == app;
                let count = self.audience.end(Ending::Revoked, of_app);
                self.done(reply, count);
            }
        }
    }

    fn done<T>(&mut self, reply: oneshot::Sender<T>, answer: T) {
        self.settle();
        self.publish();
        let _ = reply.send(answer);
    }

    fn listen(&mut self, joining: Joining) -> Result<Listener, ListenError> {
        self.sweep();
        let Joining {
            app,
            uid,
            wanted,
            ears,
        } = joining;
        if !ears.holds() {
            return Err(ListenError::GateClosed);
        }
        if let Some(why) = self.post.refuses() {
            return Err(ListenError::Unguarded { why });
        }
        if self.audience.len() >= self.settings.listeners {
            let most = self.settings.listeners;
            return Err(ListenError::Full { most });
        }
        let known = self.audience.needs().phrases;
        let new = |phrase: &&Phrase| !known.contains(phrase);
        let found = known.len() + wanted.phrases().filter(new).count();
        if found > MAX_PHRASES {
            return Err(ListenError::TooManyPhrases {
                expected: MAX_PHRASES,
                found,
            });
        }
        let mailbox = Arc::<Mailbox>::default();
        let listener = Listener {
            mailbox: Arc::clone(&mailbox),
            ears: Arc::clone(&ears),
            left: Arc::clone(&self.left),
        };
        let wakes = matches!(wanted, Wanted::Text { wake: Some(_) });
        let entry = Entry {
            app,
            uid,
            since: self.telemetry.clock().now(),
            wake: wakes.then(Default::default),
            is_late: false,
            wanted,
            mailbox,
            ears,
        };
        self.heed();
        if self.may_open() {
            self.open();
        }
        let state = Hearing::State(self.microphone(true));
        let muted = self.is_muted().then_some(Hearing::Muted);
        self.audience.join(entry, [Some(state), muted]);
        self.changed = true;
        Ok(listener)
    }

    fn mute(&mut self, muted: bool) -> bool {
        if self.muted == muted {
            return false;
        }
        let was_muted = self.is_muted();
        self.muted = muted;
        self.changed = true;
        if muted {
            self.close();
        }
        match (was_muted, self.is_muted()) {
            (false, true) => {
                self.notice(Hearing::Muted);
                self.notice(Hearing::State(MicrophoneState::Off));
            }
            (true, false) => self.notice(Hearing::Unmuted),
            // The guard's switch is at mute as well.
            _ => {}
        }
        true
    }

    /// Brings about what follows from what is known.
    fn settle(&mut self) {
        self.heed();
        self.sweep();
        let wanted = self.settings.warm || !self.audience.is_empty();
        self.post
            .want(wanted && self.settings.enabled && !self.muted);
        if wanted && self.may_open() {
            self.open();
        } else {
            self.close();
        }
        self.end_late();
        self.tell_notices();
        self.hear();
        self.tune();
    }

    /// Lets go of those who left. When all have, nothing is kept of what was said.
    fn sweep(&mut self) {
        self.changed |= self.audience.sweep();
        if !self.audience.is_empty() {
            return;
        }
        self.session = None;
        self.notices.clear();
        self.timeline = Timeline::default();
        (self.failures, self.again) = (0, None);
        self.level = None;
        self.keep_pre_roll();
    }

    /// Of the sound before anybody listens, the end is kept.
    fn keep_pre_roll(&mut self) {
        let pre_roll = match self.settings.warm {
            true => self.settings.pre_roll.min(MAX_PRE_ROLL),
            false => Duration::ZERO,
        };
        self.waiting.keep(frames_in(pre_roll, self.device.rate()));
    }

    /// Tells everybody, once the utterance under way is over. Of states and of mutings that wait
    /// for that, the last counts.
    fn notice(&mut self, hearing: Hearing) {
        self.changed = true;
        if self.audience.is_empty() {
            return;
        }
        let is_state = |one: &Hearing| matches!(one, Hearing::State(_));
        let is_muting = |one: &Hearing| matches!(one, Hearing::Muted | Hearing::Unmuted);
        let replaces = |one: &Hearing| {
            (is_state(one) && is_state(&hearing)) || (is_muting(one) && is_muting(&hearing))
        };
        self.notices.retain(|waiting| !replaces(waiting));
        self.notices.push_back(hearing);
    }

    fn tell_notices(&mut self) {
        if self.session.as_ref().is_some_and(Session::is_finishing) {
            return;
        }
        for notice in self.notices.drain(..) {
            self.audience.tell(&notice);
        }
    }

    /// Whether the source is asked for more.
    fn takes_sound(&self) -> bool {
        let rate = self.device.rate();
        let held = self.session.as_ref().map_or(0, Session::frames) + self.waiting.frames();
        // One without a clock is paced by whoever hears: half of what may wait is room enough.
        let waits = self.settings.lossless
            && self.device.is_open()
            && !self.audience.is_empty()
            && held >= frames_in(BACKLOG, rate) / 2;
        !waits && self.notices.len() < MOST_NOTICES
    }

    /// Sound that nobody hears.
    fn overrun(&mut self, frames: u64) {
        if frames == 0 {
            return;
        }
        self.overruns += 1;
        self.changed = true;
        if let Some(session) = &mut self.session {
            session.missed(frames);
        }
        self.audience.overrun(frames);
    }

    fn deadline(&self) -> Option<Instant> {
        let gate = (!self.audience.is_empty()).then(|| Instant::now() + GATE);
        let finish = self.session.as_ref().and_then(Session::late_at);
        [gate, finish, self.again].into_iter().flatten().min()
    }

    fn publish(&mut self) {
        let mut board = self.board.status();
        board.level = self.level;
        if !std::mem::take(&mut self.changed) {
            return;
        }
        board.state = self.microphone(!self.audience.is_empty());
        board.muted = self.is_muted();
        board.listeners = self.audience.report();
        board.overruns = self.overruns;
        board.losses = self.losses;
    }
}

impl Timeline {
    /// Where the first sound of a worker stands that comes `ahead` milliseconds before now. What
    /// nobody heard, as the device was lost, took its time; and sound without a clock may have
    /// run ahead of that.
    fn begin(&mut self, ahead: u64) -> u64 {
        let now = Instant::now();
        let before = Duration::from_millis(ahead);
        let first = now.checked_sub(before).unwrap_or(now);
        let origin = *self.origin.get_or_insert(first);
        let passed = first.saturating_duration_since(origin).as_millis();
        self.reached = self.reached.max(u64::try_from(passed).unwrap_or(u64::MAX));
        self.reached
    }

    /// Sound was heard up to here.
    fn reach(&mut self, at: u64) {
        self.reached = self.reached.max(at);
    }
}

/// Waits until then, or for ever.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}

/// How long so many frames last.
fn lasting(frames: u64, rate: u32) -> u64 {
    milliseconds(frames, rate)
}
