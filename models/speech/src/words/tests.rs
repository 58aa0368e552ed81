use proptest::prelude::*;

use super::*;

/// Pieces with ids in order; ids beyond them are special.
const PIECES: [&str; 9] = [
    "▁Hello",
    ",",
    "▁wor",
    "ld",
    ".",
    "▁",
    "7",
    "▁\u{201c}",
    "<0xC3>",
];

fn tokenizer() -> Tokenizer {
    let vocabulary: serde_json::Map<_, _> = PIECES
        .iter()
        .enumerate()
        .map(|(id, piece)| ((*piece).to_owned(), id.into()))
        .collect();
    let json = serde_json::json!({
        "model": {"type": "BPE", "vocab": vocabulary},
        "decoder": {"type": "Sequence", "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "ByteFallback"},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ]},
    });
    Tokenizer::from_json(json.to_string().as_bytes()).unwrap()
}

/// A hypothesis whose tokens each look at their own stretch of `frames` frames.
fn hypothesis(tokens: &[u32], frames: usize) -> Hypothesis {
    let rows = tokens.len() + 1;
    let mut weights = vec![0.0; rows * frames * rows];
    for row in 0..rows {
        let place = row * frames * rows + row * frames;
        weights[place..place + frames].fill(1.0);
    }
    Hypothesis {
        tokens: tokens.to_vec(),
        logprobs: vec![0.5_f32.ln(); rows],
        ended: true,
        cross_attention: Some(CrossAttention {
            heads: 1,
            tokens: rows,
            frames: frames * rows,
            weights,
        }),
    }
}

/// Sound without pauses for a hypothesis of `frames` frames.
fn steady(frames: usize) -> Vec<f32> {
    vec![0.1; frames * SAMPLES_PER_FRAME + 895]
}

#[test]
fn words_have_the_frames_of_their_spoken_tokens() {
    let words = align_words(&tokenizer(), &hypothesis(&[0, 1, 2, 3, 4], 5), &steady(30)).unwrap();
    let told: Vec<_> = words
        .iter()
        .map(|word| (word.text.as_str(), word.start, word.end))
        .collect();
    // The offset of 255 samples is half of what a frame sees beyond its own share.
    assert_eq!(
        told,
        [
            ("Hello,", 0, 5 * 384 + 255),
            ("world.", 10 * 384 + 255, 20 * 384 + 255),
        ]
    );
    assert!(
        words
            .iter()
            .all(|word| (word.probability - 0.5).abs() < 1e-6)
    );
}

#[test]
fn words_leave_pauses_out() {
    let mut pcm = steady(20);
    // "Hello" has frames 0 to 10; it is said in the last three of them.
    pcm[..7 * SAMPLES_PER_FRAME].fill(0.0);
    let words = align_words(&tokenizer(), &hypothesis(&[0], 10), &pcm).unwrap();
    assert_eq!(words[0].start, 7 * SAMPLES_PER_FRAME);
    assert_eq!(words[0].end, 10 * SAMPLES_PER_FRAME + 255);
}

#[test]
fn quotes_and_lone_spaces_stay_with_their_words() {
    let tokenizer = tokenizer();
    let words = align_words(&tokenizer, &hypothesis(&[7, 3, 5, 6, 6], 2), &steady(12)).unwrap();
    let texts: Vec<_> = words.iter().map(|word| word.text.as_str()).collect();
    assert_eq!(texts, ["\u{201c}ld", "77"]);
    assert_eq!(words[0].start, 2 * 384 + 255);
}

#[test]
fn attention_of_another_shape_is_refused() {
    let tokenizer = tokenizer();
    let whole = hypothesis(&[0, 1], 3);
    let refused = |change: &dyn Fn(&mut Hypothesis)| {
        let mut hypothesis = whole.clone();
        change(&mut hypothesis);
        align_words(&tokenizer, &hypothesis, &steady(9)).unwrap_err()
    };
    assert_eq!(
        refused(&|h| h.cross_attention = None),
        WordsError::NoCrossAttention
    );
    let shape = |error: WordsError| matches!(error, WordsError::Shape { .. });
    assert!(shape(refused(&|h| h.ended = false)));
    assert!(shape(refused(&|h| h.tokens.push(1))));
    assert!(shape(refused(&|h| h.logprobs.clear())));
    assert!(shape(refused(&|h| {
        h.cross_attention.as_mut().unwrap().weights.pop();
    })));
    assert!(shape(refused(&|h| {
        h.cross_attention.as_mut().unwrap().frames = usize::MAX;
    })));
}

proptest! {
    #[test]
    fn words_are_the_text_in_order_and_within_the_sound(
        tokens in prop::collection::vec(0..12_u32, 0..30),
        frames in 1..4_usize,
        length in 0..40_000_usize,
    ) {
        let tokenizer = tokenizer();
        let pcm = vec![0.1; length];
        let words = align_words(&tokenizer, &hypothesis(&tokens, frames), &pcm).unwrap();
        let joined: Vec<_> = words.iter().map(|word| word.text.as_str()).collect();
        let text = tokenizer.decode(&tokens);
        let expected: Vec<_> = text.split_whitespace().collect();
        prop_assert_eq!(joined, expected);
        prop_assert!(words.iter().all(|word| word.start <= word.end && word.end <= length));
        prop_assert!(words.windows(2).all(|pair| pair[0].start <= pair[1].start));
    }
}
