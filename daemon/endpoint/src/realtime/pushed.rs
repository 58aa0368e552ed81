//! A session whose client sends the sound.
//!
//! What it sends goes to a worker in stretches, each of them a job. A stretch goes on while the
//! settings do; it ends when the client says that an utterance is whole, when it has sent nothing
//! for a while, and when it wants the sound heard otherwise. One message is taken at a time, and
//! none before there is room for its sound: a client that sends faster than the worker hears
//! waits.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use earnest_channel::{Job, MAX_SOUND_BYTES};
use earnest_policy::Transcribe;
use earnest_transcript::Milliseconds;
use tokio::time::{Instant, sleep_until};

use super::intake::{Asked, Fault, Message};
use super::settings::{Format, Settings, Turn};
use super::speaking::{Gone, Speaking};
use crate::admission::Admitted;
use crate::line::{Hangup, Line};
use crate::record::Bill;
use crate::refusal::Refusal;
use crate::shared::Shared;
use crate::tether::Tether;
use crate::work::{self, News, Work};

/// After so long without sound whoever spoke has paused, though no silence was sent: the stretch
/// ends, and its worker is free.
const REST: Duration = Duration::from_secs(20);

/// The time between the beginnings of two stretches, at least. Each takes what a request takes;
/// nobody says four utterances a second.
const BETWEEN: Duration = Duration::from_millis(250);

/// The silence that parts the sentences of an utterance whose end the client says.
const SILENCE: Duration = Duration::from_millis(700);

/// A session.
pub(crate) struct Pushed {
    shared: Arc<Shared>,
    /// Whose it is, with its place within the application's limits.
    admitted: Admitted<Transcribe>,
    bill: Bill,
    settings: Settings,
    speaking: Speaking,
    stretch: Option<Stretch>,
    /// Milliseconds of sound in stretches that are over.
    before: u64,
    /// Bytes that may still come.
    left: u64,
    /// When the next stretch may begin.
    next: Instant,
}

/// Sound under way.
struct Stretch {
    work: Work,
    /// Bytes of it, as the worker takes them.
    bytes: u64,
    bytes_per_second: u64,
    /// When the last of it came.
    latest: Instant,
}

/// Why a session is over.
enum Over {
    /// The client is gone.
    Gone,
    /// It is told why.
    Refused(Refusal),
}

impl From<Gone> for Over {
    fn from(_: Gone) -> Over {
        Over::Gone
    }
}

impl Pushed {
    pub(crate) fn new(
        shared: Arc<Shared>,
        admitted: Admitted<Transcribe>,
        bill: Bill,
        settings: Settings,
        speaking: Speaking,
    ) -> Pushed {
        Pushed {
            left: shared.limits.stream_bytes,
            shared,
            admitted,
            bill,
            settings,
            speaking,
            stretch: None,
            before: 0,
            next: Instant::now(),
        }
    }

    /// Goes on until the client is gone, leave runs out, or the daemon ends.
    pub(crate) async fn run(mut self, mut line: Line, mut tether: Tether) {
        let over = self.serve(&mut line, &mut tether).await;
        self.drop_stretch();
        {
            // All that came counts, though nobody may have waited for what was heard of it.
            let mut sums = self.bill.heard();
            sums.sound = sums.sound.max(self.before);
        }
        let Pushed { speaking, bill, .. } = self;
        match over {
            Ok(Hangup::Draining) => speaking.leave().await,
            Ok(Hangup::Cut) | Err(Over::Gone) => {}
            Err(Over::Refused(refusal)) => {
                bill.failed(&refusal);
                let mut speaking = speaking;
                let mut told = speaking.telling.failed(&refusal).unwrap_or_default();
                told.push(speaking.telling.refused(&refusal));
                if speaking.tell(told).await.is_ok() {
                    speaking.turn_away(&refusal).await;
                }
            }
        }
    }

    async fn serve(&mut self, line: &mut Line, tether: &mut Tether) -> Result<Hangup, Over> {
        let created = self.speaking.telling.session(&self.settings, true);
        self.speaking.tell([created]).await?;
        loop {
            let rest = self.stretch.as_ref().map(|stretch| stretch.latest + REST);
            let rested = async move {
                match rest {
                    Some(rest) => sleep_until(rest).await,
                    None => std::future::pending().await,
                }
            };
            let heard = async {
                match &mut self.stretch {
                    Some(stretch) => stretch.work.next().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                hangup = line.hangup() => return Ok(hangup),
                () = tether.due() => {
                    let checked = tether.check::<Transcribe>(&self.shared, &self.bill);
                    checked.map_err(Over::Refused)?;
                }
                news = heard => match news {
                    Ok(news) => self.hear(news).await?,
                    Err(refusal) => self.fail(refusal).await?,
                },
                () = rested => self.rest().await?,
                said = self.speaking.hear() => {
                    let message = Message::read(&said?);
                    self.take(message).await?;
                }
            }
        }
    }

    async fn take(&mut self, message: Message) -> Result<(), Over> {
        let Message { asked, event_id } = message;
        let done = match asked {
            Ok(Asked::Append(sound)) => {
                self.append(sound).await?;
                Ok(())
            }
            Ok(Asked::Commit) => self.commit().await?,
            Ok(Asked::Clear) => {
                self.drop_stretch();
                let cleared = self.speaking.telling.cleared();
                self.speaking.tell([cleared]).await?;
                Ok(())
            }
            Ok(Asked::Update(update)) => match self.settings.updated(&update, &self.shared.model) {
                Ok(settings) => {
                    self.update(settings).await?;
                    Ok(())
                }
                Err(fault) => Err(fault),
            },
            Err(fault) => Err(fault),
        };
        if let Err(fault) = done {
            let told = self.speaking.telling.fault(fault, event_id.as_deref());
            self.speaking.tell([told]).await?;
        }
        Ok(())
    }

    /// Sends sound on, and tells what is heard of it meanwhile.
    async fn append(&mut self, sound: Bytes) -> Result<(), Over> {
        let left = self.left.checked_sub(sound.len() as u64);
        self.left = left.ok_or(Over::Refused(Refusal::TooLarge))?;
        if sound.is_empty() {
            return Ok(());
        }
        let mut sound = match self.settings.format() {
            Format::Pcm { .. } => sound,
            Format::G711(law) => law.expand(&sound),
        };
        if self.stretch.is_none()
            && let Err(refusal) = self.begin().await
        {
            return self.fail(refusal).await;
        }
        while !sound.is_empty() {
            let piece = sound.split_to(sound.len().min(MAX_SOUND_BYTES));
            let Some(stretch) = &mut self.stretch else {
                // It failed, which was told.
                return Ok(());
            };
            stretch.latest = Instant::now();
            stretch.bytes += piece.len() as u64;
            if let Err(refusal) = stretch.work.send(piece).await {
                return self.fail(refusal).await;
            }
            while let Some(news) = self.stretch.as_mut().and_then(|one| one.work.ready()) {
                self.hear(news).await?;
            }
        }
        Ok(())
    }

    /// Begins a stretch.
    async fn begin(&mut self) -> Result<(), Refusal> {
        sleep_until(self.next).await;
        self.next = Instant::now() + BETWEEN;
        // The gate may have opened anew since.
        self.admitted.serving = self.shared.serving().ok_or(Refusal::DeviceNotProven)?;
        let rules = self.shared.answers;
        let job = Job {
            kind: self.settings.format().kind(),
            task: match self.settings.turn() {
                Turn::Silence(silence) => work::live(&rules, silence, true),
                Turn::Commit => work::live(&rules, SILENCE, false),
            },
        };
        let bytes_per_second = work::bytes_per_second(job.kind).unwrap_or(1).max(1);
        let work = work::begin(&self.shared, &self.admitted, &self.bill, job, rules).await?;
        self.stretch = Some(Stretch {
            work,
            bytes: 0,
            bytes_per_second,
            latest: Instant::now(),
        });
        if self.settings.turn() == Turn::Commit {
            self.speaking.telling.waits(Milliseconds(self.before));
        }
        Ok(())
    }

    async fn hear(&mut self, news: News) -> Result<(), Over> {
        let before = self.before;
        let later = |at: Milliseconds| Milliseconds(before.saturating_add(at.0));
        let finds_turns = self.settings.turn() != Turn::Commit;
        let telling = &mut self.speaking.telling;
        let told = match news {
            News::Speech(at) if finds_turns => vec![telling.started(later(at))],
            News::Partial(partial) => telling.grown(&partial.stable),
            News::Segment(segment) => telling.said(&segment.text),
            News::Stopped(at) if finds_turns => telling.stopped(later(at)),
            News::Speech(_) | News::Stopped(_) | News::Activity(..) | News::End(_) => Vec::new(),
        };
        self.speaking.tell(told).await?;
        Ok(())
    }

    /// The client says that the sound so far is an utterance.
    async fn commit(&mut self) -> Result<Result<(), Fault>, Over> {
        let finds_turns = self.settings.turn() != Turn::Commit;
        let is_empty = match finds_turns {
            // What was heard of the sound so far says whether anybody speaks.
            true => !self.speaking.telling.has_item(),
            false => self.stretch.is_none(),
        };
        if is_empty {
            return Ok(Err(Fault {
                code: "input_audio_buffer_commit_empty",
                param: None,
                message: "There is no sound to be an utterance.",
            }));
        }
        if !finds_turns {
            let committed = self.speaking.telling.committed();
            self.speaking.tell(committed).await?;
        }
        self.finish().await?;
        if !finds_turns {
            let at = Milliseconds(self.before);
            let completed = self.speaking.telling.completed(at);
            self.speaking.tell(completed).await?;
        }
        Ok(Ok(()))
    }

    /// Takes new settings. Sound that came before was meant by the old ones.
    async fn update(&mut self, settings: Settings) -> Result<(), Over> {
        if settings.hears_otherwise(&self.settings) {
            match self.settings.turn() {
                Turn::Silence(_) => self.finish().await?,
                Turn::Commit => {
                    // It was no utterance yet, and will be none.
                    self.drop_stretch();
                    self.speaking.telling.forget();
                }
            }
        }
        self.settings = settings;
        let updated = self.speaking.telling.session(&self.settings, false);
        self.speaking.tell([updated]).await?;
        Ok(())
    }

    /// Nothing has come for a while.
    async fn rest(&mut self) -> Result<(), Over> {
        match self.settings.turn() {
            Turn::Silence(_) => self.finish().await,
            // The client has not said that it is an utterance, and may go on. If it does not,
            // the stretch fails in time.
            Turn::Commit => {
                if let Some(stretch) = &mut self.stretch {
                    stretch.latest = Instant::now();
                }
                Ok(())
            }
        }
    }

    /// Ends the stretch, and tells all that was heard of it.
    async fn finish(&mut self) -> Result<(), Over> {
        let Some(stretch) = self.stretch.take() else {
            return Ok(());
        };
        let milliseconds = stretch.milliseconds();
        let told = self.drain(stretch.work).await;
        self.before = self.before.saturating_add(milliseconds);
        match told {
            Ok(told) => told,
            Err(refusal) => self.fail(refusal).await,
        }
    }

    /// All that is still heard. The inner error means that nobody is told any more.
    async fn drain(&mut self, work: Work) -> Result<Result<(), Over>, Refusal> {
        let mut heard = work.end().await?;
        loop {
            let news = heard.next().await?;
            let is_end = matches!(news, News::End(_));
            if let Err(over) = self.hear(news).await {
                return Ok(Err(over));
            }
            if is_end {
                return Ok(Ok(()));
            }
        }
    }

    fn drop_stretch(&mut self) {
        if let Some(stretch) = self.stretch.take() {
            self.before = self.before.saturating_add(stretch.milliseconds());
        }
    }

    /// The stretch came to nothing. Whether the session goes on depends on why.
    async fn fail(&mut self, refusal: Refusal) -> Result<(), Over> {
        self.drop_stretch();
        let goes_on = matches!(
            refusal,
            Refusal::WorkerFailed
                | Refusal::Busy { .. }
                | Refusal::TooSlow
                | Refusal::InvalidAudio
                | Refusal::Invalid { .. }
        );
        if !goes_on {
            return Err(Over::Refused(refusal));
        }
        let telling = &mut self.speaking.telling;
        let told = match telling.failed(&refusal) {
            Some(told) => told,
            None => vec![telling.refused(&refusal)],
        };
        self.speaking.tell(told).await?;
        Ok(())
    }
}

impl Stretch {
    fn milliseconds(&self) -> u64 {
        self.bytes.saturating_mul(1_000) / self.bytes_per_second
    }
}
