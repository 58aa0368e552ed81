//! A model of a few bytes, for the tests of this crate.

use std::fmt::Write;

use crate::{Card, Digest, Role};

/// The small model's files: role, name, bytes.
pub(crate) const SMALL_FILES: [(Role, &str, &[u8]); 4] = [
    (Role::Encoder, "encoder.onnx", b"the encoder's graph"),
    (
        Role::Decoder,
        "decoder.onnx",
        b"the decoder's graph, a little longer",
    ),
    (Role::Tokenizer, "tokenizer.json", b"{}"),
    (Role::Sample, "sample.wav", b"no real sound"),
];

/// The card of [`SMALL_FILES`].
pub(crate) fn small_card() -> Card {
    card_of(&SMALL_FILES)
}

/// A speech card of these files.
pub(crate) fn card_of(files: &[(Role, &str, &[u8])]) -> Card {
    let mut text = String::from(
        r#"format = 1
name = "small"
title = "A model of a few bytes"
kind = "speech"
language = "en"
licence = { spdx = "MIT", stated = "here" }
speech = { sample_rate = 16000, samples_per_frame = 384, layers = 1, heads = 1, head_dimension = 1, vocabulary = 3, start_token = 1, end_token = 2, max_tokens_per_second = 6.5 }

[[source]]
registry = "npm"
name = "small"
version = "1"
archive = "small.tgz"
size = 1
sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"#,
    );
    for (role, name, bytes) in files {
        let (size, digest) = (bytes.len(), Digest::of(bytes));
        write!(
            text,
            r#"
[[file]]
role = "{role}"
name = "{name}"
source = "small"
path = "package/{name}"
size = {size}
sha256 = "{digest}"
"#
        )
        .expect("writing to a string cannot fail");
        if *role == Role::Sample {
            text.push_str("transcript = \"none\"\n");
        }
    }
    Card::parse(&text).expect("the small card is a card")
}
