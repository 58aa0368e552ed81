//! The handle on the microphone.

use std::fmt;
use std::sync::Arc;

use earnest_audio::{Device, DevicesError, Source};
use earnest_gate::Open;
use earnest_policy::{AppId, Permit};
use earnest_pool::Pool;
use earnest_telemetry::Telemetry;

use tokio::sync::{mpsc, oneshot};

use crate::ears::{Ears, PoolEars};
use crate::guard::{Guard, Post, Withheld};
use crate::hub::{Board, Hub, Joining, Request};
use crate::wish::{Granted, Wanted};
use crate::{Listener, LiveSettings, MicrophoneStatus, Wish};

/// Requests that wait for the microphone's task, which answers at once.
const REQUESTS: usize = 16;

/// The microphone of this machine, and all who listen to it. Clones are the same; when the last
/// is dropped, everybody's listening ends.
#[derive(Clone)]
pub struct Live {
    settings: Arc<LiveSettings>,
    telemetry: Telemetry,
    board: Arc<Board>,
    requests: mpsc::Sender<Request>,
    guard: Option<Arc<dyn Guard>>,
}

impl Live {
    /// A microphone that opens by `make` as often as it is opened. Called within a tokio runtime,
    /// in which all of it runs.
    pub fn new(
        settings: LiveSettings,
        make: impl Fn() -> Box<dyn Source> + Send + Sync + 'static,
        telemetry: Telemetry,
    ) -> Live {
        Live::at_post(settings, make, telemetry, None)
    }

    /// The same beside a guard, which says when sound may be taken. With `required` it is taken
    /// only while the guard agrees; without, one that is not there, or is not this device's, is
    /// done without.
    pub fn guarded(
        settings: LiveSettings,
        make: impl Fn() -> Box<dyn Source> + Send + Sync + 'static,
        telemetry: Telemetry,
        guard: impl Guard,
        required: bool,
    ) -> Live {
        let guard: Arc<dyn Guard> = Arc::new(guard);
        Live::at_post(settings, make, telemetry, Some((guard, required)))
    }

    fn at_post(
        settings: LiveSettings,
        make: impl Fn() -> Box<dyn Source> + Send + Sync + 'static,
        telemetry: Telemetry,
        guard: Option<(Arc<dyn Guard>, bool)>,
    ) -> Live {
        let settings = Arc::new(settings);
        let board = Arc::new(Board::new(&settings));
        let (requests, asked) = mpsc::channel(REQUESTS);
        let make = Box::new(make);
        let hub = Hub::new(
            Arc::clone(&settings),
            make,
            telemetry.clone(),
            Arc::clone(&board),
            asked,
            Post::new(guard.clone()),
        );
        tokio::spawn(hub.run());
        Live {
            guard: guard.map(|(guard, _)| guard),
            settings,
            telemetry,
            board,
            requests,
        }
    }

    /// Listens. The first who does opens the microphone, unless it is muted; the last who stops
    /// closes it, unless it is to stay warm.
    ///
    /// The permit is held for as long as its owner listens: each worker begins to hear by that of
    /// whoever listens the longest then.
    ///
    /// # Errors
    /// [`ListenError`].
    pub async fn listen<W: Wish>(
        &self,
        open: &Open,
        pool: &Pool,
        permit: impl Into<Arc<Permit<W::Scope>>>,
        wish: W,
    ) -> Result<Listener, ListenError> {
        let permit = permit.into();
        let Granted(wanted) = wish.wanted()?;
        let (app, uid) = (permit.app().clone(), permit.uid());
        let ears = Arc::new(PoolEars {
            pool: pool.clone(),
            open: open.clone(),
            permit,
            clock: self.telemetry.clock().clone(),
        });
        self.listen_by(ears, app, uid, wanted).await
    }

    /// Listens by whatever ears there are.
    pub(crate) async fn listen_by(
        &self,
        ears: Arc<dyn Ears>,
        app: AppId,
        uid: u32,
        wanted: Wanted,
    ) -> Result<Listener, ListenError> {
        if !self.settings.enabled {
            return Err(ListenError::Disabled);
        }
        let joining = Joining {
            app,
            uid,
            wanted,
            ears,
        };
        let joined = self.ask(|reply| Request::Listen(joining, reply)).await;
        joined.unwrap_or(Err(ListenError::Stopping))
    }

    /// How the microphone is, and who listens.
    pub fn status(&self) -> MicrophoneStatus {
        let mut status = self.board.status().clone();
        status.guard = self.guard.as_ref().map(|guard| guard.report());
        status
    }

    /// Mutes the microphone, and says whether it was not muted before. When this returns, the
    /// microphone is closed; what was said until then is still written down. Whoever calls this
    /// records it, with the user who asked.
    pub async fn mute(&self) -> bool {
        let muted = self.ask(|reply| Request::Mute(true, reply)).await;
        muted.unwrap_or(false)
    }

    /// Unmutes it, and says whether it was muted. It opens where somebody listens or it is to be
    /// warm. Whoever calls this records it, with the user who asked.
    pub async fn unmute(&self) -> bool {
        let unmuted = self.ask(|reply| Request::Mute(false, reply)).await;
        unmuted.unwrap_or(false)
    }

    /// Ends the listening of an application, because its leave is taken back, and says of how
    /// many listeners.
    pub async fn end_of(&self, app: &AppId) -> usize {
        let app = app.clone();
        let ended = self.ask(|reply| Request::EndOf(app, reply)).await;
        ended.unwrap_or(0)
    }

    /// The devices of this machine that can be listened to.
    ///
    /// # Errors
    /// [`DevicesError`].
    pub async fn devices(&self) -> Result<Vec<Device>, DevicesError> {
        match &self.settings.capture {
            Some(program) => earnest_audio::devices(program).await,
            None => Ok(Vec::new()),
        }
    }

    /// Asks the microphone's task; nobody answers once the runtime is going down.
    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.ok()?;
        answer.await.ok()
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Live({:?})", self.status().state)
    }
}

/// Why nobody listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    /// The configuration lets nobody listen.
    #[error("the microphone is disabled")]
    Disabled,
    /// The gate is closed.
    #[error("the gate is closed")]
    GateClosed,
    /// There is no guard that could agree.
    #[error("the microphone's guard does not answer, or is not this device's ({})", why.name())]
    Unguarded {
        /// Why not.
        why: Withheld,
    },
    /// As many listen as may.
    #[error("{most} listen already")]
    Full {
        /// Most listeners.
        most: usize,
    },
    /// The wake phrase is none.
    #[error("a wake phrase has letters and at most {expected} bytes, not {found}")]
    BadPhrase {
        /// Most bytes.
        expected: usize,
        /// Bytes that it has.
        found: usize,
    },
    /// All who listen have more phrases than a worker takes.
    #[error("all who listen have {found} phrases together, at most {expected}")]
    TooManyPhrases {
        /// Most phrases.
        expected: usize,
        /// How many there would be.
        found: usize,
    },
    /// The daemon ends.
    #[error("the daemon ends")]
    Stopping,
}
