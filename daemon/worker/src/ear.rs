//! What listens to a job's sound: for words, for speech alone, or for words as they are said.

use earnest_channel::{FromWorker, LiveTask, Partial, Spotted, Task, Tuning};
use earnest_speech::{
    DetectSpeech, Engine, Heard, Live, LiveEvent, LiveOptions, Recognize, Recognizer, Reread,
    Scribe, SpeechError, Stretch, Timekeeper, Vad,
};

/// Samples a millisecond at 16 kHz.
const SAMPLES_PER_MILLISECOND: usize = 16;

/// What a task takes, at the beginning of a stream.
#[derive(Debug)]
pub(crate) enum Ear<R: Reread, D> {
    /// Writes down what is said.
    Words(Scribe<R, D>),
    /// Notes when somebody speaks.
    Times(Timekeeper<D>),
    /// Writes down what is being said.
    Live(Box<Listener<R, D>>),
}

impl<'a> Ear<&'a mut Recognizer, &'a mut Vad> {
    /// The one that `task` wants.
    pub(crate) fn of(task: Task, engine: &'a mut Engine) -> Self {
        match task {
            Task::Transcribe { words } => Ear::Words(engine.scribe(words)),
            Task::Activity => Ear::Times(engine.timekeeper()),
            Task::Live(task) => {
                let live = engine.live(options(task));
                Ear::Live(Box::new(Listener::new(live, task.text)))
            }
        }
    }
}

/// How the engine is to listen.
pub(crate) fn options(task: LiveTask) -> LiveOptions {
    LiveOptions {
        silence: usize::from(task.silence) * SAMPLES_PER_MILLISECOND,
        partials: task.partials,
        words: task.words,
        text: task.text,
    }
}

impl<R: Recognize + Reread, D: DetectSpeech> Ear<R, D> {
    /// Takes the next samples, 16 kHz mono, and gives what there is to say. `behind` says that
    /// more are waiting already.
    pub(crate) fn push(
        &mut self,
        pcm: &[f32],
        behind: bool,
    ) -> Result<Vec<FromWorker>, SpeechError> {
        match self {
            Ear::Words(scribe) => scribe.push(pcm).map(words),
            Ear::Times(timekeeper) => timekeeper.push(pcm).map(times),
            Ear::Live(listener) => {
                let heard = listener.live.push(pcm, behind)?;
                Ok(listener.told(heard))
            }
        }
    }

    /// Ends the stream, and gives the last that there is to say.
    pub(crate) fn finish(self) -> Result<Vec<FromWorker>, SpeechError> {
        match self {
            Ear::Words(scribe) => scribe.finish().map(words),
            Ear::Times(timekeeper) => timekeeper.finish().map(times),
            Ear::Live(listener) => {
                let Listener { live, wishes } = *listener;
                Ok(wishes.told(live.finish()?))
            }
        }
    }

    /// Heeds what is wanted from here on. Only who listens live can be told.
    pub(crate) fn tune(&mut self, tuning: &Tuning) {
        if let Ear::Live(listener) = self {
            listener.live.tune(tuning.text, &tuning.phrases);
            listener.wishes = Wishes {
                text: tuning.text,
                generation: Some(tuning.generation),
            };
        }
    }

    /// Samples taken so far.
    pub(crate) fn heard(&self) -> u64 {
        match self {
            Ear::Words(scribe) => scribe.heard(),
            Ear::Times(timekeeper) => timekeeper.heard(),
            Ear::Live(listener) => listener.live.heard(),
        }
    }
}

/// Listens live.
#[derive(Debug)]
pub(crate) struct Listener<R: Reread, D> {
    live: Live<R, D>,
    wishes: Wishes,
}

impl<R: Reread, D> Listener<R, D> {
    pub(crate) fn new(live: Live<R, D>, text: bool) -> Listener<R, D> {
        let generation = None;
        let wishes = Wishes { text, generation };
        Listener { live, wishes }
    }

    fn told(&self, heard: Vec<LiveEvent>) -> Vec<FromWorker> {
        self.wishes.told(heard)
    }
}

/// What is wanted of a live job.
#[derive(Debug, Clone, Copy)]
struct Wishes {
    text: bool,
    /// Of the last tuning.
    generation: Option<u32>,
}

impl Wishes {
    fn told(self, heard: Vec<LiveEvent>) -> Vec<FromWorker> {
        let say = |heard| self.message(heard);
        heard.into_iter().filter_map(say).collect()
    }

    /// What is said of an event. Without a wish for it no text is, whatever was heard.
    fn message(self, heard: LiveEvent) -> Option<FromWorker> {
        match heard {
            LiveEvent::SpeechStarted(at) => Some(FromWorker::SpeechStarted { at }),
            LiveEvent::Partial {
                start,
                at,
                stable,
                tentative,
            } if self.text => Some(FromWorker::Partial(Partial {
                start,
                at,
                stable,
                tentative,
            })),
            LiveEvent::Segment(segment) if self.text => Some(FromWorker::Segment(segment)),
            LiveEvent::Partial { .. } | LiveEvent::Segment(_) => None,
            LiveEvent::SpeechStopped(at) => Some(FromWorker::SpeechStopped { at }),
            LiveEvent::Spotted { phrase, at } => Some(FromWorker::Spotted(Spotted {
                generation: self.generation?,
                phrase: u16::try_from(phrase).ok()?,
                at,
            })),
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
