//! The daemon's own state at rest: files that are encrypted under one key, which the TPM seals.
//!
//! - What is closed under a name opens under that name alone, so no file can stand in for
//!   another.
//! - A file says which key it is closed with ([`key_of`]), so that a rotation that was broken off
//!   is told from damage.
//! - Files are written whole or not at all, and nobody but their owner reads them.
//!
//! An older file of the same name and key opens, too: against a disk that is put back to an
//! earlier day as a whole stands the audit log, whose head is measured into the TPM.
//!
//! # Format
//!
//! ```text
//! magic, version of the format (8) | id of the key (8) | nonce (12) | AES-256-GCM of the bytes
//! ```
//!
//! The nonce is random (NIST SP 800-38D, 8.2.2): a key closes far fewer than 2^32 files. The
//! additional data is the head without the nonce, and the name. The key's id is the beginning of
//! its HMAC-SHA256 over a fixed text, which tells nothing of it.
//!
//! ```
//! use earnest_vault::Vault;
//!
//! let vault = Vault::new(&[7; 32]);
//! let closed = vault.seal("book", b"who may do what")?;
//! assert_eq!(&vault.open("book", &closed)?[..], b"who may do what");
//! assert!(vault.open("baselines", &closed).is_err());
//! # Ok::<(), earnest_vault::VaultError>(())
//! ```

use std::fmt;
use std::path::Path;

use earnest_files::{FileError, Readers};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

#[cfg(test)]
mod tests;

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// Most bytes that are closed in one file. The largest that is kept, the book of 256
/// applications, has a tenth of it.
pub const MAX_BYTES: usize = 4 << 20;

/// Most bytes of a name.
pub const MAX_NAME_BYTES: usize = 64;

/// A file's first bytes; the last of them is the version of the format.
const MAGIC: [u8; 8] = *b"earnvlt\x01";

/// What an id is made from.
const ID_TEXT: &[u8] = b"earnest vault key id";

const ID_BYTES: usize = 8;

const HEAD_BYTES: usize = MAGIC.len() + ID_BYTES;

/// Longest file.
const MAX_FILE_BYTES: usize = HEAD_BYTES + NONCE_LEN + MAX_BYTES + 16;

/// Which key. It tells two keys apart and tells nothing of either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId([u8; ID_BYTES]);

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// Closes and opens.
pub struct Vault {
    key: LessSafeKey,
    id: KeyId,
}

impl Vault {
    /// A vault with this key. The caller overwrites the bytes.
    pub fn new(key: &[u8; KEY_BYTES]) -> Vault {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), ID_TEXT);
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(&tag.as_ref()[..ID_BYTES]);
        let key = UnboundKey::new(&AES_256_GCM, key).expect("the algorithm's keys have 32 bytes");
        Vault {
            key: LessSafeKey::new(key),
            id: KeyId(id),
        }
    }

    /// Which key it has.
    pub fn key_id(&self) -> KeyId {
        self.id
    }

    /// Closes these bytes under a name.
    ///
    /// # Errors
    ///
    /// When they or the name are too long, or the system has no random numbers.
    pub fn seal(&self, name: &str, bytes: &[u8]) -> Result<Vec<u8>, VaultError> {
        if bytes.len() > MAX_BYTES {
            return Err(VaultError::TooLong {
                limit: MAX_BYTES,
                found: bytes.len(),
            });
        }
        let head = self.head();
        let aad = additional(&head, name)?;
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new()
            .fill(&mut nonce)
            .map_err(|_| VaultError::NoRandomNumbers)?;
        let mut closed = Vec::with_capacity(HEAD_BYTES + NONCE_LEN + bytes.len() + 16);
        closed.extend_from_slice(&head);
        closed.extend_from_slice(&nonce);
        let mut inside = Zeroizing::new(bytes.to_vec());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(aad), &mut inside)
            .expect("so few bytes are within the algorithm's bound");
        closed.extend_from_slice(&inside);
        closed.extend_from_slice(tag.as_ref());
        Ok(closed)
    }

    /// Opens what was closed under this name. The bytes are overwritten when they are dropped.
    ///
    /// # Errors
    ///
    /// When it is nothing that a vault closed, another key closed it, or it is damaged.
    pub fn open(&self, name: &str, closed: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let found = key_of(closed)?;
        if found != self.id {
            return Err(VaultError::OtherKey {
                expected: self.id,
                found,
            });
        }
        let (head, rest) = closed.split_at(HEAD_BYTES);
        let aad = additional(head, name)?;
        let (nonce, inside) = rest
            .split_at_checked(NONCE_LEN)
            .ok_or(VaultError::Damaged)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| VaultError::Damaged)?;
        let mut inside = Zeroizing::new(inside.to_vec());
        let length = self
            .key
            .open_in_place(nonce, Aad::from(aad), &mut inside)
            .map_err(|_| VaultError::Damaged)?
            .len();
        inside.truncate(length);
        Ok(inside)
    }

    /// Closes these bytes in the file `name` of a folder, in the place of what was there.
    ///
    /// # Errors
    ///
    /// As [`Vault::seal`], and when the file cannot be written; what was there is there still.
    pub fn write(&self, folder: &Path, name: &str, bytes: &[u8]) -> Result<(), VaultError> {
        let closed = self.seal(name, bytes)?;
        Ok(earnest_files::write(
            &folder.join(name),
            &closed,
            Readers::Owner,
        )?)
    }

    /// Opens the file `name` of a folder; `None` where it is not there.
    ///
    /// # Errors
    ///
    /// As [`Vault::open`], and when the file cannot be read.
    pub fn read(
        &self,
        folder: &Path,
        name: &str,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        match earnest_files::read_if_there(&folder.join(name), MAX_FILE_BYTES)? {
            Some(closed) => Ok(Some(self.open(name, &closed)?)),
            None => Ok(None),
        }
    }

    fn head(&self) -> [u8; HEAD_BYTES] {
        let mut head = [0; HEAD_BYTES];
        head[..MAGIC.len()].copy_from_slice(&MAGIC);
        head[MAGIC.len()..].copy_from_slice(&self.id.0);
        head
    }
}

/// Without the key.
impl fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Vault({})", self.id)
    }
}

/// Which key closed these bytes.
///
/// # Errors
///
/// When no vault did.
pub fn key_of(closed: &[u8]) -> Result<KeyId, VaultError> {
    let rest = closed.strip_prefix(&MAGIC[..]);
    let rest = rest.ok_or(VaultError::NotClosed)?;
    let id = rest.first_chunk().ok_or(VaultError::NotClosed)?;
    Ok(KeyId(*id))
}

/// What is bound to the bytes: the head, and the name, which ends the text and so needs no length.
fn additional(head: &[u8], name: &str) -> Result<Vec<u8>, VaultError> {
    match name.len() {
        1..=MAX_NAME_BYTES => Ok([head, name.as_bytes()].concat()),
        found => Err(VaultError::Name {
            limit: MAX_NAME_BYTES,
            found,
        }),
    }
}

/// Why something cannot be closed or opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// More than a file holds.
    #[error("{found} bytes are too many for one file: expected are at most {limit}")]
    TooLong {
        /// The bound.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// A name that is empty or too long.
    #[error("a name of {found} bytes; expected are 1 to {limit}")]
    Name {
        /// The bound.
        limit: usize,
        /// How many it has.
        found: usize,
    },
    /// The system gives no random numbers.
    #[error("the system has no random numbers")]
    NoRandomNumbers,
    /// The bytes are nothing that a vault closed.
    #[error("this was not closed by a vault")]
    NotClosed,
    /// Another key closed it.
    #[error("this is closed under key {found}; the key at hand is {expected}")]
    OtherKey {
        /// The key at hand.
        expected: KeyId,
        /// The key that closed it.
        found: KeyId,
    },
    /// Some of it was changed, or it was closed under another name.
    #[error("this is damaged, or was closed under another name")]
    Damaged,
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}
