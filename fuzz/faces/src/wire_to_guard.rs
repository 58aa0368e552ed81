//! What arrives at the guard.

use earnest_wire::guard::Event;
use earnest_wire::{Frame, Identity, PairingKey, Received, guard, host};

use crate::wire::{Ends, Outcome, body, noise, script};

/// Brings `data` to a guard in a session, in the way that its first byte says: `b` as the body of
/// an open frame, `s` as an attacker's script (see `wire`), anything else as it is, all of it.
///
/// Nothing but the host's own frames is believed, each once and forwards, and no noise keeps the
/// next of them from being heard.
pub fn wire_to_guard(data: &[u8]) {
    let mut ends = ToGuard::new();
    match data.split_first() {
        Some((b'b', bytes)) => body(&mut ends, 0x01, bytes),
        Some((b's', bytes)) => script(&mut ends, bytes),
        _ => noise(&mut ends, data),
    }
}

struct ToGuard {
    host: host::Link,
    guard: guard::Link,
    /// The last handshake's frames to the guard.
    hello: Frame,
    confirm: Frame,
}

impl ToGuard {
    fn new() -> Self {
        let key = || PairingKey::new([7; 32]);
        let identity = Identity::of_chip(b"guard 1");
        let mut host = host::Link::new(key(), Some(identity));
        let mut guard = guard::Link::new(identity, 1, Some(key()));
        let (hello, confirm) = shake_hands(&mut host, &mut guard);
        Self {
            host,
            guard,
            hello,
            confirm,
        }
    }
}

impl Ends for ToGuard {
    fn says(&mut self, what: u8) -> Frame {
        match what % 4 {
            0 => self.host.heartbeat(),
            1 => self.host.ask(),
            what => self.host.announce(what == 2),
        }
        .expect("a session stands")
    }

    fn hears(&mut self, bytes: &[u8]) -> Vec<Outcome> {
        let heard = bytes.iter().filter_map(|byte| self.guard.receive(*byte));
        let outcome = |heard: Result<Received<Event>, _>| match heard {
            Ok(Received { event, lost }) => match event {
                Event::Hello { .. } | Event::Pair { .. } => Outcome::Open,
                Event::Confirmed => Outcome::Proved,
                Event::Heartbeat | Event::Announce { .. } | Event::Ask => Outcome::Sealed { lost },
            },
            Err(_) => Outcome::Fault,
        };
        heard.map(outcome).collect()
    }

    fn shake_hands(&mut self) {
        (self.hello, self.confirm) = shake_hands(&mut self.host, &mut self.guard);
    }

    fn disturb(&mut self) {
        // The same hello again, and the same confirmation of it.
        let hello = self.hello.clone();
        assert_eq!(self.hears(hello.as_bytes()).last(), Some(&Outcome::Open));
        self.guard.welcome([1; 16]).expect("there is a key");
        let confirm = self.confirm.clone();
        assert_eq!(self.hears(confirm.as_bytes()), [Outcome::Fault]);
        assert!(self.guard.has_session());
    }
}

/// A whole handshake, and its frames to the guard.
pub(crate) fn shake_hands(host: &mut host::Link, guard: &mut guard::Link) -> (Frame, Frame) {
    let hello = host.hello([1; 16]);
    let heard = hello
        .as_bytes()
        .iter()
        .filter_map(|byte| guard.receive(*byte));
    assert!(heard.last().is_some_and(|heard| heard.is_ok()));
    let welcome = guard.welcome([1; 16]).expect("there is a key");
    let heard = welcome
        .as_bytes()
        .iter()
        .filter_map(|byte| host.receive(*byte));
    let Some(Ok(Received {
        event: host::Event::Welcome { confirm, .. },
        ..
    })) = heard.last()
    else {
        panic!("a welcome was not taken");
    };
    let heard = confirm
        .as_bytes()
        .iter()
        .filter_map(|byte| guard.receive(*byte));
    assert!(heard.last().is_some_and(|heard| heard.is_ok()));
    (hello, confirm)
}
