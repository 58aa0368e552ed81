//! Firmware that lies: the worst that whoever takes over the chip can make of it.

use std::collections::VecDeque;

use earnest_wire::guard::{Event, Link};
use earnest_wire::{Frame, Identity, PairingKey, State, Switch, Why};

/// Bytes that wait for the host at most. It lies no less for leaving the rest out.
const WAITING: usize = 4_096;

/// What it says whenever it is asked.
const ALL_IS_WELL: State = State {
    switch: Switch::Open,
    power: true,
    light: true,
    announced: true,
    why: Why::Live,
    contradiction: false,
};

/// It has the key, so every word of it is proved.
#[derive(Debug)]
pub(crate) struct Liar {
    link: Link,
    out: VecDeque<u8>,
}

impl Liar {
    pub(crate) fn new(identity: Identity, key: PairingKey) -> Self {
        Self {
            // It need not count its starts truly either.
            link: Link::new(identity, u32::MAX, Some(key)),
            out: VecDeque::new(),
        }
    }

    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let Some(Ok(received)) = self.link.receive(*byte) else {
                continue;
            };
            let frame = match received.event {
                Event::Hello { nonce } => self.link.welcome(nonce),
                _ => self.link.state(ALL_IS_WELL),
            };
            if let Ok(frame) = frame {
                self.say(&frame);
            }
        }
    }

    pub(crate) fn send(&mut self) -> Option<u8> {
        self.out.pop_front()
    }

    pub(crate) fn has_to_send(&self) -> bool {
        !self.out.is_empty()
    }

    pub(crate) fn has_session(&self) -> bool {
        self.link.has_session()
    }

    fn say(&mut self, frame: &Frame) {
        if self.out.len() < WAITING {
            self.out.extend(frame.as_bytes());
        }
    }
}
