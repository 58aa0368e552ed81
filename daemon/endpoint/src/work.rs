//! One job with a worker: sound in, what it heard out, and what its errors mean to a caller.
//!
//! What the answer's rules withhold or take out is gone here, before any handler sees it.

use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use earnest_channel::{
    Failure, Job, LiveTask, MAX_LIVE_SILENCE, MIN_LIVE_SILENCE, Partial, Report, SoundFault,
    SoundKind, Task,
};
use earnest_policy::{AnswerRules, Work as WorkScope};
use earnest_pool::{BeginError, Event, Events, SessionError, SessionOver, SoundSender};
use earnest_transcript::{Milliseconds, Segment};

use crate::admission::Admitted;
use crate::allowance::Allowance;
use crate::answer::{Transcript, outward, outward_partial};
use crate::record::{Bill, HeardSums};
use crate::redact::Redactor;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::waiting::Waiting;

/// Below this mean logarithm of probabilities a text is more likely wrong than right: the bound
/// that Whisper's own decoder falls back at. It is counted, whatever the policy's floor is.
const LOW_CERTAINTY: f32 = -1.0;

/// Of sound that is written down as it is said: how long the end of an utterance that may be the
/// beginning of a number is held, where numbers are taken out. Whoever pauses for longer within
/// one is told in parts, as if they had been uploaded one by one.
const HELD_MILLISECONDS: u64 = 4_000;

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
    /// What may be told and was not yet, in its order.
    news: Waiting,
    is_over: bool,
    is_live: bool,
    rules: AnswerRules,
    redactor: Redactor,
    /// Where the last of what is held ends.
    held: Option<Milliseconds>,
    /// What earlier jobs of the request heard.
    before: HeardSums,
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
    /// What is heard of an utterance under way, in a live job.
    Partial(Partial),
    /// What was said. In a live job it is of the utterance that began last.
    Segment(Segment),
    /// The utterance is over, in a live job.
    Stopped(Milliseconds),
    /// That was all.
    End(Report),
}

/// What is wanted of sound that is written down as it is said: a silence so long ends an
/// utterance. Where the rules withhold anything there are no partials, as what is to be withheld
/// is known at the end alone.
pub(crate) fn live(rules: &AnswerRules, silence: Duration, partials: bool) -> Task {
    let milliseconds = u16::try_from(silence.as_millis()).unwrap_or(u16::MAX);
    Task::Live(LiveTask {
        silence: milliseconds.clamp(MIN_LIVE_SILENCE, MAX_LIVE_SILENCE),
        text: true,
        partials: partials && tells_partials(rules),
        words: false,
    })
}

/// Whether text that may change can be told: nothing of it is withheld or taken out.
pub(crate) fn tells_partials(rules: &AnswerRules) -> bool {
    rules.certainty_floor().is_none() && !rules.redacts()
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
    // A request may have several jobs, each of which counts its sound from its own beginning.
    let allowance = admitted.allowance.again();
    let before = *bill.heard();
    Ok(Work {
        sound: Sound {
            sender,
            digest: shared.payload_digest(),
            bytes: 0,
            bytes_per_second: bytes_per_second(job.kind),
            allowance: Arc::clone(&allowance),
            bill: bill.clone(),
        },
        heard: Heard {
            events,
            news: Waiting::default(),
            is_over: false,
            is_live: matches!(job.task, Task::Live(_)),
            rules,
            redactor: Redactor::new(rules),
            held: None,
            before,
            allowance,
            bill: bill.clone(),
        },
    })
}

/// Of sound without a header, whose length its bytes tell.
pub(crate) fn bytes_per_second(kind: SoundKind) -> Option<u64> {
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

    /// What was heard next. May be dropped and asked again.
    ///
    /// # Errors
    ///
    /// When the job fails.
    pub(crate) async fn next(&mut self) -> Result<News, Refusal> {
        self.heard.next().await
    }

    /// What was heard and can be told without waiting for anything.
    pub(crate) fn ready(&mut self) -> Option<News> {
        self.heard.news.pop()
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
                self.pass(at);
                self.tell(News::Speech(at));
            }
            Some(Ok(Event::Activity { start, end })) => {
                self.allowance.reach(end)?;
                self.tell(News::Activity(start, end));
            }
            Some(Ok(Event::Heard { at })) => {
                self.allowance.reach(at)?;
                let mut sums = self.bill.heard();
                sums.sound = sums.sound.max(self.before.sound.saturating_add(at.0));
                drop(sums);
                self.pass(at);
            }
            Some(Ok(Event::Segment(segment))) => {
                self.allowance.reach(segment.end)?;
                self.segment(segment);
            }
            Some(Ok(Event::Partial(partial))) => {
                self.allowance.reach(partial.at)?;
                if tells_partials(&self.rules) {
                    self.tell(News::Partial(outward_partial(partial)));
                }
            }
            Some(Ok(Event::SpeechStopped { at })) => {
                self.allowance.reach(at)?;
                self.tell(News::Stopped(at));
            }
            // Nobody here asks for phrases.
            Some(Ok(Event::Spotted { .. })) => {}
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
            let end = self.before.sound.saturating_add(segment.end.0);
            sums.sound = sums.sound.max(end);
            sums.segments = sums.segments.saturating_add(1);
            let certainty = segment.avg_logprob;
            let is_low = certainty.is_nan() || certainty < LOW_CERTAINTY;
            sums.certainty_low |= withheld || is_low;
        }
        if !withheld {
            self.news.hold();
            let end = segment.end;
            let ready = self.redactor.push(outward(segment));
            self.held = self.redactor.holds().then_some(end);
            self.news.release(ready);
        }
    }

    /// The sound of a live job goes on, and nobody speaks.
    fn pass(&mut self, at: Milliseconds) {
        let held = self.held.filter(|_| self.is_live);
        if held.is_some_and(|end| at.0 >= end.0.saturating_add(HELD_MILLISECONDS)) {
            self.held = None;
            let all = self.redactor.end();
            self.news.release(all);
        }
    }

    fn tell(&mut self, news: News) {
        self.news.push(news);
        if self.news.is_full() {
            let all = self.redactor.give_up();
            self.news.release(all);
        }
    }

    fn end(&mut self, report: Report) {
        let sound = Milliseconds::of_sample(report.samples);
        {
            let mut sums = self.bill.heard();
            let speech = Milliseconds::of_sample(report.speech);
            sums.sound = self.before.sound.saturating_add(sound.0);
            sums.speech = self.before.speech.saturating_add(speech.0);
            sums.shape = report.shape;
        }
        // What was heard to its end is told, though it be the last of the day.
        let _ = self.allowance.reach(sound);
        let held = self.redactor.end();
        self.news.release(held);
        self.tell(News::End(report));
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
                News::Speech(_) | News::Activity(..) | News::Partial(_) | News::Stopped(_) => {}
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
            match self.news.pop() {
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
