//! Devices that go and come, workers that die, sound that is too much.

use std::time::Duration;

use earnest_audio::{Loss, Sounding};
use earnest_channel::{Failure, SoundKind, Task};
use earnest_pool::{BeginError, SessionError};
use tokio::time::sleep;

use super::kit::*;
use crate::*;

#[tokio::test(start_paused = true)]
async fn a_device_is_lost_and_comes_back_sixty_times() {
    let mut house = House::new(LiveSettings::default());
    let mut listener = house.listen(text()).await;
    house.device().await;
    words(&mut listener);
    let mut last = 0;
    for time in 0_u32..60 {
        let rate = if time % 2 == 0 { RATE } else { 48_000 };
        let mut worker = house.worker().unwrap();
        house.sound(1_000).await;
        worker.take().await;
        worker.started(100).await;
        house.lose().await;
        worker.take().await;
        assert!(worker.ended && matches!(house.state(), MicrophoneState::Lost { .. }));
        // The device may be back before the last words are written down: they come first.
        if time % 3 == 0 {
            house.device_at(rate).await;
        }
        worker.said(100, "heard").await;
        worker.stopped(300).await;
        worker.finished().await;
        sleep(Duration::from_secs(1)).await;
        if time % 3 != 0 {
            house.device_at(rate).await;
        }
        let told = words(&mut listener);
        let back = format!("open {rate}");
        let start: u64 = told[0].strip_prefix("started ").unwrap().parse().unwrap();
        assert!(start >= last, "{start} after {last}");
        last = start + 200;
        let expected = [
            format!("started {start}"),
            format!("{start}: heard"),
            format!("stopped {last}"),
            "DeviceLost(vanished)".to_owned(),
            "lost".to_owned(),
            "DeviceBack".to_owned(),
            back,
        ];
        // Where it was back already, how it was meanwhile is passed over.
        let passed_over = |word: &&String| time % 3 == 0 && *word == "lost";
        let expected = expected.iter().filter(|word| !passed_over(word));
        assert_eq!(
            told.iter().collect::<Vec<_>>(),
            expected.collect::<Vec<_>>()
        );
    }
    assert_eq!(house.live.status().losses, 60);
    let events = house.events();
    assert_eq!(
        events
            .iter()
            .filter(|event| *event == "microphone lost")
            .count(),
        60
    );
    assert_eq!(
        events
            .iter()
            .filter(|event| event.contains("back after"))
            .count(),
        60
    );
}

#[tokio::test(start_paused = true)]
async fn a_device_that_does_not_come_is_told_once() {
    let mut house = House::new(LiveSettings::default());
    let mut listener = house.listen(text()).await;
    for why in [Loss::NoDevice, Loss::NoDevice, Loss::NoDevice, Loss::Busy] {
        let again_in = Duration::from_secs(1);
        house.say(Sounding::Lost { why, again_in }).await;
    }
    let expected = [
        "opening",
        "DeviceLost(no_device)",
        "lost",
        "DeviceLost(busy)",
        "lost",
    ];
    assert_eq!(words(&mut listener), expected);
    assert_eq!(house.live.status().losses, 1);
    house.device().await;
    assert_eq!(words(&mut listener), ["DeviceBack", "open 16000"]);
}

#[tokio::test(start_paused = true)]
async fn each_device_is_heard_at_its_rate() {
    let mut house = House::new(LiveSettings {
        silence: Duration::from_secs(60),
        partials: false,
        ..LiveSettings::default()
    });
    let _listener = house.listen(text()).await;
    house.device_at(44_100).await;
    let worker = house.worker().unwrap();
    assert!(matches!(
        worker.job.kind,
        SoundKind::Raw {
            rate: 44_100,
            channels: 1,
            ..
        }
    ));
    let Task::Live(task) = worker.job.task else {
        panic!("another task");
    };
    // As long as a worker takes it to be.
    assert_eq!((task.silence, task.text), (5_000, true));
    assert!(!task.partials && !task.words);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_dies_costs_its_utterance() {
    let mut house = House::new(LiveSettings::default());
    let mut listener = house.listen(text()).await;
    house.device().await;
    let mut worker = house.worker().unwrap();
    house.sound(1_000).await;
    worker.take().await;
    worker.started(200).await;
    worker.partial(200, "lost").await;
    words(&mut listener);
    worker.fail(SessionError::WorkerDied).await;
    assert_eq!(words(&mut listener), ["stopped 1000", "open 16000"]);
    assert!(house.worker().is_none());
    // What is said meanwhile waits for the next one.
    house.sound(200).await;
    sleep(Duration::from_secs(1)).await;
    let mut worker = house.worker().unwrap();
    worker.take().await;
    assert_eq!(worker.heard, 200 * 32);
    worker.utterance(0, "next").await;
    let told = words(&mut listener);
    assert!(told[1].ends_with(": next"), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn workers_that_do_not_come_are_tried_again_for_minutes_and_not_for_ever() {
    let mut house = House::new(LiveSettings::default());
    let retry_after = Duration::from_secs(1);
    let busy = BeginError::Busy { retry_after };
    let refuse = |times| {
        let refusals = std::iter::repeat_n(busy.clone(), times);
        house.refusals.lock().unwrap().extend(refusals);
    };
    refuse(19);
    let mut listener = house.listen(text()).await;
    house.device().await;
    sleep(Duration::from_secs(60)).await;
    assert!(house.worker().is_none());
    sleep(Duration::from_secs(120)).await;
    let mut worker = house.worker().unwrap();
    house.sound(200).await;
    worker.utterance(0, "at last").await;
    assert!(
        words(&mut listener)
            .iter()
            .any(|word| word.ends_with("at last"))
    );
    // A worker that heard well for a while was no failure.
    sleep(Duration::from_secs(60)).await;
    worker.fail(SessionError::WorkerDied).await;
    sleep(Duration::from_secs(1)).await;
    let mut worker = house.worker().unwrap();
    let refusals = std::iter::repeat_n(busy.clone(), 30);
    house.refusals.lock().unwrap().extend(refusals);
    worker.fail(SessionError::Failed(Failure::Speech)).await;
    sleep(Duration::from_secs(300)).await;
    let told = words(&mut listener);
    assert_eq!(told.last().map(String::as_str), Some("ended Unavailable"));
    assert_eq!(house.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_behind_stalls_nobody_and_what_is_lost_is_told() {
    let mut house = House::new(LiveSettings::default());
    let mut listener = house.listen(text()).await;
    house.device().await;
    let mut worker = house.worker().unwrap();
    // Nobody takes what is sent; ten seconds wait, and what comes then is lost.
    house.sound(12_000).await;
    let told = words(&mut listener);
    let lost: u64 = told
        .iter()
        .filter_map(|word| {
            word.strip_prefix("Overrun(")?
                .strip_suffix(" frames)")?
                .parse::<u64>()
                .ok()
        })
        .sum();
    worker.take().await;
    let heard = u64::try_from(worker.heard / 2).unwrap();
    assert_eq!(heard + lost, 12 * u64::from(RATE));
    // Ten seconds, and the piece that was on its way.
    assert!((160_000..=160_320).contains(&heard), "{heard}");
    assert!(house.live.status().overruns > 0);
    // What was lost took its time: the next utterance is that much later.
    worker.started(5_000).await;
    let late = lost * 1_000 / u64::from(RATE);
    assert_eq!(words(&mut listener), [format!("started {}", 5_000 + late)]);
}

#[tokio::test(start_paused = true)]
async fn a_source_without_a_clock_waits_for_whoever_hears() {
    let mut house = House::new(LiveSettings {
        lossless: true,
        ..LiveSettings::default()
    });
    let mut listener = house.listen(text()).await;
    house.device().await;
    let mut worker = house.worker().unwrap();
    house.sound(60_000).await;
    for _ in 0..4_000 {
        worker.take().await;
    }
    assert_eq!(worker.heard, 60_000 * 32);
    assert_eq!(words(&mut listener), ["open 16000"]);
    assert_eq!(house.live.status().overruns, 0);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_does_not_come_to_an_end_is_let_go() {
    let mut house = House::new(LiveSettings::default());
    let mut listener = house.listen(text()).await;
    house.device().await;
    let mut worker = house.worker().unwrap();
    house.sound(400).await;
    worker.started(100).await;
    words(&mut listener);
    house.lose().await;
    house.device().await;
    assert!(words(&mut listener).is_empty());
    sleep(Duration::from_secs(6)).await;
    let expected = [
        "stopped 400",
        "DeviceLost(vanished)",
        "DeviceBack",
        "open 16000",
    ];
    assert_eq!(words(&mut listener), expected);
    assert!(!worker.said(100, "too late").await);
    assert!(house.worker().is_some());
}
