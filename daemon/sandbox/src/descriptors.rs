//! Open files that a process was not given.
//!
//! Rust opens every file so that it does not outlive execution. C libraries do not always: the
//! one that speaks to the TPM leaves its connection open, and a worker must not find it there.

use std::fs;
use std::os::fd::RawFd;
use std::path::Path;

use crate::SandboxError;

/// Most descriptors that are looked through: the common limit on open files.
const MOST: usize = 65_536;

/// The last descriptor that a worker is given.
const LAST_GIVEN: RawFd = 2;

/// Closes every open file but 0, 1 and 2, and says how many there were.
pub(crate) fn close_others() -> Result<usize, SandboxError> {
    let found = others()?;
    for &descriptor in &found {
        // Whether it worked is seen below, as are those that another thread would have opened.
        let _ = nix::unistd::close(descriptor);
    }
    match others()?.first() {
        None => Ok(found.len()),
        Some(&descriptor) => Err(SandboxError::Descriptor { descriptor }),
    }
}

/// The descriptors above [`LAST_GIVEN`], without the one that the listing itself takes.
fn others() -> Result<Vec<RawFd>, SandboxError> {
    let folder = Path::new("/proc/self/fd");
    let system = |source| SandboxError::System {
        step: "listing the open files",
        source,
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(system)? {
        let name = entry.map_err(system)?.file_name();
        let number = name.to_str().and_then(|name| name.parse::<RawFd>().ok());
        found.extend(number.filter(|&number| number > LAST_GIVEN));
        if found.len() > MOST {
            return Err(SandboxError::Descriptors { limit: MOST });
        }
    }
    // The listing's own is closed by now, and no longer a link.
    found.retain(|number| fs::read_link(folder.join(number.to_string())).is_ok());
    Ok(found)
}
