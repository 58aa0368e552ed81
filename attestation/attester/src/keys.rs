//! The fleet's public keys, in PEM files beside the device.

use std::path::{Path, PathBuf};

use earnest_evidence::sealing::PolicyKey;
use earnest_evidence::tpm::{MAX_PEM_BYTES, PublicKey};
use earnest_files::FileError;
use earnest_package::ReleaseVerifyingKey;
use earnest_verifier::ear::ResultVerifier;

/// The root of policies.
///
/// # Errors
///
/// When the file cannot be read or holds no such key.
pub fn root(path: &Path) -> Result<PolicyKey, KeyFileError> {
    let document = public(path)?.to_spki_der();
    PolicyKey::from_spki_der(&document).map_err(|error| refused(path, &error))
}

/// The key that checks results.
///
/// # Errors
///
/// When the file cannot be read or holds no such key.
pub fn results(path: &Path) -> Result<ResultVerifier, KeyFileError> {
    ResultVerifier::new(&public(path)?).map_err(|error| refused(path, &error))
}

/// The key that checks packages.
///
/// # Errors
///
/// When the file cannot be read or holds no such key.
pub fn releases(path: &Path) -> Result<ReleaseVerifyingKey, KeyFileError> {
    let document = public(path)?.to_spki_der();
    ReleaseVerifyingKey::from_spki(&document).map_err(|error| refused(path, &error))
}

fn public(path: &Path) -> Result<PublicKey, KeyFileError> {
    let bytes = earnest_files::read(path, MAX_PEM_BYTES)?;
    let text = str::from_utf8(&bytes).map_err(|error| refused(path, &error))?;
    PublicKey::from_pem(text).map_err(|error| refused(path, &error))
}

fn refused(path: &Path, reason: &dyn std::error::Error) -> KeyFileError {
    KeyFileError::Refused {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

/// Why a file gives no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It holds none of this kind.
    #[error("{path}: {reason}", path = path.display())]
    Refused {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_no_key_is_refused_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        assert!(matches!(releases(&path), Err(KeyFileError::File(_))));
        for bytes in [&b"no key"[..], &[0xff]] {
            std::fs::write(&path, bytes).unwrap();
            for refused in [
                root(&path).map(drop),
                results(&path).map(drop),
                releases(&path).map(drop),
            ] {
                let reason = refused.unwrap_err().to_string();
                assert!(reason.contains("key.pem: "), "{reason}");
            }
        }
    }
}
