//! Reference values: what PCRs and starts of an approved device look like.
//!
//! A file of reference values is JSON, made from the evidence of a device that is known to be
//! right ([`ReferenceValues::from_evidence`]) or beside an image, read by people and compared
//! ([`ReferenceValues::diff`]). It says, for each PCR of one bank:
//! - `values`: the values that it may have, each with the digests of the events that lead to it,
//!   so that a refusal can say which event is the first to differ;
//! - `events`: digests of events, any of which may occur in any number and order, for PCRs that
//!   differ from device to device. This takes a firmware log that replays to the PCR.
//!
//! And of Earnest's own log, which configurations, model packages, versions and sandbox levels
//! a start may have. What no list has is refused.
//!
//! ```
//! use earnest_verifier::reference::ReferenceValues;
//!
//! let reference = ReferenceValues::from_json(
//!     r#"{"format": "earnest-reference/1", "name": "none", "bank": "sha256", "pcrs": []}"#,
//! )?;
//! assert!(reference.pcr(4).is_none());
//! # Ok::<(), earnest_verifier::reference::ReferenceError>(())
//! ```

mod diff;
mod observe;

use std::collections::{BTreeMap, BTreeSet};

use earnest_evidence::measured::SandboxLevel;
use earnest_evidence::tpm::PCR_COUNT;
use earnest_evidence::{Digest, HashAlgorithm};
use serde::{Deserialize, Serialize};

pub use diff::Difference;
pub use observe::ObserveError;

/// What the files of this format say they are.
const FORMAT: &str = "earnest-reference/1";

/// Longest file of reference values, in bytes: some ten thousand digests.
pub const MAX_REFERENCE_BYTES: usize = 1024 * 1024;

/// Longest name of a set of reference values, in bytes. It stands in results.
const MAX_NAME_BYTES: usize = 128;

/// Most values that one PCR may have. Each appraisal looks through them.
pub const MAX_VALUES: usize = 256;

/// Reference values. Made by [`ReferenceValues::from_json`] and
/// [`ReferenceValues::from_evidence`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceValues {
    name: String,
    bank: HashAlgorithm,
    pcrs: BTreeMap<u8, PcrReference>,
    starts: Option<StartReference>,
}

/// What one PCR may hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PcrReference {
    /// The values that it may have.
    pub values: Vec<AllowedValue>,
    /// The events that may lead to another value, in any number and order.
    pub events: BTreeSet<Digest>,
}

/// A value that a PCR may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AllowedValue {
    /// The value.
    pub value: Digest,
    /// The digests of the events that lead to it, in order; none where they are not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Digest>,
}

/// What a start in Earnest's own log may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartReference {
    /// SHA-256 of the configurations that it may have.
    pub configurations: BTreeSet<Digest>,
    /// SHA-256 of the manifests of the model packages that it may open.
    pub models: BTreeSet<Digest>,
    /// Whether it may be one without a model.
    #[serde(default)]
    pub without_model: bool,
    /// The versions that it may be of.
    pub versions: BTreeSet<String>,
    /// The least sandbox level that it must reach.
    #[serde(default = "full", with = "level")]
    pub least_sandbox: SandboxLevel,
}

const fn full() -> SandboxLevel {
    SandboxLevel::Full
}

/// Reference values as they are written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReference {
    format: String,
    name: String,
    bank: HashAlgorithm,
    pcrs: Vec<RawPcr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    starts: Option<StartReference>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPcr {
    pcr: u8,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    values: Vec<AllowedValue>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    events: BTreeSet<Digest>,
}

/// Why a file holds no reference values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReferenceError {
    /// Longer than any.
    #[error("reference values have at most {limit} bytes; these have {found}")]
    TooLong {
        /// The bound, in bytes.
        limit: usize,
        /// Its length, in bytes.
        found: usize,
    },
    /// Not as reference values are written.
    #[error("these are no reference values: {reason}")]
    Malformed {
        /// What is wrong with them.
        reason: String,
    },
    /// Another format.
    #[error("expected reference values of format {expected:?}, found {found:?}")]
    Format {
        /// The one that is read.
        expected: &'static str,
        /// What the file says.
        found: String,
    },
    /// The name is too long or empty.
    #[error("a name has 1 to {limit} bytes; this has {found}")]
    Name {
        /// The bound, in bytes.
        limit: usize,
        /// Its length, in bytes.
        found: usize,
    },
    /// A PCR that does not exist.
    #[error("there is no PCR {found}: the last is 23")]
    NoSuchPcr {
        /// Its number.
        found: u8,
    },
    /// A PCR has two entries.
    #[error("PCR {pcr} has two entries")]
    Twice {
        /// The PCR.
        pcr: u8,
    },
    /// More values of a PCR than are looked through.
    #[error("PCR {pcr} may have {limit} values at most; it has {found}")]
    TooManyValues {
        /// The PCR.
        pcr: u8,
        /// The bound.
        limit: usize,
        /// How many there are.
        found: usize,
    },
    /// A digest by another algorithm.
    #[error("PCR {pcr} has a digest by {found} in reference values for bank {expected}")]
    Bank {
        /// The PCR.
        pcr: u8,
        /// The bank.
        expected: HashAlgorithm,
        /// The digest's algorithm.
        found: HashAlgorithm,
    },
    /// A value's events lead to another value.
    #[error("the events that are given for a value of PCR {pcr} do not lead to it: {value}")]
    Events {
        /// The PCR.
        pcr: u8,
        /// The value.
        value: Box<Digest>,
    },
}

impl ReferenceValues {
    /// Reads a file of reference values.
    ///
    /// # Errors
    ///
    /// Each reason to refuse is a variant of its own; see [`ReferenceError`].
    pub fn from_json(text: &str) -> Result<ReferenceValues, ReferenceError> {
        if text.len() > MAX_REFERENCE_BYTES {
            return Err(ReferenceError::TooLong {
                limit: MAX_REFERENCE_BYTES,
                found: text.len(),
            });
        }
        let raw: RawReference =
            serde_json::from_str(text).map_err(|reason| ReferenceError::Malformed {
                reason: reason.to_string(),
            })?;
        if raw.format != FORMAT {
            return Err(ReferenceError::Format {
                expected: FORMAT,
                found: raw.format.chars().take(64).collect(),
            });
        }
        check_name(&raw.name)?;
        let mut pcrs = BTreeMap::new();
        for RawPcr {
            pcr,
            values,
            events,
        } in raw.pcrs
        {
            let reference = PcrReference { values, events };
            reference.check(pcr, raw.bank)?;
            if pcrs.insert(pcr, reference).is_some() {
                return Err(ReferenceError::Twice { pcr });
            }
        }
        Ok(ReferenceValues {
            name: raw.name,
            bank: raw.bank,
            pcrs,
            starts: raw.starts,
        })
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        let raw = RawReference {
            format: FORMAT.to_owned(),
            name: self.name.clone(),
            bank: self.bank,
            pcrs: self
                .pcrs
                .iter()
                .map(|(pcr, reference)| RawPcr {
                    pcr: *pcr,
                    values: reference.values.clone(),
                    events: reference.events.clone(),
                })
                .collect(),
            starts: self.starts.clone(),
        };
        // Strings, numbers and lists of them, none of which fails to be written.
        let mut text = serde_json::to_string_pretty(&raw).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Their name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The bank that they are of.
    pub fn bank(&self) -> HashAlgorithm {
        self.bank
    }

    /// What a PCR may hold, if anything is said of it.
    pub fn pcr(&self, pcr: u8) -> Option<&PcrReference> {
        self.pcrs.get(&pcr)
    }

    /// The PCRs of which something is said.
    pub fn pcrs(&self) -> impl Iterator<Item = (u8, &PcrReference)> {
        self.pcrs.iter().map(|(pcr, reference)| (*pcr, reference))
    }

    /// What a start may be, if anything is said of it.
    pub fn starts(&self) -> Option<&StartReference> {
        self.starts.as_ref()
    }
}

impl PcrReference {
    /// Whether a value is one of those that it may have.
    pub fn allows(&self, value: &Digest) -> bool {
        self.values.iter().any(|allowed| allowed.value == *value)
    }

    fn check(&self, pcr: u8, bank: HashAlgorithm) -> Result<(), ReferenceError> {
        if pcr >= PCR_COUNT {
            return Err(ReferenceError::NoSuchPcr { found: pcr });
        }
        if self.values.len() > MAX_VALUES {
            return Err(ReferenceError::TooManyValues {
                pcr,
                limit: MAX_VALUES,
                found: self.values.len(),
            });
        }
        let of_values = self
            .values
            .iter()
            .flat_map(|allowed| allowed.events.iter().chain([&allowed.value]));
        let other = of_values
            .chain(&self.events)
            .map(Digest::algorithm)
            .find(|algorithm| *algorithm != bank);
        if let Some(found) = other {
            return Err(ReferenceError::Bank {
                pcr,
                expected: bank,
                found,
            });
        }
        let wrong = self.values.iter().find(|allowed| !allowed.is_consistent());
        match wrong {
            None => Ok(()),
            Some(allowed) => Err(ReferenceError::Events {
                pcr,
                value: Box::new(allowed.value),
            }),
        }
    }
}

impl AllowedValue {
    /// Whether its events lead to it, from zeros or from a locality at which a TPM can start.
    fn is_consistent(&self) -> bool {
        if self.events.is_empty() {
            return true;
        }
        let algorithm = self.value.algorithm();
        // Localities 0, 3 and 4 (PC Client Platform TPM Profile, "PCR initial and reset values").
        [0, 3, 4].into_iter().any(|locality| {
            let mut start = vec![0; algorithm.digest_bytes()];
            if let Some(last) = start.last_mut() {
                *last = locality;
            }
            let start = Digest::from_bytes(algorithm, &start).unwrap_or(algorithm.zero());
            let end = self
                .events
                .iter()
                .fold(start, |value, event| value.extended_by(event));
            end == self.value
        })
    }
}

fn check_name(name: &str) -> Result<(), ReferenceError> {
    match (1..=MAX_NAME_BYTES).contains(&name.len()) {
        true => Ok(()),
        false => Err(ReferenceError::Name {
            limit: MAX_NAME_BYTES,
            found: name.len(),
        }),
    }
}

/// Sandbox levels in JSON: their names.
mod level {
    use earnest_evidence::measured::SandboxLevel;
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(level: &SandboxLevel, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(level.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<SandboxLevel, D::Error> {
        let text = String::deserialize(from)?;
        SandboxLevel::ALL
            .into_iter()
            .find(|level| level.name() == text)
            .ok_or_else(|| de::Error::unknown_variant(&text, &["none", "partial", "full"]))
    }
}

#[cfg(test)]
mod tests;
