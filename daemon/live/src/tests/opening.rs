//! When the microphone is open, and who listens.

use super::kit::*;
use crate::*;

#[tokio::test(start_paused = true)]
async fn the_first_opens_it_and_the_last_closes_it() {
    let mut house = House::new(LiveSettings::default());
    settle().await;
    assert_eq!((house.open(), house.state()), (0, MicrophoneState::Off));
    let mut first = house.listen(text()).await;
    assert_eq!((house.open(), house.state()), (1, MicrophoneState::Opening));
    assert!(house.worker().is_none());
    assert_eq!(words(&mut first), ["opening"]);
    house.device().await;
    let second = house.listen(text()).await;
    assert_eq!(words(&mut first), ["open 16000"]);
    let listeners = house.live.status().listeners;
    assert_eq!((listeners.len(), listeners[0].what), (2, What::Text));
    assert_eq!(listeners[0].app.as_str(), "notes");
    assert!(house.worker().is_some());
    drop(first);
    settle().await;
    assert_eq!((house.open(), house.live.status().listeners.len()), (1, 1));
    house
        .telemetry
        .clock()
        .advance(std::time::Duration::from_millis(900));
    drop(second);
    settle().await;
    assert_eq!((house.open(), house.state()), (0, MicrophoneState::Off));
    let events = [
        "microphone opened at 16000 Hz",
        "microphone closed after 900 ms",
    ];
    assert_eq!(house.events(), events);
}

#[tokio::test(start_paused = true)]
async fn who_may_not_or_finds_no_place_does_not_open_it() {
    let disabled = House::new(LiveSettings {
        enabled: false,
        warm: true,
        ..LiveSettings::default()
    });
    let refused = disabled.try_listen("notes", text()).await.map(|_| ());
    assert_eq!(refused, Err(ListenError::Disabled));
    assert_eq!(disabled.open(), 0);

    let house = House::new(LiveSettings {
        listeners: 1,
        ..LiveSettings::default()
    });
    let first = house.listen(text()).await;
    let refused = house.try_listen("other", text()).await.map(|_| ());
    assert_eq!(refused, Err(ListenError::Full { most: 1 }));
    drop(first);
    // Its place is free at once.
    assert!(house.try_listen("other", text()).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn phrases_of_all_together_have_a_bound() {
    let house = House::new(LiveSettings::default());
    let many = |list: usize| {
        let phrases: Vec<(String, String)> = (0..60)
            .map(|number| {
                let word = format!("word{list}x{number}");
                (format!("id{number}"), format!("{word} {word} {word}"))
            })
            .collect();
        let phrases: Vec<_> = phrases.iter().map(|(id, said)| (&**id, &**said)).collect();
        commands(&phrases)
    };
    let mut listeners = Vec::new();
    for list in 0..4 {
        listeners.push(house.listen(many(list)).await);
    }
    let refused = house.try_listen("notes", many(4)).await.map(|_| ());
    let (expected, found) = (256, 300);
    assert_eq!(
        refused,
        Err(ListenError::TooManyPhrases { expected, found })
    );
    // The same phrases cost nothing.
    assert!(house.try_listen("notes", many(3)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_warm_microphone_keeps_the_last_moment_for_the_first_who_comes() {
    let mut house = House::new(LiveSettings {
        warm: true,
        ..LiveSettings::default()
    });
    settle().await;
    assert_eq!(house.open(), 1);
    house.device().await;
    assert_eq!(house.state(), MicrophoneState::Warm);
    house.sound(3_000).await;
    let mut listener = house.listen(text()).await;
    let mut worker = house.worker().unwrap();
    worker.take().await;
    assert_eq!(worker.heard, 500 * 32);
    house.sound(100).await;
    worker.take().await;
    assert_eq!(worker.heard, 600 * 32);
    // The first sound that is heard is the beginning of time.
    worker.utterance(20, "first word").await;
    assert_eq!(
        words(&mut listener),
        ["open 16000", "started 20", "20: first word", "stopped 420"]
    );
    drop(listener);
    settle().await;
    assert_eq!((house.open(), house.state()), (1, MicrophoneState::Warm));
    assert!(!worker.started(700).await);
    // Who comes next hears nothing of what was said to others.
    let _next = house.listen(text()).await;
    let mut worker = house.worker().unwrap();
    worker.take().await;
    assert_eq!(worker.heard, 0);
}

#[tokio::test(start_paused = true)]
async fn a_muted_microphone_is_closed_and_its_listeners_stay() {
    let mut house = House::new(LiveSettings::default());
    let mut listener = house.listen(text()).await;
    house.device().await;
    let mut worker = house.worker().unwrap();
    house.sound(400).await;
    worker.take().await;
    worker.started(20).await;
    assert!(house.live.status().level.is_some());
    assert!(house.live.mute().await);
    let status = house.live.status();
    assert_eq!(status.level, None);
    assert!(status.muted && status.state == MicrophoneState::Off && house.open() == 0);
    assert!(!house.live.mute().await);
    // What was said until then is written down, and then it is told.
    worker.take().await;
    assert!(worker.ended);
    worker.said(20, "done").await;
    worker.stopped(300).await;
    worker.finished().await;
    let expected = [
        "open 16000",
        "started 20",
        "20: done",
        "stopped 300",
        "Muted",
        "off",
    ];
    assert_eq!(words(&mut listener), expected);
    // Whoever comes is told, and opens nothing.
    let mut late = house.listen(text()).await;
    assert_eq!(
        (words(&mut late), house.open()),
        (vec!["off".into(), "Muted".into()], 0)
    );
    assert!(house.live.unmute().await && !house.live.unmute().await);
    house.device().await;
    assert_eq!(words(&mut listener), ["Unmuted", "open 16000"]);
    assert!(house.worker().is_some());
    let events = house.events();
    assert_eq!(
        events
            .iter()
            .filter(|event| event.contains("opened"))
            .count(),
        2
    );
}

#[tokio::test(start_paused = true)]
async fn muting_and_unmuting_at_any_pace_ends_as_it_was_asked_last() {
    let mut house = House::new(LiveSettings {
        warm: true,
        muted: true,
        ..LiveSettings::default()
    });
    settle().await;
    assert_eq!(house.open(), 0);
    let mut listener = house.listen(text()).await;
    for _ in 0..100 {
        house.live.unmute().await;
        assert_eq!(house.open(), 1);
        house.device().await;
        house.live.mute().await;
        assert_eq!(house.open(), 0);
    }
    let (a, b) = (house.live.clone(), house.live.clone());
    let (unmuted, muted) = tokio::join!(a.unmute(), b.mute());
    assert!(unmuted && muted);
    assert_eq!((house.open(), house.live.status().muted), (0, true));
    // Each worker was given the time to end, and the last notices came.
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    let told = words(&mut listener);
    assert_eq!(told.last().map(String::as_str), Some("off"));
}

#[tokio::test(start_paused = true)]
async fn when_the_daemon_ends_so_does_listening() {
    let house = House::new(LiveSettings::default());
    let mut listener = house.listen(text()).await;
    let House { live, open, .. } = house;
    drop(live);
    settle().await;
    assert_eq!(words(&mut listener), ["opening", "ended Stopping"]);
    assert_eq!(listener.next().await, None);
    assert_eq!(open.load(std::sync::atomic::Ordering::SeqCst), 0);
}
