//! What arrives at the guard's host.

use earnest_wire::host::Event;
use earnest_wire::{
    Faults, Frame, Identity, PairingKey, Reason, Received, State, Switch, Trip, Why, guard, host,
};

use crate::wire::{Ends, Outcome, body, noise, script};
use crate::wire_to_guard::shake_hands;

/// Brings `data` to a host in a session, in the way that its first byte says: `b` as the body of
/// an open frame, `s` as an attacker's script (see `wire`), anything else as it is, all of it.
///
/// Nothing but the guard's own frames is believed, each once and forwards, and no noise keeps the
/// next of them from being heard.
pub fn wire_to_host(data: &[u8]) {
    let mut ends = ToHost::new();
    match data.split_first() {
        Some((b'b', bytes)) => body(&mut ends, 0x81, bytes),
        Some((b's', bytes)) => script(&mut ends, bytes),
        _ => noise(&mut ends, data),
    }
}

struct ToHost {
    host: host::Link,
    guard: guard::Link,
}

impl ToHost {
    fn new() -> Self {
        let key = || PairingKey::new([7; 32]);
        let identity = Identity::of_chip(b"guard 1");
        let mut host = host::Link::new(key(), Some(identity));
        let mut guard = guard::Link::new(identity, 1, Some(key()));
        shake_hands(&mut host, &mut guard);
        Self { host, guard }
    }
}

impl Ends for ToHost {
    fn says(&mut self, what: u8) -> Frame {
        let state = State {
            switch: Switch::Muted,
            power: what & 4 != 0,
            light: what & 8 != 0,
            announced: what & 16 != 0,
            why: Why::Muted,
            contradiction: false,
        };
        let count = u32::from(what);
        let silent = u32::MAX;
        match what % 4 {
            0 => self.guard.state(state),
            1 => self.guard.trip(Trip { silent, count }),
            2 => self.guard.faults(Faults {
                crc: count,
                mac: silent,
                ..Faults::default()
            }),
            _ => self.guard.refused(Reason::Rate),
        }
        .expect("a session stands")
    }

    fn hears(&mut self, bytes: &[u8]) -> Vec<Outcome> {
        let heard = bytes.iter().filter_map(|byte| self.host.receive(*byte));
        let outcome = |heard: Result<Received<Event>, _>| match heard {
            Ok(Received { event, lost }) => match event {
                Event::Refused { proved: false, .. } => Outcome::Open,
                Event::Welcome { .. } | Event::Paired { .. } => Outcome::Proved,
                Event::State(_)
                | Event::Trip(_)
                | Event::Faults(_)
                | Event::Refused { proved: true, .. } => Outcome::Sealed { lost },
            },
            Err(_) => Outcome::Fault,
        };
        heard.map(outcome).collect()
    }

    fn shake_hands(&mut self) {
        shake_hands(&mut self.host, &mut self.guard);
    }

    fn disturb(&mut self) {
        // A fresh welcome that nobody asked for, and a hint that proves nothing.
        let welcome = self.guard.welcome([1; 16]).expect("there is a key");
        assert_eq!(self.hears(welcome.as_bytes()).last(), Some(&Outcome::Fault));
        let refused = self.guard.refused_openly(Reason::NoSession);
        assert_eq!(self.hears(refused.as_bytes()), [Outcome::Open]);
        assert!(self.host.has_session());
    }
}
