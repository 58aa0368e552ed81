//! The workers, as the guardian sees them.

use std::ffi::OsString;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use earnest_channel::{Confinement, Job, SoundKind, Task};
use earnest_evidence::measured::SandboxLevel;
use earnest_gate::Trial;
use earnest_pool::{
    BeginError, Event, JobLimits, Pool, PoolError, PoolOptions, SessionError, StartError,
};
use earnest_telemetry::{Event as Happened, Telemetry};
use tokio::time::timeout;

use crate::configuration::WorkerSettings;
use crate::engine;
use crate::weights::{Clip, Weights};

/// How long a self-test may take: a clip of ten seconds, on a machine that is fully at work.
const TEST: Duration = Duration::from_secs(60);

/// Those who hear, and are ended when the gate closes.
pub trait Crew: Send + Sync + 'static {
    /// Starts them on these weights, in the place of any that are there, and says how far the
    /// first of them locked itself in.
    fn start(
        &self,
        weights: &Weights,
    ) -> impl Future<Output = Result<SandboxLevel, CrewError>> + Send;

    /// What one of them hears in a clip, by leave of the gate that is to open by it.
    fn hear(
        &self,
        trial: Trial,
        clip: Arc<Clip>,
    ) -> impl Future<Output = Result<String, CrewError>> + Send;

    /// Ends them all, waits until they are gone, and gives up the weights. Says how many there
    /// were.
    fn end(&self) -> impl Future<Output = usize> + Send;
}

/// Why the crew does not work.
#[derive(Debug, thiserror::Error)]
pub enum CrewError {
    /// There are no workers.
    #[error("there are no workers")]
    Ended,
    /// The pool does not start.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// No worker starts.
    #[error("no worker starts: {0}")]
    Start(Arc<StartError>),
    /// The self-test did not begin.
    #[error("the self-test did not begin: {0}")]
    Begin(#[from] BeginError),
    /// The self-test ended before its end.
    #[error("the self-test broke off: {0}")]
    Session(#[from] SessionError),
    /// The self-test takes too long.
    #[error("the self-test took longer than {limit:?}")]
    Late {
        /// How long it may take.
        limit: Duration,
    },
}

/// The daemon's workers: a pool for each opening of the gate.
#[derive(Debug)]
pub struct Workers {
    settings: WorkerSettings,
    /// How long a client may send nothing.
    quiet: Duration,
    program: PathBuf,
    arguments: Vec<OsString>,
    telemetry: Telemetry,
    pool: Mutex<Option<Pool>>,
    /// What the workers last reached, which is still known when they are gone.
    confinement: Mutex<Option<Confinement>>,
}

impl Workers {
    /// Workers of this program, none started.
    pub fn new(
        settings: WorkerSettings,
        quiet: Duration,
        program: PathBuf,
        telemetry: Telemetry,
    ) -> Workers {
        Workers {
            arguments: engine::worker_arguments(settings.memory, settings.threads),
            settings,
            quiet,
            program,
            telemetry,
            pool: Mutex::default(),
            confinement: Mutex::default(),
        }
    }

    /// The pool, while there is one.
    pub fn pool(&self) -> Option<Pool> {
        lock(&self.pool).clone()
    }

    /// How far workers are locked in; nothing before the first one.
    pub fn confinement(&self) -> Option<Confinement> {
        let current = self.pool().and_then(|pool| pool.sandbox());
        current.or(*lock(&self.confinement))
    }

    fn options(&self, weights: &Weights) -> PoolOptions {
        let limits = JobLimits::default();
        PoolOptions {
            warm: self.settings.warm,
            most: self.settings.most,
            // One place is left to whoever comes beside an app that takes all it can get.
            most_of_one: self.settings.most.saturating_sub(1).max(1),
            queue: self.settings.queue,
            patience: self.settings.patience,
            idle: self.settings.idle,
            limits: JobLimits {
                client: limits.client.max(self.quiet),
                ..limits
            },
            ..PoolOptions::new(
                &self.program,
                &self.arguments,
                Arc::clone(&weights.descriptor),
            )
        }
    }
}

/// A value behind these locks is replaced whole.
fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Crew for Workers {
    async fn start(&self, weights: &Weights) -> Result<SandboxLevel, CrewError> {
        self.end().await;
        let pool = Pool::start(self.options(weights), self.telemetry.clone())?;
        *lock(&self.pool) = Some(pool.clone());
        let ready = pool.ready().await;
        let confinement = match ready {
            Ok(confinement) => confinement,
            Err(error) => {
                self.end().await;
                return Err(CrewError::Start(error));
            }
        };
        *lock(&self.confinement) = Some(confinement);
        let level = confinement.level;
        self.telemetry.record(Happened::Sandbox { level });
        Ok(level)
    }

    async fn hear(&self, trial: Trial, clip: Arc<Clip>) -> Result<String, CrewError> {
        let pool = self.pool().ok_or(CrewError::Ended)?;
        let heard = timeout(TEST, hear(&pool, trial, &clip)).await;
        heard.unwrap_or(Err(CrewError::Late { limit: TEST }))
    }

    async fn end(&self) -> usize {
        let pool = lock(&self.pool).take();
        match pool {
            Some(pool) => pool.end_all().await,
            None => 0,
        }
    }
}

async fn hear(pool: &Pool, trial: Trial, clip: &Clip) -> Result<String, CrewError> {
    let job = Job {
        kind: SoundKind::Container,
        task: Task::Transcribe { words: false },
    };
    let (mut sound, mut events) = pool.begin_trial(trial, job).await?.split();
    let clip = clip.sound.clone();
    // Sound and events run side by side. A sender that fails leaves the reason to the events.
    let send = async move {
        if sound.send(clip.into()).await.is_ok() {
            let _ = sound.end().await;
        }
    };
    let listen = async {
        let mut heard = String::new();
        while let Some(event) = events.next().await {
            if let Event::Segment(segment) = event? {
                heard.push_str(&segment.text);
                heard.push(' ');
            }
        }
        Ok(heard)
    };
    tokio::join!(send, listen).1
}
