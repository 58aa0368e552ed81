//! A job under way, from its client's side.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use earnest_channel::{EncodeError, MAX_SOUND_BYTES, Partial, Report, ToWorker, Tuning, encode};
use earnest_gate::{Open, Trial};
use earnest_telemetry::Clock;
use earnest_transcript::{Milliseconds, Segment};
use tokio::sync::{mpsc, oneshot};

use crate::SessionError;

/// Pieces of sound between a client and its worker: half a mebibyte. A client that sends
/// faster waits.
const SOUND_QUEUE: usize = 8;

/// Events between a worker and its client. A client that takes them slower stops its worker.
const EVENT_QUEUE: usize = 64;

/// A job under way: sound goes in, events come out.
///
/// Both halves are to be driven side by side. Between them stand bounded queues: who sends all
/// the sound before taking the first event may find that the worker waits for him to take some.
/// (The wait ends, with [`SessionError::ClientStalled`].)
///
/// Dropping the events abandons the job: its worker lets go of it, or is ended.
#[derive(Debug)]
pub struct Session {
    sender: SoundSender,
    events: Events,
}

impl Session {
    /// The two halves.
    pub fn split(self) -> (SoundSender, Events) {
        (self.sender, self.events)
    }
}

/// Takes a job's sound. Dropped before [`end`](SoundSender::end), it abandons the job.
#[derive(Debug)]
pub struct SoundSender {
    queue: mpsc::Sender<Sound>,
    is_live: bool,
    /// Of the last tuning.
    generation: Option<u32>,
}

/// The job is over: its events say why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the job is over")]
pub struct SessionOver;

/// Why a job was not tuned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TuneError {
    /// It is over.
    #[error(transparent)]
    Over(#[from] SessionOver),
    /// It is no live job.
    #[error("only a live job can be tuned")]
    NotLive,
    /// The generation does not follow the one before it.
    #[error("expected a generation after {last}, found {found}")]
    Generation {
        /// That of the tuning before.
        last: u32,
        /// That of this one.
        found: u32,
    },
    /// No worker is ever told that.
    #[error("the tuning cannot be told to a worker")]
    BadTuning(#[source] EncodeError),
}

impl SoundSender {
    /// Sends the next bytes of the sound, any number of them; waits while the worker is behind.
    /// Cancelled half-way, it has sent some of them.
    ///
    /// # Errors
    /// [`SessionOver`] where nobody takes them any more.
    pub async fn send(&mut self, mut bytes: Bytes) -> Result<(), SessionOver> {
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(MAX_SOUND_BYTES));
            let sent = self.queue.send(Sound::Piece(piece)).await;
            sent.map_err(|_| SessionOver)?;
        }
        Ok(())
    }

    /// Says what is wanted of a live job behind the sound so far; waits as [`send`] does. What
    /// was wanted before and was heard already may still come, phrases of the last list among
    /// it; text that is not wanted any more does not.
    ///
    /// [`send`]: SoundSender::send
    ///
    /// # Errors
    /// [`TuneError`]; the job goes on as before.
    pub async fn tune(&mut self, tuning: Tuning) -> Result<(), TuneError> {
        if !self.is_live {
            return Err(TuneError::NotLive);
        }
        let found = tuning.generation;
        if let Some(last) = self.generation.filter(|last| found <= *last) {
            return Err(TuneError::Generation { last, found });
        }
        let order = ToWorker::Tune(tuning);
        encode(&order).map_err(TuneError::BadTuning)?;
        if let ToWorker::Tune(tuning) = order {
            let sent = self.queue.send(Sound::Tune(tuning)).await;
            sent.map_err(|_| SessionOver)?;
        }
        self.generation = Some(found);
        Ok(())
    }

    /// That was all the sound.
    ///
    /// # Errors
    /// [`SessionOver`] where nobody asks any more.
    pub async fn end(self) -> Result<(), SessionOver> {
        self.queue.send(Sound::End).await.map_err(|_| SessionOver)
    }
}

/// What happened in a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Somebody began to speak.
    SpeechStarted {
        /// When, from the start of the sound.
        at: Milliseconds,
    },
    /// What was said. In a live job it begins with the last [`Partial::stable`] of its
    /// utterance.
    Segment(Segment),
    /// What is heard of the utterance under way, in a live job that asked for it. Its stable
    /// text begins with that of the one before it.
    Partial(Partial),
    /// An utterance of a live job is over: nothing more comes of it.
    SpeechStopped {
        /// The end of its speech, from the start of the sound.
        at: Milliseconds,
    },
    /// A phrase was said that the live job was tuned to.
    Spotted {
        /// [`Tuning::generation`] of the list that it is in: not always the last, as a tuning
        /// takes its time.
        generation: u32,
        /// Its place in that list.
        phrase: u16,
        /// Where its end was heard, from the start of the sound.
        at: Milliseconds,
    },
    /// Somebody spoke from here to there: all that a job of [`Task::Activity`] tells.
    ///
    /// [`Task::Activity`]: earnest_channel::Task::Activity
    Activity {
        /// The beginning, from the start of the sound.
        start: Milliseconds,
        /// The end, which is later.
        end: Milliseconds,
    },
    /// So much of the sound was read, whatever was in it. A small file may decode to hours, so
    /// whoever grants sound is told as it goes.
    Heard {
        /// Up to where, from the start of the sound.
        at: Milliseconds,
    },
    /// The sound was read to its end: the last event.
    Finished(Report),
}

/// Gives a job's events.
pub struct Events {
    queue: mpsc::Receiver<Event>,
    last: Option<oneshot::Receiver<Result<Report, SessionError>>>,
    leave: Leave,
}

impl Events {
    /// The next event; none after the last, which is [`Event::Finished`] or an error. May be
    /// cancelled and called again.
    ///
    /// Once the gate has closed, what was heard before is not given out any more.
    pub async fn next(&mut self) -> Option<Result<Event, SessionError>> {
        let last = self.last.as_mut()?;
        let event = match self.queue.recv().await {
            Some(event) => Ok(event),
            // Without a last word the worker's keeper is gone, and the worker with it.
            None => match last.await {
                Ok(ending) => ending.map(Event::Finished),
                Err(_) => Err(SessionError::WorkerDied),
            },
        };
        let event = match self.leave.holds() {
            true => event,
            false => Err(SessionError::GateClosed),
        };
        if matches!(event, Ok(Event::Finished(_)) | Err(_)) {
            self.last = None;
        }
        Some(event)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Events")
            .field("over", &self.last.is_none())
            .finish_non_exhaustive()
    }
}

/// A piece of a job's sound.
#[derive(Debug)]
pub(crate) enum Sound {
    /// At most [`MAX_SOUND_BYTES`], and not empty.
    Piece(Bytes),
    /// What is wanted from here on.
    Tune(Tuning),
    /// The end of it.
    End,
}

/// The gate's leave, by which a job goes on.
#[derive(Debug, Clone)]
pub(crate) enum Leave {
    /// The gate is open.
    Open(Open, Clock),
    /// The daemon asks a known clip, which is what opens it.
    Trial(Arc<Trial>),
}

impl Leave {
    /// Whether it still holds.
    pub(crate) fn holds(&self) -> bool {
        match self {
            Leave::Open(open, clock) => open.is_live_at(clock.now()),
            Leave::Trial(trial) => trial.is_live(),
        }
    }
}

/// A session's other ends, which its worker's keeper holds.
pub(crate) struct Ends {
    pub(crate) sound: mpsc::Receiver<Sound>,
    pub(crate) events: mpsc::Sender<Event>,
    pub(crate) last: oneshot::Sender<Result<Report, SessionError>>,
    pub(crate) leave: Leave,
}

/// A session and its other ends.
pub(crate) fn session(leave: Leave, is_live: bool) -> (Session, Ends) {
    let (sound_sender, sound) = mpsc::channel(SOUND_QUEUE);
    let (events, event_queue) = mpsc::channel(EVENT_QUEUE);
    let (last, last_word) = oneshot::channel();
    let session = Session {
        sender: SoundSender {
            queue: sound_sender,
            is_live,
            generation: None,
        },
        events: Events {
            queue: event_queue,
            last: Some(last_word),
            leave: leave.clone(),
        },
    };
    let ends = Ends {
        sound,
        events,
        last,
        leave,
    };
    (session, ends)
}
