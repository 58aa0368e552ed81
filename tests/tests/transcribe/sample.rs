//! The recording that the tiny model's card brings along, and what is said in it.

use std::path::PathBuf;
use std::sync::OnceLock;

use earnest_package::{Card, Role};

use crate::support::{FETCH, models};
use crate::wave;

/// The models that are tested and their cards.
pub(crate) const TINY: &str = "moonshine-tiny-en-int8";

/// Ten seconds of speech at 16 kHz in one channel.
pub(crate) struct Sample {
    /// The file.
    pub(crate) path: PathBuf,
    /// Its samples.
    pub(crate) pcm: Vec<i16>,
    /// The words that are said, as [`words`] gives them.
    pub(crate) words: Vec<String>,
}

impl Sample {
    /// The path as an argument.
    pub(crate) fn argument(&self) -> &str {
        self.path.to_str().expect("the path is UTF-8")
    }

    /// The raw samples in bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        wave::bytes_of(&self.pcm)
    }

    /// Its length in seconds.
    pub(crate) fn seconds(&self) -> f64 {
        self.pcm.len() as f64 / 16_000.0
    }
}

/// The recording, checked against its card.
pub(crate) fn sample() -> &'static Sample {
    static SAMPLE: OnceLock<Sample> = OnceLock::new();
    SAMPLE.get_or_init(|| {
        let card = Card::named(TINY).expect("is compiled in");
        let file = card.file(Role::Sample).expect("the card names one");
        let folder = models().join(card.name());
        let bytes = file.read(&folder).expect(FETCH);
        Sample {
            path: folder.join(file.name()),
            pcm: wave::samples_of(&bytes),
            words: words(file.transcript().expect("the card tells what is said")),
        }
    })
}

/// The words of a text in lower case, without punctuation.
pub(crate) fn words(text: &str) -> Vec<String> {
    let plain = |word: &str| {
        let kept = word.chars().filter(|c| c.is_alphanumeric() || *c == '\'');
        kept.collect::<String>().to_lowercase()
    };
    let words = text.split_whitespace().map(plain);
    words.filter(|word| !word.is_empty()).collect()
}
