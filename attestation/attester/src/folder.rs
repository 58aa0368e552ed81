//! The folder in which a device keeps what it must remember: read within bounds, written whole.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// A device's folder, for its owner alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder(PathBuf);

impl Folder {
    /// The folder at `path`, made if it is not there, with the folders above it.
    ///
    /// # Errors
    ///
    /// When it cannot be made.
    pub fn create(path: &Path) -> Result<Folder, FolderError> {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(FolderError::at(path))?;
        Ok(Folder(path.to_owned()))
    }

    /// The folder at `path`, which must be there.
    ///
    /// # Errors
    ///
    /// When it is not there.
    pub fn open(path: &Path) -> Result<Folder, FolderError> {
        let about = fs::metadata(path).map_err(FolderError::at(path))?;
        if !about.is_dir() {
            return Err(FolderError {
                path: path.to_owned(),
                source: io::ErrorKind::NotADirectory.into(),
            });
        }
        Ok(Folder(path.to_owned()))
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
    pub(crate) fn read(&self, name: &str, limit: usize) -> Result<Option<Vec<u8>>, FolderError> {
        let path = self.0.join(name);
        match read_bounded(&path, limit) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a file whole: a power cut leaves the old bytes or the new ones.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), FolderError> {
        write_whole(&self.0.join(name), bytes)
    }

    /// Removes a file, if it is there.
    ///
    /// # Errors
    ///
    /// When it is there and cannot be removed.
    pub(crate) fn remove(&self, name: &str) -> Result<(), FolderError> {
        let path = self.0.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(FolderError::at(&path)(error))
            }
            _ => Ok(()),
        }
    }
}

/// The bytes of a file that has at most `limit` of them.
///
/// # Errors
///
/// When it cannot be read or is longer.
pub fn read_bounded(path: &Path, limit: usize) -> Result<Vec<u8>, FolderError> {
    let read = || -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path)?
            .take(limit as u64 + 1)
            .read_to_end(&mut bytes)?;
        if bytes.len() > limit {
            let reason = format!("it has more than {limit} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, reason));
        }
        Ok(bytes)
    };
    read().map_err(FolderError::at(path))
}

/// Writes a file whole and for its owner alone: the bytes go to a file beside it, to the disk,
/// and then take its place.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    let above = above.unwrap_or(Path::new("."));
    let write = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(above)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        File::open(above)?.sync_all()
    };
    write().map_err(FolderError::at(path))
}

/// A file of the device cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {source}", path = path.display())]
pub struct FolderError {
    /// Which one.
    pub path: PathBuf,
    /// What the system says.
    pub source: io::Error,
}

impl FolderError {
    fn at(path: &Path) -> impl Fn(io::Error) -> FolderError {
        move |source| FolderError {
            path: path.to_owned(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_written_whole_for_its_owner_alone_and_nothing_is_left_beside_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::create(&place.path().join("a/b")).unwrap();
        assert_eq!(folder.read("x", 9).unwrap(), None);
        folder.write("x", b"first").unwrap();
        folder.write("x", b"second").unwrap();
        assert_eq!(folder.read("x", 9).unwrap().unwrap(), b"second");
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder.path().join("x")), 0o600);
        assert_eq!(mode(folder.path()), 0o700);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        folder.remove("x").unwrap();
        folder.remove("x").unwrap();
        assert_eq!(folder.read("x", 9).unwrap(), None);
    }

    #[test]
    fn a_file_past_its_bound_is_refused_and_not_read_whole() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        folder.write("x", &[7; 10]).unwrap();
        assert!(folder.read("x", 10).unwrap().is_some());
        let error = folder.read("x", 9).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::FileTooLarge);
        assert!(Folder::open(&place.path().join("x")).is_err());
    }
}
