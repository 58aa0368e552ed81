//! What the guard is told, and what it makes of it.
//!
//! What it knows has two parts, each a small machine. `Why` is the first of the reasons against
//! power, or `Live`.
//!
//! | switch   | muted   | opened   | 50 ms pass |
//! |----------|---------|----------|------------|
//! | Muted    | Muted   | Settling | Muted      |
//! | Settling | Muted   | Settling | Open       |
//! | Open     | Muted   | Open     | Open       |
//!
//! | host    | pair      | handshake | heartbeat | announce | withdraw | 1 s passes   | muted   | reset  |
//! |---------|-----------|-----------|-----------|----------|----------|--------------|---------|--------|
//! | NoKey   | Unmet (1) | NoKey     | NoKey     | NoKey    | NoKey    | NoKey        | NoKey   | NoKey  |
//! | Unmet   | Unmet     | Silent    | Unmet     | Unmet    | Unmet    | Unmet        | Unmet   | Unmet  |
//! | Silent  | Silent    | Silent    | Present   | Silent   | Silent   | Silent       | Silent  | Unmet  |
//! | Present | Present   | Silent    | Present   | Live (2) | Present  | Silent       | Present | Unmet  |
//! | Live    | Live      | Silent    | Live      | Live     | Present  | Silent, trip | Present | Unmet  |
//!
//! (1) with the switch at Muted, where the memory keeps the key; else refused. (2) with the switch
//! at Open and a token left; else refused. A reset puts the switch at Muted. Power is on in Live
//! alone, which cannot be with another switch than Open.

use earnest_wire::guard::{Event, Link};
use earnest_wire::{Fault, Faults, Identity, LineFault, Nonce, PairingKey, Reason};
use earnest_wire::{State, Switch, Trip, Why};
use embassy_time::Instant;

use crate::bucket::Bucket;
use crate::memory::{Memory, Store};
use crate::outbox::Outbox;
use crate::rail::Rail;
use crate::settings::Settings;
use crate::switch::{Debounced, Position};

/// The guard's logic. Each call says what time it is; time that goes back stands still.
///
/// Whoever calls drives the power switch with [`Guard::power`] after each call, and calls
/// [`Guard::tick`] at [`Guard::deadline`].
#[derive(Debug)]
pub struct Guard<S> {
    settings: Settings,
    link: Link,
    memory: Memory<S>,
    switch: Debounced,
    rail: Rail,
    announcements: Bucket,
    /// The host's announcement stands.
    announced: bool,
    /// The last heartbeat of this session that is not too old.
    heartbeat: Option<Instant>,
    /// What was decided last.
    why: Why,
    now: Instant,
    /// The last state that was told in this session.
    told: Option<State>,
    owed: Owed,
    /// Counters have changed since they were written.
    unsaved: bool,
    saved: Option<Instant>,
}

/// What the host is to be told as soon as there is room.
#[derive(Debug, Default)]
struct Owed {
    state: bool,
    faults: bool,
    trip: Option<Trip>,
    refused: Option<Reason>,
}

impl<S: Store> Guard<S> {
    /// A guard that has just started: muted, without power, session or announcement. It reads what
    /// it kept, counts its start, and keeps that first.
    pub fn new(settings: Settings, identity: Identity, store: S, now: Instant) -> Self {
        let memory = Memory::start(store);
        let record = memory.record();
        let link = Link::new(identity, record.boots, record.key.clone());
        let mut guard = Self {
            link,
            memory,
            switch: Debounced::new(settings.debounce),
            rail: Rail::new(settings.rail_settles),
            announcements: Bucket::new(settings.announcements, settings.announcement_every, now),
            announced: false,
            heartbeat: None,
            why: Why::Muted,
            now,
            told: None,
            owed: Owed::default(),
            unsaved: false,
            saved: None,
            settings,
        };
        guard.why = guard.rule();
        guard
    }

    /// Mixes in what a board's source of randomness gives, where it has one. Nonces are fresh
    /// without.
    pub fn mix(&mut self, salt: Nonce) {
        self.link.mix(salt);
    }

    /// Bytes from the line.
    pub fn receive(&mut self, bytes: &[u8], now: Instant, out: &mut Outbox) {
        self.pass(now);
        for byte in bytes {
            match self.link.receive(*byte) {
                None => {}
                Some(Ok(received)) => {
                    self.count(|faults| &mut faults.lost, received.lost);
                    self.event(received.event, out);
                    // Each message sees what the one before it did.
                    self.decide(out);
                }
                Some(Err(fault)) => self.fault(fault, out),
            }
        }
        self.decide(out);
    }

    /// What the switch's pin says now.
    pub fn switch(&mut self, level: Switch, now: Instant, out: &mut Outbox) {
        self.pass(now);
        self.switch.level(level, self.now);
        self.decide(out);
    }

    /// Whether the rail behind both switches carries power, as sensed now.
    pub fn rail(&mut self, sensed: bool, now: Instant, out: &mut Outbox) {
        self.pass(now);
        self.rail.sense(sensed);
        self.decide(out);
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Instant, out: &mut Outbox) {
        self.pass(now);
        self.decide(out);
    }

    /// When [`Guard::tick`] has something to do at the latest, if nothing else happens.
    pub fn deadline(&self) -> Option<Instant> {
        let watchdog = self
            .heartbeat
            .map(|at| at.saturating_add(self.settings.watchdog));
        let save = self.unsaved.then(|| self.save_at());
        [
            watchdog,
            self.switch.settles_at(),
            self.rail.settles_at(),
            save,
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Whether the power switch is to be on.
    pub fn power(&self) -> bool {
        self.why == Why::Live
    }

    /// Why it is, or is not.
    pub fn why(&self) -> Why {
        self.why
    }

    /// How things stand, as the host is told.
    pub fn state(&self) -> State {
        State {
            switch: if self.switch.is_open() {
                Switch::Open
            } else {
                Switch::Muted
            },
            power: self.rail.sensed(),
            light: self.rail.sensed(),
            announced: self.announced,
            why: self.why,
            contradiction: self.rail.contradicts(),
        }
    }

    /// What went wrong so far.
    pub fn faults(&self) -> Faults {
        self.memory.record().faults
    }

    /// Whether it has a key.
    pub fn is_paired(&self) -> bool {
        self.link.has_key()
    }

    /// Whether a host has proved that it has the key.
    pub fn has_session(&self) -> bool {
        self.link.has_session()
    }

    /// How often it has started.
    pub fn boots(&self) -> u32 {
        self.memory.record().boots
    }

    /// The rule: power only where each of these holds. No other place decides.
    fn rule(&self) -> Why {
        match self.switch.position() {
            Position::Muted => return Why::Muted,
            Position::Settling(_) => return Why::Settling,
            Position::Open => {}
        }
        if !self.memory.keeps() {
            Why::Memory
        } else if !self.link.has_key() {
            Why::NoKey
        } else if !self.link.has_session() {
            Why::NoSession
        } else if !self.is_heard() {
            Why::NoHeartbeat
        } else if !self.announced {
            Why::NotAnnounced
        } else {
            Why::Live
        }
    }

    /// Whether a heartbeat of this session is younger than the watchdog's time, as of the last
    /// call.
    pub fn is_heard(&self) -> bool {
        self.heartbeat
            .is_some_and(|at| self.now.saturating_duration_since(at) < self.settings.watchdog)
    }

    fn pass(&mut self, now: Instant) {
        self.now = self.now.max(now);
        self.switch.settle(self.now);
        // Before a message is taken that would come too late.
        self.watch();
    }

    /// The watchdog: cuts the microphone when the host goes quiet.
    fn watch(&mut self) {
        let Some(at) = self.heartbeat.filter(|_| !self.is_heard()) else {
            return;
        };
        self.heartbeat = None;
        if self.announced {
            self.announced = false;
            self.count(|faults| &mut faults.watchdog_trips, 1);
            let silent = self.now.saturating_duration_since(at).as_millis();
            self.owed.trip = Some(Trip {
                silent: u32::try_from(silent).unwrap_or(u32::MAX),
                count: self.faults().watchdog_trips,
            });
        }
    }

    fn event(&mut self, event: Event, out: &mut Outbox) {
        match event {
            Event::Hello { nonce } => self.hello(nonce, out),
            Event::Confirmed => {
                self.announced = false;
                self.heartbeat = None;
                self.told = None;
                self.owed = Owed::default();
            }
            Event::Pair { key } => self.pair(key, out),
            Event::Heartbeat => {
                self.heartbeat = Some(self.now);
                self.owed.state = true;
            }
            Event::Announce { live: false } => {
                self.announced = false;
                self.owed.state = true;
            }
            Event::Announce { live: true } => match self.announce() {
                Ok(()) => self.owed.state = true,
                Err(reason) => {
                    self.count(|faults| &mut faults.refused_announcements, 1);
                    self.owed.refused = Some(reason);
                }
            },
            Event::Ask => {
                self.owed.state = true;
                self.owed.faults = true;
            }
        }
    }

    fn hello(&mut self, nonce: Nonce, out: &mut Outbox) {
        if !self.memory.keeps() {
            return self.refuse_openly(Reason::Memory, out);
        }
        match self.link.welcome(nonce) {
            // Where there is no room, the host asks again.
            Ok(welcome) => drop(out.push(&welcome)),
            Err(_) => self.refuse_openly(Reason::NoKey, out),
        }
    }

    fn pair(&mut self, key: PairingKey, out: &mut Outbox) {
        if self.link.has_key() {
            return self.refuse_openly(Reason::HasKey, out);
        }
        if self.switch.position() != Position::Muted {
            return self.refuse_openly(Reason::NotMuted, out);
        }
        if !self.memory.keeps() || !self.memory.pair(&key) {
            return self.refuse_openly(Reason::Memory, out);
        }
        let paired = self.link.pair(key);
        let _ = out.push(&paired);
    }

    fn announce(&mut self) -> Result<(), Reason> {
        // Each one takes a token, so that refusals cannot be had without end either.
        if !self.announcements.take(self.now) {
            return Err(Reason::Rate);
        }
        if !self.switch.is_open() {
            return Err(Reason::Muted);
        }
        if !self.is_heard() {
            return Err(Reason::NoHeartbeat);
        }
        self.announced = true;
        Ok(())
    }

    fn fault(&mut self, fault: Fault, out: &mut Outbox) {
        match fault {
            Fault::Line(LineFault::Overflow) => self.count(|faults| &mut faults.overflow, 1),
            Fault::Line(LineFault::Version { .. }) => {
                self.count(|faults| &mut faults.wrong_version, 1);
                self.refuse_openly(Reason::Version, out);
            }
            Fault::Line(LineFault::Checksum { .. }) => self.count(|faults| &mut faults.crc, 1),
            Fault::Line(_) | Fault::Message => self.count(|faults| &mut faults.malformed, 1),
            Fault::Mac | Fault::Unasked | Fault::Identity { .. } => {
                self.count(|faults| &mut faults.mac, 1);
            }
            Fault::NoSession => {
                self.count(|faults| &mut faults.mac, 1);
                // After a reset of the guard the host still thinks that there is one.
                self.refuse_openly(Reason::NoSession, out);
            }
            Fault::Proof => {
                self.count(|faults| &mut faults.mac, 1);
                self.refuse_openly(Reason::Proof, out);
            }
            Fault::Replayed { .. } => self.count(|faults| &mut faults.replayed, 1),
        }
    }

    fn count(&mut self, counter: fn(&mut Faults) -> &mut u32, by: u32) {
        if by > 0 {
            let counter = counter(self.memory.faults());
            *counter = counter.saturating_add(by);
            self.unsaved = true;
        }
    }

    fn refuse_openly(&mut self, reason: Reason, out: &mut Outbox) {
        // A hint alone, so it is left out where there is no room.
        let _ = out.push(&self.link.refused_openly(reason));
    }

    fn save_at(&self) -> Instant {
        self.saved
            .map_or(self.now, |at| at.saturating_add(self.settings.save_every))
    }

    /// Decides, after anything has changed, and tells.
    fn decide(&mut self, out: &mut Outbox) {
        if !self.switch.is_open() {
            // Muting takes the announcement back: after it the host has to announce anew.
            self.announced = false;
        }
        self.why = self.rule();
        if self.rail.compare(self.power(), self.now) {
            self.count(|faults| &mut faults.contradictions, 1);
        }
        self.tell(out);
        if self.unsaved && self.now >= self.save_at() {
            self.unsaved = false;
            self.saved = Some(self.now);
            self.memory.save();
        }
    }

    /// Tells the host what it is owed, as far as there is room: a frame that does not fit would
    /// use up its number, and look lost.
    fn tell(&mut self, out: &mut Outbox) {
        while self.link.has_session() && out.has_room() {
            let state = self.state();
            let frame = if let Some(trip) = self.owed.trip.take() {
                self.link.trip(trip)
            } else if let Some(reason) = self.owed.refused.take() {
                self.link.refused(reason)
            } else if self.owed.state || self.told != Some(state) {
                self.owed.state = false;
                self.told = Some(state);
                self.link.state(state)
            } else if self.owed.faults {
                self.owed.faults = false;
                self.link.faults(self.faults())
            } else {
                return;
            };
            // Numbers that are used up need a handshake, which the host begins when it hears
            // nothing any more.
            let Ok(frame) = frame else { return };
            let _ = out.push(&frame);
        }
    }
}
