//! What the guard takes away, and what it gives back.

use super::kit::*;
use crate::*;

/// A house whose guard is live, with a listener, a device and a worker.
async fn listening() -> (House, Listener, Worker) {
    let mut house = House::guarded(true, GuardState::Cut(Cut::Idle));
    let mut listener = house.listen(text()).await;
    house.guard(GuardState::Live).await;
    house.device().await;
    let worker = house.worker().unwrap();
    assert_eq!(words(&mut listener), ["open 16000"]);
    (house, listener, worker)
}

#[tokio::test(start_paused = true)]
async fn the_microphone_opens_when_the_guard_agrees_and_not_before() {
    let mut house = House::guarded(true, GuardState::Cut(Cut::Idle));
    settle().await;
    assert!(!house.is_wanted());
    let mut listener = house.listen(text()).await;
    assert!(house.is_wanted());
    // Sound is wanted, and nobody has it open; nobody is told that it listens.
    assert_eq!((house.open(), house.state()), (0, MicrophoneState::Opening));
    house.guard(GuardState::Cut(Cut::Announcing)).await;
    assert_eq!((house.open(), house.state()), (0, MicrophoneState::Opening));
    house.guard(GuardState::Live).await;
    assert_eq!(house.open(), 1);
    house.device().await;
    assert_eq!(words(&mut listener), ["open 16000"]);
    drop(listener);
    settle().await;
    assert_eq!((house.open(), house.is_wanted()), (0, false));
}

#[tokio::test(start_paused = true)]
async fn a_mute_in_mid_utterance_drops_it_and_all_sound_on_its_way() {
    let (mut house, mut listener, mut worker) = listening().await;
    house.sound(1_000).await;
    worker.take().await;
    worker.started(200).await;
    worker.partial(200, "my secret").await;
    assert_eq!(words(&mut listener), ["started 200", "my secret( maybe)"]);
    // So much more is on its way when the frame comes.
    house.sound(400).await;
    let heard = worker.heard;
    house.guard(GuardState::Muted).await;
    assert_eq!(words(&mut listener), ["stopped 1400", "Muted", "off"]);
    assert_eq!((house.open(), house.state()), (0, MicrophoneState::Off));
    assert!(house.live.status().muted);
    // What was in nobody's hands yet is not given to the worker; and what it says of what it had
    // before reaches nobody.
    worker.take().await;
    assert!(
        worker.heard <= heard + 640,
        "{} after {heard}",
        worker.heard
    );
    assert!(!worker.partial(200, "my secret is").await);
    assert!(!worker.said(200, "my secret is out").await);
    assert!(words(&mut listener).is_empty());
    assert!(house.is_wanted());

    house.guard(GuardState::Cut(Cut::Announcing)).await;
    house.guard(GuardState::Live).await;
    house.device().await;
    let expected = ["Unmuted", "open 16000"];
    assert_eq!(words(&mut listener), expected);
    // The next worker has none of the sound of before.
    let mut worker = house.worker().unwrap();
    house.sound(200).await;
    worker.take().await;
    assert_eq!(worker.heard, 200 * 32);
    worker.utterance(20, "again").await;
    let told = words(&mut listener);
    assert!(told.iter().any(|word| word.ends_with("again")), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn sound_that_came_with_the_mute_is_in_no_text() {
    let (mut house, mut listener, mut worker) = listening().await;
    house.sound(500).await;
    worker.take().await;
    let heard = worker.heard;
    // Nobody has had a turn between the two: the frame is heeded before the sound.
    house.post.as_ref().unwrap().say(GuardState::Muted);
    house.sound(100).await;
    worker.take().await;
    assert_eq!(worker.heard, heard);
    assert_eq!(words(&mut listener), ["Muted", "off"]);
}

#[tokio::test(start_paused = true)]
async fn whatever_else_the_guard_says_closes_the_microphone_and_says_why() {
    let cuts = [
        (GuardState::Absent, Withheld::Absent),
        (GuardState::Unpaired, Withheld::Unpaired),
        (GuardState::Connecting, Withheld::Connecting),
        (GuardState::Cut(Cut::Watchdog), Withheld::Watchdog),
        (GuardState::Cut(Cut::Contradiction), Withheld::Contradiction),
        (GuardState::Cut(Cut::Memory), Withheld::Memory),
        (GuardState::Cut(Cut::Refused), Withheld::Refused),
    ];
    for (state, why) in cuts {
        let (mut house, mut listener, mut worker) = listening().await;
        house.sound(500).await;
        worker.take().await;
        worker.started(100).await;
        house.guard(state).await;
        let withheld = MicrophoneState::Withheld { why };
        assert_eq!((house.open(), house.state()), (0, withheld));
        let told = words(&mut listener);
        assert_eq!(told[1..], ["stopped 500", "withheld"], "{why:?}");
        assert!(!worker.said(100, "lost").await, "{why:?}");
        assert!(!house.live.status().muted);
        // Nobody has to connect again.
        house.guard(GuardState::Live).await;
        house.device().await;
        assert_eq!(words(&mut listener), ["open 16000"], "{why:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_begins_to_listen_where_no_guard_could_agree() {
    for (state, why) in [
        (GuardState::Absent, Withheld::Absent),
        (GuardState::Unpaired, Withheld::Unpaired),
    ] {
        let house = House::guarded(true, state);
        let refused = house.try_listen("notes", text()).await.map(|_| ());
        assert_eq!(refused, Err(ListenError::Unguarded { why }));
        assert_eq!(house.open(), 0);
    }
    // Muted or being found, it is waited for.
    for state in [GuardState::Muted, GuardState::Connecting] {
        let house = House::guarded(true, state);
        let mut listener = house.listen(text()).await;
        house.guard(GuardState::Live).await;
        assert_eq!((house.open(), house.is_wanted()), (1, true));
        let told = words(&mut listener);
        assert_eq!(told.last().map(String::as_str), Some("opening"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_that_is_not_required_is_done_without_and_heeded_when_it_comes() {
    let mut house = House::guarded(false, GuardState::Absent);
    let mut listener = house.listen(text()).await;
    house.device().await;
    assert_eq!(words(&mut listener), ["open 16000"]);
    house.guard(GuardState::Muted).await;
    assert_eq!(words(&mut listener), ["Muted", "off"]);
    assert_eq!(house.open(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_guard_whose_task_has_ended_agrees_to_nothing() {
    let (mut house, mut listener, _worker) = listening().await;
    house.post.as_mut().unwrap().end();
    settle().await;
    let why = Withheld::Absent;
    assert_eq!(house.state(), MicrophoneState::Withheld { why });
    assert_eq!(
        (house.open(), words(&mut listener)),
        (0, vec!["withheld".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn either_mute_is_told_once_and_both_must_be_gone() {
    let (mut house, mut listener, _worker) = listening().await;
    assert!(house.live.mute().await);
    settle().await;
    assert!(!house.is_wanted());
    house.guard(GuardState::Cut(Cut::Idle)).await;
    house.guard(GuardState::Muted).await;
    // Its worker was let finish by the one and is dropped by the other.
    assert_eq!(words(&mut listener), ["Muted", "off"]);
    assert!(house.live.unmute().await);
    settle().await;
    assert!(words(&mut listener).is_empty());
    assert!(house.live.status().muted && house.is_wanted());
    assert_eq!(house.open(), 0);
    house.guard(GuardState::Cut(Cut::Announcing)).await;
    house.guard(GuardState::Live).await;
    house.device().await;
    assert_eq!(words(&mut listener), ["Unmuted", "open 16000"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_said_before_this_host_withdrew_is_written_down() {
    let (mut house, mut listener, mut worker) = listening().await;
    house.sound(1_000).await;
    worker.take().await;
    worker.started(100).await;
    house.live.mute().await;
    house.guard(GuardState::Cut(Cut::Idle)).await;
    worker.said(100, "to the end").await;
    worker.stopped(700).await;
    worker.finished().await;
    let expected = [
        "started 100",
        "100: to the end",
        "stopped 700",
        "Muted",
        "off",
    ];
    assert_eq!(words(&mut listener), expected);
}
