//! What the kernel says of a process: `/proc/PID/status` (`proc(5)`).

use std::fs::File;
use std::io::Read;

use crate::StatusError;

/// Most bytes of a status that are read. Kernels write about 1,500, most of it the list of
/// groups, which may be long.
pub const MAX_STATUS_BYTES: usize = 1 << 20;

/// Most characters of a strange value that an error repeats.
const MAX_FOUND: usize = 40;

/// Which system calls a process may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeccompMode {
    /// All of them.
    Disabled,
    /// `read`, `write`, `exit` and `rt_sigreturn`.
    Strict,
    /// What its filters let through.
    Filter,
}

/// What holds for a process, by the kernel's word and not by its own.
///
/// Landlock does not show here: the kernel tells nobody of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessStatus {
    /// Its threads.
    pub threads: u32,
    /// The real, effective, saved and file-system user.
    pub uid: [u32; 4],
    /// Whether execution can no longer give it anything.
    pub no_new_privs: bool,
    /// Which system calls it may make.
    pub seccomp: SeccompMode,
    /// How many filters it has, where the kernel says so (from Linux 5.9).
    pub filters: Option<u32>,
    /// Inheritable capabilities, a bit each (`capabilities(7)`).
    pub inheritable: u64,
    /// Permitted capabilities.
    pub permitted: u64,
    /// Effective capabilities.
    pub effective: u64,
    /// The most that execution could give.
    pub bounding: u64,
    /// Capabilities that outlive execution.
    pub ambient: u64,
}

impl ProcessStatus {
    /// Reads a status as the kernel writes it. Lines that are not asked for may be anything;
    /// those that are must be there once.
    ///
    /// # Errors
    /// When one is missing, there twice, or no value of its kind.
    pub fn parse(status: &[u8]) -> Result<ProcessStatus, StatusError> {
        if status.len() > MAX_STATUS_BYTES {
            let limit = MAX_STATUS_BYTES;
            return Err(StatusError::TooLong { limit });
        }
        let capabilities = |field| hexadecimal(field, required(status, field)?);
        Ok(ProcessStatus {
            threads: decimal("Threads", required(status, "Threads")?)?,
            uid: four("Uid", required(status, "Uid")?)?,
            no_new_privs: match required(status, "NoNewPrivs")? {
                b"0" => false,
                b"1" => true,
                other => return Err(value("NoNewPrivs", "0 or 1", other)),
            },
            seccomp: match required(status, "Seccomp")? {
                b"0" => SeccompMode::Disabled,
                b"1" => SeccompMode::Strict,
                b"2" => SeccompMode::Filter,
                other => return Err(value("Seccomp", "0, 1 or 2", other)),
            },
            filters: optional(status, "Seccomp_filters")?
                .map(|found| decimal("Seccomp_filters", found))
                .transpose()?,
            inheritable: capabilities("CapInh")?,
            permitted: capabilities("CapPrm")?,
            effective: capabilities("CapEff")?,
            bounding: capabilities("CapBnd")?,
            ambient: capabilities("CapAmb")?,
        })
    }

    /// The capabilities of every set that gives any now: all but the bounding set.
    pub fn capabilities(&self) -> u64 {
        self.inheritable | self.permitted | self.effective | self.ambient
    }

    /// Whether it has no capabilities, gains none, and is under a filter of system calls.
    ///
    /// A filter may be inherited. Whoever runs under one asks
    /// [`is_confined_within`](Self::is_confined_within) about its children.
    pub fn is_confined(&self) -> bool {
        self.no_new_privs && self.capabilities() == 0 && self.seccomp == SeccompMode::Filter
    }

    /// Whether it [is confined](Self::is_confined) by filters of its own, and not merely by
    /// those that it has from its parent. Where the kernel does not count filters, a parent
    /// that has any makes the answer no.
    pub fn is_confined_within(&self, parent: &ProcessStatus) -> bool {
        let own_filters = match (self.filters, parent.filters) {
            (Some(own), Some(inherited)) => own > inherited,
            _ => parent.seccomp == SeccompMode::Disabled,
        };
        self.is_confined() && own_filters
    }
}

/// What holds for the process of this id.
///
/// # Errors
/// When it has gone, `/proc` hides it (a mount with `hidepid`, systemd's `ProtectProc=`), or
/// the kernel writes something else than it is known to.
pub fn inspect(process: u32) -> Result<ProcessStatus, StatusError> {
    read(&process.to_string())
}

/// What holds for this process.
///
/// # Errors
/// As [`inspect`].
pub fn inspect_self() -> Result<ProcessStatus, StatusError> {
    read("self")
}

fn read(process: &str) -> Result<ProcessStatus, StatusError> {
    let unreadable = |source| StatusError::Unreadable {
        process: process.to_owned(),
        source,
    };
    let file = File::open(format!("/proc/{process}/status")).map_err(unreadable)?;
    let mut status = Vec::new();
    let most = MAX_STATUS_BYTES as u64 + 1;
    file.take(most)
        .read_to_end(&mut status)
        .map_err(unreadable)?;
    ProcessStatus::parse(&status)
}

/// The trimmed value of the one line of this name, if there is one.
fn optional<'a>(status: &'a [u8], field: &'static str) -> Result<Option<&'a [u8]>, StatusError> {
    let mut values = status.split(|&byte| byte == b'\n').filter_map(|line| {
        let rest = line.strip_prefix(field.as_bytes())?;
        rest.strip_prefix(b":").map(<[u8]>::trim_ascii)
    });
    match (values.next(), values.next()) {
        (found, None) => Ok(found),
        (_, Some(_)) => Err(StatusError::Twice { field }),
    }
}

fn required<'a>(status: &'a [u8], field: &'static str) -> Result<&'a [u8], StatusError> {
    optional(status, field)?.ok_or(StatusError::Missing { field })
}

fn value(field: &'static str, expected: &'static str, found: &[u8]) -> StatusError {
    let found = String::from_utf8_lossy(found);
    StatusError::Value {
        field,
        expected,
        found: found.chars().take(MAX_FOUND).collect(),
    }
}

/// Text that holds digits of this radix alone: the parsers of integers take a sign besides.
fn digits(found: &[u8], radix: u32) -> Option<&str> {
    let text = std::str::from_utf8(found).ok()?;
    text.chars()
        .all(|character| character.is_digit(radix))
        .then_some(text)
}

fn decimal(field: &'static str, found: &[u8]) -> Result<u32, StatusError> {
    digits(found, 10)
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| value(field, "a number below 2^32", found))
}

fn hexadecimal(field: &'static str, found: &[u8]) -> Result<u64, StatusError> {
    digits(found, 16)
        .and_then(|text| u64::from_str_radix(text, 16).ok())
        .ok_or_else(|| value(field, "a hexadecimal number below 2^64", found))
}

fn four(field: &'static str, found: &[u8]) -> Result<[u32; 4], StatusError> {
    let mut parts = found
        .split(u8::is_ascii_whitespace)
        .filter(|part| !part.is_empty());
    let mut numbers = [0; 4];
    for number in &mut numbers {
        let part = parts.next().unwrap_or_default();
        *number = decimal(field, part)?;
    }
    match parts.next() {
        None => Ok(numbers),
        Some(_) => Err(value(field, "four numbers", found)),
    }
}

#[cfg(test)]
mod tests;
