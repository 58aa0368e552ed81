//! The keys that the log is written to and read with.
//!
//! Whoever writes has the public key alone. Each segment has a key of its own, which HPKE (RFC
//! 9180) makes for it in base mode with DHKEM(X25519, HKDF-SHA256) and HKDF-SHA256: what the
//! context exports (section 5.3) is the key that ring encrypts the segment's entries with, by
//! ChaCha20-Poly1305. The other half of the key pair is sealed in the TPM.

use std::fmt;

use hpke::aead::ExportOnlyAead;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::digest::{SHA256, digest};
use zeroize::Zeroizing;

/// What HPKE binds its keys to.
const PURPOSE: &[u8] = b"earnest audit segment 1";

/// What the exported key is for.
const EXPORT: &[u8] = b"entries, ChaCha20-Poly1305";

/// Bytes of an encapsulated key.
pub(crate) const ENCAPSULATED_BYTES: usize = 32;

/// What is not a public key: one that encapsulates nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these 32 bytes are no public key of X25519 that anything can be encrypted to")]
pub struct BadKey;

/// What the log is encrypted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// The key of these bytes (RFC 7748, section 5).
    ///
    /// # Errors
    ///
    /// When nothing can be encrypted to it, as it is of low order.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<PublicKey, BadKey> {
        let key = PublicKey(bytes);
        key.encapsulate().map(|_| key)
    }

    /// Its bytes.
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// Its short name, which segments carry: the first eight bytes of its SHA-256.
    pub fn id(&self) -> KeyId {
        let mut id = [0; 8];
        id.copy_from_slice(&digest(&SHA256, &self.0).as_ref()[..8]);
        KeyId(id)
    }

    /// A fresh segment's key, and what its reader finds it again with.
    pub(crate) fn encapsulate(&self) -> Result<([u8; ENCAPSULATED_BYTES], SegmentKey), BadKey> {
        let public = <X25519HkdfSha256 as hpke::Kem>::PublicKey::from_bytes(&self.0);
        let public = public.map_err(|_| BadKey)?;
        let made = hpke::setup_sender::<ExportOnlyAead, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &public,
            PURPOSE,
        );
        let (encapsulated, context) = made.map_err(|_| BadKey)?;
        let mut exported = Zeroizing::new([0; 32]);
        context
            .export(EXPORT, exported.as_mut())
            .map_err(|_| BadKey)?;
        let mut bytes = [0; ENCAPSULATED_BYTES];
        encapsulated.write_exact(&mut bytes);
        Ok((bytes, SegmentKey::new(&exported)?))
    }
}

/// The short name of a key pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.0.iter();
        bytes.try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// What the log is read with. It is wiped from memory when it goes.
#[derive(Clone)]
pub struct SecretKey {
    bytes: Zeroizing<[u8; 32]>,
    public: PublicKey,
}

impl SecretKey {
    /// The key of these bytes. Any 32 random bytes are one.
    pub fn from_bytes(bytes: &[u8; 32]) -> SecretKey {
        let bytes = Zeroizing::new(*bytes);
        let mut public = PublicKey([0; 32]);
        // There are 32 bytes, which is all that is asked of them.
        if let Some(secret) = private(&bytes) {
            X25519HkdfSha256::sk_to_pk(&secret).write_exact(&mut public.0);
        }
        SecretKey { bytes, public }
    }

    /// Its bytes, for the TPM to seal.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.bytes.clone()
    }

    /// The other half.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// The key of the segment with this encapsulated key.
    pub(crate) fn decapsulate(
        &self,
        encapsulated: &[u8; ENCAPSULATED_BYTES],
    ) -> Result<SegmentKey, BadKey> {
        let secret = private(&self.bytes).ok_or(BadKey)?;
        let encapsulated = <X25519HkdfSha256 as hpke::Kem>::EncappedKey::from_bytes(encapsulated);
        let context = hpke::setup_receiver::<ExportOnlyAead, HkdfSha256, X25519HkdfSha256>(
            &OpModeR::Base,
            &secret,
            &encapsulated.map_err(|_| BadKey)?,
            PURPOSE,
        );
        let mut exported = Zeroizing::new([0; 32]);
        context
            .and_then(|context| context.export(EXPORT, exported.as_mut()))
            .map_err(|_| BadKey)?;
        SegmentKey::new(&exported)
    }
}

fn private(bytes: &[u8; 32]) -> Option<<X25519HkdfSha256 as hpke::Kem>::PrivateKey> {
    <X25519HkdfSha256 as hpke::Kem>::PrivateKey::from_bytes(bytes).ok()
}

/// Without the key.
impl fmt::Debug for SecretKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SecretKey({})", self.public().id())
    }
}

/// The key of one segment's entries. An entry's number is its nonce, as each is encrypted once.
pub(crate) struct SegmentKey(LessSafeKey);

impl SegmentKey {
    fn new(bytes: &[u8; 32]) -> Result<SegmentKey, BadKey> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, bytes).map_err(|_| BadKey)?;
        Ok(SegmentKey(LessSafeKey::new(key)))
    }

    /// Encrypts in place and appends the tag. Nothing but a length beyond all bounds fails.
    pub(crate) fn seal(&self, sequence: u64, about: &[u8], entry: &mut Vec<u8>) -> Option<()> {
        let sealed = self
            .0
            .seal_in_place_append_tag(nonce(sequence), Aad::from(about), entry);
        sealed.ok()
    }

    /// Decrypts in place, to what is given back.
    pub(crate) fn open<'a>(
        &self,
        sequence: u64,
        about: &[u8],
        sealed: &'a mut [u8],
    ) -> Option<&'a [u8]> {
        let opened = self
            .0
            .open_in_place(nonce(sequence), Aad::from(about), sealed);
        opened.ok().map(|entry| &*entry)
    }
}

impl fmt::Debug for SegmentKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SegmentKey")
    }
}

fn nonce(sequence: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[4..].copy_from_slice(&sequence.to_be_bytes());
    Nonce::assume_unique_for_key(nonce)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_to_a_public_key_is_read_with_its_other_half_alone() {
        let secret = SecretKey::from_bytes(&[7; 32]);
        let (encapsulated, key) = secret.public().encapsulate().unwrap();
        let mut entry = b"an entry".to_vec();
        key.seal(3, b"about", &mut entry).unwrap();
        let reader = secret.decapsulate(&encapsulated).unwrap();
        let check = |reader: &SegmentKey, sequence, about: &[u8]| {
            let mut sealed = entry.clone();
            reader
                .open(sequence, about, &mut sealed)
                .map(<[u8]>::to_vec)
        };
        assert_eq!(check(&reader, 3, b"about").unwrap(), b"an entry");
        assert_eq!(check(&reader, 4, b"about"), None);
        assert_eq!(check(&reader, 3, b"other"), None);
        let other = SecretKey::from_bytes(&[8; 32]);
        let other = other.decapsulate(&encapsulated).unwrap();
        assert_eq!(check(&other, 3, b"about"), None);
    }

    #[test]
    fn each_segment_has_another_key() {
        let public = SecretKey::from_bytes(&[7; 32]).public();
        let (first, _) = public.encapsulate().unwrap();
        let (second, _) = public.encapsulate().unwrap();
        assert_ne!(first, second);
    }

    #[test]
    fn a_key_of_low_order_is_none_and_the_secret_half_is_not_shown() {
        assert_eq!(PublicKey::from_bytes([0; 32]), Err(BadKey));
        let secret = SecretKey::from_bytes(&[7; 32]);
        assert_eq!(
            PublicKey::from_bytes(secret.public().0),
            Ok(secret.public())
        );
        assert!(!format!("{secret:?}").contains("07, 07"));
        assert_eq!(*secret.to_bytes(), [7; 32]);
    }

    /// RFC 9180, appendix A.1.1: what a public key is made of, by another implementation.
    #[test]
    fn the_public_half_is_the_one_of_the_standards_example() {
        let secret = SecretKey::from_bytes(&[
            0x46, 0x12, 0xc5, 0x50, 0x26, 0x3f, 0xc8, 0xad, 0x58, 0x37, 0x5d, 0xf3, 0xf5, 0x57,
            0xaa, 0xc5, 0x31, 0xd2, 0x68, 0x50, 0x90, 0x3e, 0x55, 0xa9, 0xf2, 0x3f, 0x21, 0xd8,
            0x53, 0x4e, 0x8a, 0xc8,
        ]);
        let public = [
            0x39, 0x48, 0xcf, 0xe0, 0xad, 0x1d, 0xdb, 0x69, 0x5d, 0x78, 0x0e, 0x59, 0x07, 0x71,
            0x95, 0xda, 0x6c, 0x56, 0x50, 0x6b, 0x02, 0x73, 0x29, 0x79, 0x4a, 0xb0, 0x2b, 0xca,
            0x80, 0x81, 0x5c, 0x4d,
        ];
        assert_eq!(secret.public().to_bytes(), public);
    }
}
