//! Credentials: a secret that only the TPM with the endorsement key can read, and only if the
//! named attestation key lives in the same TPM.
//!
//! This is the software side of `TPM2_MakeCredential` (TPM 2.0 Library, Part 1, section 24,
//! "Credential Protection"; Part 3, 12.6). The fleet encrypts a secret to the endorsement key
//! and binds the attestation key's name into it; `TPM2_ActivateCredential` gives the secret
//! back only where both keys live. An answer with the right secret therefore binds the two.
//!
//! What the TPM's default templates prescribe depends on the endorsement key's kind alone
//! (TCG EK Credential Profile, annex B): SHA-256 and AES-128 for RSA-2048 and P-256, SHA-384
//! and AES-256 for RSA-3072, RSA-4096 and P-384.
//!
//! Block cipher and modular exponentiation come from RustCrypto, all else from ring. OAEP's
//! padding stands here, as the crate that has it has an open advisory on its private-key half.

mod kdf;
mod oaep;

use aes::cipher::KeyIvInit;
use earnest_evidence::HashAlgorithm;
use earnest_evidence::tpm::{Curve, MAX_NAME_BYTES, PublicKey};
use ring::agreement;
use ring::hmac;
use ring::rand::SecureRandom;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Longest secret, in bytes: the digest of the smaller hash, which every TPM takes.
pub const MAX_SECRET_BYTES: usize = 32;

/// A credential as `TPM2_ActivateCredential` takes it. It may be read by anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// `TPM2B_ID_OBJECT`, with its size in front.
    pub id_object: Vec<u8>,
    /// `TPM2B_ENCRYPTED_SECRET`, with its size in front.
    pub encrypted_secret: Vec<u8>,
}

impl Credential {
    /// The file that `tpm2_activatecredential --credential-blob` takes: magic `BADCC0DE`,
    /// version 1, and both structures.
    pub fn to_tools_file(&self) -> Vec<u8> {
        [
            &[0xba, 0xdc, 0xc0, 0xde, 0, 0, 0, 1][..],
            &self.id_object,
            &self.encrypted_secret,
        ]
        .concat()
    }
}

/// Why no credential was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The endorsement key's size is not one of a template.
    #[error("an RSA endorsement key has 2048, 3072 or 4096 bits; this has {found}")]
    KeySize {
        /// Bits of the modulus.
        found: usize,
    },
    /// The key is no RSA key that can be encrypted to.
    #[error(
        "the endorsement key is no RSA key: its modulus must be odd, its exponent odd and over 2"
    )]
    Key,
    /// The key is no point on its curve.
    #[error("the endorsement key is no point on {curve:?}")]
    Point {
        /// The curve.
        curve: Curve,
    },
    /// The curve is one that no template has.
    #[error("an ECC endorsement key is on P-256 or P-384; this is on {found:?}")]
    Curve {
        /// The key's curve.
        found: Curve,
    },
    /// The secret is too long or empty.
    #[error("a secret has 1 to {limit} bytes; this has {found}")]
    Secret {
        /// The bound, in bytes.
        limit: usize,
        /// Its length in bytes.
        found: usize,
    },
    /// The name is too long or empty.
    #[error("an object's name has 1 to {limit} bytes; this has {found}")]
    Name {
        /// The bound, in bytes.
        limit: usize,
        /// Its length in bytes.
        found: usize,
    },
    /// The random source failed.
    #[error("the random source failed")]
    Random,
}

/// Encrypts `secret` so that only the TPM of `endorsement` can read it, and only if it holds
/// the object of this name (for an attestation key, [`Public::name`](earnest_evidence::tpm::Public::name)).
///
/// # Errors
///
/// When the endorsement key is not of a template's kind, when secret or name are empty or too
/// long, and when the random source fails.
pub fn make(
    endorsement: &PublicKey,
    name: &[u8],
    secret: &[u8],
    random: &dyn SecureRandom,
) -> Result<Credential, CredentialError> {
    if !(1..=MAX_SECRET_BYTES).contains(&secret.len()) {
        return Err(CredentialError::Secret {
            limit: MAX_SECRET_BYTES,
            found: secret.len(),
        });
    }
    if !(1..=MAX_NAME_BYTES).contains(&name.len()) {
        return Err(CredentialError::Name {
            limit: MAX_NAME_BYTES,
            found: name.len(),
        });
    }
    let (suite, seed, encrypted_secret) = protect_seed(endorsement, random)?;
    Ok(Credential {
        id_object: sized(&suite.wrap(&seed, name, secret)),
        encrypted_secret: sized(&encrypted_secret),
    })
}

/// What the templates prescribe for a kind of endorsement key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Suite {
    /// SHA-256 and AES-128.
    Sha256Aes128,
    /// SHA-384 and AES-256.
    Sha384Aes256,
}

/// A secret that is wiped when it is dropped.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Secret(Vec<u8>);

impl Suite {
    fn hash(self) -> HashAlgorithm {
        match self {
            Suite::Sha256Aes128 => HashAlgorithm::Sha256,
            Suite::Sha384Aes256 => HashAlgorithm::Sha384,
        }
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Suite::Sha256Aes128 => hmac::HMAC_SHA256,
            Suite::Sha384Aes256 => hmac::HMAC_SHA384,
        }
    }

    fn cipher_key_bytes(self) -> usize {
        match self {
            Suite::Sha256Aes128 => 16,
            Suite::Sha384Aes256 => 32,
        }
    }

    /// `TPMS_ID_OBJECT` (Part 2, 12.4.2): the HMAC, and the secret encrypted under keys that come
    /// of the seed. The name goes into both.
    fn wrap(self, seed: &Secret, name: &[u8], secret: &[u8]) -> Vec<u8> {
        let key = kdf::kdfa(
            self.hmac(),
            &seed.0,
            b"STORAGE",
            name,
            self.cipher_key_bytes(),
        );
        let mut identity = sized(secret);
        self.encrypt(&key, &mut identity);
        let key = kdf::kdfa(
            self.hmac(),
            &seed.0,
            b"INTEGRITY",
            &[],
            self.hash().digest_bytes(),
        );
        let mut context = hmac::Context::with_key(&hmac::Key::new(self.hmac(), &key.0));
        context.update(&identity);
        context.update(name);
        [sized(context.sign().as_ref()), identity].concat()
    }

    /// AES in CFB mode, with an initial vector of zeros: each key encrypts once.
    fn encrypt(self, key: &Secret, bytes: &mut [u8]) {
        const LENGTH: &str = "kdfa gives as many bytes as the cipher's key has";
        let vector = &[0; 16];
        match self {
            Suite::Sha256Aes128 => {
                cfb_mode::Encryptor::<aes::Aes128>::new_from_slices(&key.0, vector)
                    .expect(LENGTH)
                    .encrypt(bytes);
            }
            Suite::Sha384Aes256 => {
                cfb_mode::Encryptor::<aes::Aes256>::new_from_slices(&key.0, vector)
                    .expect(LENGTH)
                    .encrypt(bytes);
            }
        }
    }
}

/// Draws a seed and encrypts it to the endorsement key (Part 1, annexes B.10.4 and C.6.4). The
/// last value is the content of `TPM2B_ENCRYPTED_SECRET`.
fn protect_seed(
    endorsement: &PublicKey,
    random: &dyn SecureRandom,
) -> Result<(Suite, Secret, Vec<u8>), CredentialError> {
    match endorsement {
        PublicKey::Rsa { modulus, exponent } => {
            let suite = match modulus.len() * 8 {
                2048 => Suite::Sha256Aes128,
                3072 | 4096 => Suite::Sha384Aes256,
                found => return Err(CredentialError::KeySize { found }),
            };
            let seed = draw(suite.hash().digest_bytes(), random)?;
            let padding = draw(suite.hash().digest_bytes(), random)?;
            let encrypted = oaep::encrypt(suite.hash(), modulus, *exponent, &seed, &padding)?;
            Ok((suite, seed, encrypted))
        }
        PublicKey::Ecc { curve, x, y } => {
            let (suite, algorithm) = match curve {
                Curve::P256 => (Suite::Sha256Aes128, &agreement::ECDH_P256),
                Curve::P384 => (Suite::Sha384Aes256, &agreement::ECDH_P384),
                Curve::P521 => return Err(CredentialError::Curve { found: *curve }),
            };
            let point = [&[4], x.as_slice(), y].concat();
            let (seed, ephemeral) = agree(suite, algorithm, *curve, &point, random)?;
            Ok((suite, seed, ephemeral))
        }
    }
}

/// Agrees on a seed with an ECC key, by a key of one use. The second value is that key's
/// `TPMS_ECC_POINT`.
fn agree(
    suite: Suite,
    algorithm: &'static agreement::Algorithm,
    curve: Curve,
    point: &[u8],
    random: &dyn SecureRandom,
) -> Result<(Secret, Vec<u8>), CredentialError> {
    let private = agreement::EphemeralPrivateKey::generate(algorithm, random)
        .map_err(|_| CredentialError::Random)?;
    let public = private
        .compute_public_key()
        .map_err(|_| CredentialError::Random)?;
    let (ephemeral_x, ephemeral_y) = coordinates(public.as_ref());
    let (x, _) = coordinates(point);
    let peer = agreement::UnparsedPublicKey::new(algorithm, point);
    let seed = agreement::agree_ephemeral(private, &peer, |shared_x| {
        kdf::kdfe(suite.hash(), shared_x, b"IDENTITY", ephemeral_x, x)
    })
    .map_err(|_| CredentialError::Point { curve })?;
    Ok((seed, [sized(ephemeral_x), sized(ephemeral_y)].concat()))
}

/// The halves of an uncompressed point, without its first byte.
fn coordinates(point: &[u8]) -> (&[u8], &[u8]) {
    let both = point.get(1..).unwrap_or_default();
    both.split_at(both.len() / 2)
}

fn draw(length: usize, random: &dyn SecureRandom) -> Result<Secret, CredentialError> {
    let mut bytes = Secret(vec![0; length]);
    random
        .fill(&mut bytes.0)
        .map_err(|_| CredentialError::Random)?;
    Ok(bytes)
}

/// `bytes` with their number in front, as a TPM2B has it.
fn sized(bytes: &[u8]) -> Vec<u8> {
    // The longest is an RSA-4096 ciphertext of 512 bytes.
    let length = bytes.len() as u16;
    [&length.to_be_bytes()[..], bytes].concat()
}

#[cfg(test)]
mod tests;
