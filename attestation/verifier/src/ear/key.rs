//! The key that results are signed with, and the key that they are checked with.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use earnest_evidence::HashAlgorithm;
use earnest_evidence::tpm::{Curve, PublicKey};
use ring::rand::SecureRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};

/// Why there is no key for results.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// Not a private key of this kind.
    #[error("this is no ECDSA P-256 private key in PKCS #8: {reason}")]
    Private {
        /// What is wrong with it.
        reason: String,
    },
    /// Not a public key of this kind.
    #[error("results are checked with a P-256 key; this is of another kind, of {found} bits")]
    Public {
        /// The key's bits.
        found: usize,
    },
}

/// Signs results. Its private half is in memory that ring does not wipe, in the verifier alone.
#[derive(Debug)]
pub struct ResultKey {
    pair: EcdsaKeyPair,
    verifier: ResultVerifier,
}

impl ResultKey {
    /// The key of this PKCS #8 document (RFC 5958), as `openssl genpkey` and ring write it.
    ///
    /// # Errors
    ///
    /// When it is not the private key of a point on P-256.
    pub fn from_pkcs8(
        document: &[u8],
        random: &dyn SecureRandom,
    ) -> Result<ResultKey, KeyFileError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document, random)
            .map_err(|rejected| KeyFileError::Private {
                reason: rejected.to_string(),
            })?;
        let point = pair.public_key().as_ref().to_vec();
        let verifier = ResultVerifier::of_point(point);
        Ok(ResultKey { pair, verifier })
    }

    /// What checks its signatures.
    pub fn verifier(&self) -> &ResultVerifier {
        &self.verifier
    }

    /// The signature of `message` in JWS's form, r and s of 32 bytes each; `None` when the
    /// random source failed.
    pub(crate) fn sign(&self, message: &[u8], random: &dyn SecureRandom) -> Option<Vec<u8>> {
        let signature = self.pair.sign(random, message).ok()?;
        Some(signature.as_ref().to_vec())
    }
}

/// Checks results of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultVerifier {
    point: Vec<u8>,
    key_id: String,
}

impl ResultVerifier {
    /// Checks results of this key.
    ///
    /// # Errors
    ///
    /// When it is no key on P-256.
    pub fn new(key: &PublicKey) -> Result<ResultVerifier, KeyFileError> {
        match (key, key.uncompressed_point()) {
            (
                PublicKey::Ecc {
                    curve: Curve::P256, ..
                },
                Some(point),
            ) => Ok(ResultVerifier::of_point(point)),
            _ => Err(KeyFileError::Public { found: key.bits() }),
        }
    }

    /// The key's name in a token: its thumbprint (RFC 7638), by SHA-256.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The key as a JSON Web Key (RFC 7517), for readers of other makers.
    pub fn to_jwk(&self) -> String {
        jwk(&self.point)
    }

    /// The public key, for a PEM file.
    pub fn public_key(&self) -> Option<PublicKey> {
        let (x, y) = self.point.get(1..)?.split_at_checked(32)?;
        PublicKey::ecc(Curve::P256, x, y).ok()
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &self.point)
            .verify(message, signature)
            .is_ok()
    }

    fn of_point(point: Vec<u8>) -> ResultVerifier {
        let thumbprint = HashAlgorithm::Sha256.digest(jwk(&point).as_bytes());
        ResultVerifier {
            key_id: URL_SAFE_NO_PAD.encode(thumbprint.as_bytes()),
            point,
        }
    }
}

/// The JSON of RFC 7638, 3.2: the required members alone, in the order of their names.
fn jwk(point: &[u8]) -> String {
    let coordinates = point.get(1..).unwrap_or_default();
    let (x, y) = coordinates.split_at(coordinates.len() / 2);
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
}
