//! What listens to a job's sound: for words, or for speech alone.

use earnest_channel::{FromWorker, Task};
use earnest_speech::{
    DetectSpeech, Engine, Heard, Recognize, Recognizer, Scribe, SpeechError, Stretch, Timekeeper,
    Vad,
};

/// What a task takes, at the beginning of a stream.
#[derive(Debug)]
pub(crate) enum Ear<R, D> {
    /// Writes down what is said.
    Words(Scribe<R, D>),
    /// Notes when somebody speaks.
    Times(Timekeeper<D>),
}

impl<'a> Ear<&'a mut Recognizer, &'a mut Vad> {
    /// The one that `task` wants.
    pub(crate) fn of(task: Task, engine: &'a mut Engine) -> Self {
        match task {
            Task::Transcribe { words } => Ear::Words(engine.scribe(words)),
            Task::Activity => Ear::Times(engine.timekeeper()),
        }
    }
}

impl<R: Recognize, D: DetectSpeech> Ear<R, D> {
    /// Takes the next samples, 16 kHz mono, and gives what there is to say.
    pub(crate) fn push(&mut self, pcm: &[f32]) -> Result<Vec<FromWorker>, SpeechError> {
        match self {
            Ear::Words(scribe) => scribe.push(pcm).map(words),
            Ear::Times(timekeeper) => timekeeper.push(pcm).map(times),
        }
    }

    /// Ends the stream, and gives the last that there is to say.
    pub(crate) fn finish(self) -> Result<Vec<FromWorker>, SpeechError> {
        match self {
            Ear::Words(scribe) => scribe.finish().map(words),
            Ear::Times(timekeeper) => timekeeper.finish().map(times),
        }
    }

    /// Samples taken so far.
    pub(crate) fn heard(&self) -> u64 {
        match self {
            Ear::Words(scribe) => scribe.heard(),
            Ear::Times(timekeeper) => timekeeper.heard(),
        }
    }
}

fn words(heard: Vec<Heard>) -> Vec<FromWorker> {
    let say = |heard| match heard {
        Heard::SpeechStarted(at) => FromWorker::SpeechStarted { at },
        Heard::Segment(segment) => FromWorker::Segment(segment),
    };
    heard.into_iter().map(say).collect()
}

fn times(stretches: Vec<Stretch>) -> Vec<FromWorker> {
    let say = |Stretch { start, end }| FromWorker::Activity { start, end };
    stretches.into_iter().map(say).collect()
}
