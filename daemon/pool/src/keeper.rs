//! One worker from its start to its end.
//!
//! A keeper is a task that owns a process and its socket. Nobody else touches either, so what
//! a keeper sees is in order, and a process whose keeper is through with it is dead and reaped.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use earnest_channel::{Confinement, Decoder, FromWorker};
use earnest_telemetry::{Event, WorkerEnd};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::process::Child;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::StartError;
use crate::handshake::greet;
use crate::pool::Inner;
use crate::spawn::Spawned;
use crate::state::{Order, Owner, Place, Work};
use crate::work::{After, Course};

/// How long a killed process may take to be gone. The kernel needs a moment to take its memory
/// apart; one that hangs in the kernel is left to be reaped later.
const REAP: Duration = Duration::from_secs(5);

/// Why all keepers are to end, once they are.
pub(crate) type Closing = watch::Receiver<Option<WorkerEnd>>;

/// A worker, as its keeper has it.
pub(crate) struct Worker {
    child: Child,
    pub(crate) stream: UnixStream,
    pub(crate) decoder: Decoder<FromWorker>,
    sandbox: Confinement,
}

/// Why a worker is to end.
pub(crate) enum End {
    /// For this reason.
    For(WorkerEnd),
    /// Its socket ended: how its process did says why.
    Lost,
}

/// Starts a worker, keeps it, and ends it.
pub(crate) async fn keep(inner: Arc<Inner>, number: u64) {
    let mut closing = inner.closing();
    match start(&inner, &mut closing).await {
        Err(error) => {
            let why = match error {
                StartError::Closed => reason(&closing, WorkerEnd::Stopping),
                StartError::Lies { .. } | StartError::Unconfined { .. } => WorkerEnd::Unconfined,
                _ => WorkerEnd::FailedToStart,
            };
            inner.not_started(error);
            inner.record(Event::WorkerEnded {
                worker: number,
                why,
            });
        }
        Ok(worker) => serve(&inner, number, worker, closing).await,
    }
    inner.gone();
}

async fn start(inner: &Inner, closing: &mut Closing) -> Result<Worker, StartError> {
    let options = inner.options();
    let weights = inner.weights().ok_or(StartError::Closed)?;
    let spawned = inner.spawner().spawn(weights).await;
    let Spawned { mut child, stream } = spawned.map_err(StartError::Spawn)?;
    let mut stream = stream;
    let limit = options.start;
    let greeted = match child.id() {
        None => Err(StartError::Died),
        Some(process) => tokio::select! {
            biased;
            () = closed(closing) => Err(StartError::Closed),
            greeted = greet(&mut stream, process, options.least_sandbox) => greeted,
            () = sleep(limit) => Err(StartError::Late { limit }),
        },
    };
    match greeted {
        Ok(sandbox) => Ok(Worker {
            child,
            stream,
            decoder: Decoder::new(),
            sandbox,
        }),
        Err(error) => {
            end(&mut child).await;
            Err(error)
        }
    }
}

/// Waits until all are to end.
pub(crate) async fn closed(closing: &mut Closing) {
    // The pool outlives its keepers, so there is always somebody to say so.
    let _ = closing.wait_for(Option::is_some).await;
}

/// Why all are to end, or why this one is where they are not.
pub(crate) fn reason(closing: &Closing, otherwise: WorkerEnd) -> WorkerEnd {
    closing.borrow().unwrap_or(otherwise)
}

async fn serve(inner: &Arc<Inner>, number: u64, mut worker: Worker, mut closing: Closing) {
    inner.record(Event::WorkerStarted {
        worker: number,
        sandbox: worker.sandbox.level,
    });
    let (orders, mut mailbox) = mpsc::channel(1);
    let place = Place { number, orders };
    let mut worked = false;
    let ending = match inner.ready(&place, worker.sandbox) {
        true => {
            attend(
                inner,
                &place,
                &mut worker,
                &mut mailbox,
                &mut closing,
                &mut worked,
            )
            .await
        }
        false => End::For(reason(&closing, WorkerEnd::Idle)),
    };
    inner.withdraw(number);
    drop(place);
    // A job that was on its way has lost nothing: somebody else takes it.
    mailbox.close();
    if let Ok(Order::Work(work)) = mailbox.try_recv() {
        inner.place_again(work);
    }

    let status = end(&mut worker.child).await;
    let why = match ending {
        End::For(why) => why,
        End::Lost if status.is_some_and(|status| status.signal().is_none()) => WorkerEnd::Exited,
        End::Lost => WorkerEnd::Crashed,
    };
    if !worked && !why.is_orderly() {
        inner.died_young();
    }
    inner.record(Event::WorkerEnded {
        worker: number,
        why,
    });
}

/// Does job after job.
async fn attend(
    inner: &Arc<Inner>,
    place: &Place,
    worker: &mut Worker,
    mailbox: &mut mpsc::Receiver<Order>,
    closing: &mut Closing,
    worked: &mut bool,
) -> End {
    let options = inner.options();
    let mut owned = false;
    loop {
        let idle = owned.then_some(options.idle);
        let work = match wait(worker, mailbox, closing, idle).await {
            Next::Work(work) => work,
            Next::End(end) => return end,
            Next::Expired if inner.withdraw(place.number) => return End::For(WorkerEnd::Idle),
            // A job was given in this very moment.
            Next::Expired => continue,
        };
        *worked = true;
        owned |= work.owner != Owner::Trial;
        let owner = work.owner.clone();
        let began = Instant::now();
        let course = Course::new(worker, *work, options.limits);
        let (after, verdict) = course.run(closing).await;
        // The books come first: a client that hears the end and begins its next job at once
        // finds its place and its worker free.
        let end = match after {
            After::Next if inner.done(&owner, place, began.elapsed()) => None,
            After::Next => Some(End::For(reason(closing, WorkerEnd::Idle))),
            After::End(end) => {
                inner.lost(&owner);
                Some(end)
            }
        };
        verdict.tell();
        if let Some(end) = end {
            return end;
        }
    }
}

/// What comes to a worker that has nothing to do.
enum Next {
    Work(Box<Work>),
    End(End),
    Expired,
}

async fn wait(
    worker: &mut Worker,
    mailbox: &mut mpsc::Receiver<Order>,
    closing: &mut Closing,
    idle: Option<Duration>,
) -> Next {
    let expiry = async {
        match idle {
            Some(idle) => sleep(idle).await,
            None => std::future::pending().await,
        }
    };
    let mut unasked = [0; 1];
    tokio::select! {
        biased;
        () = closed(closing) => Next::End(End::For(reason(closing, WorkerEnd::Stopping))),
        // Before a job, so that none goes to a worker that is known to be dead.
        read = worker.stream.read(&mut unasked) => match read {
            Ok(1..) => Next::End(End::For(WorkerEnd::Misbehaved)),
            Ok(0) | Err(_) => Next::End(End::Lost),
        },
        order = mailbox.recv() => match order {
            Some(Order::Work(work)) => Next::Work(work),
            Some(Order::End(why)) => Next::End(End::For(why)),
            None => Next::End(End::For(WorkerEnd::Stopping)),
        },
        () = expiry => Next::Expired,
    }
}

/// Kills a process and all of its group.
fn kill(child: &Child) {
    // Before it is reaped its number cannot be anybody else's.
    let group = child.id().and_then(|id| i32::try_from(id).ok());
    if let Some(group) = group {
        // It fails where there is nobody left to kill.
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
}

/// Kills a process and reaps it; none where it is not gone in time.
async fn end(child: &mut Child) -> Option<ExitStatus> {
    kill(child);
    let reaped = timeout(REAP, child.wait()).await;
    reaped.ok().and_then(Result::ok)
}
