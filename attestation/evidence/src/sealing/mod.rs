//! What opens the sealed model key: policies by their digests, and the files that sign them.
//!
//! A TPM opens a sealed object for whoever goes through the steps of a policy whose digest
//! the object carries. Here those digests are computed without a TPM, so that a fleet can
//! sign policies and a device can check them before its TPM does:
//!
//! ```text
//! sealed key    PolicyAuthorize(root, SEAL)          fixed for good, by the root's name
//!   <- approves  PolicyAuthorize(policy key, SEAL)    signed by the root: a KeyGrant
//!                + PolicyNV(least generation <= this key's generation)
//!     <- approves  PolicyPCR(set, digest)             signed by the policy key: a SignedPolicy
//!                  + PolicyNV(least version <= this policy's version)
//!
//! NV index      PolicyAuthorize(root, VERSION)        the only way to write it
//!   <- approves  PolicyAuthorize(policy key, VERSION) signed by the root: the same KeyGrant
//!                + PolicyNV(least generation <= this key's generation)
//!     <- approves  PolicyNV(least version <= new)     signed by the policy key: a SignedVersion
//!                  + PolicyNV(least generation <= new)
//!                  + PolicyCpHash(NV_Write of exactly these sixteen bytes)
//! ```
//!
//! So another set of PCRs takes one signature of the policy key, another policy key takes two
//! of the root, and nothing is sealed again. A permission kept from earlier cannot lower
//! either number, because it compares before it writes. Raising the least generation ends
//! the power of every older policy key.
//!
//! The two purposes have policy references of their own ([`Purpose`]): a state in which the
//! model opens is thereby no permission to write the index.
//!
//! The very first write has no number to compare with: the root approves
//! `PolicyAuthorize(policy key, FIRST) + PolicyNvWritten(no)`, and the policy key approves
//! `PolicyCpHash` alone.
//!
//! Sources: TCG TPM 2.0 Library Part 3, "Enhanced authorization (EA) commands", for each
//! digest; Part 2, `TPMS_NV_PUBLIC` and `TPMA_NV`, for the name of the index.
//!
//! ```
//! use earnest_evidence::sealing::PolicyDigest;
//! use earnest_evidence::tpm::PcrSet;
//!
//! let boot = PcrSet::of(&[4, 7, 11])?;
//! let policy = PolicyDigest::START.pcr(boot, &[0; 32]);
//! assert_ne!(policy, PolicyDigest::START);
//! # Ok::<(), earnest_evidence::tpm::SelectionError>(())
//! ```

mod digest;
mod grant;
mod index;
mod key;
mod policy;
#[cfg(test)]
mod tests;
mod version;

pub use digest::PolicyDigest;
pub use grant::{GRANT_BYTES, GrantError, KeyGrant, Purpose};
pub use index::{
    GENERATION_OFFSET, LEAST_VERSION_BYTES, LEAST_VERSION_INDEX, LeastVersion, VERSION_OFFSET,
    index_attributes, index_name, index_policy, sealed_policy, write_parameters_digest,
};
pub use key::{
    POLICY_KEY_BYTES, PolicyKey, PolicyKeyError, SIGNATURE_BYTES, SignatureBytes, SignatureError,
};
pub use policy::{Approval, MAX_APPROVALS, SignPolicyError, SignedPolicy, SignedPolicyError};
pub use version::{SIGNED_VERSION_BYTES, SignedVersion, SignedVersionError};
