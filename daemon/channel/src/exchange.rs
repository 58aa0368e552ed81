//! What a worker may answer, given what it was sent.
//!
//! A message that keeps to its own bounds can still be out of place: a segment after the end,
//! one that goes back in time, a thousand of them for one second of sound. An [`Exchange`]
//! goes along with one job and says which answers an honest worker could have given. It keeps
//! counts alone, no text.

use earnest_transcript::Segment;

use crate::{Encoding, Failure, FromWorker, HEARD_SAMPLES, Job, SoundKind, Task};

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

/// By how much the times of raw sound may pass its length: resampling and frames of the
/// detector round up.
const SLACK_MILLISECONDS: u64 = 1_000;

/// One job, from the daemon's side.
///
/// ```
/// use earnest_channel::{Encoding, Exchange, FromWorker, Job, Misbehaviour, Report, SoundKind, Task};
///
/// let kind = SoundKind::Raw { rate: 16_000, channels: 1, encoding: Encoding::S16Le };
/// let mut exchange = Exchange::new(Job { kind, task: Task::Activity });
/// let report = Report { samples: 0, speech: 0, skipped: 0, flaw: None, shape: None };
/// let early = exchange.answer(&FromWorker::Finished(report), 4);
/// assert_eq!(early, Err(Misbehaviour::Early));
/// exchange.end();
/// assert_eq!(exchange.answer(&FromWorker::Finished(report), 4), Ok(()));
/// assert!(exchange.is_over());
/// ```
#[derive(Debug, Clone)]
pub struct Exchange {
    job: Job,
    sound_bytes: u64,
    ended: bool,
    abandoned: bool,
    over: bool,
    answer_bytes: u64,
    /// Segments or stretches.
    segments: u64,
    beginnings: u64,
    /// The end of the last of them: the next begins there or later.
    earliest: u64,
    heard: u64,
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
    /// Words where stretches were asked for, the times of words where only words were, or
    /// stretches where words were.
    #[error("it gave what nobody asked for")]
    Unasked,
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
        Exchange {
            job,
            sound_bytes: 0,
            ended: false,
            abandoned: false,
            over: false,
            answer_bytes: 0,
            segments: 0,
            beginnings: 0,
            earliest: 0,
            heard: 0,
        }
    }

    /// So much more sound was sent.
    pub fn sound(&mut self, bytes: usize) {
        self.sound_bytes = self.sound_bytes.saturating_add(bytes as u64);
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

    /// Takes an answer of `bytes` bytes.
    ///
    /// # Errors
    /// [`Misbehaviour`]: the worker is to be ended, and nothing of this answer is to be used.
    pub fn answer(&mut self, answer: &FromWorker, bytes: usize) -> Result<(), Misbehaviour> {
        if self.over {
            return Err(Misbehaviour::Late);
        }
        self.answer_bytes = self.answer_bytes.saturating_add(bytes as u64);
        let most = FREE_ANSWER_BYTES.saturating_add(self.each_second(ANSWER_BYTES_PER_SECOND));
        within("bytes", self.answer_bytes, most)?;
        match answer {
            FromWorker::Hello(_) | FromWorker::Ready => Err(Misbehaviour::Introduction),
            FromWorker::SpeechStarted { at } => self.beginning(at.0),
            FromWorker::Segment(segment) => self.segment(segment),
            FromWorker::Activity { start, end } => match self.job.task {
                Task::Activity => self.stretch(start.0, end.0),
                Task::Transcribe { .. } | Task::Live(_) => Err(Misbehaviour::Unasked),
            },
            FromWorker::Heard { samples } => self.hearing(*samples),
            FromWorker::Finished(report) => {
                // A file may end before its bytes do: something may stand behind its sound.
                if !self.ended && self.job.kind != SoundKind::Container {
                    return Err(Misbehaviour::Early);
                }
                self.within_sound(report.samples / SAMPLES_PER_MILLISECOND)?;
                self.over = true;
                Ok(())
            }
            FromWorker::Failed(Failure::Abandoned) if !self.abandoned => {
                Err(Misbehaviour::Abandoned)
            }
            FromWorker::Failed(_) => {
                self.over = true;
                Ok(())
            }
            FromWorker::Partial(_) | FromWorker::SpeechStopped { .. } | FromWorker::Spotted(_) => {
                Err(Misbehaviour::Unasked)
            }
        }
    }

    fn beginning(&mut self, at: u64) -> Result<(), Misbehaviour> {
        if self.job.task == Task::Activity {
            return Err(Misbehaviour::Unasked);
        }
        self.beginnings += 1;
        within("beginnings", self.beginnings, self.most_segments())?;
        self.in_order(at)?;
        self.within_sound(at)
    }

    fn segment(&mut self, segment: &Segment) -> Result<(), Misbehaviour> {
        match self.job.task {
            Task::Transcribe { words } if words || segment.words.is_empty() => {
                self.stretch(segment.start.0, segment.end.0)
            }
            _ => Err(Misbehaviour::Unasked),
        }
    }

    fn stretch(&mut self, start: u64, end: u64) -> Result<(), Misbehaviour> {
        self.segments += 1;
        within("segments", self.segments, self.most_segments())?;
        self.in_order(start)?;
        self.within_sound(end)?;
        self.earliest = end;
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

    fn most_segments(&self) -> u64 {
        FREE_SEGMENTS.saturating_add(self.each_second(SEGMENTS_PER_SECOND))
    }

    fn each_second(&self, count: u64) -> u64 {
        // Of coded sound this is a most: what it gives must not be rounded down to whole
        // seconds, or the first second of a live stream would hold nothing.
        self.milliseconds().saturating_mul(count) / 1_000
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

fn within(what: &'static str, found: u64, most: u64) -> Result<(), Misbehaviour> {
    match found <= most {
        true => Ok(()),
        false => Err(Misbehaviour::Flood { what, most, found }),
    }
}
