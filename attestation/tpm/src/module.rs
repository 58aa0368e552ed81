//! What others ask of a TPM, as a trait, so that they can be tested without one.

use std::fmt;

use earnest_evidence::sealing::{LeastVersion, SignedPolicy, SignedVersion};
use earnest_evidence::tpm::PcrSet;
use ring::rand::{SecureRandom as _, SystemRandom};
use zeroize::Zeroizing;

use crate::state::SealedKey;
use crate::{MoveVersionError, TpmError, UnsealError};

/// Bytes of a key that can be sealed: those of a content key.
pub const SECRET_BYTES: usize = 32;

/// A secret of [`SECRET_BYTES`], overwritten when dropped.
pub type Secret = Zeroizing<[u8; SECRET_BYTES]>;

/// A new secret from the system's random numbers.
///
/// # Errors
///
/// When the system gives none.
pub fn fresh_secret() -> Result<Secret, NoRandomness> {
    let mut secret = Secret::default();
    let filled = SystemRandom::new().fill(&mut secret[..]);
    filled.map(|()| secret).map_err(|_| NoRandomness)
}

/// The system gives no random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers")]
pub struct NoRandomness;

/// A quote or a certification: what the TPM attests to and its signature, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attestation {
    /// A `TPMS_ATTEST`.
    pub attest: Vec<u8>,
    /// A `TPMT_SIGNATURE` over it, by the AK.
    pub signature: Vec<u8>,
}

/// The device's keys, their public parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The endorsement key's `TPMT_PUBLIC`.
    pub ek_public: Vec<u8>,
    /// Its certificate in DER, where the TPM has one.
    pub ek_certificate: Option<Vec<u8>>,
    /// The attestation key's `TPMT_PUBLIC`.
    pub ak_public: Vec<u8>,
    /// The device authority's `TPMT_PUBLIC`: ECC P-256, signing.
    pub authority_public: Vec<u8>,
    /// The AK's certification of the device authority's key, with no qualifying data, as made
    /// at provisioning. [`TrustModule::certify_authority`] makes a fresh one.
    pub authority_certification: Attestation,
}

/// The values of PCRs of the SHA-256 bank, all read at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PcrValues {
    pub(crate) pcrs: PcrSet,
    pub(crate) values: Vec<[u8; 32]>,
}

impl PcrValues {
    /// The PCRs.
    pub fn pcrs(&self) -> PcrSet {
        self.pcrs
    }

    /// Index and value, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &[u8; 32])> {
        self.pcrs.iter().zip(&self.values)
    }

    /// The value of one PCR, if it was read.
    pub fn value(&self, index: u8) -> Option<&[u8; 32]> {
        self.iter()
            .find(|(other, _)| *other == index)
            .map(|(_, value)| value)
    }

    /// These of them alone, as far as they were read.
    #[must_use]
    pub fn within(&self, pcrs: PcrSet) -> PcrValues {
        let kept = self.iter().filter(|(index, _)| pcrs.contains(*index));
        PcrValues {
            pcrs: self.pcrs.without(self.pcrs.without(pcrs)),
            values: kept.map(|(_, value)| *value).collect(),
        }
    }

    /// The SHA-256 over the values in ascending order: the digest of a quote of these PCRs,
    /// and what a policy approves.
    pub fn digest(&self) -> [u8; 32] {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        for value in &self.values {
            context.update(value);
        }
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        digest
    }
}

/// An ECDSA signature on P-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EcdsaSignature {
    /// The number r, big-endian.
    pub r: [u8; 32],
    /// The number s, big-endian.
    pub s: [u8; 32],
}

impl EcdsaSignature {
    /// The signature in DER, as certificates carry it (RFC 3279, section 2.2.3).
    pub fn to_der(&self) -> Vec<u8> {
        let integer = |number: &[u8; 32]| {
            let zeros = number.iter().take_while(|byte| **byte == 0).count().min(31);
            let digits = &number[zeros..];
            // A first bit that is set would make the number a negative one.
            let sign: &[u8] = if digits[0] & 0x80 == 0 { &[] } else { &[0] };
            // At most 33 bytes, so one byte gives the length.
            let length = (sign.len() + digits.len()) as u8;
            [&[0x02, length], sign, digits].concat()
        };
        let numbers = [integer(&self.r), integer(&self.s)].concat();
        // At most 70 bytes.
        [&[0x30, numbers.len() as u8], &numbers[..]].concat()
    }

    /// The signature as r and s, as ring and JWTs have it.
    pub fn to_fixed(&self) -> [u8; 64] {
        let mut fixed = [0; 64];
        fixed[..32].copy_from_slice(&self.r);
        fixed[32..].copy_from_slice(&self.s);
        fixed
    }
}

/// The TPM's own clock (TPM 2.0 Part 2, `TPMS_CLOCK_INFO`). It is read without authentication:
/// for a proof, take it from a quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Milliseconds that the TPM has run since it was last cleared.
    pub clock: u64,
    /// How often it was reset.
    pub reset_count: u32,
    /// How often it was restarted or resumed since the last reset.
    pub restart_count: u32,
    /// Whether no higher value of the clock can have been given out before.
    pub safe: bool,
}

/// What occupies the TPM's few slots right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handles {
    /// Loaded objects.
    pub transient: usize,
    /// Loaded sessions. One is the connection's own.
    pub sessions: usize,
}

impl fmt::Display for Handles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Handles {
            transient,
            sessions,
        } = self;
        write!(formatter, "{transient} objects, {sessions} sessions")
    }
}

/// A provisioned TPM. [`crate::Tpm`] is one; [`crate::FakeModule`] plays one in tests.
///
/// Every call blocks until the TPM has answered or a bound is reached.
pub trait TrustModule: Send + Sync {
    /// The device's keys. It asks nothing of the TPM.
    fn identity(&self) -> &Identity;

    /// Opens a credential that was made for the EK and the AK's name, which only the TPM that
    /// has both can: `blob` is the content of a `TPM2B_ID_OBJECT`, `secret` that of a
    /// `TPM2B_ENCRYPTED_SECRET`, both without their own length.
    ///
    /// # Errors
    ///
    /// When the TPM is out of reach, or the credential is for another EK or AK.
    fn activate_credential(
        &self,
        blob: &[u8],
        secret: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, TpmError>;

    /// A quote of these PCRs by the AK, with the nonce as its extra data.
    ///
    /// # Errors
    ///
    /// When the TPM is out of reach.
    fn quote(&self, nonce: &[u8; 32], pcrs: PcrSet) -> Result<Attestation, TpmError>;

    /// The AK's certification of the device authority's key, with the nonce as its extra data.
    ///
    /// # Errors
    ///
    /// When the TPM is out of reach.
    fn certify_authority(&self, nonce: &[u8; 32]) -> Result<Attestation, TpmError>;

    /// Signs this SHA-256 with the device authority's key.
    ///
    /// # Errors
    ///
    /// When the TPM is out of reach.
    fn sign(&self, digest: &[u8; 32]) -> Result<EcdsaSignature, TpmError>;

    /// Reads PCRs of the SHA-256 bank, all at one moment.
    ///
    /// # Errors
    ///
    /// When the TPM is out of reach, has no such bank, or something extends the PCRs all the
    /// time.
    fn pcr_read(&self, pcrs: PcrSet) -> Result<PcrValues, TpmError>;

    /// Extends a PCR of the SHA-256 bank. It is never tried twice: after an error other than
    /// [`TpmError::Refused`], the PCR tells whether it happened.
    ///
    /// # Errors
    ///
    /// When the TPM is out of reach, or there is no such PCR.
    fn pcr_extend(&self, index: u8, digest: &[u8; 32]) -> Result<(), TpmError>;

    /// Seals a secret to whatever policies the root approves, now and later.
    ///
    /// # Errors
    ///
    /// When the TPM is out of reach.
    fn seal(&self, secret: &Secret) -> Result<SealedKey, TpmError>;

    /// Opens what was sealed, if the policy approves of the state that the device is in.
    ///
    /// # Errors
    ///
    /// When the policy is not signed up to the root, approves of other states only, or has
    /// lost its force; when the blob is another TPM's; or when the TPM is out of reach.
    fn unseal(&self, sealed: &SealedKey, policy: &SignedPolicy) -> Result<Secret, UnsealError>;

    /// The least version and generation still allowed.
    ///
    /// # Errors
    ///
    /// When the TPM is out of reach, or the index is another than at provisioning.
    fn least_version(&self) -> Result<LeastVersion, TpmError>;

    /// Raises the least version as permitted.
    ///
    /// # Errors
    ///
    /// When the permission is not signed up to the root, would lower a number, or is for a
    /// first write; or when the TPM is out of reach.
    fn move_least_version(&self, permission: &SignedVersion) -> Result<(), MoveVersionError>;

    /// The TPM's clock.
    ///
    /// # Errors
    ///
    /// When the TPM is out of reach.
    fn clock(&self) -> Result<Clock, TpmError>;

    /// What occupies the TPM's slots.
    ///
    /// # Errors
    ///
    /// When the TPM is out of reach.
    fn handles(&self) -> Result<Handles, TpmError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_values_are_kept_with_their_pcrs() {
        let set = |pcrs: &[u8]| PcrSet::of(pcrs).unwrap();
        let read = PcrValues {
            pcrs: set(&[4, 7, 11]),
            values: vec![[4; 32], [7; 32], [11; 32]],
        };
        let kept = read.within(set(&[0, 4, 11]));
        assert_eq!(kept.pcrs(), set(&[4, 11]));
        assert_eq!(kept.values, [[4; 32], [11; 32]]);
        assert_eq!(read.within(read.pcrs()), read);
    }

    #[test]
    fn signatures_in_der_have_no_needless_zero_and_no_negative_number() {
        let mut signature = EcdsaSignature {
            r: [0; 32],
            s: [0xff; 32],
        };
        signature.r[31] = 0x7f;
        let der = signature.to_der();
        assert_eq!(der[..6], [0x30, 38, 0x02, 1, 0x7f, 0x02]);
        assert_eq!(der[6..9], [33, 0, 0xff]);
        assert_eq!(der.len(), 40);
        signature.r[31] = 0;
        assert_eq!(signature.to_der()[2..5], [0x02, 1, 0]);
    }
}
