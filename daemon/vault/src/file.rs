//! Sealed files in a folder.

use std::path::Path;

use earnest_files::{FileError, Readers};
use zeroize::Zeroizing;

use crate::sealed::{ADDED_BYTES, is_name};
use crate::{MAX_BYTES, OpenError, SealError, Vault};

/// Why a sealed file was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    /// The system, or what stands under that name.
    #[error(transparent)]
    File(#[from] FileError),
    /// It was not sealed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// It was not opened.
    #[error(transparent)]
    Open(#[from] OpenError),
}

impl Vault {
    /// Seals a content into the file of this name, in the place of any that is there. It is there
    /// whole or not at all, and survives a power cut.
    ///
    /// # Errors
    ///
    /// When it cannot be sealed or written; what was there is then there still.
    pub fn write(&self, folder: &Path, name: &str, content: &[u8]) -> Result<(), FileFault> {
        let sealed = self.seal(name, content)?;
        let path = folder.join(name);
        Ok(earnest_files::write(&path, &sealed, Readers::Owner)?)
    }

    /// The content of the file of this name.
    ///
    /// # Errors
    ///
    /// When it is not there, others than its owner may read it, or it is not what was sealed.
    pub fn read(&self, folder: &Path, name: &str) -> Result<Zeroizing<Vec<u8>>, FileFault> {
        let sealed = load(folder, name)?;
        Ok(self.open(name, &sealed)?)
    }

    /// As [`read`](Vault::read), or nothing where there is no such file.
    ///
    /// # Errors
    ///
    /// When it is there and cannot be read or opened.
    pub fn read_if_there(
        &self,
        folder: &Path,
        name: &str,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, FileFault> {
        match self.read(folder, name) {
            Ok(content) => Ok(Some(content)),
            Err(FileFault::File(FileError::NotFound { .. })) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Seals those of these files anew that were sealed with an earlier key, and tells how many.
    /// Should it break off, some are sealed with this key and some with the earlier one: the
    /// earlier one is needed until it has ended well.
    ///
    /// # Errors
    ///
    /// When one of them cannot be opened or written.
    pub fn rotate(&self, folder: &Path, names: &[&str]) -> Result<usize, FileFault> {
        let mut rotated = 0;
        for name in names {
            let sealed = match load(folder, name) {
                Ok(sealed) => sealed,
                Err(FileFault::File(FileError::NotFound { .. })) => continue,
                Err(fault) => return Err(fault),
            };
            let (key, content) = self.open_with_key(name, &sealed)?;
            if key != self.key_id() {
                self.write(folder, name, &content)?;
                rotated += 1;
            }
        }
        Ok(rotated)
    }
}

fn load(folder: &Path, name: &str) -> Result<Vec<u8>, FileFault> {
    if !is_name(name) {
        return Err(OpenError::Name.into());
    }
    let path = folder.join(name);
    let limit = MAX_BYTES + ADDED_BYTES;
    Ok(earnest_files::read_private(&path, limit)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vault(key: u8) -> Vault {
        Vault::new([key; 32].into())
    }

    #[test]
    fn a_file_is_sealed_again_with_the_new_key_and_once() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        for name in ["book", "baselines"] {
            vault(1).write(folder, name, name.as_bytes()).unwrap();
        }
        let both = vault(2).with_earlier([1; 32].into());
        let names = ["book", "baselines", "lists"];
        assert_eq!(both.rotate(folder, &names).unwrap(), 2);
        assert_eq!(both.rotate(folder, &names).unwrap(), 0);
        assert_eq!(**vault(2).read(folder, "book").unwrap(), *b"book");
        let refused = vault(1).read(folder, "book").unwrap_err();
        assert!(matches!(
            refused,
            FileFault::Open(OpenError::OtherKey { .. })
        ));
        assert!(vault(3).rotate(folder, &names).is_err());
    }

    #[test]
    fn files_do_not_pass_for_each_other_and_what_is_not_there_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        vault(1).write(folder, "book", b"content").unwrap();
        std::fs::rename(folder.join("book"), folder.join("baselines")).unwrap();
        let refused = vault(1).read(folder, "baselines").unwrap_err();
        assert!(matches!(refused, FileFault::Open(OpenError::Altered)));
        assert!(vault(1).read_if_there(folder, "book").unwrap().is_none());
        assert!(matches!(
            vault(1).write(folder, "../book", b""),
            Err(FileFault::Seal(SealError::Name))
        ));
        assert!(matches!(
            vault(1).read(folder, "../book"),
            Err(FileFault::Open(OpenError::Name))
        ));
    }
}
