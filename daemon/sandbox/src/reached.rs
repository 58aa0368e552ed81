//! How far a process got.

use earnest_evidence::measured::SandboxLevel;

/// What holds for a process that has locked itself in. Nothing here is wished for: each field
/// says what the kernel took.
///
/// That other threads are none, that capabilities are gone, that nothing new is gained by
/// execution and that the limits stand is not among the fields, because a process that cannot
/// get that far gets an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// The version of Landlock's interface that holds, none where the kernel has no Landlock.
    /// From 1 it closes the file system, from 4 TCP besides, from 6 abstract Unix sockets and
    /// signals to others.
    pub landlock_abi: Option<u32>,
    /// Whether the filter of system calls holds.
    pub seccomp: bool,
    /// Whether the bounding set is empty, too, which only who had `CAP_SETPCAP` can do. It
    /// matters little: what cannot gain anything by execution never comes to its bound.
    pub bounding_cleared: bool,
    /// Whether all memory, that to come too, stays out of swap.
    pub memory_locked: bool,
    /// How many files were open that the process was not given. They are closed now; that
    /// there were any is a leak of whoever started it.
    pub closed: usize,
}

impl Reached {
    /// The level as it is measured into the evidence:
    ///
    /// - [`Full`](SandboxLevel::Full): the filter of system calls and Landlock's closed file
    ///   system both hold. Either alone keeps a process from files, so two faults are needed.
    /// - [`Partial`](SandboxLevel::Partial): one of them.
    /// - [`None`](SandboxLevel::None): neither.
    ///
    /// Capabilities and limits are no part of it, because without them there is no level but
    /// an error.
    pub fn level(&self) -> SandboxLevel {
        match (self.seccomp, self.landlock_abi.is_some()) {
            (true, true) => SandboxLevel::Full,
            (false, false) => SandboxLevel::None,
            _ => SandboxLevel::Partial,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_takes_both_walls() {
        let check = |seccomp, landlock_abi, expected| {
            let reached = Reached {
                landlock_abi,
                seccomp,
                bounding_cleared: true,
                memory_locked: true,
                closed: 0,
            };
            assert_eq!(reached.level(), expected);
        };
        check(true, Some(1), SandboxLevel::Full);
        check(true, None, SandboxLevel::Partial);
        check(false, Some(7), SandboxLevel::Partial);
        check(false, None, SandboxLevel::None);
    }
}
