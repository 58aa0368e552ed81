//! Jobs that wait.

use tokio::sync::oneshot;

use super::Work;
use crate::{BeginError, SessionError};

/// A job that waits: for a place, or in its place for a worker to start.
pub(super) struct Waiting {
    pub(super) work: Box<Work>,
    /// None for a job that has begun, and lost its worker before that took anything of it.
    pub(super) caller: Option<Caller>,
}

/// Who waits for a job to begin.
pub(super) struct Caller {
    ticket: u64,
    answer: oneshot::Sender<Result<(), BeginError>>,
}

impl Waiting {
    /// A job that waits, and its caller's end of it.
    pub(super) fn new(work: Box<Work>, ticket: u64) -> (Waiting, Wait) {
        let (sender, answer) = oneshot::channel();
        let caller = Some(Caller {
            ticket,
            answer: sender,
        });
        (Waiting { work, caller }, Wait { ticket, answer })
    }

    /// Whether it is the one with this ticket.
    pub(super) fn is_of(&self, ticket: u64) -> bool {
        let caller = self.caller.as_ref();
        caller.is_some_and(|caller| caller.ticket == ticket)
    }

    /// Tells that the pool has ended. Nobody may be left to hear.
    pub(super) fn turn_away(self) {
        // For a job that had begun; no other has anybody yet who asks for its events.
        let _ = self.work.ends.last.send(Err(SessionError::GateClosed));
        tell(self.caller, Err(BeginError::Closed));
    }
}

/// Tells a caller how it goes on, if there is one.
pub(super) fn tell(caller: Option<Caller>, answer: Result<(), BeginError>) {
    if let Some(caller) = caller {
        // Who has gone meanwhile has dropped the session, which its keeper sees.
        let _ = caller.answer.send(answer);
    }
}

/// A job that waits, from its caller's side.
pub(crate) struct Wait {
    /// What to [leave](super::State::leave) with.
    pub(crate) ticket: u64,
    /// How it goes on.
    pub(crate) answer: oneshot::Receiver<Result<(), BeginError>>,
}
