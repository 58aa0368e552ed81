//! Who waits for a place, and whose turn it is.

use std::sync::Arc;
use std::time::Duration;

use earnest_pool::{BeginError, PoolOptions};
use tokio::task::{JoinHandle, JoinSet};

use crate::kit::{JOB, Kit, Outcome, PATIENCE, Running, until};

/// Two places, and patience that a test does not see the end of.
fn small(options: &mut PoolOptions) {
    options.most = 2;
    options.most_of_one = 2;
    options.patience = PATIENCE;
}

/// Begins a job that is expected to wait.
fn later(kit: &Kit, uid: u32) -> JoinHandle<Result<Running, BeginError>> {
    let (pool, open) = (kit.pool.clone(), kit.open.clone());
    let permit = kit.permit(uid).expect("the user is listed");
    tokio::spawn(async move { pool.begin(&open, &permit, JOB).await.map(Running::of) })
}

async fn until_waiting(kit: &Kit, expected: &[usize]) {
    let otherwise = format!("not {expected:?} wait");
    until(&otherwise, || kit.pool.status().waiting == expected).await;
}

pub(crate) async fn who_finds_no_place_waits_and_moves_up() -> Outcome {
    let kit = Kit::new(small)?;
    let mut first = kit.begin(1).await?;
    let worker = first.piece().await?;
    let mut second = kit.begin(1).await?;
    second.piece().await?;
    let third = later(&kit, 1);
    until_waiting(&kit, &[1]).await;
    assert_eq!(kit.pool.status().working, 2);
    first.finish().await?;
    let mut third = third.await??;
    // It is the same application, so it may have the same worker.
    assert_eq!(third.piece().await?.process, worker.process);
    assert_eq!(third.finish().await?.samples, 16_000);
    until_waiting(&kit, &[]).await;
    second.finish().await?;
    Ok(())
}

pub(crate) async fn a_polite_one_comes_before_all_that_a_greedy_one_has_waiting() -> Outcome {
    let kit = Arc::new(Kit::new(small)?);
    let mut first = kit.begin(1).await?;
    first.piece().await?;
    let mut second = kit.begin(1).await?;
    second.piece().await?;
    let greedy: Vec<_> = (0..4).map(|_| later(&kit, 1)).collect();
    until_waiting(&kit, &[4]).await;
    let refused = kit.begin(1).await.map(drop);
    assert!(
        matches!(refused, Err(BeginError::Busy { .. })),
        "{refused:?}"
    );
    let polite = later(&kit, 2);
    until_waiting(&kit, &[4, 1]).await;

    first.finish().await?;
    let mut polite = polite.await??;
    polite.piece().await?;
    assert_eq!(kit.pool.status().waiting, [4]);
    assert!(greedy.iter().all(|job| !job.is_finished()));
    polite.finish().await?;
    second.finish().await?;
    // Side by side: which of them waits at the head is not said.
    let mut finishing = JoinSet::new();
    for job in greedy {
        finishing.spawn(async {
            let mut job = job.await.expect("it ran").expect("its turn came");
            job.piece().await.expect("it goes well");
            job.finish().await.expect("it goes well").samples
        });
    }
    assert_eq!(finishing.join_all().await, [16_000; 4]);
    Ok(())
}

pub(crate) async fn patience_ends_and_says_when_to_come_again() -> Outcome {
    let kit = Kit::new(|options| {
        small(options);
        options.patience = Duration::from_millis(50);
    })?;
    let _places = [kit.begin(1).await?, kit.begin(2).await?];
    match kit.begin(3).await.map(drop) {
        Err(BeginError::Busy { retry_after }) => assert!(!retry_after.is_zero()),
        other => panic!("{other:?}"),
    }
    assert!(kit.pool.status().waiting.is_empty());
    Ok(())
}

pub(crate) async fn who_goes_away_gives_its_turn_up_at_once() -> Outcome {
    let kit = Kit::new(small)?;
    let mut first = kit.begin(1).await?;
    first.piece().await?;
    let _second = kit.begin(1).await?;
    let (gone, stays) = (later(&kit, 2), later(&kit, 3));
    until_waiting(&kit, &[1, 1]).await;
    gone.abort();
    until_waiting(&kit, &[1]).await;
    first.finish().await?;
    let mut stays = stays.await??;
    stays.piece().await?;

    // Nor does it keep the place in which it waits for a worker.
    let kit = Kit::starting("mute", |options| {
        small(options);
        options.most = 1;
    })?;
    let gone = later(&kit, 1);
    until("it has no place", || kit.pool.status().working == 1).await;
    let stays = later(&kit, 2);
    until_waiting(&kit, &[1]).await;
    gone.abort();
    until_waiting(&kit, &[]).await;
    assert_eq!(kit.pool.status().working, 1);
    stays.abort();
    until("its place is not free", || kit.pool.status().working == 0).await;
    Ok(())
}

pub(crate) async fn a_dead_worker_makes_room_too() -> Outcome {
    let kit = Kit::new(|options| {
        small(options);
        options.most = 1;
    })?;
    let mut first = kit.begin(1).await?;
    first.piece().await?;
    let second = later(&kit, 2);
    until_waiting(&kit, &[1]).await;
    first.send("!crash").await;
    assert!(first.outcome().await.is_err());
    let mut second = second.await??;
    second.piece().await?;
    assert_eq!(second.finish().await?.samples, 16_000);
    Ok(())
}

pub(crate) async fn a_gate_that_closes_ends_all_waits() -> Outcome {
    let kit = Kit::new(small)?;
    let _places = [kit.begin(1).await?, kit.begin(2).await?];
    let waits = [later(&kit, 1), later(&kit, 3)];
    until_waiting(&kit, &[1, 1]).await;
    kit.pool.end_all().await;
    for wait in waits {
        assert_eq!(wait.await?.map(drop), Err(BeginError::Closed));
    }
    assert!(kit.pool.status().waiting.is_empty());

    // A job that comes to its turn once the gate is shut does not begin either, though the
    // pool has not been ended.
    let mut kit = Kit::new(small)?;
    let mut first = kit.begin(1).await?;
    first.piece().await?;
    let _second = kit.begin(2).await?;
    let wait = later(&kit, 3);
    until_waiting(&kit, &[1]).await;
    let now = kit.telemetry.clock().now();
    let _ = kit.gate.tpm_lost(now);
    assert!(first.outcome().await.is_err());
    assert_eq!(wait.await?.map(drop), Err(BeginError::Closed));
    Ok(())
}
