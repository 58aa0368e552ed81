//! A house whose every part is in a test's hands.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use earnest_audio::{Next, Sounding, Source};
use earnest_channel::{Job, Report, Tuning};
use earnest_policy::CommandList;
use earnest_pool::{BeginError, Event, SessionError};
use earnest_telemetry::{Clock, Telemetry};
use earnest_transcript::{Milliseconds, Segment};
use tokio::sync::mpsc;

use super::post::ScriptedGuard;
use crate::backlog::ToEar;
use crate::ears::{Ear, Ears, Hears, Later};
use crate::wish::sealed::Wanted as _;
use crate::wish::{Granted, Wanted};
use crate::*;

pub(super) const RATE: u32 = 16_000;

pub(super) struct House {
    pub(super) live: Live,
    pub(super) telemetry: Telemetry,
    /// The guard, where there is one.
    pub(super) post: Option<ScriptedGuard>,
    pub(super) gate: Arc<AtomicBool>,
    /// The opening of who listens next.
    pub(super) opening: u64,
    /// What beginning to hear comes to, before it is a worker.
    pub(super) refusals: Arc<Mutex<VecDeque<BeginError>>>,
    /// Sources that are there: processes that have the microphone open.
    pub(super) open: Arc<AtomicUsize>,
    sources: mpsc::UnboundedReceiver<mpsc::UnboundedSender<Sounding>>,
    workers: mpsc::UnboundedReceiver<Worker>,
    begun: mpsc::UnboundedSender<Worker>,
    source: Option<mpsc::UnboundedSender<Sounding>>,
}

/// A worker that hears.
pub(super) struct Worker {
    pub(super) job: Job,
    pub(super) sound: mpsc::Receiver<ToEar>,
    events: mpsc::UnboundedSender<Result<Event, SessionError>>,
    /// Bytes of sound that it got.
    pub(super) heard: usize,
    pub(super) tunings: Vec<Tuning>,
    pub(super) ended: bool,
}

struct Script {
    says: mpsc::UnboundedReceiver<Sounding>,
    open: Arc<AtomicUsize>,
}

impl Source for Script {
    fn next(&mut self) -> Next<'_> {
        Box::pin(async move {
            match self.says.recv().await {
                Some(sounding) => sounding,
                None => std::future::pending().await,
            }
        })
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

struct ScriptedEars {
    gate: Arc<AtomicBool>,
    opening: u64,
    refusals: Arc<Mutex<VecDeque<BeginError>>>,
    begun: mpsc::UnboundedSender<Worker>,
}

impl Ears for ScriptedEars {
    fn begin(self: Arc<Self>, job: Job) -> Later<'static, Result<Ear, BeginError>> {
        Box::pin(async move {
            if let Some(refusal) = self.refusals.lock().expect("whole").pop_front() {
                return Err(refusal);
            }
            let (pieces, sound) = mpsc::channel(1);
            let (events, told) = mpsc::unbounded_channel();
            let worker = Worker {
                job,
                sound,
                events,
                heard: 0,
                tunings: Vec::new(),
                ended: false,
            };
            let _ = self.begun.send(worker);
            Ok(Ear {
                sound: pieces,
                events: Box::new(Told(told)),
            })
        })
    }

    fn holds(&self) -> bool {
        self.gate.load(Ordering::SeqCst)
    }

    fn opening(&self) -> u64 {
        self.opening
    }
}

struct Told(mpsc::UnboundedReceiver<Result<Event, SessionError>>);

impl Hears for Told {
    fn next(&mut self) -> Later<'_, Option<Result<Event, SessionError>>> {
        Box::pin(self.0.recv())
    }
}

impl House {
    pub(super) fn new(settings: LiveSettings) -> House {
        House::at_post(settings, None)
    }

    /// With a guard that is in this state.
    pub(super) fn guarded(required: bool, state: GuardState) -> House {
        House::at_post(
            LiveSettings::default(),
            Some(ScriptedGuard::new(required, state)),
        )
    }

    pub(super) fn at_post(settings: LiveSettings, post: Option<ScriptedGuard>) -> House {
        let telemetry = Telemetry::new(Clock::simulated(Duration::from_secs(100)));
        let (opened, sources) = mpsc::unbounded_channel();
        let (begun, workers) = mpsc::unbounded_channel();
        let open = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&open);
        let make = move || {
            let (says, script) = mpsc::unbounded_channel();
            counter.fetch_add(1, Ordering::SeqCst);
            let _ = opened.send(says);
            let open = Arc::clone(&counter);
            Box::new(Script { says: script, open }) as Box<dyn Source>
        };
        let live = match &post {
            None => Live::new(settings, make, telemetry.clone()),
            Some(post) => {
                let guard = post.guard();
                Live::guarded(settings, make, telemetry.clone(), guard, post.required)
            }
        };
        House {
            live,
            post,
            telemetry,
            gate: Arc::new(AtomicBool::new(true)),
            opening: 1,
            refusals: Arc::default(),
            open,
            sources,
            workers,
            begun,
            source: None,
        }
    }

    pub(super) async fn try_listen(
        &self,
        app: &str,
        wish: Wanted,
    ) -> Result<Listener, ListenError> {
        let ears = Arc::new(ScriptedEars {
            gate: Arc::clone(&self.gate),
            opening: self.opening,
            refusals: Arc::clone(&self.refusals),
            begun: self.begun.clone(),
        });
        let listener = self
            .live
            .listen_by(ears, app.parse().unwrap(), 7, wish)
            .await;
        settle().await;
        listener
    }

    pub(super) async fn listen(&self, wish: Wanted) -> Listener {
        self.try_listen("notes", wish).await.unwrap()
    }

    /// The source says something.
    pub(super) async fn say(&mut self, sounding: Sounding) {
        while let Ok(source) = self.sources.try_recv() {
            self.source = Some(source);
        }
        // A source that is gone says nothing.
        let _ = self.source.as_ref().unwrap().send(sounding);
        settle().await;
    }

    pub(super) async fn device(&mut self) {
        self.device_at(RATE).await;
    }

    pub(super) async fn device_at(&mut self, rate: u32) {
        let device = "desk".to_owned();
        self.say(Sounding::Opened { device, rate }).await;
    }

    pub(super) async fn lose(&mut self) {
        let (why, again_in) = (Loss::Vanished, Duration::from_secs(1));
        self.say(Sounding::Lost { why, again_in }).await;
    }

    /// So much sound, at 16 kHz, in pieces of 20 ms.
    pub(super) async fn sound(&mut self, milliseconds: usize) {
        for _ in 0..milliseconds / 20 {
            self.say(Sounding::Sound(Bytes::from(vec![1; 640]))).await;
        }
    }

    /// The latest worker that began to hear since the last time this was asked.
    pub(super) fn worker(&mut self) -> Option<Worker> {
        let mut latest = None;
        while let Ok(worker) = self.workers.try_recv() {
            latest = Some(worker);
        }
        latest
    }

    pub(super) fn state(&self) -> MicrophoneState {
        self.live.status().state
    }

    /// Microphones that are open.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// What telemetry has of the microphone.
    pub(super) fn events(&self) -> Vec<String> {
        let recent = self.telemetry.recent();
        recent.iter().map(|one| one.event.to_string()).collect()
    }
}

impl Worker {
    /// The worker says something; whether anybody heard it.
    pub(super) async fn tell(&mut self, event: Event) -> bool {
        let told = self.events.send(Ok(event)).is_ok();
        settle().await;
        told
    }

    /// The worker ends with an error.
    pub(super) async fn fail(&mut self, error: SessionError) {
        let _ = self.events.send(Err(error));
        settle().await;
    }

    pub(super) async fn started(&mut self, at: u64) -> bool {
        let at = Milliseconds(at);
        self.tell(Event::SpeechStarted { at }).await
    }

    pub(super) async fn partial(&mut self, start: u64, stable: &str) -> bool {
        let partial = earnest_channel::Partial {
            start: Milliseconds(start),
            at: Milliseconds(start + 100),
            stable: stable.to_owned(),
            tentative: " maybe".to_owned(),
        };
        self.tell(Event::Partial(partial)).await
    }

    pub(super) async fn said(&mut self, start: u64, text: &str) -> bool {
        self.tell(Event::Segment(segment(start, text))).await
    }

    pub(super) async fn stopped(&mut self, at: u64) -> bool {
        let at = Milliseconds(at);
        self.tell(Event::SpeechStopped { at }).await
    }

    pub(super) async fn spotted(&mut self, generation: u32, phrase: u16, at: u64) -> bool {
        self.tell(Event::Spotted {
            generation,
            phrase,
            at: Milliseconds(at),
        })
        .await
    }

    /// An utterance of 400 ms.
    pub(super) async fn utterance(&mut self, start: u64, text: &str) {
        self.started(start).await;
        self.said(start, text).await;
        self.stopped(start + 400).await;
    }

    pub(super) async fn finished(&mut self) -> bool {
        self.tell(Event::Finished(Report {
            samples: 0,
            speech: 0,
            skipped: 0,
            flaw: None,
            shape: None,
        }))
        .await
    }

    /// Takes all that was sent to it so far.
    pub(super) async fn take(&mut self) {
        settle().await;
        while let Ok(item) = self.sound.try_recv() {
            match item {
                ToEar::Sound(pcm) => self.heard += pcm.len(),
                ToEar::Tune(tuning) => self.tunings.push(tuning),
                ToEar::End => self.ended = true,
            }
            settle().await;
        }
    }
}

pub(super) fn segment(start: u64, text: &str) -> Segment {
    Segment {
        start: Milliseconds(start),
        end: Milliseconds(start + 300),
        text: text.to_owned(),
        tokens: Vec::new(),
        avg_logprob: -0.1,
        compression_ratio: 1.0,
        no_speech_prob: 0.0,
        words: Vec::new(),
    }
}

pub(super) fn text() -> Wanted {
    Wanted::Text { wake: None }
}

pub(super) fn wake(phrase: &str) -> Wanted {
    let wake = Some(phrase.to_owned());
    let Granted(wanted) = Text { wake }.wanted().unwrap();
    wanted
}

pub(super) fn commands(phrases: &[(&str, &str)]) -> Wanted {
    let list = CommandList::new("kitchen", phrases.iter().copied()).unwrap();
    let Granted(wanted) = Commands(list).wanted().unwrap();
    wanted
}

/// Lets everybody do all that there is to do now.
pub(super) async fn settle() {
    for _ in 0..32 {
        tokio::task::yield_now().await;
    }
}

/// What waits for a listener.
pub(super) fn told(listener: &mut Listener) -> Vec<Hearing> {
    let mut all = Vec::new();
    loop {
        let next = pin!(listener.next());
        match next.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(hearing)) => all.push(hearing),
            Poll::Ready(None) | Poll::Pending => return all,
        }
    }
}

/// The same as short words; levels are left out.
pub(super) fn words(listener: &mut Listener) -> Vec<String> {
    let told = told(listener);
    let words = told.iter().filter_map(|hearing| match hearing {
        Hearing::Level(_) => None,
        Hearing::State(MicrophoneState::Open { rate, .. }) => Some(format!("open {rate}")),
        Hearing::State(state) => {
            let state = format!("{state:?}").to_lowercase();
            Some(state.split(' ').next().unwrap_or_default().to_owned())
        }
        Hearing::SpeechStarted { at } => Some(format!("started {}", at.0)),
        Hearing::Partial(partial) => Some(format!("{}({})", partial.stable, partial.tentative)),
        Hearing::Final(segment) => Some(format!("{}: {}", segment.start.0, segment.text)),
        Hearing::SpeechStopped { at } => Some(format!("stopped {}", at.0)),
        Hearing::Command { id, at } => Some(format!("command {id} {}", at.0)),
        Hearing::Ended(ending) => Some(format!("ended {ending:?}")),
        other => Some(format!("{other:?}")),
    });
    words.collect()
}
