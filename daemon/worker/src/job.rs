//! One job, from its first byte of sound to its last word.

use std::io;

use earnest_channel::{Failure, FromWorker, HEARD_SAMPLES, Job, Report, Task};
use earnest_sound::Status;
use earnest_speech::{DetectSpeech, FRAME_SAMPLES, Recognize, Reread, SpeechError};

use crate::ear::Ear;
use crate::incoming::{End, Incoming, Socket};
use crate::shape::Shaper;
use crate::sound;

/// Samples a millisecond at 16 kHz.
const SAMPLES_PER_MILLISECOND: u64 = 16;

/// Does a job and says all that there is to say but its last word, which is given.
pub(crate) fn hear<S, R, D>(
    incoming: &Incoming<S>,
    job: Job,
    ear: Ear<R, D>,
) -> io::Result<FromWorker>
where
    S: Socket,
    R: Recognize + Reread,
    D: DetectSpeech,
{
    match try_hear(incoming, job, ear) {
        Ok(report) => Ok(FromWorker::Finished(report)),
        Err(_) if incoming.end() == Some(End::Abandoned) => {
            Ok(FromWorker::Failed(Failure::Abandoned))
        }
        Err(Stop::Failed(failure)) => Ok(FromWorker::Failed(failure)),
        // The bounds on messages refuse what a hostile sound made of the model.
        Err(Stop::Socket(error)) if error.kind() == io::ErrorKind::InvalidInput => {
            Ok(FromWorker::Failed(Failure::Unsayable))
        }
        Err(Stop::Socket(error)) => Err(error),
    }
}

/// What ends a job early.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error(transparent)]
    Failed(Failure),
    #[error(transparent)]
    Socket(#[from] io::Error),
}

impl From<SpeechError> for Stop {
    fn from(_: SpeechError) -> Stop {
        Stop::Failed(Failure::Speech)
    }
}

fn try_hear<S, R, D>(incoming: &Incoming<S>, job: Job, ear: Ear<R, D>) -> Result<Report, Stop>
where
    S: Socket,
    R: Recognize + Reread,
    D: DetectSpeech,
{
    let failed = |error| Stop::Failed(sound::fault(&error));
    let mut sound = sound::open(job.kind, incoming.sound()).map_err(failed)?;
    let mut hearing = Hearing::new(incoming, job, ear);
    let mut flaw = None;
    let mut block = Vec::new();
    loop {
        block.clear();
        match sound.read(&mut block) {
            Ok(Status::More) => {}
            Ok(Status::End) => break,
            Err(error) => match sound::flaw(&error) {
                Some(found) => flaw = Some(found),
                None => return Err(failed(error)),
            },
        }
        hearing.push(&block)?;
    }
    let (speech, shape) = hearing.finish()?;
    let report = sound.report();
    Ok(Report {
        samples: report.samples,
        speech: speech.min(report.samples),
        skipped: report.skipped,
        flaw,
        shape,
    })
}

/// Samples that a live job hears at once: a frame of the detector, 32 ms. What ends within it is
/// told before the next is looked at.
const LIVE_SAMPLES: usize = FRAME_SAMPLES;

/// A job's course: what is heard is said.
struct Hearing<'a, S, R: Reread, D> {
    incoming: &'a Incoming<S>,
    ear: Ear<R, D>,
    speech: Speech,
    /// Of recorded sound alone: a repeat of what was live is none.
    shaper: Option<Shaper>,
    /// Samples heard when that was last told.
    told: u64,
}

impl<'a, S, R, D> Hearing<'a, S, R, D>
where
    S: Socket,
    R: Recognize + Reread,
    D: DetectSpeech,
{
    fn new(incoming: &'a Incoming<S>, job: Job, ear: Ear<R, D>) -> Hearing<'a, S, R, D> {
        let is_live = matches!(job.task, Task::Live(_));
        Hearing {
            incoming,
            ear,
            speech: Speech {
                is_live,
                ..Speech::default()
            },
            shaper: (!is_live).then(Shaper::new),
            told: 0,
        }
    }

    /// Takes the next samples, behind which nothing was read yet but a tuning.
    fn push(&mut self, block: &[f32]) -> Result<(), Stop> {
        let piece = match self.speech.is_live {
            true => LIVE_SAMPLES,
            false => block.len().max(1),
        };
        let mut left = block;
        while !left.is_empty() {
            let (pcm, rest) = left.split_at(left.len().min(piece));
            left = rest;
            let is_behind = self.speech.is_live && (!left.is_empty() || self.incoming.has_more());
            let heard = self.ear.push(pcm, is_behind)?;
            self.say(heard)?;
        }
        if let Some(shaper) = &mut self.shaper {
            shaper.push(block);
        }
        // Reading stopped at it, so all before it was heard, and nothing behind it.
        if let Some(tuning) = self.incoming.tuning() {
            self.ear.tune(&tuning);
        }
        let samples = self.ear.heard();
        if samples >= self.told + HEARD_SAMPLES {
            self.incoming.say(&FromWorker::Heard { samples })?;
            self.told = samples;
        }
        Ok(())
    }

    /// Ends the sound: how much of it was speech, and what shape it has.
    fn finish(mut self) -> Result<(u64, Option<u64>), Stop> {
        let Hearing { ear, shaper, .. } = self;
        for message in ear.finish()? {
            self.speech.count(&message);
            self.incoming.say(&message)?;
        }
        let shape = shaper.and_then(|shaper| shaper.finish());
        Ok((self.speech.samples, shape))
    }

    fn say(&mut self, heard: Vec<FromWorker>) -> io::Result<()> {
        for message in heard {
            self.speech.count(&message);
            self.incoming.say(&message)?;
        }
        Ok(())
    }
}

/// How much of the sound is speech that was told of.
#[derive(Debug, Default)]
struct Speech {
    is_live: bool,
    /// When the utterance under way began, in milliseconds.
    began: u64,
    samples: u64,
}

impl Speech {
    fn count(&mut self, message: &FromWorker) {
        let length = match message {
            FromWorker::SpeechStarted { at } => {
                self.began = at.0;
                0
            }
            // A live utterance ends whether or not anything was written down.
            FromWorker::SpeechStopped { at } => at.0.saturating_sub(self.began),
            FromWorker::Segment(segment) if !self.is_live => {
                segment.end.0.saturating_sub(segment.start.0)
            }
            FromWorker::Activity { start, end } => end.0.saturating_sub(start.0),
            _ => 0,
        };
        self.samples += length * SAMPLES_PER_MILLISECOND;
    }
}

#[cfg(test)]
mod tests;
