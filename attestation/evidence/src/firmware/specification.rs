//! The head of a crypto-agile log: `TCG_EfiSpecIDEvent`.

use super::{Event, EventKind, LogError};
use crate::bytes::Reader;
use crate::{HashAlgorithm, MAX_DIGEST_BYTES, Truncated};

/// Most algorithms that a head lists. TPMs have at most as many banks.
pub const MAX_ALGORITHMS: usize = 16;

/// What the head's data starts with.
const SIGNATURE: &[u8; 16] = b"Spec ID Event03\0";

/// Bytes of the head's data in front of the list of algorithms: signature, platform class,
/// three bytes of version, and the size of an address.
const FIXED_BYTES: usize = 24;

/// What the head of a crypto-agile log says: `TCG_EfiSpecIDEvent` (PFP, "Specification ID
/// Version Event").
#[derive(Debug, Clone)]
pub struct Specification<'b> {
    fixed: &'b [u8],
    version: (u8, u8, u8),
    sizes: Vec<DigestSize>,
    vendor_info: &'b [u8],
}

/// How long digests by an algorithm are: `TCG_EfiSpecIdEventAlgorithmSize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DigestSize {
    /// `TPM_ALG_ID`, which may be one that is not computed here.
    pub algorithm: u16,
    /// Bytes of a digest.
    pub bytes: u16,
}

impl<'b> Specification<'b> {
    /// Whether the log's first event is such a head.
    pub(super) fn is_in(first: &Event<'b>) -> bool {
        first.kind() == EventKind::NO_ACTION && first.data().starts_with(SIGNATURE)
    }

    pub(super) fn parse(first: &Event<'b>) -> Result<Specification<'b>, LogError> {
        // The reader counts from the start of the data; errors, from the start of the log.
        let base = first.data_offset();
        let truncated = |mut source: Truncated| {
            source.offset += base;
            LogError::Truncated { event: 0, source }
        };
        let mut reader = Reader::new(first.data());
        let fixed = reader
            .take("the head's fixed part", FIXED_BYTES)
            .map_err(truncated)?;
        let count = reader
            .u32_le("the number of algorithms")
            .map_err(truncated)?;
        if !(1..=MAX_ALGORITHMS).contains(&(count as usize)) {
            return Err(LogError::AlgorithmCount { found: count });
        }
        let mut sizes: Vec<DigestSize> = Vec::with_capacity(MAX_ALGORITHMS);
        for _ in 0..count {
            let algorithm = reader.u16_le("an algorithm").map_err(truncated)?;
            let bytes = reader.u16_le("an algorithm's size").map_err(truncated)?;
            check_size(algorithm, bytes)?;
            if sizes.iter().any(|size| size.algorithm == algorithm) {
                return Err(LogError::AlgorithmTwice { found: algorithm });
            }
            sizes.push(DigestSize { algorithm, bytes });
        }
        let length = reader
            .u8("the length of the vendor's information")
            .map_err(truncated)?;
        let vendor_info = reader
            .take("the vendor's information", length.into())
            .map_err(truncated)?;
        // Some firmware pads the head; what follows means nothing.
        let version = match fixed {
            [.., minor, major, errata, _address] => (*major, *minor, *errata),
            _ => (0, 0, 0),
        };
        Ok(Specification {
            fixed,
            version,
            sizes,
            vendor_info,
        })
    }

    /// Major and minor version and errata of the specification that the log follows.
    pub const fn version(&self) -> (u8, u8, u8) {
        self.version
    }

    /// The algorithms that events have digests by, with their lengths.
    pub fn sizes(&self) -> &[DigestSize] {
        &self.sizes
    }

    /// What the firmware's vendor added.
    pub const fn vendor_info(&self) -> &'b [u8] {
        self.vendor_info
    }

    /// Bytes of digests by this algorithm: those that the head gives, or else those that the
    /// algorithm has.
    pub(super) fn digest_bytes(&self, algorithm: u16) -> Option<usize> {
        let listed = self.sizes.iter().find(|size| size.algorithm == algorithm);
        match listed {
            Some(size) => Some(size.bytes.into()),
            None => HashAlgorithm::from_id(algorithm).map(HashAlgorithm::digest_bytes),
        }
    }

    /// The head's data with the vendor's information left out.
    pub(super) fn without_vendor_info(&self) -> Vec<u8> {
        let mut data = self.fixed.to_vec();
        data.extend((self.sizes.len() as u32).to_le_bytes());
        for size in &self.sizes {
            data.extend(size.algorithm.to_le_bytes());
            data.extend(size.bytes.to_le_bytes());
        }
        data.push(0);
        data
    }
}

/// Whether digests by this algorithm can have this length.
fn check_size(algorithm: u16, bytes: u16) -> Result<(), LogError> {
    let found = usize::from(bytes);
    let (fits, expected) = match HashAlgorithm::from_id(algorithm) {
        Some(known) => (found == known.digest_bytes(), known.digest_bytes()),
        None => ((1..=MAX_DIGEST_BYTES).contains(&found), MAX_DIGEST_BYTES),
    };
    match fits {
        true => Ok(()),
        false => Err(LogError::AlgorithmSize {
            algorithm,
            expected,
            found,
        }),
    }
}
