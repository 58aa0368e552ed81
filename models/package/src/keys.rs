//! The keys of a sealed package: the one that encrypts it and the one that signs it.
//!
//! - A [`ContentKey`] is what a device keeps sealed in its TPM. It is overwritten when it is
//!   dropped, lies behind one heap address so that moving it leaves no copies, cannot be
//!   cloned, and never prints itself.
//! - A [`ReleaseSigningKey`] lives where packages are made; a device knows the
//!   [`ReleaseVerifyingKey`] of it alone.
//!
//! ring does not overwrite what it derives from a key (a cipher's schedule, a signer's
//! scalar) when that is dropped. It lives only while a package is sealed or opened; that it
//! reaches neither swap nor a core dump is the part of [`crate::memory`].
//!
//! ```
//! use earnest_package::{ContentKey, ReleaseSigningKey};
//! let key = ContentKey::generate()?;
//! assert_eq!(format!("{key:?}"), "ContentKey(..)");
//! let (signer, pkcs8) = ReleaseSigningKey::generate()?;
//! assert_eq!(ReleaseSigningKey::from_pkcs8(&pkcs8)?.public(), signer.public());
//! # Ok::<(), earnest_package::KeyError>(())
//! ```

use std::fmt;

use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use zeroize::Zeroizing;

use crate::Digest;

/// Bytes of a content key.
pub const CONTENT_KEY_BYTES: usize = 32;

/// Bytes of an ECDSA P-256 signature of fixed length: r and s, big-endian (as RFC 7518,
/// section 3.4, has it).
pub(crate) const SIGNATURE_BYTES: usize = 64;

/// Bytes of an uncompressed P-256 point: 4, x, y (SEC 1, section 2.3.3).
const POINT_BYTES: usize = 65;

/// What stands before the point in the DER of a P-256 SubjectPublicKeyInfo (RFC 5480,
/// section 2): id-ecPublicKey, prime256v1, a bit string with no unused bits.
const SPKI_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// The secret that opens a model's packages: 32 bytes, overwritten when dropped.
pub struct ContentKey(Box<Zeroizing<[u8; CONTENT_KEY_BYTES]>>);

impl ContentKey {
    /// A new key from the system's random numbers.
    pub fn generate() -> Result<ContentKey, KeyError> {
        let mut key = ContentKey(Box::default());
        let random = SystemRandom::new();
        random
            .fill(key.0.as_mut_slice())
            .map_err(|_| KeyError::NoRandomness)?;
        Ok(key)
    }

    /// The key of these bytes, such as a TPM unsealed. The caller's own copy is the caller's
    /// to overwrite.
    pub fn from_slice(bytes: &[u8]) -> Result<ContentKey, KeyError> {
        if bytes.len() != CONTENT_KEY_BYTES {
            return Err(KeyError::ContentKeyLength {
                expected: CONTENT_KEY_BYTES,
                found: bytes.len(),
            });
        }
        let mut key = ContentKey(Box::default());
        key.0.copy_from_slice(bytes);
        Ok(key)
    }

    /// The key's bytes, for who seals them. The name says what a call does.
    pub fn expose(&self) -> &[u8; CONTENT_KEY_BYTES] {
        &self.0
    }
}

impl fmt::Debug for ContentKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ContentKey(..)")
    }
}

/// The key that signs packages: ECDSA on P-256 with SHA-256.
pub struct ReleaseSigningKey {
    pair: EcdsaKeyPair,
    public: ReleaseVerifyingKey,
}

impl ReleaseSigningKey {
    /// A new key, and its PKCS #8 document (RFC 5958), which is what a keeper stores.
    pub fn generate() -> Result<(ReleaseSigningKey, Zeroizing<Vec<u8>>), KeyError> {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .map_err(|_| KeyError::NoRandomness)?;
        let document = Zeroizing::new(document.as_ref().to_vec());
        Ok((ReleaseSigningKey::from_pkcs8(&document)?, document))
    }

    /// The key of a PKCS #8 document in DER.
    pub fn from_pkcs8(document: &[u8]) -> Result<ReleaseSigningKey, KeyError> {
        let pair = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_FIXED_SIGNING,
            document,
            &SystemRandom::new(),
        )
        .map_err(|reason| KeyError::NotPkcs8 {
            reason: reason.to_string(),
        })?;
        let public = ReleaseVerifyingKey::from_point(pair.public_key().as_ref())?;
        Ok(ReleaseSigningKey { pair, public })
    }

    /// The key that verifies what this one signs.
    pub fn public(&self) -> ReleaseVerifyingKey {
        self.public
    }

    /// The signature of `message`. It fails only where the system gives no random numbers.
    pub(crate) fn sign(&self, message: &[u8]) -> Option<[u8; SIGNATURE_BYTES]> {
        let signature = self.pair.sign(&SystemRandom::new(), message).ok()?;
        signature.as_ref().try_into().ok()
    }
}

impl fmt::Debug for ReleaseSigningKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ReleaseSigningKey({})", self.public.id())
    }
}

/// The public half of a [`ReleaseSigningKey`].
///
/// That the point lies on the curve shows at the first verification: of a key whose point
/// does not, every signature is refused.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ReleaseVerifyingKey([u8; POINT_BYTES]);

impl ReleaseVerifyingKey {
    /// The key of this uncompressed point: 65 bytes of which the first is 4.
    pub fn from_point(point: &[u8]) -> Result<ReleaseVerifyingKey, KeyError> {
        let point: [u8; POINT_BYTES] = point.try_into().map_err(|_| KeyError::PointLength {
            expected: POINT_BYTES,
            found: point.len(),
        })?;
        match point[0] {
            4 => Ok(ReleaseVerifyingKey(point)),
            found => Err(KeyError::PointForm { found }),
        }
    }

    /// The key of a SubjectPublicKeyInfo in DER, as `openssl pkey -pubout -outform DER`
    /// writes it.
    pub fn from_spki(document: &[u8]) -> Result<ReleaseVerifyingKey, KeyError> {
        match document.strip_prefix(&SPKI_PREFIX) {
            Some(point) => ReleaseVerifyingKey::from_point(point),
            None => Err(KeyError::NotSpki),
        }
    }

    /// The key as a SubjectPublicKeyInfo in DER.
    pub fn spki(&self) -> Vec<u8> {
        [&SPKI_PREFIX[..], &self.0].concat()
    }

    /// What packages call this key by: the SHA-256 of its SubjectPublicKeyInfo.
    pub fn id(&self) -> Digest {
        Digest::of_parts(&[&SPKI_PREFIX, &self.0])
    }

    /// Whether `signature` is this key's over `message`.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.0);
        key.verify(message, signature).is_ok()
    }
}

impl fmt::Debug for ReleaseVerifyingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ReleaseVerifyingKey({})", self.id())
    }
}

/// Why there is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The system gave no random numbers.
    #[error("the system gives no random numbers")]
    NoRandomness,
    /// A content key of another length.
    #[error("a content key has {expected} bytes, not {found}")]
    ContentKeyLength {
        /// Bytes that one has.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// No PKCS #8 document of a P-256 key.
    #[error("this is no PKCS #8 document of a P-256 key: {reason}")]
    NotPkcs8 {
        /// What ring says.
        reason: String,
    },
    /// A public point of another length.
    #[error("an uncompressed P-256 point has {expected} bytes, not {found}")]
    PointLength {
        /// Bytes that one has.
        expected: usize,
        /// Bytes given.
        found: usize,
    },
    /// A point that is compressed, or none.
    #[error("an uncompressed P-256 point starts with 4, not {found}")]
    PointForm {
        /// The first byte.
        found: u8,
    },
    /// No SubjectPublicKeyInfo of a P-256 key.
    #[error("this is no SubjectPublicKeyInfo of a P-256 key")]
    NotSpki,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_content_keys_differ_and_come_back_from_their_bytes() {
        let key = ContentKey::generate().unwrap();
        let other = ContentKey::generate().unwrap();
        assert_ne!(key.expose(), other.expose());
        assert_ne!(key.expose(), &[0; CONTENT_KEY_BYTES]);
        let again = ContentKey::from_slice(key.expose()).unwrap();
        assert_eq!(again.expose(), key.expose());
    }

    #[test]
    fn a_content_key_of_another_length_is_refused() {
        for length in [0, 31, 33] {
            let refused = ContentKey::from_slice(&vec![1; length]).unwrap_err();
            let expected = CONTENT_KEY_BYTES;
            assert_eq!(
                refused,
                KeyError::ContentKeyLength {
                    expected,
                    found: length
                }
            );
        }
    }

    #[test]
    fn no_secret_key_prints_itself() {
        let key = ContentKey::from_slice(&[0xab; CONTENT_KEY_BYTES]).unwrap();
        assert_eq!(format!("{key:?} {key:#?}"), "ContentKey(..) ContentKey(..)");
        let (signer, _) = ReleaseSigningKey::generate().unwrap();
        let id = signer.public().id();
        assert_eq!(format!("{signer:?}"), format!("ReleaseSigningKey({id})"));
    }

    #[test]
    fn a_signature_holds_for_its_message_and_its_key_alone() {
        let (signer, _) = ReleaseSigningKey::generate().unwrap();
        let (other, _) = ReleaseSigningKey::generate().unwrap();
        let mut signature = signer.sign(b"message").unwrap();
        assert!(signer.public().verifies(b"message", &signature));
        assert!(!signer.public().verifies(b"massage", &signature));
        assert!(!other.public().verifies(b"message", &signature));
        signature[SIGNATURE_BYTES - 1] ^= 1;
        assert!(!signer.public().verifies(b"message", &signature));
    }

    #[test]
    fn a_verifying_key_comes_back_from_its_spki_and_other_documents_are_refused() {
        let (signer, _) = ReleaseSigningKey::generate().unwrap();
        let key = signer.public();
        let spki = key.spki();
        assert_eq!(ReleaseVerifyingKey::from_spki(&spki), Ok(key));
        assert_eq!(Digest::of(&spki), key.id());
        for length in 0..spki.len() {
            assert!(ReleaseVerifyingKey::from_spki(&spki[..length]).is_err());
        }
        let longer = [&spki[..], &[0]].concat();
        assert!(matches!(
            ReleaseVerifyingKey::from_spki(&longer),
            Err(KeyError::PointLength { found: 66, .. })
        ));
        let mut compressed = spki.clone();
        compressed[SPKI_PREFIX.len()] = 2;
        assert_eq!(
            ReleaseVerifyingKey::from_spki(&compressed),
            Err(KeyError::PointForm { found: 2 })
        );
        let mut other_curve = spki;
        other_curve[22] ^= 1;
        assert_eq!(
            ReleaseVerifyingKey::from_spki(&other_curve),
            Err(KeyError::NotSpki)
        );
    }

    #[test]
    fn what_is_no_pkcs8_document_is_refused() {
        assert!(matches!(
            ReleaseSigningKey::from_pkcs8(b"no key"),
            Err(KeyError::NotPkcs8 { .. })
        ));
    }
}
