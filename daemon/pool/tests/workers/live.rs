//! Live jobs, and the microphone's.

use std::time::Duration;

use earnest_channel::{
    EncodeError, Job, LiveTask, MAX_PHRASES, Misbehaviour, OutOfBounds, Task, Tuning,
};
use earnest_pool::{BeginError, Event, Misdeed, PoolOptions, SessionError, SessionOver, TuneError};
use earnest_telemetry::WorkerEnd;
use earnest_transcript::{Milliseconds, Phrase};
use tokio::time::timeout;

use crate::kit::{JOB, Kit, Outcome, Running, is_there, until, until_gone};
use crate::rogue::PIECE;

const TASK: LiveTask = LiveTask {
    silence: 700,
    text: true,
    partials: true,
    words: false,
};

const SILENT: LiveTask = LiveTask {
    text: false,
    ..TASK
};

const fn job(task: LiveTask) -> Job {
    Job {
        task: Task::Live(task),
        ..JOB
    }
}

fn usual(_: &mut PoolOptions) {}

fn tuning(generation: u32, text: bool, phrases: &[&str]) -> Tuning {
    Tuning {
        generation,
        text,
        phrases: phrases.iter().copied().map(Phrase::command).collect(),
    }
}

impl Kit {
    /// Begins a live job of the application of this user, after two seconds of sound.
    async fn begin_live(&self, uid: u32, task: LiveTask) -> Result<Running, BeginError> {
        let permit = self.permit(uid).expect("the user is listed");
        let session = self.pool.begin(&self.open, &permit, job(task)).await?;
        let mut running = Running::of(session);
        running.send(vec![0; 2 * PIECE]).await;
        Ok(running)
    }

    async fn begin_microphone(&self, uid: u32) -> Result<Running, BeginError> {
        let permit = self.permit(uid).expect("the user is listed");
        let pool = &self.pool;
        let session = pool
            .begin_microphone(&self.open, &permit, job(TASK))
            .await?;
        Ok(Running::of(session))
    }
}

impl Running {
    /// Has the worker say this.
    async fn dictate(&mut self, answers: &[&str]) {
        for answer in answers {
            self.send(format!("!{answer}")).await;
        }
    }

    async fn tune(&mut self, tuning: Tuning) -> Result<(), TuneError> {
        let sound = self.sound.as_mut().expect("the sound has not ended");
        sound.tune(tuning).await
    }

    async fn event(&mut self) -> Event {
        let event = self.next().await.expect("it has not ended");
        event.expect("it goes well")
    }

    /// Which process is at it.
    async fn process(&mut self) -> u32 {
        self.dictate(&["started 0", "segment 0 0", "stopped 0"])
            .await;
        assert!(matches!(self.event().await, Event::SpeechStarted { .. }));
        let identity = self.identity().await.expect("it goes well");
        assert!(matches!(self.event().await, Event::SpeechStopped { .. }));
        identity.process
    }
}

pub(crate) async fn what_is_being_said_comes_as_it_is_said() -> Outcome {
    let kit = Kit::new(usual)?;
    let mut live = kit.begin_live(1, TASK).await?;
    live.dictate(&[
        "started 100",
        "partial 100 500 |Turn",
        "partial 100 900 Turn| on the",
        "segment 100 1500 Turn on the light.",
        "stopped 1400",
    ])
    .await;
    let at = Milliseconds;
    assert_eq!(live.event().await, Event::SpeechStarted { at: at(100) });
    for (heard, stable, tentative) in [(500, "", "Turn"), (900, "Turn", " on the")] {
        match live.event().await {
            Event::Partial(partial) => {
                assert_eq!((partial.start, partial.at), (at(100), at(heard)));
                assert_eq!((&*partial.stable, &*partial.tentative), (stable, tentative));
            }
            other => panic!("{other:?}"),
        }
    }
    match live.event().await {
        Event::Segment(segment) => assert_eq!(segment.text, "Turn on the light."),
        other => panic!("{other:?}"),
    }
    assert_eq!(live.event().await, Event::SpeechStopped { at: at(1_400) });

    // Tunings keep their place between the sound.
    for (generation, second) in [(3, 2), (4, 3)] {
        live.tune(tuning(generation, true, &["stop"])).await?;
        live.send(vec![0; PIECE]).await;
        let spotted = Event::Spotted {
            generation,
            phrase: 0,
            at: at(second * 1_000),
        };
        assert_eq!(live.event().await, spotted);
    }
    assert_eq!(live.finish().await?.samples, 4 * 16_000);
    Ok(())
}

pub(crate) async fn text_that_is_wanted_no_more_is_dropped_and_the_worker_is_well() -> Outcome {
    let kit = Kit::new(usual)?;
    let mut live = kit.begin_live(1, TASK).await?;
    live.dictate(&["started 0", "partial 0 1000 Turn|"]).await;
    assert!(matches!(live.event().await, Event::SpeechStarted { .. }));
    assert!(matches!(live.event().await, Event::Partial(_)));
    live.tune(tuning(1, false, &["stop"])).await?;
    assert!(matches!(live.event().await, Event::Spotted { .. }));
    // As if it had not come to that yet. What it said before is held against it no more.
    live.dictate(&[
        "partial 0 2000 Turn on|",
        "segment 0 2000 Burn on.",
        "stopped 2000",
        "started 2000",
        "stopped 2000",
    ])
    .await;
    let at = Milliseconds(2_000);
    assert_eq!(live.event().await, Event::SpeechStopped { at });
    assert_eq!(live.event().await, Event::SpeechStarted { at });
    assert_eq!(live.event().await, Event::SpeechStopped { at });
    assert_eq!(live.finish().await?.samples, 2 * 16_000);
    assert!(!kit.tells_of(WorkerEnd::Misbehaved));
    Ok(())
}

/// A rogue costs its own job and nothing else: the error is the right one, its process is gone,
/// and its application is served again.
async fn costs_one_job(
    task: LiveTask,
    answers: &[&str],
    is_right: impl Fn(Misdeed) -> bool,
) -> Outcome {
    let kit = Kit::new(usual)?;
    let mut bystander = kit.begin_live(1, TASK).await?;
    let beside = bystander.process().await;
    let mut victim = kit.begin_live(2, task).await?;
    let rogue = match task.text {
        true => Some(victim.process().await),
        false => None,
    };
    victim.tune(tuning(1, task.text, &["stop", "go"])).await?;
    victim.dictate(answers).await;
    match victim.outcome().await {
        Err(SessionError::WorkerMisbehaved(misdeed)) => {
            assert!(is_right(misdeed), "{answers:?}: {misdeed:?}");
        }
        other => panic!("{answers:?}: {other:?}"),
    }
    if let Some(rogue) = rogue {
        assert_ne!(rogue, beside);
        until_gone(rogue).await;
    }
    kit.until_told(WorkerEnd::Misbehaved).await;
    bystander.send(vec![0; PIECE]).await;
    assert_eq!(bystander.finish().await?.samples, 3 * 16_000);
    let mut next = kit.begin_when_able(2).await?;
    assert_ne!(Some(next.piece().await?.process), rogue);
    Ok(())
}

pub(crate) async fn whoever_takes_text_back_is_ended() -> Outcome {
    let said = ["started 0", "partial 0 500 Turn on| the"];
    for taken_back in [
        "partial 0 900 Turn| on the",
        "partial 0 900 Burn on|",
        "segment 0 900 Burn on the light.",
        // Not a word of what was stable is in it, for there is none.
        "stopped 900",
    ] {
        let answers = [&said[..], &[taken_back]].concat();
        let is_right = |misdeed| misdeed == Misdeed::TookBack;
        costs_one_job(TASK, &answers, is_right).await?;
    }
    Ok(())
}

pub(crate) async fn what_nobody_asked_for_or_comes_out_of_order_ends_the_worker() -> Outcome {
    let unasked = |misdeed| misdeed == Misdeed::NotDue(Misbehaviour::Unasked);
    let partials = LiveTask {
        partials: false,
        ..TASK
    };
    let no_text: [(LiveTask, &[&str]); 6] = [
        (SILENT, &["started 0", "partial 0 500 Turn|"]),
        (SILENT, &["started 0", "segment 0 500 Turn."]),
        (partials, &["started 0", "partial 0 500 Turn|"]),
        // Of a list that was never sent, and beyond the end of one that was.
        (TASK, &["spotted 2 0"]),
        (SILENT, &["spotted 0 0"]),
        (SILENT, &["spotted 1 2"]),
    ];
    for (task, answers) in no_text {
        costs_one_job(task, answers, unasked).await?;
    }
    let disordered: [&[&str]; 3] = [
        &["partial 0 500 Turn|"],
        &["started 0", "partial 1 500 Turn|"],
        &["started 0", "started 0"],
    ];
    for answers in disordered {
        let disorder = |misdeed| matches!(misdeed, Misdeed::NotDue(Misbehaviour::Disorder { .. }));
        costs_one_job(TASK, answers, disorder).await?;
    }
    Ok(())
}

pub(crate) async fn a_flood_of_partials_ends_the_worker() -> Outcome {
    let mut answers = vec!["started 0"];
    // Two seconds have twenty, and sixteen are free.
    answers.extend(["partial 0 500 Turn|"; 60]);
    let flood = |misdeed| {
        let what = "partials";
        matches!(misdeed, Misdeed::NotDue(Misbehaviour::Flood { what: found, .. }) if found == what)
    };
    costs_one_job(TASK, &answers, flood).await
}

pub(crate) async fn a_tuning_that_cannot_be_is_refused_and_the_job_goes_on() -> Outcome {
    let kit = Kit::new(usual)?;
    let mut recorded = kit.begin(1).await?;
    let refused = recorded.tune(tuning(1, true, &[])).await;
    assert_eq!(refused, Err(TuneError::NotLive));
    recorded.piece().await?;

    let mut live = kit.begin_live(2, TASK).await?;
    live.tune(tuning(5, true, &[])).await?;
    let refused = live.tune(tuning(5, true, &[])).await;
    assert_eq!(refused, Err(TuneError::Generation { last: 5, found: 5 }));
    let many = vec!["stop"; MAX_PHRASES + 1];
    let refused = live.tune(tuning(6, true, &many)).await;
    let is_long = |error: &TuneError| {
        let TuneError::BadTuning(EncodeError::OutOfBounds(found)) = error else {
            return false;
        };
        matches!(
            found,
            OutOfBounds::Length {
                what: "phrases",
                ..
            }
        )
    };
    assert!(refused.as_ref().is_err_and(is_long), "{refused:?}");
    live.tune(tuning(6, true, &["stop"])).await?;
    assert!(matches!(
        live.event().await,
        Event::Spotted { generation: 6, .. }
    ));

    live.dictate(&["crash"]).await;
    assert_eq!(live.outcome().await, Err(SessionError::WorkerDied));
    let refused = live.tune(tuning(7, true, &[])).await;
    assert_eq!(refused, Err(TuneError::Over(SessionOver)));
    Ok(())
}

pub(crate) async fn the_microphone_has_one_place_of_its_own() -> Outcome {
    let kit = Kit::new(|options| {
        options.most = 1;
        options.queue = 0;
    })?;
    let mut upload = kit.begin(1).await?;
    upload.piece().await?;
    let mut microphone = kit.begin_microphone(2).await?;
    microphone.send(vec![0; PIECE]).await;
    let worker = microphone.process().await;
    let status = kit.pool.status();
    assert_eq!((status.working, status.microphone), (1, true));

    // Another does not wait, and neither has taken anybody's place.
    let second = kit.begin_microphone(1).await.map(drop);
    assert!(matches!(second, Err(BeginError::Busy { .. })), "{second:?}");
    assert!(matches!(
        kit.begin(3).await.map(drop),
        Err(BeginError::Busy { .. })
    ));
    upload.finish().await?;
    let mut next = kit.begin(3).await?;
    next.piece().await?;

    // Its worker stays its own.
    microphone.finish().await?;
    assert!(!kit.pool.status().microphone);
    let mut again = kit.begin_microphone(3).await?;
    again.send(vec![0; PIECE]).await;
    assert_eq!(again.process().await, worker);
    Ok(())
}

pub(crate) async fn a_microphone_that_waits_for_its_worker_is_the_only_one() -> Outcome {
    let kit = Kit::new(|options| options.warm = 0)?;
    let (first, second) = tokio::join!(kit.begin_microphone(1), kit.begin_microphone(2));
    assert!(
        first.is_ok() != second.is_ok(),
        "{:?}",
        [first.err(), second.err()]
    );
    // Whoever lets go gives the place up: in the middle of a job, and before it has begun.
    drop((first, second));
    let free = || !kit.pool.status().microphone;
    until("the job has the place", free).await;
    let kit = Kit::starting("mute", |options| options.warm = 0)?;
    let begun = timeout(Duration::from_millis(50), kit.begin_microphone(1)).await;
    assert!(begun.is_err(), "there is no worker for it");
    assert!(!kit.pool.status().microphone, "who waited has the place");
    Ok(())
}

pub(crate) async fn the_microphones_worker_is_no_applications() -> Outcome {
    let kit = Kit::new(|options| options.warm = 0)?;
    let mut microphone = kit.begin_microphone(1).await?;
    microphone.send(vec![0; PIECE]).await;
    let worker = microphone.process().await;
    microphone.finish().await?;
    assert_eq!(kit.pool.status().idle, 1);
    let mut upload = kit.begin(1).await?;
    assert_ne!(upload.piece().await?.process, worker);
    upload.finish().await?;

    // It is ended when it had nothing to do for so long, as others are.
    let kit = Kit::new(|options| options.idle = Duration::from_millis(50))?;
    let mut microphone = kit.begin_microphone(1).await?;
    microphone.send(vec![0; PIECE]).await;
    let worker = microphone.process().await;
    microphone.finish().await?;
    until_gone(worker).await;
    assert!(kit.tells_of(WorkerEnd::Idle));
    kit.begin_microphone(1).await?;
    Ok(())
}

pub(crate) async fn a_gate_that_closes_ends_the_microphone() -> Outcome {
    let kit = Kit::new(usual)?;
    let mut microphone = kit.begin_microphone(1).await?;
    microphone.send(vec![0; PIECE]).await;
    let worker = microphone.process().await;
    assert!(is_there(worker));
    kit.pool.end_all().await;
    assert_eq!(microphone.outcome().await, Err(SessionError::GateClosed));
    assert!(!is_there(worker));
    let begun = kit.begin_microphone(1).await.map(drop);
    assert_eq!(begun, Err(BeginError::Closed));
    Ok(())
}
