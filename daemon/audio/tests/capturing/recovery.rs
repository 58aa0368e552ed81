//! What becomes of a microphone whose process does not do as it should.

use std::path::Path;
use std::time::Duration;

use earnest_audio::{
    BackOff, CaptureProgram, DevicesError, Loss, Microphone, MicrophoneOptions, Sounding, devices,
};
use libtest_mimic::Trial;

use crate::house::{
    AT_ONCE, is_alive, is_gone, lost, next, opened, program, stand_in, trial, wait_until,
};
use crate::stand_in::{COUNTED, COUNTED_SAMPLES, RATE};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("sixty_deaths_are_sixty_returns", sixty_deaths),
        trial("a_device_that_goes_says_why_and_is_back", goes),
        trial("a_child_that_hangs_is_killed", hangs),
        trial("a_child_that_speaks_out_of_turn_is_killed", lies),
        trial("sound_that_outruns_time_ends_a_child", floods),
        trial("a_dropped_microphone_is_closed", dropped),
        trial(
            "a_program_that_cannot_be_started_is_tried_again",
            unstartable,
        ),
        trial(
            "a_child_knows_the_environment_that_it_is_given",
            environment,
        ),
        trial("no_sound_is_lost_where_a_question_is_dropped", cancelled),
        trial("a_list_of_devices_from_a_liar_is_an_error", liar),
    ]
}

async fn sixty_deaths() {
    let mut microphone = stand_in("dies");
    let mut processes = Vec::new();
    for _ in 0..60 {
        let (device, rate, losses) = opened(&mut microphone).await;
        assert_eq!((rate, losses), (RATE, Vec::new()));
        processes.push(device.parse::<u32>().expect("a stand-in's name"));
        assert_eq!(lost(&mut microphone).await, (Loss::Died, COUNTED_SAMPLES));
    }
    drop(microphone);
    let (last, reaped) = processes.split_last().expect("there were sixty");
    assert!(reaped.iter().all(|process| is_gone(*process)));
    wait_until("the last is reaped, too", || is_gone(*last));
}

async fn goes() {
    let mut microphone = stand_in("goes");
    for _ in 0..3 {
        let (device, ..) = opened(&mut microphone).await;
        assert_eq!(
            lost(&mut microphone).await,
            (Loss::Vanished, COUNTED_SAMPLES)
        );
        // It would sleep, and is not let.
        let process = device.parse().expect("a stand-in's name");
        opened(&mut microphone).await;
        assert!(is_gone(process));
    }
}

async fn hangs() {
    let mut microphone = stand_in("hangs");
    let (device, ..) = opened(&mut microphone).await;
    let process = device.parse().expect("a stand-in's name");
    assert!(is_alive(process));
    assert_eq!(lost(&mut microphone).await, (Loss::Stalled, 0));
    opened(&mut microphone).await;
    assert!(is_gone(process));
}

async fn lies() {
    for name in ["raves", "lies"] {
        let mut microphone = stand_in(name);
        for _ in 0..3 {
            let (device, ..) = opened(&mut microphone).await;
            assert_eq!(lost(&mut microphone).await, (Loss::Broken, 0));
            let process = device.parse().expect("a stand-in's name");
            wait_until("it is killed", || !is_alive(process));
        }
    }
}

async fn floods() {
    let mut microphone = stand_in("floods");
    let (why, samples) = lost(&mut microphone).await;
    assert_eq!(why, Loss::TooFast);
    assert!(samples >= RATE as usize, "{samples}");
}

async fn dropped() {
    let mut microphone = stand_in("hangs");
    let (device, ..) = opened(&mut microphone).await;
    let process = device.parse().expect("a stand-in's name");
    assert!(is_alive(process));
    drop(microphone);
    wait_until("it is killed", || !is_alive(process));
    wait_until("it is reaped", || is_gone(process));
}

async fn unstartable() {
    let back_off = BackOff {
        first: Duration::from_millis(10),
        most: Duration::from_millis(40),
    };
    let program = CaptureProgram {
        program: Path::new("/nowhere/earnestd").to_owned(),
        arguments: Vec::new(),
        environment: Vec::new(),
    };
    let options = MicrophoneOptions::default();
    let mut microphone = Microphone::open_with(program, options, back_off);
    for longest in [12, 24, 48, 48] {
        let Sounding::Lost { why, again_in } = next(&mut microphone).await else {
            panic!("nothing can be opened");
        };
        assert_eq!(why, Loss::Unstartable);
        assert!(again_in <= Duration::from_millis(longest), "{again_in:?}");
        assert!(
            again_in >= Duration::from_millis(longest / 2),
            "{again_in:?}"
        );
    }
}

async fn environment() {
    let given: [(&str, &Path); 2] = [("ONE", Path::new("1")), ("TWO", Path::new("2"))];
    let program = program(&["stand-in", "tells"], &given);
    let options = MicrophoneOptions::default();
    let mut microphone = Microphone::open_with(program, options, AT_ONCE);
    let (device, ..) = opened(&mut microphone).await;
    let mut names: Vec<&str> = device.split(' ').skip(1).collect();
    names.sort_unstable();
    assert_eq!(names, ["ONE", "TWO"]);
}

async fn cancelled() {
    let mut microphone = stand_in("counts");
    opened(&mut microphone).await;
    let mut numbers = Vec::new();
    let mut dropped = 0;
    while numbers.len() < usize::from(COUNTED.unsigned_abs()) {
        // Asked once, and dropped where there is no answer yet.
        let asked = tokio::select! {
            biased;
            said = microphone.next() => Some(said),
            () = std::future::ready(()) => None,
        };
        match asked {
            Some(Sounding::Sound(pcm)) => {
                assert_eq!(pcm.len(), COUNTED_SAMPLES * 2);
                numbers.push(i16::from_le_bytes([pcm[0], pcm[1]]));
            }
            Some(other) => panic!("{other:?}"),
            None => {
                dropped += 1;
                tokio::task::yield_now().await;
            }
        }
    }
    assert_eq!(numbers, (0..COUNTED).collect::<Vec<i16>>());
    assert!(dropped > 0, "every question had its answer");
}

async fn liar() {
    for (name, expected) in [("dies", Loss::Broken), ("none", Loss::Died)] {
        let told = devices(&program(&["stand-in", name], &[])).await;
        assert!(
            matches!(told, Err(DevicesError::Lost(why)) if why == expected),
            "{told:?}"
        );
    }
    let nowhere = CaptureProgram {
        program: Path::new("/nowhere/earnestd").to_owned(),
        arguments: Vec::new(),
        environment: Vec::new(),
    };
    let told = devices(&nowhere).await;
    assert!(matches!(told, Err(DevicesError::Unstartable(_))));
}
