//! The model package: one file that carries a model, of which no byte is used unchecked.
//!
//! # The format, version 1
//!
//! All integers are little-endian.
//!
//! | at | bytes | what |
//! |---:|---:|---|
//! | 0 | 8 | magic: `89 45 41 52 4e 0d 0a 1a` (as PNG's, it shows a transfer that mended line ends) |
//! | 8 | 2 | version of the format: 1 |
//! | 10 | 2 | protection suite of the chunks: 0, none |
//! | 12 | 2 | signature suite of the manifest: 0, none |
//! | 14 | 2 | zero |
//! | 16 | 4 | length of the manifest, at most [`MAX_MANIFEST_BYTES`] |
//! | 20 | 32 | manifest digest: SHA-256 of the 20 bytes before it and of the manifest |
//! | 52 | | the manifest |
//! | | | the chunks, to the end of the file |
//!
//! The manifest:
//!
//! | bytes | what |
//! |---:|---|
//! | 4 | length of the card |
//! | | the card's TOML text |
//! | 1 | number of members |
//! | 9 each | the members, in ascending order of role: role code (1), size (8) |
//! | 32 each | SHA-256 of each chunk, member by member |
//!
//! A member is cut into chunks of [`CHUNK_BYTES`], its last one shorter. A chunk is stored
//! as the first 8 bytes of the manifest digest, the chunk's number in the package (4 bytes,
//! from zero), and its bytes.
//!
//! # Why so
//!
//! - The card is carried as its text, not in a serialization of its own: what was reviewed,
//!   what is compiled in and what is in the file are then compared byte for byte, and a
//!   stranger's card is refused before any parser sees it.
//! - The manifest digest names the package, and everything hangs on it: suites and version,
//!   the card, and through the chunk digests each byte. A signature will sign that digest.
//! - The digests of chunks stand in front, so that a reader knows each chunk to be right
//!   before it uses it and needs no second pass. The label in front of a chunk adds no
//!   safety; it lets a refusal say whether chunks were reordered, come from another package,
//!   or were damaged.
//! - Another protection suite changes what a stored chunk is, another signature suite what
//!   follows the manifest. A reader refuses suites that it does not know.
//!
//! # Who is trusted
//!
//! A package proves only that it is whole. [`Trust`] says why it may be used: its card is
//! a compiled-in one (then each member must have the card's digest), or its manifest digest
//! is one that the caller knows from elsewhere.
//!
//! ```
//! use earnest_package::{Model, Trust, UnpackError};
//! let refused = Model::open_package(&b"no package at all, though long enough to have a header"[..], Trust::Builtin);
//! assert!(matches!(refused, Err(UnpackError::NotAPackage { .. })));
//! ```

mod error;
mod format;
mod open;
mod write;

#[cfg(test)]
mod tests;

pub use error::{PackagePart, UnpackError, WriteError};
pub use open::Trust;

/// Bytes of a chunk: few enough that a check before use costs no latency, many enough that
/// the digests of a model of 64 MB take 32 KiB.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// Longest manifest: room for the longest card and the chunk digests of 1.9 GB of members.
pub const MAX_MANIFEST_BYTES: usize = 1024 * 1024;
