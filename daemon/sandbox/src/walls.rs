//! Landlock: what a process gives up of the file system, the network and its neighbours.

use landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, NetPort, RestrictionStatus, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetError, Scope,
};

use crate::SandboxError;

/// The newest interface whose rights are all handled. An older kernel leaves out those that it
/// does not know.
const NEWEST: ABI = ABI::V10;

/// The first interface that knows of TCP.
const FIRST_WITH_TCP: u32 = 4;

/// Gives up every right that the kernel knows, without a rule that would give one back, and
/// says by which version of the interface. Files that are open already stay usable.
pub(crate) fn close_everything() -> Result<Option<u32>, SandboxError> {
    let restrict = || -> Result<RestrictionStatus, RulesetError> {
        Ruleset::default()
            .handle_access(AccessFs::from_all(NEWEST))?
            .handle_access(AccessNet::from_all(NEWEST))?
            .scope(Scope::from_all(NEWEST))?
            .create()?
            .restrict_self()
    };
    reached(restrict())
}

/// Gives up connecting by TCP to any port but these, and says whether the kernel can.
pub(crate) fn connect_only_to(ports: &[u16]) -> Result<Option<u32>, SandboxError> {
    let restrict = || -> Result<RestrictionStatus, RulesetError> {
        let connect = AccessNet::ConnectTcp;
        let mut ruleset = Ruleset::default().handle_access(connect)?.create()?;
        for &port in ports {
            ruleset = ruleset.add_rule(NetPort::new(port, connect))?;
        }
        ruleset.restrict_self()
    };
    Ok(reached(restrict())?.filter(|&version| version >= FIRST_WITH_TCP))
}

fn reached(status: Result<RestrictionStatus, RulesetError>) -> Result<Option<u32>, SandboxError> {
    let status = status.map_err(|error| SandboxError::Landlock {
        reason: error.to_string(),
    })?;
    Ok(match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => Some(effective_abi as u32),
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => None,
    })
}
