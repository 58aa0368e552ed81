//! The claims of a result, as they stand in its JSON.

use std::fmt;

use earnest_evidence::measured::Head;
use earnest_evidence::tpm::Name;
use earnest_evidence::{Digest, Nonce};
use serde::{Deserialize, Serialize};

use crate::endorsement::TpmDescription;

/// The profile that results are written in.
pub const PROFILE: &str = "tag:ietf.org,2026:rats/ear#04";

/// AR4SI's tiers, by their names in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// Nothing is claimed.
    None,
    /// Trustworthy.
    Affirming,
    /// Trustworthy as far as a stated weakness allows: here, that the TPM is a program.
    Warning,
    /// Not trustworthy.
    Contraindicated,
}

impl fmt::Display for Tier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Tier::None => "none",
            Tier::Affirming => "affirming",
            Tier::Warning => "warning",
            Tier::Contraindicated => "contraindicated",
        })
    }
}

/// A result. [`Ear::verify`] makes one of a token, [`Ear::sign`] a token of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ear {
    /// `eat_profile`: always [`PROFILE`].
    #[serde(rename = "eat_profile")]
    pub profile: String,
    /// `iat`: when it was issued, in seconds since 1970.
    #[serde(rename = "iat")]
    pub issued_at: i64,
    /// `nbf`: from when it holds.
    #[serde(rename = "nbf")]
    pub not_before: i64,
    /// `exp`: from when it holds no longer.
    #[serde(rename = "exp")]
    pub expires_at: i64,
    /// `ear_verifier_id`.
    #[serde(rename = "ear_verifier_id")]
    pub verifier: VerifierId,
    /// `eat_nonce`: the challenge that the evidence answered.
    #[serde(rename = "eat_nonce", with = "nonce")]
    pub nonce: Nonce,
    /// `ear_status`: the worst of the submodule's.
    #[serde(rename = "ear_status")]
    pub status: Tier,
    /// `submods`: one, `device`.
    #[serde(rename = "submods")]
    pub submodules: Submodules,
}

/// The parts of the device that are appraised, of which there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submodules {
    /// The device.
    pub device: DeviceAppraisal,
}

/// The appraisal of the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceAppraisal {
    /// `ear_status`.
    #[serde(rename = "ear_status")]
    pub status: Tier,
    /// `ear_trustworthiness_vector`.
    #[serde(rename = "ear_trustworthiness_vector")]
    pub trust_vector: TrustVector,
    /// `ear_appraisal_policy_ids`: the policy's name and that of the reference values.
    #[serde(rename = "ear_appraisal_policy_ids")]
    pub policies: Vec<String>,
    /// `eat_nonce`: the nonce found in the quote.
    #[serde(rename = "eat_nonce", with = "nonce")]
    pub nonce: Nonce,
    /// `ear_attester_claims`: what the quote says, by the TPM's authority. Left out where no quote
    /// was believed.
    #[serde(
        rename = "ear_attester_claims",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub attester: Option<AttesterClaims>,
    /// `ear_verifier_claims`: what the verifier found.
    #[serde(rename = "ear_verifier_claims")]
    pub verifier: VerifierClaims,
}

/// Who appraised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifierId {
    /// The organisation.
    pub developer: String,
    /// The build of the verifier.
    pub build: String,
}

impl VerifierId {
    /// This build.
    pub fn this() -> VerifierId {
        VerifierId {
            developer: "earnest".to_owned(),
            build: concat!("earnest-verifier ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// AR4SI's trustworthiness claims that are made here. 0 is no claim, 2 to 31 affirm, 32 to 95
/// warn, 96 and more contraindicate, and 99 says that a signature or digest is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TrustVector {
    /// Whether it is the enrolled device that speaks, now.
    pub instance_identity: i8,
    /// Whether its configuration is an approved one.
    pub configuration: i8,
    /// Whether only approved programs were started.
    pub executables: i8,
    /// Whether its TPM is a genuine one.
    pub hardware: i8,
}

impl TrustVector {
    /// The worst tier of its claims.
    pub fn tier(&self) -> Tier {
        [
            self.instance_identity,
            self.configuration,
            self.executables,
            self.hardware,
        ]
        .into_iter()
        .map(|value| match value {
            // -1 is a fault of the verifier's and 1 evidence that it cannot read: no claim.
            -1..=1 => Tier::None,
            2..=31 | -32..=-2 => Tier::Affirming,
            32..=95 | -96..=-33 => Tier::Warning,
            96..=127 | -128..=-97 => Tier::Contraindicated,
        })
        .max()
        .unwrap_or(Tier::None)
    }
}

/// What the TPM says of itself beside the PCRs, under the quote's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttesterClaims {
    /// Boots since the TPM was last cleared.
    pub tpm_reset_count: u32,
    /// Resumes since the last boot.
    pub tpm_restart_count: u32,
    /// Milliseconds that the TPM was powered since it was last cleared, at the quote.
    pub tpm_clock: u64,
    /// Whether no higher clock was ever reported.
    pub tpm_clock_safe: bool,
    /// Its firmware's version, as 16 hexadecimal digits.
    pub tpm_firmware_version: String,
}

/// What the verifier found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifierClaims {
    /// The fleet's word for the device.
    pub device: String,
    /// The name of the attestation key that signed the quote.
    pub ak_name: Name,
    /// Its TPM, as its maker's certificate has it.
    pub tpm: TpmClaim,
    /// The newest head of the device's audit log that it anchored since boot: `sequence`, the
    /// number of the log's last entry, and `digest`, the SHA-256 of its chain up to there. Left
    /// out where it anchored none, or nothing vouches for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit_head: Option<Head>,
    /// Each check and its outcome.
    pub checks: Vec<CheckClaim>,
}

/// The device's TPM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TpmClaim {
    /// The vendor, `id:` and four bytes in hexadecimal.
    pub manufacturer: String,
    /// The model.
    pub model: String,
    /// The version, as certified.
    pub version: String,
    /// Whether it is a program.
    pub software: bool,
}

impl TpmClaim {
    /// The claim about a TPM of this description.
    pub fn new(tpm: &TpmDescription, software: bool) -> TpmClaim {
        TpmClaim {
            manufacturer: tpm.manufacturer.clone(),
            model: tpm.model.clone(),
            version: tpm.version.clone(),
            software,
        }
    }
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As the policy asks.
    Passed,
    /// Not as the policy asks.
    Failed,
    /// The policy does not ask for it, or an earlier failure leaves nothing to look at.
    NotAppraised,
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Outcome::Passed => "passed",
            Outcome::Failed => "failed",
            Outcome::NotAppraised => "not appraised",
        })
    }
}

/// A check and its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckClaim {
    /// The check's name.
    pub check: String,
    /// How it went.
    pub outcome: Outcome,
    /// The reason's stable name, on failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The reason in words, on failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The PCR that differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pcr: Option<u8>,
    /// The first event of the firmware log that differs, counted from 0 in the whole log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<usize>,
    /// The digest that was expected of that event or PCR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Digest>,
    /// The digest that was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Digest>,
}

impl CheckClaim {
    /// A check that went so, with nothing more to say of it.
    pub fn new(check: &str, outcome: Outcome) -> CheckClaim {
        CheckClaim {
            check: check.to_owned(),
            outcome,
            reason: None,
            detail: None,
            pcr: None,
            event: None,
            expected: None,
            found: None,
        }
    }
}

/// Nonces in JSON: base64url without padding (RFC 9711, 4.1).
mod nonce {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use earnest_evidence::Nonce;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(nonce: &Nonce, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&URL_SAFE_NO_PAD.encode(nonce.as_bytes()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Nonce, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(de::Error::custom)?;
        let length = bytes.len();
        let bytes = <[u8; earnest_evidence::NONCE_BYTES]>::try_from(bytes)
            .map_err(|_| de::Error::invalid_length(length, &"32 bytes in base64url"))?;
        Ok(Nonce::from_bytes(bytes))
    }
}
