//! The two directions of a session, alike for both ends.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::fault::{Fault, NoSession};
use crate::frame::{Frame, Kind, RawFrame};
use crate::key::SessionKey;

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
