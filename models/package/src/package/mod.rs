//! The model package: one file that carries a model, of which no byte is used unchecked.
//!
//! A package has two forms. A plain one serves development: it is whole, and readable by
//! all. A sealed one is what a device has: encrypted under a content key that the device's
//! TPM keeps, and signed by the release key.
//!
//! # The format, version 1
//!
//! All integers are little-endian.
//!
//! | at | bytes | what |
//! |---:|---:|---|
//! | 0 | 8 | magic: `89 45 41 52 4e 0d 0a 1a` (as PNG's, it shows a transfer that mended line ends) |
//! | 8 | 2 | version of the format: 1 |
//! | 10 | 2 | protection suite of the chunks: 0, none, or 1, ChaCha20-Poly1305 |
//! | 12 | 2 | signature suite of the manifest, the same number: 0, none, or 1, ECDSA P-256 |
//! | 14 | 2 | zero |
//! | 16 | 4 | length of the manifest, at most [`MAX_MANIFEST_BYTES`] |
//! | 20 | 32 | manifest digest: SHA-256 of the 20 bytes before it and of the manifest |
//! | 52 | | the manifest |
//! | | 32 + 64 | sealed: the release key's id, its signature (r, s: big-endian, 32 each) |
//! | | | the chunks, to the end of the file |
//!
//! The manifest:
//!
//! | bytes | what |
//! |---:|---|
//! | 16 + 8 | sealed: the package's random id, its version |
//! | 4 | length of the card |
//! | | the card's TOML text, in which each file's SHA-256 stands |
//! | 1 | number of members |
//! | 9 each | the members, in ascending order of role: role code (1), plain size (8) |
//! | 32 each | SHA-256 of each chunk as it is stored, member by member |
//!
//! A member is cut into chunks of [`CHUNK_BYTES`], its last one shorter. A chunk is stored
//! as the first 8 bytes of the manifest digest, the chunk's number in the package (4 bytes,
//! from zero), and its bytes: plain, or encrypted with a tag of 16 bytes behind them.
//!
//! # The sealed form
//!
//! The head is everything in front of the chunk digests but the manifest digest: the 20
//! bytes of the header and the manifest up to there.
//!
//! - Key: HKDF-SHA256 (RFC 5869) of the content key, salt the package's id, info
//!   `earnest package 1 ChaCha20-Poly1305\0` and the SHA-256 of the head.
//! - Nonce (RFC 8439): the chunk's number, 4 bytes, and 8 zero bytes.
//! - Associated data: `earnest package 1 chunk\0`, the package's id (16), the member's role
//!   code (1), the chunk's number in its member (4), 1 if the member ends with it plus 2 if
//!   the package does (1), the SHA-256 of the head (32).
//! - Release key's id: SHA-256 of its SubjectPublicKeyInfo (RFC 5480) in DER.
//! - Signature: ECDSA on P-256 with SHA-256 of `earnest package 1 release\0` and the
//!   manifest digest.
//!
//! # Why so
//!
//! - The card is carried as its text, not in a serialization of its own: what was reviewed,
//!   what is compiled in and what is in the file are then compared byte for byte, and a
//!   stranger's card is refused before any parser sees it.
//! - The manifest digest names the package, and everything hangs on it: suites and version,
//!   the card, and through the chunk digests each byte. The signature signs that digest.
//!   ECDSA signatures have a second spelling, so the file's own digest names nothing.
//! - The digests of chunks stand in front, so that a reader knows each chunk to be right
//!   before it uses it and needs no second pass. The label in front of a chunk adds no
//!   safety; it lets a refusal say whether chunks were reordered, come from another package,
//!   or were damaged.
//! - Digests are of chunks as stored, so a sealed package is known to be whole without its
//!   key, and what is decrypted is what was signed. Tags alone would not do: whoever has a
//!   device's content key can make other bytes with the same tag.
//! - Two forms of the four that the suites could spell: nothing is encrypted unsigned.
//! - ChaCha20-Poly1305, because the smallest boxes have no instructions for AES.
//! - A reader refuses suites that it does not know.
//!
//! # Who is trusted
//!
//! A plain package proves only that it is whole. [`Trust`] says why one may be used: its
//! card is a compiled-in one (then each member must have the card's digest), its manifest
//! digest is one that the caller knows from elsewhere, or the release key signed it. A
//! sealed package is opened on the last ground alone, and only if its version is not below
//! the least that the caller still allows.
//!
//! ```
//! use earnest_package::{Model, Trust, UnpackError};
//! let refused = Model::open_package(&b"no package at all, though long enough to have a header"[..], Trust::Builtin);
//! assert!(matches!(refused, Err(UnpackError::NotAPackage { .. })));
//! ```

mod error;
mod format;
mod open;
mod seal;
mod summary;
mod write;

#[cfg(test)]
mod tests;

pub use error::{PackagePart, UnpackError, WriteError};
pub use open::Trust;
pub use seal::{PACKAGE_ID_BYTES, PackageId, Sealing, Unsealing};
pub use summary::{PackageSummary, SealSummary};

/// Bytes of a chunk: few enough that a check before use costs no latency, many enough that
/// the digests of a model of 64 MB take 32 KiB.
pub const CHUNK_BYTES: usize = 64 * 1024;

/// Longest manifest: room for the longest card and the chunk digests of 1.9 GB of members.
pub const MAX_MANIFEST_BYTES: usize = 1024 * 1024;
