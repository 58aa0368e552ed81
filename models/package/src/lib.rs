//! Model cards and packages: nothing is loaded whose digest differs.
//!
//! - [`Card`] says what a model is and what its bytes must be. The cards of `models/cards`
//!   are compiled in and are the anchor of trust.
//! - [`Model`] is a model in memory of which every byte was checked against its card.
//! - A model package is one file that carries a model, plain ([`Model::write_package`],
//!   [`Model::open_package`]) or encrypted and signed ([`Model::seal_package`],
//!   [`Model::open_sealed_package`]). The module [`package`] describes the format.
//! - The module [`memory`] keeps a process's plaintext out of swap and core dumps.
//! - [`models_folder`] says where a development machine has its plain models.
//!
//! The crate does no networking and knows no inference: it turns untrusted bytes into
//! checked ones. Its parsers never panic, and no length in unchecked input decides an
//! allocation beyond a stated bound.

mod card;
mod digest;
mod folder;
mod keys;
pub mod memory;
mod model;
pub mod package;
#[cfg(test)]
mod testing;

pub use card::{
    Accuracy, Card, CardError, CardFile, Dimension, Direction, Element, Kind, Licence,
    MAX_ARCHIVE_BYTES, MAX_CARD_BYTES, MAX_FILE_BYTES, MAX_FILES, Registry, Role, Source,
    SpeechShape, Tensor, VOICE_CARD, VadShape, WordCounts,
};
pub use digest::{DIGEST_BYTES, Digest, DigestError};
pub use folder::{MODELS_VARIABLE, models_folder, models_folder_from};
pub use keys::{CONTENT_KEY_BYTES, ContentKey, KeyError, ReleaseSigningKey, ReleaseVerifyingKey};
pub use model::{Model, PackageError};
pub use package::{
    CHUNK_BYTES, MAX_MANIFEST_BYTES, PACKAGE_ID_BYTES, PackageId, PackagePart, PackageSummary,
    SealSummary, Sealing, Trust, UnpackError, Unsealing, WriteError,
};
