//! seccomp: which system calls a process may make, by number and argument.
//!
//! A filter has one answer for what it matches. A worker needs three (refused, unknown, the
//! end), so it gets three filters, of which the kernel takes the strictest answer.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use crate::SandboxError;
use crate::calls::{NEEDED, NEEDED_IN_PART, REFUSED, UNKNOWN};

/// Rules by system call; a call without any is matched with whatever arguments.
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// New threads are all of this process.
const THREAD: u64 = libc::CLONE_THREAD as u64;

/// New name spaces, which no thread of a worker needs.
const NAME_SPACES: [i32; 7] = [
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWUTS,
];

/// What a worker may ask of an open file: whether it is closed on execution, a copy, its seals.
/// Not among them is who gets its signals.
const FILE_QUESTIONS: [i32; 5] = [
    libc::F_GETFD,
    libc::F_SETFD,
    libc::F_GETFL,
    libc::F_DUPFD_CLOEXEC,
    libc::F_GET_SEALS,
];

/// What a worker may set of itself: a thread's name and that of a piece of memory.
const OWN_NAMES: [i32; 3] = [libc::PR_SET_NAME, libc::PR_GET_NAME, libc::PR_SET_VMA];

/// The bits of a socket's type that are no flags.
const SOCKET_TYPE_BITS: [u64; 4] = [1, 2, 4, 8];

/// Installs a worker's filters. False where the kernel has no such filters.
pub(crate) fn install_for_worker() -> Result<bool, SandboxError> {
    install(&for_worker(std::process::id())?)
}

/// Installs the daemon's filter. False where the kernel has no such filters.
pub(crate) fn install_for_daemon() -> Result<bool, SandboxError> {
    install(&for_daemon()?)
}

/// The filters of the worker of this id, in the order in which they are installed.
fn for_worker(own: u32) -> Result<Vec<BpfProgram>, SandboxError> {
    Ok(vec![
        compile_walls()?,
        compile(any(UNKNOWN), &action(libc::ENOSYS))?,
        // The last, as it lets no further one in: it refuses `seccomp` itself.
        compile(refusals(own)?, &action(libc::EPERM))?,
    ])
}

/// The daemon's only filter.
fn for_daemon() -> Result<Vec<BpfProgram>, SandboxError> {
    let unsupported = action(libc::EAFNOSUPPORT);
    Ok(vec![compile(socket_refusals()?, &unsupported)?])
}

fn install(programs: &[BpfProgram]) -> Result<bool, SandboxError> {
    for program in programs {
        match seccompiler::apply_filter(program) {
            Ok(()) => {}
            Err(seccompiler::Error::Seccomp(error))
                if error.raw_os_error() == Some(libc::ENOSYS) =>
            {
                return Ok(false);
            }
            Err(error) => return Err(failed(&error)),
        }
    }
    Ok(true)
}

fn failed(error: &dyn std::fmt::Display) -> SandboxError {
    SandboxError::Filter {
        reason: error.to_string(),
    }
}

/// The refusal with this error number.
fn action(error: i32) -> SeccompAction {
    SeccompAction::Errno(error.unsigned_abs())
}

/// A program that answers with `on_match` what the rules match, and lets all else pass.
fn compile(rules: Rules, on_match: &SeccompAction) -> Result<BpfProgram, SandboxError> {
    program(rules, SeccompAction::Allow, on_match.clone())
}

/// The program that ends the process at any call that is not listed at all.
fn compile_walls() -> Result<BpfProgram, SandboxError> {
    let listed = [NEEDED, NEEDED_IN_PART, REFUSED, UNKNOWN].concat();
    program(
        any(&listed),
        SeccompAction::KillProcess,
        SeccompAction::Allow,
    )
}

fn program(
    rules: Rules,
    otherwise: SeccompAction,
    on_match: SeccompAction,
) -> Result<BpfProgram, SandboxError> {
    let here = TargetArch::try_from(std::env::consts::ARCH).map_err(|error| failed(&error))?;
    SeccompFilter::new(rules, otherwise, on_match, here)
        .and_then(BpfProgram::try_from)
        .map_err(|error| failed(&error))
}

/// These calls with whatever arguments.
fn any(calls: &[i64]) -> Rules {
    calls.iter().map(|&call| (call, Vec::new())).collect()
}

/// What a worker is refused: whole calls, and arguments of those that it needs in part. Each
/// rule is the exact contrary of what is needed, so that nothing falls between.
fn refusals(own: u32) -> Result<Rules, SandboxError> {
    let mut rules = any(REFUSED);
    // Memory is written or executed, and what is executed is mapped already. Shared memory
    // without a file would not count as the process's own, and so have no limit.
    let executable = bits_set(2, libc::PROT_EXEC as u64);
    let unlimited = bits_set(3, (libc::MAP_SHARED | libc::MAP_ANONYMOUS) as u64);
    let mappings = [executable.clone(), unlimited].map(|condition| rule([condition]));
    rules.insert(
        libc::SYS_mmap,
        mappings.into_iter().collect::<Result<_, _>>()?,
    );
    rules.insert(libc::SYS_mprotect, vec![rule([executable])?]);
    let mut clones = vec![rule([bits_clear(0, THREAD)])?];
    for space in NAME_SPACES {
        clones.push(rule([bits_set(0, u64::from(space.unsigned_abs()))])?);
    }
    rules.insert(libc::SYS_clone, clones);
    rules.insert(libc::SYS_fcntl, vec![none_of(1, &FILE_QUESTIONS)?]);
    rules.insert(libc::SYS_prctl, vec![none_of(0, &OWN_NAMES)?]);
    // To the peer of a connected socket, and to no address.
    let address = (4, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, 0);
    rules.insert(libc::SYS_sendto, vec![rule([address])?]);
    // Signals to a thread of its own.
    rules.insert(libc::SYS_tgkill, vec![rule([differs(0, u64::from(own))])?]);
    Ok(rules)
}

/// Sockets that the daemon has no use for: of any family but Unix and the internet's, and of
/// those of the internet what is not TCP.
fn socket_refusals() -> Result<Rules, SandboxError> {
    let families = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6];
    let mut refused = vec![none_of(0, &families)?];
    for family in [libc::AF_INET, libc::AF_INET6] {
        let of_family = (
            0,
            SeccompCmpArgLen::Dword,
            SeccompCmpOp::Eq,
            u64::from(family.unsigned_abs()),
        );
        // Another type than SOCK_STREAM differs in at least one bit.
        for bit in SOCKET_TYPE_BITS {
            let differing = match bit & libc::SOCK_STREAM as u64 {
                0 => bits_set(1, bit),
                _ => bits_clear(1, bit),
            };
            refused.push(rule([of_family.clone(), differing])?);
        }
        let [default, tcp] = [0, libc::IPPROTO_TCP as u64].map(|protocol| differs(2, protocol));
        refused.push(rule([of_family, default, tcp])?);
    }
    Ok(Rules::from([(libc::SYS_socket, refused)]))
}

/// A condition on an argument: its place, its length, and what it is compared with.
type Condition = (u8, SeccompCmpArgLen, SeccompCmpOp, u64);

fn bits_set(argument: u8, bits: u64) -> Condition {
    let masked = SeccompCmpOp::MaskedEq(bits);
    (argument, SeccompCmpArgLen::Qword, masked, bits)
}

fn bits_clear(argument: u8, bits: u64) -> Condition {
    let masked = SeccompCmpOp::MaskedEq(bits);
    (argument, SeccompCmpArgLen::Qword, masked, 0)
}

/// The kernel takes these arguments as 32 bits, so the others do not count.
fn differs(argument: u8, value: u64) -> Condition {
    (argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, value)
}

/// All of the conditions together.
fn rule(conditions: impl IntoIterator<Item = Condition>) -> Result<SeccompRule, SandboxError> {
    conditions
        .into_iter()
        .map(|(argument, length, comparison, value)| {
            SeccompCondition::new(argument, length, comparison, value)
        })
        .collect::<Result<Vec<_>, _>>()
        .and_then(SeccompRule::new)
        .map_err(|error| failed(&error))
}

/// An argument that is none of these.
fn none_of(argument: u8, values: &[i32]) -> Result<SeccompRule, SandboxError> {
    rule(
        values
            .iter()
            .map(|value| differs(argument, u64::from(value.unsigned_abs()))),
    )
}

#[cfg(test)]
mod tests;
