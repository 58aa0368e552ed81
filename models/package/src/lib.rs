//! Model cards and packages: nothing is loaded whose digest differs.
//!
//! - [`Card`] says what a model is and what its bytes must be. The cards of `models/cards`
//!   are compiled in and are the anchor of trust.
//! - [`Model`] is a model in memory of which every byte was checked against its card.
//! - A model package is one file that carries a model: [`Model::write_package`] and
//!   [`Model::open_package`]. The module [`package`] describes the format.
//!
//! The crate does no networking and knows no inference: it turns untrusted bytes into
//! checked ones. Its parsers never panic, and no length in unchecked input decides an
//! allocation beyond a stated bound.

mod card;
mod digest;
mod model;
pub mod package;
#[cfg(test)]
mod testing;

pub use card::{
    Accuracy, Card, CardError, CardFile, Dimension, Direction, Element, Kind, Licence,
    MAX_ARCHIVE_BYTES, MAX_CARD_BYTES, MAX_FILE_BYTES, MAX_FILES, Registry, Role, Source,
    SpeechShape, Tensor, VadShape, WordCounts,
};
pub use digest::{DIGEST_BYTES, Digest, DigestError};
pub use model::{Model, PackageError};
pub use package::{CHUNK_BYTES, MAX_MANIFEST_BYTES, PackagePart, Trust, UnpackError, WriteError};
