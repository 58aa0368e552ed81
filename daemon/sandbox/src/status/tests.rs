//! The status of processes, as the kernel writes it and otherwise.

use proptest::prelude::*;

use super::*;

const LOCKED_IN: &str = "\
Name:\tearnestd
Umask:\t0022
State:\tS (sleeping)
Uid:\t991\t991\t991\t991
Gid:\t991\t991\t991\t991
Threads:\t3
CapInh:\t0000000000000000
CapPrm:\t0000000000000000
CapEff:\t0000000000000000
CapBnd:\t000001fffeffffff
CapAmb:\t0000000000000000
NoNewPrivs:\t1
Seccomp:\t2
Seccomp_filters:\t3
Cpus_allowed_list:\t0-1
";

fn with(line: &str, replacement: &str) -> Result<ProcessStatus, StatusError> {
    assert!(LOCKED_IN.contains(line), "{line:?}");
    ProcessStatus::parse(LOCKED_IN.replacen(line, replacement, 1).as_bytes())
}

#[test]
fn a_status_says_what_holds() {
    let status = ProcessStatus::parse(LOCKED_IN.as_bytes()).unwrap();
    assert_eq!(status.uid, [991; 4]);
    assert_eq!(status.threads, 3);
    assert_eq!(status.filters, Some(3));
    assert_eq!(status.bounding, 0x1ff_feff_ffff);
    assert!(status.is_confined());
}

#[test]
fn each_lack_shows() {
    for (line, replacement) in [
        ("NoNewPrivs:\t1", "NoNewPrivs:\t0"),
        ("Seccomp:\t2", "Seccomp:\t0"),
        ("Seccomp:\t2", "Seccomp:\t1"),
        ("CapInh:\t0", "CapInh:\t8"),
        ("CapPrm:\t0", "CapPrm:\t8"),
        ("CapEff:\t0", "CapEff:\t8"),
        ("CapAmb:\t0", "CapAmb:\t8"),
    ] {
        let status = with(line, replacement).unwrap();
        assert!(!status.is_confined(), "{replacement}");
    }
}

#[test]
fn a_filter_of_the_parent_is_none_of_its_own() {
    let worker = ProcessStatus::parse(LOCKED_IN.as_bytes()).unwrap();
    let check = |seccomp: &str, filters: &str, expected: bool| {
        let parent = with(
            "Seccomp:\t2\nSeccomp_filters:\t3",
            &format!("Seccomp:\t{seccomp}\n{filters}"),
        );
        assert_eq!(worker.is_confined_within(&parent.unwrap()), expected);
    };
    check("0", "Seccomp_filters:\t0", true);
    check("2", "Seccomp_filters:\t2", true);
    check("2", "Seccomp_filters:\t3", false);
    // A kernel that does not count them.
    check("0", "", true);
    check("2", "", false);
}

#[test]
fn what_is_no_status_is_refused_with_its_reason() {
    let check = |line: &str, replacement: &str, expected: &str| {
        let error = with(line, replacement).unwrap_err().to_string();
        assert_eq!(error, expected);
    };
    let missing = "the status has no line \"Seccomp\"";
    check("Seccomp:\t2\n", "", missing);
    let twice = "the status has two lines \"Threads\"";
    check("Threads:\t3", "Threads:\t3\nThreads:\t1", twice);
    let sign = "\"Threads\" of the status is \"+3\"; expected is a number below 2^32";
    check("Threads:\t3", "Threads:\t+3", sign);
    let uid = "\"Uid\" of the status is \"1\\t1\\t1\\t1\\t1\"; expected is four numbers";
    check("Uid:\t991\t991\t991\t991", "Uid:\t1\t1\t1\t1\t1", uid);
    let few = "\"Uid\" of the status is \"\"; expected is a number below 2^32";
    check("Uid:\t991\t991\t991\t991", "Uid:\t1\t1", few);
    let yes = "\"NoNewPrivs\" of the status is \"yes\"; expected is 0 or 1";
    check("NoNewPrivs:\t1", "NoNewPrivs:\tyes", yes);
    let long = vec![b'x'; MAX_STATUS_BYTES + 1];
    assert!(matches!(
        ProcessStatus::parse(&long),
        Err(StatusError::TooLong { .. })
    ));
}

#[test]
fn the_running_kernel_is_understood() {
    let own = inspect_self().unwrap();
    assert_eq!(
        own,
        inspect(std::process::id())
            .map(|status| ProcessStatus {
                // The harness starts and ends threads between the two looks.
                threads: own.threads,
                ..status
            })
            .unwrap()
    );
    assert!(own.threads >= 1);
    assert!(matches!(
        inspect(u32::MAX),
        Err(StatusError::Unreadable { .. })
    ));
}

proptest! {
    #[test]
    fn any_bytes_are_parsed_or_refused(status in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = ProcessStatus::parse(&status);
    }

    #[test]
    fn numbers_come_back_as_written(
        threads in any::<u32>(),
        capabilities in any::<u64>(),
    ) {
        let status = LOCKED_IN
            .replacen("Threads:\t3", &format!("Threads:\t{threads}"), 1)
            .replacen("CapEff:\t0000000000000000", &format!("CapEff:\t{capabilities:016x}"), 1);
        let status = ProcessStatus::parse(status.as_bytes()).unwrap();
        prop_assert_eq!(status.threads, threads);
        prop_assert_eq!(status.effective, capabilities);
        prop_assert_eq!(status.is_confined(), capabilities == 0);
    }
}
