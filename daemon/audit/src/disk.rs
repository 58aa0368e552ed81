//! What the writer asks of the disk.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use nix::errno::Errno;
use nix::fcntl::{FallocateFlags, fallocate};

/// A disk, which tests make fail.
pub(crate) trait Disk: fmt::Debug + Send {
    /// Sets this many bytes aside for a file, as zeros.
    fn allocate(&self, file: &File, bytes: u64) -> io::Result<()>;

    /// Writes in a place that was set aside.
    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()>;

    /// Returns once what was written is on the disk for good.
    fn synchronise(&self, file: &File) -> io::Result<()>;

    /// Cuts a file off.
    fn cut(&self, file: &File, bytes: u64) -> io::Result<()>;
}

/// The machine's own.
#[derive(Debug)]
pub(crate) struct System;

impl Disk for System {
    fn allocate(&self, file: &File, bytes: u64) -> io::Result<()> {
        let length = i64::try_from(bytes).map_err(|_| io::ErrorKind::FileTooLarge)?;
        match fallocate(file, FallocateFlags::empty(), 0, length) {
            Err(Errno::EOPNOTSUPP) => zeros(file, bytes),
            done => Ok(done?),
        }
    }

    fn write(&self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        file.write_all_at(bytes, at)
    }

    fn synchronise(&self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn cut(&self, file: &File, bytes: u64) -> io::Result<()> {
        file.set_len(bytes)?;
        file.sync_all()
    }
}

/// Sets room aside on file systems that know no other way.
fn zeros(file: &File, bytes: u64) -> io::Result<()> {
    const PIECE: [u8; 4096] = [0; 4096];
    let mut at = 0;
    while at < bytes {
        let piece = (bytes - at).min(PIECE.len() as u64);
        file.write_all_at(&PIECE[..piece as usize], at)?;
        at += piece;
    }
    Ok(())
}

/// Whether the disk has no room.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}
