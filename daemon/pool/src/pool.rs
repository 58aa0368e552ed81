//! The pool itself.

use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use earnest_channel::{Confinement, Job, Task, ToWorker, encode};
use earnest_gate::{Open, Trial};
use earnest_policy::{Permit, Work as WorkScope};
use earnest_telemetry::{Event, Telemetry, WorkerEnd};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::keeper::{Closing, keep};
use crate::options::Settings;
use crate::session::{Leave, session};
use crate::spawn::Spawner;
use crate::state::{Owner, Place, Placed, State, Wait, Work};
use crate::{BeginError, PoolError, PoolOptions, PoolStatus, Session, StartError};

/// How long ending all workers may take: killing is instant, taking memory apart is not.
const END: Duration = Duration::from_secs(6);

/// The workers. Clones are the same pool; when the last is dropped, every worker is ended.
#[derive(Debug, Clone)]
pub struct Pool {
    held: Arc<Held>,
}

/// Ends the workers when nobody has the pool any more; their keepers hold the rest.
struct Held(Arc<Inner>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.close(WorkerEnd::Stopping);
    }
}

impl Pool {
    /// Starts a pool and its first warm workers. Called within a tokio runtime, in which all of
    /// the pool runs.
    ///
    /// # Errors
    /// [`PoolError`]. That workers do not start shows later: see [`Pool::ready`].
    pub fn start(options: PoolOptions, telemetry: Telemetry) -> Result<Pool, PoolError> {
        let inner = Arc::new(Inner {
            spawner: Spawner::start(&options).map_err(PoolError::Thread)?,
            options: Settings::from(&options),
            state: Mutex::new(State::new(options.weights)),
            telemetry,
            runtime: Handle::current(),
            closing: watch::Sender::new(None),
            processes: watch::Sender::new(0),
            seen: watch::Sender::new(Seen::default()),
        });
        inner.fill();
        Ok(Pool {
            held: Arc::new(Held(inner)),
        })
    }

    /// Begins a job of the permit's application. Waits for a place where all are taken, which
    /// [`PoolOptions::patience`] bounds, and for a worker to start where none is warm, which
    /// [`PoolOptions::start`] bounds. Who drops the future waits no more, and the next in the
    /// queue moves up at once.
    ///
    /// # Errors
    /// [`BeginError`], at once in all cases but these two.
    pub async fn begin<S: WorkScope>(
        &self,
        open: &Open,
        permit: &Permit<S>,
        job: Job,
    ) -> Result<Session, BeginError> {
        let owner = Owner::App(permit.app().clone());
        let inner = &self.held.0;
        let leave = Leave::Open(open.clone(), inner.telemetry.clock().clone());
        inner.begin(owner, leave, job).await
    }

    /// Begins a job on the microphone's sound, for the permit's application and whoever listens
    /// along. One at a time: its place is its own, besides [`PoolOptions::most`], and it is in
    /// no queue. Its worker is the microphone's from then on, and no application's.
    ///
    /// # Errors
    /// As [`begin`](Pool::begin); [`BeginError::Busy`] where one is under way.
    pub async fn begin_microphone<S: WorkScope>(
        &self,
        open: &Open,
        _permit: &Permit<S>,
        job: Job,
    ) -> Result<Session, BeginError> {
        let inner = &self.held.0;
        let leave = Leave::Open(open.clone(), inner.telemetry.clock().clone());
        inner.begin(Owner::Microphone, leave, job).await
    }

    /// Begins a job on sound of the daemon's own, without a gate that is open: known clips are
    /// what opens it. One at a time.
    ///
    /// # Errors
    /// As [`begin`](Pool::begin).
    pub async fn begin_trial(&self, trial: Trial, job: Job) -> Result<Session, BeginError> {
        let leave = Leave::Trial(Arc::new(trial));
        self.held.0.begin(Owner::Trial, leave, job).await
    }

    /// Waits until the first worker is ready, and says how far it is locked in.
    ///
    /// # Errors
    /// Why the latest did not start, as soon as one does not.
    pub async fn ready(&self) -> Result<Confinement, Arc<StartError>> {
        let mut seen = self.held.0.seen.subscribe();
        let known = |seen: &Seen| seen.least.is_some() || seen.failure.is_some();
        // The sender lives as long as this pool.
        let _ = seen.wait_for(known).await.is_ok();
        let seen = seen.borrow();
        match (seen.least, &seen.failure) {
            (Some(sandbox), _) => Ok(sandbox),
            (None, Some(failure)) => Err(Arc::clone(failure)),
            (None, None) => Err(Arc::new(StartError::Closed)),
        }
    }

    /// How far the least confined of the workers so far is locked in; none before the first.
    pub fn sandbox(&self) -> Option<Confinement> {
        self.held.0.seen.borrow().least
    }

    /// Why the latest worker that did not start did not.
    pub fn failure(&self) -> Option<Arc<StartError>> {
        self.held.0.seen.borrow().failure.clone()
    }

    /// How the pool is doing.
    pub fn status(&self) -> PoolStatus {
        let inner = &self.held.0;
        let processes = *inner.processes.borrow();
        let most = inner.options.most;
        inner.state().status(processes, most, Instant::now())
    }

    /// Kills every worker, waits until each is gone, and gives up the weights: for good. Jobs
    /// under way end with [`SessionError::GateClosed`](crate::SessionError::GateClosed), and no
    /// other begins. Says how many processes there were.
    pub async fn end_all(&self) -> usize {
        let inner = &self.held.0;
        let processes = *inner.processes.borrow();
        inner.close(WorkerEnd::GateClosed);
        let mut alive = inner.processes.subscribe();
        // A process that hangs in the kernel is dead all the same, and is reaped later.
        let _ = timeout(END, alive.wait_for(|count| *count == 0)).await;
        processes
    }
}

/// What workers told of themselves.
#[derive(Default)]
struct Seen {
    least: Option<Confinement>,
    failure: Option<Arc<StartError>>,
}

/// What keepers share.
pub(crate) struct Inner {
    options: Settings,
    telemetry: Telemetry,
    runtime: Handle,
    spawner: Spawner,
    state: Mutex<State>,
    closing: watch::Sender<Option<WorkerEnd>>,
    /// Keepers, each of which has a process, starts one, or ends one.
    processes: watch::Sender<usize>,
    seen: watch::Sender<Seen>,
}

impl Inner {
    async fn begin(
        self: &Arc<Self>,
        owner: Owner,
        leave: Leave,
        job: Job,
    ) -> Result<Session, BeginError> {
        if !leave.holds() {
            return Err(BeginError::Closed);
        }
        let begin = encode(&ToWorker::Begin(job)).map_err(BeginError::BadJob)?;
        let still = leave.clone();
        let (session, ends) = session(leave, matches!(job.task, Task::Live(_)));
        let work = Work {
            owner,
            job,
            begin,
            ends,
        };
        let placed = self.state().place(work, &self.options, Instant::now());
        let placed = placed?;
        // One is to start, be it for this job or in the place of the one that it took.
        self.fill();
        if let Placed::Waiting(wait) = placed {
            let inner = Arc::clone(self);
            Turn { inner, wait }.come().await?;
            if !still.holds() {
                return Err(BeginError::Closed);
            }
        }
        Ok(session)
    }

    /// Starts the workers that are missing, now or when their time comes.
    fn fill(self: &Arc<Self>) {
        let numbers = match self.state().due(&self.options, Instant::now()) {
            Ok(numbers) => numbers,
            Err(wait) => {
                self.fill_after(wait);
                return;
            }
        };
        for number in numbers {
            self.processes.send_modify(|count| *count += 1);
            self.runtime.spawn(keep(Arc::clone(self), number));
        }
    }

    /// Fills up later. Several may wait: each failure leaves one, failures become rare, and
    /// who comes too late finds nothing missing.
    fn fill_after(self: &Arc<Self>, wait: Duration) {
        let inner = Arc::downgrade(self);
        self.runtime.spawn(async move {
            sleep(wait).await;
            if let Some(inner) = inner.upgrade() {
                inner.fill();
            }
        });
    }

    fn close(&self, why: WorkerEnd) {
        self.state().close(why);
        self.closing.send_modify(|closing| {
            closing.get_or_insert(why);
        });
    }

    /// A state that somebody panicked over is still one: each change is a few steps that
    /// cannot fail.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn options(&self) -> &Settings {
        &self.options
    }

    pub(crate) fn spawner(&self) -> &Spawner {
        &self.spawner
    }

    pub(crate) fn closing(&self) -> Closing {
        self.closing.subscribe()
    }

    pub(crate) fn weights(&self) -> Option<Arc<OwnedFd>> {
        self.state().weights()
    }

    pub(crate) fn record(&self, event: Event) {
        self.telemetry.record(event);
    }

    /// A worker did not start.
    pub(crate) fn not_started(self: &Arc<Self>, error: StartError) {
        self.state().failed(true, &self.options, Instant::now());
        self.seen
            .send_modify(|seen| seen.failure = Some(Arc::new(error)));
        self.fill();
    }

    /// A worker died before it had a job.
    pub(crate) fn died_young(self: &Arc<Self>) {
        self.state().failed(false, &self.options, Instant::now());
        self.fill();
    }

    /// A worker is ready; whether it is to stay.
    pub(crate) fn ready(&self, place: &Place, sandbox: Confinement) -> bool {
        self.seen.send_modify(|seen| {
            let less = |least: &Confinement| sandbox.level < least.level;
            if seen.least.as_ref().is_none_or(less) {
                seen.least = Some(sandbox);
            }
        });
        self.state().ready(place, &self.options)
    }

    /// A job is over after so long; whether its worker is to stay.
    pub(crate) fn done(self: &Arc<Self>, owner: &Owner, place: &Place, took: Duration) -> bool {
        let now = Instant::now();
        let stays = self.state().done(owner, place, took, &self.options, now);
        // Who moved up may need a worker of its own.
        self.fill();
        stays
    }

    /// A job is over, and its worker with it.
    pub(crate) fn lost(self: &Arc<Self>, owner: &Owner) {
        self.state().lost(owner, &self.options, Instant::now());
        self.fill();
    }

    pub(crate) fn withdraw(&self, number: u64) -> bool {
        self.state().withdraw(number)
    }

    pub(crate) fn place_again(self: &Arc<Self>, work: Box<Work>) {
        self.state().place_again(work, &self.options);
        self.fill();
    }

    /// A keeper is through.
    pub(crate) fn gone(self: &Arc<Self>) {
        self.processes.send_modify(|count| *count -= 1);
        self.fill();
    }
}

/// A caller's wait for its turn, and then for its worker. Dropped, it gives both up.
struct Turn {
    inner: Arc<Inner>,
    wait: Wait,
}

impl Turn {
    /// Waits: for a place as long as the pool's patience lasts, and in it for a worker, whose
    /// start ends, so that every wait is answered.
    async fn come(mut self) -> Result<(), BeginError> {
        let options = &self.inner.options;
        let answer = match timeout(options.patience, &mut self.wait.answer).await {
            Ok(answer) => answer,
            Err(_) => {
                let given_up = self.inner.state().give_up(self.wait.ticket, options);
                if let Some(retry_after) = given_up {
                    return Err(BeginError::Busy { retry_after });
                }
                (&mut self.wait.answer).await
            }
        };
        answer.unwrap_or(Err(BeginError::Closed))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Of a job that has begun, or never will, nothing waits any more.
        let Turn { inner, wait } = self;
        let mut state = inner.state();
        state.leave(wait.ticket, &inner.options, Instant::now());
        drop(state);
        inner.fill();
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        let processes = *inner.processes.borrow();
        let status = inner
            .state()
            .status(processes, inner.options.most, Instant::now());
        status.fmt(formatter)
    }
}
