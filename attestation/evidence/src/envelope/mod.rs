//! The envelope: everything that a device sends as evidence, in one message.
//!
//! It is a conceptual message wrapper (CMW, RFC 9999), a collection of records, in CBOR or in
//! JSON. Wrapping adds no protection and needs none: what is inside is signed by the TPM or
//! replays to what is signed, and the verifier compares the nonce with the one that it gave.
//!
//! # Format
//!
//! A collection (RFC 9999, "CMW Collections") of the type [`COLLECTION_TYPE`]. Each label
//! stands at most once, in any order; an unknown one is refused. A record is `[type, value,
//! ind]`; the indicator, which may be left out, is 4 for evidence. Types in the `x.` tree are
//! private (RFC 6838, 3.4).
//!
//! | Label | Type | Value |
//! |---|---|---|
//! | `nonce` | `application/octet-stream` | the verifier's nonce, 32 bytes |
//! | `software` | `text/plain` | the version of the software, printable ASCII |
//! | `attest` | `application/x.earnest.tpms-attest` | the quote, as the TPM signed it |
//! | `signature` | `application/x.earnest.tpmt-signature` | its signature |
//! | `ak-public` | `application/x.earnest.tpmt-public` | the key that signed, as the TPM names it |
//! | `pcrs` | `application/x.earnest.tpm2-pcrs` | the values of the quoted PCRs, in the file that the TPM tools exchange |
//! | `firmware-log` | `application/x.earnest.tcg-event-log` | the firmware event log; may be left out |
//! | `measured-log` | `application/cbor-seq` | Earnest's own log; may be left out |
//! | `authority-public` | `application/x.earnest.tpmt-public` | the device's authority key; may be left out |
//! | `authority-attest` | `application/x.earnest.tpms-attest` | that it is in the same TPM; with `authority-public` |
//! | `authority-signature` | `application/x.earnest.tpmt-signature` | the AK's signature of that; with `authority-public` |
//!
//! Reading is bounded by [`MAX_ENVELOPE_BYTES`] and by each part's own limit. The TPM's
//! structures and the PCR values are parsed with the envelope; the logs are left as bytes, for
//! [`Evidence::parse_firmware_log`] and [`Evidence::parse_measured_log`].

mod authority;
mod cbor;
mod error;
mod json;
mod part;
#[cfg(test)]
mod tests;

use crate::Nonce;
use crate::firmware::{EventLog, LogError};
use crate::measured::{MeasuredLog, MeasuredLogError};
use crate::tpm::{Attest, PcrValues, Public, Signature};

pub use authority::Authority;
pub use error::{EncodeError, EnvelopeError};
use part::Parts;

/// Most bytes of an envelope in either form: every part at its limit, in base64.
pub const MAX_ENVELOPE_BYTES: usize = 4 << 20;

/// The collection's type: it tells this collection from everybody else's.
pub const COLLECTION_TYPE: &str = "urn:uuid:922fe759-8011-46f7-a74b-c5d4829fb4d8";

/// The media type of the CBOR form (RFC 9999).
pub const CBOR_MEDIA_TYPE: &str = "application/cmw+cbor";

/// The media type of the JSON form (RFC 9999).
pub const JSON_MEDIA_TYPE: &str = "application/cmw+json";

/// The key under which a collection's type stands (RFC 9999, "CMW Collections").
const TYPE_KEY: &str = "__cmwc_t";

/// The indicator of evidence: bit 2 (RFC 9999, "CMW Record").
const EVIDENCE: u64 = 1 << 2;

/// What a device sends as evidence. Parsed, and believed by nobody yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The nonce that the device was given. The one that counts is in the quote.
    pub nonce: Nonce,
    /// The version of the software, 1 to 64 printable ASCII characters. A claim of the device;
    /// the measured log has the same with the PCR behind it.
    pub software: String,
    /// The quote.
    pub attest: Attest,
    /// The quote's signature.
    pub signature: Signature,
    /// The key that signed it.
    pub ak_public: Public,
    /// What the quoted PCRs hold.
    pub pcrs: PcrValues,
    /// The firmware event log, filtered; empty if the device has none.
    pub firmware_log: Vec<u8>,
    /// Earnest's own log; empty if the daemon did not start yet.
    pub measured_log: Vec<u8>,
    /// The device's authority key, if it has one.
    pub authority: Option<Authority>,
}

impl Evidence {
    /// Reads an envelope in either form, told apart by its first byte.
    ///
    /// # Errors
    ///
    /// When the bytes are no such collection, too many, or a part is missing, unknown, there
    /// twice, too long, or not what its label says.
    pub fn decode(bytes: &[u8]) -> Result<Evidence, EnvelopeError> {
        if bytes.len() > MAX_ENVELOPE_BYTES {
            return Err(EnvelopeError::TooLong {
                limit: MAX_ENVELOPE_BYTES,
                found: bytes.len(),
            });
        }
        // RFC 9999, "Decapsulation Algorithm".
        match bytes.first() {
            Some(b'{') => json::decode(bytes)?.into_evidence(),
            Some(0xa0..=0xbf) => cbor::decode(bytes)?.into_evidence(),
            found => Err(EnvelopeError::NoCollection {
                found: found.copied(),
            }),
        }
    }

    /// The envelope in CBOR.
    ///
    /// # Errors
    ///
    /// When a part is longer than a reader takes.
    pub fn to_cbor(&self) -> Result<Vec<u8>, EncodeError> {
        Ok(cbor::encode(&Parts::of_evidence(self)?))
    }

    /// The envelope in JSON.
    ///
    /// # Errors
    ///
    /// When a part is longer than a reader takes.
    pub fn to_json(&self) -> Result<String, EncodeError> {
        Ok(json::encode(&Parts::of_evidence(self)?))
    }

    /// The firmware event log, or nothing if the device sent none.
    ///
    /// # Errors
    ///
    /// When what it sent is none.
    pub fn parse_firmware_log(&self) -> Result<Option<EventLog<'_>>, LogError> {
        match self.firmware_log.as_slice() {
            [] => Ok(None),
            log => EventLog::parse(log).map(Some),
        }
    }

    /// Earnest's own log; one without a start if the device sent none.
    ///
    /// # Errors
    ///
    /// When what it sent is none.
    pub fn parse_measured_log(&self) -> Result<MeasuredLog, MeasuredLogError> {
        MeasuredLog::parse(&self.measured_log)
    }
}
