//! Workers that fail or lie in the middle of a job, or while they start.

use std::time::Duration;

use earnest_channel::{DecodeError, Failure, Job, Misbehaviour, SoundFault, SoundKind, Task};
use earnest_evidence::measured::SandboxLevel;
use earnest_pool::{BeginError, Misdeed, PoolOptions, SessionError, StartError};
use earnest_telemetry::WorkerEnd;

use crate::kit::{Identity, Kit, Outcome, Running, is_there, until, until_gone};

/// Long enough for honest workers on a busy machine, short enough to wait for.
const STALL: Duration = Duration::from_secs(3);

/// A rogue costs its own job and nothing else: the error is the right one, its process is
/// gone, another application's job goes on, and its own application is served again.
async fn costs_one_job(
    commands: &[&str],
    is_right: fn(&SessionError) -> bool,
    why: WorkerEnd,
    change: fn(&mut PoolOptions),
) -> Outcome {
    let kit = Kit::new(change)?;
    let mut bystander = kit.begin(1).await?;
    let beside = bystander.piece().await?;

    let mut victim = kit.begin(2).await?;
    let rogue = victim.piece().await?;
    assert_ne!(rogue.process, beside.process);
    for command in commands {
        victim.send(format!("!{command}")).await;
    }
    let error = match commands.contains(&"deaf") {
        true => victim.finish().await,
        false => victim.outcome().await,
    };
    let error = error.expect_err("the job went well");
    assert!(is_right(&error), "{commands:?}: {error:?}");
    until_gone(rogue.process).await;
    kit.until_told(why).await;

    let same = Identity { job: 1, ..beside };
    assert_eq!(bystander.piece().await?, same);
    assert_eq!(bystander.finish().await?.samples, 32_000);

    let mut next = kit.begin_when_able(2).await?;
    assert_ne!(next.piece().await?.process, rogue.process);
    assert_eq!(next.finish().await?.samples, 16_000);
    Ok(())
}

fn usual(_: &mut PoolOptions) {}

fn misdeed(error: &SessionError) -> Option<Misdeed> {
    match error {
        SessionError::WorkerMisbehaved(misdeed) => Some(*misdeed),
        _ => None,
    }
}

fn misbehaviour(error: &SessionError) -> Option<Misbehaviour> {
    match misdeed(error) {
        Some(Misdeed::NotDue(misbehaviour)) => Some(misbehaviour),
        _ => None,
    }
}

fn is_death(error: &SessionError) -> bool {
    matches!(error, SessionError::WorkerDied)
}

pub(crate) async fn a_crash_costs_one_job() -> Outcome {
    costs_one_job(&["crash"], is_death, WorkerEnd::Crashed, usual).await
}

pub(crate) async fn an_exit_costs_one_job() -> Outcome {
    costs_one_job(&["exit"], is_death, WorkerEnd::Exited, usual).await
}

pub(crate) async fn half_a_frame_and_an_exit_cost_one_job() -> Outcome {
    costs_one_job(&["half"], is_death, WorkerEnd::Exited, usual).await
}

pub(crate) async fn a_closed_socket_costs_one_job() -> Outcome {
    costs_one_job(&["close"], is_death, WorkerEnd::Crashed, usual).await
}

pub(crate) async fn a_worker_that_takes_no_sound_is_hung() -> Outcome {
    let is_right = |error: &SessionError| matches!(error, SessionError::WorkerHung { limit } if *limit == STALL);
    let change = |options: &mut PoolOptions| options.limits.stall = STALL;
    let kit = Kit::new(change)?;
    let mut bystander = kit.begin(1).await?;
    let beside = bystander.piece().await?;
    let mut victim = kit.begin(2).await?;
    let rogue = victim.piece().await?;
    victim.send("!hang").await;
    // More than any socket holds, and the sound's end behind it.
    let mut sound = victim.sound.take().ok_or("it has not ended")?;
    let sending = tokio::spawn(async move { sound.send(vec![0; 4 << 20].into()).await });
    let error = victim.outcome().await.expect_err("the job went well");
    assert!(is_right(&error), "{error:?}");
    assert!(sending.await?.is_err(), "nobody took the sound");
    until_gone(rogue.process).await;
    kit.until_told(WorkerEnd::TimedOut).await;
    assert_eq!(bystander.piece().await?, beside);
    bystander.finish().await?;
    Ok(())
}

pub(crate) async fn a_worker_that_ignores_the_end_is_hung() -> Outcome {
    let is_right = |error: &SessionError| matches!(error, SessionError::WorkerHung { .. });
    let change = |options: &mut PoolOptions| options.limits.stall = STALL;
    costs_one_job(&["deaf"], is_right, WorkerEnd::TimedOut, change).await
}

pub(crate) async fn work_has_an_end_for_all_the_signs_of_life() -> Outcome {
    let limit = Duration::from_secs(2);
    let kit = Kit::new(|options| {
        options.limits.work = limit;
        options.limits.work_per_second = 0;
    })?;
    // Of a file nobody knows how long it is.
    let file = Job {
        kind: SoundKind::Container,
        task: Task::Transcribe { words: false },
    };
    let session = kit.pool.begin(&kit.open, &kit.permit(1)?, file).await?;
    let mut job = Running::of(session);
    let worker = job.piece().await?;
    job.send("!restless").await;
    let error = job.finish().await.expect_err("the job went well");
    assert_eq!(error, SessionError::WorkerHung { limit });
    until_gone(worker.process).await;
    kit.until_told(WorkerEnd::TimedOut).await;
    Ok(())
}

pub(crate) async fn a_flood_costs_one_job() -> Outcome {
    let is_right = |error: &SessionError| {
        let misbehaviour = misbehaviour(error);
        matches!(
            misbehaviour,
            Some(Misbehaviour::Backwards { .. } | Misbehaviour::Flood { .. })
        )
    };
    costs_one_job(&["flood"], is_right, WorkerEnd::Misbehaved, usual).await
}

pub(crate) async fn garbage_costs_one_job() -> Outcome {
    let is_right = |error: &SessionError| matches!(misdeed(error), Some(Misdeed::NoMessage(_)));
    costs_one_job(&["garbage"], is_right, WorkerEnd::Misbehaved, usual).await
}

pub(crate) async fn an_oversized_frame_costs_one_job() -> Outcome {
    let is_right = |error: &SessionError| {
        let long = DecodeError::Long {
            kind: 3,
            most: 32_768,
            found: 0x7FFF_FFFF,
        };
        misdeed(error) == Some(Misdeed::NoMessage(long))
    };
    costs_one_job(&["oversized"], is_right, WorkerEnd::Misbehaved, usual).await
}

pub(crate) async fn answers_that_are_not_due_cost_one_job() -> Outcome {
    type Right = fn(&SessionError) -> bool;
    let check: [(&str, Right); 6] = [
        ("out-of-turn", |error| {
            misbehaviour(error) == Some(Misbehaviour::Introduction)
        }),
        ("early", |error| {
            misbehaviour(error) == Some(Misbehaviour::Early)
        }),
        ("unasked", |error| {
            misbehaviour(error) == Some(Misbehaviour::Unasked)
        }),
        ("abandon", |error| {
            misbehaviour(error) == Some(Misbehaviour::Abandoned)
        }),
        ("backwards", |error| {
            matches!(misbehaviour(error), Some(Misbehaviour::Backwards { .. }))
        }),
        ("beyond", |error| {
            matches!(
                misbehaviour(error),
                Some(Misbehaviour::Beyond { .. } | Misbehaviour::Backwards { .. })
            )
        }),
    ];
    for (command, is_right) in check {
        costs_one_job(&[command], is_right, WorkerEnd::Misbehaved, usual).await?;
    }
    Ok(())
}

pub(crate) async fn a_worker_killed_from_outside_costs_one_job() -> Outcome {
    let kit = Kit::new(usual)?;
    let mut bystander = kit.begin(1).await?;
    let beside = bystander.piece().await?;
    let mut victim = kit.begin(2).await?;
    let killed = victim.piece().await?;
    let process = nix::unistd::Pid::from_raw(i32::try_from(killed.process)?);
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL)?;
    assert_eq!(victim.outcome().await, Err(SessionError::WorkerDied));
    until_gone(killed.process).await;
    assert_eq!(bystander.piece().await?, beside);
    let mut next = kit.begin_when_able(2).await?;
    assert_ne!(next.piece().await?.process, killed.process);
    Ok(())
}

pub(crate) async fn a_worker_that_exits_between_jobs_costs_none() -> Outcome {
    let kit = Kit::new(usual)?;
    let mut first = kit.begin(1).await?;
    let gone = first.piece().await?;
    first.send("!exit-after").await;
    assert_eq!(first.finish().await?.samples, 16_000);
    until_gone(gone.process).await;
    let mut second = kit.begin(1).await?;
    assert_ne!(second.piece().await?.process, gone.process);
    assert_eq!(second.finish().await?.samples, 16_000);
    Ok(())
}

pub(crate) async fn a_worker_that_talks_between_jobs_is_ended() -> Outcome {
    let kit = Kit::new(usual)?;
    let mut first = kit.begin(1).await?;
    let gone = first.piece().await?;
    first.send("!talk-after").await;
    // What it said within the job stands.
    assert_eq!(first.finish().await?.samples, 16_000);
    until_gone(gone.process).await;
    kit.until_told(WorkerEnd::Misbehaved).await;
    let mut second = kit.begin_when_able(1).await?;
    assert_ne!(second.piece().await?.process, gone.process);
    Ok(())
}

pub(crate) async fn a_worker_that_gives_a_job_up_is_well() -> Outcome {
    let kit = Kit::new(usual)?;
    let mut first = kit.begin(1).await?;
    let worker = first.piece().await?;
    first.send("!refuse").await;
    // Sound that was on its way is dropped.
    first.send(vec![0; 1 << 20]).await;
    let failure = Failure::Sound(SoundFault::NotSound);
    assert_eq!(first.outcome().await, Err(SessionError::Failed(failure)));
    let mut second = kit.begin_when_able(1).await?;
    let again = Identity { job: 2, ..worker };
    assert_eq!(second.piece().await?, again);
    assert_eq!(second.finish().await?.samples, 16_000);
    Ok(())
}

/// A worker that does not become ready is told with its reason, requests fail at once while
/// that lasts, and the pool serves when it is over.
async fn start_fails(how: &str, is_right: fn(&StartError) -> bool, why: WorkerEnd) -> Outcome {
    let kit = Kit::starting(how, |options| {
        options.start = match how {
            "mute" => Duration::from_secs(2),
            _ => options.start,
        };
    })?;
    let error = kit.pool.ready().await.expect_err("the worker is ready");
    assert!(is_right(&error), "{how}: {error:?}");
    kit.until_told(why).await;
    assert!(kit.pool.status().failures > 0);
    assert!(kit.pool.sandbox().is_none());
    let begun = kit.begin(1).await.map(drop);
    assert!(
        matches!(begun, Err(BeginError::Unavailable { .. })),
        "{begun:?}"
    );

    kit.next_start("honest")?;
    let mut job = kit.begin_when_able(1).await?;
    let worker = job.piece().await?;
    assert_eq!(job.finish().await?.samples, 16_000);
    assert!(is_there(worker.process));
    until("failures are not forgotten", || {
        kit.pool.status().failures == 0
    })
    .await;
    Ok(())
}

pub(crate) async fn a_start_that_crashes_is_told() -> Outcome {
    let is_right = |error: &StartError| matches!(error, StartError::Died);
    start_fails("crash", is_right, WorkerEnd::FailedToStart).await
}

pub(crate) async fn a_start_that_exits_is_told() -> Outcome {
    let is_right = |error: &StartError| matches!(error, StartError::Died);
    start_fails("exit", is_right, WorkerEnd::FailedToStart).await
}

pub(crate) async fn a_start_in_garbage_is_told() -> Outcome {
    let is_right = |error: &StartError| matches!(error, StartError::Decode(_));
    start_fails("garbage", is_right, WorkerEnd::FailedToStart).await
}

pub(crate) async fn a_start_that_never_ends_is_told() -> Outcome {
    let is_right = |error: &StartError| matches!(error, StartError::Late { .. });
    start_fails("mute", is_right, WorkerEnd::FailedToStart).await
}

pub(crate) async fn another_version_is_told() -> Outcome {
    let is_right = |error: &StartError| matches!(error, StartError::Version { .. });
    start_fails("version", is_right, WorkerEnd::FailedToStart).await
}

pub(crate) async fn being_ready_before_hello_is_told() -> Outcome {
    let is_right =
        |error: &StartError| matches!(error, StartError::OutOfTurn { expected: "hello" });
    start_fails("ready-first", is_right, WorkerEnd::FailedToStart).await
}

pub(crate) async fn a_lie_about_the_sandbox_is_told() -> Outcome {
    let is_right = |error: &StartError| {
        let claimed = SandboxLevel::Full;
        matches!(error, StartError::Lies { claimed: found } if *found == claimed)
    };
    start_fails("lie", is_right, WorkerEnd::Unconfined).await
}

pub(crate) async fn less_than_the_least_sandbox_is_refused() -> Outcome {
    let kit = Kit::new(|options| options.least_sandbox = SandboxLevel::Partial)?;
    let error = kit.pool.ready().await.expect_err("the worker is ready");
    assert!(matches!(*error, StartError::Unconfined { .. }), "{error:?}");
    kit.until_told(WorkerEnd::Unconfined).await;
    Ok(())
}

pub(crate) async fn a_program_that_is_not_there_is_told() -> Outcome {
    let kit = Kit::new(|options| options.program = "/nowhere/worker".into())?;
    let error = kit.pool.ready().await.expect_err("the worker is ready");
    assert!(matches!(*error, StartError::Spawn(_)), "{error:?}");
    Ok(())
}
