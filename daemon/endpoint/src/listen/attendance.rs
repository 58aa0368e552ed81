//! Somebody listens: what is told, until when, and why no longer.

use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use earnest_live::{Ending, Hearing, ListenError, Listener, Wish};
use earnest_policy::Work;
use tokio::time::sleep_until;

use super::telling::Telling;
use crate::admission::{Admitted, Attending};
use crate::allowance::Allowance;
use crate::line::{Hangup, Line};
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shapes::ListenEvent;
use crate::shared::Shared;
use crate::tether::Tether;

/// Seconds after which there may be a place among the listeners again.
const FULL_RETRY_SECONDS: u64 = 5;

/// One listener of the microphone, as its request sees it. Dropping it ends listening.
pub(crate) struct Attendance<S: Work> {
    listener: Listener,
    telling: Telling,
    /// What may be told and was not yet.
    news: VecDeque<ListenEvent>,
    tether: Tether,
    line: Line,
    shared: Arc<Shared>,
    bill: Bill,
    farewell: Option<Farewell>,
    /// The application's place is given back with it.
    _place: Arc<Allowance>,
    scope: PhantomData<fn() -> S>,
}

/// Why nothing more is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Farewell {
    /// The daemon ends.
    Draining,
    /// It has ended, but for this.
    Cut,
    /// Listening is refused from now on; the last event said so.
    Refused(Refusal),
}

impl<S: Work> Attendance<S> {
    /// Begins to listen.
    ///
    /// # Errors
    ///
    /// When the microphone is disabled, the gate is closed, there are too many listeners, or the
    /// wish is none.
    pub(crate) async fn begin<W: Wish<Scope = S>>(
        shared: &Arc<Shared>,
        attending: Attending<S>,
        bill: &Bill,
        line: Line,
        wish: W,
    ) -> Result<Attendance<S>, Refusal> {
        let Attending { admitted, tether } = attending;
        let Admitted {
            permit,
            serving,
            allowance,
        } = admitted;
        let live = shared.live.as_ref().ok_or(Refusal::MicrophoneDisabled)?;
        let listening = live.listen(&serving.open, &serving.pool, permit, wish);
        let listener = listening.await.map_err(not_begun)?;
        let mut telling = Telling::new(shared.answers);
        // Who comes when it is muted hears of it, too.
        let muted = telling.mute(live.status().muted);
        Ok(Attendance {
            listener,
            telling,
            news: muted.into_iter().collect(),
            tether,
            line,
            shared: Arc::clone(shared),
            bill: bill.clone(),
            farewell: None,
            _place: allowance,
            scope: PhantomData,
        })
    }

    /// What is told next; none after the last. May be dropped and asked again.
    pub(crate) async fn next(&mut self) -> Option<ListenEvent> {
        loop {
            if let Some(event) = self.news.pop_front() {
                return Some(event);
            }
            if self.farewell.is_some() {
                return None;
            }
            let due = self.telling.due();
            let held = async move {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                hangup = self.line.hangup() => self.hang_up(hangup),
                () = self.tether.due() => {
                    if let Err(refusal) = self.tether.check::<S>(&self.shared, &self.bill) {
                        self.refuse(refusal);
                    }
                }
                () = held => self.news.extend(self.telling.release()),
                hearing = self.listener.next() => self.hear(hearing),
            }
        }
    }

    /// Why nothing more is told, once that is so.
    pub(crate) fn farewell(&self) -> Option<&Farewell> {
        self.farewell.as_ref()
    }

    fn hear(&mut self, hearing: Option<Hearing>) {
        let ending = match hearing {
            Some(Hearing::Ended(ending)) => ending,
            Some(hearing) => {
                let told = self.telling.hear(hearing, self.shared.now());
                self.news.extend(told);
                return;
            }
            None => Ending::Stopping,
        };
        match ended(ending) {
            Some(refusal) => self.refuse(refusal),
            None => self.hang_up(Hangup::Draining),
        }
    }

    fn hang_up(&mut self, hangup: Hangup) {
        self.news.extend(self.telling.release());
        self.farewell = Some(match hangup {
            Hangup::Draining => Farewell::Draining,
            Hangup::Cut => Farewell::Cut,
        });
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.bill.failed(&refusal);
        // What was heard before it may be told: it was heard while listening was granted.
        self.news.extend(self.telling.release());
        let error = refusal.object(&self.bill.id()).error;
        self.news.push_back(ListenEvent::Error { error });
        self.farewell = Some(Farewell::Refused(refusal));
    }
}

impl<S: Work> fmt::Debug for Attendance<S> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Attendance")
            .field("scope", &S::NAME)
            .field("farewell", &self.farewell)
            .finish_non_exhaustive()
    }
}

/// What a caller is told who cannot listen.
pub(crate) fn not_begun(error: ListenError) -> Refusal {
    match error {
        ListenError::Disabled => Refusal::MicrophoneDisabled,
        ListenError::Unguarded { .. } => Refusal::MicrophoneUnguarded,
        ListenError::GateClosed => Refusal::DeviceNotProven,
        ListenError::Full { .. } | ListenError::TooManyPhrases { .. } | ListenError::Stopping => {
            Refusal::Busy {
                retry_after: FULL_RETRY_SECONDS,
            }
        }
        ListenError::BadPhrase { .. } => Refusal::Invalid {
            param: "wake",
            expected: "a phrase with letters, of 200 bytes at most",
        },
    }
}

/// What a listener is told who hears nothing any more; nothing where the daemon ends.
pub(crate) fn ended(ending: Ending) -> Option<Refusal> {
    match ending {
        Ending::GateClosed => Some(Refusal::DeviceNotProven),
        Ending::TooSlow => Some(Refusal::FellBehind),
        Ending::Revoked => Some(Refusal::InsufficientScope),
        Ending::Unavailable => Some(Refusal::WorkerFailed),
        Ending::Stopping => None,
    }
}
