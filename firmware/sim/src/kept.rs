//! What a simulated guard keeps over a reset: two places in memory, and in a file if one is named.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use earnest_files::{FileError, Readers};
use earnest_guard::{RECORD_BYTES, Slot, Store};

/// Why a file of kept records cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// It cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is not two records.
    #[error("{path} has {found} bytes, expected {expected}")]
    Length {
        /// The file.
        path: PathBuf,
        /// Bytes in it.
        found: usize,
        /// Bytes of two records.
        expected: usize,
    },
}

type Places = [[u8; RECORD_BYTES]; 2];

/// The places. Clones are the same places, so that they outlive a reset of the guard.
#[derive(Debug, Clone)]
pub struct Kept {
    places: Arc<Mutex<Places>>,
    path: Option<PathBuf>,
}

impl Default for Kept {
    /// Erased, and in memory alone.
    fn default() -> Self {
        Self {
            // As an erased flash reads.
            places: Arc::new(Mutex::new([[0xff; RECORD_BYTES]; 2])),
            path: None,
        }
    }
}

impl Kept {
    /// The places as the file has them; erased where there is none yet. They hold the pairing key,
    /// so the file is its owner's alone.
    ///
    /// # Errors
    /// Where the file cannot be read or is none of ours.
    pub fn in_file(path: &Path) -> Result<Self, KeptError> {
        let kept = Self {
            path: Some(path.to_owned()),
            ..Self::default()
        };
        let expected = 2 * RECORD_BYTES;
        if let Some(bytes) = earnest_files::read_if_there(path, expected)? {
            let (first, second) = bytes.split_at(bytes.len().min(RECORD_BYTES));
            let (Ok(first), Ok(second)) = (first.try_into(), second.try_into()) else {
                return Err(KeptError::Length {
                    path: path.to_owned(),
                    found: bytes.len(),
                    expected,
                });
            };
            *kept.places() = [first, second];
        }
        Ok(kept)
    }

    /// Erases both, as a debug probe would: the guard is in factory state from its next start.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn erase(&mut self) -> Result<(), KeptError> {
        *self.places() = [[0xff; RECORD_BYTES]; 2];
        Ok(self.write()?)
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        // Bytes that the records' checksums judge.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> Result<(), FileError> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let bytes = self.places().concat();
        earnest_files::write(path, &bytes, Readers::Owner)
    }
}

impl Store for Kept {
    type Error = FileError;

    fn load(&mut self, slot: Slot, record: &mut [u8; RECORD_BYTES]) -> Result<(), FileError> {
        *record = self.places()[slot as usize];
        Ok(())
    }

    fn save(&mut self, slot: Slot, record: &[u8; RECORD_BYTES]) -> Result<(), FileError> {
        self.places()[slot as usize] = *record;
        self.write()
    }
}
