//! Processes, as the kernel tells of them.

use std::fs;

/// What a daemon starts besides its workers, where it finds none: the TPM of a development
/// machine.
const SOFTWARE_TPM: &str = "swtpm";

/// The workers of this daemon: its children.
pub(crate) fn workers(daemon: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("Linux has one").flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| {
        // One that has ended and waits for its parent is no child at work.
        Stat::of(*id).is_some_and(|stat| {
            stat.parent == daemon && stat.is_alive() && stat.name != SOFTWARE_TPM
        })
    })
    .collect()
}

/// Whether there is such a process, and it has not ended.
pub(crate) fn is_running(id: u32) -> bool {
    Stat::of(id).is_some_and(|stat| stat.is_alive())
}

/// What `proc_pid_stat(5)` begins with, after the id: the name in parentheses, the state, the
/// parent.
struct Stat {
    name: String,
    state: String,
    parent: u32,
}

impl Stat {
    fn of(id: u32) -> Option<Stat> {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        let (before, rest) = stat.rsplit_once(") ")?;
        let (_, name) = before.split_once('(')?;
        let mut fields = rest.split(' ');
        Some(Stat {
            name: name.to_owned(),
            state: fields.next()?.to_owned(),
            parent: fields.next()?.parse().ok()?,
        })
    }

    fn is_alive(&self) -> bool {
        self.state != "Z"
    }
}
