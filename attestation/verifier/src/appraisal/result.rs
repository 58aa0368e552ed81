//! The result of an appraisal, as an EAR.

use earnest_evidence::hex;

use super::{Appraisal, Check, CheckResult};
use crate::ear::{
    AttesterClaims, CheckClaim, DeviceAppraisal, Ear, Outcome, PROFILE, Submodules, Tier,
    TrustVector, VerifierClaims, VerifierId,
};

/// Most reasons of one check that a result lists. A person needs no more of a kind, and a log of
/// a thousand refused starts must not make a result that nobody reads.
const MAX_REASONS: usize = 8;

/// AR4SI's values (draft-ietf-rats-ar4si, section 2.3): what each claim says when it affirms.
const AFFIRMED: i8 = 2;
/// Approved programs were started during boot; of what follows nothing is claimed.
const APPROVED_BOOT: i8 = 3;
/// Genuine hardware with a known weakness: here, a TPM that is a program.
const UNSAFE_HARDWARE: i8 = 32;
/// Recognised and not trustworthy.
const CONTRAINDICATED: i8 = 96;
/// Not recognised, and should be.
const UNRECOGNIZED: i8 = 97;
/// A signature or a digest is wrong.
const CRYPTO_FAILED: i8 = 99;

impl Appraisal {
    /// The result, issued at `now` (seconds since 1970), and holding as long as the policy says.
    pub fn to_ear(&self, now: i64) -> Ear {
        let trust_vector = self.trust_vector();
        // What fails without touching a claim must not pass either.
        let status = match self.is_pass() {
            true => trust_vector.tier(),
            false => Tier::Contraindicated,
        };
        Ear {
            profile: PROFILE.to_owned(),
            issued_at: now,
            not_before: now,
            expires_at: now.saturating_add(i64::from(self.result_lifetime_seconds)),
            verifier: VerifierId::this(),
            nonce: self.nonce,
            status,
            submodules: Submodules {
                device: DeviceAppraisal {
                    status,
                    trust_vector,
                    policies: vec![self.policy.clone(), self.reference.clone()],
                    nonce: self.nonce,
                    attester: self.attester_claims(),
                    verifier: VerifierClaims {
                        device: self.device.clone(),
                        ak_name: self.ak_name.clone(),
                        tpm: self.tpm.clone(),
                        audit_head: self.audit_head,
                        checks: self.checks.iter().flat_map(claims).collect(),
                    },
                },
            },
        }
    }

    fn attester_claims(&self) -> Option<AttesterClaims> {
        let attest = self.quote.as_ref()?.attest();
        Some(AttesterClaims {
            tpm_reset_count: attest.clock_info.reset_count,
            tpm_restart_count: attest.clock_info.restart_count,
            tpm_clock: attest.clock_info.clock,
            tpm_clock_safe: attest.clock_info.safe,
            tpm_firmware_version: hex::encode(&attest.firmware_version.to_be_bytes()),
        })
    }

    fn trust_vector(&self) -> TrustVector {
        let failed = |check| self.outcome(check) == Outcome::Failed;
        let passed = |check| self.outcome(check) == Outcome::Passed;
        let quoted = self.quote.is_some() && passed(Check::Pcrs);
        let instance_identity = if failed(Check::Quote) || failed(Check::Authority) {
            CRYPTO_FAILED
        } else if failed(Check::AttestationKey) {
            UNRECOGNIZED
        } else if failed(Check::Freshness) || self.quote.is_none() {
            CONTRAINDICATED
        } else {
            AFFIRMED
        };
        let executables = if failed(Check::Pcrs) || failed(Check::FirmwareLog) {
            CRYPTO_FAILED
        } else if failed(Check::BootState) || failed(Check::MeasuredLog) {
            CONTRAINDICATED
        } else if !quoted {
            0
        } else if passed(Check::MeasuredLog) {
            AFFIRMED
        } else {
            APPROVED_BOOT
        };
        let configuration = if failed(Check::MeasuredLog) {
            CONTRAINDICATED
        } else if quoted && passed(Check::MeasuredLog) {
            AFFIRMED
        } else {
            0
        };
        let hardware = if failed(Check::Tpm) {
            UNRECOGNIZED
        } else if self.tpm.software {
            UNSAFE_HARDWARE
        } else {
            AFFIRMED
        };
        TrustVector {
            instance_identity,
            configuration,
            executables,
            hardware,
        }
    }
}

/// A check's claims: one, or one for each reason.
fn claims(result: &CheckResult) -> Vec<CheckClaim> {
    let claim = CheckClaim::new(result.check.name(), result.outcome);
    if result.refusals.is_empty() {
        return vec![claim];
    }
    result
        .refusals
        .iter()
        .take(MAX_REASONS)
        .map(|refusal| {
            let (expected, found) = refusal.digests();
            CheckClaim {
                reason: Some(refusal.reason().to_owned()),
                detail: Some(refusal.to_string()),
                pcr: refusal.pcr(),
                event: refusal.event().map(|event| event.index),
                expected,
                found,
                ..claim.clone()
            }
        })
        .collect()
}
