//! Model cards.

use earnest_package::{Card, Kind, MAX_FILE_BYTES, MAX_FILES, Role};

/// Reads `data` as a model card. A card that is taken must keep what its type promises.
pub fn card(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let card = match Card::parse(text) {
        Ok(card) => card,
        // The message is shown to people, so making it must not fail either.
        Err(error) => return drop(error.to_string()),
    };
    assert_eq!(card.text(), text);
    assert_eq!(Card::parse(text).as_ref(), Ok(&card));
    assert_plain(card.name());
    assert!(card.files().len() <= MAX_FILES);
    for file in card.files() {
        assert_plain(file.name());
        assert!((1..=MAX_FILE_BYTES).contains(&file.size()));
        assert!(!file.path().starts_with('/'));
        assert!(
            file.path()
                .split('/')
                .all(|part| part != ".." && !part.is_empty())
        );
        assert_eq!(card.file(file.role()), Some(file), "a role stands once");
        assert_eq!(file.transcript().is_some(), file.role() == Role::Sample);
        let source = card
            .source(file.source())
            .expect("each file has its source");
        assert!(!source.name().starts_with('-') && !source.version().starts_with('-'));
    }
    let required: &[Role] = match card.kind() {
        Kind::Speech(_) => &[Role::Encoder, Role::Decoder, Role::Tokenizer],
        Kind::Vad(_) => &[Role::Vad],
    };
    assert!(required.iter().all(|role| card.file(*role).is_some()));
}

/// Whether `name` is one component of a path, and a visible one.
fn assert_plain(name: &str) {
    assert!(
        !name.is_empty() && !name.starts_with(['.', '-']),
        "{name:?}"
    );
    assert!(!name.contains(['/', '\\', '\0', ':']), "{name:?}");
}
