//! The two directions of a session, alike for both ends.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::fault::{Fault, NoSession};
use crate::frame::{Frame, Kind, RawFrame};
use crate::key::SessionKey;

/// An event of either end, and what is missing before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received<E> {
    /// What arrived.
    pub event: E,
    /// Frames that never arrived, by the gap in the numbers.
    pub lost: u32,
}

/// The direction that this end sends.
#[derive(Debug)]
pub(crate) struct Outgoing {
    kind: Kind,
    key: SessionKey,
    last: u32,
}

impl Outgoing {
    pub(crate) fn new(kind: Kind, key: SessionKey) -> Self {
        Self { kind, key, last: 0 }
    }

    /// The next frame. No number comes twice: once all are used up, the session is over.
    pub(crate) fn seal<M: Serialize>(&mut self, message: &M) -> Result<Frame, NoSession> {
        self.last = self.last.checked_add(1).ok_or(NoSession)?;
        Ok(Frame::sealed(self.kind, self.last, message, &self.key))
    }
}

/// The direction that this end receives.
#[derive(Debug)]
pub(crate) struct Incoming {
    key: SessionKey,
    last: u32,
}

impl Incoming {
    pub(crate) fn new(key: SessionKey) -> Self {
        Self { key, last: 0 }
    }

    /// The message of a frame that was made with the key and is newer than every one before, and
    /// how many are missing between. The number counts as taken even where the message is none.
    pub(crate) fn take<M: DeserializeOwned>(
        &mut self,
        frame: &RawFrame,
    ) -> Result<(M, u32), Fault> {
        if !frame.verifies(&self.key) {
            return Err(Fault::Mac);
        }
        let (last, found) = (self.last, frame.number());
        if found <= last {
            return Err(Fault::Replayed { last, found });
        }
        self.last = found;
        let message = frame.message().ok_or(Fault::Message)?;
        Ok((message, found - last - 1))
    }
}

/// Both directions.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) outgoing: Outgoing,
    pub(crate) incoming: Incoming,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Decoder;
    use crate::key::{Identity, PairingKey, Transcript};
    use crate::message::{ToGuard, ToHost};
    use crate::{MAX_RAW, Reason};

    fn key() -> SessionKey {
        let transcript = Transcript {
            host: [1; 16],
            guard: [2; 16],
            identity: Identity([3; 8]),
            boots: 4,
        };
        transcript.key_to_guard(&PairingKey::new([5; 32]))
    }

    fn raw(frame: &Frame) -> RawFrame {
        let mut decoder = Decoder::<MAX_RAW>::new();
        let mut found = frame
            .as_bytes()
            .iter()
            .filter_map(|byte| decoder.push(*byte));
        found.next().expect("a frame").expect("a whole one")
    }

    #[test]
    fn a_session_ends_when_its_numbers_are_used_up() {
        let mut outgoing = Outgoing {
            last: u32::MAX - 1,
            ..Outgoing::new(Kind::SealedToGuard, key())
        };
        let mut incoming = Incoming::new(key());
        let last = raw(&outgoing.seal(&ToGuard::Ask).expect("one is left"));
        assert_eq!(last.number(), u32::MAX);
        assert_eq!(incoming.take(&last), Ok((ToGuard::Ask, u32::MAX - 1)));
        for _ in 0..3 {
            assert_eq!(outgoing.seal(&ToGuard::Ask), Err(NoSession));
        }
        let (last, found) = (u32::MAX, u32::MAX);
        let replayed: Result<(ToGuard, u32), Fault> = incoming.take(&raw(&Frame::sealed(
            Kind::SealedToGuard,
            found,
            &ToGuard::Ask,
            &key(),
        )));
        assert_eq!(replayed, Err(Fault::Replayed { last, found }));
    }

    #[test]
    fn a_sealed_frame_without_a_message_uses_up_its_number() {
        let mut outgoing = Outgoing::new(Kind::SealedToGuard, key());
        let mut incoming = Incoming::new(key());
        // Six messages there are to the guard; this is the first of none.
        let odd = raw(&outgoing.seal(&6_u8).expect("numbers are left"));
        assert_eq!(incoming.take::<ToGuard>(&odd), Err(Fault::Message));
        let again = Err(Fault::Replayed { last: 1, found: 1 });
        assert_eq!(incoming.take::<ToGuard>(&odd), again);
        // Two messages in one frame are none.
        let two = (ToHost::Refused(Reason::Rate), 0_u8);
        let two = raw(&outgoing.seal(&two).expect("numbers are left"));
        assert_eq!(incoming.take::<ToHost>(&two), Err(Fault::Message));
    }
}
