//! A host for the tests: the wire's own end, over a bench or over a line in real time.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use earnest_sim::Bench;
use earnest_wire::host::{Event, Link};
use earnest_wire::{Frame, PairingKey, State};
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Longer than anything here takes on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The key of all tests.
pub(crate) fn key() -> PairingKey {
    PairingKey::new([7; 32])
}

/// A host whose line is a bench, in the time that the test tells.
pub(crate) struct Host {
    pub(crate) link: Link,
    nonce: u8,
}

impl Host {
    pub(crate) fn new() -> Self {
        Self {
            link: Link::new(key(), None),
            nonce: 0,
        }
    }

    /// Sends bytes, and gives what the guard says to them.
    pub(crate) fn send(&mut self, bench: &mut Bench, bytes: &[u8]) -> Vec<Event> {
        bench.receive(bytes);
        self.hear(bench)
    }

    /// What the guard has to say.
    pub(crate) fn hear(&mut self, bench: &mut Bench) -> Vec<Event> {
        let heard = bench.sent();
        let taken = heard.iter().filter_map(|byte| self.link.receive(*byte));
        taken.flatten().map(|received| received.event).collect()
    }

    pub(crate) fn pair(&mut self, bench: &mut Bench) -> Vec<Event> {
        let frame = self.link.pair();
        self.send(bench, frame.as_bytes())
    }

    /// A whole handshake.
    pub(crate) fn meet(&mut self, bench: &mut Bench) {
        self.nonce += 1;
        let hello = self.link.hello([self.nonce; 16]);
        let events = self.send(bench, hello.as_bytes());
        let confirm = confirm(&events).expect("the guard answers");
        self.send(bench, confirm.as_bytes());
        assert!(bench.picture().session);
    }

    pub(crate) fn heartbeat(&mut self, bench: &mut Bench) -> Vec<Event> {
        let frame = self.link.heartbeat().expect("there is a session");
        self.send(bench, frame.as_bytes())
    }

    pub(crate) fn announce(&mut self, bench: &mut Bench) -> Vec<Event> {
        let frame = self.announcement();
        self.send(bench, frame.as_bytes())
    }

    pub(crate) fn announcement(&mut self) -> Frame {
        self.link.announce(true).expect("there is a session")
    }
}

fn confirm(events: &[Event]) -> Option<Frame> {
    events.iter().find_map(|event| match event {
        Event::Welcome { confirm, .. } => Some(confirm.clone()),
        _ => None,
    })
}

/// A host on a real line.
pub(crate) struct Wire {
    file: File,
    pub(crate) link: Link,
    heard: Vec<Event>,
    nonce: u8,
}

impl Wire {
    pub(crate) fn terminal(path: &Path) -> Self {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits())
            .open(path)
            .expect("the terminal is there");
        Self::over(file)
    }

    pub(crate) fn socket(path: &Path) -> Self {
        let stream = UnixStream::connect(path).expect("the socket is there");
        stream.set_nonblocking(true).expect("a socket can be");
        Self::over(File::from(OwnedFd::from(stream)))
    }

    fn over(file: File) -> Self {
        Self {
            file,
            link: Link::new(key(), None),
            heard: Vec::new(),
            nonce: 0,
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let begun = Instant::now();
        let mut rest = bytes;
        while !rest.is_empty() {
            assert!(begun.elapsed() < PATIENCE, "the line is stuck");
            match self.file.write(rest) {
                Ok(length) => rest = &rest[length..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.poll(PollFlags::POLLOUT)
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    /// Waits for an event, and drops those before it.
    pub(crate) fn until<T>(&mut self, wanted: impl Fn(&Event) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            let found = self.heard.iter().position(|event| wanted(event).is_some());
            if let Some(at) = found {
                let event = self.heard.drain(..=at).next_back();
                return event.and_then(|event| wanted(&event)).expect("it is there");
            }
            self.heard.clear();
            assert!(begun.elapsed() < PATIENCE, "the guard did not say it");
            self.poll(PollFlags::POLLIN);
            self.read();
        }
    }

    pub(crate) fn until_state(&mut self, wanted: impl Fn(&State) -> bool) -> State {
        self.until(|event| match event {
            Event::State(state) if wanted(state) => Some(*state),
            _ => None,
        })
    }

    /// A whole handshake, begun again until the guard answers: it may be starting.
    pub(crate) fn meet(&mut self) {
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "the guard does not answer");
            self.nonce += 1;
            let hello = self.link.hello([self.nonce; 16]);
            self.send(hello.as_bytes());
            let asked = Instant::now();
            while asked.elapsed() < Duration::from_secs(2) {
                self.poll(PollFlags::POLLIN);
                self.read();
                if let Some(confirm) = confirm(&std::mem::take(&mut self.heard)) {
                    self.send(confirm.as_bytes());
                    self.until_state(|_| true);
                    return;
                }
            }
        }
    }

    pub(crate) fn pair(&mut self) {
        let frame = self.link.pair();
        self.send(frame.as_bytes());
        self.until(|event| matches!(event, Event::Paired { .. }).then_some(()));
    }

    pub(crate) fn heartbeat(&mut self) {
        let frame = self.link.heartbeat().expect("there is a session");
        self.send(frame.as_bytes());
    }

    /// Heartbeat and announcement at once, until the guard says that it is live.
    pub(crate) fn go_live(&mut self) -> State {
        self.heartbeat();
        let frame = self.link.announce(true).expect("there is a session");
        self.send(frame.as_bytes());
        self.until_state(State::is_live)
    }

    fn poll(&self, flags: PollFlags) {
        let mut files = [PollFd::new(self.file.as_fd(), flags)];
        poll(&mut files, PollTimeout::from(20_u16)).expect("a file can be polled");
    }

    fn read(&mut self) {
        let mut bytes = [0; 512];
        while let Ok(length @ 1..) = self.file.read(&mut bytes) {
            let taken = bytes[..length]
                .iter()
                .filter_map(|byte| self.link.receive(*byte));
            let events = taken.flatten().map(|received| received.event);
            self.heard.extend(events.collect::<Vec<_>>());
        }
    }
}
