//! One job with a worker: sound in, what it heard out, and what its errors mean to a caller.

use std::time::Duration;

use bytes::Bytes;
use earnest_channel::{Failure, Job, Report, SoundFault};
use earnest_policy::{Permit, Transcribe};
use earnest_pool::{BeginError, Event, Events, SessionError, SessionOver, SoundSender};
use earnest_transcript::{Milliseconds, Segment};

use crate::answer::{Transcript, outward};
use crate::house::Serving;
use crate::refusal::Refusal;

/// A job under way: its sound is not complete yet.
#[derive(Debug)]
pub(crate) struct Work {
    sound: SoundSender,
    heard: Heard,
}

/// What a job gives.
#[derive(Debug)]
pub(crate) struct Heard {
    events: Events,
    segments: Vec<Segment>,
    ending: Option<Report>,
}

/// Something that a caller may be told.
#[derive(Debug)]
pub(crate) enum News {
    /// Somebody began to speak.
    Speech(Milliseconds),
    /// What was said.
    Segment(Segment),
    /// That was all.
    End(Report),
}

/// Begins a job.
///
/// # Errors
///
/// When the gate is closed or all workers are busy.
pub(crate) async fn begin(
    serving: &Serving,
    permit: &Permit<Transcribe>,
    job: Job,
) -> Result<Work, Refusal> {
    let begun = serving.pool.begin(&serving.open, permit, job).await;
    let (sound, events) = begun.map_err(not_begun)?.split();
    Ok(Work {
        sound,
        heard: Heard {
            events,
            segments: Vec::new(),
            ending: None,
        },
    })
}

impl Work {
    /// Sends sound, and keeps what is heard meanwhile: a worker whose answers nobody takes
    /// takes no sound.
    ///
    /// # Errors
    ///
    /// When the job fails.
    pub(crate) async fn send(&mut self, bytes: Bytes) -> Result<(), Refusal> {
        let Work { sound, heard } = self;
        let mut sending = std::pin::pin!(sound.send(bytes));
        loop {
            tokio::select! {
                // What was heard is taken first, so that a failure is told as what it is.
                biased;
                news = heard.take(), if heard.ending.is_none() => news?,
                sent = &mut sending => {
                    return match sent {
                        Ok(()) => Ok(()),
                        Err(SessionOver) => heard.after_the_end().await,
                    };
                }
            }
        }
    }

    /// That was all the sound; what is heard of it is still to come.
    pub(crate) async fn end(self) -> Result<Heard, Refusal> {
        let Work { sound, mut heard } = self;
        let mut ending = std::pin::pin!(sound.end());
        loop {
            tokio::select! {
                biased;
                news = heard.take(), if heard.ending.is_none() => news?,
                // Whether anybody still asks for it is told by the events.
                _ = &mut ending => return Ok(heard),
            }
        }
    }

    /// Both halves, for who drives them at once.
    pub(crate) fn split(self) -> (SoundSender, Heard) {
        (self.sound, self.heard)
    }
}

impl Heard {
    /// Takes one event and keeps it.
    async fn take(&mut self) -> Result<(), Refusal> {
        match next(&mut self.events).await? {
            News::Speech(_) => {}
            News::Segment(segment) => self.segments.push(segment),
            News::End(report) => self.ending = Some(report),
        }
        Ok(())
    }

    /// A job that took no more sound: it read all that it wanted, or it failed.
    async fn after_the_end(&mut self) -> Result<(), Refusal> {
        while self.ending.is_none() {
            self.take().await?;
        }
        Ok(())
    }

    /// All that was heard, once the job is over.
    ///
    /// # Errors
    ///
    /// When the job fails.
    pub(crate) async fn all(mut self) -> Result<Transcript, Refusal> {
        loop {
            match self.ending {
                Some(report) => {
                    return Ok(Transcript {
                        segments: self.segments,
                        duration: Milliseconds::of_sample(report.samples),
                    });
                }
                None => self.take().await?,
            }
        }
    }

    /// The next that was heard, those first that were kept.
    ///
    /// # Errors
    ///
    /// When the job fails.
    pub(crate) async fn next(&mut self) -> Result<News, Refusal> {
        if !self.segments.is_empty() {
            return Ok(News::Segment(self.segments.remove(0)));
        }
        match self.ending {
            Some(report) => Ok(News::End(report)),
            None => next(&mut self.events).await,
        }
    }
}

async fn next(events: &mut Events) -> Result<News, Refusal> {
    match events.next().await {
        Some(Ok(Event::SpeechStarted { at })) => Ok(News::Speech(at)),
        Some(Ok(Event::Segment(segment))) => Ok(News::Segment(outward(segment))),
        Some(Ok(Event::Finished(report))) => Ok(News::End(report)),
        // The pool lets no stretch through where words were asked for.
        Some(Ok(Event::Activity { .. })) => Err(Refusal::WorkerFailed),
        Some(Err(error)) => Err(failed(error)),
        // The last event was taken before, and nobody asks after it.
        None => Err(Refusal::WorkerFailed),
    }
}

fn not_begun(error: BeginError) -> Refusal {
    match error {
        BeginError::Closed => Refusal::DeviceNotProven,
        // Only what is said of raw sound can be beyond the bounds of a job.
        BeginError::BadJob(_) => Refusal::Invalid {
            param: "rate",
            expected: "a rate and a number of channels that sound can have",
        },
        BeginError::Busy { retry_after } | BeginError::Unavailable { retry_after } => {
            Refusal::Busy {
                retry_after: whole_seconds(retry_after),
            }
        }
    }
}

/// Rounded up: who comes a moment too early has come in vain.
pub(crate) fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

fn failed(error: SessionError) -> Refusal {
    match error {
        SessionError::Failed(Failure::Sound(SoundFault::TooLarge)) => Refusal::TooLarge,
        SessionError::Failed(Failure::Sound(_)) => Refusal::InvalidAudio,
        SessionError::Failed(Failure::Speech | Failure::Unsayable | Failure::Abandoned)
        | SessionError::WorkerDied
        | SessionError::WorkerHung { .. }
        | SessionError::WorkerMisbehaved(_)
        | SessionError::Abandoned => Refusal::WorkerFailed,
        SessionError::ClientStalled { .. } => Refusal::TooSlow,
        SessionError::GateClosed => Refusal::DeviceNotProven,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_is_told_whose_fault_it_was() {
        let code = |error| failed(error).code();
        let sound = |fault| code(SessionError::Failed(Failure::Sound(fault)));
        assert_eq!(sound(SoundFault::NotSound), "invalid_audio");
        assert_eq!(sound(SoundFault::TooLarge), "too_large");
        let limit = Duration::from_secs(1);
        assert_eq!(code(SessionError::WorkerDied), "worker_failed");
        assert_eq!(code(SessionError::WorkerHung { limit }), "worker_failed");
        assert_eq!(
            code(SessionError::ClientStalled { limit }),
            "request_timeout"
        );
        assert_eq!(code(SessionError::GateClosed), "device_not_proven");
    }

    #[test]
    fn waiting_is_told_in_whole_seconds_and_never_too_short() {
        for (milliseconds, seconds) in [(0, 0), (1, 1), (1_000, 1), (1_001, 2)] {
            assert_eq!(whole_seconds(Duration::from_millis(milliseconds)), seconds);
        }
    }
}
