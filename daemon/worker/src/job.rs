//! One job, from its first byte of sound to its last word.

use std::io::{self, Read, Write};

use earnest_channel::{Failure, FromWorker, HEARD_SAMPLES, Job, Report};
use earnest_sound::Status;
use earnest_speech::{DetectSpeech, Heard, Recognize, Scribe, SpeechError};

use crate::incoming::{End, Incoming};
use crate::sound;

/// Does a job and says all that there is to say but its last word, which is given.
pub(crate) fn hear<S, R, D>(
    incoming: &Incoming<S>,
    job: Job,
    scribe: Scribe<R, D>,
) -> io::Result<FromWorker>
where
    S: Read + Write + Send + 'static,
    R: Recognize,
    D: DetectSpeech,
{
    match try_hear(incoming, job, scribe) {
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

fn try_hear<S, R, D>(
    incoming: &Incoming<S>,
    job: Job,
    mut scribe: Scribe<R, D>,
) -> Result<Report, Stop>
where
    S: Read + Write + Send + 'static,
    R: Recognize,
    D: DetectSpeech,
{
    let failed = |error| Stop::Failed(sound::fault(&error));
    let mut sound = sound::open(job.kind, incoming.sound()).map_err(failed)?;
    let mut told = 0;
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
        for heard in scribe.push(&block)? {
            say(incoming, heard)?;
        }
        let samples = scribe.heard();
        if samples >= told + HEARD_SAMPLES {
            incoming.say(&FromWorker::Heard { samples })?;
            told = samples;
        }
    }
    for heard in scribe.finish()? {
        say(incoming, heard)?;
    }
    let report = sound.report();
    Ok(Report {
        samples: report.samples,
        skipped: report.skipped,
        flaw,
    })
}

fn say<S: Read + Write>(incoming: &Incoming<S>, heard: Heard) -> io::Result<()> {
    incoming.say(&match heard {
        Heard::SpeechStarted(at) => FromWorker::SpeechStarted { at },
        Heard::Segment(segment) => FromWorker::Segment(segment),
    })
}
