//! As whom the daemon runs, and how its memory is guarded. All of it is done before the first
//! thread starts, because a thread has its rights from the one that started it.

use std::ffi::CString;

use earnest_package::memory::{self, ExposedMemory};
use earnest_sandbox::SandboxError;
use nix::errno::Errno;
use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};
use nix::unistd::{Gid, Uid, User, geteuid, initgroups, setresgid, setresuid};

use crate::configuration::{Exposed, RunSettings};

/// The user that must be named to run as it.
const ROOT: &str = "root";

/// Becomes the configured user, if root started the daemon, and guards the memory.
///
/// # Errors
///
/// When there is no such user, the system refuses the change, or memory stays exposed where that
/// is not to be.
pub fn settle(settings: &RunSettings) -> Result<(), SettleError> {
    if geteuid().is_root() {
        // The limit falls with root's rights: it is lifted while there is somebody to lift it.
        // Where that is refused, guarding says what is missing.
        let _ = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY);
        match settings.user.as_str() {
            ROOT => tracing::warn!("running as root, as `run.user` says"),
            name => become_user(name)?,
        }
    }
    match (memory::guard_memory(), settings.exposed_memory) {
        (Ok(()), _) => Ok(()),
        (Err(exposed), Exposed::Warn) => {
            tracing::warn!("this machine does not guard the daemon's memory: {exposed}");
            Ok(())
        }
        (Err(exposed), Exposed::Refuse) => Err(SettleError::Exposed(exposed)),
    }
}

/// Becomes this user for good: groups first, because changing them takes root's rights.
fn become_user(name: &str) -> Result<(), SettleError> {
    let refused = |call: &'static str| {
        move |error: Errno| SettleError::Refused {
            call,
            error: error.into(),
        }
    };
    let user = User::from_name(name).map_err(refused("getpwnam"))?;
    let user = user.ok_or_else(|| SettleError::NoUser {
        found: name.to_owned(),
    })?;
    if user.uid.is_root() {
        return Err(SettleError::RootUnderAnotherName {
            found: name.to_owned(),
        });
    }
    let c_name = CString::new(name).map_err(|_| SettleError::NoUser {
        found: name.to_owned(),
    })?;
    let User { uid, gid, .. } = user;
    initgroups(&c_name, gid).map_err(refused("initgroups"))?;
    setresgid(gid, gid, gid).map_err(refused("setresgid"))?;
    setresuid(uid, uid, uid).map_err(refused("setresuid"))?;
    gone_for_good(uid, gid)
}

/// That there is no way back is tried, not believed.
fn gone_for_good(uid: Uid, gid: Gid) -> Result<(), SettleError> {
    let root = Uid::from_raw(0);
    match setresuid(root, root, root) {
        Err(Errno::EPERM) => {
            tracing::info!(
                uid = uid.as_raw(),
                gid = gid.as_raw(),
                "root's rights are gone"
            );
            Ok(())
        }
        _ => Err(SettleError::StillRoot),
    }
}

/// Gives up, for good, connecting to anything but these ports on loopback, and every socket that
/// is neither TCP nor Unix. Workers inherit it.
///
/// # Errors
///
/// When threads run already, or the kernel has the means and refuses.
pub fn confine(ports: &[u16]) -> Result<(), SettleError> {
    let reached = earnest_sandbox::confine_daemon(ports)?;
    match reached.connections && reached.sockets {
        true => tracing::info!(?ports, "no other connection can be made"),
        false => tracing::warn!(
            connections = reached.connections,
            sockets = reached.sockets,
            "this kernel cannot keep the daemon from every connection; the unit and the firewall must"
        ),
    }
    Ok(())
}

/// Why the daemon cannot be who it should be, or guard its memory.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// There is no such user.
    #[error(
        "root started the daemon, and there is no user \"{found}\" to become: make one, or set \
         `run.user`; \"root\" lets the daemon stay root"
    )]
    NoUser {
        /// The configured name.
        found: String,
    },
    /// The user has root's id under another name, which says nothing of staying root.
    #[error("the user \"{found}\" of `run.user` is root under another name")]
    RootUnderAnotherName {
        /// The configured name.
        found: String,
    },
    /// The system refuses.
    #[error("the daemon cannot become another user: {call} is refused")]
    Refused {
        /// What was asked.
        call: &'static str,
        /// What the system says.
        #[source]
        error: std::io::Error,
    },
    /// The way back to root is open.
    #[error("the daemon became another user and can still become root again")]
    StillRoot,
    /// Connections cannot be given up.
    #[error("the daemon cannot give up connections")]
    Confine(#[from] SandboxError),
    /// Memory may reach a disk.
    #[error(
        "memory is not guarded: {0}; LimitMEMLOCK=infinity in the unit mends it, and \
         `run.exposed_memory = \"warn\"` goes on without"
    )]
    Exposed(ExposedMemory),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_no_user_or_root_in_disguise_is_not_become() {
        let nobody = become_user("no such user here").unwrap_err();
        assert!(matches!(nobody, SettleError::NoUser { .. }));
        let zero = become_user("a\0b").unwrap_err();
        assert!(!matches!(zero, SettleError::StillRoot));
        let root = become_user(ROOT).unwrap_err();
        assert!(matches!(root, SettleError::RootUnderAnotherName { .. }));
    }
}
