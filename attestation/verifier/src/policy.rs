//! Policies: what a fleet asks of a device, whatever its reference values are.
//!
//! A policy is a JSON file that a person writes. It is read raw, and turned into a [`Policy`]
//! once everything in it was checked; a member that is not known is refused, so that a typing
//! error does not switch a check off.
//!
//! ```
//! use earnest_verifier::policy::Policy;
//!
//! let policy = Policy::from_json(
//!     r#"{
//!         "format": "earnest-policy/1",
//!         "name": "development",
//!         "bank": "sha256",
//!         "pcrs": [4, 7, 11],
//!         "software_tpm": "allow",
//!         "firmware_log": "optional"
//!     }"#,
//! )?;
//! assert_eq!(policy.nonce_lifetime_seconds(), 60);
//! # Ok::<(), earnest_verifier::policy::PolicyError>(())
//! ```

use earnest_evidence::HashAlgorithm;
use earnest_evidence::measured;
use earnest_evidence::tpm::{PcrSet, SelectionError};
use serde::{Deserialize, Serialize};

use crate::endorsement::{AnchorError, PemError, TrustAnchor, certificates_from_pem};

/// What the files of this format say they are.
const FORMAT: &str = "earnest-policy/1";

/// Longest policy, in bytes: room for some thirty makers' roots.
pub const MAX_POLICY_BYTES: usize = 256 * 1024;

/// Longest name of a policy, in bytes. It stands in results.
const MAX_NAME_BYTES: usize = 128;

/// Longest lifetime of a nonce: a day, for answers that are carried by hand.
const MAX_NONCE_LIFETIME: u32 = 86_400;

/// Longest lifetime of a result: thirty days, for devices that are seldom online.
const MAX_RESULT_LIFETIME: u32 = 30 * 86_400;

/// Whether something must be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Need {
    /// Without it there is no pass.
    Required,
    /// It is appraised where it is there.
    Optional,
}

/// Whether something may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Leave {
    /// It may, and the result says so.
    Allow,
    /// It may not.
    Refuse,
}

/// What a fleet asks of a device. Made by [`Policy::from_json`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    name: String,
    bank: HashAlgorithm,
    pcrs: PcrSet,
    nonce_lifetime_seconds: u32,
    result_lifetime_seconds: u32,
    software_tpm: Leave,
    firmware_log: Need,
    measured_log: Need,
    measured_pcr: u8,
    unlogged_pcrs: PcrSet,
    authority: Need,
    anchors: Vec<TrustAnchor>,
}

/// A policy as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPolicy {
    format: String,
    name: String,
    bank: HashAlgorithm,
    pcrs: Vec<u8>,
    #[serde(default = "one_minute")]
    nonce_lifetime_seconds: u32,
    #[serde(default = "five_minutes")]
    result_lifetime_seconds: u32,
    #[serde(default = "refuse")]
    software_tpm: Leave,
    #[serde(default = "required")]
    firmware_log: Need,
    #[serde(default = "required")]
    measured_log: Need,
    #[serde(default = "measured_pcr")]
    measured_pcr: u8,
    #[serde(default)]
    unlogged_pcrs: Vec<u8>,
    #[serde(default = "optional")]
    authority: Need,
    #[serde(default)]
    endorsement_anchors: Vec<RawAnchor>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAnchor {
    name: String,
    /// PEM.
    certificate: String,
    #[serde(default)]
    software_tpm: bool,
}

const fn one_minute() -> u32 {
    60
}

const fn five_minutes() -> u32 {
    300
}

const fn refuse() -> Leave {
    Leave::Refuse
}

const fn required() -> Need {
    Need::Required
}

const fn measured_pcr() -> u8 {
    measured::DEFAULT_PCR
}

const fn optional() -> Need {
    Need::Optional
}

/// Why a policy is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Longer than any policy.
    #[error("a policy has at most {limit} bytes; this has {found}")]
    TooLong {
        /// The bound, in bytes.
        limit: usize,
        /// Its length, in bytes.
        found: usize,
    },
    /// Not as policies are written.
    #[error("this is no policy: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
    /// Another format.
    #[error("expected a policy of format {expected:?}, found {found:?}")]
    Format {
        /// The one that is read.
        expected: &'static str,
        /// What the file says.
        found: String,
    },
    /// A bank on which nothing can be built.
    #[error("expected a bank of sha256, sha384 or sha512, found {found}")]
    Bank {
        /// The policy's.
        found: HashAlgorithm,
    },
    /// No PCRs, or such as do not exist.
    #[error("a policy names PCRs; this names none")]
    NoPcrs,
    /// A PCR that does not exist.
    #[error(transparent)]
    Pcrs(#[from] SelectionError),
    /// A number beyond its bounds.
    #[error("{what} is {least} to {most}; this is {found}")]
    Range {
        /// Which number.
        what: &'static str,
        /// Its least value.
        least: u32,
        /// Its largest value.
        most: u32,
        /// What was found.
        found: u32,
    },
    /// An anchor's certificate is no PEM.
    #[error("anchor {name:?}: {reason}")]
    AnchorText {
        /// The anchor.
        name: String,
        /// What is wrong with it.
        reason: PemError,
    },
    /// An anchor is none.
    #[error("anchor {name:?}: {reason}")]
    Anchor {
        /// The anchor.
        name: String,
        /// What is wrong with it.
        reason: AnchorError,
    },
    /// An anchor is a chain.
    #[error("anchor {name:?}: expected one certificate, found {found}")]
    AnchorCount {
        /// The anchor.
        name: String,
        /// How many certificates it has.
        found: usize,
    },
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    ///
    /// Each reason to refuse is a variant of its own; see [`PolicyError`].
    pub fn from_json(text: &str) -> Result<Policy, PolicyError> {
        if text.len() > MAX_POLICY_BYTES {
            return Err(PolicyError::TooLong {
                limit: MAX_POLICY_BYTES,
                found: text.len(),
            });
        }
        let raw: RawPolicy =
            serde_json::from_str(text).map_err(|reason| PolicyError::Malformed {
                reason: reason.to_string(),
            })?;
        raw.check()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bank that is appraised.
    pub fn bank(&self) -> HashAlgorithm {
        self.bank
    }

    /// The PCRs of the boot, each of which must have a reference value. The one of Earnest's own
    /// log is not among them: it is appraised by that log.
    pub fn pcrs(&self) -> PcrSet {
        self.pcrs
    }

    /// How long a nonce is good for.
    pub fn nonce_lifetime_seconds(&self) -> u32 {
        self.nonce_lifetime_seconds
    }

    /// How long a result is good for.
    pub fn result_lifetime_seconds(&self) -> u32 {
        self.result_lifetime_seconds
    }

    /// Whether a TPM may be a program.
    pub fn software_tpm(&self) -> Leave {
        self.software_tpm
    }

    /// Whether there must be a firmware log.
    pub fn firmware_log(&self) -> Need {
        self.firmware_log
    }

    /// Whether there must be Earnest's own log.
    pub fn measured_log(&self) -> Need {
        self.measured_log
    }

    /// The PCR of Earnest's own log.
    pub fn measured_pcr(&self) -> u8 {
        self.measured_pcr
    }

    /// PCRs that are extended by more than the firmware log tells, such as by the system's phases
    /// after boot: they are held against reference values alone, and not against the log.
    pub fn unlogged_pcrs(&self) -> PcrSet {
        self.unlogged_pcrs
    }

    /// Every PCR that a quote must have.
    pub fn quoted_pcrs(&self) -> PcrSet {
        match (self.measured_log, PcrSet::of(&[self.measured_pcr])) {
            (Need::Required, Ok(measured)) => self.pcrs.union(measured),
            _ => self.pcrs,
        }
    }

    /// Whether there must be a certified authority key.
    pub fn authority(&self) -> Need {
        self.authority
    }

    /// The authorities whose endorsement certificates are taken at enrolment.
    pub fn anchors(&self) -> &[TrustAnchor] {
        &self.anchors
    }
}

impl RawPolicy {
    fn check(self) -> Result<Policy, PolicyError> {
        if self.format != FORMAT {
            return Err(PolicyError::Format {
                expected: FORMAT,
                found: self.format.chars().take(64).collect(),
            });
        }
        if self.bank == HashAlgorithm::Sha1 {
            return Err(PolicyError::Bank { found: self.bank });
        }
        if self.pcrs.is_empty() {
            return Err(PolicyError::NoPcrs);
        }
        let name_bytes = u32::try_from(self.name.len()).unwrap_or(u32::MAX);
        let range = |what, most, found| match (1..=most).contains(&found) {
            true => Ok(()),
            false => Err(PolicyError::Range {
                what,
                least: 1,
                most,
                found,
            }),
        };
        range("the length of the name", MAX_NAME_BYTES as u32, name_bytes)?;
        range(
            "nonce_lifetime_seconds",
            MAX_NONCE_LIFETIME,
            self.nonce_lifetime_seconds,
        )?;
        range(
            "result_lifetime_seconds",
            MAX_RESULT_LIFETIME,
            self.result_lifetime_seconds,
        )?;
        // The log's own PCR is asked for by asking for the log, and must be one that exists.
        let measured_pcr = PcrSet::of(&[self.measured_pcr])?;
        let anchors = self
            .endorsement_anchors
            .into_iter()
            .map(RawAnchor::check)
            .collect::<Result<_, _>>()?;
        Ok(Policy {
            name: self.name,
            bank: self.bank,
            pcrs: PcrSet::of(&self.pcrs)?.without(measured_pcr),
            nonce_lifetime_seconds: self.nonce_lifetime_seconds,
            result_lifetime_seconds: self.result_lifetime_seconds,
            software_tpm: self.software_tpm,
            firmware_log: self.firmware_log,
            measured_log: self.measured_log,
            measured_pcr: self.measured_pcr,
            unlogged_pcrs: PcrSet::of(&self.unlogged_pcrs)?,
            authority: self.authority,
            anchors,
        })
    }
}

impl RawAnchor {
    fn check(self) -> Result<TrustAnchor, PolicyError> {
        let name = self.name;
        let certificates =
            certificates_from_pem(&self.certificate).map_err(|reason| PolicyError::AnchorText {
                name: name.clone(),
                reason,
            })?;
        let [certificate] = certificates.as_slice() else {
            return Err(PolicyError::AnchorCount {
                name,
                found: certificates.len(),
            });
        };
        TrustAnchor::new(&name, certificate, self.software_tpm)
            .map_err(|reason| PolicyError::Anchor { name, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(members: &str) -> Result<Policy, PolicyError> {
        let base = r#""format":"earnest-policy/1","name":"n","bank":"sha256""#;
        Policy::from_json(&format!("{{{base},{members}}}"))
    }

    #[test]
    fn what_is_left_out_is_the_strict_choice() {
        let policy = with(r#""pcrs":[4,7]"#).unwrap();
        assert_eq!(policy.software_tpm(), Leave::Refuse);
        assert_eq!(policy.firmware_log(), Need::Required);
        assert_eq!(policy.measured_log(), Need::Required);
        assert_eq!(policy.nonce_lifetime_seconds(), 60);
        assert!(policy.anchors().is_empty(), "nobody is trusted unasked");
    }

    #[test]
    fn a_policy_that_asks_for_nothing_or_the_impossible_is_refused() {
        assert_eq!(with(r#""pcrs":[]"#), Err(PolicyError::NoPcrs));
        let no_such = with(r#""pcrs":[24]"#);
        assert!(matches!(no_such, Err(PolicyError::Pcrs(_))), "{no_such:?}");
        let sha1 = r#"{"format":"earnest-policy/1","name":"n","bank":"sha1","pcrs":[4]}"#;
        let found = HashAlgorithm::Sha1;
        assert_eq!(Policy::from_json(sha1), Err(PolicyError::Bank { found }));
        let endless = with(r#""pcrs":[4],"nonce_lifetime_seconds":86401"#);
        assert!(matches!(endless, Err(PolicyError::Range { .. })));
        let none = with(r#""pcrs":[4],"result_lifetime_seconds":0"#);
        assert!(matches!(none, Err(PolicyError::Range { .. })));
    }

    #[test]
    fn a_typing_error_switches_no_check_off() {
        let refused = with(r#""pcrs":[4],"sofware_tpm":"refuse""#);
        assert!(matches!(refused, Err(PolicyError::Malformed { .. })));
        let twice = with(r#""pcrs":[4],"pcrs":[7]"#);
        assert!(matches!(twice, Err(PolicyError::Malformed { .. })));
    }
}
