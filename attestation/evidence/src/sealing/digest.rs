//! The digest of a policy, step by step as a TPM's policy session computes it.

use ring::digest::{Context, SHA256};

use super::PolicyKey;
use crate::HashAlgorithm;
use crate::tpm::{PcrSelection, PcrSet};

/// Command codes (TPM 2.0 Part 2, "`TPM_CC` listing").
const POLICY_NV: u32 = 0x0000_0149;
const POLICY_CP_HASH: u32 = 0x0000_016e;
const POLICY_AUTHORIZE: u32 = 0x0000_016a;
const POLICY_COMMAND_CODE: u32 = 0x0000_016c;
const POLICY_PCR: u32 = 0x0000_017f;
const POLICY_NV_WRITTEN: u32 = 0x0000_018f;

/// `TPM_EO_UNSIGNED_LE`: the number in the index is at most the operand.
const AT_MOST: u16 = 0x0009;

/// The digest of a policy (SHA-256) after the steps so far. Each method adds one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PolicyDigest([u8; 32]);

impl PolicyDigest {
    /// No step yet: what a new policy session starts with.
    pub const START: PolicyDigest = PolicyDigest([0; 32]);

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// `TPM2_PolicyPCR`: the values of `pcrs` of the SHA-256 bank, one behind the other, have
    /// this SHA-256.
    #[must_use]
    pub fn pcr(self, pcrs: PcrSet, pcr_digest: &[u8; 32]) -> PolicyDigest {
        let selection = PcrSelection::of_bank(HashAlgorithm::Sha256, pcrs).marshal();
        self.step(POLICY_PCR, &[&selection, pcr_digest])
    }

    /// `TPM2_PolicyNV` with `TPM_EO_UNSIGNED_LE`: the big-endian number at `offset` in the
    /// index of this name is at most `most`.
    #[must_use]
    pub fn nv_at_most(self, index_name: &[u8; 34], offset: u16, most: u64) -> PolicyDigest {
        let comparison = sha256(&[
            &most.to_be_bytes(),
            &offset.to_be_bytes(),
            &AT_MOST.to_be_bytes(),
        ]);
        self.step(POLICY_NV, &[&comparison, index_name])
    }

    /// `TPM2_PolicyNvWritten`: the index that the command names was written, or was not.
    #[must_use]
    pub fn nv_written(self, written: bool) -> PolicyDigest {
        self.step(POLICY_NV_WRITTEN, &[&[u8::from(written)]])
    }

    /// `TPM2_PolicyCpHash`: the command and its parameters have this digest.
    #[must_use]
    pub fn cp_hash(self, parameters: &[u8; 32]) -> PolicyDigest {
        self.step(POLICY_CP_HASH, &[parameters])
    }

    /// `TPM2_PolicyCommandCode`: the command is this one.
    #[must_use]
    pub fn command_code(self, command: u32) -> PolicyDigest {
        self.step(POLICY_COMMAND_CODE, &[&command.to_be_bytes()])
    }

    /// `TPM2_PolicyAuthorize`: `key` signed the digest so far, for `reference`. What came
    /// before is thereby replaced, so this takes none.
    #[must_use]
    pub fn authorize(key: &PolicyKey, reference: &[u8]) -> PolicyDigest {
        let by_key = PolicyDigest::START.step(POLICY_AUTHORIZE, &[&key.name()]);
        PolicyDigest(sha256(&[&by_key.0, reference]))
    }

    /// What a key signs to approve of this policy for `reference`: ECDSA's own SHA-256 over
    /// these bytes is the `aHash` of `TPM2_PolicyAuthorize`.
    pub fn approval_message(&self, reference: &[u8]) -> Vec<u8> {
        [&self.0[..], reference].concat()
    }

    fn step(self, command: u32, arguments: &[&[u8]]) -> PolicyDigest {
        let mut context = Context::new(&SHA256);
        context.update(&self.0);
        context.update(&command.to_be_bytes());
        for argument in arguments {
            context.update(argument);
        }
        PolicyDigest(finish(context))
    }
}

pub(super) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    finish(context)
}

fn finish(context: Context) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(context.finish().as_ref());
    bytes
}
