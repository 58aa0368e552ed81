//! Where the models of this machine are, and the recording that they bring along.

use std::path::PathBuf;

use earnest_package::{Card, Model, Role, models_folder};

/// What a test says that has no models. It fails: a test that is passed over proves nothing.
#[allow(dead_code)]
pub(crate) const FETCH: &str =
    "the models are missing or not the cards': run `cargo xtask models fetch`";

/// The folder with one folder a card.
#[allow(dead_code)]
pub(crate) fn models() -> PathBuf {
    models_folder().expect(FETCH)
}

/// The model of the card called `name`.
#[allow(dead_code)]
#[cfg(test)]
pub(crate) fn model(name: &str) -> Model {
    let card = Card::named(name).unwrap();
    Model::open_directory(card, &models().join(name)).expect(FETCH)
}

/// The sample recording: 16 kHz, mono, 16 bits, behind a header of 44 bytes.
#[allow(dead_code)]
#[cfg(test)]
pub(crate) fn sample() -> Vec<f32> {
    let card = Card::named("moonshine-tiny-en-int8").unwrap();
    let file = card.file(Role::Sample).unwrap();
    let wav = file.read(&models().join(card.name())).expect(FETCH);
    let (samples, _) = wav[44..].as_chunks::<2>();
    samples
        .iter()
        .map(|&bytes| f32::from(i16::from_le_bytes(bytes)) / 32_768.0)
        .collect()
}
