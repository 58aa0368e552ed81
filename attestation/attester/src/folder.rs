//! The folder in which a device keeps what it must remember: read within bounds, written whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use earnest_files::{FileError, Readers};

/// A device's folder, for its owner alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at `path`, made if it is not there, with the folders above it.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn create(path: &Path) -> Result<Folder, FileError> {
        earnest_files::create_folder(path)?;
        Ok(Folder(path.to_owned()))
    }

    /// The folder at `path`, which must be there.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub fn open(path: &Path) -> Result<Folder, FileError> {
        let path = path.to_owned();
        match fs::metadata(&path) {
            Ok(about) if about.is_dir() => Ok(Folder(path)),
            Ok(_) => Err(FileError::Read {
                path,
                error: io::ErrorKind::NotADirectory.into(),
            }),
            Err(error) => Err(FileError::Read { path, error }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// A file's bytes; `None` where there is no such file.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or has more than `limit` bytes.
    pub(crate) fn read(&self, name: &str, limit: usize) -> Result<Option<Vec<u8>>, FileError> {
        earnest_files::read_if_there(&self.0.join(name), limit)
    }

    /// Writes a file whole: a power cut leaves the old bytes or the new ones.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), FileError> {
        earnest_files::write(&self.0.join(name), bytes, Readers::Owner)
    }

    /// Removes a file, if it is there.
    ///
    /// # Errors
    ///
    /// When it is there and cannot be removed.
    pub(crate) fn remove(&self, name: &str) -> Result<(), FileError> {
        earnest_files::remove(&self.0.join(name)).map(drop)
    }

    /// Waits until no other process holds this file, and holds it until what is given is
    /// dropped.
    ///
    /// # Errors
    ///
    /// When others hold it for longer than `patience`, or it cannot be made.
    pub(crate) fn lock(&self, name: &str, patience: Duration) -> Result<File, FileError> {
        earnest_files::lock(&self.0.join(name), patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_the_folder_comes_and_goes_within_its_bound() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::create(&place.path().join("a/b")).unwrap();
        assert_eq!(folder.read("x", 9).unwrap(), None);
        folder.write("x", b"bytes").unwrap();
        assert_eq!(folder.read("x", 5).unwrap().unwrap(), b"bytes");
        let refused = folder.read("x", 4);
        assert!(matches!(refused, Err(FileError::TooLong { limit: 4, .. })));
        folder.remove("x").unwrap();
        folder.remove("x").unwrap();
        assert_eq!(folder.read("x", 9).unwrap(), None);
    }

    #[test]
    fn what_is_no_folder_is_not_opened() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        folder.write("x", b"").unwrap();
        for name in ["x", "y"] {
            assert!(Folder::open(&place.path().join(name)).is_err(), "{name}");
        }
    }
}
