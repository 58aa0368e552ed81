//! A guard on a bench.

use std::cell::RefCell;
use std::rc::Rc;

use earnest_guard::{Guard, Outbox, RECORD_BYTES, Settings, Slot, Store};
use earnest_wire::host::{Event, Link};
use earnest_wire::{Fault, Frame, Identity, PairingKey, Reason, State, Switch, guard};
use embassy_time::{Duration, Instant};

/// Memory that survives the guard's resets, and that a test can break.
#[derive(Debug, Clone)]
pub(crate) struct Kept(pub(crate) Rc<RefCell<Places>>);

#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) records: [[u8; RECORD_BYTES]; 2],
    pub(crate) writes: usize,
    /// Writes that are still done; the one after them is cut in its middle, and all others fail.
    pub(crate) left: usize,
    /// Writes are said to be done, and are not.
    pub(crate) forgets: bool,
}

impl Kept {
    pub(crate) fn erased() -> Self {
        Self(Rc::new(RefCell::new(Places {
            records: [[0xff; RECORD_BYTES]; 2],
            writes: 0,
            left: usize::MAX,
            forgets: false,
        })))
    }
}

impl Store for Kept {
    type Error = ();

    fn load(&mut self, slot: Slot, record: &mut [u8; RECORD_BYTES]) -> Result<(), ()> {
        record.copy_from_slice(&self.0.borrow().records[slot as usize]);
        Ok(())
    }

    fn save(&mut self, slot: Slot, record: &[u8; RECORD_BYTES]) -> Result<(), ()> {
        let mut places = self.0.borrow_mut();
        places.writes += 1;
        if places.forgets {
            return Ok(());
        }
        let Some(left) = places.left.checked_sub(1) else {
            let half = RECORD_BYTES / 2;
            places.records[slot as usize][..half].copy_from_slice(&record[..half]);
            return Err(());
        };
        places.left = left;
        places.records[slot as usize] = *record;
        Ok(())
    }
}

pub(crate) const KEY: [u8; 32] = [7; 32];

pub(crate) fn identity() -> Identity {
    Identity::of_chip(b"guard 1")
}

/// A guard, its switch and rail, its host, and what they have said.
pub(crate) struct Bench {
    pub(crate) guard: Guard<Kept>,
    pub(crate) store: Kept,
    pub(crate) host: Link,
    /// A host that thinks that it has a session with this guard.
    pub(crate) mistaken: Link,
    pub(crate) now: Instant,
    pub(crate) out: Outbox,
    /// Where the mute switch is. It cuts the rail itself.
    pub(crate) hand: Switch,
    /// What the host heard since it was last asked.
    pub(crate) heard: Vec<Event>,
    pub(crate) faults: Vec<Fault>,
    nonces: u8,
}

impl Bench {
    /// As it leaves the factory, with the switch at mute.
    pub(crate) fn new() -> Self {
        let store = Kept::erased();
        let now = Instant::from_millis(1_000);
        let key = || PairingKey::new(KEY);
        let mut mistaken = Link::new(key(), None);
        let mut other = guard::Link::new(identity(), 9, Some(key()));
        shake_hands(&mut mistaken, &mut other);
        Self {
            guard: Guard::new(Settings::default(), identity(), store.clone(), now),
            store,
            host: Link::new(key(), Some(identity())),
            mistaken,
            now,
            out: Outbox::new(),
            hand: Switch::Muted,
            heard: Vec::new(),
            faults: Vec::new(),
            nonces: 0,
        }
    }

    /// With a key, a session, a heartbeat, an open switch and an announcement.
    pub(crate) fn live() -> Self {
        let mut bench = Self::new();
        bench.pair();
        bench.shake_hands();
        bench.open();
        bench.pass(50);
        bench.heartbeat();
        bench.announce(true);
        assert!(bench.guard.power() && bench.state().is_live());
        bench.heard.clear();
        bench
    }

    pub(crate) fn state(&self) -> State {
        self.guard.state()
    }

    /// Bytes to the guard, and all that follows.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.guard.receive(bytes, self.now, &mut self.out);
        self.settle();
    }

    pub(crate) fn say(&mut self, frame: &Frame) {
        self.send(frame.as_bytes());
    }

    /// The rail follows both switches, and what the guard says reaches the host.
    pub(crate) fn settle(&mut self) {
        // The rail follows the guard, and the guard is told.
        for _ in 0..2 {
            let rail = self.rail();
            self.guard.rail(rail, self.now, &mut self.out);
        }
        self.listen();
    }

    /// What the guard says reaches the host. A handshake's end is for the test to send.
    pub(crate) fn listen(&mut self) {
        while let Some(byte) = self.out.pop() {
            match self.host.receive(byte) {
                Some(Ok(received)) => {
                    assert_eq!(received.lost, 0, "the guard left out a number");
                    self.heard.push(received.event);
                }
                Some(Err(fault)) => self.faults.push(fault),
                None => {}
            }
        }
        // Room that has become free is used.
        self.guard.tick(self.now, &mut self.out);
        if !self.out.is_empty() {
            self.listen();
        }
    }

    /// The switch's own pole, then the guard's power switch.
    pub(crate) fn rail(&self) -> bool {
        self.hand == Switch::Open && self.guard.power()
    }

    pub(crate) fn mute(&mut self) {
        self.hand = Switch::Muted;
        self.guard.switch(self.hand, self.now, &mut self.out);
        self.settle();
    }

    pub(crate) fn open(&mut self) {
        self.hand = Switch::Open;
        self.guard.switch(self.hand, self.now, &mut self.out);
        self.settle();
    }

    /// Time passes, and the guard is called when it wants to be.
    pub(crate) fn pass(&mut self, milliseconds: u64) {
        let end = self.now + Duration::from_millis(milliseconds);
        while let Some(at) = self.guard.deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.guard.tick(self.now, &mut self.out);
            self.settle();
            assert_ne!(self.guard.deadline(), Some(at), "a deadline stays");
        }
        self.now = end;
        self.settle();
    }

    pub(crate) fn pair(&mut self) {
        let pair = self.host.pair();
        self.say(&pair);
    }

    pub(crate) fn shake_hands(&mut self) {
        self.nonces += 1;
        let hello = self.host.hello([self.nonces; 16]);
        self.say(&hello);
        if let Some(Event::Welcome { confirm, .. }) = self.heard.last().cloned() {
            self.say(&confirm);
        }
    }

    /// The host that has a session, or else the one that thinks that it has one.
    pub(crate) fn speaker(&mut self) -> &mut Link {
        if self.host.has_session() {
            &mut self.host
        } else {
            &mut self.mistaken
        }
    }

    pub(crate) fn heartbeat(&mut self) {
        let frame = self.speaker().heartbeat().expect("a session");
        self.say(&frame);
    }

    pub(crate) fn announce(&mut self, live: bool) {
        let frame = self.speaker().announce(live).expect("a session");
        self.say(&frame);
    }

    /// The guard starts again, with what it kept, at mute until it has looked.
    pub(crate) fn reset(&mut self) {
        self.out = Outbox::new();
        let settings = Settings::default();
        self.guard = Guard::new(settings, identity(), self.store.clone(), self.now);
    }

    /// Why the host heard that something was not done, in order.
    pub(crate) fn refusals(&mut self) -> Vec<Reason> {
        let reason = |event| match event {
            Event::Refused { reason, .. } => Some(reason),
            _ => None,
        };
        self.heard.drain(..).filter_map(reason).collect()
    }

    /// The last state that the host was told since it was asked.
    pub(crate) fn told(&mut self) -> Option<State> {
        let state = |event| match event {
            Event::State(state) => Some(state),
            _ => None,
        };
        self.heard.drain(..).filter_map(state).next_back()
    }
}

/// A whole handshake between two ends.
fn shake_hands(host: &mut Link, guard: &mut guard::Link) {
    let hello = host.hello([0; 16]);
    for byte in hello.as_bytes() {
        guard.receive(*byte);
    }
    let welcome = guard.welcome([0; 16]).expect("there is a key");
    for byte in welcome.as_bytes() {
        host.receive(*byte);
    }
    assert!(host.has_session());
}
