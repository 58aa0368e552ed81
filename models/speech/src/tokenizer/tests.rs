use proptest::prelude::*;
use serde_json::{Value, json};

use super::{MAX_TOKEN_BYTES, MAX_VOCABULARY, Piece, Tokenizer, TokenizerError, printable};

/// The decoder section of Moonshine's file.
fn decoder() -> Value {
    json!({"type": "Sequence", "decoders": [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0},
    ]})
}

/// Ids 0 to 2 are special, 3 to 258 are the bytes, then come a few pieces.
fn file() -> Value {
    let mut vocabulary = serde_json::Map::new();
    for (id, piece) in ["<unk>", "<s>", "</s>"].iter().enumerate() {
        vocabulary.insert((*piece).to_owned(), json!(id));
    }
    for byte in 0..=255_u32 {
        vocabulary.insert(format!("<0x{byte:02X}>"), json!(byte + 3));
    }
    for (index, piece) in [
        "▁Hello",
        ",",
        "▁wor",
        "ld",
        "▁",
        "▁▁",
        "};\r",
        "\u{9b}31m",
        "é",
    ]
    .iter()
    .enumerate()
    {
        vocabulary.insert((*piece).to_owned(), json!(259 + index));
    }
    json!({
        "version": "1.0",
        "normalizer": null,
        "model": {"type": "BPE", "vocab": vocabulary, "merges": ["a b", "c d"]},
        "added_tokens": [
            {"id": 0, "content": "<unk>", "special": true},
            {"id": 1, "content": "<s>", "special": true},
            {"id": 2, "content": "</s>", "special": true},
            {"id": 300, "content": "<<ST_0>>", "special": true},
            {"id": 301, "content": "▁plain", "special": false},
        ],
        "decoder": decoder(),
    })
}

fn read(file: &Value) -> Result<Tokenizer, TokenizerError> {
    Tokenizer::from_json(file.to_string().as_bytes())
}

fn tokenizer() -> Tokenizer {
    read(&file()).unwrap()
}

/// The tokens of `bytes`.
fn bytes(bytes: &[u8]) -> Vec<u32> {
    bytes.iter().map(|byte| u32::from(*byte) + 3).collect()
}

#[test]
fn pieces_join_and_the_first_space_goes() {
    let check = |tokens: &[u32], expected: &str| {
        assert_eq!(tokenizer().decode(tokens), expected, "{tokens:?}");
    };
    check(&[], "");
    check(&[1, 259, 260, 261, 262, 2], "Hello, world");
    check(&[263, 259], " Hello");
    check(&[264], " ");
    check(&[262, 261, 262], "ld world");
    check(&[301], "plain");
}

#[test]
fn special_and_unknown_ids_are_not_text() {
    let tokenizer = tokenizer();
    for id in [0, 1, 2, 300, 299, 302, u32::MAX] {
        assert_eq!(tokenizer.piece(id), Piece::Special);
        assert_eq!(tokenizer.decode(&[259, id, 260]), "Hello,");
    }
    assert_eq!(tokenizer.vocabulary_size(), 302);
}

#[test]
fn byte_tokens_make_characters_or_replacement_characters() {
    let tokenizer = tokenizer();
    assert_eq!(tokenizer.decode(&bytes("a 日本😀".as_bytes())), "a 日本😀");
    assert_eq!(tokenizer.decode(&bytes(&[0xe6, 0x97])), "\u{fffd}\u{fffd}");
    assert_eq!(tokenizer.decode(&bytes(&[0x61, 0xff])), "\u{fffd}\u{fffd}");
    // A piece of text ends a run; a token that is not text does not.
    let split = [&bytes(&[0xc3])[..], &[260], &bytes(&[0xa9])].concat();
    assert_eq!(tokenizer.decode(&split), "\u{fffd},\u{fffd}");
    let within = [&bytes(&[0xc3])[..], &[300], &bytes(&[0xa9])].concat();
    assert_eq!(tokenizer.decode(&within), "é");
}

#[test]
fn control_and_invisible_characters_never_reach_the_text() {
    let tokenizer = tokenizer();
    assert_eq!(tokenizer.decode(&[265, 259]), "};  Hello");
    assert_eq!(tokenizer.decode(&[266]), "31m");
    let escape = "\u{1b}[2J\u{7}\u{7f}\u{202e}\u{200b}\u{feff}x\ny";
    assert_eq!(tokenizer.decode(&bytes(escape.as_bytes())), "[2Jx y");
}

#[test]
fn a_stream_shows_no_half_character() {
    let tokenizer = tokenizer();
    let mut stream = tokenizer.stream();
    let mut text = String::new();
    for token in bytes("é".as_bytes()) {
        stream.push(token, &mut text);
        assert_eq!(text, "");
    }
    stream.push(260, &mut text);
    assert_eq!(text, "é,");
}

#[test]
fn a_decoder_that_does_otherwise_is_refused() {
    let changed = |pointer: &str, value: Value| {
        let mut file = file();
        *file.pointer_mut(pointer).unwrap() = value;
        read(&file).unwrap_err().to_string()
    };
    let steps = "/decoder/decoders";
    let check = |message: String, expected: &str| {
        assert!(message.contains(expected), "{message} lacks {expected}");
    };
    check(
        changed("/decoder", json!({"type": "WordPiece"})),
        "WordPiece",
    );
    check(changed("/decoder", Value::Null), "RawDecoder");
    check(changed("/decoder", json!({"type": "Fuse"})), "Replace");
    check(changed(steps, json!([])), "nothing more");
    check(
        changed(&format!("{steps}/1"), json!({"type": "Fuse"})),
        "expected ByteFallback",
    );
    check(changed(&format!("{steps}/3/stop"), json!(1)), "Strip");
    check(changed(&format!("{steps}/3/content"), json!("x")), "Strip");
    check(
        changed(&format!("{steps}/0/pattern"), json!({"Regex": "a*"})),
        "Regex",
    );
    check(
        changed(&format!("{steps}/0/pattern"), json!({"String": ""})),
        "Replace",
    );
    let mut five = file();
    let list = five.pointer_mut(steps).unwrap().as_array_mut().unwrap();
    list.push(json!({"type": "Fuse"}));
    check(read(&five).unwrap_err().to_string(), "nothing more");
}

#[test]
fn a_vocabulary_out_of_bounds_is_refused() {
    let with = |piece: &str, id: Value| {
        let mut file = file();
        file["model"]["vocab"][piece] = id;
        read(&file)
    };
    assert!(matches!(
        with("twice", json!(5)),
        Err(TokenizerError::Duplicate { id: 5 })
    ));
    assert!(with("last", json!(MAX_VOCABULARY - 1)).is_ok());
    assert!(matches!(
        with("beyond", json!(MAX_VOCABULARY)),
        Err(TokenizerError::Json(_))
    ));
    assert!(with("negative", json!(-1)).is_err());
    assert!(with(&"x".repeat(MAX_TOKEN_BYTES), json!(400)).is_ok());
    assert!(with(&"x".repeat(MAX_TOKEN_BYTES + 1), json!(400)).is_err());

    let mut grown = file();
    grown["decoder"]["decoders"][0]["content"] = json!("x".repeat(MAX_TOKEN_BYTES));
    assert!(matches!(read(&grown), Err(TokenizerError::Long { .. })));
}

#[test]
fn another_kind_of_model_is_refused() {
    let mut unigram = file();
    unigram["model"]["type"] = json!("Unigram");
    assert!(matches!(read(&unigram), Err(TokenizerError::Model { .. })));
}

#[test]
fn every_truncation_is_an_error() {
    let json = file().to_string();
    for end in (0..json.len()).step_by(7) {
        assert!(Tokenizer::from_json(&json.as_bytes()[..end]).is_err());
    }
}

proptest! {
    #[test]
    fn a_stream_adds_up_to_the_whole(tokens in prop::collection::vec(0..310_u32, 0..600)) {
        let tokenizer = tokenizer();
        let mut stream = tokenizer.stream();
        let mut text = String::new();
        for &token in &tokens {
            let before = text.clone();
            stream.push(token, &mut text);
            prop_assert!(text.starts_with(&before));
        }
        stream.finish(&mut text);
        prop_assert_eq!(&text, &tokenizer.decode(&tokens));
        prop_assert!(text.chars().all(|c| printable(c) == Some(c)));
    }

    #[test]
    fn flipped_bytes_do_not_panic(position in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut json = file().to_string().into_bytes();
        let position = position.index(json.len());
        json[position] = byte;
        if let Ok(tokenizer) = Tokenizer::from_json(&json) {
            tokenizer.decode(&(0..400).collect::<Vec<_>>());
        }
    }
}
