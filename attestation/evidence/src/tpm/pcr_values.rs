//! What PCRs hold, by bank and number.

use std::collections::BTreeMap;

use super::{PcrBank, PcrSelection, PcrSet};
use crate::{Digest, HashAlgorithm};

/// What PCRs hold, by bank and number, banks in the order in which a quote digests them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PcrValues(Vec<(HashAlgorithm, BTreeMap<u8, Digest>)>);

impl PcrValues {
    /// None yet.
    pub const fn new() -> PcrValues {
        PcrValues(Vec::new())
    }

    /// Says what a PCR holds. The digest's algorithm is the bank; a new bank comes behind
    /// those that are there.
    ///
    /// # Errors
    ///
    /// When there is no such PCR, or its value was said already.
    pub fn insert(&mut self, pcr: u8, value: Digest) -> Result<(), PcrValuesError> {
        if pcr >= super::PCR_COUNT {
            return Err(PcrValuesError::NoSuchPcr { found: pcr });
        }
        let algorithm = value.algorithm();
        let place = match self.0.iter().position(|(bank, _)| *bank == algorithm) {
            Some(place) => place,
            None => {
                self.0.push((algorithm, BTreeMap::new()));
                self.0.len() - 1
            }
        };
        match self.0[place].1.insert(pcr, value) {
            None => Ok(()),
            Some(_) => Err(PcrValuesError::Twice { algorithm, pcr }),
        }
    }

    /// These digests, given in the order of `selection`: its banks in order, in each its PCRs
    /// ascending. Banks that select nothing are left out.
    ///
    /// # Errors
    ///
    /// When a bank's digests are not computed here, digests are too few, too many or of
    /// another length, or a PCR is selected twice.
    pub fn of_selection(
        selection: &PcrSelection,
        digests: &[&[u8]],
    ) -> Result<PcrValues, PcrValuesError> {
        let mut values = PcrValues::new();
        let mut given = digests.iter();
        for bank in selection.banks() {
            for pcr in bank.set().iter() {
                let algorithm = bank.algorithm().ok_or(PcrValuesError::Bank {
                    found: bank.algorithm_id(),
                })?;
                let bytes = given.next().ok_or(PcrValuesError::Count {
                    expected: selected(selection),
                    found: digests.len(),
                })?;
                let value =
                    Digest::from_bytes(algorithm, bytes).map_err(|_| PcrValuesError::Length {
                        algorithm,
                        pcr,
                        found: bytes.len(),
                    })?;
                values.insert(pcr, value)?;
            }
        }
        match given.next() {
            None => Ok(values),
            Some(_) => Err(PcrValuesError::Count {
                expected: selected(selection),
                found: digests.len(),
            }),
        }
    }

    /// What a PCR holds in the bank of `algorithm`, if that was said.
    pub fn value(&self, algorithm: HashAlgorithm, pcr: u8) -> Option<&Digest> {
        self.bank(algorithm)?.get(&pcr)
    }

    /// The PCRs of a bank and what they hold.
    pub fn bank(&self, algorithm: HashAlgorithm) -> Option<&BTreeMap<u8, Digest>> {
        let found = self.0.iter().find(|(bank, _)| *bank == algorithm);
        found.map(|(_, values)| values)
    }

    /// The banks, in the order of a quote.
    pub fn banks(&self) -> impl Iterator<Item = (HashAlgorithm, &BTreeMap<u8, Digest>)> {
        self.0
            .iter()
            .map(|(algorithm, values)| (*algorithm, values))
    }

    /// Every value, in the order in which a quote digests them.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &Digest)> {
        let banks = self.0.iter();
        banks.flat_map(|(_, values)| values.iter().map(|(pcr, value)| (*pcr, value)))
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The selection of which these are the values.
    pub fn selection(&self) -> PcrSelection {
        let banks: Vec<PcrBank> = self
            .0
            .iter()
            .map(|(algorithm, values)| {
                let mut set = PcrSet::EMPTY;
                values.keys().for_each(|pcr| set.insert(*pcr));
                PcrBank::new(*algorithm, set)
            })
            .collect();
        // One bank for each of four algorithms at most.
        PcrSelection::from_banks(&banks).unwrap_or_default()
    }

    /// What a quote of these PCRs that is signed with `algorithm` must hold as its digest: the
    /// values, one behind the other (TPM 2.0 Part 3, `TPM2_Quote`).
    pub fn digest(&self, algorithm: HashAlgorithm) -> Digest {
        let parts: Vec<&[u8]> = self.iter().map(|(_, value)| value.as_bytes()).collect();
        algorithm.digest_parts(&parts)
    }
}

fn selected(selection: &PcrSelection) -> usize {
    selection.banks().iter().map(|bank| bank.set().len()).sum()
}

/// Why PCR values do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PcrValuesError {
    /// A PCR that a PC Client TPM does not have.
    #[error("there is no PCR {found}: the last is 23")]
    NoSuchPcr {
        /// Its number.
        found: u8,
    },
    /// A bank whose digests are not computed here.
    #[error(
        "PCRs of the bank {found:#06x} are selected; sha1, sha256, sha384 and sha512 are known"
    )]
    Bank {
        /// Its `TPM_ALG_ID`.
        found: u16,
    },
    /// A PCR has two values.
    #[error("PCR {pcr} of the bank {algorithm} has two values")]
    Twice {
        /// The bank.
        algorithm: HashAlgorithm,
        /// The PCR.
        pcr: u8,
    },
    /// The values are not as many as the selection's PCRs.
    #[error("{expected} PCRs are selected, and {found} values are given")]
    Count {
        /// PCRs selected.
        expected: usize,
        /// Values given.
        found: usize,
    },
    /// A value is not as long as the bank's digests.
    #[error("PCR {pcr} of the bank {algorithm} has a value of {found} bytes")]
    Length {
        /// The bank.
        algorithm: HashAlgorithm,
        /// The PCR.
        pcr: u8,
        /// Bytes of the value.
        found: usize,
    },
}
