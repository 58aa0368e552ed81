//! One event of a log.

use super::{EventKind, LogError, MAX_ALGORITHMS, Specification};
use crate::bytes::Reader;
use crate::tpm::PCR_COUNT;
use crate::{Digest, HashAlgorithm, Truncated};

/// Most digests of an event: one for each algorithm of the head.
pub(super) const MAX_DIGESTS: usize = MAX_ALGORITHMS;

/// What the data of a startup locality event starts with; the locality follows.
const STARTUP_LOCALITY: &[u8; 16] = b"StartupLocality\0";

/// Known algorithms, by which an event's digests are kept.
const KNOWN: usize = HashAlgorithm::ALL.len();

/// One event of a log.
#[derive(Debug, Clone)]
pub struct Event<'b> {
    index: usize,
    offset: usize,
    data_offset: usize,
    pcr: u32,
    kind: EventKind,
    /// Between the type and the length of the data, as it stands in the log.
    digest_field: &'b [u8],
    digests: [Option<&'b [u8]>; KNOWN],
    data: &'b [u8],
}

impl<'b> Event<'b> {
    /// Its place in the log, counted from 0.
    pub const fn index(&self) -> usize {
        self.index
    }

    /// Where it starts, in bytes from the start of the log.
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// The PCR that it is extended into, below 24 where [`Event::is_extended`].
    pub const fn pcr(&self) -> u32 {
        self.pcr
    }

    /// What firmware says that it is. Nothing vouches for that.
    pub const fn kind(&self) -> EventKind {
        self.kind
    }

    /// Whether its digests were extended into its PCR.
    pub fn is_extended(&self) -> bool {
        self.kind != EventKind::NO_ACTION
    }

    /// Its digest by `algorithm`, if it has one.
    pub fn digest(&self, algorithm: HashAlgorithm) -> Option<Digest> {
        let place = place(algorithm);
        let bytes = self.digests.get(place).copied().flatten()?;
        // Their length was the algorithm's when they were read.
        Digest::from_bytes(algorithm, bytes).ok()
    }

    /// Its digests by the known algorithms, ascending.
    pub fn digests(&self) -> impl Iterator<Item = Digest> {
        HashAlgorithm::ALL
            .into_iter()
            .filter_map(|algorithm| self.digest(algorithm))
    }

    /// What firmware says about it. Nothing vouches for that.
    pub const fn data(&self) -> &'b [u8] {
        self.data
    }

    /// Whether its digest by `algorithm` is that of its data, as it is for the types that the
    /// profile says so of. Then a quote that vouches for the digest vouches for the data.
    pub fn data_is_measured(&self, algorithm: HashAlgorithm) -> bool {
        self.digest(algorithm) == Some(algorithm.digest(self.data))
    }

    pub(super) const fn data_offset(&self) -> usize {
        self.data_offset
    }

    /// The locality at which the TPM was started, if this event tells it.
    pub(super) fn startup_locality(&self) -> Option<u8> {
        if self.kind != EventKind::NO_ACTION {
            return None;
        }
        match self.data.strip_prefix(STARTUP_LOCALITY) {
            Some([locality]) => Some(*locality),
            _ => None,
        }
    }

    /// Reads an event of the SHA-1 form.
    pub(super) fn read_sha1(reader: &mut Reader<'b>, index: usize) -> Result<Event<'b>, LogError> {
        let read = |reader: &mut Reader<'b>| {
            let offset = reader.offset();
            let pcr = reader.u32_le("the PCR's number")?;
            let kind = EventKind(reader.u32_le("the event's type")?);
            let digest = reader.take("the digest", HashAlgorithm::Sha1.digest_bytes())?;
            let mut digests = [None; KNOWN];
            digests[place(HashAlgorithm::Sha1)] = Some(digest);
            Event::read_data(reader, index, offset, pcr, kind, digest, digests)
        };
        let event = read(reader).map_err(|source| LogError::Truncated {
            event: index,
            source,
        })?;
        event.check_pcr()
    }

    /// Reads an event of the crypto-agile form.
    pub(super) fn read_agile(
        reader: &mut Reader<'b>,
        index: usize,
        specification: &Specification<'b>,
    ) -> Result<Event<'b>, LogError> {
        let truncated = |source| LogError::Truncated {
            event: index,
            source,
        };
        let offset = reader.offset();
        let pcr = reader.u32_le("the PCR's number").map_err(truncated)?;
        let kind = EventKind(reader.u32_le("the event's type").map_err(truncated)?);
        let field = reader.rest();
        let field_offset = reader.offset();
        let digests = read_digests(reader, index, offset, kind, specification)?;
        let length = reader.offset() - field_offset;
        let field = field.get(..length).unwrap_or_default();
        Event::read_data(reader, index, offset, pcr, kind, field, digests)
            .map_err(truncated)?
            .check_pcr()
    }

    fn read_data(
        reader: &mut Reader<'b>,
        index: usize,
        offset: usize,
        pcr: u32,
        kind: EventKind,
        digest_field: &'b [u8],
        digests: [Option<&'b [u8]>; KNOWN],
    ) -> Result<Event<'b>, Truncated> {
        let size = reader.u32_le("the length of the data")? as usize;
        let data_offset = reader.offset();
        Ok(Event {
            index,
            offset,
            data_offset,
            pcr,
            kind,
            digest_field,
            digests,
            data: reader.take("the event's data", size)?,
        })
    }

    /// Events that are not extended may name any PCR, and some firmware does.
    fn check_pcr(self) -> Result<Event<'b>, LogError> {
        match self.is_extended() && self.pcr >= u32::from(PCR_COUNT) {
            false => Ok(self),
            true => Err(LogError::NoSuchPcr {
                event: self.index,
                offset: self.offset,
                found: self.pcr,
            }),
        }
    }

    /// Writes the event with other data, which is shorter than that of a whole log.
    pub(super) fn write(&self, data: &[u8], out: &mut Vec<u8>) {
        out.extend(self.pcr.to_le_bytes());
        out.extend(self.kind.0.to_le_bytes());
        out.extend(self.digest_field);
        out.extend((data.len() as u32).to_le_bytes());
        out.extend(data);
    }
}

/// Where an algorithm's digest is kept.
const fn place(algorithm: HashAlgorithm) -> usize {
    match algorithm {
        HashAlgorithm::Sha1 => 0,
        HashAlgorithm::Sha256 => 1,
        HashAlgorithm::Sha384 => 2,
        HashAlgorithm::Sha512 => 3,
    }
}

/// Reads `TPML_DIGEST_VALUES`, little-endian.
fn read_digests<'b>(
    reader: &mut Reader<'b>,
    event: usize,
    event_offset: usize,
    kind: EventKind,
    specification: &Specification<'b>,
) -> Result<[Option<&'b [u8]>; KNOWN], LogError> {
    let truncated = |source| LogError::Truncated { event, source };
    let count = reader.u32_le("the number of digests").map_err(truncated)?;
    // What is not extended needs none. Without this, a log padded with zeros would be taken
    // for one with more events.
    let least = usize::from(kind != EventKind::NO_ACTION);
    if !(least..=MAX_DIGESTS).contains(&(count as usize)) {
        return Err(LogError::DigestCount {
            event,
            offset: event_offset,
            found: count,
        });
    }
    let mut digests = [None; KNOWN];
    for _ in 0..count {
        let offset = reader.offset();
        let id = reader.u16_le("a digest's algorithm").map_err(truncated)?;
        let unknown = LogError::UnknownAlgorithm {
            event,
            offset,
            found: id,
        };
        let bytes = specification.digest_bytes(id).ok_or(unknown)?;
        let digest = reader.take("a digest", bytes).map_err(truncated)?;
        let Some(algorithm) = HashAlgorithm::from_id(id) else {
            continue;
        };
        if digests[place(algorithm)].replace(digest).is_some() {
            return Err(LogError::DigestTwice {
                event,
                offset,
                algorithm,
            });
        }
    }
    Ok(digests)
}
