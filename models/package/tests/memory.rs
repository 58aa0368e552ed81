//! The guard of a process's memory, in a process of its own: this file has one test, since
//! what it does stays done.

use std::fs;

use earnest_package::memory::{Exposure, guard_memory};

/// The value of a line of this process's `/proc/self/status`.
fn status(name: &str) -> String {
    let status = fs::read_to_string("/proc/self/status").expect("every process has a status");
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.expect("the kernel names it").trim().to_owned()
}

#[test]
fn what_is_said_to_be_guarded_is_guarded() {
    let exposures = match guard_memory() {
        Ok(()) => Vec::new(),
        Err(exposed) => {
            println!("skipped in part: {exposed}");
            assert!(!exposed.exposures().is_empty());
            exposed.exposures().iter().map(|e| e.to_string()).collect()
        }
    };
    // No privilege is needed for these two, so they are always reached.
    let limits = fs::read_to_string("/proc/self/limits").expect("every process has limits");
    let cores = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max core file size"))
        .expect("the kernel names it");
    let cores: Vec<&str> = cores.split_whitespace().take(2).collect();
    assert_eq!(cores, ["0", "0"]);
    let dumpable = nix::sys::prctl::get_dumpable().expect("can always be asked");
    assert!(!dumpable);

    let swappable = guard_memory().err().is_some_and(|exposed| {
        let swap = |e: &Exposure| matches!(e, Exposure::LockLimit { .. } | Exposure::Swap { .. });
        assert!(exposed.exposures().iter().all(swap), "{exposed}");
        true
    });
    assert_eq!(swappable, !exposures.is_empty(), "twice says the same");

    // Memory that comes later is locked, too.
    let before = kilobytes("VmLck:");
    let held = vec![1u8; 8 << 20];
    let after = kilobytes("VmLck:");
    assert_eq!(
        held.iter().map(|&byte| u64::from(byte)).sum::<u64>(),
        8 << 20
    );
    match swappable {
        true => assert_eq!((before, after), (0, 0), "what is reported is so"),
        false => assert!(after >= before + (8 << 10), "{before} kB, then {after} kB"),
    }
}

fn kilobytes(name: &str) -> u64 {
    let value = status(name);
    let digits = value.strip_suffix("kB").expect("it is a size").trim();
    digits.parse().expect("it is a number")
}
