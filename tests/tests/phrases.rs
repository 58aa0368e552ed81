//! Phrases spotted with the real models: those that are said and no others, and not a word
//! besides. The bench has voices, hours and the curve.

mod support;

use earnest_speech::{Engine, EngineOptions, LiveEvent, LiveOptions, Recognizer, Vad};
use earnest_transcript::Phrase;
use support::{model, sample};

/// What is looked for in "Ever tried. Ever failed. No matter. Try again. Fail again. Fail
/// better."; the first is said, and wakes.
const WAKES: [&str; 3] = ["ever tried", "hey earnest", "okay computer"];
const COMMANDS: [&str; 3] = ["turn on the kitchen light", "stop the music", "never mind"];

/// What is told of `pcm` to who may know phrases alone.
#[cfg(test)]
fn listen(pcm: &[f32], wakes: &[&str], commands: &[&str]) -> Vec<LiveEvent> {
    let speech = model("moonshine-tiny-en-int8");
    let recognizer = Recognizer::load(&speech, &EngineOptions { threads: 1 }).unwrap();
    let vad = Vad::load(&model("silero-vad-6.2")).unwrap();
    let mut engine = Engine::new(recognizer, vad);
    let mut live = engine.live(LiveOptions::default());
    let wakes = wakes.iter().copied().map(Phrase::waking);
    let commands = commands.iter().copied().map(Phrase::command);
    let phrases: Vec<Phrase> = wakes.chain(commands).collect();
    live.tune(false, &phrases);
    let mut events = Vec::new();
    for block in pcm.chunks(1_600) {
        events.extend(live.push(block, false).unwrap());
    }
    events.extend(live.finish().unwrap());
    events
}

#[cfg(test)]
fn spotted(events: &[LiveEvent]) -> Vec<usize> {
    let spotted = events.iter().filter_map(|event| match event {
        LiveEvent::Spotted { phrase, .. } => Some(*phrase),
        _ => None,
    });
    spotted.collect()
}

#[test]
fn what_is_said_is_spotted_and_not_a_word_is_told() {
    let events = listen(&sample(), &WAKES, &COMMANDS);
    assert_eq!(spotted(&events), [0]);
    for event in &events {
        let silent = matches!(
            event,
            LiveEvent::SpeechStarted(_) | LiveEvent::SpeechStopped(_) | LiveEvent::Spotted { .. }
        );
        assert!(silent, "{event:?}");
    }
}

#[test]
fn it_is_spotted_in_noise_and_at_another_level() {
    // Knuth's MMIX generator, the upper bits.
    let mut state = 1u64;
    let mut noise = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let pcm: Vec<f32> = sample()
        .iter()
        .map(|sample| 0.25 * sample + 0.002 * noise())
        .collect();
    assert_eq!(spotted(&listen(&pcm, &WAKES, &COMMANDS)), [0]);
}

#[test]
fn a_command_is_spotted_where_it_is_all_that_is_said() {
    let sample = sample();
    // The last sentence, "Fail better."
    let last = &sample[sample.len() - 2 * 16_000..];
    assert_eq!(
        spotted(&listen(last, &[], &["try again", "fail better"])),
        [1]
    );
    // Neither is all of what is said at once.
    assert_eq!(spotted(&listen(&sample, &[], &["ever", "matter"])), [0; 0]);
}
