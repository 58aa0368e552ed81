//! The worker's side.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;

use earnest_channel::{
    Encoding, Job, LiveTask, MAX_LIVE_SILENCE, MIN_LIVE_SILENCE, SoundKind, Task, Tuning,
};
use earnest_pool::{BeginError, Event, SessionError};
use earnest_transcript::{Milliseconds, Phrase, Segment};
use tokio::time::Instant;

use crate::audience::{Entry, Needs};
use crate::backlog::Backlog;
use crate::ears::{Ear, Later};
use crate::hub::{FINISH, Hub, LONGEST_PAUSE, MOST_FAILURES, PAUSE, WELL, lasting};
use crate::{Ending, Partial};

/// Tunings that a worker may still answer by. It answers within a second or so, and listeners
/// do not come and go faster than that for long; what is older is passed over.
const MOST_TUNINGS: usize = 16;

/// A worker that hears, or is about to.
pub(super) struct Session {
    stage: Stage,
    outbox: Backlog,
    rate: u32,
    /// Where its first sound stands in the time of listeners.
    base: u64,
    /// Frames that it was given.
    fed: u64,
    /// Frames that were lost on the way to it, and are not in its time.
    missed: u64,
    opening: u64,
    begun: Instant,
    /// Until when it is to be through, once there is no more sound for it.
    finishing: Option<Instant>,
    tuned: Needs,
    generation: u32,
    /// Phrases by generation.
    tunings: VecDeque<(u32, Arc<[Phrase]>)>,
}

enum Stage {
    Beginning(Later<'static, Result<Ear, BeginError>>),
    Hearing(Ear),
}

/// What happened next in a session.
pub(super) enum Step {
    Begun(Result<Ear, BeginError>),
    Event(Option<Result<Event, SessionError>>),
    /// It has taken something.
    Sent,
}

impl Session {
    /// The frames that wait for it.
    pub(super) fn frames(&self) -> u64 {
        self.outbox.frames()
    }

    /// Whether there is no more sound for it.
    pub(super) fn is_finishing(&self) -> bool {
        self.finishing.is_some()
    }

    pub(super) fn late_at(&self) -> Option<Instant> {
        self.finishing
    }

    pub(super) fn add(&mut self, pcm: &[u8]) {
        let before = self.outbox.frames();
        self.outbox.add(pcm);
        self.fed += self.outbox.frames() - before;
    }

    pub(super) fn missed(&mut self, frames: u64) {
        self.missed = self.missed.saturating_add(frames);
    }

    /// What happens next; nothing where there is no session. May be cancelled.
    pub(super) async fn step(session: &mut Option<Session>) -> Step {
        let Some(session) = session else {
            return pending().await;
        };
        let ear = match &mut session.stage {
            Stage::Beginning(begins) => return Step::Begun(begins.await),
            Stage::Hearing(ear) => ear,
        };
        let outbox = &mut session.outbox;
        tokio::select! {
            event = ear.events.next() => Step::Event(event),
            Ok(place) = ear.sound.reserve(), if !outbox.is_empty() => {
                if let Some(item) = outbox.pop() {
                    place.send(item);
                }
                Step::Sent
            }
        }
    }

    /// A time of its sound, in the time of listeners.
    fn at(&self, at: Milliseconds) -> Milliseconds {
        Milliseconds(self.base + at.0.min(lasting(self.fed, self.rate)))
    }

    /// The end of the sound that it was given.
    pub(super) fn end(&self) -> u64 {
        let frames = self.fed.saturating_add(self.missed);
        self.base + lasting(frames, self.rate)
    }

    fn segment(&self, mut segment: Segment) -> Segment {
        segment.start = self.at(segment.start);
        segment.end = self.at(segment.end);
        for word in &mut segment.words {
            word.start = self.at(word.start);
            word.end = self.at(word.end);
        }
        segment
    }

    fn tune(&mut self, needs: &Needs) {
        self.generation += 1;
        if self.tunings.len() == MOST_TUNINGS {
            self.tunings.pop_front();
        }
        let phrases = Arc::from(needs.phrases.as_slice());
        self.tunings.push_back((self.generation, phrases));
        self.outbox.tune(Tuning {
            generation: self.generation,
            text: needs.text,
            phrases: needs.phrases.clone(),
        });
        self.tuned = needs.clone();
    }

    fn phrase(&self, generation: u32, number: u16) -> Option<Phrase> {
        let mut tunings = self.tunings.iter();
        let (_, phrases) = tunings.find(|(known, _)| *known == generation)?;
        phrases.get(usize::from(number)).cloned()
    }
}

impl Hub {
    /// Has a worker begin to hear, where there is somebody to hear for and something to hear.
    pub(super) fn hear(&mut self) {
        let now = Instant::now();
        self.again = self.again.filter(|again| now < *again);
        if self.session.is_some() || self.again.is_some() || !self.device.is_open() {
            return;
        }
        let Some(ears) = self.audience.ears() else {
            return;
        };
        let needs = self.audience.needs();
        let rate = self.device.rate();
        let job = self.job(rate, needs.text);
        let outbox = self.waiting.take();
        let mut session = Session {
            base: self.timeline.begin(lasting(outbox.frames(), rate)),
            fed: outbox.frames(),
            outbox: Backlog::default(),
            rate,
            missed: 0,
            opening: ears.opening(),
            begun: now,
            stage: Stage::Beginning(ears.begin(job)),
            finishing: None,
            tuned: Needs {
                text: needs.text,
                phrases: Vec::new(),
            },
            generation: 0,
            tunings: VecDeque::new(),
        };
        // It is told what to listen for before the first sound.
        if session.tuned != needs {
            session.tune(&needs);
        }
        session.outbox.append(outbox);
        self.session = Some(session);
    }

    fn job(&self, rate: u32, text: bool) -> Job {
        let silence = u16::try_from(self.settings.silence.as_millis()).unwrap_or(u16::MAX);
        Job {
            kind: SoundKind::Raw {
                rate,
                channels: 1,
                encoding: Encoding::S16Le,
            },
            task: Task::Live(LiveTask {
                silence: silence.clamp(MIN_LIVE_SILENCE, MAX_LIVE_SILENCE),
                text,
                partials: self.settings.partials,
                words: false,
            }),
        }
    }

    /// Tunes the worker to those who listen now.
    pub(super) fn tune(&mut self) {
        let Some(session) = &mut self.session else {
            return;
        };
        if session.is_finishing() {
            return;
        }
        let needs = self.audience.needs();
        if session.tuned != needs {
            session.tune(&needs);
        }
    }

    /// There is no more sound for the worker: it brings the utterance under way to its end.
    pub(super) fn finish(&mut self) {
        if let Some(session) = &mut self.session
            && !session.is_finishing()
        {
            session.outbox.end();
            session.finishing = Some(Instant::now() + FINISH);
        }
    }

    /// Lets go of a worker that takes too long to come to an end.
    pub(super) fn end_late(&mut self) {
        let late = self.session.as_ref().and_then(Session::late_at);
        if late.is_some_and(|late| late <= Instant::now()) {
            self.over();
        }
    }

    pub(super) fn step(&mut self, step: Step) {
        match step {
            Step::Sent => {}
            Step::Begun(Ok(ear)) => {
                if let Some(session) = &mut self.session {
                    session.stage = Stage::Hearing(ear);
                    session.begun = Instant::now();
                }
            }
            Step::Begun(Err(BeginError::Closed)) => self.gate_closed(),
            Step::Begun(Err(_)) => self.failed(),
            Step::Event(Some(Ok(Event::Finished(_)))) | Step::Event(None) => self.failed(),
            Step::Event(Some(Ok(event))) => self.heard(event),
            Step::Event(Some(Err(SessionError::GateClosed))) => self.gate_closed(),
            Step::Event(Some(Err(_))) => self.failed(),
        }
    }

    fn heard(&mut self, event: Event) {
        let Some(session) = &mut self.session else {
            return;
        };
        match event {
            Event::SpeechStarted { at } => {
                // What was lost before this utterance took its time, too.
                session.base += lasting(session.missed, session.rate);
                session.missed = 0;
                let at = session.at(at);
                self.audience.speech_started(at);
            }
            Event::Partial(partial) => self.audience.partial(&Partial {
                start: session.at(partial.start),
                at: session.at(partial.at),
                stable: partial.stable,
                tentative: partial.tentative,
            }),
            Event::Segment(segment) => {
                let segment = session.segment(segment);
                self.audience.said(segment);
            }
            Event::SpeechStopped { at } => {
                let at = session.at(at);
                self.audience.speech_stopped(at);
            }
            Event::Spotted {
                generation,
                phrase,
                at,
            } => {
                let at = session.at(at);
                if let Some(phrase) = session.phrase(generation, phrase) {
                    self.audience.spotted(&phrase, at);
                }
            }
            Event::Heard { at } => {
                let at = session.at(at);
                self.audience.heard(at);
            }
            // The one is of no live job, and the other has been seen to.
            Event::Activity { .. } | Event::Finished(_) => {}
        }
    }

    /// The gate closed, by the worker's pool: nobody of that opening listens any more.
    fn gate_closed(&mut self) {
        let opening = self.session.as_ref().map(|session| session.opening);
        self.over();
        let closed = |entry: &Entry| opening.is_some_and(|last| entry.ears.opening() <= last);
        self.audience.end(Ending::GateClosed, closed);
    }

    /// The worker is gone, or did not come. It was expected where there was no more sound.
    fn failed(&mut self) {
        let Some(session) = &self.session else {
            return;
        };
        if session.is_finishing() && matches!(session.stage, Stage::Hearing(_)) {
            self.failures = 0;
            self.over();
            return;
        }
        if matches!(session.stage, Stage::Hearing(_)) && session.begun.elapsed() >= WELL {
            self.failures = 0;
        }
        // Who has not begun has heard nothing: the sound is for whoever is asked next. That is so
        // where the microphone is opened again before the last worker has let go of its place.
        if matches!(session.stage, Stage::Beginning(_)) && !session.is_finishing() {
            self.give_back();
        } else {
            self.over();
            self.tell_state();
        }
        self.failures += 1;
        let doubled = PAUSE.saturating_mul(1 << (self.failures - 1).min(16));
        self.again = Some(Instant::now() + doubled.min(LONGEST_PAUSE));
        if self.failures >= MOST_FAILURES {
            self.audience.end(Ending::Unavailable, |_| true);
        }
    }

    /// Takes the sound back from a session that never began.
    fn give_back(&mut self) {
        if let Some(session) = self.session.take() {
            let mut sound = session.outbox.into_sound();
            sound.append(self.waiting.take());
            self.waiting = sound;
        }
    }

    /// Nothing more comes of the session.
    pub(super) fn over(&mut self) {
        if let Some(session) = self.session.take() {
            self.timeline.reach(session.end());
            self.audience.break_off(session.at(Milliseconds(u64::MAX)));
        }
    }
}
