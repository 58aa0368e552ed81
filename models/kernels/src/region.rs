//! Read-only memory that processes share: an anonymous file, sealed and mapped.
//!
//! A sealed file (`memfd_create(2)`, `F_ADD_SEALS`) can never change again, neither its bytes
//! nor its length, whoever holds it. That is what makes a mapping of it a plain `&[u8]`, and
//! what lets processes that do not trust each other read the same weights.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::ptr::NonNull;

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

/// Why a region cannot be made or mapped.
#[derive(Debug, thiserror::Error)]
pub enum RegionError {
    /// The file may still change.
    #[error("the file is not sealed against every change: it has {found:?}")]
    NotSealed {
        /// The seals that it has.
        found: SealFlag,
    },
    /// An empty file cannot be mapped.
    #[error("the file is empty")]
    Empty,
    /// The system refuses.
    #[error("shared memory: {0}")]
    System(#[from] io::Error),
}

impl From<nix::errno::Errno> for RegionError {
    fn from(error: nix::errno::Errno) -> RegionError {
        RegionError::System(error.into())
    }
}

/// A sealed file's bytes, mapped from their first on.
#[derive(Debug)]
pub struct Region {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping is read-only and cannot change, so any thread may read it.
unsafe impl Send for Region {}
// SAFETY: as above.
unsafe impl Sync for Region {}

/// What makes a file's bytes final. `SEAL` keeps the others from being discussed again.
fn every_seal() -> SealFlag {
    SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_SEAL
}

impl Region {
    /// A sealed file of the given parts, one after the other.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn seal(parts: &[&[u8]]) -> Result<OwnedFd, RegionError> {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let mut file = File::from(memfd_create("earnest-weights", flags)?);
        for part in parts {
            file.write_all(part)?;
        }
        fcntl(&file, FcntlArg::F_ADD_SEALS(every_seal()))?;
        Ok(file.into())
    }

    /// Maps a sealed file.
    ///
    /// # Errors
    /// When it is not sealed against every change, or empty, or the system refuses.
    pub fn map(file: &impl AsFd) -> Result<Region, RegionError> {
        let found = SealFlag::from_bits_retain(fcntl(file, FcntlArg::F_GET_SEALS)?);
        if !found.contains(every_seal()) {
            return Err(RegionError::NotSealed { found });
        }
        let mut file = File::from(file.as_fd().try_clone_to_owned()?);
        // A process that is locked in may not ask for a file's status, but may look for its end.
        let length = file.seek(SeekFrom::End(0))?;
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let Some(whole) = std::num::NonZeroUsize::new(length) else {
            return Err(RegionError::Empty);
        };
        // SAFETY: a new mapping at a place of the kernel's choice touches no other memory.
        let start = unsafe {
            let (protection, flags) = (ProtFlags::PROT_READ, MapFlags::MAP_SHARED);
            mmap(None, whole, protection, flags, &file, 0)?
        };
        Ok(Region {
            start: start.cast(),
            length,
        })
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: `map` mapped this many bytes, which the seals keep there and as they are, and
        // they stay mapped until the drop.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.length) }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: this is the mapping that `map` made, and nobody borrows from it any more.
        // Only a mapping that is none could fail.
        let _ = unsafe { munmap(self.start.cast(), self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_one_after_the_other_by_any_thread() {
        let sealed = Region::seal(&[b"one, ", b"", b"two"]).unwrap();
        let region = Region::map(&sealed).unwrap();
        drop(sealed);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| assert_eq!(region.bytes(), b"one, two"));
            }
        });
    }

    #[test]
    fn a_sealed_file_cannot_change() {
        let mut file = File::from(Region::seal(&[b"fixed"]).unwrap());
        assert!(file.write_all(b"x").is_err());
        assert!(file.set_len(1).is_err());
        assert!(file.set_len(9).is_err());
    }

    #[test]
    fn what_may_change_or_is_empty_is_not_mapped() {
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let mut file = File::from(memfd_create("test", flags).unwrap());
        file.write_all(b"bytes").unwrap();
        let open = Region::map(&file);
        assert!(matches!(open, Err(RegionError::NotSealed { .. })));
        fcntl(&file, FcntlArg::F_ADD_SEALS(SealFlag::F_SEAL_WRITE)).unwrap();
        let shrinking = Region::map(&file);
        assert!(matches!(shrinking, Err(RegionError::NotSealed { .. })));
        let empty = Region::map(&Region::seal(&[]).unwrap());
        assert!(matches!(empty, Err(RegionError::Empty)));
    }
}
