//! A pool of rogues, an open gate, permits, and what tests ask of a job.

use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use earnest_channel::{Encoding, Job, Report, SoundKind, Task};
use earnest_evidence::measured::SandboxLevel;
use earnest_gate::{Answer, Gate, KnownAnswers, Measurement, Mode, Open, Schedule, UnsealedModel};
use earnest_policy::{AllowList, Applicant, Origin, Permit, Policy, Transcribe};
use earnest_pool::{
    BeginError, Event, Events, Pool, PoolOptions, Session, SessionError, SoundSender,
};
use earnest_telemetry::{Clock, Event as Happened, Telemetry, WorkerEnd};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::rogue::{PIECE, WEIGHTS};

/// How long anything may take that happens at once; only a broken pool comes near it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Raw sound whose length the daemon knows.
pub(crate) const JOB: Job = Job {
    kind: SoundKind::Raw {
        rate: 16_000,
        channels: 1,
        encoding: Encoding::S16Le,
    },
    task: Task::Transcribe { words: false },
};

/// A pool of rogues behind an open gate.
pub(crate) struct Kit {
    pub(crate) pool: Pool,
    pub(crate) telemetry: Telemetry,
    pub(crate) weights: Arc<OwnedFd>,
    pub(crate) gate: Gate<Nothing>,
    pub(crate) open: Open,
    policy: Policy,
    starts: PathBuf,
    _folder: TempDir,
}

/// A model of which there is nothing to forget.
pub(crate) struct Nothing;

impl UnsealedModel for Nothing {
    fn package(&self) -> [u8; 32] {
        [7; 32]
    }
}

impl Kit {
    /// A pool whose workers start honestly and claim no sandbox.
    pub(crate) fn new(
        change: impl FnOnce(&mut PoolOptions),
    ) -> Result<Kit, Box<dyn std::error::Error>> {
        Kit::starting("honest", change)
    }

    /// A pool whose workers start in this way.
    pub(crate) fn starting(
        how: &str,
        change: impl FnOnce(&mut PoolOptions),
    ) -> Result<Kit, Box<dyn std::error::Error>> {
        let folder = tempfile::tempdir()?;
        let starts = folder.path().join("starts");
        fs::write(&starts, how)?;
        let mut weights = tempfile::tempfile()?;
        weights.write_all(WEIGHTS)?;
        let weights = Arc::new(OwnedFd::from(weights));

        let program = std::env::current_exe()?;
        let arguments = [Path::new("rogue"), &starts];
        let mut options = PoolOptions::new(program, arguments, Arc::clone(&weights));
        options.least_sandbox = SandboxLevel::None;
        options.start = PATIENCE;
        change(&mut options);

        let telemetry = Telemetry::new(Clock::boot_time());
        let (gate, open) = open_gate(telemetry.clock().now())?;
        let apps = (1..=9).collect();
        let operators = Vec::new();
        Ok(Kit {
            pool: Pool::start(options, telemetry.clone())?,
            telemetry,
            weights,
            gate,
            open,
            policy: Policy::new(AllowList {
                apps,
                operators,
                ..AllowList::default()
            }),
            starts,
            _folder: folder,
        })
    }

    /// How workers start from now on.
    pub(crate) fn next_start(&self, how: &str) -> std::io::Result<()> {
        // Whole or not at all: a worker may read it now.
        let aside = self.starts.with_extension("next");
        fs::write(&aside, how)?;
        fs::rename(aside, &self.starts)
    }

    /// A permit of the application of this user.
    pub(crate) fn permit(&self, uid: u32) -> Result<Permit<Transcribe>, earnest_policy::Denial> {
        let origin = Origin::Unix {
            uid,
            gid: uid,
            pid: None,
        };
        let now = self.telemetry.clock().now();
        let wall = Duration::ZERO;
        self.policy.permit(&Applicant::new(origin, now, wall))
    }

    /// Begins a job of the application of this user.
    pub(crate) async fn begin(&self, uid: u32) -> Result<Running, BeginError> {
        let permit = self.permit(uid).expect("the user is listed");
        let session = self.pool.begin(&self.open, &permit, JOB).await?;
        Ok(Running::of(session))
    }

    /// Begins a trial.
    pub(crate) async fn begin_trial(&self) -> Result<Running, BeginError> {
        let trial = self.gate.trial().expect("there is a model");
        Ok(Running::of(self.pool.begin_trial(trial, JOB).await?))
    }

    /// Begins as soon as the pool has a worker again.
    pub(crate) async fn begin_when_able(&self, uid: u32) -> Result<Running, BeginError> {
        let attempts = async {
            loop {
                match self.begin(uid).await {
                    Err(BeginError::Unavailable { .. } | BeginError::Busy { .. }) => {
                        sleep(Duration::from_millis(20)).await;
                    }
                    other => return other,
                }
            }
        };
        timeout(PATIENCE, attempts)
            .await
            .expect("there is a worker in time")
    }

    /// Whether the pool tells of a worker that ended so.
    pub(crate) fn tells_of(&self, wanted: WorkerEnd) -> bool {
        let told = self.telemetry.recent();
        told.iter()
            .any(|told| matches!(told.event, Happened::WorkerEnded { why, .. } if why == wanted))
    }

    /// Waits until the pool tells of a worker that ended so: it does when the process is gone.
    pub(crate) async fn until_told(&self, wanted: WorkerEnd) {
        until(&format!("no worker ended: {wanted}"), || {
            self.tells_of(wanted)
        })
        .await;
    }
}

/// A gate with all that it takes to be open.
fn open_gate(now: Duration) -> Result<(Gate<Nothing>, Open), Box<dyn std::error::Error>> {
    let schedule = Schedule {
        measured_within: Duration::from_secs(3_600),
        ..Schedule::default()
    };
    let mut gate = Gate::new(Mode::Local, schedule, now);
    let _ = gate.unsealed(now, Nothing, Measurement::new([1; 32]));
    let heard = Answer {
        expected: "yes",
        heard: "Yes.",
    };
    let _ = gate.answered(now, KnownAnswers::check(&[heard]));
    let open = gate.open(now).ok_or("the gate did not open")?;
    Ok((gate, open))
}

/// A job under way.
pub(crate) struct Running {
    pub(crate) sound: Option<SoundSender>,
    pub(crate) events: Events,
}

/// What a worker told of itself in a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) process: u32,
    /// Which of its jobs it is at.
    pub(crate) job: u32,
}

impl Running {
    pub(crate) fn of(session: Session) -> Running {
        let (sound, events) = session.split();
        Running {
            sound: Some(sound),
            events,
        }
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: impl Into<Bytes>) {
        let sound = self.sound.as_mut().expect("the sound has not ended");
        // That the job is over, its events say better.
        let _ = timeout(PATIENCE, sound.send(bytes.into()))
            .await
            .expect("it is taken in time");
    }

    /// Has a second of sound heard.
    pub(crate) async fn piece(&mut self) -> Result<Identity, SessionError> {
        self.send(vec![0; PIECE]).await;
        self.identity().await
    }

    /// The next event, which is a segment.
    pub(crate) async fn identity(&mut self) -> Result<Identity, SessionError> {
        match self.next().await {
            Some(Ok(Event::Segment(segment))) => {
                let (process, job) = segment.text.split_once(' ').expect("it says two numbers");
                Ok(Identity {
                    process: process.parse().expect("it is a number"),
                    job: job.parse().expect("it is a number"),
                })
            }
            Some(Err(error)) => Err(error),
            other => panic!("expected a segment, found {other:?}"),
        }
    }

    pub(crate) async fn next(&mut self) -> Option<Result<Event, SessionError>> {
        timeout(PATIENCE, self.events.next())
            .await
            .expect("it comes in time")
    }

    /// Ends the sound, and takes the job to its end.
    pub(crate) async fn finish(mut self) -> Result<Report, SessionError> {
        if let Some(sound) = self.sound.take() {
            let _ = timeout(PATIENCE, sound.end())
                .await
                .expect("it is taken in time");
        }
        self.outcome().await
    }

    /// Takes all events, and says how it ended.
    pub(crate) async fn outcome(&mut self) -> Result<Report, SessionError> {
        loop {
            match self.next().await {
                Some(Ok(Event::Finished(report))) => {
                    assert!(self.next().await.is_none(), "it goes on after its end");
                    return Ok(report);
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    assert!(self.next().await.is_none(), "it goes on after its end");
                    return Err(error);
                }
                None => panic!("it ended without an ending"),
            }
        }
    }
}

/// Whether a process is there, be it as a zombie.
pub(crate) fn is_there(process: u32) -> bool {
    Path::new(&format!("/proc/{process}")).exists()
}

/// Waits until a process is gone and reaped.
pub(crate) async fn until_gone(process: u32) {
    until(&format!("process {process} is still there"), || {
        !is_there(process)
    })
    .await;
}

/// Waits until something holds.
pub(crate) async fn until(otherwise: &str, holds: impl Fn() -> bool) {
    let look = async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(PATIENCE, look).await.is_ok(), "{otherwise}");
}
