//! The certificates that a command trusts.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use earnest_files::FileError;
use tempfile::NamedTempFile;

/// Longer than any authority's certificate.
const MAX_AUTHORITY_BYTES: usize = 64 << 10;

/// Longer than what any system trusts: distributions have a quarter of a megabyte.
const MAX_SYSTEM_BYTES: usize = 8 << 20;

/// Why there is nothing to trust by.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RootsError {
    /// The authority's certificate is not there, or may not be read.
    #[error("the certificate of this device's authority cannot be read; the daemon writes it")]
    Authority(#[from] FileError),
    /// The file holds no certificate.
    #[error("{} holds no certificate", path.display())]
    NotOne {
        /// The file.
        path: PathBuf,
    },
    /// The system's own are nowhere to be found.
    #[error("the system's certificates are in no file that is known here")]
    NoSystem,
    /// The system's own cannot be read.
    #[error("the system's certificates cannot be read")]
    System(#[source] FileError),
    /// They cannot be joined.
    #[error("the certificates cannot be joined in a temporary file")]
    Join(#[source] std::io::Error),
}

/// The certificates that a command trusts.
#[derive(Debug)]
pub(super) struct Roots {
    authority: PathBuf,
    /// The system's and the authority's, in a file that is there as long as this.
    joined: Option<NamedTempFile>,
}

impl Roots {
    /// Those of this authority, with the system's if told.
    pub(super) fn of(authority: &Path, keep_system: bool) -> Result<Roots, RootsError> {
        let own = read_authority(authority)?;
        let joined = match keep_system {
            false => None,
            true => {
                let system = openssl_probe::probe()
                    .cert_file
                    .ok_or(RootsError::NoSystem)?;
                let system = earnest_files::read(&system, MAX_SYSTEM_BYTES);
                Some(joined(&system.map_err(RootsError::System)?, &own)?)
            }
        };
        Ok(Roots {
            authority: authority.to_owned(),
            joined,
        })
    }

    /// The file with the authority's certificate.
    pub(super) fn authority(&self) -> &Path {
        &self.authority
    }

    /// The file with all that is trusted.
    pub(super) fn trusted(&self) -> &Path {
        self.joined
            .as_ref()
            .map_or(self.authority(), |joined| joined.path())
    }
}

/// The certificate of an authority in PEM (RFC 7468, section 5).
pub(crate) fn read_authority(path: &Path) -> Result<Vec<u8>, RootsError> {
    let text = earnest_files::read(path, MAX_AUTHORITY_BYTES)?;
    let blocks = pem::parse_many(&text).unwrap_or_default();
    match blocks.iter().any(|block| block.tag() == "CERTIFICATE") {
        true => Ok(text),
        false => Err(RootsError::NotOne {
            path: path.to_owned(),
        }),
    }
}

fn joined(system: &[u8], own: &[u8]) -> Result<NamedTempFile, RootsError> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("earnest-roots-").suffix(".pem");
    let mut file = builder.tempfile().map_err(RootsError::Join)?;
    let written = [system, b"\n", own]
        .iter()
        .try_for_each(|bytes| file.write_all(bytes));
    written.map_err(RootsError::Join)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

    #[test]
    fn an_authority_is_a_certificate() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("authority.pem");
        let refused = read_authority(&path).unwrap_err();
        assert!(matches!(
            refused,
            RootsError::Authority(FileError::NotFound { .. })
        ));
        std::fs::write(&path, "-----BEGIN X-----\nAAAA\n-----END X-----\n").unwrap();
        let refused = read_authority(&path).unwrap_err();
        assert!(matches!(refused, RootsError::NotOne { .. }));
        std::fs::write(&path, ONE).unwrap();
        assert_eq!(read_authority(&path).unwrap(), ONE.as_bytes());
        let roots = Roots::of(&path, false).unwrap();
        assert_eq!((roots.authority(), roots.trusted()), (&*path, &*path));
    }

    #[test]
    fn joined_certificates_are_the_owners_and_go_with_the_command() {
        use std::os::unix::fs::MetadataExt as _;

        let file = joined(b"the system's", ONE.as_bytes()).unwrap();
        let path = file.path().to_owned();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o077, 0);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("the system's\n{ONE}"));
        drop(file);
        assert!(!path.exists());
    }
}
