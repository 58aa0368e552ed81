//! A set of PCRs of the SHA-256 bank, the one bank that sealing and quotes use.

use std::fmt;

use crate::tpm;

/// The last PCR of a PC client platform (TCG PC Client Platform TPM Profile, "PCR").
pub const LAST_PCR: u8 = 23;

/// PCRs of the SHA-256 bank, at least one: a policy over none would hold in every state, so
/// this is another type than [`tpm::PcrSet`], which may be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PcrSet(u32);

impl PcrSet {
    /// The PCRs with these indices; naming one twice is naming it once.
    ///
    /// # Errors
    ///
    /// When there are none, or one above [`LAST_PCR`].
    pub fn of(indices: &[u8]) -> Result<PcrSet, PcrSetError> {
        let mut mask = 0;
        for index in indices {
            if *index > LAST_PCR {
                return Err(PcrSetError::TooHigh { found: *index });
            }
            mask |= 1 << index;
        }
        PcrSet::from_mask(mask)
    }

    /// The PCRs whose bits are set, PCR 0 the lowest.
    ///
    /// # Errors
    ///
    /// When no bit is set, or one above [`LAST_PCR`].
    pub fn from_mask(mask: u32) -> Result<PcrSet, PcrSetError> {
        if mask == 0 {
            return Err(PcrSetError::Empty);
        }
        let highest = (31 - mask.leading_zeros()) as u8;
        if highest > LAST_PCR {
            return Err(PcrSetError::TooHigh { found: highest });
        }
        Ok(PcrSet(mask))
    }

    /// A bit for each PCR, PCR 0 the lowest.
    pub const fn mask(self) -> u32 {
        self.0
    }

    /// How many there are, 1 to 24.
    pub const fn count(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Whether the PCR of this index is among them.
    pub const fn contains(self, index: u8) -> bool {
        index <= LAST_PCR && self.0 >> index & 1 == 1
    }

    /// The indices, ascending.
    pub fn indices(self) -> impl Iterator<Item = u8> {
        (0..=LAST_PCR).filter(move |index| self.contains(*index))
    }

    /// The set as a `TPML_PCR_SELECTION` of one bank with three bytes of bits
    /// (TPM 2.0 Part 2, `TPMS_PCR_SELECTION`).
    pub fn selection_bytes(self) -> [u8; 10] {
        let [low, middle, high, _] = self.0.to_le_bytes();
        [0, 0, 0, 1, 0x00, 0x0b, 3, low, middle, high]
    }
}

impl fmt::Display for PcrSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, index) in self.indices().enumerate() {
            if place > 0 {
                formatter.write_str(",")?;
            }
            write!(formatter, "{index}")?;
        }
        Ok(())
    }
}

impl From<PcrSet> for tpm::PcrSet {
    fn from(set: PcrSet) -> tpm::PcrSet {
        let mut plain = tpm::PcrSet::EMPTY;
        for index in set.indices() {
            plain.insert(index);
        }
        plain
    }
}

impl TryFrom<tpm::PcrSet> for PcrSet {
    type Error = PcrSetError;

    fn try_from(set: tpm::PcrSet) -> Result<PcrSet, PcrSetError> {
        let indices: Vec<u8> = set.iter().collect();
        PcrSet::of(&indices)
    }
}

/// Why PCRs make no set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PcrSetError {
    /// Nothing selected: a policy over no PCR would hold in every state.
    #[error("no PCR is selected")]
    Empty,
    /// There is no such PCR.
    #[error("PCR {found} is above the last one, {LAST_PCR}")]
    TooHigh {
        /// The index asked for.
        found: u8,
    },
}
