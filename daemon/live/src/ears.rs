//! Whoever hears: a worker of the pool, or a script in a test.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use earnest_channel::Job;
use earnest_gate::Open;
use earnest_policy::{Permit, Work};
use earnest_pool::{BeginError, Event, Events, Pool, SessionError, SoundSender};
use earnest_telemetry::Clock;
use tokio::sync::mpsc;

use crate::backlog::ToEar;

/// Something that is done later.
pub(crate) type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// By whose leave, and where, the microphone is heard.
pub(crate) trait Ears: Send + Sync {
    /// Begins to hear.
    fn begin(self: Arc<Self>, job: Job) -> Later<'static, Result<Ear, BeginError>>;

    /// Whether the gate is still as open as it was.
    fn holds(&self) -> bool;

    /// The number of the gate's opening.
    fn opening(&self) -> u64;
}

/// Somebody who hears. Dropped, it is let go.
pub(crate) struct Ear {
    /// Takes one thing at a time; closed when nobody hears any more.
    pub(crate) sound: mpsc::Sender<ToEar>,
    pub(crate) events: Box<dyn Hears>,
}

/// What comes of it.
pub(crate) trait Hears: Send {
    /// As [`Events::next`].
    fn next(&mut self) -> Later<'_, Option<Result<Event, SessionError>>>;
}

impl Hears for Events {
    fn next(&mut self) -> Later<'_, Option<Result<Event, SessionError>>> {
        Box::pin(Events::next(self))
    }
}

/// The workers of the pool, by a listener's permit.
pub(crate) struct PoolEars<S: Work> {
    pub(crate) pool: Pool,
    pub(crate) open: Open,
    pub(crate) permit: Arc<Permit<S>>,
    pub(crate) clock: Clock,
}

impl<S: Work + 'static> Ears for PoolEars<S> {
    fn begin(self: Arc<Self>, job: Job) -> Later<'static, Result<Ear, BeginError>> {
        Box::pin(async move {
            let begun = self.pool.begin_microphone(&self.open, &self.permit, job);
            let (sender, events) = begun.await?.split();
            let (sound, pieces) = mpsc::channel(1);
            // It ends with the ear: the sender of its queue, or the worker's taker, is gone.
            tokio::spawn(pass_on(pieces, sender));
            let events = Box::new(events);
            Ok(Ear { sound, events })
        })
    }

    fn holds(&self) -> bool {
        self.open.is_live_at(self.clock.now())
    }

    fn opening(&self) -> u64 {
        self.open.opening()
    }
}

/// Passes sound on to a worker, at its pace.
async fn pass_on(mut pieces: mpsc::Receiver<ToEar>, mut sender: SoundSender) {
    while let Some(piece) = pieces.recv().await {
        let passed = match piece {
            ToEar::Sound(pcm) => sender.send(pcm).await.is_ok(),
            ToEar::Tune(tuning) => sender.tune(tuning).await.is_ok(),
            ToEar::End => {
                // The events say what came of it.
                let _ = sender.end().await;
                return;
            }
        };
        if !passed {
            return;
        }
    }
}
