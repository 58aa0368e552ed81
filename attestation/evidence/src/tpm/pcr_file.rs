//! The file of PCR values that `tpm2_quote --pcr` writes and `tpm2_checkquote --pcr` reads.
//!
//! It is the tools' memory, little-endian: a `TPML_PCR_SELECTION` of 132 bytes (a count, and
//! sixteen banks of a `TPM_ALG_ID`, a length, four bytes of bitmap and one of padding), a
//! count of lists, and as many `TPML_DIGEST` of 532 bytes (a count, and eight digests of a
//! length and 64 bytes). A list is one answer of `TPM2_PCR_Read`, so lists are filled in the
//! order of the selection, eight digests each. What stands behind a length in its buffer is
//! no value, and is not looked at.

use super::{PcrBank, PcrSelection, PcrValues, PcrValuesError, StructureError};
use crate::Truncated;
use crate::bytes::Reader;

/// Banks that the selection has room for.
const BANKS: usize = super::MAX_BANKS;
/// Bytes of a bank's bitmap.
const BITMAP_BYTES: usize = 4;
/// Digests that a list has room for.
const DIGESTS: usize = 8;
/// Bytes that a digest has room for.
const DIGEST_BYTES: usize = crate::MAX_DIGEST_BYTES;
/// Lists that the tools have room for: `TPM2_MAX_PCRS`.
const MAX_LISTS: usize = 32;

const SELECTION_BYTES: usize = 4 + BANKS * (2 + 1 + BITMAP_BYTES + 1);
const LIST_BYTES: usize = 4 + DIGESTS * (2 + DIGEST_BYTES);

/// Bytes of the longest such file.
pub const MAX_PCR_FILE_BYTES: usize = SELECTION_BYTES + 4 + MAX_LISTS * LIST_BYTES;

impl PcrValues {
    /// Reads the file of PCR values that the TPM tools exchange.
    ///
    /// # Errors
    ///
    /// When the bytes are none, go on behind it, or the values do not fit its selection.
    pub fn parse_pcr_file(bytes: &[u8]) -> Result<PcrValues, PcrFileError> {
        let mut reader = Reader::new(bytes);
        let selection = read_selection(&mut reader)?;
        let lists = bounded(&mut reader, "the number of digest lists", MAX_LISTS)?;
        let mut digests = Vec::new();
        for _ in 0..lists {
            read_list(&mut reader, &mut digests)?;
        }
        super::error::finish(&reader, "PCR file")?;
        Ok(PcrValues::of_selection(&selection, &digests)?)
    }

    /// The values as the file that the TPM tools exchange.
    pub fn to_pcr_file(&self) -> Vec<u8> {
        let selection = self.selection();
        let mut out = Vec::new();
        // At most one bank for each known algorithm, of PCRs below 24: all of it fits.
        out.extend((selection.banks().len() as u32).to_le_bytes());
        for bank in selection.banks() {
            let (bitmap, octets) = bank.bitmap();
            out.extend(bank.algorithm_id().to_le_bytes());
            out.push(octets);
            out.extend(bitmap);
            out.push(0);
        }
        out.resize(SELECTION_BYTES, 0);
        let values: Vec<&[u8]> = self.iter().map(|(_, value)| value.as_bytes()).collect();
        let lists = values.chunks(DIGESTS);
        out.extend((lists.len() as u32).to_le_bytes());
        for list in lists {
            let end = out.len() + LIST_BYTES;
            out.extend((list.len() as u32).to_le_bytes());
            for value in list {
                let end = out.len() + 2 + DIGEST_BYTES;
                out.extend((value.len() as u16).to_le_bytes());
                out.extend(*value);
                out.resize(end, 0);
            }
            out.resize(end, 0);
        }
        out
    }
}

fn read_selection(reader: &mut Reader<'_>) -> Result<PcrSelection, PcrFileError> {
    let count = bounded(reader, "the number of PCR banks", BANKS)?;
    let mut banks = Vec::new();
    for place in 0..BANKS {
        let algorithm = reader.u16_le("a PCR bank's algorithm")?;
        let offset = reader.offset();
        let octets = usize::from(reader.u8("the length of a PCR bitmap")?);
        let bitmap: [u8; BITMAP_BYTES] = reader.array("a PCR bitmap")?;
        reader.u8("a PCR bank's padding")?;
        if place >= count {
            continue;
        }
        let bitmap = bitmap.get(..octets).ok_or(StructureError::TooLong {
            field: "the length of a PCR bitmap",
            offset,
            limit: BITMAP_BYTES,
            found: octets,
        })?;
        banks.push(PcrBank::from_raw(algorithm, bitmap));
    }
    // The count was bounded by the same number of banks.
    Ok(PcrSelection::from_banks(&banks).unwrap_or_default())
}

fn read_list<'b>(reader: &mut Reader<'b>, digests: &mut Vec<&'b [u8]>) -> Result<(), PcrFileError> {
    let count = bounded(reader, "the number of digests in a list", DIGESTS)?;
    for place in 0..DIGESTS {
        let offset = reader.offset();
        let length = usize::from(reader.u16_le("a digest's length")?);
        let buffer = reader.take("a digest's buffer", DIGEST_BYTES)?;
        if place >= count {
            continue;
        }
        digests.push(buffer.get(..length).ok_or(StructureError::TooLong {
            field: "a digest's length",
            offset,
            limit: DIGEST_BYTES,
            found: length,
        })?);
    }
    Ok(())
}

/// A count that must not pass its limit.
fn bounded(
    reader: &mut Reader<'_>,
    field: &'static str,
    limit: usize,
) -> Result<usize, StructureError> {
    let offset = reader.offset();
    match reader.u32_le(field)? as usize {
        found if found > limit => Err(StructureError::TooLong {
            field,
            offset,
            limit,
            found,
        }),
        found => Ok(found),
    }
}

/// Why bytes are no file of PCR values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PcrFileError {
    /// The bytes are not laid out so.
    #[error(transparent)]
    Structure(#[from] StructureError),
    /// The values do not fit the selection.
    #[error(transparent)]
    Values(#[from] PcrValuesError),
}

impl From<Truncated> for PcrFileError {
    fn from(truncated: Truncated) -> PcrFileError {
        PcrFileError::Structure(truncated.into())
    }
}
