//! What a process may still use once it is locked in.

/// The most open files: the three that a worker is given, and room for copies of them, which
/// safe Rust makes to own one.
pub(crate) const OPEN_FILES: u64 = 8;

/// The most bytes that the first thread's stack grows to, as common systems have it. Other
/// threads have the size that they are started with, within the memory.
pub(crate) const STACK_BYTES: u64 = 8 << 20;

/// Addresses beside the memory and the weights, in bytes: the program itself, and what glibc
/// sets aside for the heaps of threads long before it uses any of it (up to 128 MiB a thread).
const RESERVED_ADDRESSES: u64 = 4 << 30;

/// The limits of a process that is about to lock itself in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub(crate) memory: u64,
    pub(crate) landlock: bool,
    pub(crate) filter: bool,
}

impl Limits {
    /// At most `memory` bytes that are the process's own at a time (`RLIMIT_DATA`): its heap
    /// and the stacks of its threads. Weights that are mapped from file 0 are shared and not
    /// counted. Beyond the limit an allocation fails, and a Rust program aborts.
    pub const fn new(memory: u64) -> Limits {
        Limits {
            memory,
            landlock: true,
            filter: true,
        }
    }

    /// As on a kernel without Landlock, so that a test can see what is left. What is missing
    /// is reported like any other lack.
    #[must_use]
    pub const fn without_landlock(mut self) -> Limits {
        self.landlock = false;
        self
    }

    /// As on a kernel without seccomp filters, so that a test can see what is left. What is
    /// missing is reported like any other lack.
    #[must_use]
    pub const fn without_filter(mut self) -> Limits {
        self.filter = false;
        self
    }

    /// Bytes that the process may have for itself.
    pub const fn memory(&self) -> u64 {
        self.memory
    }

    /// Bytes of addresses (`RLIMIT_AS`) that are enough for the memory and a file of this
    /// length, mapped once. It bounds what the memory's limit does not count: mappings that
    /// are only read.
    pub(crate) const fn address_space(&self, file: u64) -> u64 {
        self.memory
            .saturating_add(file)
            .saturating_add(RESERVED_ADDRESSES)
    }
}
