//! What a device is told about itself when it is provisioned, in `device.toml`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use earnest_evidence::tpm::PcrSet;
use earnest_files::FileError;
use earnest_tpm::DeviceAddress;
use serde::{Deserialize, Serialize};

use crate::folder::Folder;

/// The file's name in the device's folder.
pub const CONFIGURATION_FILE: &str = "device.toml";

/// Longer than any that says something.
const MAX_CONFIGURATION_BYTES: usize = 64 << 10;

/// Where Linux shows the firmware's event log.
const FIRMWARE_LOG: &str = "/sys/kernel/security/tpm0/binary_bios_measurements";

/// The PCRs that model and keys are sealed to unless told otherwise: boot loader and kernel
/// (4), Secure Boot's state and authorities (7), and the parts of a unified kernel image (11).
const BOOT_PCRS: [u8; 3] = [4, 7, 11];

/// Which TPM a device has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TpmChoice {
    /// A TPM in software, kept in the device's own folder and started when it is needed.
    Software,
    /// The TPM at this address.
    At(DeviceAddress),
}

/// A device's checked configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    /// Its TPM.
    pub tpm: TpmChoice,
    /// The PCRs of boot, which the model's key is sealed to.
    pub boot_pcrs: PcrSet,
    /// The firmware's event log.
    pub firmware_log: PathBuf,
}

/// The file as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    tpm: String,
    #[serde(default = "boot_pcrs")]
    boot_pcrs: Vec<u8>,
    #[serde(default = "firmware_log")]
    firmware_log: PathBuf,
}

fn boot_pcrs() -> Vec<u8> {
    BOOT_PCRS.to_vec()
}

fn firmware_log() -> PathBuf {
    Path::new(FIRMWARE_LOG).to_owned()
}

const SOFTWARE: &str = "software";

impl FromStr for TpmChoice {
    type Err = earnest_tpm::AddressError;

    fn from_str(text: &str) -> Result<TpmChoice, Self::Err> {
        if text == SOFTWARE {
            return Ok(TpmChoice::Software);
        }
        text.parse().map(TpmChoice::At)
    }
}

impl Configuration {
    /// A configuration with everything but the TPM as it is by default.
    pub fn with_tpm(tpm: TpmChoice) -> Configuration {
        Configuration {
            tpm,
            boot_pcrs: PcrSet::of(&BOOT_PCRS).expect("the default PCRs exist"),
            firmware_log: firmware_log(),
        }
    }

    /// Reads a configuration.
    ///
    /// # Errors
    ///
    /// When it is no TOML, has a key that is not known, or a value that cannot be.
    pub fn parse(text: &str) -> Result<Configuration, ConfigurationError> {
        let raw: Raw = toml::from_str(text)?;
        if raw.boot_pcrs.is_empty() {
            return Err(ConfigurationError::NoPcrs);
        }
        Ok(Configuration {
            tpm: raw.tpm.parse()?,
            boot_pcrs: PcrSet::of(&raw.boot_pcrs)?,
            firmware_log: raw.firmware_log,
        })
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        let raw = Raw {
            tpm: match &self.tpm {
                TpmChoice::Software => SOFTWARE.to_owned(),
                TpmChoice::At(address) => address.to_string(),
            },
            boot_pcrs: self.boot_pcrs.iter().collect(),
            firmware_log: self.firmware_log.clone(),
        };
        toml::to_string(&raw).expect("strings and small numbers always have a TOML form")
    }

    /// Reads the folder's configuration.
    ///
    /// # Errors
    ///
    /// When there is none, or it says what cannot be.
    pub fn load(folder: &Folder) -> Result<Configuration, ConfigurationError> {
        let bytes = folder.read(CONFIGURATION_FILE, MAX_CONFIGURATION_BYTES)?;
        let bytes = bytes.ok_or_else(|| ConfigurationError::Missing {
            path: folder.path().join(CONFIGURATION_FILE),
        })?;
        Configuration::parse(str::from_utf8(&bytes)?)
    }

    /// Writes the folder's configuration.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub fn save(&self, folder: &Folder) -> Result<(), FileError> {
        folder.write(CONFIGURATION_FILE, self.to_text().as_bytes())
    }
}

/// Why a device's configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// There is none.
    #[error("there is no {path}: provision the device first", path = path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is no text.
    #[error("the configuration is no text")]
    NotText(#[from] std::str::Utf8Error),
    /// It is no TOML, or says something that is not known.
    #[error("the configuration cannot be read: {0}")]
    NotToml(#[from] toml::de::Error),
    /// No TPM is at such an address.
    #[error("the configuration names no TPM: {0}")]
    Tpm(#[from] earnest_tpm::AddressError),
    /// No such PCRs.
    #[error("the configuration names PCRs that are none: {0}")]
    Pcrs(#[from] earnest_evidence::tpm::SelectionError),
    /// Sealed to nothing.
    #[error("`boot_pcrs` is empty: the model would be sealed to nothing")]
    NoPcrs,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_read_as_it_was_written() {
        for tpm in ["software", "/dev/tpmrm0", "swtpm:host=127.0.0.1,port=2321"] {
            let configuration = Configuration::with_tpm(tpm.parse().unwrap());
            let read = Configuration::parse(&configuration.to_text()).unwrap();
            assert_eq!(read, configuration);
        }
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let read = Configuration::parse("tpm = \"/dev/tpmrm0\"").unwrap();
        assert_eq!(read.boot_pcrs, PcrSet::of(&[4, 7, 11]).unwrap());
        assert_eq!(read.firmware_log, Path::new(FIRMWARE_LOG));
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_reason() {
        for (text, reason) in [
            ("", "missing field `tpm`"),
            ("tpm = 3", "invalid type"),
            ("tpm = \"software\"\nkey = 1", "unknown field `key`"),
            ("tpm = \"tabrmd:\"", "names no TPM"),
            ("tpm = \"software\"\nboot_pcrs = []", "sealed to nothing"),
            ("tpm = \"software\"\nboot_pcrs = [24]", "PCRs"),
        ] {
            let error = Configuration::parse(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
