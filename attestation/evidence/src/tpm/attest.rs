//! What a TPM signs: `TPMS_ATTEST`.

use super::error::finish;
use super::{Buffer, Name, PcrSelection, StructureError};
use crate::bytes::Reader;
use crate::{Digest, HashAlgorithm, MAX_DIGEST_BYTES};

/// `TPM_GENERATED_VALUE`, with which everything starts that a TPM attests to: a restricted key
/// signs nothing from outside that starts so.
pub const TPM_GENERATED: u32 = 0xff54_4347;

/// Most bytes of an attestation that are read: the largest TPM buffer, with room.
pub const MAX_ATTEST_BYTES: usize = 4096;

const TAG_CERTIFY: u16 = 0x8017;
const TAG_QUOTE: u16 = 0x8018;
const TAG_CREATION: u16 = 0x801a;

/// The tags of `TPMI_ST_ATTEST`, known here in detail or not.
const TAGS: std::ops::RangeInclusive<u16> = 0x8014..=0x801c;

/// An attestation: `TPMS_ATTEST` (TPM 2.0 Part 2, "Attestation Structures"). It says nothing
/// until its signature was checked over its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attest {
    /// The qualified name of the key that signed: its name, bound to those of its parents.
    pub qualified_signer: Name,
    /// What the caller of the TPM passed in: a verifier's nonce.
    pub extra_data: Buffer<{ 2 + MAX_DIGEST_BYTES }>,
    /// The TPM's clock and how often it was reset.
    pub clock_info: ClockInfo,
    /// The TPM's firmware version, obfuscated where the key is not of the endorsement hierarchy.
    pub firmware_version: u64,
    /// What is attested to.
    pub attested: Attested,
}

/// `TPMS_CLOCK_INFO`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockInfo {
    /// Milliseconds that the TPM was powered since it was last cleared.
    pub clock: u64,
    /// TPM resets since the last clear: each boot is one.
    pub reset_count: u32,
    /// Restarts and resumes since the last reset.
    pub restart_count: u32,
    /// Whether no higher clock was ever reported than `clock`.
    pub safe: bool,
}

/// What is attested to: `TPMU_ATTEST`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attested {
    /// `TPMS_QUOTE_INFO`: what PCRs hold.
    Quote {
        /// Which PCRs, in the order digested.
        selection: PcrSelection,
        /// The digest over their values, by the signing scheme's hash.
        pcr_digest: Buffer<MAX_DIGEST_BYTES>,
    },
    /// `TPMS_CERTIFY_INFO`: that an object is in this TPM.
    Certify {
        /// Its name.
        name: Name,
        /// Its qualified name.
        qualified_name: Name,
    },
    /// `TPMS_CREATION_INFO`: that this TPM made an object.
    Creation {
        /// Its name.
        object_name: Name,
        /// The digest over its creation data.
        creation_hash: Buffer<MAX_DIGEST_BYTES>,
    },
    /// Another kind, which is carried and not read.
    Other {
        /// `TPMI_ST_ATTEST`.
        tag: u16,
        /// The bytes behind the firmware version.
        body: Vec<u8>,
    },
}

impl Attest {
    /// Reads an attestation that is all of `bytes`.
    ///
    /// # Errors
    ///
    /// When the bytes are none, more than [`MAX_ATTEST_BYTES`], or go on behind it.
    pub fn parse(bytes: &[u8]) -> Result<Attest, StructureError> {
        if bytes.len() > MAX_ATTEST_BYTES {
            return Err(StructureError::TooLong {
                field: "the attestation",
                offset: 0,
                limit: MAX_ATTEST_BYTES,
                found: bytes.len(),
            });
        }
        let mut reader = Reader::new(bytes);
        let magic = reader.u32("the magic")?;
        if magic != TPM_GENERATED {
            return Err(StructureError::Magic {
                expected: TPM_GENERATED,
                found: magic,
            });
        }
        let offset = reader.offset();
        let tag = reader.u16("the kind of attestation")?;
        if !TAGS.contains(&tag) {
            return Err(StructureError::Value {
                field: "the kind of attestation",
                offset,
                expected: "one of TPM_ST_ATTEST_*",
                found: tag.into(),
            });
        }
        let attest = Attest {
            qualified_signer: Name::read(&mut reader, "the qualified signer")?,
            extra_data: Buffer::read(&mut reader, "the extra data")?,
            clock_info: ClockInfo::read(&mut reader)?,
            firmware_version: reader.u64("the firmware version")?,
            attested: Attested::read(&mut reader, tag)?,
        };
        finish(&reader, "attestation")?;
        Ok(attest)
    }

    /// The structure's bytes, as a TPM writes and signs them.
    pub fn marshal(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(TPM_GENERATED.to_be_bytes());
        out.extend(self.attested.tag().to_be_bytes());
        self.qualified_signer.write(&mut out);
        self.extra_data.write(&mut out);
        out.extend(self.clock_info.clock.to_be_bytes());
        out.extend(self.clock_info.reset_count.to_be_bytes());
        out.extend(self.clock_info.restart_count.to_be_bytes());
        out.push(self.clock_info.safe.into());
        out.extend(self.firmware_version.to_be_bytes());
        self.attested.write(&mut out);
        out
    }
}

impl ClockInfo {
    fn read(reader: &mut Reader<'_>) -> Result<ClockInfo, StructureError> {
        Ok(ClockInfo {
            clock: reader.u64("the clock")?,
            reset_count: reader.u32("the reset count")?,
            restart_count: reader.u32("the restart count")?,
            safe: {
                let offset = reader.offset();
                match reader.u8("whether the clock is safe")? {
                    0 => false,
                    1 => true,
                    found => {
                        return Err(StructureError::Value {
                            field: "whether the clock is safe",
                            offset,
                            expected: "0 or 1",
                            found: found.into(),
                        });
                    }
                }
            },
        })
    }
}

impl Attested {
    /// `TPMI_ST_ATTEST`.
    pub const fn tag(&self) -> u16 {
        match self {
            Attested::Quote { .. } => TAG_QUOTE,
            Attested::Certify { .. } => TAG_CERTIFY,
            Attested::Creation { .. } => TAG_CREATION,
            Attested::Other { tag, .. } => *tag,
        }
    }

    /// The digest over the PCRs of a quote, if this is a quote and the digest has the length
    /// of `algorithm`, that of the signature.
    pub fn pcr_digest(&self, algorithm: HashAlgorithm) -> Option<Digest> {
        match self {
            Attested::Quote { pcr_digest, .. } => Digest::from_bytes(algorithm, pcr_digest).ok(),
            _ => None,
        }
    }

    fn read(reader: &mut Reader<'_>, tag: u16) -> Result<Attested, StructureError> {
        Ok(match tag {
            TAG_QUOTE => Attested::Quote {
                selection: PcrSelection::read(reader)?,
                pcr_digest: Buffer::read(reader, "the PCR digest")?,
            },
            TAG_CERTIFY => Attested::Certify {
                name: Name::read(reader, "the certified name")?,
                qualified_name: Name::read(reader, "the certified qualified name")?,
            },
            TAG_CREATION => Attested::Creation {
                object_name: Name::read(reader, "the created object's name")?,
                creation_hash: Buffer::read(reader, "the creation hash")?,
            },
            tag => Attested::Other {
                tag,
                // No more than MAX_ATTEST_BYTES.
                body: reader.take("the attested body", reader.left())?.to_vec(),
            },
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Attested::Quote {
                selection,
                pcr_digest,
            } => {
                selection.write(out);
                pcr_digest.write(out);
            }
            Attested::Certify {
                name,
                qualified_name,
            } => {
                name.write(out);
                qualified_name.write(out);
            }
            Attested::Creation {
                object_name,
                creation_hash,
            } => {
                object_name.write(out);
                creation_hash.write(out);
            }
            Attested::Other { body, .. } => out.extend(body),
        }
    }
}
