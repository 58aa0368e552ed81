//! Who is told what.

use earnest_audio::Sounding;
use earnest_transcript::Phrase;

use super::kit::*;
use crate::*;

const LIGHTS: &[(&str, &str)] = &[("on", "light on please"), ("off", "now be dark")];

#[tokio::test(start_paused = true)]
async fn all_who_read_are_told_the_same_and_who_comes_late_is_told_that_somebody_speaks() {
    let mut house = House::new(LiveSettings::default());
    let mut first = house.listen(text()).await;
    house.device().await;
    let mut worker = house.worker().unwrap();
    house.sound(1_000).await;
    worker.take().await;
    worker.started(100).await;
    worker.partial(100, "one").await;
    let mut late = house.listen(text()).await;
    worker.partial(100, "one two").await;
    worker.said(100, "one two three").await;
    worker.stopped(600).await;
    let common = ["100: one two three", "stopped 600"];
    // Partials are passed over once the final is there.
    assert_eq!(
        words(&mut first)[1..],
        [&["started 100"], &common[..]].concat()
    );
    assert_eq!(
        words(&mut late),
        [&["open 16000", "started 100"], &common[..]].concat()
    );
}

#[tokio::test(start_paused = true)]
async fn partials_and_levels_come_as_they_are_taken() {
    let mut house = House::new(LiveSettings::default());
    let mut listener = house.listen(text()).await;
    house.device().await;
    let mut worker = house.worker().unwrap();
    house.sound(1_000).await;
    worker.started(100).await;
    words(&mut listener);
    for (stable, expected) in [("", "( maybe)"), ("one", "one( maybe)")] {
        worker.partial(100, stable).await;
        assert_eq!(words(&mut listener), [expected]);
    }
    house.sound(980).await;
    let mut levels = 0;
    for _ in 0..50 {
        house.sound(20).await;
        let told = told(&mut listener);
        levels += told
            .iter()
            .filter(|one| matches!(one, Hearing::Level(_)))
            .count();
    }
    assert_eq!(levels, 10);
    assert!(house.live.status().level.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_command_is_its_id_and_nothing_else_is_told() {
    let mut house = House::new(LiveSettings::default());
    let mut switch = house.listen(commands(LIGHTS)).await;
    house.device().await;
    let mut worker = house.worker().unwrap();
    worker.take().await;
    // Nobody reads, so no text is asked for.
    let earnest_channel::Task::Live(task) = worker.job.task else {
        panic!("another task");
    };
    assert!(!task.text);
    let [tuning] = &worker.tunings[..] else {
        panic!("{:?}", worker.tunings);
    };
    assert_eq!((tuning.generation, tuning.text), (1, false));
    let expected = ["light on please", "now be dark"].map(Phrase::command);
    assert_eq!(tuning.phrases, expected);
    let mut reader = house.listen(text()).await;
    house.sound(1_000).await;
    worker.take().await;
    assert!(worker.tunings.last().unwrap().text);
    house.say(Sounding::Overrun { frames: 320 }).await;
    worker.started(100).await;
    worker.partial(100, "now be").await;
    worker.spotted(2, 1, 400).await;
    worker.said(100, "now be dark").await;
    worker.stopped(500).await;
    // By numbers of no list, nothing is told.
    worker.spotted(2, 9, 500).await;
    worker.spotted(7, 0, 500).await;
    assert_eq!(words(&mut switch), ["open 16000", "command off 420"]);
    assert!(
        words(&mut reader)
            .iter()
            .any(|word| word.ends_with("now be dark"))
    );
}

#[tokio::test(start_paused = true)]
async fn the_worker_is_tuned_to_those_who_listen_now() {
    let mut house = House::new(LiveSettings::default());
    let reader = house.listen(text()).await;
    house.device().await;
    let mut worker = house.worker().unwrap();
    let switch = house.listen(commands(LIGHTS)).await;
    let mut other = house.listen(commands(&[("dark", "now be dark")])).await;
    worker.take().await;
    drop(switch);
    settle().await;
    worker.take().await;
    drop(reader);
    settle().await;
    worker.take().await;
    let tunings: Vec<(u32, bool, usize)> = worker
        .tunings
        .iter()
        .map(|tuning| (tuning.generation, tuning.text, tuning.phrases.len()))
        .collect();
    // Phrases that two want are spotted once.
    let generations: Vec<u32> = tunings.iter().map(|(generation, ..)| *generation).collect();
    assert!(generations.is_sorted_by(|a, b| a < b), "{tunings:?}");
    assert!(!tunings.last().unwrap().1 && tunings.last().unwrap().2 == 1);
    // An answer by the list of before is still understood, by those whom it concerns.
    house.sound(1_000).await;
    let before = worker
        .tunings
        .iter()
        .find(|tuning| tuning.phrases.len() == 2)
        .unwrap();
    let generation = before.generation;
    worker.spotted(generation, 0, 200).await;
    worker.spotted(generation, 1, 300).await;
    let told = words(&mut other);
    assert_eq!(told.last().map(String::as_str), Some("command dark 300"));
    assert_eq!(told.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_has_a_wake_phrase_is_told_nothing_before_it() {
    let mut house = House::new(LiveSettings::default());
    let mut listener = house.listen(wake("hey earnest")).await;
    house.device().await;
    let mut worker = house.worker().unwrap();
    house.sound(10_000).await;
    worker.take().await;
    assert_eq!(worker.tunings[0].phrases, [Phrase::waking("hey earnest")]);
    words(&mut listener);
    worker.utterance(0, "nobody's business").await;
    assert!(words(&mut listener).is_empty());
    worker.started(1_000).await;
    worker.spotted(1, 0, 1_300).await;
    worker.partial(1_000, "hey").await;
    assert_eq!(
        words(&mut listener),
        ["Woken(1300)", "started 1000", "hey( maybe)"]
    );
    worker.said(1_000, "hey earnest").await;
    worker.stopped(1_500).await;
    worker.utterance(2_000, "what time is it").await;
    worker.utterance(3_000, "nobody's business").await;
    let expected = [
        "1000: hey earnest",
        "stopped 1500",
        "started 2000",
        "2000: what time is it",
        "stopped 2400",
    ];
    assert_eq!(words(&mut listener), expected);
    // Found out when all is said.
    worker.started(4_000).await;
    worker.said(4_000, "hey earnest lights").await;
    worker.stopped(4_500).await;
    worker.spotted(1, 0, 4_300).await;
    let expected = [
        "Woken(4300)",
        "started 4000",
        "4000: hey earnest lights",
        "stopped 4500",
    ];
    assert_eq!(words(&mut listener), expected);
    let shown = told(&mut listener);
    assert!(shown.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_was_said_before_one_came_is_not_for_it() {
    let mut house = House::new(LiveSettings::default());
    let _reader = house.listen(text()).await;
    let mut first = house.listen(wake("hey earnest")).await;
    house.device().await;
    let mut worker = house.worker().unwrap();
    worker.take().await;
    worker.started(0).await;
    worker.said(0, "hey earnest lights").await;
    let mut late = house.listen(wake("hey earnest")).await;
    worker.spotted(1, 0, 0).await;
    let told = words(&mut first);
    assert_eq!(
        told.last().map(String::as_str),
        Some("0: hey earnest lights")
    );
    assert_eq!(words(&mut late), ["open 16000", "Woken(0)", "started 0"]);
}

#[tokio::test(start_paused = true)]
async fn what_was_said_long_before_wakes_nobody() {
    let mut house = House::new(LiveSettings::default());
    let mut listener = house.listen(wake("hey earnest")).await;
    house.device().await;
    let mut worker = house.worker().unwrap();
    house.sound(1_000).await;
    worker.take().await;
    worker.utterance(100, "a while ago").await;
    house.sound(3_000).await;
    worker.take().await;
    words(&mut listener);
    worker.spotted(1, 0, 3_900).await;
    assert_eq!(words(&mut listener), ["Woken(3900)"]);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_does_not_read_loses_its_place_and_nobody_waits_for_it() {
    let mut house = House::new(LiveSettings::default());
    let mut slow = house.listen(text()).await;
    let mut quick = house.listen(text()).await;
    house.device().await;
    let mut worker = house.worker().unwrap();
    house.sound(1_000).await;
    let mut finals = 0;
    for number in 0..200 {
        worker.utterance(number, "word").await;
        let told = words(&mut quick);
        finals += told.iter().filter(|word| word.ends_with(": word")).count();
    }
    assert_eq!(finals, 200);
    assert_eq!(words(&mut slow), ["ended TooSlow"]);
    assert_eq!(slow.next().await, None);
    assert_eq!(house.live.status().listeners.len(), 1);
}

#[test]
fn nothing_that_was_said_is_shown_by_mistake() {
    let at = earnest_transcript::Milliseconds(5);
    let hearings = [
        Hearing::Final(segment(5, "secret")),
        Hearing::Partial(Partial {
            start: at,
            at,
            stable: "secret".into(),
            tentative: "secret".into(),
        }),
        Hearing::Command {
            id: "secret".parse().unwrap(),
            at,
        },
    ];
    let shown = format!("{hearings:?}");
    assert_eq!(shown, "[Final(5..305), Partial(5..5), Command(5)]");
}
