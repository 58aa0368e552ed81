//! Why a device does not pass, one variant a reason.

use std::fmt;

use earnest_evidence::firmware::{EventKind, LogError};
use earnest_evidence::measured::{Head, MeasuredLogError};
use earnest_evidence::tpm::{Name, PcrSelection, PcrSet};
use earnest_evidence::{Digest, HashAlgorithm, Nonce};

use crate::enrolment::KeyRefusal;
use crate::freshness::FreshnessError;
use crate::quote::{PcrError, QuoteError, SignatureError};

/// The first event of a firmware log that is not as the nearest reference has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventDifference {
    /// Its place in the whole log, counted from 0; the log's length if an event is missing.
    pub index: usize,
    /// Its place among the events of its PCR, counted from 0.
    pub place: usize,
    /// The digest that the reference has there; none if the reference ends before.
    pub expected: Option<Digest>,
    /// The digest that the log has there; none if the log ends before.
    pub found: Option<Digest>,
    /// What the log says that the event is. Nothing vouches for it.
    pub claimed_kind: Option<EventKind>,
}

impl fmt::Display for EventDifference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let EventDifference { index, place, .. } = self;
        write!(formatter, "event {index} (number {place} of its PCR")?;
        if let Some(kind) = self.claimed_kind {
            write!(formatter, ", called {kind}")?;
        }
        match (&self.expected, &self.found) {
            (Some(expected), Some(found)) => {
                write!(formatter, "): expected {expected}, found {found}")
            }
            (Some(expected), None) => {
                write!(formatter, "): expected {expected}, but the log has no more")
            }
            (None, Some(found)) => {
                write!(
                    formatter,
                    "): found {found}, where nothing more was expected"
                )
            }
            (None, None) => formatter.write_str(")"),
        }
    }
}

/// Why a device does not pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The nonce is not fresh.
    #[error(transparent)]
    Freshness(#[from] FreshnessError),
    /// The nonce was issued for another device than the enrolled one.
    #[error(
        "the nonce was issued for device {expected:?}; the evidence is appraised for {found:?}"
    )]
    NonceDevice {
        /// The nonce's.
        expected: String,
        /// The enrolment's.
        found: String,
    },
    /// The envelope names another nonce.
    #[error("expected evidence for nonce {expected}, found evidence for {found}")]
    EnvelopeNonce {
        /// The one that is fresh.
        expected: Nonce,
        /// The envelope's.
        found: Nonce,
    },
    /// The evidence brings another key than the enrolled one.
    #[error("expected attestation key {expected}, found {found}")]
    OtherKey {
        /// The enrolled one.
        expected: Name,
        /// The evidence's.
        found: Name,
    },
    /// The key is not one to believe.
    #[error(transparent)]
    Key(#[from] KeyRefusal),
    /// The enrolment itself cannot be read.
    #[error("the enrolment is unreadable: {reason}")]
    Enrolment {
        /// What is wrong with it.
        reason: String,
    },
    /// The quote is not to be believed.
    #[error(transparent)]
    Quote(#[from] QuoteError),
    /// Only PCRs of SHA-1 are quoted.
    #[error("expected PCRs of bank {expected}, found only SHA-1: {found}")]
    Sha1Only {
        /// The policy's bank.
        expected: HashAlgorithm,
        /// What is quoted.
        found: PcrSelection,
    },
    /// PCRs of other banks are quoted.
    #[error("expected PCRs of bank {expected}, found {found}")]
    Bank {
        /// The policy's bank.
        expected: HashAlgorithm,
        /// What is quoted.
        found: PcrSelection,
    },
    /// Fewer PCRs than the policy asks for.
    #[error("expected a quote of PCRs {expected}, found one of {found}")]
    MissingPcrs {
        /// Those that the policy asks for.
        expected: PcrSet,
        /// Those that are quoted, of the policy's bank.
        found: PcrSet,
    },
    /// The values are not those that were quoted.
    #[error(transparent)]
    Pcrs(#[from] PcrError),
    /// A PCR holds what it holds when nothing was measured.
    #[error("PCR {pcr} holds {found}: nothing was ever measured into it")]
    Unmeasured {
        /// The PCR.
        pcr: u8,
        /// Its value.
        found: Digest,
    },
    /// There is no firmware log.
    #[error("the policy asks for a firmware log; the evidence has none")]
    NoFirmwareLog,
    /// The firmware log is none.
    #[error("the firmware log is malformed")]
    FirmwareLog(#[from] LogError),
    /// The firmware log does not lead to what was quoted.
    #[error("PCR {pcr} holds {expected}; the firmware log leads to {found}")]
    Replay {
        /// The PCR.
        pcr: u8,
        /// What was quoted.
        expected: Digest,
        /// What the log leads to.
        found: Digest,
    },
    /// Reference values of another bank than the policy's.
    #[error("the policy is for bank {expected}, the reference values for {found}")]
    ReferenceBank {
        /// The policy's.
        expected: HashAlgorithm,
        /// That of the reference values.
        found: HashAlgorithm,
    },
    /// Nothing is said of a PCR that the policy asks for.
    #[error("the policy asks for PCR {pcr}, of which the reference values say nothing")]
    Unreferenced {
        /// The PCR.
        pcr: u8,
    },
    /// A PCR does not hold what it may hold.
    #[error(
        "PCR {pcr} holds {found}; expected was {}{}",
        allowed(expected),
        first(difference)
    )]
    BootState {
        /// The PCR.
        pcr: u8,
        /// The values that it may have.
        expected: Vec<Digest>,
        /// The value that it has.
        found: Digest,
        /// The first event that differs from the nearest reference.
        difference: Option<EventDifference>,
    },
    /// Earnest's own log has no start, or is not there.
    #[error("the policy asks for Earnest's own log; the evidence has no start of it")]
    NoMeasuredLog,
    /// Earnest's own log is none.
    #[error("Earnest's own log is malformed")]
    MeasuredLog(#[from] MeasuredLogError),
    /// Earnest's own log does not lead to what was quoted.
    #[error("PCR {pcr} holds {expected}; Earnest's own log leads to {found}")]
    MeasuredReplay {
        /// The PCR.
        pcr: u8,
        /// What was quoted.
        expected: Digest,
        /// What the log leads to.
        found: Digest,
    },
    /// The audit log's heads do not grow: it was cut or begun anew between the two.
    #[error(
        "entry {number} of Earnest's own log anchors the audit log at {found}; expected is one \
         behind {expected}, which was anchored before"
    )]
    Heads {
        /// The entry.
        number: u32,
        /// The head before it.
        expected: Head,
        /// The head that does not follow.
        found: Head,
    },
    /// The reference values say nothing of starts.
    #[error("the reference values say nothing of the daemon's starts")]
    UnreferencedStarts,
    /// A start of the daemon is not one that may be.
    #[error("start {number} of the daemon: expected {field} {expected}, found {found}")]
    Start {
        /// Its number since boot, from 1.
        number: u32,
        /// What of it.
        field: &'static str,
        /// What it may be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// The evidence says another version than the log.
    #[error("expected software {expected}, that of the last start; the evidence says {found}")]
    Software {
        /// That of the log's last start.
        expected: String,
        /// That of the evidence.
        found: String,
    },
    /// There is no authority key.
    #[error("the policy asks for an authority key; the evidence has none")]
    NoAuthority,
    /// The authority key's certificate is not the attestation key's.
    #[error("the authority key is not certified: {0}")]
    AuthoritySignature(SignatureError),
    /// The authority key's certificate certifies something else.
    #[error("expected the authority key {expected} to be certified, found {found}")]
    AuthorityName {
        /// The key's name.
        expected: Name,
        /// What is certified.
        found: String,
    },
    /// The authority key can leave the TPM.
    #[error("the authority key can leave its TPM, or was not made there: it is {found}")]
    AuthorityAttributes {
        /// What it is.
        found: earnest_evidence::tpm::ObjectAttributes,
    },
    /// The TPM is a program.
    #[error(
        "policy {policy:?} refuses software TPMs; device {device:?} was enrolled with one: {tpm}"
    )]
    SoftwareTpm {
        /// The policy's name.
        policy: String,
        /// The device.
        device: String,
        /// What its certificate says of it.
        tpm: String,
    },
}

/// The digests that a PCR may hold, for a person.
fn allowed(digests: &[Digest]) -> String {
    match digests {
        [] => "a log of allowed events alone".to_owned(),
        [one] => one.to_string(),
        [one, ..] => format!("{one} or one of {} others", digests.len() - 1),
    }
}

fn first(difference: &Option<EventDifference>) -> String {
    match difference {
        None => String::new(),
        Some(difference) => format!("; the first difference is {difference}"),
    }
}

impl Refusal {
    /// The reason's stable name, for programs.
    pub const fn reason(&self) -> &'static str {
        match self {
            Refusal::Freshness(error) => error.reason(),
            Refusal::NonceDevice { .. } => "nonce_of_other_device",
            Refusal::EnvelopeNonce { .. } => "envelope_nonce",
            Refusal::OtherKey { .. } => "other_attestation_key",
            Refusal::Key(refusal) => refusal.reason(),
            Refusal::Enrolment { .. } => "enrolment_unreadable",
            Refusal::Quote(error) => match error {
                QuoteError::Signature(_) => "quote_signature",
                QuoteError::Malformed(_) => "quote_malformed",
                QuoteError::NotAQuote { .. } => "not_a_quote",
                QuoteError::Nonce { .. } => "quote_nonce",
                QuoteError::DigestLength { .. } => "pcr_digest_length",
            },
            Refusal::Sha1Only { .. } => "sha1_only",
            Refusal::Bank { .. } => "wrong_bank",
            Refusal::MissingPcrs { .. } => "missing_pcrs",
            Refusal::Pcrs(PcrError::Selection { .. }) => "pcr_selection",
            Refusal::Pcrs(PcrError::Digest(_)) => "pcr_digest",
            Refusal::Unmeasured { .. } => "unmeasured_pcr",
            Refusal::NoFirmwareLog => "no_firmware_log",
            Refusal::FirmwareLog(_) => "firmware_log_malformed",
            Refusal::Replay { .. } => "firmware_log_replay",
            Refusal::ReferenceBank { .. } => "reference_bank",
            Refusal::Unreferenced { .. } => "no_reference",
            Refusal::BootState { .. } => "boot_state",
            Refusal::NoMeasuredLog => "no_measured_log",
            Refusal::MeasuredLog(_) => "measured_log_malformed",
            Refusal::MeasuredReplay { .. } => "measured_log_replay",
            Refusal::Heads { .. } => "audit_log_went_back",
            Refusal::UnreferencedStarts => "no_reference_of_starts",
            Refusal::Start { .. } => "start_not_allowed",
            Refusal::Software { .. } => "software_version",
            Refusal::NoAuthority => "no_authority_key",
            Refusal::AuthoritySignature(_) => "authority_signature",
            Refusal::AuthorityName { .. } => "authority_name",
            Refusal::AuthorityAttributes { .. } => "authority_attributes",
            Refusal::SoftwareTpm { .. } => "software_tpm",
        }
    }

    /// The PCR that differs.
    pub const fn pcr(&self) -> Option<u8> {
        match self {
            Refusal::Unmeasured { pcr, .. }
            | Refusal::Replay { pcr, .. }
            | Refusal::Unreferenced { pcr }
            | Refusal::BootState { pcr, .. }
            | Refusal::MeasuredReplay { pcr, .. } => Some(*pcr),
            _ => None,
        }
    }

    /// The first event that differs.
    pub const fn event(&self) -> Option<&EventDifference> {
        match self {
            Refusal::BootState { difference, .. } => difference.as_ref(),
            _ => None,
        }
    }

    /// The digest that was expected and the one that was found, where the reason is about one:
    /// of the first event that differs, else of the PCR.
    pub fn digests(&self) -> (Option<Digest>, Option<Digest>) {
        match self {
            Refusal::BootState {
                difference: Some(difference),
                ..
            } => (difference.expected, difference.found),
            Refusal::BootState {
                expected, found, ..
            } => (expected.first().copied(), Some(*found)),
            Refusal::Replay {
                expected, found, ..
            }
            | Refusal::MeasuredReplay {
                expected, found, ..
            } => (Some(*expected), Some(*found)),
            Refusal::Pcrs(PcrError::Digest(mismatch)) => {
                (Some(mismatch.expected), Some(mismatch.found))
            }
            Refusal::Unmeasured { found, .. } => (None, Some(*found)),
            _ => (None, None),
        }
    }
}
