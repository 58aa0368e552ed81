//! Devices that are enrolled.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::str::FromStr;

use earnest_evidence::Digest;
use earnest_evidence::tpm::Name;
use earnest_files::{self as files, FileError, Readers};
use earnest_verifier::enrolment::{Enrolment, MAX_ENROLMENT_BYTES};
use serde::{Deserialize, Serialize};

use super::{Kind, State, StateError, damaged};
use crate::LOCK_PATIENCE;

/// Most labels of a device.
pub const MAX_LABELS: usize = 32;

/// Most characters of a label's key or value.
const MAX_LABEL: usize = 128;

/// Most bytes of a file that holds an AK's name: 66 bytes in hexadecimal.
const MAX_POINTER_BYTES: usize = 256;

/// Most bytes of a file of labels.
const MAX_LABELS_BYTES: usize = 32 * 1024;

/// What the fleet's people say of a device, for their own use: keys and values of plain text.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Labels(BTreeMap<String, String>);

/// Why a text is no label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelsError {
    /// Not of the form `KEY=VALUE`.
    #[error("a label is KEY=VALUE, of 1 to {MAX_LABEL} characters each; found {found:?}")]
    Form {
        /// The text.
        found: String,
    },
    /// A key that stands twice.
    #[error("the label {key:?} is given twice")]
    Twice {
        /// The key.
        key: String,
    },
    /// More than a device may have.
    #[error("a device has at most {MAX_LABELS} labels; found {found}")]
    TooMany {
        /// How many.
        found: usize,
    },
}

impl Labels {
    /// The labels of these texts of the form `KEY=VALUE`.
    ///
    /// # Errors
    ///
    /// When one is not of this form, a key stands twice, or there are too many.
    pub fn parse(texts: &[String]) -> Result<Labels, LabelsError> {
        if texts.len() > MAX_LABELS {
            return Err(LabelsError::TooMany { found: texts.len() });
        }
        let mut labels = BTreeMap::new();
        for text in texts {
            let fits = |part: &&str| {
                let plain = !part.chars().any(char::is_control);
                plain && (1..=MAX_LABEL).contains(&part.chars().count())
            };
            let (key, value) = text
                .split_once('=')
                .filter(|(key, value)| fits(key) && fits(value))
                .ok_or_else(|| LabelsError::Form {
                    found: text.chars().take(MAX_LABEL).collect(),
                })?;
            if labels.insert(key.to_owned(), value.to_owned()).is_some() {
                return Err(LabelsError::Twice {
                    key: key.to_owned(),
                });
            }
        }
        Ok(Labels(labels))
    }

    /// Keys and values, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl State {
    /// The device with this AK, if there is one.
    ///
    /// # Errors
    ///
    /// When its file cannot be read or is damaged.
    pub fn device(&self, ak_name: &Name) -> Result<Option<Enrolment>, StateError> {
        let key = ak_name.to_string();
        match self.read(Kind::Devices, &key, MAX_ENROLMENT_BYTES)? {
            None => Ok(None),
            Some(text) => Enrolment::from_json(&text)
                .map(Some)
                .map_err(|error| damaged(&self.path(Kind::Devices, &key), &error)),
        }
    }

    /// The device of this name, if there is one.
    ///
    /// # Errors
    ///
    /// When its files cannot be read or are damaged.
    pub fn device_by_name(&self, device: &str) -> Result<Option<Enrolment>, StateError> {
        if !is_plain(device) {
            return Ok(None);
        }
        match self.pointer(Kind::Names, device)? {
            None => Ok(None),
            Some(ak_name) => self.device(&ak_name),
        }
    }

    /// The device of this name, or with an AK of this name in hexadecimal.
    ///
    /// # Errors
    ///
    /// When there is none, or its files cannot be read or are damaged.
    pub fn named(&self, name: &str) -> Result<Enrolment, StateError> {
        if let Some(enrolment) = self.device_by_name(name)? {
            return Ok(enrolment);
        }
        let by_key = match Name::from_str(name) {
            Ok(ak_name) if !ak_name.as_bytes().is_empty() => self.device(&ak_name)?,
            _ => None,
        };
        by_key.ok_or_else(|| StateError::NoDevice {
            found: name.chars().take(MAX_LABEL).collect(),
        })
    }

    /// The labels of the device with this AK.
    ///
    /// # Errors
    ///
    /// When their file cannot be read or is damaged.
    pub fn labels(&self, ak_name: &Name) -> Result<Labels, StateError> {
        let path = self.labels_path(ak_name);
        match files::read_if_there(&path, MAX_LABELS_BYTES)? {
            None => Ok(Labels::default()),
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| damaged(&path, &error)),
        }
    }

    /// Refuses a device whose name or whose TPM an enrolled device has already.
    ///
    /// # Errors
    ///
    /// When it has, or the files cannot be read.
    pub fn check_free(
        &self,
        device: &str,
        ak_name: &Name,
        endorsement_certificate: &Digest,
    ) -> Result<(), StateError> {
        if let Some(other) = self.device_by_name(device)?
            && other.ak_name() != ak_name
        {
            return Err(StateError::NameTaken {
                device: device.to_owned(),
                ak_name: other.ak_name().to_string(),
            });
        }
        if let Some(other) = self.pointer(Kind::Tpms, &endorsement_certificate.to_hex())?
            && let Some(other) = self.device(&other)?
            && (other.device() != device || other.ak_name() != ak_name)
        {
            return Err(StateError::TpmTaken {
                device: other.device().to_owned(),
                ak_name: other.ak_name().to_string(),
            });
        }
        Ok(())
    }

    /// Records a device. With `replace`, devices that have its name or its TPM are forgotten.
    ///
    /// # Errors
    ///
    /// When its name or its TPM is another device's and it must not replace that, or the files
    /// cannot be written.
    pub fn enrol(
        &self,
        enrolment: &Enrolment,
        labels: &Labels,
        replace: bool,
    ) -> Result<(), StateError> {
        let _one_at_a_time = self.lock()?;
        let tpm = enrolment.endorsement_certificate().to_hex();
        if replace {
            let by_tpm = match self.pointer(Kind::Tpms, &tpm)? {
                Some(ak_name) => self.device(&ak_name)?,
                None => None,
            };
            let by_name = self.device_by_name(enrolment.device())?;
            for other in by_tpm.iter().chain(&by_name) {
                self.remove(other)?;
            }
        }
        let ak_name = enrolment.ak_name();
        let certificate = enrolment.endorsement_certificate();
        self.check_free(enrolment.device(), ak_name, &certificate)?;
        // The device's own file comes last: if this is cut short, a pointer to one that is not
        // there points to nothing, and doing it again mends it.
        self.point(Kind::Names, enrolment.device(), ak_name)?;
        self.point(Kind::Tpms, &tpm, ak_name)?;
        self.write(Kind::Devices, &ak_name.to_string(), &enrolment.to_json())?;
        let path = self.labels_path(ak_name);
        match labels.is_empty() {
            true => files::remove(&path).map(drop)?,
            false => {
                let text = serde_json::to_vec(labels).map_err(|error| damaged(&path, &error))?;
                files::write(&path, &text, Readers::Owner)?;
            }
        }
        Ok(())
    }

    /// Forgets a device: its evidence is refused from now on.
    ///
    /// # Errors
    ///
    /// When its files cannot be removed.
    pub fn forget(&self, enrolment: &Enrolment) -> Result<(), StateError> {
        let _one_at_a_time = self.lock()?;
        self.remove(enrolment)
    }

    fn remove(&self, enrolment: &Enrolment) -> Result<(), StateError> {
        let ak_name = enrolment.ak_name();
        // The device's own file goes first, as that is what lets it in.
        files::remove(&self.path(Kind::Devices, &ak_name.to_string()))?;
        files::remove(&self.labels_path(ak_name))?;
        files::remove(&self.path(Kind::Heads, &ak_name.to_string()))?;
        let tpm = enrolment.endorsement_certificate().to_hex();
        for (kind, key) in [(Kind::Names, enrolment.device()), (Kind::Tpms, &tpm)] {
            if self.pointer(kind, key)?.as_ref() == Some(ak_name) {
                files::remove(&self.path(kind, key))?;
            }
        }
        Ok(())
    }

    fn labels_path(&self, ak_name: &Name) -> PathBuf {
        let key = ak_name.to_string();
        self.shard(Kind::Devices, &key)
            .join(format!("{key}.labels"))
    }

    /// The AK name that a file of this key holds.
    fn pointer(&self, kind: Kind, key: &str) -> Result<Option<Name>, StateError> {
        match self.read(kind, key, MAX_POINTER_BYTES)? {
            None => Ok(None),
            Some(text) => Name::from_str(text.trim_end())
                .map(Some)
                .map_err(|error| damaged(&self.path(kind, key), &error)),
        }
    }

    /// Makes the file of this key hold `ak_name`.
    fn point(&self, kind: Kind, key: &str, ak_name: &Name) -> Result<(), StateError> {
        self.write(kind, key, &format!("{ak_name}\n"))
    }

    /// Lets one process at a time change which devices are enrolled. Verifying waits for nobody.
    fn lock(&self) -> Result<File, FileError> {
        files::lock(&self.root.join("devices.lock"), LOCK_PATIENCE)
    }
}

/// Whether a name can stand as a file's: the enrolment's own rule.
fn is_plain(device: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    device
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric())
        && device.len() <= earnest_verifier::freshness::MAX_DEVICE_BYTES
        && device.bytes().all(plain)
}
