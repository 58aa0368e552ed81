//! The voice detector and the transcriber with the real models.

mod support;

use std::sync::Arc;

use earnest_speech::{
    DetectSpeech, EngineOptions, Event, FRAME_SAMPLES, Recognizer, Transcriber, TranscriberOptions,
    Vad,
};
use support::{model, sample};

/// What ONNX Runtime 1.32 gives for every eighth frame of the sample recording.
const PROBABILITIES: [f32; 39] = [
    0.03248, 0.01154, 0.99995, 0.99998, 0.99989, 0.02969, 0.02692, 0.02138, 0.99999, 0.99998,
    0.99983, 0.08073, 0.01815, 0.01021, 0.99995, 0.99995, 0.99924, 0.01799, 0.02837, 0.47158,
    0.99997, 0.99969, 0.02555, 0.02159, 0.01122, 0.01644, 0.98722, 0.99968, 0.99964, 0.04802,
    0.0069, 0.01035, 0.99965, 0.9986, 0.9997, 0.02736, 0.01113, 0.0082, 0.00759,
];

#[cfg(test)]
fn vad() -> Vad {
    Vad::load(&model("silero-vad-6.2")).unwrap()
}

#[cfg(test)]
fn probabilities(vad: &mut Vad, pcm: &[f32]) -> Vec<f32> {
    let (frames, _) = pcm.as_chunks::<FRAME_SAMPLES>();
    frames
        .iter()
        .map(|frame| vad.probability(frame).unwrap())
        .collect()
}

#[cfg(test)]
fn transcribe(pcm: &[f32], block: usize) -> Vec<Event> {
    let model = model("moonshine-tiny-en-int8");
    let recognizer = Recognizer::load(&model, &EngineOptions { threads: 1 }).unwrap();
    let tokenizer = Arc::new(recognizer.tokenizer().clone());
    let options = TranscriberOptions::default();
    let mut transcriber = Transcriber::new(recognizer, vad(), tokenizer, options);
    let mut events = Vec::new();
    for block in pcm.chunks(block) {
        events.extend(transcriber.push(block).unwrap());
    }
    events.extend(transcriber.finish().unwrap());
    events
}

#[test]
fn probabilities_are_those_of_onnx_runtime() {
    let found = probabilities(&mut vad(), &sample());
    let found: Vec<f32> = found.into_iter().step_by(8).collect();
    assert_eq!(found.len(), PROBABILITIES.len());
    for (index, (found, expected)) in found.iter().zip(PROBABILITIES).enumerate() {
        assert!(
            (found - expected).abs() < 1e-4,
            "{index}: {found} {expected}"
        );
    }
}

#[test]
fn a_reset_detector_has_forgotten() {
    let (mut vad, sample) = (vad(), sample());
    let first = probabilities(&mut vad, &sample[..80_000]);
    vad.reset();
    assert_eq!(probabilities(&mut vad, &sample[..80_000]), first);
}

#[test]
fn the_sample_is_read_the_same_in_blocks_of_any_size() {
    let sample = sample();
    let whole = transcribe(&sample, sample.len());
    let text: Vec<&str> = whole
        .iter()
        .filter_map(|event| match event {
            Event::Segment(segment) => Some(segment.text.as_str()),
            _ => None,
        })
        .collect();
    let text = text.join(" ").to_lowercase();
    assert!(text.starts_with("ever tried"), "{text}");
    assert!(text.ends_with("fail better."), "{text}");
    assert_eq!(transcribe(&sample, 777), whole);
}

/// A minute each; the bench has ten, at three levels.
#[test]
fn silence_hum_noise_and_a_sweep_give_no_text() {
    let samples = 60 * 16_000;
    // Knuth's MMIX generator, the upper bits.
    let mut state = 1u64;
    let mut noise = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    let white: Vec<f32> = (0..samples).map(|_| 0.3 * noise()).collect();
    let turns = |n: usize| n as f64 / 16_000.0 * std::f64::consts::TAU;
    let hum: Vec<f32> = (0..samples)
        .map(|n| 0.3 * (50.0 * turns(n)).sin() as f32)
        .collect();
    // From 20 Hz up to 7.9 kHz, evenly in time.
    let sweep: Vec<f32> = (0..samples)
        .map(|n| {
            let share = n as f64 / samples as f64;
            0.45 * ((20.0 + 7_880.0 * share / 2.0) * turns(n)).sin() as f32
        })
        .collect();
    for (name, pcm) in [
        ("silence", vec![0.0; samples]),
        ("white noise", white),
        ("hum", hum),
        ("sweep", sweep),
    ] {
        let text = transcribe(&pcm, 16_000)
            .into_iter()
            .find(|event| matches!(event, Event::Segment(_)));
        assert_eq!(text, None, "{name}");
    }
}
