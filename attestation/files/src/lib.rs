//! Files: read with a bound, written whole or not at all.
//!
//! What is written appears under its name at once and survives a power cut: it is written beside
//! its place, synchronised, renamed, and the folder is synchronised too. The device's folder and
//! the fleet's stand on this.
//!
//! ```
//! use earnest_files::Readers;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("least-version");
//! assert_eq!(earnest_files::read_if_there(&path, 8)?, None);
//! earnest_files::write(&path, b"3", Readers::Owner)?;
//! assert_eq!(earnest_files::read(&path, 8)?, b"3");
//! # Ok(())
//! # }
//! ```

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use tempfile::{Builder, NamedTempFile};

/// The mode of private files.
const PRIVATE: u32 = 0o600;

/// The mode of files that others may read, before the user's mask.
const PUBLIC: u32 = 0o666;

/// The mode of private folders.
const PRIVATE_FOLDER: u32 = 0o700;

/// The bits by which group and others may write.
const CHANGEABLE: u32 = 0o022;

/// The bit of a folder in which each removes what is its own alone.
const STICKY: u32 = 0o1000;

/// The time between two tries to get a lock.
const LOCK_PAUSE: Duration = Duration::from_millis(25);

/// Why a file was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is not there.
    #[error("{} is not there", .path.display())]
    NotFound {
        /// Which file.
        path: PathBuf,
    },
    /// It is there already.
    #[error("{} is there already", .path.display())]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// It is longer than such files are.
    #[error("{} has more than {limit} bytes, which is the most of such a file", .path.display())]
    TooLong {
        /// Which file.
        path: PathBuf,
        /// The bound, in bytes.
        limit: usize,
    },
    /// Others may read what is private.
    #[error(
        "{} can be read by others: its mode is {found:o}, expected is {expected:o}", .path.display()
    )]
    NotPrivate {
        /// Which file.
        path: PathBuf,
        /// The mode that it should have.
        expected: u32,
        /// The mode that it has.
        found: u32,
    },
    /// Others may change what this program goes by.
    #[error(
        "{} can be changed by others: its mode is {found:o}; `chmod go-w` mends it", .path.display()
    )]
    Changeable {
        /// The file, or the folder that it is in.
        path: PathBuf,
        /// The mode that it has.
        found: u32,
    },
    /// Somebody else's word.
    #[error("{} belongs to uid {found}; expected is root, or uid {expected}", .path.display())]
    Foreign {
        /// The file, or the folder that it is in.
        path: PathBuf,
        /// The user that reads it.
        expected: u32,
        /// The user that it belongs to.
        found: u32,
    },
    /// Another process works on the folder.
    #[error("{} is held by another process, for longer than any should take", .path.display())]
    Locked {
        /// The file that is locked.
        path: PathBuf,
    },
    /// The system refused to read it.
    #[error("cannot read {}", .path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The system refused to write it.
    #[error("cannot write {}", .path.display())]
    Write {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
}

/// Who may read what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Its owner alone.
    Owner,
    /// Whoever may read files of this user.
    Others,
}

impl Readers {
    fn mode(self) -> u32 {
        match self {
            Readers::Owner => PRIVATE,
            Readers::Others => PUBLIC,
        }
    }
}

/// Reads a file of at most `limit` bytes; `-` is standard input.
///
/// # Errors
///
/// When it is not there, cannot be read, or is longer.
pub fn read_input(path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
    match path.as_os_str() == "-" {
        true => bounded(io::stdin().lock(), path, limit),
        false => read(path, limit),
    }
}

/// Reads a file of at most `limit` bytes.
///
/// # Errors
///
/// When it is not there, cannot be read, or is longer.
pub fn read(path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
    let file = File::open(path).map_err(|error| read_failure(path, error))?;
    bounded(file, path, limit)
}

/// Reads a private file of at most `limit` bytes.
///
/// # Errors
///
/// As [`read`], and when others than its owner may read it.
pub fn read_private(path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
    let file = File::open(path).map_err(|error| read_failure(path, error))?;
    let metadata = file.metadata().map_err(|error| read_failure(path, error))?;
    let found = metadata.mode() & 0o777;
    if found & 0o077 != 0 {
        return Err(FileError::NotPrivate {
            path: path.to_owned(),
            expected: PRIVATE,
            found,
        });
    }
    bounded(file, path, limit)
}

/// Reads a file of at most `limit` bytes that a program goes by: nobody but root and its own user
/// may have a say in it, be it by the file or by the folder that it is in.
///
/// # Errors
///
/// As [`read`], and when the file or its folder is another user's, or may be written by others.
pub fn read_trusted(path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
    let file = File::open(path).map_err(|error| read_failure(path, error))?;
    let metadata = file.metadata().map_err(|error| read_failure(path, error))?;
    trust(path, &metadata)?;
    let folder = folder_of(path);
    let metadata = fs::metadata(folder).map_err(|error| read_failure(folder, error))?;
    // In a folder like /tmp nobody replaces what is another's.
    if metadata.mode() & STICKY == 0 {
        trust(folder, &metadata)?;
    }
    bounded(file, path, limit)
}

fn trust(path: &Path, metadata: &fs::Metadata) -> Result<(), FileError> {
    let (found, expected) = (metadata.uid(), nix::unistd::geteuid().as_raw());
    if found != 0 && found != expected {
        return Err(FileError::Foreign {
            path: path.to_owned(),
            expected,
            found,
        });
    }
    match metadata.mode() & CHANGEABLE {
        0 => Ok(()),
        _ => Err(FileError::Changeable {
            path: path.to_owned(),
            found: metadata.mode() & 0o777,
        }),
    }
}

/// Reads a file as [`read`] does, or tells that it is not there.
///
/// # Errors
///
/// When it is there and cannot be read, or is longer.
pub fn read_if_there(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, FileError> {
    match read(path, limit) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(FileError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn bounded(from: impl Read, path: &Path, limit: usize) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    // One byte more than the limit tells that there are more.
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    from.take(most)
        .read_to_end(&mut bytes)
        .map_err(|error| read_failure(path, error))?;
    match bytes.len() > limit {
        true => Err(FileError::TooLong {
            path: path.to_owned(),
            limit,
        }),
        false => Ok(bytes),
    }
}

/// Writes a file, in the place of any that is there.
///
/// # Errors
///
/// When it cannot be written; what was there is then there still.
pub fn write(path: &Path, bytes: &[u8], readers: Readers) -> Result<(), FileError> {
    let written = beside(path, bytes, readers)
        .and_then(|file| file.persist(path).map_err(|refused| refused.error))
        .and_then(|_| synchronise_folder_of(path));
    written.map_err(|error| write_failure(path, error))
}

/// Writes a file that must not be there yet. Of several that try at once, one succeeds.
///
/// # Errors
///
/// [`FileError::Exists`] when it is there, and when it cannot be written.
pub fn create(path: &Path, bytes: &[u8], readers: Readers) -> Result<(), FileError> {
    let written = beside(path, bytes, readers)
        .and_then(|file| {
            file.persist_noclobber(path)
                .map_err(|refused| refused.error)
        })
        .and_then(|_| synchronise_folder_of(path));
    written.map_err(|error| write_failure(path, error))
}

/// Removes a file, if it is there, and tells whether it was.
///
/// # Errors
///
/// When it is there and cannot be removed.
pub fn remove(path: &Path) -> Result<bool, FileError> {
    match fs::remove_file(path) {
        Ok(()) => synchronise_folder_of(path)
            .map(|()| true)
            .map_err(|error| write_failure(path, error)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(write_failure(path, error)),
    }
}

/// Makes a private folder and those above it, where they are not there yet.
///
/// # Errors
///
/// When it cannot be made.
pub fn create_folder(path: &Path) -> Result<(), FileError> {
    DirBuilder::new()
        .recursive(true)
        .mode(PRIVATE_FOLDER)
        .create(path)
        .map_err(|error| write_failure(path, error))
}

/// Waits until no other process holds this file, and holds it until what is given is dropped. A
/// process that dies lets go. `patience` is how long those who hold it may take for their work.
///
/// # Errors
///
/// [`FileError::Locked`] when they take longer, and when the file cannot be made.
pub fn lock(path: &Path, patience: Duration) -> Result<File, FileError> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(PRIVATE)
        .open(path)
        .map_err(|error| write_failure(path, error))?;
    let pauses = patience.as_millis() / LOCK_PAUSE.as_millis();
    for pause in 0..=pauses {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if pause == pauses => break,
            Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
            Err(TryLockError::Error(error)) => return Err(write_failure(path, error)),
        }
    }
    Err(FileError::Locked {
        path: path.to_owned(),
    })
}

fn beside(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<NamedTempFile> {
    let mut file = Builder::new()
        .prefix(".earnest-")
        .permissions(fs::Permissions::from_mode(readers.mode()))
        .tempfile_in(folder_of(path))?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

fn synchronise_folder_of(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

fn read_failure(path: &Path, error: io::Error) -> FileError {
    let path = path.to_owned();
    match error.kind() {
        ErrorKind::NotFound => FileError::NotFound { path },
        _ => FileError::Read { path, error },
    }
}

fn write_failure(path: &Path, error: io::Error) -> FileError {
    let path = path.to_owned();
    match error.kind() {
        ErrorKind::AlreadyExists => FileError::Exists { path },
        _ => FileError::Write { path, error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_files_are_private_and_what_others_may_read_is_not_taken_for_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write(&path, b"secret", Readers::Owner).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(read_private(&path, 6).unwrap(), b"secret");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = read_private(&path, 6).unwrap_err();
        assert!(matches!(
            refused,
            FileError::NotPrivate { found: 0o640, .. }
        ));
    }

    #[test]
    fn what_others_may_change_is_not_gone_by() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings");
        write(&path, b"all", Readers::Others).unwrap();
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        for mode in [0o600, 0o644, 0o444] {
            set(&path, mode);
            assert_eq!(read_trusted(&path, 3).unwrap(), b"all", "{mode:o}");
        }
        for mode in [0o646, 0o664, 0o666, 0o777] {
            set(&path, mode);
            let refused = read_trusted(&path, 3).unwrap_err();
            assert!(matches!(refused, FileError::Changeable { .. }), "{mode:o}");
        }
        set(&path, 0o644);
        set(folder.path(), 0o777);
        let refused = read_trusted(&path, 3).unwrap_err();
        assert!(matches!(refused, FileError::Changeable { path, .. } if path == folder.path()));
        set(folder.path(), 0o1777);
        assert_eq!(read_trusted(&path, 3).unwrap(), b"all");
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::chown(&path, Some(4000), None).unwrap();
            let refused = read_trusted(&path, 3).unwrap_err();
            assert!(matches!(refused, FileError::Foreign { found: 4000, .. }));
        }
    }

    #[test]
    fn a_file_is_created_once_and_removed_once() {
        let folder = tempfile::tempdir().unwrap();
        let one = folder.path().join("one");
        create(&one, b"first", Readers::Owner).unwrap();
        let again = create(&one, b"second", Readers::Owner);
        assert!(matches!(again, Err(FileError::Exists { .. })));
        assert_eq!(read(&one, 100).unwrap(), b"first");
        assert!(remove(&one).unwrap());
        assert!(!remove(&one).unwrap());
        assert_eq!(read_if_there(&one, 100).unwrap(), None);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_is_locked_is_had_once_it_is_let_go_and_not_waited_for_without_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = lock(&path, Duration::ZERO).unwrap();
        let refused = lock(&path, Duration::ZERO).unwrap_err();
        assert!(matches!(refused, FileError::Locked { .. }));
        drop(held);
        assert!(lock(&path, Duration::ZERO).is_ok());
    }

    #[test]
    fn what_is_written_takes_the_place_of_what_was_there_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a/b");
        create_folder(&place).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&place), 0o700);
        write(&place.join("x"), b"first", Readers::Owner).unwrap();
        write(&place.join("x"), b"second", Readers::Owner).unwrap();
        assert_eq!(read(&place.join("x"), 9).unwrap(), b"second");
        assert_eq!(fs::read_dir(&place).unwrap().count(), 1);
        let nowhere = write(&folder.path().join("c/x"), b"", Readers::Owner);
        assert!(matches!(nowhere, Err(FileError::Write { .. })));
    }

    #[test]
    fn nothing_longer_than_its_bound_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, [0; 10]).unwrap();
        assert_eq!(read(&path, 10).unwrap().len(), 10);
        assert!(matches!(
            read(&path, 9),
            Err(FileError::TooLong { limit: 9, .. })
        ));
    }
}
