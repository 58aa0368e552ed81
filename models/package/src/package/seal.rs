//! What a sealed package adds to a plain one: who it is, and how its chunks are encrypted.

use std::fmt;

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::rand::{SecureRandom, SystemRandom};

use super::format::{Chunk, code_of};
use crate::keys::{ContentKey, ReleaseSigningKey, ReleaseVerifyingKey};
use crate::{DIGEST_BYTES, Digest, KeyError};

/// Bytes of a package's id.
pub const PACKAGE_ID_BYTES: usize = 16;

/// Bytes by which a sealed chunk is longer than its plaintext.
pub(super) const TAG_BYTES: usize = 16;

/// What the key of a package's chunks is derived for, in front of the head's digest.
const KEY_CONTEXT: &[u8] = b"earnest package 1 ChaCha20-Poly1305\0";

/// In front of a chunk's associated data, so that these bytes mean nothing elsewhere.
const CHUNK_CONTEXT: [u8; 24] = *b"earnest package 1 chunk\0";

/// In front of the manifest digest in what the release key signs, so that its signature
/// cannot be shown around as one on something else.
const RELEASE_CONTEXT: [u8; 26] = *b"earnest package 1 release\0";

/// How a package is sealed.
#[derive(Debug, Clone, Copy)]
pub struct Sealing<'a> {
    /// Encrypts the chunks.
    pub content_key: &'a ContentKey,
    /// Signs the manifest.
    pub release_key: &'a ReleaseSigningKey,
    /// The package's version. Who opens one states the least that is still allowed.
    pub version: u64,
}

/// What opens a sealed package.
#[derive(Debug, Clone, Copy)]
pub struct Unsealing<'a> {
    /// Decrypts the chunks.
    pub content_key: &'a ContentKey,
    /// Must have signed the manifest.
    pub release_key: &'a ReleaseVerifyingKey,
    /// The least version that is still allowed; what is older is refused. It must come from
    /// where nobody turns it back, such as the TPM.
    pub least_version: u64,
}

/// The random name of a sealed package, from which with the content key its own key is
/// derived.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PackageId([u8; PACKAGE_ID_BYTES]);

impl PackageId {
    pub(super) fn generate() -> Result<PackageId, KeyError> {
        let mut bytes = [0; PACKAGE_ID_BYTES];
        let filled = SystemRandom::new().fill(&mut bytes);
        filled.map_err(|_| KeyError::NoRandomness)?;
        Ok(PackageId(bytes))
    }

    /// The id of these bytes.
    pub const fn from_bytes(bytes: [u8; PACKAGE_ID_BYTES]) -> PackageId {
        PackageId(bytes)
    }

    /// The id's bytes.
    pub const fn as_bytes(&self) -> &[u8; PACKAGE_ID_BYTES] {
        &self.0
    }
}

impl fmt::Display for PackageId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(formatter, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for PackageId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PackageId({self})")
    }
}

/// The message that the release key signs for the package of this manifest digest.
pub(super) fn release_message(
    manifest_digest: &Digest,
) -> [u8; RELEASE_CONTEXT.len() + DIGEST_BYTES] {
    let mut message = [0; RELEASE_CONTEXT.len() + DIGEST_BYTES];
    let (context, digest) = message.split_at_mut(RELEASE_CONTEXT.len());
    context.copy_from_slice(&RELEASE_CONTEXT);
    digest.copy_from_slice(manifest_digest.as_bytes());
    message
}

/// The cipher of one package's chunks.
pub(super) struct ChunkCipher {
    key: LessSafeKey,
    id: PackageId,
    head: Digest,
}

impl ChunkCipher {
    /// The cipher of the package of this id and this digest of its head. Both go into the
    /// key: were an id ever drawn twice, packages of other content, whose heads differ as
    /// their cards' digests do, would still not share a key, and so no nonce.
    pub(super) fn new(content_key: &ContentKey, id: PackageId, head: Digest) -> ChunkCipher {
        let derived = Salt::new(HKDF_SHA256, id.as_bytes()).extract(content_key.expose());
        let info = [KEY_CONTEXT, head.as_bytes()];
        let key = derived
            .expand(&info, &CHACHA20_POLY1305)
            .map(UnboundKey::from)
            .expect("HKDF gives up to 255 digests, and this is one");
        let key = LessSafeKey::new(key);
        ChunkCipher { key, id, head }
    }

    /// Encrypts the chunk in place and gives its tag.
    pub(super) fn seal(&self, chunk: &Chunk, bytes: &mut [u8]) -> [u8; TAG_BYTES] {
        let data = Aad::from(self.associated_data(chunk));
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce(chunk), data, bytes)
            .expect("a chunk is far shorter than the 256 GiB that the cipher takes");
        let mut bytes = [0; TAG_BYTES];
        bytes.copy_from_slice(tag.as_ref());
        bytes
    }

    /// Decrypts the chunk, tag included, in place; the plaintext is what stands before the
    /// tag. When the tag does not fit there is none.
    #[must_use]
    pub(super) fn open(&self, chunk: &Chunk, bytes: &mut [u8]) -> bool {
        let data = Aad::from(self.associated_data(chunk));
        self.key.open_in_place(nonce(chunk), data, bytes).is_ok()
    }

    /// What a chunk's tag covers besides its bytes: which package, which file, which chunk
    /// of it, whether it is the last, and everything that the head says.
    fn associated_data(&self, chunk: &Chunk) -> Vec<u8> {
        let last = u8::from(chunk.last_of_member) | u8::from(chunk.last) << 1;
        [
            &CHUNK_CONTEXT[..],
            self.id.as_bytes(),
            &[code_of(chunk.role)],
            &chunk.place.to_le_bytes(),
            &[last],
            self.head.as_bytes(),
        ]
        .concat()
    }
}

/// A chunk's nonce is its number in the package, so no two under one key are the same.
fn nonce(chunk: &Chunk) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[..4].copy_from_slice(&chunk.number.to_le_bytes());
    Nonce::assume_unique_for_key(nonce)
}
