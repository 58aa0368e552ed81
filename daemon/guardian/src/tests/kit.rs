//! A host and a guard on one line, a millisecond at a time. The guard is the real one; its
//! hardware is two lines of this file.

use std::time::Duration;

use earnest_guard::memory::Erased;
use earnest_guard::{Guard, Outbox};
use earnest_wire::{Identity, NONCE_BYTES, Nonce, PairingKey, Switch};
use embassy_time::Instant;

use crate::{Core, GuardState, Nonces, Settings};

pub(super) fn key() -> PairingKey {
    PairingKey::new([7; 32])
}

pub(super) fn identity() -> Identity {
    Identity::of_chip(b"chip 1")
}

/// Numbers that come once each.
pub(super) struct Counted(u128);

impl Nonces for Counted {
    fn next(&mut self) -> Option<Nonce> {
        self.0 += 1;
        let nonce: [u8; NONCE_BYTES] = self.0.to_le_bytes();
        Some(nonce)
    }
}

pub(super) struct Bench {
    pub(super) host: Core<Counted>,
    pub(super) guard: Guard<Erased>,
    pub(super) now: Duration,
    pub(super) switch: Switch,
    /// Whether the guard's processor runs.
    pub(super) runs: bool,
    /// Whether the host's does.
    pub(super) host_runs: bool,
    /// The states that the host was in, each once in a row.
    pub(super) seen: Vec<GuardState>,
    /// Every byte that went either way.
    pub(super) to_guard: Vec<u8>,
    pub(super) to_host: Vec<u8>,
    out: Outbox,
}

pub(super) fn core() -> Core<Counted> {
    Core::new(Settings::default(), Counted(0))
}

impl Bench {
    /// A paired guard with its switch open, and a line that nobody has opened.
    pub(super) fn paired() -> Bench {
        let mut bench = Bench::unpaired();
        let mut link = earnest_wire::host::Link::new(key(), None);
        let frame = link.pair();
        let at = bench.instant();
        bench.guard.receive(frame.as_bytes(), at, &mut bench.out);
        while bench.out.pop().is_some() {}
        assert!(bench.guard.is_paired());
        bench.host.pair(key(), Some(identity()), bench.now);
        bench.switch = Switch::Open;
        bench.run(100);
        bench
    }

    pub(super) fn unpaired() -> Bench {
        let store = Erased::default();
        let settings = earnest_guard::Settings::default();
        Bench {
            host: core(),
            guard: Guard::new(settings, identity(), store, Instant::from_millis(0)),
            now: Duration::ZERO,
            switch: Switch::Muted,
            runs: true,
            host_runs: true,
            seen: Vec::new(),
            to_guard: Vec::new(),
            to_host: Vec::new(),
            out: Outbox::new(),
        }
    }

    /// One with a session, and sound wanted and flowing.
    pub(super) fn live() -> Bench {
        let mut bench = Bench::paired();
        bench.open();
        bench.want(true);
        bench.run(500);
        assert_eq!(bench.state(), GuardState::Live);
        bench
    }

    pub(super) fn open(&mut self) {
        self.host.opened(self.now);
        self.note();
    }

    pub(super) fn want(&mut self, wanted: bool) {
        self.host.want(wanted, self.now);
        self.note();
    }

    pub(super) fn state(&self) -> GuardState {
        self.host.report().state
    }

    /// Whether sound can flow.
    pub(super) fn rail(&self) -> bool {
        self.runs && self.guard.power() && self.switch == Switch::Open
    }

    /// The guard starts anew, and has forgotten everything but its memory.
    pub(super) fn reset(&mut self) {
        let store = Erased::default();
        let settings = earnest_guard::Settings::default();
        let at = self.instant();
        self.guard = Guard::new(settings, identity(), store, at);
        self.out = Outbox::new();
        // The memory of this kit forgets, so the key is given again, as if it had been kept.
        let frame = earnest_wire::host::Link::new(key(), None).pair();
        self.guard.receive(frame.as_bytes(), at, &mut self.out);
        while self.out.pop().is_some() {}
    }

    /// Time passes until the host has just been heard.
    pub(super) fn beat(&mut self) {
        let before = self.to_guard.len();
        while self.to_guard.len() == before {
            self.run(1);
        }
    }

    /// So many milliseconds pass.
    pub(super) fn run(&mut self, milliseconds: u64) {
        for _ in 0..milliseconds {
            self.now += Duration::from_millis(1);
            self.step();
        }
    }

    fn step(&mut self) {
        let rail = self.rail();
        let at = self.instant();
        if self.host_runs {
            let bytes = self.host.outgoing().to_vec();
            self.host.sent(bytes.len());
            self.to_guard.extend_from_slice(&bytes);
            if self.runs {
                self.guard.receive(&bytes, at, &mut self.out);
            }
        }
        if self.runs {
            self.guard.switch(self.switch, at, &mut self.out);
            self.guard.rail(rail, at, &mut self.out);
            self.guard.tick(at, &mut self.out);
        }
        if self.host_runs {
            let bytes: Vec<u8> = std::iter::from_fn(|| self.out.pop()).collect();
            self.to_host.extend_from_slice(&bytes);
            self.hear(&bytes);
            if self.host.deadline().is_some_and(|at| at <= self.now) {
                self.host.tick(self.now);
            }
            self.note();
        }
        // What is held of both is the point of it all.
        assert!(!self.rail() || self.switch == Switch::Open);
    }

    /// The host hears bytes, whoever sent them.
    pub(super) fn hear(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.host.receive(bytes, self.now);
        }
        self.note();
    }

    fn note(&mut self) {
        let state = self.state();
        if self.seen.last() != Some(&state) {
            self.seen.push(state);
        }
    }

    fn instant(&self) -> Instant {
        Instant::from_millis(u64::try_from(self.now.as_millis()).unwrap())
    }
}
