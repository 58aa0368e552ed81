//! The cards that are compiled in.

use std::sync::LazyLock;

use super::Card;

/// The card of the model that tells speech from the rest.
pub const VOICE_CARD: &str = "silero-vad-6.2";

/// The texts of `models/cards`. A new card is added here.
const TEXTS: [&str; 3] = [
    include_str!("../../../cards/moonshine-tiny-en-int8.toml"),
    include_str!("../../../cards/moonshine-base-en-int8.toml"),
    include_str!("../../../cards/silero-vad-6.2.toml"),
];

/// The builtin cards, parsed at the first use.
pub(super) fn cards() -> &'static [Card] {
    static CARDS: LazyLock<Vec<Card>> = LazyLock::new(|| {
        TEXTS
            .iter()
            .map(|text| Card::parse(text).expect("a test parses every card that is compiled in"))
            .collect()
    });
    &CARDS
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_card_in_the_folder_is_compiled_in_and_parses_under_its_own_name() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../cards");
        let mut names = HashSet::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|extension| extension == "toml")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                let card = Card::parse(&text).unwrap();
                assert_eq!(path.file_stem().unwrap().to_str(), Some(card.name()));
                assert_eq!(Card::named(card.name()), Some(&card));
                names.insert(card.name().to_owned());
            }
        }
        assert_eq!(names.len(), cards().len());
        assert_eq!(names.len(), TEXTS.len());
    }
}
