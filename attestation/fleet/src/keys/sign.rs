//! A private key, and what is signed with it.

use std::path::Path;

use earnest_evidence::hex;
use earnest_evidence::sealing::{
    KeyGrant, LeastVersion, PolicyKey, SignatureBytes, SignedPolicy, SignedVersion,
};
use earnest_evidence::tpm::{PcrSet, PublicKey};
use earnest_files as files;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{KeyFolder, KeysError, Role, SignFailure, pem};

/// A private key on P-256. It shows its public half alone.
#[derive(Debug)]
pub struct SigningKey {
    pair: EcdsaKeyPair,
    public: PolicyKey,
}

impl SigningKey {
    /// A new key, and its PKCS #8 document.
    pub(super) fn generate(
        random: &dyn SecureRandom,
    ) -> Result<(SigningKey, Zeroizing<Vec<u8>>), KeysError> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, random)
            .map_err(|_| KeysError::Random)?;
        let document = Zeroizing::new(document.as_ref().to_vec());
        let key = SigningKey::of_document(&document).map_err(|_| KeysError::Random)?;
        Ok((key, document))
    }

    /// Reads a private key that its owner alone may read.
    ///
    /// # Errors
    ///
    /// When there is none, others may read it, or it is of another kind.
    pub fn read(path: &Path) -> Result<SigningKey, KeysError> {
        let document = read_document(path)?;
        SigningKey::of_document(&document).map_err(|reason| KeysError::Private {
            path: path.to_owned(),
            reason,
        })
    }

    fn of_document(document: &[u8]) -> Result<SigningKey, String> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document, &random)
            .map_err(|rejected| rejected.to_string())?;
        let public =
            PolicyKey::from_point(pair.public_key().as_ref()).map_err(|error| error.to_string())?;
        Ok(SigningKey { pair, public })
    }

    /// The public half.
    pub fn public(&self) -> &PolicyKey {
        &self.public
    }

    /// Signs a message: ECDSA with SHA-256.
    ///
    /// # Errors
    ///
    /// When the random source fails.
    pub fn sign(&self, message: &[u8]) -> Result<SignatureBytes, SignFailure> {
        let signature = self
            .pair
            .sign(&SystemRandom::new(), message)
            .map_err(|_| SignFailure)?;
        signature.as_ref().try_into().map_err(|_| SignFailure)
    }
}

/// The PKCS #8 document of a private file.
pub(super) fn read_document(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeysError> {
    let text = Zeroizing::new(files::read_private(path, pem::MAX_PRIVATE_PEM)?);
    pem::decode(&text).map_err(|reason| KeysError::Private {
        path: path.to_owned(),
        reason: reason.to_owned(),
    })
}

/// The public half as PEM.
pub(super) fn public_pem(key: &PolicyKey) -> Result<String, KeysError> {
    PublicKey::from_spki_der(&key.to_spki_der())
        .map(|key| key.to_pem())
        .map_err(|_| KeysError::Random)
}

/// The file of a grant. The numbers are public: they go into every signed policy.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GrantFile {
    format: String,
    generation: u64,
    key: String,
    seal: String,
    version: String,
    first_version: String,
}

impl GrantFile {
    const FORMAT: &'static str = "earnest-fleet-grant/1";

    pub(super) fn of(grant: &KeyGrant) -> GrantFile {
        GrantFile {
            format: GrantFile::FORMAT.to_owned(),
            generation: grant.generation,
            key: hex::encode(grant.key.as_bytes()),
            seal: hex::encode(&grant.seal),
            version: hex::encode(&grant.version),
            first_version: hex::encode(&grant.first_version),
        }
    }

    pub(super) fn into_grant(self) -> Result<KeyGrant, String> {
        if self.format != GrantFile::FORMAT {
            return Err(format!(
                "expected format {:?}, found {:?}",
                GrantFile::FORMAT,
                self.format
            ));
        }
        let bytes = |text: &str| hex::decode_array(text).map_err(|error| error.to_string());
        Ok(KeyGrant {
            key: PolicyKey::from_bytes(bytes(&self.key)?),
            generation: self.generation,
            seal: bytes(&self.seal)?,
            version: bytes(&self.version)?,
            first_version: bytes(&self.first_version)?,
        })
    }
}

/// A permission to write the least version, and whether it raises anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovedVersion {
    /// The permission.
    pub signed: SignedVersion,
    /// The least numbers that were signed before.
    pub before: LeastVersion,
}

impl KeyFolder {
    /// Signs boot states with the policy key in use, and checks what was signed.
    ///
    /// # Errors
    ///
    /// When there is no state or too many, or a key cannot be read or used.
    pub fn sign_policy(
        &self,
        pcrs: PcrSet,
        version: u64,
        pcr_digests: &[[u8; 32]],
    ) -> Result<SignedPolicy, KeysError> {
        let root = self.root()?;
        let key = self.signing_key(Role::Policy)?;
        let sign = |message: &[u8]| key.sign(message);
        let grant = self.grant()?;
        let signed = SignedPolicy::sign(&root, grant, pcrs, version, pcr_digests, sign)?;
        signed.verify(&root)?;
        Ok(signed)
    }

    /// Signs the permission to write a least version, and remembers it. `first` is for devices
    /// whose index was never written, which start no lower than others are.
    ///
    /// # Errors
    ///
    /// When a number is below one that was signed before, the generation is above that of the
    /// key in use, or a key cannot be read or used.
    pub fn allow_version(
        &mut self,
        least: LeastVersion,
        first: bool,
    ) -> Result<ApprovedVersion, KeysError> {
        let _one_at_a_time = self.lock()?;
        let before = self.manifest().least();
        for (what, expected, found) in [
            ("version", before.version, least.version),
            ("generation", before.generation, least.generation),
        ] {
            if found < expected {
                return Err(KeysError::Lower {
                    what,
                    expected,
                    found,
                });
            }
        }
        let limit = self.manifest().current(Role::Policy);
        if least.generation > limit {
            return Err(KeysError::Generation {
                limit,
                found: least.generation,
            });
        }
        let root = self.root()?;
        let key = self.signing_key(Role::Policy)?;
        let sign = |message: &[u8]| key.sign(message).map_err(|_| KeysError::Random);
        let signed = SignedVersion::sign(&root, self.grant()?, first, least, sign)?;
        signed.verify(&root)?;
        self.remember(least)?;
        Ok(ApprovedVersion { signed, before })
    }
}
