//! Text to token ids, as the model writes them.
//!
//! The vocabulary is SentencePiece's: a word begins with a space, and its pieces come from
//! joining neighbours, the pair first whose joined piece has the least id, until no two
//! neighbours join (Sennrich et al., "Neural Machine Translation of Rare Words with Subword
//! Units", 2016; ids are given in the order of the merges). No piece reaches from one word into
//! the next, so that each word is encoded by itself.

use std::collections::HashMap;

use crate::tokenizer::{Piece, Tokenizer};

/// The vocabulary, from text to ids.
pub(super) struct Encoder<'a> {
    /// The id of each text. Equal texts have several where one of them has invisible characters
    /// besides, which a [`Tokenizer`] drops: such a piece was joined from the other, and so has
    /// the greater id, unless the other is a single character, whose ids come last.
    pieces: HashMap<&'a str, u32>,
    bytes: HashMap<u8, u32>,
}

impl<'a> Encoder<'a> {
    /// An encoder of what `tokenizer` decodes.
    pub(super) fn new(tokenizer: &'a Tokenizer) -> Encoder<'a> {
        let mut encoder = Encoder {
            pieces: HashMap::with_capacity(tokenizer.vocabulary_size()),
            bytes: HashMap::new(),
        };
        // The tokenizer holds a vocabulary of 2^20 at most.
        for id in 0..tokenizer.vocabulary_size() as u32 {
            match tokenizer.piece(id) {
                Piece::Text("") | Piece::Special => {}
                Piece::Text(text) if is_character(text) => {
                    encoder.pieces.insert(text, id);
                }
                Piece::Text(text) => {
                    encoder.pieces.entry(text).or_insert(id);
                }
                Piece::Byte(byte) => {
                    encoder.bytes.entry(byte).or_insert(id);
                }
            }
        }
        encoder
    }

    /// The tokens of `text`, whose words are parted by white space; `None` where the vocabulary
    /// cannot write it.
    pub(super) fn encode(&self, text: &str) -> Option<Vec<u32>> {
        let mut tokens = Vec::new();
        for word in text.split_whitespace() {
            self.word(&format!(" {word}"), &mut tokens)?;
        }
        Some(tokens)
    }

    /// Joins neighbours until none join. A phrase has 200 bytes at most, so the square of a
    /// word's length is small.
    fn word(&self, word: &str, tokens: &mut Vec<u32>) -> Option<()> {
        let mut ends: Vec<usize> = word
            .char_indices()
            .map(|(at, character)| at + character.len_utf8())
            .collect();
        // A piece reaches from the end of the one before it, or from the start, to its own end.
        let start = |ends: &[usize], index: usize| match index {
            0 => 0,
            _ => ends[index - 1],
        };
        loop {
            let joined = (1..ends.len()).filter_map(|index| {
                let text = &word[start(&ends, index - 1)..ends[index]];
                self.pieces.get(text).map(|id| (*id, index - 1))
            });
            match joined.min() {
                Some((_, index)) => ends.remove(index),
                None => break,
            };
        }
        for index in 0..ends.len() {
            let text = &word[start(&ends, index)..ends[index]];
            match self.pieces.get(text) {
                Some(id) => tokens.push(*id),
                None => {
                    for byte in text.bytes() {
                        tokens.push(*self.bytes.get(&byte)?);
                    }
                }
            }
        }
        Some(())
    }
}

/// Whether `text` is one character that can be seen. A line break is a space here, too.
fn is_character(text: &str) -> bool {
    text.chars().count() == 1 && text != " "
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Pieces in the order of their merges, then letters, as SentencePiece numbers them; no
    /// space alone, no `z`, but the byte of it.
    fn tokenizer() -> Tokenizer {
        let pieces = [
            "<s>",
            "<0x7A>",
            "er",
            "\u{2581}h",
            "ey",
            "\u{2581}hey",
            "the",
            "\u{2581}",
            "h",
            "e",
            "y",
            "r",
            "t",
            "e",
        ];
        let vocabulary: Vec<String> = pieces[..13]
            .iter()
            .enumerate()
            .map(|(id, piece)| format!("{piece:?}: {id}").replace("\\u{2581}", "\u{2581}"))
            .collect();
        let json = format!(
            r#"{{"model": {{"type": "BPE", "vocab": {{{}}}}},
            "added_tokens": [{{"id": 0, "content": "<s>", "special": true}}],
            "decoder": {{"type": "Sequence", "decoders": [
              {{"type": "Replace", "pattern": {{"String": "\u2581"}}, "content": " "}},
              {{"type": "ByteFallback"}}, {{"type": "Fuse"}},
              {{"type": "Strip", "content": " ", "start": 1, "stop": 0}}]}}}}"#,
            vocabulary.join(", ")
        );
        Tokenizer::from_json(json.as_bytes()).expect("a tokenizer")
    }

    #[test]
    fn neighbours_join_in_the_order_of_their_ids() {
        let tokenizer = tokenizer();
        let encoder = Encoder::new(&tokenizer);
        assert_eq!(encoder.encode("hey"), Some(vec![5]));
        // "er" has a lesser id than " h" has with it, and "ey" comes too late.
        assert_eq!(encoder.encode("hery"), Some(vec![3, 2, 10]));
        assert_eq!(encoder.encode(" hey   hey "), Some(vec![5, 5]));
        assert_eq!(encoder.encode(""), Some(vec![]));
    }

    #[test]
    fn what_has_no_piece_is_written_in_bytes_or_not_at_all() {
        let tokenizer = tokenizer();
        let encoder = Encoder::new(&tokenizer);
        assert_eq!(encoder.encode("hez"), Some(vec![3, 9, 1]));
        assert_eq!(encoder.encode("hex"), None);
    }

    #[test]
    fn a_piece_with_an_invisible_character_is_not_what_is_written() {
        let json = r#"{"model": {"type": "BPE", "vocab": {"<s>": 0, "\u2581a": 1, ",\u200e": 2,
            "\u2581a\u200e": 3, "\u2581": 4, "\r": 5, "a": 6, ",": 7}},
            "added_tokens": [{"id": 0, "content": "<s>", "special": true}],
            "decoder": {"type": "Sequence", "decoders": [
              {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
              {"type": "ByteFallback"}, {"type": "Fuse"},
              {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}}"#;
        let tokenizer = Tokenizer::from_json(json.as_bytes()).expect("a tokenizer");
        let encoder = Encoder::new(&tokenizer);
        assert_eq!(encoder.encode("a,"), Some(vec![1, 7]));
        assert_eq!(encoder.encode(","), Some(vec![4, 7]));
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_the_same(words in prop::collection::vec("[heyrtz]{1,12}", 0..6)) {
            let tokenizer = tokenizer();
            let text = words.join(" ");
            let tokens = Encoder::new(&tokenizer).encode(&text).expect("all letters have tokens");
            prop_assert_eq!(tokenizer.decode(&tokens), text);
        }

        #[test]
        fn nothing_that_is_said_ends_it(text in ".{0,60}") {
            Encoder::new(&tokenizer()).encode(&text);
        }
    }
}
