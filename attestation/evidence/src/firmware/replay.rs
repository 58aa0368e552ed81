//! What the PCRs hold if a log is right.

use super::EventLog;
use crate::tpm::{PCR_COUNT, PcrSet};
use crate::{Digest, HashAlgorithm};

/// What the PCRs of one bank hold if a log is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    algorithm: HashAlgorithm,
    values: [Digest; PCR_COUNT as usize],
    touched: PcrSet,
    without_digest: usize,
}

impl Replay {
    pub(super) fn of(log: &EventLog<'_>, algorithm: HashAlgorithm) -> Replay {
        let mut values = [algorithm.zero(); PCR_COUNT as usize];
        if let Some(locality) = log.startup_locality() {
            values[0] = started_at(algorithm, locality);
        }
        let mut touched = PcrSet::EMPTY;
        let mut without_digest = 0;
        for event in log.events().iter().filter(|event| event.is_extended()) {
            let Some(digest) = event.digest(algorithm) else {
                without_digest += 1;
                continue;
            };
            // Reading the log refused every other PCR.
            let Some(value) = values.get_mut(event.pcr() as usize) else {
                continue;
            };
            *value = value.extended_by(&digest);
            touched.insert(event.pcr() as u8);
        }
        // A dynamic launch, which alone extends these, starts them at zero; without one they
        // stay at ones (PC Client Platform TPM Profile, "PCR Attributes").
        for pcr in DYNAMIC_LAUNCH.filter(|pcr| !touched.contains(*pcr)) {
            values[usize::from(pcr)] = ones(algorithm);
        }
        Replay {
            algorithm,
            values,
            touched,
            without_digest,
        }
    }

    /// The bank.
    pub const fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// What a PCR holds after the last event, or from the start if no event is extended into
    /// it. Nothing for a PCR that is none.
    pub fn value(&self, pcr: u8) -> Option<&Digest> {
        self.values.get(usize::from(pcr))
    }

    /// The PCRs that at least one event was extended into.
    pub const fn touched(&self) -> PcrSet {
        self.touched
    }

    /// Extended events that have no digest of this bank. They are left out, so the values
    /// are right only if the TPM has left them out as well.
    pub const fn without_digest(&self) -> usize {
        self.without_digest
    }
}

/// PCRs of a dynamic launch.
const DYNAMIC_LAUNCH: std::ops::RangeInclusive<u8> = 17..=22;

/// PCR 0 of a TPM that was started at this locality: the locality in the last byte.
fn started_at(algorithm: HashAlgorithm, locality: u8) -> Digest {
    let mut bytes = algorithm.zero().as_bytes().to_vec();
    if let Some(last) = bytes.last_mut() {
        *last = locality;
    }
    // As many bytes as the algorithm's zero has.
    Digest::from_bytes(algorithm, &bytes).unwrap_or(algorithm.zero())
}

fn ones(algorithm: HashAlgorithm) -> Digest {
    let bytes = vec![0xff; algorithm.digest_bytes()];
    Digest::from_bytes(algorithm, &bytes).unwrap_or(algorithm.zero())
}
