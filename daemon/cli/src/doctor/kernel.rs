//! The machine: what its kernel can wall in, whether memory may reach a disk, and its clock.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use earnest_files::FileError;
use earnest_sandbox::inspect_self;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

use super::finding::Finding;

/// Longer than any of the files that are read here.
const MAX_FILE_BYTES: usize = 64 << 10;

/// Where the kernel lists its security modules.
const MODULES: &str = "/sys/kernel/security/lsm";

/// Where the kernel lists what a filter of system calls may do.
const FILTER_ACTIONS: &str = "/proc/sys/kernel/seccomp/actions_avail";

/// Where the kernel lists swap: a heading, then a line each.
const SWAPS: &str = "/proc/swaps";

/// Where the kernel says its version.
const RELEASE: &str = "/proc/sys/kernel/osrelease";

/// What a daemon with one model and its workers locks, generously.
const LOCKED_BYTES: u64 = 1 << 30;

/// 2025-01-01: Earnest is younger, so a clock that says less is wrong.
const EARLIEST: Duration = Duration::from_secs(1_735_689_600);

/// Looks at all of it.
pub(super) fn look() -> Vec<Finding> {
    let limit = getrlimit(Resource::RLIMIT_MEMLOCK).map(|(soft, _)| soft);
    vec![
        landlock(read(MODULES).as_deref(), read(RELEASE).as_deref()),
        filter(inspect_self().is_ok(), read(FILTER_ACTIONS).as_deref()),
        memory(limit.unwrap_or(0), swaps(read(SWAPS).as_deref())),
        clock(SystemTime::now()),
    ]
}

fn read(path: &str) -> Option<String> {
    let bytes: Result<Vec<u8>, FileError> = earnest_files::read(Path::new(path), MAX_FILE_BYTES);
    String::from_utf8(bytes.ok()?).ok()
}

/// Whether workers can be kept from files and connections by Landlock, too.
fn landlock(modules: Option<&str>, release: Option<&str>) -> Finding {
    let release = release.map_or("of unknown version", str::trim);
    let Some(modules) = modules else {
        return Finding::warn(
            "Landlock",
            format!("cannot be seen: {MODULES} cannot be read (Linux {release})"),
            "mount -t securityfs securityfs /sys/kernel/security",
        );
    };
    match modules.trim().split(',').any(|module| module == "landlock") {
        true => {
            let found =
                format!("in this kernel (Linux {release}); `earnest status` says which ABI");
            Finding::ok("Landlock", found)
        }
        false => Finding::warn(
            "Landlock",
            format!(
                "NOT in this kernel (Linux {release}): workers are kept in by one wall, not two"
            ),
            "boot a kernel with CONFIG_SECURITY_LANDLOCK and landlock in lsm=",
        ),
    }
}

/// Whether workers can be kept from system calls.
fn filter(status: bool, actions: Option<&str>) -> Finding {
    let kills = actions.is_some_and(|actions| {
        let mut names = actions.split_ascii_whitespace();
        names.any(|name| name == "kill_process")
    });
    match status && kills {
        true => Finding::ok("seccomp", "this kernel filters system calls"),
        false => Finding::wrong(
            "seccomp",
            "this kernel does not say that it filters system calls, without which no worker runs",
            "boot a kernel with CONFIG_SECCOMP_FILTER, of Linux 4.14 or later, with /proc mounted",
        ),
    }
}

/// How many places swap has; none where that cannot be seen.
fn swaps(text: Option<&str>) -> Option<usize> {
    text.map(|text| text.lines().skip(1).filter(|line| !line.is_empty()).count())
}

/// Whether plaintext may reach a disk. The unit lifts the limit; who starts the daemon from a
/// shell has this one.
fn memory(limit: u64, swaps: Option<usize>) -> Finding {
    let told = match limit {
        RLIM_INFINITY => "no limit".to_owned(),
        limit => format!("{} KiB", limit >> 10),
    };
    let found = match swaps {
        Some(0) => "no swap".to_owned(),
        Some(count) => format!("swap in {count} places"),
        None => "swap cannot be seen".to_owned(),
    };
    let found = format!("{found}; of memory, this shell may lock: {told}");
    match (limit >= LOCKED_BYTES, swaps) {
        (true, _) => Finding::ok("memory", found),
        (false, Some(0)) => Finding::warn(
            "memory",
            found,
            "start the daemon by its unit (LimitMEMLOCK=infinity), or: ulimit -l unlimited",
        ),
        (false, _) => Finding::warn(
            "memory",
            format!("{found}: a daemon started from here would refuse to, or reach a disk"),
            "start the daemon by its unit (LimitMEMLOCK=infinity), or: swapoff -a",
        ),
    }
}

fn clock(now: SystemTime) -> Finding {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    match now >= EARLIEST {
        true => Finding::ok("clock", "after 2025, so certificates can be judged"),
        false => Finding::wrong(
            "clock",
            "before 2025: no certificate of this device is valid yet",
            "timedatectl set-ntp true, or timedatectl set-time 'YEAR-MONTH-DAY HOUR:MINUTE'",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Grade;
    use super::*;

    #[test]
    fn a_missing_landlock_is_said_and_not_fatal() {
        let grade = |modules| landlock(modules, Some("6.1.0\n")).grade;
        assert_eq!(grade(Some("capability,landlock,yama\n")), Grade::Ok);
        assert_eq!(grade(Some("capability,landlocked")), Grade::Warn);
        assert_eq!(grade(None), Grade::Warn);
        assert!(
            landlock(Some("yama"), Some("6.1.0\n"))
                .found
                .contains("NOT in this kernel (Linux 6.1.0)")
        );
    }

    #[test]
    fn without_a_filter_nothing_runs() {
        let actions = Some("kill_process kill_thread errno allow");
        assert_eq!(filter(true, actions).grade, Grade::Ok);
        assert_eq!(filter(false, actions).grade, Grade::Wrong);
        assert_eq!(filter(true, Some("kill_thread")).grade, Grade::Wrong);
        assert_eq!(filter(true, None).grade, Grade::Wrong);
    }

    #[test]
    fn memory_that_may_reach_a_disk_is_said() {
        assert_eq!(swaps(Some("Filename Type\n/a f 1\n/b f 1\n")), Some(2));
        assert_eq!(swaps(Some("Filename Type\n")), Some(0));
        assert_eq!(memory(RLIM_INFINITY, Some(2)).grade, Grade::Ok);
        let narrow = memory(8 << 20, Some(1));
        assert_eq!(narrow.grade, Grade::Warn);
        assert!(narrow.found.contains("8192 KiB"), "{narrow}");
        assert!(memory(0, Some(0)).found.contains("no swap"));
    }

    #[test]
    fn a_clock_that_nobody_set_is_wrong() {
        assert_eq!(clock(UNIX_EPOCH).grade, Grade::Wrong);
        assert_eq!(clock(UNIX_EPOCH + EARLIEST).grade, Grade::Ok);
    }

    #[test]
    fn this_machine_can_be_looked_at() {
        assert_eq!(look().len(), 4);
    }
}
