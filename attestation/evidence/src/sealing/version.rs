//! The file that permits one write of the least version.

use super::grant::{GrantError, KeyGrant, Purpose};
use super::index::{
    GENERATION_OFFSET, LeastVersion, VERSION_OFFSET, index_name, write_parameters_digest,
};
use super::key::{PolicyKey, SignatureBytes, SignatureError};
use super::{GRANT_BYTES, PolicyDigest, SIGNATURE_BYTES};
use crate::bytes::{Reader, Truncated};

/// The file's first bytes; the last of them is the version of the format.
const MAGIC: [u8; 8] = *b"earnver\x01";

/// Bytes of the encoded form: magic, grant, whether it is the first, both numbers, signature.
pub const SIGNED_VERSION_BYTES: usize = 8 + GRANT_BYTES + 1 + 16 + SIGNATURE_BYTES;

/// Permission to write exactly this least version, signed. It works wherever neither number
/// falls by it, and doing it again changes nothing.
///
/// Encoded, all numbers big-endian: magic (8), policy key (64), its generation (8), three
/// signatures of the root (64 each), 1 for a first write and 0 else (1), least version (8),
/// least generation (8), signature of the policy key (64).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedVersion {
    grant: KeyGrant,
    first: bool,
    least: LeastVersion,
    signature: SignatureBytes,
}

impl SignedVersion {
    /// Permits writing `least` with the policy key of `grant`: `sign` signs a message by
    /// ECDSA with SHA-256 on P-256. A `first` permission works on an index that was never
    /// written, which is what a device has while it is provisioned, and on no other.
    ///
    /// # Errors
    ///
    /// Those of `sign`.
    pub fn sign<E>(
        root: &PolicyKey,
        grant: KeyGrant,
        first: bool,
        least: LeastVersion,
        sign: impl FnOnce(&[u8]) -> Result<SignatureBytes, E>,
    ) -> Result<SignedVersion, E> {
        let policy = write_policy(root, first, least);
        let signature = sign(&policy.approval_message(purpose(first).reference()))?;
        Ok(SignedVersion {
            grant,
            first,
            least,
            signature,
        })
    }

    /// Reads the encoded form. It says nothing of the signatures: see [`Self::verify`].
    ///
    /// # Errors
    ///
    /// When the bytes are no such file.
    pub fn parse(bytes: &[u8]) -> Result<SignedVersion, SignedVersionError> {
        let mut reader = Reader::new(bytes);
        let magic = reader.array("magic")?;
        if magic != MAGIC {
            return Err(SignedVersionError::Magic {
                expected: MAGIC,
                found: magic,
            });
        }
        let grant = KeyGrant::parse(&mut reader)?;
        let first = match reader.u8("whether it is the first")? {
            0 => false,
            1 => true,
            found => return Err(SignedVersionError::First { found }),
        };
        let least = LeastVersion::from_bytes(reader.array("least version")?);
        let signature = reader.array("policy key's signature")?;
        match reader.left() {
            0 => Ok(SignedVersion {
                grant,
                first,
                least,
                signature,
            }),
            found => Err(SignedVersionError::Trailing { found }),
        }
    }

    /// The encoded form, of [`SIGNED_VERSION_BYTES`].
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SIGNED_VERSION_BYTES);
        bytes.extend(MAGIC);
        self.grant.encode(&mut bytes);
        bytes.push(u8::from(self.first));
        bytes.extend(self.least.to_bytes());
        bytes.extend(self.signature);
        bytes
    }

    /// Checks every signature, up to `root`.
    ///
    /// # Errors
    ///
    /// When the root did not grant the policy key its power, or the policy key did not sign.
    pub fn verify(&self, root: &PolicyKey) -> Result<(), SignedVersionError> {
        self.grant.verify(root)?;
        let message = self
            .policy(root)
            .approval_message(self.purpose().reference());
        self.grant.key.verify(&message, &self.signature)?;
        Ok(())
    }

    /// The policy key and the root's word for it.
    pub fn grant(&self) -> &KeyGrant {
        &self.grant
    }

    /// Whether it is for an index that was never written.
    pub fn is_first(&self) -> bool {
        self.first
    }

    /// What the signature is for.
    pub fn purpose(&self) -> Purpose {
        purpose(self.first)
    }

    /// What it permits to write.
    pub fn least(&self) -> LeastVersion {
        self.least
    }

    /// The policy key's signature.
    pub fn signature(&self) -> &SignatureBytes {
        &self.signature
    }

    /// The policy that the policy key signs.
    pub fn policy(&self, root: &PolicyKey) -> PolicyDigest {
        write_policy(root, self.first, self.least)
    }
}

fn purpose(first: bool) -> Purpose {
    if first {
        Purpose::FirstVersion
    } else {
        Purpose::Version
    }
}

fn write_policy(root: &PolicyKey, first: bool, least: LeastVersion) -> PolicyDigest {
    let command = write_parameters_digest(root, least, !first);
    if first {
        return PolicyDigest::START.cp_hash(&command);
    }
    let name = index_name(root, true);
    PolicyDigest::START
        .nv_at_most(&name, VERSION_OFFSET, least.version)
        .nv_at_most(&name, GENERATION_OFFSET, least.generation)
        .cp_hash(&command)
}

/// Why bytes are no signed version, or one that nobody of authority signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignedVersionError {
    /// It ends too early.
    #[error("the signed version is cut short")]
    Truncated(#[from] Truncated),
    /// It is another file.
    #[error("a signed version starts with {expected:02x?}; this starts with {found:02x?}")]
    Magic {
        /// What such a file starts with.
        expected: [u8; 8],
        /// What stands there.
        found: [u8; 8],
    },
    /// Neither yes nor no.
    #[error("a signed version says 0 or 1 for whether it is the first; this says {found}")]
    First {
        /// What stands there.
        found: u8,
    },
    /// Bytes follow.
    #[error("{found} bytes follow the signed version")]
    Trailing {
        /// How many.
        found: usize,
    },
    /// The root did not grant the policy key its power.
    #[error("the signed version has a policy key without a grant")]
    Grant(#[from] GrantError),
    /// The policy key did not sign it.
    #[error("the policy key did not sign the version")]
    Signature(#[from] SignatureError),
}
