//! One job, from its first byte of sound to its last word.

use std::io::{self, Read, Write};

use earnest_channel::{Failure, FromWorker, HEARD_SAMPLES, Job, Report};
use earnest_sound::Status;
use earnest_speech::{DetectSpeech, Recognize, SpeechError};

use crate::ear::Ear;
use crate::incoming::{End, Incoming};
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
    S: Read + Write + Send + 'static,
    R: Recognize,
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

fn try_hear<S, R, D>(incoming: &Incoming<S>, job: Job, mut ear: Ear<R, D>) -> Result<Report, Stop>
where
    S: Read + Write + Send + 'static,
    R: Recognize,
    D: DetectSpeech,
{
    let failed = |error| Stop::Failed(sound::fault(&error));
    let mut sound = sound::open(job.kind, incoming.sound()).map_err(failed)?;
    let (mut told, mut speech) = (0, 0);
    let mut shaper = Shaper::new();
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
        for heard in ear.push(&block)? {
            speech += samples_of_speech(&heard);
            incoming.say(&heard)?;
        }
        shaper.push(&block);
        let samples = ear.heard();
        if samples >= told + HEARD_SAMPLES {
            incoming.say(&FromWorker::Heard { samples })?;
            told = samples;
        }
    }
    for heard in ear.finish()? {
        speech += samples_of_speech(&heard);
        incoming.say(&heard)?;
    }
    let report = sound.report();
    Ok(Report {
        samples: report.samples,
        speech: speech.min(report.samples),
        skipped: report.skipped,
        flaw,
        shape: shaper.finish(),
    })
}

/// How many samples are within the speech that a message tells of.
fn samples_of_speech(heard: &FromWorker) -> u64 {
    let length = match heard {
        FromWorker::Segment(segment) => segment.end.0.saturating_sub(segment.start.0),
        FromWorker::Activity { start, end } => end.0.saturating_sub(start.0),
        _ => 0,
    };
    length * SAMPLES_PER_MILLISECOND
}
