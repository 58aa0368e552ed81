//! The NV index that holds the least version still allowed.

use super::digest::sha256;
use super::{PolicyDigest, PolicyKey, Purpose};

/// The handle of the index, in the range that is the owner's to give out
/// (TCG Registry of Reserved TPM 2.0 Handles and Localities, "NV indices").
pub const LEAST_VERSION_INDEX: u32 = 0x0180_ea01;

/// Bytes in the index: the least version and the least generation, big-endian.
pub const LEAST_VERSION_BYTES: usize = 16;

/// Where the least version stands in the index.
pub const VERSION_OFFSET: u16 = 0;

/// Where the least generation of policy keys stands in the index.
pub const GENERATION_OFFSET: u16 = 8;

/// `TPMA_NV_POLICYWRITE | TPMA_NV_AUTHREAD | TPMA_NV_NO_DA`: written by policy alone, read by
/// anyone with the index's empty authorization, and outside the dictionary-attack logic.
/// Neither owner, platform nor authorization value may write.
const ATTRIBUTES: u32 = 0x0204_0008;

/// `TPMA_NV_WRITTEN`, which the TPM sets at the first write; it is part of the name.
const WRITTEN: u32 = 0x2000_0000;

/// `TPM_CC_NV_Write`.
const NV_WRITE: u32 = 0x0000_0137;

/// What the index holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeastVersion {
    /// The least version of a policy that still opens the seal.
    pub version: u64,
    /// The least generation of a policy key whose signatures still count.
    pub generation: u64,
}

impl LeastVersion {
    /// The bytes in the index.
    pub fn to_bytes(self) -> [u8; LEAST_VERSION_BYTES] {
        let mut bytes = [0; LEAST_VERSION_BYTES];
        bytes[..8].copy_from_slice(&self.version.to_be_bytes());
        bytes[8..].copy_from_slice(&self.generation.to_be_bytes());
        bytes
    }

    /// What these bytes of the index mean.
    pub fn from_bytes(bytes: [u8; LEAST_VERSION_BYTES]) -> LeastVersion {
        // The two halves of a big-endian number are the two numbers.
        let both = u128::from_be_bytes(bytes);
        LeastVersion {
            version: (both >> 64) as u64,
            generation: both as u64,
        }
    }
}

/// The attributes of the index (TPM 2.0 Part 2, `TPMA_NV`), before or after its first write.
pub const fn index_attributes(written: bool) -> u32 {
    if written {
        ATTRIBUTES | WRITTEN
    } else {
        ATTRIBUTES
    }
}

/// The policy of whoever writes the index: approved by the root for [`Purpose::Version`].
pub fn index_policy(root: &PolicyKey) -> PolicyDigest {
    PolicyDigest::authorize(root, Purpose::Version.reference())
}

/// The policy of the sealed object: approved by the root for [`Purpose::Seal`].
pub fn sealed_policy(root: &PolicyKey) -> PolicyDigest {
    PolicyDigest::authorize(root, Purpose::Seal.reference())
}

/// The name of the index under this root, before or after its first write: SHA-256's
/// identifier and the SHA-256 of its `TPMS_NV_PUBLIC`. It is the same on every device of the
/// fleet, so one signature serves them all.
pub fn index_name(root: &PolicyKey, written: bool) -> [u8; 34] {
    let public = sha256(&[
        &LEAST_VERSION_INDEX.to_be_bytes(),
        &[0x00, 0x0b],
        &index_attributes(written).to_be_bytes(),
        &[0x00, 0x20],
        index_policy(root).as_bytes(),
        &(LEAST_VERSION_BYTES as u16).to_be_bytes(),
    ]);
    let mut name = [0; 34];
    name[1] = 0x0b;
    name[2..].copy_from_slice(&public);
    name
}

/// The `cpHash` of `TPM2_NV_Write` of these numbers to the whole index, authorized by the
/// index itself (TPM 2.0 Part 1, "Command parameter hash").
pub fn write_parameters_digest(root: &PolicyKey, least: LeastVersion, written: bool) -> [u8; 32] {
    let name = index_name(root, written);
    sha256(&[
        &NV_WRITE.to_be_bytes(),
        &name,
        &name,
        &(LEAST_VERSION_BYTES as u16).to_be_bytes(),
        &least.to_bytes(),
        &0_u16.to_be_bytes(),
    ])
}
