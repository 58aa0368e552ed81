//! The host's side without I/O and without a clock: bytes and times in, bytes and states out.
//!
//! ```text
//! Down -- line opens --> Keyless -- a key --> Greeting -- welcome, proved --> Session
//!  ^                        ^                    ^                              |
//!  |                        +---- key goes ------+-------- silence -------------+
//!  +------------------------------ line is lost --------------------------------+
//! ```
//!
//! What is not proved moves nothing but counters, and the words for a guard that nobody can talk
//! to. In a session nothing that is said openly is looked at.

use std::time::Duration;

use earnest_wire::host::{Event, Link};
use earnest_wire::{
    Fault, Frame, Identity, Nonce, PairingKey, Reason, Received, State, Switch, Why,
};

use crate::{Cut, GuardReport, GuardState, Settings};

/// Bytes that may wait to be sent: more than all that is said in the time that a guard may be
/// silent. Where more would wait, nobody reads, and the line is given up.
pub(crate) const MOST_WAITING: usize = 2_048;

/// Proofs in a row by another key that make a guard another's. One or two may be answers to
/// a greeting that was given up.
const WRONG_PROOFS: u32 = 3;

/// Where a host gets numbers that nobody has seen.
pub trait Nonces: Send {
    /// The next one; none where the system has none.
    fn next(&mut self) -> Option<Nonce>;
}

/// The host's side.
pub struct Core<N> {
    settings: Settings,
    nonces: N,
    key: Option<(PairingKey, Option<Identity>)>,
    phase: Phase,
    wanted: bool,
    report: GuardReport,
    out: Vec<u8>,
}

enum Phase {
    /// There is no line.
    Down,
    /// There is a line, and no key to speak with.
    Keyless,
    Greeting(Greeting),
    Session(Box<Session>),
}

struct Greeting {
    link: Box<Link>,
    since: Duration,
    /// When the next greeting is sent.
    next: Duration,
    pause: Duration,
    wrong: u32,
    /// Whether somebody answered who does not know the key.
    unpaired: bool,
}

struct Session {
    link: Link,
    heard: Duration,
    beat: Duration,
    ask: Duration,
    state: Option<State>,
    /// What was announced last.
    announced: bool,
    /// When it may be announced again.
    again: Duration,
    refused: bool,
}

impl<N: Nonces> Core<N> {
    /// Nothing is open, and nobody is known.
    pub fn new(settings: Settings, nonces: N) -> Core<N> {
        Core {
            settings,
            nonces,
            key: None,
            phase: Phase::Down,
            wanted: false,
            report: GuardReport::of(GuardState::Connecting),
            out: Vec::new(),
        }
    }

    /// What is known of the guard.
    pub fn report(&self) -> &GuardReport {
        &self.report
    }

    /// What is to be sent.
    pub fn outgoing(&self) -> &[u8] {
        &self.out
    }

    /// So many of those bytes were sent.
    pub fn sent(&mut self, bytes: usize) {
        self.out.drain(..bytes.min(self.out.len()));
    }

    /// Whether nobody takes what is sent, so that the line is good for nothing.
    pub fn is_stuck(&self) -> bool {
        self.out.len() > MOST_WAITING
    }

    /// Whether a guard has proved that it has the key and answers.
    pub fn has_session(&self) -> bool {
        matches!(&self.phase, Phase::Session(session) if session.state.is_some())
    }

    /// The line is open.
    pub fn opened(&mut self, now: Duration) {
        self.out.clear();
        self.greet(now);
        self.look(now);
    }

    /// There is no line, or none any more.
    pub fn lost(&mut self) {
        self.out.clear();
        self.phase = Phase::Down;
        self.report.light = false;
        self.report.state = GuardState::Absent;
    }

    /// The key that is shared with the guard, and which guard that is.
    pub fn pair(&mut self, key: PairingKey, pinned: Option<Identity>, now: Duration) {
        self.key = Some((key, pinned));
        if !matches!(self.phase, Phase::Down) {
            self.greet(now);
            self.look(now);
        }
    }

    /// Whether sound is wanted.
    pub fn want(&mut self, wanted: bool, now: Duration) {
        self.wanted = wanted;
        self.steer(now);
        self.look(now);
    }

    /// Bytes came.
    pub fn receive(&mut self, bytes: &[u8], now: Duration) {
        for byte in bytes {
            let link = match &mut self.phase {
                Phase::Down | Phase::Keyless => return,
                Phase::Greeting(greeting) => &mut *greeting.link,
                Phase::Session(session) => &mut session.link,
            };
            match link.receive(*byte) {
                None => {}
                Some(Ok(Received { event, lost })) => {
                    self.report.line.lost += u64::from(lost);
                    self.heard(event, now);
                }
                Some(Err(fault)) => self.fault(fault),
            }
        }
        self.steer(now);
        self.look(now);
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Duration) {
        let silence = self.settings.silence;
        match &mut self.phase {
            Phase::Down | Phase::Keyless => {}
            Phase::Greeting(greeting) if greeting.next <= now => self.hello(now),
            Phase::Greeting(_) => {}
            Phase::Session(session) if session.heard + silence <= now => self.greet(now),
            Phase::Session(session) => {
                if session.beat <= now {
                    session.beat = now + self.settings.heartbeat;
                    send(&mut self.out, session.link.heartbeat().ok());
                }
                if session.ask <= now {
                    session.ask = now + self.settings.faults;
                    send(&mut self.out, session.link.ask().ok());
                }
            }
        }
        self.steer(now);
        self.look(now);
    }

    /// When [`Core::tick`] has something to do.
    pub fn deadline(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Down | Phase::Keyless => None,
            Phase::Greeting(greeting) => {
                let absent = greeting.since + self.settings.patience;
                let absent = (self.report.state == GuardState::Connecting).then_some(absent);
                Some(absent.map_or(greeting.next, |absent| absent.min(greeting.next)))
            }
            Phase::Session(session) => {
                let silent = session.heard + self.settings.silence;
                let next = session.beat.min(session.ask).min(silent);
                let again = session.wants(self.wanted).then_some(session.again);
                Some(again.map_or(next, |again| again.min(next)))
            }
        }
    }

    /// Begins anew, with no trust left from before.
    fn greet(&mut self, now: Duration) {
        self.report.light = false;
        let Some((key, pinned)) = &self.key else {
            self.phase = Phase::Keyless;
            return;
        };
        self.phase = Phase::Greeting(Greeting {
            link: Box::new(Link::new(key.clone(), *pinned)),
            since: now,
            next: now,
            pause: self.settings.greeting,
            wrong: 0,
            unpaired: false,
        });
        self.hello(now);
    }

    fn hello(&mut self, now: Duration) {
        if let Phase::Greeting(greeting) = &mut self.phase {
            greeting.next = now + greeting.pause;
            greeting.pause = (greeting.pause * 2).min(self.settings.rest);
            let hello = self.nonces.next().map(|nonce| greeting.link.hello(nonce));
            send(&mut self.out, hello);
        }
    }

    fn heard(&mut self, event: Event, now: Duration) {
        match (&mut self.phase, event) {
            (
                Phase::Greeting(_),
                Event::Welcome {
                    identity,
                    boots,
                    confirm,
                },
            ) => {
                (self.report.identity, self.report.boots) = (Some(identity), boots);
                send(&mut self.out, Some(confirm));
                self.begin(now);
            }
            (Phase::Greeting(greeting), Event::Refused { reason, .. }) => {
                greeting.unpaired |= reason == Reason::NoKey;
            }
            (Phase::Session(session), Event::State(state)) => {
                if session.state.is_none() {
                    self.report.sessions += 1;
                }
                session.heard = now;
                session.state = Some(state);
                session.refused &= !state.announced;
                self.report.light = state.light;
            }
            (Phase::Session(session), Event::Trip(_)) => {
                session.heard = now;
                session.announced = false;
                self.report.trips += 1;
            }
            (Phase::Session(session), Event::Faults(faults)) => {
                session.heard = now;
                self.report.faults = faults;
            }
            (
                Phase::Session(session),
                Event::Refused {
                    reason,
                    proved: true,
                },
            ) => {
                session.heard = now;
                if reason == Reason::Rate {
                    session.refused = true;
                    session.again = now + self.settings.refused;
                }
            }
            // What anybody may have said, or nobody was asked.
            _ => {}
        }
    }

    /// The guard has proved itself.
    fn begin(&mut self, now: Duration) {
        let Phase::Greeting(greeting) = std::mem::replace(&mut self.phase, Phase::Down) else {
            return;
        };
        let mut session = Session {
            link: *greeting.link,
            heard: now,
            beat: now + self.settings.heartbeat,
            ask: now + self.settings.faults,
            state: None,
            announced: false,
            again: now,
            refused: false,
        };
        send(&mut self.out, session.link.heartbeat().ok());
        send(&mut self.out, session.link.ask().ok());
        self.phase = Phase::Session(Box::new(session));
    }

    fn fault(&mut self, fault: Fault) {
        let line = &mut self.report.line;
        let count = match fault {
            Fault::Line(_) | Fault::Message | Fault::Unasked => &mut line.noise,
            Fault::Mac | Fault::NoSession | Fault::Proof | Fault::Identity { .. } => {
                &mut line.forged
            }
            Fault::Replayed { .. } => &mut line.replayed,
        };
        *count = count.saturating_add(1);
        if let Phase::Greeting(greeting) = &mut self.phase
            && matches!(fault, Fault::Proof | Fault::Identity { .. })
        {
            greeting.wrong += 1;
            greeting.unpaired |= greeting.wrong >= WRONG_PROOFS;
        }
    }

    /// Says to the guard what this host is about to do.
    fn steer(&mut self, now: Duration) {
        let Phase::Session(session) = &mut self.phase else {
            return;
        };
        if self.wanted {
            if session.wants(true) && session.again <= now {
                // A guard that cut the microphone wants to hear first that the host is alive.
                session.beat = now + self.settings.heartbeat;
                session.again = now + self.settings.announcement;
                session.announced = true;
                send(&mut self.out, session.link.heartbeat().ok());
                send(&mut self.out, session.link.announce(true).ok());
            }
        } else if session.announced || (session.wants(false) && session.again <= now) {
            // At once the first time, and then no more often than what it takes back.
            if !std::mem::take(&mut session.announced) {
                session.again = now + self.settings.announcement;
            }
            send(&mut self.out, session.link.announce(false).ok());
        }
    }

    /// Works out how the guard is.
    fn look(&mut self, now: Duration) {
        self.report.state = match &self.phase {
            Phase::Down => GuardState::Absent,
            Phase::Keyless => GuardState::Unpaired,
            Phase::Greeting(greeting) if greeting.unpaired => GuardState::Unpaired,
            Phase::Greeting(greeting) => match greeting.since + self.settings.patience <= now {
                true => GuardState::Absent,
                false => GuardState::Connecting,
            },
            Phase::Session(session) => session.look(self.wanted),
        };
    }
}

impl Session {
    /// Whether the guard is to be told something: that sound is wanted, or no longer is.
    fn wants(&self, wanted: bool) -> bool {
        let Some(state) = &self.state else {
            return false;
        };
        match wanted {
            // An announcement while the switch is at mute, or the rail not as it should be, would
            // be refused and cost one of few.
            true => {
                let stands = state.announced && self.announced;
                !stands
                    && !state.contradiction
                    && state.switch == Switch::Open
                    && matches!(state.why, Why::NoHeartbeat | Why::NotAnnounced | Why::Live)
            }
            false => state.announced || self.announced,
        }
    }

    fn look(&self, wanted: bool) -> GuardState {
        let Some(state) = &self.state else {
            return GuardState::Connecting;
        };
        if state.switch == Switch::Muted || matches!(state.why, Why::Muted | Why::Settling) {
            return GuardState::Muted;
        }
        if state.contradiction {
            return GuardState::Cut(Cut::Contradiction);
        }
        match state.why {
            Why::Muted | Why::Settling => GuardState::Muted,
            Why::Memory => GuardState::Cut(Cut::Memory),
            Why::NoKey => GuardState::Unpaired,
            Why::NoSession => GuardState::Connecting,
            Why::NoHeartbeat => GuardState::Cut(Cut::Watchdog),
            Why::NotAnnounced | Why::Live if !wanted => GuardState::Cut(Cut::Idle),
            Why::NotAnnounced | Why::Live if self.refused => GuardState::Cut(Cut::Refused),
            // A state of before it was announced anew is none to trust.
            Why::Live if state.is_live() && self.announced => GuardState::Live,
            Why::NotAnnounced | Why::Live => GuardState::Cut(Cut::Announcing),
        }
    }
}

fn send(out: &mut Vec<u8>, frame: Option<Frame>) {
    if let Some(frame) = frame {
        out.extend_from_slice(frame.as_bytes());
    }
}
