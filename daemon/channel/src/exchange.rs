//! What a worker may answer, given what it was sent.
//!
//! A message that keeps to its own bounds can still be out of place: a segment after the end,
//! one that goes back in time, a thousand of them for one second of sound. An [`Exchange`]
//! goes along with one job and says which answers an honest worker could have given. It keeps
//! counts alone, no text.

use earnest_transcript::Segment;

use crate::{
    Encoding, Failure, FromWorker, HEARD_SAMPLES, Job, Partial, Report, SoundKind, Task, Tuning,
};

mod count;
mod listening;

use count::Count;
use listening::Listening;

/// Bytes of coded sound in a second, at the least that anybody could understand: 4 kbit/s.
/// Formats spend less on silence alone, which gives no answers.
const LEAST_CODED_BYTES: u64 = 500;

/// Bytes of answers that any job may give, and for each second of sound besides: ten times
/// what fast speech with the times of all its words takes.
const FREE_ANSWER_BYTES: u64 = 64 << 10;
const ANSWER_BYTES_PER_SECOND: u64 = 2_000;

/// Segments that any job may give, and for each second of sound besides: the shortest are a
/// quarter of a second.
const FREE_SEGMENTS: u64 = 16;
const SEGMENTS_PER_SECOND: u64 = 4;

/// Bytes of answers that a live job may give for each second of sound: its partials, each with
/// twice the text of the longest utterance, and its segments.
const LIVE_ANSWER_BYTES_PER_SECOND: u64 = ANSWER_BYTES_PER_SECOND + 1_000 * PARTIALS_PER_SECOND;

/// Partials that a live job may give, and for each second of sound besides. Nobody reads faster.
const FREE_PARTIALS: u64 = 16;
const PARTIALS_PER_SECOND: u64 = 10;

/// Phrases that a live job may spot, and for each second of sound besides: a phrase is a word at
/// the least, and listeners want a few of them at once.
const FREE_SPOTTED: u64 = 16;
const SPOTTED_PER_SECOND: u64 = 4;

/// Milliseconds of live sound whose worth of answers is kept: by so much a worker may be behind,
/// which is twice as long as it may stand still, and more than its socket holds.
const LIVE_KEPT: u64 = 60_000;

/// By how much the times of raw sound may pass its length: resampling and frames of the
/// detector round up.
const SLACK_MILLISECONDS: u64 = 1_000;

/// What becomes of an answer that an honest worker could have given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Due {
    /// It was asked for.
    Now,
    /// It was asked for until a moment ago, and the worker could not know of the tuning that
    /// changed that. It is to be dropped unread.
    NoMore,
}

/// One job, from the daemon's side.
///
/// ```
/// use earnest_channel::{Due, Encoding, Exchange, FromWorker, Job, Misbehaviour, Report, SoundKind, Task};
///
/// let kind = SoundKind::Raw { rate: 16_000, channels: 1, encoding: Encoding::S16Le };
/// let mut exchange = Exchange::new(Job { kind, task: Task::Activity });
/// let report = Report { samples: 0, speech: 0, skipped: 0, flaw: None, shape: None };
/// let early = exchange.answer(&FromWorker::Finished(report), 4);
/// assert_eq!(early, Err(Misbehaviour::Early));
/// exchange.end();
/// assert_eq!(exchange.answer(&FromWorker::Finished(report), 4), Ok(Due::Now));
/// assert!(exchange.is_over());
/// ```
#[derive(Debug, Clone)]
pub struct Exchange {
    job: Job,
    sound_bytes: u64,
    ended: bool,
    abandoned: bool,
    over: bool,
    answer_bytes: Count,
    /// Segments or stretches.
    segments: Count,
    beginnings: Count,
    partials: Count,
    spotted: Count,
    /// The end of the last of them: the next begins there or later.
    earliest: u64,
    heard: u64,
    /// Of a live job.
    listening: Option<Listening>,
}

/// An answer that no honest worker gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Misbehaviour {
    /// An introduction in the middle of a job.
    #[error("it introduced itself in the middle of a job")]
    Introduction,
    /// Something after its last word on the job.
    #[error("it went on after its last word")]
    Late,
    /// It finished before all the raw sound was sent.
    #[error("it finished before the sound did")]
    Early,
    /// Times that go back.
    #[error("its times go back: {found} ms, expected {earliest} ms or later")]
    Backwards {
        /// The earliest that was in order.
        earliest: u64,
        /// What it said.
        found: u64,
    },
    /// Times beyond the sound.
    #[error("its times pass the sound: {found} ms, expected {latest} ms at most")]
    Beyond {
        /// The length of what was sent.
        latest: u64,
        /// What it said.
        found: u64,
    },
    /// More answers than the sound can hold.
    #[error("it floods: {found} {what} for so little sound, expected {most} at most")]
    Flood {
        /// What there is too much of.
        what: &'static str,
        /// How much there may be.
        most: u64,
        /// How much came.
        found: u64,
    },
    /// Words where stretches were asked for, or nothing; the times of words where only words
    /// were; stretches where words were; a phrase that is in no list.
    #[error("it gave what nobody asked for")]
    Unasked,
    /// An utterance of another course than all have: its beginning, its partials, its segment,
    /// its end.
    #[error("{what} came out of the order of utterances")]
    Disorder {
        /// What came.
        what: &'static str,
    },
    /// Signs of life at no distance.
    #[error("it repeats itself without having heard more")]
    Restless,
    /// It says that it was told to stop, and it was not.
    #[error("it abandoned the job unasked")]
    Abandoned,
}

impl Exchange {
    /// A job that has just begun.
    pub fn new(job: Job) -> Exchange {
        let live = match job.task {
            Task::Live(live) => Some(live),
            Task::Transcribe { .. } | Task::Activity => None,
        };
        let count = |what, free, each_second| match live {
            Some(_) => Count::of_stream(what, free, each_second, LIVE_KEPT),
            None => Count::of_file(what, free, each_second),
        };
        let answer_bytes = match live {
            Some(_) => LIVE_ANSWER_BYTES_PER_SECOND,
            None => ANSWER_BYTES_PER_SECOND,
        };
        Exchange {
            job,
            sound_bytes: 0,
            ended: false,
            abandoned: false,
            over: false,
            answer_bytes: count("bytes", FREE_ANSWER_BYTES, answer_bytes),
            segments: count("segments", FREE_SEGMENTS, SEGMENTS_PER_SECOND),
            beginnings: count("beginnings", FREE_SEGMENTS, SEGMENTS_PER_SECOND),
            partials: count("partials", FREE_PARTIALS, PARTIALS_PER_SECOND),
            spotted: count("phrases", FREE_SPOTTED, SPOTTED_PER_SECOND),
            earliest: 0,
            heard: 0,
            listening: live.map(Listening::new),
        }
    }

    /// So much more sound was sent.
    pub fn sound(&mut self, bytes: usize) {
        self.sound_bytes = self.sound_bytes.saturating_add(bytes as u64);
    }

    /// A tuning was sent, behind the sound so far. It is one of a live job, and of a generation
    /// greater than that of the one before.
    pub fn tune(&mut self, tuning: &Tuning) {
        let sent = self.milliseconds();
        if let Some(listening) = &mut self.listening {
            listening.tune(tuning, sent);
        }
    }

    /// The end of the sound was sent.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// It was told that nobody wants the rest.
    pub fn abandon(&mut self) {
        self.abandoned = true;
    }

    /// Whether the worker has said its last word.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// The length of the sound that was sent, rounded down: exact for raw sound, and for coded
    /// sound the most that its bytes can hold of speech.
    pub fn seconds(&self) -> u64 {
        self.milliseconds() / 1_000
    }

    /// Takes an answer of `bytes` bytes, and says whether it is to be used.
    ///
    /// # Errors
    /// [`Misbehaviour`]: the worker is to be ended, and nothing of this answer is to be used.
    pub fn answer(&mut self, answer: &FromWorker, bytes: usize) -> Result<Due, Misbehaviour> {
        if self.over {
            return Err(Misbehaviour::Late);
        }
        let sent = self.milliseconds();
        self.answer_bytes.take(bytes as u64, sent)?;
        match answer {
            FromWorker::Segment(segment) => return self.segment(segment),
            FromWorker::Partial(partial) => return self.partial(partial),
            FromWorker::Spotted(spotted) => {
                self.spotted.take(1, sent)?;
                self.within_sound(spotted.at.0)?;
                let listening = self.listening.as_ref().ok_or(Misbehaviour::Unasked)?;
                return listening.spotted(spotted);
            }
            FromWorker::Hello(_) | FromWorker::Ready => return Err(Misbehaviour::Introduction),
            FromWorker::SpeechStarted { at } => self.beginning(at.0)?,
            FromWorker::SpeechStopped { at } => self.stop(at.0)?,
            FromWorker::Activity { start, end } => match self.job.task {
                Task::Activity => self.stretch(start.0, end.0)?,
                Task::Transcribe { .. } | Task::Live(_) => return Err(Misbehaviour::Unasked),
            },
            FromWorker::Heard { samples } => self.hearing(*samples)?,
            FromWorker::Finished(report) => self.finish(report)?,
            FromWorker::Failed(Failure::Abandoned) if !self.abandoned => {
                return Err(Misbehaviour::Abandoned);
            }
            FromWorker::Failed(_) => self.over = true,
        }
        Ok(Due::Now)
    }

    fn beginning(&mut self, at: u64) -> Result<(), Misbehaviour> {
        if self.job.task == Task::Activity {
            return Err(Misbehaviour::Unasked);
        }
        self.beginnings.take(1, self.milliseconds())?;
        self.in_order(at)?;
        self.within_sound(at)?;
        match &mut self.listening {
            Some(listening) => listening.begin(at),
            None => Ok(()),
        }
    }

    fn segment(&mut self, segment: &Segment) -> Result<Due, Misbehaviour> {
        let task = self.job.task;
        if task == Task::Activity || !(task.wants_words() || segment.words.is_empty()) {
            return Err(Misbehaviour::Unasked);
        }
        let (start, end) = (segment.start.0, segment.end.0);
        let Some(listening) = &mut self.listening else {
            return self.stretch(start, end).map(|()| Due::Now);
        };
        let due = listening.segment(segment)?;
        self.segments.take(1, self.milliseconds())?;
        self.within_sound(end).map(|()| due)
    }

    fn partial(&mut self, partial: &Partial) -> Result<Due, Misbehaviour> {
        self.partials.take(1, self.milliseconds())?;
        self.within_sound(partial.at.0)?;
        let listening = self.listening.as_mut().ok_or(Misbehaviour::Unasked)?;
        listening.partial(partial)
    }

    fn stop(&mut self, at: u64) -> Result<(), Misbehaviour> {
        self.within_sound(at)?;
        let listening = self.listening.as_mut().ok_or(Misbehaviour::Unasked)?;
        listening.stop(at)?;
        self.earliest = at;
        Ok(())
    }

    fn stretch(&mut self, start: u64, end: u64) -> Result<(), Misbehaviour> {
        self.segments.take(1, self.milliseconds())?;
        self.in_order(start)?;
        self.within_sound(end)?;
        self.earliest = end;
        Ok(())
    }

    fn finish(&mut self, report: &Report) -> Result<(), Misbehaviour> {
        // A file may end before its bytes do: something may stand behind its sound.
        if !self.ended && self.job.kind != SoundKind::Container {
            return Err(Misbehaviour::Early);
        }
        if let Some(listening) = &self.listening {
            listening.finish()?;
        }
        self.within_sound(report.samples / SAMPLES_PER_MILLISECOND)?;
        self.over = true;
        Ok(())
    }

    fn hearing(&mut self, samples: u64) -> Result<(), Misbehaviour> {
        if samples < self.heard.saturating_add(HEARD_SAMPLES) {
            return Err(Misbehaviour::Restless);
        }
        self.heard = samples;
        self.within_sound(samples / SAMPLES_PER_MILLISECOND)
    }

    fn in_order(&self, found: u64) -> Result<(), Misbehaviour> {
        let earliest = self.earliest;
        match found >= earliest {
            true => Ok(()),
            false => Err(Misbehaviour::Backwards { earliest, found }),
        }
    }

    /// Raw sound has a length that the daemon knows. What a container holds only its decoder
    /// knows: silence may take almost no bytes.
    fn within_sound(&self, found: u64) -> Result<(), Misbehaviour> {
        if self.job.kind == SoundKind::Container {
            return Ok(());
        }
        let latest = self.milliseconds().saturating_add(SLACK_MILLISECONDS);
        match found <= latest {
            true => Ok(()),
            false => Err(Misbehaviour::Beyond { latest, found }),
        }
    }

    fn milliseconds(&self) -> u64 {
        let bytes_per_second = match self.job.kind {
            SoundKind::Container => LEAST_CODED_BYTES,
            SoundKind::Raw {
                rate,
                channels,
                encoding,
            } => raw_bytes_per_second(rate, channels, encoding),
        };
        self.sound_bytes.saturating_mul(1_000) / bytes_per_second.max(1)
    }
}

/// Samples a millisecond at 16 kHz.
const SAMPLES_PER_MILLISECOND: u64 = 16;

fn raw_bytes_per_second(rate: u32, channels: u16, encoding: Encoding) -> u64 {
    // 2^32 * 2^16 * 4 fits.
    u64::from(rate) * u64::from(channels) * encoding.bytes()
}
