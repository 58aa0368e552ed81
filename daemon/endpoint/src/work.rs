//! One job with a worker: sound in, what it heard out, and what its errors mean to a caller.
//!
//! What the answer's rules withhold or take out is gone here, before any handler sees it.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use earnest_channel::{Failure, Job, Report, SoundFault, SoundKind};
use earnest_policy::{AnswerRules, Work as WorkScope};
use earnest_pool::{BeginError, Event, Events, SessionError, SessionOver, SoundSender};
use earnest_transcript::{Milliseconds, Segment};

use crate::admission::Admitted;
use crate::allowance::Allowance;
use crate::answer::{Transcript, outward};
use crate::record::Bill;
use crate::redact::Redactor;
use crate::refusal::Refusal;
use crate::shared::Shared;

/// Below this mean logarithm of probabilities a text is more likely wrong than right: the bound
/// that Whisper's own decoder falls back at. It is counted, whatever the policy's floor is.
const LOW_CERTAINTY: f32 = -1.0;

/// A job under way: its sound is not complete yet.
#[derive(Debug)]
pub(crate) struct Work {
    sound: Sound,
    heard: Heard,
}

/// Takes the sound of a job, and keeps account of it.
#[derive(Debug)]
pub(crate) struct Sound {
    sender: SoundSender,
    digest: DefaultHasher,
    bytes: u64,
    /// Of sound without a header, whose length its bytes tell.
    bytes_per_second: Option<u64>,
    allowance: Arc<Allowance>,
    bill: Bill,
}

/// What a job gives.
#[derive(Debug)]
pub(crate) struct Heard {
    events: Events,
    /// What may be told and was not yet.
    news: VecDeque<News>,
    is_over: bool,
    rules: AnswerRules,
    redactor: Redactor,
    allowance: Arc<Allowance>,
    bill: Bill,
}

/// Something that a caller may be told.
#[derive(Debug)]
pub(crate) enum News {
    /// Somebody began to speak.
    Speech(Milliseconds),
    /// Somebody spoke from here to there.
    Activity(Milliseconds, Milliseconds),
    /// What was said.
    Segment(Segment),
    /// That was all.
    End(Report),
}

/// Begins a job whose answer goes by these rules.
///
/// # Errors
///
/// When the gate is closed or all workers are busy.
pub(crate) async fn begin<S: WorkScope>(
    shared: &Shared,
    admitted: &Admitted<S>,
    bill: &Bill,
    job: Job,
    rules: AnswerRules,
) -> Result<Work, Refusal> {
    let serving = &admitted.serving;
    let begun = serving.pool.begin(&serving.open, &admitted.permit, job);
    let (sender, events) = begun.await.map_err(not_begun)?.split();
    Ok(Work {
        sound: Sound {
            sender,
            digest: shared.payload_digest(),
            bytes: 0,
            bytes_per_second: bytes_per_second(job.kind),
            allowance: Arc::clone(&admitted.allowance),
            bill: bill.clone(),
        },
        heard: Heard {
            events,
            news: VecDeque::new(),
            is_over: false,
            rules,
            redactor: Redactor::new(rules),
            allowance: Arc::clone(&admitted.allowance),
            bill: bill.clone(),
        },
    })
}

fn bytes_per_second(kind: SoundKind) -> Option<u64> {
    match kind {
        SoundKind::Container => None,
        SoundKind::Raw {
            rate,
            channels,
            encoding,
        } => Some(
            u64::from(rate)
                .saturating_mul(u64::from(channels))
                .saturating_mul(encoding.bytes()),
        ),
    }
}

impl Sound {
    /// Sends sound, and charges it where its bytes tell how long it is. The inner error means
    /// that nobody takes more of it, and the events say why.
    ///
    /// # Errors
    ///
    /// When the day's sound is used up.
    pub(crate) async fn send(&mut self, bytes: Bytes) -> Result<Result<(), SessionOver>, Refusal> {
        self.digest.write(&bytes);
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        if let Some(rate) = self.bytes_per_second {
            let milliseconds = self.bytes.saturating_mul(1_000) / rate.max(1);
            self.allowance.reach(Milliseconds(milliseconds))?;
        }
        Ok(self.sender.send(bytes).await)
    }

    /// That was all of it.
    pub(crate) async fn end(self) {
        self.bill.heard().payload = Some(self.digest.finish());
        // Whether anybody still asks for it is told by the events.
        let _ = self.sender.end().await;
    }
}

impl Work {
    /// Sends sound, and keeps what is heard meanwhile: a worker whose answers nobody takes
    /// takes no sound.
    ///
    /// # Errors
    ///
    /// When the job fails, or the day's sound is used up.
    pub(crate) async fn send(&mut self, bytes: Bytes) -> Result<(), Refusal> {
        let Work { sound, heard } = self;
        let mut sending = std::pin::pin!(sound.send(bytes));
        loop {
            tokio::select! {
                // What was heard is taken first, so that a failure is told as what it is.
                biased;
                taken = heard.take(), if !heard.is_over => taken?,
                sent = &mut sending => {
                    return match sent? {
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
                taken = heard.take(), if !heard.is_over => taken?,
                () = &mut ending => return Ok(heard),
            }
        }
    }

    /// Both halves, for who drives them at once.
    pub(crate) fn split(self) -> (Sound, Heard) {
        (self.sound, self.heard)
    }
}

impl Heard {
    /// Takes one event and keeps what may be told of it.
    async fn take(&mut self) -> Result<(), Refusal> {
        match self.events.next().await {
            Some(Ok(Event::SpeechStarted { at })) => {
                self.allowance.reach(at)?;
                self.news.push_back(News::Speech(at));
            }
            Some(Ok(Event::Activity { start, end })) => {
                self.allowance.reach(end)?;
                self.news.push_back(News::Activity(start, end));
            }
            Some(Ok(Event::Heard { at })) => {
                self.allowance.reach(at)?;
                let mut sums = self.bill.heard();
                sums.sound = sums.sound.max(at.0);
            }
            Some(Ok(Event::Segment(segment))) => {
                self.allowance.reach(segment.end)?;
                self.segment(segment);
            }
            // Of live jobs alone.
            Some(Ok(Event::Partial(_) | Event::SpeechStopped { .. } | Event::Spotted { .. })) => {}
            Some(Ok(Event::Finished(report))) => self.end(report),
            Some(Err(error)) => return Err(failed(error)),
            // The last event was taken before, and nobody asks after it.
            None => return Err(Refusal::WorkerFailed),
        }
        Ok(())
    }

    fn segment(&mut self, segment: Segment) {
        let withheld = self.rules.withheld(segment.avg_logprob);
        {
            let mut sums = self.bill.heard();
            sums.sound = sums.sound.max(segment.end.0);
            sums.segments = sums.segments.saturating_add(1);
            let certainty = segment.avg_logprob;
            let is_low = certainty.is_nan() || certainty < LOW_CERTAINTY;
            sums.certainty_low |= withheld || is_low;
        }
        if !withheld {
            let ready = self.redactor.push(outward(segment));
            self.news.extend(ready.into_iter().map(News::Segment));
        }
    }

    fn end(&mut self, report: Report) {
        let sound = Milliseconds::of_sample(report.samples);
        {
            let mut sums = self.bill.heard();
            sums.sound = sound.0;
            sums.speech = Milliseconds::of_sample(report.speech).0;
            sums.shape = report.shape;
        }
        // What was heard to its end is told, though it be the last of the day.
        let _ = self.allowance.reach(sound);
        let held = self.redactor.end();
        self.news.extend(held.into_iter().map(News::Segment));
        self.news.push_back(News::End(report));
        self.is_over = true;
    }

    /// A job that took no more sound: it read all that it wanted, or it failed.
    async fn after_the_end(&mut self) -> Result<(), Refusal> {
        while !self.is_over {
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
        let mut segments = Vec::new();
        loop {
            match self.next().await? {
                News::Speech(_) | News::Activity(..) => {}
                News::Segment(segment) => segments.push(segment),
                News::End(report) => {
                    return Ok(Transcript {
                        segments,
                        duration: Milliseconds::of_sample(report.samples),
                    });
                }
            }
        }
    }

    /// The next that was heard, those first that were kept.
    ///
    /// # Errors
    ///
    /// When the job fails.
    pub(crate) async fn next(&mut self) -> Result<News, Refusal> {
        loop {
            match self.news.pop_front() {
                Some(news) => return Ok(news),
                None => self.take().await?,
            }
        }
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
