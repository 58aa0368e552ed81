//! Cards that parse and cards that must not.

use super::*;

const GOOD: &str = include_str!("../../../cards/moonshine-tiny-en-int8.toml");

/// The tiny card with the first `from` turned into `to`.
fn changed(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "the card has no {from:?}");
    GOOD.replacen(from, to, 1)
}

fn refused(text: &str) -> CardError {
    Card::parse(text).expect_err("must be refused")
}

#[test]
fn the_tiny_card_reads_as_it_is_written() {
    let card = Card::parse(GOOD).unwrap();
    assert_eq!(card.name(), "moonshine-tiny-en-int8");
    assert_eq!(card.text(), GOOD);
    assert_eq!(card.digest(), Digest::of(GOOD.as_bytes()));
    assert_eq!(card.licence().spdx(), "MIT");
    assert_eq!((card.sources().len(), card.files().len()), (2, 4));
    let Kind::Speech(shape) = card.kind() else {
        panic!("is a speech model");
    };
    assert_eq!(
        (shape.layers, shape.heads, shape.head_dimension),
        (6, 8, 36)
    );
    assert_eq!((shape.start_token, shape.end_token), (1, 2));
    let sample = card.file(Role::Sample).unwrap();
    assert!(sample.transcript().unwrap().ends_with("Fail better."));
    assert_eq!(
        card.source(sample.source()).unwrap().registry(),
        Registry::Pypi
    );
    let logits = card
        .tensors()
        .iter()
        .find(|tensor| tensor.name() == "logits")
        .unwrap();
    assert_eq!(
        logits.shape(),
        [
            Dimension::Symbol("batch".into()),
            Dimension::Symbol("tokens".into()),
            Dimension::Fixed(32_768)
        ]
    );
    let counts = card.accuracy()[0].counts().unwrap();
    assert_eq!((counts.words, counts.errors), (2058, 106));
}

#[test]
fn hidden_size_is_heads_times_head_dimension_in_every_builtin_speech_card() {
    for card in Card::builtin() {
        if let Kind::Speech(shape) = card.kind() {
            let hidden = Dimension::Fixed(shape.heads * shape.head_dimension);
            let frames = card
                .tensors()
                .iter()
                .find(|tensor| tensor.name() == "last_hidden_state")
                .unwrap();
            assert_eq!(frames.shape()[2], hidden, "{}", card.name());
        }
    }
}

#[test]
fn a_text_over_the_limit_is_refused_before_it_is_read() {
    let long = format!("{GOOD}{}", "#".repeat(MAX_CARD_BYTES));
    assert_eq!(
        refused(&long),
        CardError::TooLong {
            limit: MAX_CARD_BYTES,
            found: long.len()
        }
    );
}

#[test]
fn unknown_fields_and_values_are_refused() {
    for text in [
        changed("format = 1", "format = 1\nextra = 1"),
        changed("spdx =", "url = \"\"\nspdx ="),
        changed("registry = \"npm\"", "registry = \"ftp\""),
        changed("role = \"encoder\"", "role = \"oracle\""),
        changed("element = \"f32\"", "element = \"f8\""),
        changed("sha256 = \"8", "sha256 = \"G"),
        changed("size = 21514347", "size = -1"),
        GOOD[..200].to_owned(),
        String::new(),
    ] {
        assert!(matches!(refused(&text), CardError::Syntax { .. }), "{text}");
    }
    assert_eq!(
        refused(&changed("format = 1", "format = 2")),
        CardError::Format {
            expected: 1,
            found: 2
        }
    );
}

#[test]
fn names_cannot_leave_their_folder_or_pass_for_options() {
    let check = |field: &str, from: &str, to: &str| {
        let error = refused(&changed(from, to));
        assert!(
            matches!(&error, CardError::Text { field: found, .. } if *found == field),
            "{to}: {error}"
        );
    };
    for bad in [
        "", ".", "..", ".hidden", "-rf", "a/b", "a\\\\b", "A", "ä", "a b", "a\\u0000",
    ] {
        check(
            "file.name",
            "name = \"encoder_model.onnx\"",
            &format!("name = \"{bad}\""),
        );
        check(
            "name",
            "name = \"moonshine-tiny-en-int8\"",
            &format!("name = \"{bad}\""),
        );
    }
    for bad in ["", "/etc/passwd", "a//b", "a/../b", "./a", "a/", "C:\\\\a"] {
        check(
            "file.path",
            "path = \"moonshine_onnx/assets/tokenizer.json\"",
            &format!("path = \"{bad}\""),
        );
    }
    for bad in ["", "-v", "latest", "1 2", "1;id"] {
        check(
            "source.version",
            "version = \"0.1.29\"",
            &format!("version = \"{bad}\""),
        );
    }
    for bad in [
        "", "-g", "@a", "@/b", "@a/", "@a/b/c", "@-a/b", "../x", "a@b",
    ] {
        check(
            "source.name",
            "name = \"@moonshine-ai/moonshine-js\"",
            &format!("name = \"{bad}\""),
        );
    }
    check(
        "source.name",
        "name = \"useful-moonshine-onnx\"",
        "name = \"@a/b\"",
    );
    check("source.archive", "archive = \"moon", "archive = \"../moon");
    check("title", "title = \"Moon", "title = \"\\u001b[2JMoon");
}

#[test]
fn numbers_outside_their_bounds_are_refused() {
    let check = |field: &str, from: &str, to: &str| {
        let error = refused(&changed(from, to));
        assert!(
            matches!(&error, CardError::Number { field: found, .. } if *found == field),
            "{to}: {error}"
        );
    };
    check("file.size", "size = 7937661", "size = 0");
    check("file.size", "size = 7937661", "size = 268435457");
    check("source.size", "size = 729305", "size = 1073741825");
    check(
        "speech.sample_rate",
        "sample_rate = 16000",
        "sample_rate = 0",
    );
    check("speech.layers", "layers = 6", "layers = 65");
    check("speech.end_token", "end_token = 2", "end_token = 32768");
    check("speech.vocabulary", "vocabulary = 32768", "vocabulary = 0");
    check(
        "speech.max_tokens_per_second",
        "second = 6.5",
        "second = nan",
    );
    check(
        "speech.max_tokens_per_second",
        "second = 6.5",
        "second = inf",
    );
    check("accuracy.rate", "rate = 0.0515", "rate = -0.1");
    check("tensor.shape", "\"frames\", 288]", "\"frames\", 0]");
}

#[test]
fn references_that_do_not_meet_are_refused() {
    assert!(matches!(
        refused(&changed("source = \"useful-moonshine-onnx\"", "source = \"x\"")),
        CardError::NoSuchSource { found, .. } if found == "x"
    ));
    let idle = "[[source]]\nregistry = \"npm\"\nname = \"idle\"\nversion = \"1\"\narchive = \"a\"\nsize = 1\nsha256 = \"864e17a00ed494857c71693e835306fa038e0f82002c76e3056d67d574e1c2d8\"\n";
    assert!(matches!(
        refused(&format!("{GOOD}\n{idle}")),
        CardError::IdleSource { name } if name == "idle"
    ));
    for (from, to) in [
        ("role = \"decoder\"", "role = \"encoder\""),
        (
            "name = \"decoder_model_merged.onnx\"",
            "name = \"encoder_model.onnx\"",
        ),
        ("name = \"encoder_hidden_states\"", "name = \"input_ids\""),
        (
            "name = \"@moonshine-ai/moonshine-js\"",
            "name = \"useful-moonshine-onnx\"",
        ),
        ("end_token = 2", "end_token = 1"),
    ] {
        assert!(
            matches!(refused(&changed(from, to)), CardError::Twice { .. }),
            "{to}"
        );
    }
    assert!(matches!(
        refused(&changed("file = \"encoder\"", "file = \"tokenizer\"")),
        CardError::StrayTensor {
            file: Role::Tokenizer,
            ..
        }
    ));
}

#[test]
fn the_files_must_fit_the_kind() {
    assert_eq!(
        refused(&changed("kind = \"speech\"", "kind = \"vad\"")),
        CardError::Shape { kind: "vad" }
    );
    assert_eq!(
        refused(&changed("role = \"tokenizer\"", "role = \"vad\"")),
        CardError::NoSuchRole {
            kind: "speech",
            expected: Role::Tokenizer
        }
    );
    let stray = changed("role = \"sample\"", "role = \"vad\"");
    let stray = stray.replace("transcript =", "# transcript =");
    assert_eq!(
        refused(&stray),
        CardError::StrayRole {
            kind: "speech",
            found: Role::Vad
        }
    );
    assert!(matches!(
        refused(&changed("transcript =", "# transcript =")),
        CardError::Transcript {
            role: Role::Sample,
            ..
        }
    ));
    assert!(matches!(
        refused(&changed(
            "role = \"tokenizer\"",
            "role = \"tokenizer\"\ntranscript = \"x\""
        )),
        CardError::Transcript {
            role: Role::Tokenizer,
            ..
        }
    ));
}

#[test]
fn a_rate_that_is_not_errors_over_words_is_refused() {
    for (from, to) in [
        ("errors = 2\n", ""),
        ("words = 71\n", ""),
        ("words = 71", "words = 0"),
        ("errors = 2", "errors = 3"),
    ] {
        assert!(
            matches!(refused(&changed(from, to)), CardError::Counts { .. }),
            "{from}"
        );
    }
}

#[test]
fn more_entries_than_the_bounds_are_refused() {
    let tensor = |n: usize| {
        format!(
            "\n[[tensor]]\nfile = \"encoder\"\ndirection = \"input\"\nname = \"t{n}\"\nelement = \"f32\"\nshape = [1]\n"
        )
    };
    let many: String = (0..65).map(tensor).collect();
    assert!(matches!(
        refused(&format!("{GOOD}{many}")),
        CardError::TooMany {
            what: "tensor",
            limit: 64,
            ..
        }
    ));
    let deep = changed(
        "shape = [\"batch\", \"samples\"]",
        "shape = [1,1,1,1,1,1,1,1,1]",
    );
    assert!(matches!(
        refused(&deep),
        CardError::TooMany {
            what: "tensor.shape",
            limit: 8,
            found: 9
        }
    ));
}
