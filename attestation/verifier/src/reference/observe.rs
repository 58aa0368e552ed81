//! Reference values from the evidence of a device that is known to be right.

use std::collections::{BTreeMap, BTreeSet};

use earnest_evidence::firmware::{EventLog, LogError};
use earnest_evidence::measured::{MeasuredLogError, SandboxLevel, Start};
use earnest_evidence::{Digest, Evidence, HashAlgorithm};

use super::{
    AllowedValue, PcrReference, ReferenceError, ReferenceValues, StartReference, check_name,
};
use crate::policy::Policy;

/// Why no reference values come of evidence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ObserveError {
    /// The name cannot be one.
    #[error(transparent)]
    Name(#[from] ReferenceError),
    /// The firmware log is none.
    #[error("the firmware log is malformed")]
    FirmwareLog(#[from] LogError),
    /// Earnest's own log is none.
    #[error("Earnest's own log is malformed")]
    MeasuredLog(#[from] MeasuredLogError),
    /// A PCR that the policy asks for has no value.
    #[error("the evidence has no value of PCR {pcr} in bank {bank}")]
    NoValue {
        /// The PCR.
        pcr: u8,
        /// The policy's bank.
        bank: HashAlgorithm,
    },
}

impl ReferenceValues {
    /// What this evidence shows of the policy's PCRs and of the daemon's starts, under a name.
    ///
    /// Nothing here is checked: whoever makes reference values of a device's evidence says that
    /// the device is right. Appraise it for its signature and freshness first.
    ///
    /// # Errors
    ///
    /// When a log is malformed, or the value of a PCR that the policy asks for is missing.
    pub fn from_evidence(
        name: &str,
        evidence: &Evidence,
        policy: &Policy,
    ) -> Result<ReferenceValues, ObserveError> {
        check_name(name)?;
        let bank = policy.bank();
        let log = evidence.parse_firmware_log()?;
        let mut pcrs = BTreeMap::new();
        for pcr in policy.pcrs().iter() {
            let value = evidence.pcrs.value(bank, pcr);
            let value = *value.ok_or(ObserveError::NoValue { pcr, bank })?;
            let events = log
                .as_ref()
                .filter(|log| log.replay(bank).value(pcr) == Some(&value))
                .map(|log| events(log, bank, pcr))
                .unwrap_or_default();
            let reference = PcrReference {
                values: vec![AllowedValue { value, events }],
                events: BTreeSet::new(),
            };
            pcrs.insert(pcr, reference);
        }
        Ok(ReferenceValues {
            name: name.to_owned(),
            bank,
            pcrs,
            starts: starts(evidence)?,
        })
    }
}

/// The digests of the events that a log has for a PCR, in order.
fn events(log: &EventLog<'_>, bank: HashAlgorithm, pcr: u8) -> Vec<Digest> {
    log.events()
        .iter()
        .filter(|event| event.is_extended() && event.pcr() == u32::from(pcr))
        .filter_map(|event| event.digest(bank))
        .collect()
}

/// What the starts of the log have in common with those to come: just what they had.
fn starts(evidence: &Evidence) -> Result<Option<StartReference>, MeasuredLogError> {
    let log = evidence.parse_measured_log()?;
    let starts = || log.starts();
    if starts().next().is_none() {
        return Ok(None);
    }
    Ok(Some(StartReference {
        configurations: starts().map(|start| *start.configuration()).collect(),
        models: starts()
            .filter_map(|start| start.model().copied())
            .collect(),
        without_model: starts().any(|start| start.model().is_none()),
        versions: starts().map(|start| start.version().to_owned()).collect(),
        least_sandbox: starts()
            .map(Start::sandbox)
            .min()
            .unwrap_or(SandboxLevel::Full),
    }))
}
