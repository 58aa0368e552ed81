//! The model on tract: the tokens of ONNX Runtime, the same on any number of threads, and a
//! refusal for whatever is not the model that the card describes.

mod support;

use earnest_package::{Card, Model, Role};
use earnest_speech::{
    DecodeOptions, EngineOptions, Hypothesis, LoadError, MAX_SEGMENT_SAMPLES, Recognize,
    Recognizer, SharedModels, SpeechError, share,
};
use support::{model, sample};

/// What ONNX Runtime 1.32 reads in the sample recording, greedily, from the same files.
const TINY: [u32; 17] = [
    18274, 1898, 29892, 3926, 5229, 29892, 694, 4383, 1018, 1449, 29892, 4418, 1449, 29892, 4418,
    2253, 29889,
];
const BASE: [u32; 14] = [
    18274, 1898, 3926, 5229, 29892, 694, 4383, 1018, 1449, 4418, 1449, 4418, 2253, 29889,
];

#[cfg(test)]
fn card(name: &str) -> &'static Card {
    Card::named(name).unwrap()
}

#[cfg(test)]
fn recognizer(size: &str, threads: usize) -> Recognizer {
    let model = model(&format!("moonshine-{size}-en-int8"));
    Recognizer::load(&model, &EngineOptions { threads }).unwrap()
}

#[cfg(test)]
fn read(recognizer: &mut Recognizer, pcm: &[f32]) -> Hypothesis {
    recognizer
        .recognize(
            pcm,
            &DecodeOptions {
                cross_attention: true,
                ..DecodeOptions::default()
            },
        )
        .unwrap()
}

#[test]
fn shared_weights_read_the_same_as_packed_ones() {
    let voice = model("silero-vad-6.2");
    for size in ["tiny", "base"] {
        let speech = model(&format!("moonshine-{size}-en-int8"));
        let shared = SharedModels::open(&share(&speech, &voice).unwrap()).unwrap();
        let options = EngineOptions { threads: 1 };
        let mut readers = [
            shared.recognizer(&options).unwrap(),
            shared.recognizer(&options).unwrap(),
            recognizer(size, 1),
        ];
        let [first, second, packed] = readers.each_mut().map(|reader| read(reader, &sample()));
        assert_eq!(first, packed, "{size}");
        assert_eq!(second, packed, "{size}");
        shared.vad().unwrap();
    }
}

#[test]
fn tokens_are_those_of_onnx_runtime_on_one_thread_and_on_two() {
    let sample = sample();
    for (size, tokens) in [("tiny", TINY.as_slice()), ("base", BASE.as_slice())] {
        let one = read(&mut recognizer(size, 1), &sample);
        assert_eq!(one.tokens, tokens, "{size}");
        assert!(one.ended);
        assert_eq!(
            one,
            read(&mut recognizer(size, 2), &sample),
            "{size} on two threads"
        );
    }
}

#[test]
fn nothing_of_one_segment_reaches_the_next() {
    let (mut recognizer, sample) = (recognizer("tiny", 1), sample());
    let first = read(&mut recognizer, &sample);
    read(&mut recognizer, &sample[..50_000]);
    // A decoding left in the middle, too.
    let encoded = recognizer.encode(&sample[20_000..]).unwrap();
    recognizer
        .start(&encoded, &DecodeOptions::default())
        .step()
        .unwrap();
    assert_eq!(read(&mut recognizer, &sample), first);
}

#[test]
fn probabilities_and_attention_are_what_they_say() {
    let hypothesis = read(&mut recognizer("tiny", 1), &sample());
    assert_eq!(hypothesis.logprobs.len(), hypothesis.tokens.len() + 1);
    assert!(hypothesis.logprobs.iter().all(|&logprob| logprob <= 1e-5));
    let attention = hypothesis.cross_attention.unwrap();
    assert_eq!(
        (attention.heads, attention.tokens),
        (48, hypothesis.logprobs.len())
    );
    assert_eq!(
        attention.weights.len(),
        attention.heads * attention.tokens * attention.frames
    );
    for row in attention.weights.chunks_exact(attention.frames) {
        let sum: f32 = row.iter().sum();
        assert!((sum - 1.0).abs() < 1e-4, "a row of attention sums to {sum}");
    }
}

#[test]
fn odd_sound_is_read_or_refused_and_never_panics() {
    let mut recognizer = recognizer("tiny", 1);
    for length in [0, 1, 126, 127, 894, 895, 896, 1_278, 1_279, 16_000] {
        for level in [0.0, 1e-30, 1.0, f32::MAX] {
            let pcm: Vec<f32> = (0..length)
                .map(|i| if i % 7 < 3 { level } else { -level })
                .collect();
            let hypothesis = read(&mut recognizer, &pcm);
            assert!(hypothesis.tokens.len() <= 7, "{length} samples of {level}");
        }
    }
    let refused = recognizer.encode(&[0.0, f32::NAN]);
    assert!(matches!(
        refused,
        Err(SpeechError::NotFinite { position: 1 })
    ));
    let refused = recognizer.encode(&vec![0.0; MAX_SEGMENT_SAMPLES + 1]);
    assert!(matches!(refused, Err(SpeechError::SegmentTooLong { .. })));
    assert!(recognizer.encode(&vec![0.0; MAX_SEGMENT_SAMPLES]).is_ok());
}

/// A model whose files are `encoder` and `decoder`, whatever they are, under a card that says
/// so: what a wrong card would let through.
#[cfg(test)]
fn passed_off(encoder: Vec<u8>, decoder: Vec<u8>) -> Model {
    let genuine = card("moonshine-tiny-en-int8");
    let folder = support::models().join(genuine.name());
    let tokenizer = genuine
        .file(Role::Tokenizer)
        .unwrap()
        .read(&folder)
        .expect(support::FETCH);
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../models/cards/moonshine-tiny-en-int8.toml"
    );
    let mut text = std::fs::read_to_string(path).unwrap();
    for (role, bytes) in [(Role::Encoder, &encoder), (Role::Decoder, &decoder)] {
        let file = genuine.file(role).unwrap();
        let digest = earnest_package::Digest::of(bytes).to_string();
        text = text.replace(&file.sha256().to_string(), &digest);
        text = text.replace(
            &format!("size = {}", file.size()),
            &format!("size = {}", bytes.len()),
        );
    }
    let card = Card::parse(&text).unwrap();
    let files = [
        (Role::Encoder, encoder),
        (Role::Decoder, decoder),
        (Role::Tokenizer, tokenizer),
    ];
    Model::from_files(&card, files).unwrap()
}

#[test]
fn a_graph_of_another_shape_is_refused_by_name() {
    let options = EngineOptions::default();
    let mut tiny = model("moonshine-tiny-en-int8");
    let encoder = tiny.take(Role::Encoder).unwrap().to_vec();
    let decoder = tiny.take(Role::Decoder).unwrap().to_vec();
    let vad = model("silero-vad-6.2").take(Role::Vad).unwrap().to_vec();

    let refused = Recognizer::load(&passed_off(vad.clone(), decoder.clone()), &options);
    assert!(matches!(
        refused,
        Err(LoadError::UnexpectedGraph {
            graph: "encoder",
            ..
        })
    ));
    let refused = Recognizer::load(&passed_off(encoder.clone(), vad), &options);
    assert!(matches!(
        refused,
        Err(LoadError::UnexpectedGraph {
            graph: "decoder",
            ..
        })
    ));
    let refused = Recognizer::load(&passed_off(encoder.clone(), encoder.clone()), &options);
    assert!(matches!(refused, Err(LoadError::UnexpectedGraph { .. })));
    let base = model("moonshine-base-en-int8").take(Role::Decoder).unwrap();
    let refused = Recognizer::load(&passed_off(encoder.clone(), base.to_vec()), &options);
    assert!(matches!(refused, Err(LoadError::UnexpectedGraph { .. })));
    let refused = Recognizer::load(&passed_off(b"not a model".to_vec(), decoder), &options);
    assert!(matches!(
        refused,
        Err(LoadError::NotOnnx {
            what: "encoder",
            ..
        })
    ));
    let refused = Recognizer::load(&model("silero-vad-6.2"), &options);
    assert!(matches!(refused, Err(LoadError::MissingFile { .. })));
}
