//! The log of the TPM library.

use std::fs;

/// The variable that libtss2 reads before it first writes a line.
const VARIABLE: &str = "TSS2_LOG";

/// Keeps libtss2 from writing to standard error. It logs every refusal there, among them the
/// expected ones, in a form of its own; here each becomes a typed error instead.
///
/// The library is told by the environment variable `TSS2_LOG=all+NONE` alone. A variable that
/// is there already stays as it is: it is how a person debugs. It can be set only while the
/// process has one thread, because other threads may read the environment meanwhile. So this
/// is called first thing in `main`; in a process that has more threads it does nothing.
///
/// Returns whether the library is told.
pub fn quiet_library() -> bool {
    if std::env::var_os(VARIABLE).is_some() {
        return true;
    }
    let alone = fs::read_dir("/proc/self/task").is_ok_and(|tasks| tasks.count() == 1);
    if alone {
        // SAFETY: changing the environment is sound while no other thread reads or changes
        // it. The kernel lists this thread alone as one of the process, and only this thread
        // could start another.
        unsafe { std::env::set_var(VARIABLE, "all+NONE") };
    }
    alone
}
