//! The daemon's own state at rest, encrypted under a key that the TPM seals.
//!
//! A sealed file is `EARNVALT`, the version (4 bytes, little-endian, 1), the short name of its
//! key (8 bytes), a random nonce (12 bytes), and the content under AES-256-GCM with its tag (16
//! bytes). The content is bound to all that stands before it and to the file's name, so that no
//! file passes for another.
//!
//! Constraints: content has at most [`MAX_BYTES`]; a file is written whole or not at all; keys and
//! contents are wiped from memory when they go. What a vault cannot tell is whether a file is the
//! newest that was written under its name: whoever can write the folder can put an older one back.
//!
//! ```
//! use earnest_vault::Vault;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let folder = folder.path();
//! let vault = Vault::new([7; 32].into());
//! vault.write(folder, "book", b"who may do what")?;
//! assert_eq!(**vault.read(folder, "book")?, *b"who may do what");
//!
//! // Another key takes the place of the first.
//! let vault = Vault::new([8; 32].into()).with_earlier([7; 32].into());
//! assert_eq!(vault.rotate(folder, &["book", "baselines"])?, 1);
//! let vault = Vault::new([8; 32].into());
//! assert_eq!(**vault.read(folder, "book")?, *b"who may do what");
//! # Ok(())
//! # }
//! ```

mod file;
mod sealed;

pub use file::FileFault;
pub use sealed::{KeyId, MAX_BYTES, MAX_NAME_BYTES, OpenError, SealError, Vault};
