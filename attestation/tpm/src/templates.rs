//! The public parts of the keys that are made, before a TPM fills in what is unique
//! (TPM 2.0 Part 2, `TPMT_PUBLIC` and `TPMA_OBJECT`).

use earnest_evidence::sealing::{PolicyKey, sealed_policy};

/// The algorithm of the attestation key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AkAlgorithm {
    /// ECDSA with SHA-256 on P-256: what is made unless something else is asked for.
    EccP256,
    /// RSASSA with SHA-256 and 2048 bits.
    Rsa2048,
}

/// The endorsement keys that a certificate can be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum EkAlgorithm {
    Rsa2048,
    EccP256,
}

impl EkAlgorithm {
    /// The NV index of the certificate (TCG EK Credential Profile 2.5, section 2.2.1.4).
    pub(crate) const fn certificate_index(self) -> u32 {
        match self {
            EkAlgorithm::Rsa2048 => 0x01c0_0002,
            EkAlgorithm::EccP256 => 0x01c0_000a,
        }
    }

    /// The persistent handle (TCG TPM v2.0 Provisioning Guidance, section 7.8).
    pub(crate) const fn persistent_handle(self) -> u32 {
        match self {
            EkAlgorithm::Rsa2048 => 0x8101_0001,
            EkAlgorithm::EccP256 => 0x8101_0002,
        }
    }

    /// How many bytes of the public area are the template's: all up to what is unique.
    pub(crate) fn common_bytes(self) -> usize {
        let unique = match self {
            EkAlgorithm::Rsa2048 => 2 + 256,
            EkAlgorithm::EccP256 => 2 * (2 + 32),
        };
        self.template().len() - unique
    }

    /// Templates L-1 and L-2 of the TCG EK Credential Profile, sections B.3.3 and B.3.4.
    pub(crate) fn template(self) -> Vec<u8> {
        match self {
            EkAlgorithm::Rsa2048 => [
                &[0x00, 0x01][..],
                &EK_START,
                &AES_128_CFB,
                &[0x00, 0x10, 0x08, 0x00, 0, 0, 0, 0, 0x01, 0x00],
                &[0; 256],
            ]
            .concat(),
            EkAlgorithm::EccP256 => [
                &[0x00, 0x23][..],
                &EK_START,
                &AES_128_CFB,
                &[0x00, 0x10, 0x00, 0x03, 0x00, 0x10],
                &[0x00, 0x20],
                &[0; 32],
                &[0x00, 0x20],
                &[0; 32],
            ]
            .concat(),
        }
    }
}

/// Names by SHA-256; `fixedTPM`, `fixedParent`, `sensitiveDataOrigin`, `adminWithPolicy`,
/// `restricted`, `decrypt`; and PolicyA, which is `PolicySecret` of the endorsement hierarchy.
const EK_START: [u8; 40] = [
    0x00, 0x0b, 0x00, 0x03, 0x00, 0xb2, 0x00, 0x20, 0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8,
    0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24, 0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64,
    0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa,
];

/// A `TPMT_SYM_DEF_OBJECT`.
const AES_128_CFB: [u8; 6] = [0x00, 0x06, 0x00, 0x80, 0x00, 0x43];

/// The storage root key: ECC P-256, `fixedTPM`, `fixedParent`, `sensitiveDataOrigin`,
/// `userWithAuth`, `noDA`, `restricted`, `decrypt` (TCG TPM v2.0 Provisioning Guidance,
/// section 7.5.1). Without `noDA`, a power cut while it is loaded would count as a failure of
/// authorization, and a few of them would lock the TPM.
pub(crate) const SRK: [u8; 26] = [
    0x00, 0x23, 0x00, 0x0b, 0x00, 0x03, 0x04, 0x72, 0x00, 0x00, 0x00, 0x06, 0x00, 0x80, 0x00, 0x43,
    0x00, 0x10, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00,
];

/// An AK: as the storage root key, but `sign` in place of `decrypt`. `restricted` is what makes
/// its quotes believable: it signs nothing that merely looks like one.
pub(crate) fn attestation_key(algorithm: AkAlgorithm) -> Vec<u8> {
    match algorithm {
        AkAlgorithm::EccP256 => vec![
            0x00, 0x23, 0x00, 0x0b, 0x00, 0x05, 0x04, 0x72, 0x00, 0x00, 0x00, 0x10, 0x00, 0x18,
            0x00, 0x0b, 0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00,
        ],
        AkAlgorithm::Rsa2048 => vec![
            0x00, 0x01, 0x00, 0x0b, 0x00, 0x05, 0x04, 0x72, 0x00, 0x00, 0x00, 0x10, 0x00, 0x14,
            0x00, 0x0b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        ],
    }
}

/// The device authority's key: ECC P-256, signing, not `restricted`, as it signs certificates.
pub(crate) const AUTHORITY: [u8; 24] = [
    0x00, 0x23, 0x00, 0x0b, 0x00, 0x04, 0x04, 0x72, 0x00, 0x00, 0x00, 0x10, 0x00, 0x18, 0x00, 0x0b,
    0x00, 0x03, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00,
];

/// A sealed secret: `fixedTPM`, `fixedParent`, `adminWithPolicy`, `noDA`, and no
/// `userWithAuth`, so that the policy is the only way to it.
pub(crate) fn sealed(root: &PolicyKey) -> Vec<u8> {
    [
        &[0x00, 0x08, 0x00, 0x0b, 0x00, 0x00, 0x04, 0x92, 0x00, 0x20][..],
        sealed_policy(root).as_bytes(),
        &[0x00, 0x10, 0x00, 0x00],
    ]
    .concat()
}
