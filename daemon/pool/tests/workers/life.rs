//! Whose workers are whose, how many there are, and when they end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use earnest_channel::{Job, SoundKind, Task};
use earnest_evidence::measured::SandboxLevel;
use earnest_gate::Measurement;
use earnest_pool::{BeginError, PoolOptions, SessionError};
use earnest_telemetry::WorkerEnd;
use tokio::sync::oneshot;

use crate::kit::{Identity, JOB, Kit, Outcome, PATIENCE, Running, is_there, until, until_gone};
use crate::rogue::PIECE;

fn usual(_: &mut PoolOptions) {}

pub(crate) async fn an_application_keeps_its_worker() -> Outcome {
    let kit = Kit::new(usual)?;
    let mut first = kit.begin(1).await?;
    let worker = first.piece().await?;
    assert_eq!(first.finish().await?.samples, 16_000);
    for job in 2..5 {
        let mut next = kit.begin(1).await?;
        let again = Identity { job, ..worker };
        assert_eq!(next.piece().await?, again);
        assert_eq!(next.finish().await?.samples, 16_000);
    }
    Ok(())
}

pub(crate) async fn a_file_may_end_before_its_bytes_do() -> Outcome {
    let kit = Kit::new(usual)?;
    let file = Job {
        kind: SoundKind::Container,
        task: Task::Transcribe { words: false },
    };
    let session = kit.pool.begin(&kit.open, &kit.permit(1)?, file).await?;
    let mut job = Running::of(session);
    let worker = job.piece().await?;
    job.send("!early").await;
    // What stands behind the sound is taken from the client until that has heard of the end.
    job.send(vec![0; 1 << 20]).await;
    assert_eq!(job.outcome().await?.samples, 16_000);
    let mut next = kit.begin(1).await?;
    let same = Identity { job: 2, ..worker };
    assert_eq!(next.piece().await?, same);
    assert_eq!(next.finish().await?.samples, 16_000);
    Ok(())
}

pub(crate) async fn a_worker_is_never_shared_between_applications() -> Outcome {
    let kit = Kit::new(|options| options.most = 9)?;
    let mut seen = BTreeSet::new();
    for app in 1..=6 {
        let mut job = kit.begin(app).await?;
        let worker = job.piece().await?;
        assert_eq!(worker.job, 1, "it had a job before");
        assert!(seen.insert(worker.process), "it served another");
        job.finish().await?;
    }
    // Nor when all places are taken and one must make way.
    let kit = Kit::new(|options| options.most = 1)?;
    let mut first = kit.begin(1).await?;
    let worker = first.piece().await?;
    first.finish().await?;
    let mut second = kit.begin_when_able(2).await?;
    let other = second.piece().await?;
    assert_ne!(other.process, worker.process);
    assert_eq!(other.job, 1);
    until_gone(worker.process).await;
    kit.until_told(WorkerEnd::Replaced).await;
    Ok(())
}

pub(crate) async fn the_bounds_are_told_at_once() -> Outcome {
    let kit = Kit::new(|options| {
        options.most = 3;
        options.most_of_one = 2;
        options.queue = 0;
    })?;
    let mut first = kit.begin(1).await?;
    let _second = kit.begin(1).await?;
    let refused = |begun: Result<Running, BeginError>| match begun {
        Err(BeginError::Busy { retry_after }) => assert!(!retry_after.is_zero()),
        other => panic!("{:?}", other.map(drop)),
    };
    refused(kit.begin(1).await);
    let _third = kit.begin(2).await?;
    refused(kit.begin(3).await);
    assert_eq!(kit.pool.status().working, 3);

    first.piece().await?;
    first.finish().await?;
    let mut now = kit.begin_when_able(3).await?;
    now.piece().await?;
    Ok(())
}

pub(crate) async fn jobs_that_begin_together_all_get_a_worker() -> Outcome {
    let kit = Kit::new(|options| {
        options.most = 8;
        options.warm = 0;
    })?;
    let kit = Arc::new(kit);
    let mut jobs = Vec::new();
    for app in 1..=8 {
        let kit = Arc::clone(&kit);
        jobs.push(tokio::spawn(async move {
            let mut job = kit.begin(app).await.expect("there is a place for it");
            let worker = job.piece().await.expect("it is heard");
            job.finish().await.expect("it is heard");
            worker.process
        }));
    }
    let mut workers = BTreeSet::new();
    for job in jobs {
        workers.insert(job.await?);
    }
    assert_eq!(workers.len(), 8);
    Ok(())
}

pub(crate) async fn idle_workers_end() -> Outcome {
    let kit = Kit::new(|options| options.idle = Duration::from_millis(50))?;
    let mut job = kit.begin(1).await?;
    let worker = job.piece().await?;
    job.finish().await?;
    until_gone(worker.process).await;
    kit.until_told(WorkerEnd::Idle).await;
    // Who is nobody's yet stays.
    until("nobody is warm", || kit.pool.status().warm == 1).await;
    let mut next = kit.begin_when_able(1).await?;
    assert_ne!(next.piece().await?.process, worker.process);
    Ok(())
}

pub(crate) async fn warm_workers_are_there_before_anybody_asks() -> Outcome {
    let kit = Kit::new(|options| options.warm = 2)?;
    kit.pool.ready().await?;
    until("two are not warm", || kit.pool.status().warm == 2).await;
    let _job = kit.begin(1).await?;
    until("the warm one has no heir", || kit.pool.status().warm == 2).await;
    assert_eq!(kit.pool.status().processes, 3);
    Ok(())
}

pub(crate) async fn a_warm_worker_that_dies_is_replaced() -> Outcome {
    let kit = Kit::new(usual)?;
    kit.pool.ready().await?;
    // A trial tells who it is, and leaves it nobody's.
    let mut trial = kit.begin_trial().await?;
    let warm = trial.piece().await?;
    trial.finish().await?;
    until("it is not warm again", || kit.pool.status().warm == 1).await;
    let process = nix::unistd::Pid::from_raw(i32::try_from(warm.process)?);
    nix::sys::signal::kill(process, nix::sys::signal::Signal::SIGKILL)?;
    until_gone(warm.process).await;
    let mut job = kit.begin_when_able(1).await?;
    assert_ne!(job.piece().await?.process, warm.process);
    Ok(())
}

pub(crate) async fn a_trial_needs_no_gate_and_leaves_its_worker_nobodys() -> Outcome {
    let mut kit = Kit::new(usual)?;
    let mut trial = kit.begin_trial().await?;
    let worker = trial.piece().await?;
    let second = kit.begin_trial().await.map(drop);
    assert!(matches!(second, Err(BeginError::Busy { .. })), "{second:?}");
    assert_eq!(trial.finish().await?.samples, 16_000);
    assert_eq!(kit.pool.status().processes, 1);
    let mut job = kit.begin(1).await?;
    let same = Identity { job: 2, ..worker };
    assert_eq!(job.piece().await?, same);

    job.finish().await?;

    // The gate may be shut while the model is held. Once it is forgotten, so is the trial.
    let now = kit.telemetry.clock().now();
    let trial = kit.gate.trial().ok_or("there is no model")?;
    let mut asked = kit.begin_trial().await?;
    asked.piece().await?;
    let _ = kit.gate.tpm_lost(now);
    assert_eq!(asked.outcome().await, Err(SessionError::GateClosed));
    assert_eq!(kit.begin(1).await.map(drop), Err(BeginError::Closed));
    let begun = kit.pool.begin_trial(trial, JOB).await.map(drop);
    assert_eq!(begun, Err(BeginError::Closed));
    Ok(())
}

pub(crate) async fn what_was_heard_does_not_outlive_the_gate() -> Outcome {
    let mut kit = Kit::new(usual)?;
    let mut job = kit.begin(1).await?;
    let worker = job.piece().await?;
    job.send(vec![0; PIECE]).await;
    let now = kit.telemetry.clock().now();
    let _ = kit.gate.measured(now, Measurement::new([2; 32]));
    // Whether or not its segment had come already.
    assert_eq!(job.outcome().await, Err(SessionError::GateClosed));
    until_gone(worker.process).await;
    kit.until_told(WorkerEnd::GateClosed).await;
    Ok(())
}

pub(crate) async fn ending_all_leaves_nothing() -> Outcome {
    let kit = Kit::new(|options| options.warm = 2)?;
    let mut first = kit.begin(1).await?;
    let mut workers = vec![first.piece().await?.process];
    let mut second = kit.begin(2).await?;
    workers.push(second.piece().await?.process);
    // One that does not listen, and one that waits for its application's next job.
    second.send("!hang").await;
    let mut third = kit.begin(3).await?;
    workers.push(third.piece().await?.process);
    third.finish().await?;

    assert!(kit.pool.end_all().await >= 3);
    for worker in workers {
        assert!(!is_there(worker), "process {worker} is still there");
    }
    let status = kit.pool.status();
    assert!(status.closed);
    assert_eq!((status.processes, status.warm, status.idle), (0, 0, 0));
    for mut job in [first, second] {
        assert_eq!(job.outcome().await, Err(SessionError::GateClosed));
    }
    assert_eq!(kit.begin(1).await.map(drop), Err(BeginError::Closed));
    let trial = kit.begin_trial().await.map(drop);
    assert_eq!(trial, Err(BeginError::Closed));
    // Nobody but the test holds the weights.
    assert_eq!(Arc::strong_count(&kit.weights), 1);
    assert_eq!(kit.pool.end_all().await, 0);
    Ok(())
}

pub(crate) async fn ending_all_ends_starts_too() -> Outcome {
    let kit = Kit::starting("mute", usual)?;
    until("nobody starts", || kit.pool.status().starting == 1).await;
    let began = {
        let (pool, open) = (kit.pool.clone(), kit.open.clone());
        let permit = kit.permit(1)?;
        tokio::spawn(async move { pool.begin(&open, &permit, JOB).await.map(drop) })
    };
    until("nobody waits", || kit.pool.status().working == 1).await;
    kit.pool.end_all().await;
    assert_eq!(kit.pool.status().processes, 0);
    assert_eq!(began.await?, Err(BeginError::Closed));
    Ok(())
}

pub(crate) async fn a_dropped_pool_ends_its_workers() -> Outcome {
    let kit = Kit::new(usual)?;
    let mut job = kit.begin(1).await?;
    let worker = job.piece().await?.process;
    let telemetry = kit.telemetry.clone();
    drop(kit);
    assert_eq!(job.outcome().await, Err(SessionError::GateClosed));
    until_gone(worker).await;
    until("nobody tells of it", || {
        let counters = telemetry.counters();
        counters.workers_ended > 0
    })
    .await;
    Ok(())
}

pub(crate) async fn a_job_that_nobody_wants_is_let_go() -> Outcome {
    let kit = Kit::new(usual)?;
    let mut job = kit.begin(1).await?;
    let worker = job.piece().await?;
    drop(job);
    until("it was not let go", || kit.pool.status().idle == 1).await;
    let mut next = kit.begin(1).await?;
    let same = Identity { job: 2, ..worker };
    assert_eq!(next.piece().await?, same);

    // Sound that breaks off is the same, and its client hears so.
    drop(next.sound.take());
    assert_eq!(next.outcome().await, Err(SessionError::Abandoned));
    let mut third = kit.begin_when_able(1).await?;
    let same = Identity { job: 3, ..worker };
    assert_eq!(third.piece().await?, same);
    Ok(())
}

pub(crate) async fn who_does_not_let_go_is_ended() -> Outcome {
    let kit = Kit::new(|options| options.limits.abandon = Duration::from_millis(200))?;
    let mut job = kit.begin(1).await?;
    let worker = job.piece().await?;
    job.send("!deaf").await;
    // It has heard that now.
    job.piece().await?;
    drop(job);
    until_gone(worker.process).await;
    kit.until_told(WorkerEnd::Abandoned).await;
    Ok(())
}

pub(crate) async fn a_slow_client_is_waited_for_and_loses_nothing() -> Outcome {
    const PIECES: usize = 400;
    let kit = Kit::new(usual)?;
    let mut job = kit.begin(1).await?;
    let mut sound = job.sound.take().ok_or("it has not ended")?;
    let (far, far_enough) = oneshot::channel();
    let sending = tokio::spawn(async move {
        let mut far = Some(far);
        for piece in 0..PIECES {
            // Past what the queue of events holds, if barely past what all queues do.
            if piece == 70
                && let Some(far) = far.take()
            {
                let _ = far.send(());
            }
            sound.send(vec![0; PIECE].into()).await?;
        }
        sound.end().await
    });
    tokio::time::timeout(PATIENCE, far_enough).await??;
    for _ in 0..PIECES {
        job.identity().await?;
    }
    assert_eq!(job.outcome().await?.samples, 16_000 * PIECES as u64);
    sending.await??;
    Ok(())
}

pub(crate) async fn a_client_that_takes_nothing_is_given_up() -> Outcome {
    let limit = Duration::from_secs(1);
    let kit = Kit::new(|options| options.limits.client = limit)?;
    let mut job = kit.begin(1).await?;
    let worker = job.piece().await?;
    let mut sound = job.sound.take().ok_or("it has not ended")?;
    // More than all queues hold: it ends when the job does.
    let sent = tokio::time::timeout(PATIENCE, sound.send(vec![0; 1_000 * PIECE].into())).await?;
    assert!(sent.is_err(), "somebody took it");
    assert_eq!(
        job.outcome().await,
        Err(SessionError::ClientStalled { limit })
    );
    until_gone(worker.process).await;
    Ok(())
}

pub(crate) async fn a_client_that_sends_nothing_is_given_up() -> Outcome {
    let limit = Duration::from_millis(500);
    let kit = Kit::new(|options| options.limits.client = limit)?;
    let mut job = kit.begin(1).await?;
    assert_eq!(
        job.outcome().await,
        Err(SessionError::ClientStalled { limit })
    );
    Ok(())
}

pub(crate) async fn what_the_sandbox_reached_is_the_kernels_word() -> Outcome {
    let kit = Kit::starting("locked", |options| {
        options.least_sandbox = SandboxLevel::Partial
    })?;
    let sandbox = kit.pool.ready().await?;
    assert!(sandbox.seccomp, "this kernel has filters");
    assert_eq!(
        sandbox.level == SandboxLevel::Full,
        sandbox.landlock_abi.is_some()
    );
    assert_eq!(kit.pool.sandbox(), Some(sandbox));
    let mut job = kit.begin(1).await?;
    let worker = job.piece().await?;
    assert!(earnest_sandbox::inspect(worker.process)?.is_confined());
    assert_eq!(job.finish().await?.samples, 16_000);
    Ok(())
}
