//! The heap, where a process has done with the most of it.

/// Gives memory that was freed back to the system. Taking a model apart frees tens of megabytes
/// in pieces, which the C library keeps for a process that will never want them again.
pub fn give_back_freed_memory() {
    // SAFETY: it touches free memory alone, under the heap's own locks. That nothing could be
    // given back, which is all that it says, changes nothing.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    let _ = unsafe { nix::libc::malloc_trim(0) };
}
