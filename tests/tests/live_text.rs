//! Live text with the real models: it keeps its word however the sound comes, and says nothing
//! where nobody speaks. The bench has the delays, and hundreds of clips.

mod support;

use earnest_speech::{Engine, EngineOptions, LiveEvent, LiveOptions, Recognizer, Vad};
use support::{SAID, model, sample};

const RATE: usize = 16_000;

/// What ends an utterance unless told otherwise, and what is longer than the sample's pauses.
const SHORT: usize = RATE * 7 / 10;
const LONG: usize = RATE * 3 / 2;

#[cfg(test)]
fn engine() -> Engine {
    let speech = model("moonshine-tiny-en-int8");
    let recognizer = Recognizer::load(&speech, &EngineOptions { threads: 1 }).unwrap();
    Engine::new(recognizer, Vad::load(&model("silero-vad-6.2")).unwrap())
}

/// What is told when the blocks are of these lengths in turn.
#[cfg(test)]
fn listen(engine: &mut Engine, pcm: &[f32], blocks: &[usize], silence: usize) -> Vec<LiveEvent> {
    let options = LiveOptions {
        silence,
        ..LiveOptions::default()
    };
    let mut live = engine.live(options);
    let (mut events, mut rest) = (Vec::new(), pcm);
    for turn in 0.. {
        if rest.is_empty() {
            break;
        }
        let length = blocks[turn % blocks.len()].min(rest.len());
        let (now, later) = rest.split_at(length);
        // Now and then more is waiting.
        events.extend(live.push(now, turn % 7 == 6).unwrap());
        rest = later;
    }
    events.extend(live.finish().unwrap());
    events
}

/// Holds events to what they promise, and gives the texts of the finals and how many partials
/// had stable text.
#[cfg(test)]
fn check(events: &[LiveEvent]) -> (Vec<String>, usize) {
    let (mut open, mut stable, mut finals, mut firm) = (None, "", Vec::new(), 0);
    for event in events {
        match event {
            LiveEvent::SpeechStarted(at) => {
                assert_eq!(open, None);
                (open, stable) = (Some(*at), "");
            }
            LiveEvent::Partial {
                start,
                stable: next,
                tentative,
                ..
            } => {
                assert_eq!(open, Some(*start));
                assert!(next.starts_with(stable), "{stable:?} became {next:?}");
                assert!(!next.is_empty() || !tentative.is_empty());
                firm += usize::from(!next.is_empty());
                stable = next;
            }
            LiveEvent::Segment(found) => {
                let text = &found.text;
                assert_eq!(open, Some(found.start));
                assert!(text.starts_with(stable), "{stable:?} became {text:?}");
                finals.push(text.clone());
                stable = "";
            }
            LiveEvent::SpeechStopped(at) => {
                assert!(open.is_some_and(|start| start < *at));
                assert_eq!(stable, "", "stable text without a final");
                open = None;
            }
            LiveEvent::Spotted { .. } => panic!("nobody asked for phrases"),
        }
    }
    assert_eq!(open, None);
    (finals, firm)
}

/// Letters and digits alone, for a comparison of words.
#[cfg(test)]
fn words(text: &str) -> Vec<String> {
    text.split_whitespace()
        .map(|word| {
            let letters = word.chars().filter(|letter| letter.is_alphanumeric());
            letters.collect::<String>().to_lowercase()
        })
        .collect()
}

#[test]
fn stable_text_is_never_taken_back_however_the_sound_is_cut() {
    let (mut engine, sample) = (engine(), sample());
    let said = words(SAID);
    let mut twice = sample.clone();
    twice.extend(&sample);
    for blocks in [
        &[640][..],
        &[512],
        &[1_600],
        &[160, 4_000, 37],
        &[8_000, 1, 1, 1],
        &[30_000],
    ] {
        for (pcm, times, silence) in [(&sample, 1, SHORT), (&sample, 1, LONG), (&twice, 2, LONG)] {
            let events = listen(&mut engine, pcm, blocks, silence);
            let (finals, firm) = check(&events);
            let found = words(&finals.join(" "));
            // Phrases of two words that pauses part are not all heard as they are together.
            let most = if silence == SHORT { 2 } else { 1 };
            let missing = said.iter().filter(|word| !found.contains(word)).count();
            assert!(missing <= most, "{blocks:?}: {finals:?}");
            assert!(found.len() <= times * said.len() + 2, "{finals:?}");
            if blocks == [640] {
                assert!(firm >= if silence == SHORT { 1 } else { 3 }, "{events:?}");
            }
        }
    }
}

#[test]
fn the_first_text_comes_soon_after_the_first_word() {
    let (mut engine, sample) = (engine(), sample());
    let events = listen(&mut engine, &sample, &[640], SHORT);
    let mut events = events.iter();
    let Some(LiveEvent::SpeechStarted(start)) = events.next() else {
        panic!("nobody speaks");
    };
    let Some(LiveEvent::Partial { at, .. }) = events.next() else {
        panic!("no partial");
    };
    // Half a second of it is the quiet before the word.
    assert!(at.0 - start.0 <= 1_200, "{start:?} {at:?}");
}

#[test]
fn noise_hum_and_tones_give_no_text_while_they_last() {
    let mut engine = engine();
    let samples = 20 * RATE;
    let turns = |n: usize| n as f32 / RATE as f32 * std::f32::consts::TAU;
    // Knuth's MMIX generator, the upper bits.
    let mut state = 1u64;
    let noise = (0..samples).map(|_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        0.3 * ((state >> 40) as f32 / (1u64 << 23) as f32 - 1.0)
    });
    let hum = (0..samples).map(|n| 0.3 * (50.0 * turns(n)).sin());
    // A chord that changes four times a second, as music does.
    let tones = (0..samples).map(|n| {
        let root = [220.0, 262.0, 330.0, 294.0][n / (RATE / 4) % 4];
        let swell = 0.5 + 0.5 * (2.0 * turns(n)).sin();
        let chord = [1.0, 1.25, 1.5].map(|step| (root * step * turns(n)).sin());
        0.2 * swell * chord.iter().sum::<f32>()
    });
    let sounds: [(&str, Vec<f32>); 4] = [
        ("silence", vec![0.0; samples]),
        ("noise", noise.collect()),
        ("hum", hum.collect()),
        ("tones", tones.collect()),
    ];
    for (name, pcm) in sounds {
        let events = listen(&mut engine, &pcm, &[640], SHORT);
        let text = events
            .iter()
            .find(|event| matches!(event, LiveEvent::Partial { .. } | LiveEvent::Segment(_)));
        assert_eq!(text, None, "{name}");
    }
}
