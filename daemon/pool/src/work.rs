//! One job with one worker.

use std::time::{Duration, Instant};

use earnest_channel::{
    Due, EncodeError, Exchange, Failure, FromWorker, Report, Spotted, ToWorker, encode,
};
use earnest_telemetry::WorkerEnd;
use earnest_transcript::Milliseconds;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::time::{sleep_until, timeout};

use crate::error::Misdeed;
use crate::keeper::{Closing, End, Worker, closed, reason};
use crate::pace::{Pace, Party};
use crate::session::{Ends, Event, Sound};
use crate::stable::Stable;
use crate::state::Work;
use crate::{JobLimits, SessionError};

/// Bytes read of a worker at a time: several answers.
const READ_BYTES: usize = 16 << 10;

/// How often a job that nothing happens to asks whether the gate is still open.
const LOOK: Duration = Duration::from_millis(500);

/// What becomes of a worker after a job.
pub(crate) enum After {
    /// It takes the next.
    Next,
    /// It is to end.
    End(End),
}

/// How a job ended, and whom to tell.
pub(crate) struct Verdict {
    ending: Result<Report, SessionError>,
    to: oneshot::Sender<Result<Report, SessionError>>,
}

impl Verdict {
    /// Tells the client, if there still is one.
    pub(crate) fn tell(self) {
        let _ = self.to.send(self.ending);
    }
}

/// How a job goes on.
enum Step {
    /// It does.
    On,
    /// The worker said its last word.
    Over(Result<Report, SessionError>),
    /// The worker is to end, and the job with it.
    Broken(SessionError, End),
}

/// What a job waited for.
enum Happened {
    /// All workers are to end.
    Closed,
    /// The client had room for the event.
    EventTaken,
    /// The client wants no more events.
    ClientGone,
    /// So many bytes were read; none where the worker's end is closed.
    Read(usize),
    /// So many were written; none where nobody takes them.
    Written(usize),
    /// A piece of sound; none where the client dropped its end.
    Sound(Option<Sound>),
    /// A limit may have passed.
    Nothing,
}

/// A job under way.
pub(crate) struct Course<'a> {
    worker: &'a mut Worker,
    ends: Ends,
    limits: JobLimits,
    exchange: Exchange,
    stable: Stable,
    pace: Pace,
    /// The frame on its way to the worker, and how much of it is there.
    outgoing: Vec<u8>,
    written: usize,
    /// Bytes of the worker's that were read and not yet looked at.
    incoming: Vec<u8>,
    /// Bytes of the message that is coming in.
    message_bytes: usize,
    /// An event that the client has not taken.
    pending: Option<Event>,
    /// Whether all the sound is on its way.
    ended: bool,
    /// When a worker that was told to let go must have done so.
    let_go: Option<Instant>,
}

impl<'a> Course<'a> {
    pub(crate) fn new(worker: &'a mut Worker, work: Work, limits: JobLimits) -> Course<'a> {
        Course {
            worker,
            ends: work.ends,
            limits,
            exchange: Exchange::new(work.job),
            stable: Stable::new(),
            pace: Pace::new(limits, now()),
            outgoing: work.begin,
            written: 0,
            incoming: Vec::new(),
            message_bytes: 0,
            pending: None,
            ended: false,
            let_go: None,
        }
    }

    /// Takes the job to its end.
    pub(crate) async fn run(mut self, closing: &mut Closing) -> (After, Verdict) {
        let (ending, after) = loop {
            match self.step(closing).await {
                Step::On => {}
                Step::Over(ending) => break (ending, self.clear().await),
                Step::Broken(error, end) => break (Err(error), After::End(end)),
            }
        };
        let to = self.ends.last;
        (after, Verdict { ending, to })
    }

    async fn step(&mut self, closing: &mut Closing) -> Step {
        match self.answers() {
            Step::On => {}
            step => return step,
        }
        self.pace.wait_for(self.awaited(), now());
        if let Some(step) = self.late() {
            return step;
        }
        let happened = self.wait(closing).await;
        self.react(happened, closing).await
    }

    /// Waits for whatever happens first. Nothing is lost where it is something else.
    async fn wait(&mut self, closing: &mut Closing) -> Happened {
        let wake = self.wake();
        let takes_sound = self.outgoing.is_empty() && !self.ended && self.let_go.is_none();
        let behind = self.pending.is_some();
        self.incoming.reserve(READ_BYTES);
        let (mut reader, mut writer) = self.worker.stream.split();
        tokio::select! {
            biased;
            () = closed(closing) => Happened::Closed,
            // No more is read of a worker whose client is behind: it waits, as it should.
            room = self.ends.events.reserve(), if behind => match (room, self.pending.take()) {
                (Ok(room), Some(event)) => {
                    room.send(event);
                    Happened::EventTaken
                }
                _ => Happened::ClientGone,
            },
            () = self.ends.events.closed(), if !behind && self.let_go.is_none() => {
                Happened::ClientGone
            }
            read = reader.read_buf(&mut self.incoming), if !behind => {
                Happened::Read(read.unwrap_or(0))
            }
            written = writer.write(&self.outgoing[self.written..]), if !self.outgoing.is_empty() => {
                Happened::Written(written.unwrap_or(0))
            }
            sound = self.ends.sound.recv(), if takes_sound => Happened::Sound(sound),
            () = sleep_until(wake.into()) => Happened::Nothing,
        }
    }

    async fn react(&mut self, happened: Happened, closing: &Closing) -> Step {
        match happened {
            Happened::Closed => {
                let why = reason(closing, WorkerEnd::GateClosed);
                return Step::Broken(SessionError::GateClosed, End::For(why));
            }
            Happened::EventTaken => self.pace.progress(Party::Client, now()),
            Happened::ClientGone => self.abandon(),
            Happened::Read(0) => return Step::Broken(SessionError::WorkerDied, End::Lost),
            Happened::Read(_) => self.pace.progress(Party::Worker, now()),
            // What it said before it went is still to be read.
            Happened::Written(0) => return self.last_words().await,
            Happened::Written(count) => self.wrote(count),
            Happened::Sound(sound) => {
                self.pace.progress(Party::Client, now());
                return self.take_sound(sound);
            }
            Happened::Nothing => {}
        }
        Step::On
    }

    /// Looks at what was read, up to an event that the client must take first.
    fn answers(&mut self) -> Step {
        while self.pending.is_none() && !self.incoming.is_empty() {
            let mut left = &self.incoming[..];
            let decoded = self.worker.decoder.push(&mut left);
            let taken = self.incoming.len() - left.len();
            self.incoming.drain(..taken);
            self.message_bytes += taken;
            let answer = match decoded {
                Ok(Some(answer)) => answer,
                Ok(None) => return Step::On,
                Err(error) => return misbehaved(Misdeed::NoMessage(error)),
            };
            let bytes = std::mem::take(&mut self.message_bytes);
            let due = match self.exchange.answer(&answer, bytes) {
                Ok(due) => due,
                Err(misbehaviour) => return misbehaved(Misdeed::NotDue(misbehaviour)),
            };
            match due {
                Due::Now if !self.stable.holds(&answer) => return misbehaved(Misdeed::TookBack),
                Due::Now => {}
                Due::NoMore => {
                    self.stable.passed_over();
                    continue;
                }
            }
            match self.take_answer(answer) {
                Step::On => {}
                step => return step,
            }
        }
        Step::On
    }

    fn take_answer(&mut self, answer: FromWorker) -> Step {
        if !self.ends.leave.holds() {
            return Step::Broken(SessionError::GateClosed, End::For(WorkerEnd::GateClosed));
        }
        let event = match answer {
            FromWorker::SpeechStarted { at } => Event::SpeechStarted { at },
            FromWorker::Segment(segment) => Event::Segment(segment),
            FromWorker::Partial(partial) => Event::Partial(partial),
            FromWorker::SpeechStopped { at } => Event::SpeechStopped { at },
            FromWorker::Spotted(spotted) => {
                let Spotted {
                    generation,
                    phrase,
                    at,
                } = spotted;
                Event::Spotted {
                    generation,
                    phrase,
                    at,
                }
            }
            FromWorker::Activity { start, end } => Event::Activity { start, end },
            FromWorker::Finished(report) => return Step::Over(Ok(report)),
            FromWorker::Failed(Failure::Abandoned) => {
                return Step::Over(Err(SessionError::Abandoned));
            }
            FromWorker::Failed(failure) => {
                return Step::Over(Err(SessionError::Failed(failure)));
            }
            FromWorker::Heard { samples } => Event::Heard {
                at: Milliseconds::of_sample(samples),
            },
            // Introductions are never due.
            FromWorker::Hello(_) | FromWorker::Ready => return Step::On,
        };
        if self.let_go.is_none() {
            self.pending = Some(event);
        }
        Step::On
    }

    /// Whom the job waits for.
    fn awaited(&self) -> Party {
        let has_work = !self.outgoing.is_empty() || self.ended || self.let_go.is_some();
        match has_work && self.pending.is_none() {
            true => Party::Worker,
            false => Party::Client,
        }
    }

    /// Ends the job if somebody took too long, or the gate has closed.
    fn late(&mut self) -> Option<Step> {
        let now = now();
        if !self.ends.leave.holds() {
            let end = End::For(WorkerEnd::GateClosed);
            return Some(Step::Broken(SessionError::GateClosed, end));
        }
        if self.let_go.is_some_and(|limit| now >= limit) {
            let end = End::For(WorkerEnd::Abandoned);
            return Some(Step::Broken(SessionError::Abandoned, end));
        }
        let error = self.pace.check(now, self.exchange.seconds()).err()?;
        let why = match error {
            SessionError::ClientStalled { .. } => WorkerEnd::Abandoned,
            _ => WorkerEnd::TimedOut,
        };
        Some(Step::Broken(error, End::For(why)))
    }

    fn wake(&self) -> Instant {
        let deadline = self.pace.deadline(self.exchange.seconds());
        let look = now() + LOOK;
        deadline.min(self.let_go.unwrap_or(deadline)).min(look)
    }

    fn take_sound(&mut self, sound: Option<Sound>) -> Step {
        match sound {
            Some(Sound::Piece(bytes)) => {
                self.exchange.sound(bytes.len());
                self.say(&ToWorker::Sound(bytes.to_vec()))
            }
            Some(Sound::Tune(tuning)) => {
                self.exchange.tune(&tuning);
                if !tuning.text {
                    self.stable.passed_over();
                }
                self.say(&ToWorker::Tune(tuning))
            }
            Some(Sound::End) => {
                self.ended = true;
                self.exchange.end();
                self.say(&ToWorker::EndOfSound)
            }
            None => {
                self.abandon();
                Step::On
            }
        }
    }

    /// Puts a message on its way; there is none on its way yet.
    fn say(&mut self, message: &ToWorker) -> Step {
        match self.frame(message) {
            Ok(()) => Step::On,
            // Pieces are cut to size and tunings were looked at, so this is no one's sound.
            Err(_) => Step::Broken(
                SessionError::Failed(Failure::Unsayable),
                End::For(WorkerEnd::Abandoned),
            ),
        }
    }

    fn frame(&mut self, message: &ToWorker) -> Result<(), EncodeError> {
        self.outgoing.extend(encode(message)?);
        Ok(())
    }

    fn wrote(&mut self, count: usize) {
        self.pace.progress(Party::Worker, now());
        self.written += count;
        if self.written == self.outgoing.len() {
            self.outgoing.clear();
            self.written = 0;
        }
    }

    /// Tells the worker to let go. What is on its way to it goes first.
    fn abandon(&mut self) {
        if self.let_go.is_some() {
            return;
        }
        self.let_go = Some(now() + self.limits.abandon);
        self.pending = None;
        self.ends.sound.close();
        self.exchange.abandon();
        // A message without contents keeps to all bounds; if it did not go, the limit ends it.
        let _ = self.frame(&ToWorker::Abandon);
    }

    /// Reads what a worker that takes nothing more has still said, within a moment.
    async fn last_words(&mut self) -> Step {
        if self.pending.is_some() {
            return Step::Broken(SessionError::WorkerDied, End::Lost);
        }
        match timeout(LOOK, self.worker.stream.read_buf(&mut self.incoming)).await {
            Ok(Ok(1..)) => match self.answers() {
                Step::On => Step::Broken(SessionError::WorkerDied, End::Lost),
                step => step,
            },
            _ => Step::Broken(SessionError::WorkerDied, End::Lost),
        }
    }

    /// Makes way for the next job: a frame that is there in part is completed, one that is not
    /// is dropped, and the worker has nothing more to say.
    async fn clear(&mut self) -> After {
        let silent = self.incoming.is_empty() && !self.worker.decoder.is_within_frame();
        if !silent {
            return After::End(End::For(WorkerEnd::Misbehaved));
        }
        if self.written > 0 {
            let rest = self.worker.stream.write_all(&self.outgoing[self.written..]);
            match timeout(self.limits.abandon, rest).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return After::End(End::Lost),
                Err(_) => return After::End(End::For(WorkerEnd::TimedOut)),
            }
        }
        After::Next
    }
}

fn misbehaved(misdeed: Misdeed) -> Step {
    let end = End::For(WorkerEnd::Misbehaved);
    Step::Broken(SessionError::WorkerMisbehaved(misdeed), end)
}

/// tokio's, so that a test may stop it.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
