//! The parts of an envelope, as labelled bytes: what CBOR and JSON have in common.

use super::{Authority, EVIDENCE, EncodeError, EnvelopeError, Evidence};
use crate::firmware::MAX_LOG_BYTES;
use crate::measured::{MAX_MEASURED_LOG_BYTES, MAX_VERSION_BYTES, is_version};
use crate::tpm::{
    Attest, MAX_ATTEST_BYTES, MAX_PCR_FILE_BYTES, PcrValues, Public, Signature, StructureError,
};
use crate::{NONCE_BYTES, Nonce};

const OCTETS: &str = "application/octet-stream";
const TEXT: &str = "text/plain";
const SEQUENCE: &str = "application/cbor-seq";
const ATTEST: &str = "application/x.earnest.tpms-attest";
const SIGNATURE: &str = "application/x.earnest.tpmt-signature";
const PUBLIC: &str = "application/x.earnest.tpmt-public";
const PCRS: &str = "application/x.earnest.tpm2-pcrs";
const EVENT_LOG: &str = "application/x.earnest.tcg-event-log";

/// More than any `TPMT_SIGNATURE` or `TPMT_PUBLIC` of the kinds that are read.
const MAX_STRUCTURE_BYTES: usize = 2048;

/// A part's label, its type, and the most bytes that it has.
pub(super) struct Label {
    pub(super) name: &'static str,
    pub(super) media_type: &'static str,
    pub(super) limit: usize,
}

const fn label(name: &'static str, media_type: &'static str, limit: usize) -> Label {
    Label {
        name,
        media_type,
        limit,
    }
}

/// Every label, in the order in which they are written.
pub(super) const LABELS: [Label; 11] = [
    label("nonce", OCTETS, NONCE_BYTES),
    label("software", TEXT, MAX_VERSION_BYTES),
    label("attest", ATTEST, MAX_ATTEST_BYTES),
    label("signature", SIGNATURE, MAX_STRUCTURE_BYTES),
    label("ak-public", PUBLIC, MAX_STRUCTURE_BYTES),
    label("pcrs", PCRS, MAX_PCR_FILE_BYTES),
    label("firmware-log", EVENT_LOG, MAX_LOG_BYTES),
    label("measured-log", SEQUENCE, MAX_MEASURED_LOG_BYTES),
    label("authority-public", PUBLIC, MAX_STRUCTURE_BYTES),
    label("authority-attest", ATTEST, MAX_ATTEST_BYTES),
    label("authority-signature", SIGNATURE, MAX_STRUCTURE_BYTES),
];

const NONCE: usize = 0;
const SOFTWARE: usize = 1;
const QUOTE: usize = 2;
const QUOTE_SIGNATURE: usize = 3;
const AK_PUBLIC: usize = 4;
const PCR_VALUES: usize = 5;
const FIRMWARE_LOG: usize = 6;
const MEASURED_LOG: usize = 7;
const AUTHORITY_PUBLIC: usize = 8;
const AUTHORITY_ATTEST: usize = 9;
const AUTHORITY_SIGNATURE: usize = 10;

/// The bytes under each label, by its place in [`LABELS`].
#[derive(Default)]
pub(super) struct Parts([Option<Vec<u8>>; LABELS.len()]);

impl Parts {
    /// The parts of this evidence. Empty logs are left out.
    pub(super) fn of_evidence(evidence: &Evidence) -> Result<Parts, EncodeError> {
        if !is_version(&evidence.software) {
            return Err(EncodeError::Software);
        }
        let mut parts = Parts::default();
        let mut put = |place: usize, bytes: Vec<u8>| {
            let label = &LABELS[place];
            if bytes.len() > label.limit {
                return Err(EncodeError::PartTooLong {
                    label: label.name,
                    limit: label.limit,
                    found: bytes.len(),
                });
            }
            parts.0[place] = Some(bytes);
            Ok(())
        };
        put(NONCE, evidence.nonce.as_bytes().to_vec())?;
        put(SOFTWARE, evidence.software.clone().into_bytes())?;
        put(QUOTE, evidence.attest.marshal())?;
        put(QUOTE_SIGNATURE, evidence.signature.marshal())?;
        put(AK_PUBLIC, evidence.ak_public.marshal())?;
        put(PCR_VALUES, evidence.pcrs.to_pcr_file())?;
        if !evidence.firmware_log.is_empty() {
            put(FIRMWARE_LOG, evidence.firmware_log.clone())?;
        }
        if !evidence.measured_log.is_empty() {
            put(MEASURED_LOG, evidence.measured_log.clone())?;
        }
        if let Some(authority) = &evidence.authority {
            put(AUTHORITY_PUBLIC, authority.public.marshal())?;
            put(AUTHORITY_ATTEST, authority.attest.marshal())?;
            put(AUTHORITY_SIGNATURE, authority.signature.marshal())?;
        }
        Ok(parts)
    }

    /// The parts that are there, each with its label.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static Label, &[u8])> {
        let parts = LABELS.iter().zip(&self.0);
        parts.filter_map(|(label, part)| Some((label, part.as_deref()?)))
    }

    /// Takes a record in. `bytes` makes its value out of what the form has, once type and
    /// indicator are right.
    pub(super) fn take(
        &mut self,
        name: &str,
        media_type: &str,
        indicator: Option<u64>,
        bytes: impl FnOnce(&'static Label) -> Result<Vec<u8>, EnvelopeError>,
    ) -> Result<(), EnvelopeError> {
        let place = LABELS.iter().position(|label| label.name == name);
        let place = place.ok_or_else(|| EnvelopeError::UnknownPart { found: start(name) })?;
        let label = &LABELS[place];
        if self.0[place].is_some() {
            return Err(EnvelopeError::Twice { label: label.name });
        }
        if media_type != label.media_type {
            return Err(EnvelopeError::MediaType {
                label: label.name,
                expected: label.media_type,
                found: start(media_type),
            });
        }
        if let Some(found) = indicator.filter(|indicator| *indicator != EVIDENCE) {
            return Err(EnvelopeError::Indicator {
                label: label.name,
                expected: EVIDENCE,
                found,
            });
        }
        self.0[place] = Some(bytes(label)?);
        Ok(())
    }

    /// The evidence that the parts make.
    pub(super) fn into_evidence(mut self) -> Result<Evidence, EnvelopeError> {
        let nonce = self.need(NONCE)?;
        let nonce = <[u8; NONCE_BYTES]>::try_from(nonce.as_slice()).map_err(|_| {
            EnvelopeError::NonceLength {
                expected: NONCE_BYTES,
                found: nonce.len(),
            }
        })?;
        let software = String::from_utf8(self.need(SOFTWARE)?).ok();
        let software = software.filter(|text| is_version(text));
        Ok(Evidence {
            nonce: Nonce::from_bytes(nonce),
            software: software.ok_or(EnvelopeError::Software)?,
            attest: self.structure(QUOTE, Attest::parse)?,
            signature: self.structure(QUOTE_SIGNATURE, Signature::parse)?,
            ak_public: self.structure(AK_PUBLIC, Public::parse)?,
            pcrs: PcrValues::parse_pcr_file(&self.need(PCR_VALUES)?)?,
            firmware_log: self.0[FIRMWARE_LOG].take().unwrap_or_default(),
            measured_log: self.0[MEASURED_LOG].take().unwrap_or_default(),
            authority: self.into_authority()?,
        })
    }

    /// The authority key: all three parts of it, or none.
    fn into_authority(mut self) -> Result<Option<Authority>, EnvelopeError> {
        if self.0[AUTHORITY_PUBLIC..].iter().all(Option::is_none) {
            return Ok(None);
        }
        Ok(Some(Authority {
            public: self.structure(AUTHORITY_PUBLIC, Public::parse)?,
            attest: self.structure(AUTHORITY_ATTEST, Attest::parse)?,
            signature: self.structure(AUTHORITY_SIGNATURE, Signature::parse)?,
        }))
    }

    fn need(&mut self, place: usize) -> Result<Vec<u8>, EnvelopeError> {
        let part = self.0.get_mut(place).and_then(Option::take);
        part.ok_or(EnvelopeError::Missing {
            label: LABELS[place].name,
        })
    }

    fn structure<T>(
        &mut self,
        place: usize,
        parse: impl FnOnce(&[u8]) -> Result<T, StructureError>,
    ) -> Result<T, EnvelopeError> {
        parse(&self.need(place)?).map_err(|source| EnvelopeError::Structure {
            label: LABELS[place].name,
            source,
        })
    }
}

#[cfg(test)]
impl Parts {
    /// The parts with this value under a label, however long it is.
    pub(super) fn with(mut self, name: &str, value: &[u8]) -> Parts {
        let place = LABELS.iter().position(|label| label.name == name);
        self.0[place.unwrap()] = Some(value.to_vec());
        self
    }

    /// The parts without this one.
    pub(super) fn without(mut self, name: &str) -> Parts {
        let place = LABELS.iter().position(|label| label.name == name);
        self.0[place.unwrap()] = None;
        self
    }
}

/// Refuses a collection of another type, or of none.
pub(super) fn check_type(found: Option<&str>) -> Result<(), EnvelopeError> {
    match found {
        Some(super::COLLECTION_TYPE) => Ok(()),
        found => Err(EnvelopeError::CollectionType {
            expected: super::COLLECTION_TYPE,
            found: found.map(start),
        }),
    }
}

/// As much of a stranger's text as an error shows.
fn start(text: &str) -> String {
    text.chars().take(48).collect()
}
