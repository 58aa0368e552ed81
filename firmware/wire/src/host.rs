//! The host's end of the line: bytes in, verified messages out; messages in, frames out.
//!
//! Nothing that is not proved is believed: [`Event::Refused`] outside a session is a hint for
//! whoever looks for a fault, and [`Event::Paired`] and [`Event::Welcome`] come only with a proof
//! that their sender has the key.

use crate::MAX_RAW;
use crate::fault::{Fault, NoSession};
use crate::frame::{Decoder, Frame, Kind, LineFault, RawFrame};
use crate::key::{Identity, Nonce, PairingKey, Transcript};
use crate::message::{Faults, Reason, State, ToGuard, ToHost, Trip, Welcome};
use crate::session::{Incoming, Outgoing, Received, Session};

/// What arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The guard has proved that it has the key. `confirm` is to be sent at once; the session
    /// stands on this side, and at the guard when it arrives.
    Welcome {
        /// Which guard.
        identity: Identity,
        /// How often it has started.
        boots: u32,
        /// The host's own proof.
        confirm: Frame,
    },
    /// The guard keeps the key.
    Paired {
        /// Which guard: to be kept beside the key.
        identity: Identity,
    },
    /// In the session: how things stand.
    State(State),
    /// In the session: the watchdog cut the microphone.
    Trip(Trip),
    /// In the session: what went wrong so far.
    Faults(Faults),
    /// Something was not done.
    Refused {
        /// Why.
        reason: Reason,
        /// Whether it was said in the session. Otherwise anybody may have said it.
        proved: bool,
    },
}

/// The host's end of the line. See [`crate::guard::Link`] for an example of both.
#[derive(Debug)]
pub struct Link {
    key: PairingKey,
    pinned: Option<Identity>,
    decoder: Decoder<MAX_RAW>,
    /// The nonce of a `Hello` that waits for its answer.
    nonce: Option<Nonce>,
    /// A `Pair` waits for its answer.
    pairing: bool,
    session: Option<Session>,
}

impl Link {
    /// The end of a host with this key, which talks to the pinned guard alone. Without a pin, as
    /// before pairing, it takes any guard that proves that it has the key.
    pub fn new(key: PairingKey, pinned: Option<Identity>) -> Self {
        Self {
            key,
            pinned,
            decoder: Decoder::new(),
            nonce: None,
            pairing: false,
            session: None,
        }
    }

    /// Begins a handshake, with a nonce that was never used before. The session until now is
    /// forgotten.
    pub fn hello(&mut self, nonce: Nonce) -> Frame {
        self.session = None;
        self.nonce = Some(nonce);
        open(&ToGuard::Hello { nonce })
    }

    /// Gives the key to a guard in factory state.
    pub fn pair(&mut self) -> Frame {
        self.pairing = true;
        let key = self.key.clone();
        open(&ToGuard::Pair { key })
    }

    /// Whether the guard has proved that it has the key, since the last `Hello`.
    pub fn has_session(&self) -> bool {
        self.session.is_some()
    }

    /// The host is alive.
    ///
    /// # Errors
    /// Where there is no session, as in all that says something in it.
    pub fn heartbeat(&mut self) -> Result<Frame, NoSession> {
        self.seal(&ToGuard::Heartbeat)
    }

    /// The host is about to take sound, or has stopped.
    ///
    /// # Errors
    /// Where there is no session.
    pub fn announce(&mut self, live: bool) -> Result<Frame, NoSession> {
        self.seal(&ToGuard::Announce { live })
    }

    /// Asks for state and faults.
    ///
    /// # Errors
    /// Where there is no session.
    pub fn ask(&mut self) -> Result<Frame, NoSession> {
        self.seal(&ToGuard::Ask)
    }

    fn seal(&mut self, message: &ToGuard) -> Result<Frame, NoSession> {
        let session = self.session.as_mut().ok_or(NoSession)?;
        session.outgoing.seal(message)
    }

    /// Takes a byte from the line.
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
            Kind::OpenToHost => {
                let event = self.open(frame)?;
                Ok(Received { event, lost: 0 })
            }
            Kind::SealedToHost => {
                let session = self.session.as_mut().ok_or(Fault::NoSession)?;
                let (message, lost) = session.incoming.take(frame)?;
                let event = match message {
                    ToHost::State(state) => Event::State(state),
                    ToHost::Trip(trip) => Event::Trip(trip),
                    ToHost::Faults(faults) => Event::Faults(faults),
                    ToHost::Refused(reason) => Event::Refused {
                        reason,
                        proved: true,
                    },
                    ToHost::Welcome(_) | ToHost::Paired(_) => return Err(Fault::Message),
                };
                Ok(Received { event, lost })
            }
            kind @ (Kind::OpenToGuard | Kind::SealedToGuard) => {
                Err(LineFault::Kind { found: kind as u8 }.into())
            }
        }
    }

    fn open(&mut self, frame: &RawFrame) -> Result<Event, Fault> {
        match frame.message().ok_or(Fault::Message)? {
            ToHost::Welcome(welcome) => self.welcomed(&welcome),
            ToHost::Paired(paired) => {
                if !self.pairing {
                    return Err(Fault::Unasked);
                }
                let identity = paired.identity;
                self.check_pin(identity)?;
                if paired.proof != self.key.paired(&identity) {
                    return Err(Fault::Proof);
                }
                self.pairing = false;
                Ok(Event::Paired { identity })
            }
            ToHost::Refused(reason) => Ok(Event::Refused {
                reason,
                proved: false,
            }),
            ToHost::State(_) | ToHost::Trip(_) | ToHost::Faults(_) => Err(Fault::Message),
        }
    }

    fn welcomed(&mut self, welcome: &Welcome) -> Result<Event, Fault> {
        let host = self.nonce.ok_or(Fault::Unasked)?;
        let Welcome {
            identity, boots, ..
        } = *welcome;
        self.check_pin(identity)?;
        let transcript = Transcript {
            host,
            guard: welcome.nonce,
            identity,
            boots,
        };
        if welcome.proof != transcript.guard_proof(&self.key) {
            return Err(Fault::Proof);
        }
        // One answer to one `Hello`.
        self.nonce = None;
        self.session = Some(Session {
            incoming: Incoming::new(transcript.key_to_host(&self.key)),
            outgoing: Outgoing::new(Kind::SealedToGuard, transcript.key_to_guard(&self.key)),
        });
        let proof = transcript.host_proof(&self.key);
        let confirm = open(&ToGuard::Confirm { proof });
        Ok(Event::Welcome {
            identity,
            boots,
            confirm,
        })
    }

    fn check_pin(&self, found: Identity) -> Result<(), Fault> {
        match self.pinned {
            Some(expected) if expected != found => Err(Fault::Identity { expected, found }),
            _ => Ok(()),
        }
    }
}

fn open(message: &ToGuard) -> Frame {
    Frame::open(Kind::OpenToGuard, message)
}
