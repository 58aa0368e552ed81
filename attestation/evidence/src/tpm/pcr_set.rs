//! A set of PCRs, of whatever bank.

use std::fmt;

use super::SelectionError;

/// PCRs that a PC Client TPM has (TCG PC Client Platform TPM Profile, "PCR Attributes").
pub const PCR_COUNT: u8 = 24;

/// A set of PCRs by their numbers: 0 to 23, and up to 31 where a TPM's bitmap says so, which is
/// kept as it was signed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct PcrSet(u32);

impl PcrSet {
    /// None.
    pub const EMPTY: PcrSet = PcrSet(0);

    /// The set with these PCRs; naming one twice is naming it once.
    ///
    /// # Errors
    ///
    /// When one of them is not below [`PCR_COUNT`].
    pub fn of(pcrs: &[u8]) -> Result<PcrSet, SelectionError> {
        let mut set = PcrSet::EMPTY;
        for &pcr in pcrs {
            if pcr >= PCR_COUNT {
                return Err(SelectionError::NoSuchPcr { found: pcr });
            }
            set.insert(pcr);
        }
        Ok(set)
    }

    /// The PCRs whose bits are set, PCR 0 the lowest.
    ///
    /// # Errors
    ///
    /// When one of them is not below [`PCR_COUNT`].
    pub fn from_mask(mask: u32) -> Result<PcrSet, SelectionError> {
        let set = PcrSet::from_bits(mask);
        match set.iter().find(|pcr| *pcr >= PCR_COUNT) {
            Some(found) => Err(SelectionError::NoSuchPcr { found }),
            None => Ok(set),
        }
    }

    /// A bit for each PCR, PCR 0 the lowest.
    pub const fn mask(self) -> u32 {
        self.0
    }

    /// Whether `pcr` is in it.
    pub const fn contains(self, pcr: u8) -> bool {
        pcr < 32 && self.0 >> pcr & 1 == 1
    }

    /// Whether every PCR of `other` is in it.
    pub const fn contains_all(self, other: PcrSet) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether none is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many are in it.
    pub const fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// What is in either.
    #[must_use]
    pub const fn union(self, other: PcrSet) -> PcrSet {
        PcrSet(self.0 | other.0)
    }

    /// What is in this one and not in `other`.
    #[must_use]
    pub const fn without(self, other: PcrSet) -> PcrSet {
        PcrSet(self.0 & !other.0)
    }

    /// Its PCRs, ascending.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..32).filter(move |pcr| self.contains(*pcr))
    }

    pub(super) const fn from_bits(bits: u32) -> PcrSet {
        PcrSet(bits)
    }

    pub(crate) fn insert(&mut self, pcr: u8) {
        self.0 |= 1u32.checked_shl(pcr.into()).unwrap_or(0);
    }
}

impl fmt::Display for PcrSet {
    /// As the tools write it: `4,7,11`, or `none`.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return formatter.write_str("none");
        }
        for (place, pcr) in self.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(formatter, "{comma}{pcr}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for PcrSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PcrSet({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pcr_that_is_none_is_refused() {
        let refused = |found: u8| Err(SelectionError::NoSuchPcr { found });
        assert_eq!(PcrSet::of(&[24]), refused(24));
        assert_eq!(PcrSet::from_mask(1 << 31), refused(31));
    }

    #[test]
    fn numbers_and_bits_name_the_same_pcrs() {
        let set = PcrSet::of(&[23, 0, 9, 0]).unwrap();
        assert_eq!(set.iter().collect::<Vec<u8>>(), [0, 9, 23]);
        assert_eq!((set.mask(), set.len()), (0x80_0201, 3));
        assert_eq!(PcrSet::from_mask(set.mask()), Ok(set));
    }

    #[test]
    fn a_set_is_shown_as_the_tools_show_it() {
        assert_eq!(PcrSet::of(&[4, 7, 11]).unwrap().to_string(), "4,7,11");
        assert_eq!(PcrSet::EMPTY.to_string(), "none");
    }
}
