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

#[cfg(test)]
mod tests {
    use earnest_channel::{Encoding, SoundFault, SoundKind, Task, ToWorker, read};
    use earnest_speech::{DecodeOptions, FRAME_SAMPLES, Hypothesis, Timekeeper};

    use super::*;
    use crate::incoming::tests::Pipe;

    /// A detector that hears speech where samples are not zero.
    struct Script;

    impl DetectSpeech for Script {
        fn probability(&mut self, frame: &[f32; FRAME_SAMPLES]) -> Result<f32, SpeechError> {
            let spoken = frame.iter().any(|sample| *sample != 0.0);
            Ok(if spoken { 0.9 } else { 0.0 })
        }

        fn reset(&mut self) {}
    }

    /// A recogniser that nobody may ask.
    struct Nobody;

    impl Recognize for Nobody {
        fn recognize(&mut self, _: &[f32], _: &DecodeOptions) -> Result<Hypothesis, SpeechError> {
            panic!("the recogniser was asked");
        }
    }

    const JOB: Job = Job {
        kind: SoundKind::Raw {
            rate: 16_000,
            channels: 1,
            encoding: Encoding::S16Le,
        },
        task: Task::Activity,
    };

    /// Seconds of sound: silent, or of a level that comes and goes.
    fn second(spoken: bool) -> ToWorker {
        let level = |index: usize| match (spoken, index % 4_000 < 2_000) {
            (false, _) => 0_i16,
            (true, true) => 16_000,
            (true, false) => 300,
        };
        let samples = (0..16_000).map(level);
        ToWorker::Sound(samples.flat_map(i16::to_le_bytes).collect())
    }

    /// What a worker says of a job on this sound, its last word included.
    fn said(sound: &[ToWorker]) -> Vec<FromWorker> {
        let begin = [ToWorker::Begin(JOB)];
        let pipe = Pipe::of(&[&begin, sound, &[ToWorker::EndOfSound]].concat());
        let said = std::sync::Arc::clone(&pipe.said);
        let incoming = Incoming::new(pipe);
        let job = incoming.next_job().unwrap();
        let ear: Ear<Nobody, _> = Ear::Times(Timekeeper::new(Script));
        let last = hear(&incoming, job, ear).unwrap();
        incoming.say(&last).unwrap();
        let said = said.lock().unwrap();
        let mut left = &said[..];
        std::iter::from_fn(|| read(&mut left).unwrap()).collect()
    }

    #[test]
    fn speech_is_timed_and_the_recogniser_left_alone() {
        let pattern = [false, true, true, false, false, true, false];
        let said = said(&pattern.map(second));
        let [
            FromWorker::Activity { start, end },
            FromWorker::Activity { .. },
            FromWorker::Finished(report),
        ] = &said[..]
        else {
            panic!("{said:?}");
        };
        assert!((700..=1_000).contains(&start.0), "{start:?}");
        assert!((3_000..=3_300).contains(&end.0), "{end:?}");
        assert_eq!(report.samples, 7 * 16_000);
        let seconds = report.speech as f32 / 16_000.0;
        assert!((3.0..4.2).contains(&seconds), "{seconds} s of speech");
        assert!(report.shape.is_some());
    }

    #[test]
    fn silence_is_no_speech_and_has_no_shape() {
        let said = said(&[false, false].map(second));
        let [FromWorker::Finished(report)] = &said[..] else {
            panic!("{said:?}");
        };
        assert_eq!((report.samples, report.speech), (32_000, 0));
        assert_eq!(report.shape, None);
    }

    #[test]
    fn long_sound_gives_signs_of_life() {
        let said = said(&vec![second(false); 25]);
        let heard = said
            .iter()
            .filter(|it| matches!(it, FromWorker::Heard { .. }));
        assert_eq!(heard.count(), 2);
    }

    #[test]
    fn sound_that_is_none_is_told() {
        let empty = FromWorker::Failed(Failure::Sound(SoundFault::Empty));
        assert_eq!(said(&[]), [empty]);
    }
}
