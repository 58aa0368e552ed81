//! Bytes under a key.

use std::fmt;

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

/// Most bytes of a content: some times what a full book has.
pub const MAX_BYTES: usize = 8 << 20;

/// Most bytes of a file's name.
pub const MAX_NAME_BYTES: usize = 64;

const MAGIC: &[u8; 8] = b"EARNVALT";

const VERSION: u32 = 1;

const TAG_BYTES: usize = 16;

/// Bytes before the nonce.
const HEAD_BYTES: usize = 20;

/// Bytes that sealing adds.
pub(crate) const ADDED_BYTES: usize = HEAD_BYTES + NONCE_LEN + TAG_BYTES;

/// Keys that are tried for files of earlier keys: more than rotations can have been cut short.
const MOST_EARLIER: usize = 8;

/// The short name of a key: the first eight bytes of its SHA-256, after a word that no other use
/// of the key begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.0.iter();
        bytes.try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// A key, which is wiped when it goes.
#[derive(Clone)]
struct Key(Zeroizing<[u8; 32]>);

impl Key {
    fn id(&self) -> KeyId {
        let named = Zeroizing::new([&b"earnest vault key "[..], self.0.as_ref()].concat());
        let mut id = [0; 8];
        id.copy_from_slice(&digest(&SHA256, &named).as_ref()[..8]);
        KeyId(id)
    }

    /// Nothing but another length fails, and this is the length.
    fn cipher(&self) -> Option<LessSafeKey> {
        let key = UnboundKey::new(&AES_256_GCM, self.0.as_ref());
        key.ok().map(LessSafeKey::new)
    }
}

/// Seals and opens contents.
#[derive(Clone)]
pub struct Vault {
    key: Key,
    /// The newest first.
    earlier: Vec<Key>,
}

/// Why a content was not sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Files are not called so.
    #[error("a sealed file's name is 1 to {MAX_NAME_BYTES} of a-z, 0-9, '.', '_' and '-'")]
    Name,
    /// It is longer than contents are.
    #[error("a sealed file's content has {found} bytes, and may have {MAX_BYTES}")]
    TooLong {
        /// Its bytes.
        found: usize,
    },
    /// The system has no random bytes.
    #[error("the system has no random bytes")]
    Random,
}

/// Why a content was not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Files are not called so.
    #[error("a sealed file's name is 1 to {MAX_NAME_BYTES} of a-z, 0-9, '.', '_' and '-'")]
    Name,
    /// These bytes are no sealed file.
    #[error("this is no sealed file")]
    Format,
    /// It is of another version.
    #[error("this sealed file is of version {found}, and version {expected} is what is read")]
    Version {
        /// What is read.
        expected: u32,
        /// What it has.
        found: u32,
    },
    /// It is longer than contents are.
    #[error("this sealed file has {found} bytes, and may have {limit}")]
    TooLong {
        /// The bound.
        limit: usize,
        /// Its bytes.
        found: usize,
    },
    /// It was sealed with a key that is not here.
    #[error("this file was sealed with the key {found}, which is not here")]
    OtherKey {
        /// That key.
        found: KeyId,
    },
    /// It is not what was sealed under this name.
    #[error("this is not what was sealed under this name")]
    Altered,
}

impl Vault {
    /// With this key, which seals from now on.
    pub fn new(key: Zeroizing<[u8; 32]>) -> Vault {
        Vault {
            key: Key(key),
            earlier: Vec::new(),
        }
    }

    /// With an earlier key besides, which opens what was sealed with it. Of more than eight the
    /// first are forgotten.
    #[must_use]
    pub fn with_earlier(mut self, key: Zeroizing<[u8; 32]>) -> Vault {
        self.earlier.insert(0, Key(key));
        self.earlier.truncate(MOST_EARLIER);
        self
    }

    /// The short name of the key that seals.
    pub fn key_id(&self) -> KeyId {
        self.key.id()
    }

    /// Seals a content under this name.
    ///
    /// # Errors
    ///
    /// When it is too long, the name is none, or there are no random bytes.
    pub fn seal(&self, name: &str, content: &[u8]) -> Result<Vec<u8>, SealError> {
        if !is_name(name) {
            return Err(SealError::Name);
        }
        let found = content.len();
        if found > MAX_BYTES {
            return Err(SealError::TooLong { found });
        }
        let mut nonce = [0; NONCE_LEN];
        let random = SystemRandom::new().fill(&mut nonce);
        random.map_err(|_| SealError::Random)?;
        let mut sealed = Vec::with_capacity(found + ADDED_BYTES);
        sealed.extend_from_slice(MAGIC);
        sealed.extend_from_slice(&VERSION.to_le_bytes());
        sealed.extend_from_slice(&self.key.id().0);
        sealed.extend_from_slice(&nonce);
        let about = about(&sealed, name);
        sealed.extend_from_slice(content);
        let body = &mut sealed[HEAD_BYTES + NONCE_LEN..];
        let cipher = self.key.cipher().ok_or(SealError::TooLong { found })?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = cipher
            .seal_in_place_separate_tag(nonce, Aad::from(&about), body)
            .map_err(|_| SealError::TooLong { found })?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Opens what was sealed under this name.
    ///
    /// # Errors
    ///
    /// When it is not that.
    pub fn open(&self, name: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        self.open_with_key(name, sealed).map(|(_, content)| content)
    }

    /// As [`open`](Vault::open), with the name of the key that it was sealed with.
    pub(crate) fn open_with_key(
        &self,
        name: &str,
        sealed: &[u8],
    ) -> Result<(KeyId, Zeroizing<Vec<u8>>), OpenError> {
        if !is_name(name) {
            return Err(OpenError::Name);
        }
        let (limit, found) = (MAX_BYTES + ADDED_BYTES, sealed.len());
        if found > limit {
            return Err(OpenError::TooLong { limit, found });
        }
        let split = sealed.split_at_checked(HEAD_BYTES + NONCE_LEN);
        let (head, body) = split.ok_or(OpenError::Format)?;
        let (magic, fields) = head.split_at(MAGIC.len());
        if magic != MAGIC || body.len() < TAG_BYTES {
            return Err(OpenError::Format);
        }
        let (version, fields) = fields.split_at(4);
        let found = u32::from_le_bytes(array(version));
        if found != VERSION {
            let expected = VERSION;
            return Err(OpenError::Version { expected, found });
        }
        let (id, nonce) = fields.split_at(8);
        let found = KeyId(array(id));
        let mut keys = std::iter::once(&self.key).chain(&self.earlier);
        let key = keys.find(|key| key.id() == found);
        let key = key.ok_or(OpenError::OtherKey { found })?;
        let cipher = key.cipher().ok_or(OpenError::OtherKey { found })?;
        let nonce = Nonce::assume_unique_for_key(array(nonce));
        let about = about(head, name);
        let mut content = Zeroizing::new(body.to_vec());
        let opened = cipher.open_in_place(nonce, Aad::from(&about), &mut content);
        let length = opened.map_err(|_| OpenError::Altered)?.len();
        content.truncate(length);
        Ok((found, content))
    }
}

/// Without the keys.
impl fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Vault({})", self.key_id())
    }
}

/// What a content is bound to.
fn about(head: &[u8], name: &str) -> Vec<u8> {
    [head, name.as_bytes()].concat()
}

pub(crate) fn is_name(name: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.bytes().all(plain) && !name.starts_with('.')
}

/// Bytes whose number was counted before; were there fewer, zeros would follow.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    let many = bytes.len().min(N);
    array[..many].copy_from_slice(&bytes[..many]);
    array
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vault(key: u8) -> Vault {
        Vault::new([key; 32].into())
    }

    #[test]
    fn what_was_sealed_is_opened_under_its_name_with_its_key_alone() {
        let sealed = vault(1).seal("book", b"content").unwrap();
        assert_eq!(**vault(1).open("book", &sealed).unwrap(), *b"content");
        assert_eq!(vault(1).open("rook", &sealed), Err(OpenError::Altered));
        let found = vault(1).key_id();
        assert_eq!(
            vault(2).open("book", &sealed),
            Err(OpenError::OtherKey { found })
        );
        let both = vault(2).with_earlier([1; 32].into());
        assert_eq!(**both.open("book", &sealed).unwrap(), *b"content");
    }

    #[test]
    fn every_bit_counts_and_every_byte_is_needed() {
        let sealed = vault(1).seal("book", b"content").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut altered = sealed.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            assert!(vault(1).open("book", &altered).is_err(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(vault(1).open("book", &sealed[..length]).is_err());
        }
    }

    #[test]
    fn the_same_content_is_never_sealed_alike_and_the_key_is_not_shown() {
        let first = vault(1).seal("book", b"content").unwrap();
        assert_ne!(first, vault(1).seal("book", b"content").unwrap());
        assert!(!format!("{:?}", vault(1)).contains("1, 1"));
    }

    #[test]
    fn names_that_lead_elsewhere_and_contents_without_a_bound_are_refused() {
        let long = "a".repeat(MAX_NAME_BYTES + 1);
        for name in ["", "..", ".book", "a/b", "Book", "a b", &long] {
            assert_eq!(vault(1).seal(name, b""), Err(SealError::Name), "{name}");
            assert_eq!(vault(1).open(name, b""), Err(OpenError::Name), "{name}");
        }
        let found = MAX_BYTES + 1;
        assert_eq!(
            vault(1).seal("book", &vec![0; found]),
            Err(SealError::TooLong { found })
        );
        let version = [&MAGIC[..], &[2, 0, 0, 0], &[0; 60]].concat();
        let (expected, found) = (1, 2);
        assert_eq!(
            vault(1).open("book", &version),
            Err(OpenError::Version { expected, found })
        );
    }

    proptest! {
        #[test]
        fn any_content_comes_back(content: Vec<u8>, name in "[a-z0-9][a-z0-9._-]{0,63}") {
            let sealed = vault(1).seal(&name, &content).unwrap();
            prop_assert_eq!(sealed.len(), content.len() + ADDED_BYTES);
            prop_assert_eq!(&**vault(1).open(&name, &sealed).unwrap(), &content);
        }

        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes: Vec<u8>, head in 0..3_usize) {
            let head = [&b""[..], MAGIC, b"EARNVALT\x01\0\0\0"][head];
            prop_assert!(vault(1).open("book", &[head, &bytes].concat()).is_err());
        }
    }
}
