//! What the device's commands read and write: keys in PEM, and files of the fleet.

use std::path::{Path, PathBuf};

use earnest_attester::Folder;
use earnest_evidence::tpm::MAX_PEM_BYTES;
use earnest_files::Readers;
use earnest_package::ReleaseSigningKey;
use zeroize::Zeroizing;

use super::Failure;

/// The longest file that a fleet sends, an enrolment's.
const MAX_FILE_BYTES: usize = earnest_evidence::enrolment::MAX_FILE_BYTES;

/// A file of the fleet.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    Ok(earnest_files::read(path, MAX_FILE_BYTES)?)
}

/// Writes a file for the fleet, whole or not at all.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    Ok(earnest_files::write(path, bytes, Readers::Owner)?)
}

fn refused(path: &Path, reason: &dyn std::error::Error) -> Failure {
    Failure::File {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

/// The key that signs packages, a PKCS #8 document in PEM (RFC 7468, section 10).
pub(super) fn release_signing_key(path: &Path) -> Result<ReleaseSigningKey, Failure> {
    let text = Zeroizing::new(earnest_files::read(path, MAX_PEM_BYTES)?);
    let document = pem::parse(&text[..]).map_err(|error| refused(path, &error))?;
    if document.tag() != "PRIVATE KEY" {
        return Err(Failure::File {
            path: path.to_owned(),
            reason: format!("a PRIVATE KEY is wanted, not a {}", document.tag()),
        });
    }
    let document = Zeroizing::new(document.into_contents());
    ReleaseSigningKey::from_pkcs8(&document).map_err(|error| refused(path, &error))
}

/// The device's folder: as told, or as the environment has it, or in the user's data folder.
pub(crate) fn device_folder(told: Option<&Path>) -> Result<PathBuf, Failure> {
    if let Some(folder) = told {
        return Ok(folder.to_owned());
    }
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    variable(super::arguments::DEVICE_VARIABLE)
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(variable("XDG_DATA_HOME")?).join("earnest/device")))
        .or_else(|| Some(PathBuf::from(variable("HOME")?).join(".local/share/earnest/device")))
        .ok_or(Failure::NoFolder)
}

/// The folder of a device that was provisioned.
pub(super) fn open_device_folder(path: &Path) -> Result<Folder, Failure> {
    Folder::open(path).map_err(Failure::NoDevice)
}
