//! Processes, as the kernel tells of them.

use std::fs;

/// The processes whose parent is this one.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("Linux has one").flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|id| parent_of(*id) == Some(parent)).collect()
}

/// Whether there is such a process, and it has not ended.
pub(crate) fn is_running(id: u32) -> bool {
    state_and_parent(id).is_some_and(|(state, _)| state != "Z")
}

fn parent_of(id: u32) -> Option<u32> {
    let (state, parent) = state_and_parent(id)?;
    // One that has ended and waits for its parent is no child at work.
    (state != "Z").then_some(parent)
}

/// `proc_pid_stat(5)`: the id, the name in parentheses, the state, the parent.
fn state_and_parent(id: u32) -> Option<(String, u32)> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    let state = fields.next()?.to_owned();
    Some((state, fields.next()?.parse().ok()?))
}
