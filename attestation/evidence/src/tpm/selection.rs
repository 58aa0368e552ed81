//! Which PCRs of which banks: `TPML_PCR_SELECTION`.

use std::fmt;

use super::{PcrSet, StructureError};
use crate::HashAlgorithm;
use crate::bytes::Reader;

/// Most banks in a selection: `TPM2_NUM_PCR_BANKS` of the TSS 2.0, which the tools' file holds.
pub const MAX_BANKS: usize = 16;

/// Most bytes of a bank's bitmap: `TPM2_PCR_SELECT_MAX` of the TSS 2.0.
const MAX_OCTETS: u8 = 4;

/// Bytes of a bitmap that selects of [`PCR_COUNT`](super::PCR_COUNT) PCRs, which PC Client TPMs insist on.
const PC_CLIENT_OCTETS: u8 = 3;

/// The PCRs of one bank: `TPMS_PCR_SELECTION`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PcrBank {
    algorithm: u16,
    octets: u8,
    set: PcrSet,
}

impl PcrBank {
    /// These PCRs of the bank of `algorithm`.
    pub fn new(algorithm: HashAlgorithm, set: PcrSet) -> PcrBank {
        PcrBank {
            algorithm: algorithm.id(),
            octets: match set.mask() >> 24 {
                0 => PC_CLIENT_OCTETS,
                _ => MAX_OCTETS,
            },
            set,
        }
    }

    /// The bank's `TPM_ALG_ID`, which may be one that is not computed here.
    pub const fn algorithm_id(&self) -> u16 {
        self.algorithm
    }

    /// The bank's algorithm, if it is one that is computed here.
    pub const fn algorithm(&self) -> Option<HashAlgorithm> {
        HashAlgorithm::from_id(self.algorithm)
    }

    /// Its PCRs.
    pub const fn set(&self) -> PcrSet {
        self.set
    }

    pub(super) fn from_raw(algorithm: u16, bitmap: &[u8]) -> PcrBank {
        let mut set = [0; 4];
        for (to, from) in set.iter_mut().zip(bitmap) {
            *to = *from;
        }
        PcrBank {
            algorithm,
            octets: bitmap.len().min(4) as u8,
            set: PcrSet::from_bits(u32::from_le_bytes(set)),
        }
    }

    pub(super) fn bitmap(&self) -> ([u8; 4], u8) {
        (self.set.mask().to_le_bytes(), self.octets)
    }
}

/// Which PCRs of which banks, in the order in which a quote digests them:
/// `TPML_PCR_SELECTION` (TPM 2.0 Part 2, "List Structures").
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct PcrSelection(Vec<PcrBank>);

impl PcrSelection {
    /// These PCRs of one bank.
    ///
    /// # Errors
    ///
    /// When one of them is not below [`PCR_COUNT`](super::PCR_COUNT).
    pub fn of(algorithm: HashAlgorithm, pcrs: &[u8]) -> Result<PcrSelection, SelectionError> {
        Ok(PcrSelection::of_bank(algorithm, PcrSet::of(pcrs)?))
    }

    /// This set of PCRs of one bank.
    pub fn of_bank(algorithm: HashAlgorithm, set: PcrSet) -> PcrSelection {
        PcrSelection(vec![PcrBank::new(algorithm, set)])
    }

    /// These banks, in this order.
    ///
    /// # Errors
    ///
    /// When they are more than [`MAX_BANKS`].
    pub fn from_banks(banks: &[PcrBank]) -> Result<PcrSelection, SelectionError> {
        match banks.len() {
            0..=MAX_BANKS => Ok(PcrSelection(banks.to_vec())),
            found => Err(SelectionError::Banks { found }),
        }
    }

    /// The banks, in order. A bank that selects nothing may be among them.
    pub fn banks(&self) -> &[PcrBank] {
        &self.0
    }

    /// The PCRs that are selected of the bank of `algorithm`.
    pub fn set(&self, algorithm: HashAlgorithm) -> PcrSet {
        self.0
            .iter()
            .filter(|bank| bank.algorithm == algorithm.id())
            .fold(PcrSet::EMPTY, |set, bank| set.union(bank.set))
    }

    /// Whether a quote of this selection and one of `other` digest the same PCRs in the same
    /// order. Banks that select nothing and the length of bitmaps make no difference.
    pub fn selects_the_same(&self, other: &PcrSelection) -> bool {
        let plain = |selection: &PcrSelection| -> Vec<(u16, PcrSet)> {
            let banks = selection.0.iter().filter(|bank| !bank.set.is_empty());
            banks.map(|bank| (bank.algorithm, bank.set)).collect()
        };
        plain(self) == plain(other)
    }

    /// Reads a `TPML_PCR_SELECTION` that is all of `bytes`.
    ///
    /// # Errors
    ///
    /// When the bytes are none, or bytes follow it.
    pub fn parse(bytes: &[u8]) -> Result<PcrSelection, StructureError> {
        let mut reader = Reader::new(bytes);
        let selection = PcrSelection::read(&mut reader)?;
        super::error::finish(&reader, "PCR selection")?;
        Ok(selection)
    }

    /// The structure's bytes, as a TPM writes them.
    pub fn marshal(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(&mut out);
        out
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<PcrSelection, StructureError> {
        let offset = reader.offset();
        let count = reader.u32("the number of PCR banks")?;
        if count as usize > MAX_BANKS {
            return Err(StructureError::TooLong {
                field: "the number of PCR banks",
                offset,
                limit: MAX_BANKS,
                found: count as usize,
            });
        }
        let mut banks = Vec::new();
        for _ in 0..count {
            let algorithm = reader.u16("a PCR bank's algorithm")?;
            let offset = reader.offset();
            let octets = reader.u8("the length of a PCR bitmap")?;
            if octets > MAX_OCTETS {
                return Err(StructureError::TooLong {
                    field: "the length of a PCR bitmap",
                    offset,
                    limit: MAX_OCTETS.into(),
                    found: octets.into(),
                });
            }
            let bitmap = reader.take("a PCR bitmap", octets.into())?;
            banks.push(PcrBank::from_raw(algorithm, bitmap));
        }
        Ok(PcrSelection(banks))
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        // No constructor lets in more than MAX_BANKS.
        out.extend((self.0.len() as u32).to_be_bytes());
        for bank in &self.0 {
            let (bitmap, octets) = bank.bitmap();
            out.extend(bank.algorithm.to_be_bytes());
            out.push(octets);
            out.extend(&bitmap[..octets.into()]);
        }
    }
}

impl fmt::Display for PcrSelection {
    /// As the tools write it: `sha1:0,1+sha256:4,7,11`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, bank) in self.0.iter().enumerate() {
            let plus = if place == 0 { "" } else { "+" };
            match bank.algorithm() {
                Some(algorithm) => write!(formatter, "{plus}{algorithm}:{}", bank.set)?,
                None => write!(formatter, "{plus}{:#06x}:{}", bank.algorithm, bank.set)?,
            }
        }
        Ok(())
    }
}

/// Why a selection cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    /// A PCR that a PC Client TPM does not have.
    #[error("there is no PCR {found}: the last is 23")]
    NoSuchPcr {
        /// Its number.
        found: u8,
    },
    /// No PCR, where a policy is bound to some: over none it would hold in every state.
    #[error("no PCR is selected")]
    Empty,
    /// More banks than a selection takes.
    #[error("a selection takes 16 banks at most, not {found}")]
    Banks {
        /// How many there are.
        found: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    #[test]
    fn a_selection_has_the_bytes_that_a_tpm_gives_it() {
        let selection = PcrSelection::of(HashAlgorithm::Sha256, &[15, 16, 22]).unwrap();
        assert_eq!(hex::encode(&selection.marshal()), "00000001000b03008041");
        assert_eq!(PcrSelection::parse(&selection.marshal()), Ok(selection));
    }

    #[test]
    fn it_is_shown_as_the_tools_show_it() {
        let banks = [
            PcrBank::new(HashAlgorithm::Sha1, PcrSet::of(&[0, 1]).unwrap()),
            PcrBank::new(HashAlgorithm::Sha256, PcrSet::of(&[4, 7, 11]).unwrap()),
        ];
        let selection = PcrSelection::from_banks(&banks).unwrap();
        assert_eq!(selection.to_string(), "sha1:0,1+sha256:4,7,11");
        assert_eq!(selection.set(HashAlgorithm::Sha384), PcrSet::EMPTY);
        assert_eq!(selection.set(HashAlgorithm::Sha256).len(), 3);
    }

    #[test]
    fn what_selects_the_same_is_known_though_its_bytes_differ() {
        let parse = |text: &str| PcrSelection::parse(&hex::decode(text).unwrap()).unwrap();
        let plain = parse("00000001000b03100000");
        // An empty SHA-1 bank in front, and a bitmap of four bytes.
        let padded = parse("00000002000403000000000b0410000000");
        assert!(plain.selects_the_same(&padded));
        assert!(!plain.selects_the_same(&parse("00000001000b03900000")));
        assert!(!plain.selects_the_same(&parse("00000001000403100000")));
    }

    #[test]
    fn no_count_or_length_is_believed_beyond_its_bound() {
        let check = |text: &str| PcrSelection::parse(&hex::decode(text).unwrap()).unwrap_err();
        assert!(matches!(
            check("00000011"),
            StructureError::TooLong { found: 17, .. }
        ));
        assert!(matches!(
            check("00000001000b05"),
            StructureError::TooLong { found: 5, .. }
        ));
        assert!(matches!(check("00000001"), StructureError::Truncated(_)));
        assert!(matches!(
            check("0000000000"),
            StructureError::Trailing { found: 1, .. }
        ));
    }
}
