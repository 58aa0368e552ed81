//! The file that says in which boot states the model opens.

use super::grant::{GrantError, KeyGrant, Purpose};
use super::index::{VERSION_OFFSET, index_name};
use super::key::{PolicyKey, SignatureBytes, SignatureError};
use super::{GRANT_BYTES, PolicyDigest, SIGNATURE_BYTES};
use crate::bytes::{Reader, Truncated};
use crate::tpm::{PcrSet, SelectionError};

/// The file's first bytes; the last of them is the version of the format.
const MAGIC: [u8; 8] = *b"earnpol\x01";

/// More boot states than a fleet has at a time: releases times kinds of firmware.
pub const MAX_APPROVALS: usize = 256;

/// Bytes before the approvals: magic, grant, PCRs, version and their number.
const HEAD_BYTES: usize = 8 + GRANT_BYTES + 4 + 8 + 2;

/// A boot state, and the policy key's signature for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Approval {
    /// The SHA-256 of the PCRs' values, in ascending order, one behind the other.
    pub pcr_digest: [u8; 32],
    /// The policy key's signature.
    pub signature: SignatureBytes,
}

/// The boot states in which the model opens, signed. See the module for what the signatures
/// are over.
///
/// Encoded, all numbers big-endian: magic (8), policy key (64), its generation (8), three
/// signatures of the root (64 each), mask of PCRs (4), version (8), number of approvals
/// (2), and the approvals (32 + 64 each). A value has one spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedPolicy {
    grant: KeyGrant,
    pcrs: PcrSet,
    version: u64,
    approvals: Vec<Approval>,
}

impl SignedPolicy {
    /// Signs these boot states with the policy key of `grant`: `sign` signs a message by
    /// ECDSA with SHA-256 on P-256. The list keeps its order, without repeats.
    ///
    /// # Errors
    ///
    /// When no PCR is selected or one that does not exist, there is no state or more than
    /// [`MAX_APPROVALS`], and those of `sign`.
    pub fn sign<E>(
        root: &PolicyKey,
        grant: KeyGrant,
        pcrs: PcrSet,
        version: u64,
        pcr_digests: &[[u8; 32]],
        mut sign: impl FnMut(&[u8]) -> Result<SignatureBytes, E>,
    ) -> Result<SignedPolicy, SignPolicyError<E>> {
        let pcrs = bound_to(pcrs.mask())?;
        let found = pcr_digests.len();
        if !(1..=MAX_APPROVALS).contains(&found) {
            return Err(SignPolicyError::Count { found });
        }
        let mut approvals: Vec<Approval> = Vec::with_capacity(found);
        for pcr_digest in pcr_digests {
            if approvals.iter().any(|one| one.pcr_digest == *pcr_digest) {
                continue;
            }
            let message = message(root, pcrs, version, pcr_digest);
            approvals.push(Approval {
                pcr_digest: *pcr_digest,
                signature: sign(&message).map_err(SignPolicyError::Signer)?,
            });
        }
        Ok(SignedPolicy {
            grant,
            pcrs,
            version,
            approvals,
        })
    }

    /// Reads the encoded form. It says nothing of the signatures: see [`Self::verify`].
    ///
    /// # Errors
    ///
    /// When the bytes are no such file.
    pub fn parse(bytes: &[u8]) -> Result<SignedPolicy, SignedPolicyError> {
        let mut reader = Reader::new(bytes);
        let magic = reader.array("magic")?;
        if magic != MAGIC {
            return Err(SignedPolicyError::Magic {
                expected: MAGIC,
                found: magic,
            });
        }
        let grant = KeyGrant::parse(&mut reader)?;
        let pcrs = bound_to(reader.u32("mask of PCRs")?)?;
        let version = reader.u64("version")?;
        let count = usize::from(reader.u16("number of approvals")?);
        if !(1..=MAX_APPROVALS).contains(&count) {
            return Err(SignedPolicyError::Count { found: count });
        }
        let mut approvals: Vec<Approval> = Vec::new();
        for _ in 0..count {
            let approval = Approval {
                pcr_digest: reader.array("PCR digest")?,
                signature: reader.array("policy key's signature")?,
            };
            if approvals
                .iter()
                .any(|other| other.pcr_digest == approval.pcr_digest)
            {
                return Err(SignedPolicyError::Repeated {
                    place: approvals.len(),
                });
            }
            approvals.push(approval);
        }
        match reader.left() {
            0 => Ok(SignedPolicy {
                grant,
                pcrs,
                version,
                approvals,
            }),
            found => Err(SignedPolicyError::Trailing { found }),
        }
    }

    /// The encoded form.
    pub fn encode(&self) -> Vec<u8> {
        let states = self.approvals.len() * (32 + SIGNATURE_BYTES);
        let mut bytes = Vec::with_capacity(HEAD_BYTES + states);
        bytes.extend(MAGIC);
        self.grant.encode(&mut bytes);
        bytes.extend(self.pcrs.mask().to_be_bytes());
        bytes.extend(self.version.to_be_bytes());
        // At most MAX_APPROVALS, which both constructors check.
        bytes.extend((self.approvals.len() as u16).to_be_bytes());
        for approval in &self.approvals {
            bytes.extend(approval.pcr_digest);
            bytes.extend(approval.signature);
        }
        bytes
    }

    /// Checks every signature, up to `root`.
    ///
    /// # Errors
    ///
    /// When the root did not grant the policy key its power, or the policy key did not sign
    /// one of the states.
    pub fn verify(&self, root: &PolicyKey) -> Result<(), SignedPolicyError> {
        self.grant.verify(root)?;
        for (place, approval) in self.approvals.iter().enumerate() {
            let message = message(root, self.pcrs, self.version, &approval.pcr_digest);
            self.grant
                .key
                .verify(&message, &approval.signature)
                .map_err(|source| SignedPolicyError::State { place, source })?;
        }
        Ok(())
    }

    /// The policy key and the root's word for it.
    pub fn grant(&self) -> &KeyGrant {
        &self.grant
    }

    /// The PCRs of the SHA-256 bank that count, at least one.
    pub fn pcrs(&self) -> PcrSet {
        self.pcrs
    }

    /// The version of the policy: it opens the seal while the device's least version is at
    /// most this.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The states, at least one.
    pub fn approvals(&self) -> &[Approval] {
        &self.approvals
    }

    /// The approval of this state, if there is one.
    pub fn approval(&self, pcr_digest: &[u8; 32]) -> Option<&Approval> {
        self.approvals
            .iter()
            .find(|approval| approval.pcr_digest == *pcr_digest)
    }

    /// The policy that the policy key signs for this state.
    pub fn policy(&self, root: &PolicyKey, pcr_digest: &[u8; 32]) -> PolicyDigest {
        state_policy(root, self.pcrs, self.version, pcr_digest)
    }
}

/// What a policy may be bound to: over no PCR it would hold in every state, and over one that
/// does not exist in none.
fn bound_to(mask: u32) -> Result<PcrSet, SelectionError> {
    match PcrSet::from_mask(mask)? {
        PcrSet::EMPTY => Err(SelectionError::Empty),
        pcrs => Ok(pcrs),
    }
}

fn state_policy(
    root: &PolicyKey,
    pcrs: PcrSet,
    version: u64,
    pcr_digest: &[u8; 32],
) -> PolicyDigest {
    PolicyDigest::START.pcr(pcrs, pcr_digest).nv_at_most(
        &index_name(root, true),
        VERSION_OFFSET,
        version,
    )
}

fn message(root: &PolicyKey, pcrs: PcrSet, version: u64, pcr_digest: &[u8; 32]) -> Vec<u8> {
    state_policy(root, pcrs, version, pcr_digest).approval_message(Purpose::Seal.reference())
}

/// Why bytes are no signed policy, or one that nobody of authority signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignedPolicyError {
    /// It ends too early.
    #[error("the signed policy is cut short")]
    Truncated(#[from] Truncated),
    /// It is another file.
    #[error("a signed policy starts with {expected:02x?}; this starts with {found:02x?}")]
    Magic {
        /// What such a file starts with.
        expected: [u8; 8],
        /// What stands there.
        found: [u8; 8],
    },
    /// It selects no PCRs, or some that do not exist.
    #[error("the signed policy has no set of PCRs")]
    Pcrs(#[from] SelectionError),
    /// No state, or too many.
    #[error("a signed policy approves 1 to {MAX_APPROVALS} states, not {found}")]
    Count {
        /// How many.
        found: usize,
    },
    /// The same state again.
    #[error("state {place} of the signed policy stands in it before")]
    Repeated {
        /// Its place, from 0.
        place: usize,
    },
    /// Bytes follow the last state.
    #[error("{found} bytes follow the last state of the signed policy")]
    Trailing {
        /// How many.
        found: usize,
    },
    /// The root did not grant the policy key its power.
    #[error("the signed policy has a policy key without a grant")]
    Grant(#[from] GrantError),
    /// The policy key did not sign this state.
    #[error("the policy key did not sign state {place}")]
    State {
        /// Its place, from 0.
        place: usize,
        /// The signature and the policy key.
        source: SignatureError,
    },
}

/// Why boot states are not signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignPolicyError<E> {
    /// Nothing to bind it to, or PCRs that do not exist.
    #[error("a policy is bound to PCRs that exist")]
    Pcrs(#[from] SelectionError),
    /// No state, or too many.
    #[error("a signed policy approves 1 to {MAX_APPROVALS} states, not {found}")]
    Count {
        /// How many were given.
        found: usize,
    },
    /// What signs failed.
    #[error("the policy key cannot sign")]
    Signer(#[source] E),
}
