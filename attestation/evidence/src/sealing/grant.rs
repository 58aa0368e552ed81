//! The root's word for a policy key.

use super::index::{GENERATION_OFFSET, index_name};
use super::key::{PolicyKey, SIGNATURE_BYTES, SignatureBytes, SignatureError};
use super::{POLICY_KEY_BYTES, PolicyDigest};
use crate::bytes::{Reader, Truncated};

/// Bytes of an encoded grant: the key, its generation and three signatures.
pub const GRANT_BYTES: usize = POLICY_KEY_BYTES + 8 + 3 * SIGNATURE_BYTES;

/// What a signature is for. Each purpose has a policy reference of its own, so that a
/// signature for one is worth nothing for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Opening what is sealed.
    Seal,
    /// Raising the least version.
    Version,
    /// Writing the least version for the first time.
    FirstVersion,
}

impl Purpose {
    /// The policy reference (`policyRef` of `TPM2_PolicyAuthorize`) under which the policy key
    /// signs. The root signs a first version under that of [`Purpose::Version`], because
    /// one index has one policy.
    pub const fn reference(self) -> &'static [u8] {
        match self {
            Purpose::Seal => b"earnest seal 1",
            Purpose::Version => b"earnest version 1",
            Purpose::FirstVersion => b"earnest first version 1",
        }
    }

    /// The policy reference under which the root signs.
    pub const fn root_reference(self) -> &'static [u8] {
        match self {
            Purpose::Seal => Purpose::Seal.reference(),
            Purpose::Version | Purpose::FirstVersion => Purpose::Version.reference(),
        }
    }
}

/// A policy key with the root's signatures, one for each [`Purpose`].
///
/// The first two approvals hold as long as the device's least generation is at most this
/// key's. The third can make no such comparison, because a TPM compares nothing with an index
/// that was never written; it asks that the index be unwritten instead, so that a key whose
/// generation is over can lower nothing by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyGrant {
    /// The policy key.
    pub key: PolicyKey,
    /// Its generation: each rotation takes a higher one.
    pub generation: u64,
    /// The root's signature for [`Purpose::Seal`].
    pub seal: SignatureBytes,
    /// The root's signature for [`Purpose::Version`].
    pub version: SignatureBytes,
    /// The root's signature for [`Purpose::FirstVersion`].
    pub first_version: SignatureBytes,
}

impl KeyGrant {
    /// Grants `key` its power: `sign` signs a message with the root key, by ECDSA with
    /// SHA-256 on P-256.
    ///
    /// # Errors
    ///
    /// Those of `sign`.
    pub fn sign<E>(
        root: &PolicyKey,
        key: PolicyKey,
        generation: u64,
        mut sign: impl FnMut(&[u8]) -> Result<SignatureBytes, E>,
    ) -> Result<KeyGrant, E> {
        let mut for_purpose = |purpose| sign(&message(root, &key, generation, purpose));
        Ok(KeyGrant {
            seal: for_purpose(Purpose::Seal)?,
            version: for_purpose(Purpose::Version)?,
            first_version: for_purpose(Purpose::FirstVersion)?,
            key,
            generation,
        })
    }

    /// Checks that `root` granted this.
    ///
    /// # Errors
    ///
    /// When one of the signatures is none by the root.
    pub fn verify(&self, root: &PolicyKey) -> Result<(), GrantError> {
        for purpose in [Purpose::Seal, Purpose::Version, Purpose::FirstVersion] {
            let message = message(root, &self.key, self.generation, purpose);
            root.verify(&message, self.signature(purpose))
                .map_err(|source| GrantError { purpose, source })?;
        }
        Ok(())
    }

    /// The root's signature for this purpose.
    pub const fn signature(&self, purpose: Purpose) -> &SignatureBytes {
        match purpose {
            Purpose::Seal => &self.seal,
            Purpose::Version => &self.version,
            Purpose::FirstVersion => &self.first_version,
        }
    }

    /// The policy that the root approves for this purpose: signed by the policy key, and of a
    /// generation that still counts or for an index that was never written.
    pub fn policy(&self, root: &PolicyKey, purpose: Purpose) -> PolicyDigest {
        granted(root, &self.key, self.generation, purpose)
    }

    pub(super) fn encode(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.key.as_bytes());
        bytes.extend(self.generation.to_be_bytes());
        bytes.extend(self.seal);
        bytes.extend(self.version);
        bytes.extend(self.first_version);
    }

    pub(super) fn parse(reader: &mut Reader<'_>) -> Result<KeyGrant, Truncated> {
        Ok(KeyGrant {
            key: PolicyKey::from_bytes(reader.array("policy key")?),
            generation: reader.u64("generation")?,
            seal: reader.array("root's signature for the seal")?,
            version: reader.array("root's signature for the version")?,
            first_version: reader.array("root's signature for the first version")?,
        })
    }
}

fn granted(root: &PolicyKey, key: &PolicyKey, generation: u64, purpose: Purpose) -> PolicyDigest {
    let by_key = PolicyDigest::authorize(key, purpose.reference());
    match purpose {
        Purpose::Seal | Purpose::Version => {
            by_key.nv_at_most(&index_name(root, true), GENERATION_OFFSET, generation)
        }
        Purpose::FirstVersion => by_key.nv_written(false),
    }
}

fn message(root: &PolicyKey, key: &PolicyKey, generation: u64, purpose: Purpose) -> Vec<u8> {
    granted(root, key, generation, purpose).approval_message(purpose.root_reference())
}

/// A grant that the root did not give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the root did not grant the policy key its power ({purpose:?})")]
pub struct GrantError {
    /// What the failed signature is for.
    pub purpose: Purpose,
    /// The signature and the root's key.
    #[source]
    pub source: SignatureError,
}
