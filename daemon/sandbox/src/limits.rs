//! What a process may still use once it is locked in.

/// The most open files: the three that a worker is given, and room for copies of them, which
/// safe Rust makes to own one.
pub(crate) const OPEN_FILES: u64 = 8;

/// The most bytes that the first thread's stack grows to, as common systems have it. Other
/// threads have the size that they are started with, within the address space.
pub(crate) const STACK_BYTES: u64 = 8 << 20;

/// The limits of a process that is about to lock itself in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub(crate) address_space: u64,
    pub(crate) landlock: bool,
    pub(crate) filter: bool,
}

impl Limits {
    /// At most `address_space` bytes mapped at a time (`RLIMIT_AS`), everything counted: the
    /// program, the shared weights, the heap, and the stacks and heap reserves of threads,
    /// which glibc maps long before it uses them (up to 128 MiB a thread). Beyond it an
    /// allocation fails, and a Rust program aborts.
    pub const fn new(address_space: u64) -> Limits {
        Limits {
            address_space,
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

    /// Bytes that may be mapped at a time.
    pub const fn address_space(&self) -> u64 {
        self.address_space
    }
}
