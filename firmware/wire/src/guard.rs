//! The guard's end of the line: bytes in, verified messages out; messages in, frames out.
//!
//! A handshake that is under way leaves the session alone that stands. Only a host that proves
//! that it has the key replaces it.

use crate::fault::{Fault, NoSession};
use crate::frame::{Decoder, Frame, Kind, LineFault, RawFrame};
use crate::key::{Identity, Nonce, PairingKey, Transcript};
use crate::message::{Faults, Paired, Reason, State, ToGuard, ToHost, Trip, Welcome};
use crate::session::{Incoming, Outgoing, Received, Session};
use crate::{MAX_RAW, NONCE_BYTES};

/// What arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A host wants a session: [`Link::welcome`] answers.
    Hello {
        /// The host's nonce.
        nonce: Nonce,
    },
    /// The host has proved that it has the key, and a new session stands.
    Confirmed,
    /// Somebody gives a key. Nothing proves who.
    Pair {
        /// The key.
        key: PairingKey,
    },
    /// In the session: the host is alive.
    Heartbeat,
    /// In the session: the host takes sound from now on, or no longer.
    Announce {
        /// Whether it does.
        live: bool,
    },
    /// In the session: the host asks for state and faults.
    Ask,
}

/// The guard's end of the line.
///
/// ```
/// use earnest_wire::{Identity, PairingKey, guard, host};
///
/// let key = PairingKey::new([7; 32]);
/// let identity = Identity::of_chip(b"chip 1");
/// let mut guard = guard::Link::new(identity, 1, Some(key.clone()));
/// let mut host = host::Link::new(key, Some(identity));
///
/// let hello = host.hello([1; 16]);
/// let nonce = hello.as_bytes().iter().find_map(|byte| match guard.receive(*byte)?.ok()?.event {
///     guard::Event::Hello { nonce } => Some(nonce),
///     _ => None,
/// });
/// let welcome = guard.welcome(nonce.ok_or("no hello")?)?;
/// assert!(!guard.has_session());
/// # assert!(welcome.as_bytes().len() > 60);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Link {
    identity: Identity,
    boots: u32,
    salt: Nonce,
    key: Option<PairingKey>,
    decoder: Decoder<MAX_RAW>,
    /// Welcomes given since the start.
    handshakes: u32,
    pending: Option<Transcript>,
    session: Option<Session>,
}

impl Link {
    /// The end of a guard that has started for the `boots`-th time. No two starts with one key may
    /// have the same number: nonces come from it.
    pub fn new(identity: Identity, boots: u32, key: Option<PairingKey>) -> Self {
        Self {
            identity,
            boots,
            salt: [0; NONCE_BYTES],
            key,
            decoder: Decoder::new(),
            handshakes: 0,
            pending: None,
            session: None,
        }
    }

    /// Mixes in what a board's source of randomness gives, where it has one.
    pub fn mix(&mut self, salt: Nonce) {
        self.salt = salt;
    }

    /// Takes a byte from the line. Afterwards, or before, nothing is kept of it but the frame under
    /// way.
    pub fn receive(&mut self, byte: u8) -> Option<Result<Received<Event>, Fault>> {
        let frame = self.decoder.push(byte)?;
        Some(
            frame
                .map_err(Fault::Line)
                .and_then(|frame| self.take(&frame)),
        )
    }

    fn take(&mut self, frame: &RawFrame) -> Result<Received<Event>, Fault> {
        match frame.kind() {
            Kind::OpenToGuard => {
                let event = self.open(frame)?;
                Ok(Received { event, lost: 0 })
            }
            Kind::SealedToGuard => {
                let session = self.session.as_mut().ok_or(Fault::NoSession)?;
                let (message, lost) = session.incoming.take(frame)?;
                let event = match message {
                    ToGuard::Heartbeat => Event::Heartbeat,
                    ToGuard::Announce { live } => Event::Announce { live },
                    ToGuard::Ask => Event::Ask,
                    ToGuard::Hello { .. } | ToGuard::Confirm { .. } | ToGuard::Pair { .. } => {
                        return Err(Fault::Message);
                    }
                };
                Ok(Received { event, lost })
            }
            kind @ (Kind::OpenToHost | Kind::SealedToHost) => {
                Err(LineFault::Kind { found: kind as u8 }.into())
            }
        }
    }

    fn open(&mut self, frame: &RawFrame) -> Result<Event, Fault> {
        match frame.message().ok_or(Fault::Message)? {
            ToGuard::Hello { nonce } => Ok(Event::Hello { nonce }),
            ToGuard::Pair { key } => Ok(Event::Pair { key }),
            ToGuard::Confirm { proof } => {
                let (Some(key), Some(transcript)) = (&self.key, &self.pending) else {
                    return Err(Fault::Unasked);
                };
                if proof != transcript.host_proof(key) {
                    return Err(Fault::Proof);
                }
                self.session = Some(Session {
                    incoming: Incoming::new(transcript.key_to_guard(key)),
                    outgoing: Outgoing::new(Kind::SealedToHost, transcript.key_to_host(key)),
                });
                // A nonce serves once: the same proof again is no proof.
                self.pending = None;
                Ok(Event::Confirmed)
            }
            ToGuard::Heartbeat | ToGuard::Announce { .. } | ToGuard::Ask => Err(Fault::Message),
        }
    }

    /// Answers a `Hello` with a fresh nonce and the guard's proof. The handshake before it, if it
    /// is not confirmed yet, is forgotten; the session is not.
    ///
    /// # Errors
    /// Where there is no key, or no fresh nonce: after four thousand million welcomes, until the
    /// next start.
    pub fn welcome(&mut self, host: Nonce) -> Result<Frame, NoSession> {
        let key = self.key.as_ref().ok_or(NoSession)?;
        self.handshakes = self.handshakes.checked_add(1).ok_or(NoSession)?;
        let transcript = Transcript {
            host,
            guard: key.nonce(self.boots, self.handshakes, &self.salt),
            identity: self.identity,
            boots: self.boots,
        };
        let welcome = Welcome {
            identity: self.identity,
            nonce: transcript.guard,
            boots: self.boots,
            proof: transcript.guard_proof(key),
        };
        self.pending = Some(transcript);
        Ok(open(&ToHost::Welcome(welcome)))
    }

    /// Keeps a key, and says so. What was proved with another one is forgotten.
    pub fn pair(&mut self, key: PairingKey) -> Frame {
        let paired = Paired {
            identity: self.identity,
            proof: key.paired(&self.identity),
        };
        self.key = Some(key);
        self.pending = None;
        self.session = None;
        open(&ToHost::Paired(paired))
    }

    /// Whether there is a key.
    pub fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// Whether a host has proved that it has the key.
    pub fn has_session(&self) -> bool {
        self.session.is_some()
    }

    /// Says how things stand.
    ///
    /// # Errors
    /// Where there is no session, as in all that says something in it.
    pub fn state(&mut self, state: State) -> Result<Frame, NoSession> {
        self.seal(&ToHost::State(state))
    }

    /// Says that the watchdog cut the microphone.
    ///
    /// # Errors
    /// Where there is no session.
    pub fn trip(&mut self, trip: Trip) -> Result<Frame, NoSession> {
        self.seal(&ToHost::Trip(trip))
    }

    /// Says what went wrong so far.
    ///
    /// # Errors
    /// Where there is no session.
    pub fn faults(&mut self, faults: Faults) -> Result<Frame, NoSession> {
        self.seal(&ToHost::Faults(faults))
    }

    /// Says why something of the session was not done.
    ///
    /// # Errors
    /// Where there is no session.
    pub fn refused(&mut self, reason: Reason) -> Result<Frame, NoSession> {
        self.seal(&ToHost::Refused(reason))
    }

    /// Says why something outside a session was not done.
    pub fn refused_openly(&self, reason: Reason) -> Frame {
        open(&ToHost::Refused(reason))
    }

    fn seal(&mut self, message: &ToHost) -> Result<Frame, NoSession> {
        let session = self.session.as_mut().ok_or(NoSession)?;
        session.outgoing.seal(message)
    }
}

fn open(message: &ToHost) -> Frame {
    Frame::open(Kind::OpenToHost, message)
}
