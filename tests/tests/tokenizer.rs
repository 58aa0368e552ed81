//! The tokenizer on the file that the models come with, against the library it stems from.

use earnest_package::{Card, Role};
use earnest_speech::{Piece, Tokenizer};

mod support;

/// Made as `data/README.md` tells.
const GOLDEN: &str = include_str!("../data/tokens.json");

#[cfg(test)]
fn tokenizer() -> Tokenizer {
    let card = Card::named("moonshine-tiny-en-int8").expect("is compiled in");
    let file = card.file(Role::Tokenizer).expect("the card names one");
    let bytes = file.read(&support::models().join(card.name()));
    Tokenizer::from_json(&bytes.expect(support::FETCH)).unwrap()
}

#[test]
fn texts_are_those_of_the_tokenizers_library() {
    let tokenizer = tokenizer();
    let cases: serde_json::Value = serde_json::from_str(GOLDEN).unwrap();
    let cases = cases.as_array().unwrap();
    assert!(cases.len() >= 40);
    for case in cases {
        let ids = case["tokens"].as_array().unwrap();
        let tokens: Vec<u32> = ids.iter().map(|id| id.as_u64().unwrap() as u32).collect();
        assert_eq!(tokenizer.decode(&tokens), case["text"], "{tokens:?}");
    }
}

#[test]
fn every_token_of_the_model_is_printable() {
    let tokenizer = tokenizer();
    assert_eq!(tokenizer.vocabulary_size(), 32_768);
    let mut texts = 0;
    for token in 0..32_768 {
        if let Piece::Text(text) = tokenizer.piece(token) {
            texts += 1;
            assert!(!text.contains(char::is_control), "token {token}: {text:?}");
        }
    }
    // All but 3 + 768 special tokens and the 256 bytes.
    assert_eq!(texts, 32_768 - 3 - 768 - 256);
}
