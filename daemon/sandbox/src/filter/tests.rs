//! The filters' verdicts, by running their programs as the kernel would.

use super::*;

/// What the kernel gives a filter to judge by (`struct seccomp_data`, `seccomp(2)`).
struct Call {
    number: u32,
    machine: u32,
    arguments: [u64; 6],
}

/// `AUDIT_ARCH_*` of this machine (`linux/audit.h`): the ELF machine, 64 bits, little endian.
const HERE: u32 = match cfg!(target_arch = "x86_64") {
    true => 0xc000_003e,
    false => 0xc000_00b7,
};

/// Two machines that this one is not.
const ELSEWHERE: [u32; 2] = [0x4000_0003, 0xc000_00f3];

const OWN: u32 = 4321;

impl Call {
    fn word(&self, offset: u32) -> u32 {
        match offset {
            0 => self.number,
            4 => self.machine,
            16.. => {
                let argument = self.arguments[(offset as usize - 16) / 8];
                (argument >> (8 * (offset % 8))) as u32
            }
            _ => panic!("no filter of ours reads at {offset}"),
        }
    }
}

/// Runs a classic BPF program, of which the compiler uses seven instructions.
fn run(program: &BpfProgram, call: &Call) -> u32 {
    let (mut accumulator, mut next) = (0_u32, 0_usize);
    // Jumps go forward alone, so each instruction runs once at most.
    for _ in 0..=program.len() {
        let instruction = &program[next];
        let k = instruction.k;
        let jump = |taken| match taken {
            true => usize::from(instruction.jt),
            false => usize::from(instruction.jf),
        };
        next += 1;
        match instruction.code {
            0x20 => accumulator = call.word(k),
            0x54 => accumulator &= k,
            0x05 => next += k as usize,
            0x15 => next += jump(accumulator == k),
            0x25 => next += jump(accumulator > k),
            0x35 => next += jump(accumulator >= k),
            0x06 => return k,
            other => panic!("an instruction {other:#x}"),
        }
    }
    panic!("the program has no end")
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    End,
    Refused(i32),
    Allowed,
}

/// The strictest answer of all, as the kernel takes it.
fn judge(programs: &[BpfProgram], call: &Call) -> Verdict {
    let verdicts = programs.iter().map(|program| match run(program, call) {
        libc::SECCOMP_RET_KILL_PROCESS => Verdict::End,
        libc::SECCOMP_RET_ALLOW => Verdict::Allowed,
        other => {
            assert_eq!(other & 0xffff_0000, libc::SECCOMP_RET_ERRNO, "{other:#x}");
            Verdict::Refused((other & 0xffff) as i32)
        }
    });
    verdicts.min().expect("there is a filter")
}

fn worker(number: i64, arguments: &[u64]) -> Verdict {
    verdict(&for_worker(OWN).unwrap(), number, arguments)
}

fn daemon(arguments: &[i32]) -> Verdict {
    let arguments: Vec<u64> = arguments.iter().map(|&argument| argument as u64).collect();
    verdict(&for_daemon().unwrap(), libc::SYS_socket, &arguments)
}

fn verdict(programs: &[BpfProgram], number: i64, given: &[u64]) -> Verdict {
    let mut arguments = [0; 6];
    arguments[..given.len()].copy_from_slice(given);
    let call = Call {
        number: u32::try_from(number).unwrap(),
        machine: HERE,
        arguments,
    };
    judge(programs, &call)
}

const NOT_PERMITTED: Verdict = Verdict::Refused(libc::EPERM);

#[test]
fn what_is_needed_passes_and_what_is_not_is_refused() {
    for &call in NEEDED {
        assert_eq!(worker(call, &[]), Verdict::Allowed, "call {call}");
    }
    for &call in REFUSED {
        assert_eq!(worker(call, &[]), NOT_PERMITTED, "call {call}");
    }
    for &call in UNKNOWN {
        let expected = Verdict::Refused(libc::ENOSYS);
        assert_eq!(worker(call, &[]), expected, "call {call}");
    }
}

#[test]
fn no_call_is_in_two_lists() {
    let mut all = [NEEDED, NEEDED_IN_PART, REFUSED, UNKNOWN].concat();
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count);
    assert!(refusals(OWN).unwrap().len() == REFUSED.len() + NEEDED_IN_PART.len());
}

#[test]
fn whatever_is_not_listed_ends_the_process() {
    let programs = for_worker(OWN).unwrap();
    let listed = [NEEDED, NEEDED_IN_PART, REFUSED, UNKNOWN].concat();
    // Beyond the last call of today, and the second range of x86-64's other ABI.
    let numbers = (0..1024).chain(0x4000_0000..0x4000_0400);
    for number in numbers.filter(|number| !listed.contains(number)) {
        assert_eq!(verdict(&programs, number, &[]), Verdict::End, "{number}");
    }
    for corner in [
        libc::SYS_bpf,
        libc::SYS_io_uring_setup,
        libc::SYS_userfaultfd,
        libc::SYS_keyctl,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_mount,
        libc::SYS_perf_event_open,
        libc::SYS_init_module,
        libc::SYS_pidfd_getfd,
        libc::SYS_pkey_mprotect,
        libc::SYS_rt_sigqueueinfo,
        libc::SYS_rt_tgsigqueueinfo,
    ] {
        assert_eq!(worker(corner, &[]), Verdict::End, "call {corner}");
    }
}

#[test]
fn calls_of_another_machine_end_the_process() {
    for machine in ELSEWHERE {
        for programs in [for_worker(OWN).unwrap(), for_daemon().unwrap()] {
            let call = Call {
                number: libc::SYS_read as u32,
                machine,
                arguments: [0; 6],
            };
            assert_eq!(judge(&programs, &call), Verdict::End, "{machine:#x}");
        }
    }
}

#[test]
fn memory_is_never_executable() {
    let (read, write, execute) = (libc::PROT_READ, libc::PROT_WRITE, libc::PROT_EXEC);
    let check = |protection: i32, expected: &Verdict| {
        for call in [libc::SYS_mmap, libc::SYS_mprotect] {
            let found = worker(call, &[0, 4096, protection as u64]);
            assert_eq!(found, *expected, "call {call}, protection {protection}");
        }
    };
    for protection in [libc::PROT_NONE, read, write, read | write] {
        check(protection, &Verdict::Allowed);
    }
    for protection in [execute, read | execute, read | write | execute] {
        check(protection, &NOT_PERMITTED);
    }
}

#[test]
fn memory_is_shared_with_a_file_alone() {
    let check = |flags: i32, expected: &Verdict| {
        let readable = libc::PROT_READ as u64;
        let found = worker(libc::SYS_mmap, &[0, 4096, readable, flags as u64, 0, 0]);
        assert_eq!(found, *expected, "flags {flags:#x}");
    };
    let (shared, private, no_file) = (libc::MAP_SHARED, libc::MAP_PRIVATE, libc::MAP_ANONYMOUS);
    for flags in [
        shared,
        private,
        private | no_file,
        private | no_file | libc::MAP_STACK,
    ] {
        check(flags, &Verdict::Allowed);
    }
    for flags in [shared | no_file, libc::MAP_SHARED_VALIDATE | no_file] {
        check(flags, &NOT_PERMITTED);
    }
}

#[test]
fn threads_start_and_processes_do_not() {
    // What glibc asks for a thread (`createthread.c`) and for a process.
    let thread = (libc::CLONE_VM
        | libc::CLONE_FS
        | libc::CLONE_FILES
        | libc::CLONE_SYSVSEM
        | libc::CLONE_SIGHAND
        | libc::CLONE_THREAD
        | libc::CLONE_SETTLS
        | libc::CLONE_PARENT_SETTID
        | libc::CLONE_CHILD_CLEARTID) as u64;
    assert_eq!(worker(libc::SYS_clone, &[thread]), Verdict::Allowed);
    let process = libc::SIGCHLD as u64;
    let spawned = process | (libc::CLONE_VM | libc::CLONE_VFORK) as u64;
    for flags in [0, process, spawned] {
        assert_eq!(worker(libc::SYS_clone, &[flags]), NOT_PERMITTED);
    }
    for space in NAME_SPACES {
        let flags = thread | space as u64;
        assert_eq!(
            worker(libc::SYS_clone, &[flags]),
            NOT_PERMITTED,
            "{space:#x}"
        );
    }
}

#[test]
fn questions_about_open_files_pass_and_their_signals_do_not() {
    for question in FILE_QUESTIONS {
        let found = worker(libc::SYS_fcntl, &[1, question as u64]);
        assert_eq!(found, Verdict::Allowed, "{question}");
    }
    for other in [
        libc::F_SETOWN,
        libc::F_SETFL,
        libc::F_SETLK,
        libc::F_ADD_SEALS,
        -1,
    ] {
        let found = worker(libc::SYS_fcntl, &[1, other as u64]);
        assert_eq!(found, NOT_PERMITTED, "{other}");
    }
}

#[test]
fn a_process_sets_its_names_and_nothing_else() {
    for option in OWN_NAMES {
        let found = worker(libc::SYS_prctl, &[option as u64]);
        assert_eq!(found, Verdict::Allowed, "{option}");
    }
    for option in [
        libc::PR_SET_DUMPABLE,
        libc::PR_SET_PDEATHSIG,
        libc::PR_SET_SECCOMP,
        libc::PR_SET_MM,
        libc::PR_SET_PTRACER,
    ] {
        let found = worker(libc::SYS_prctl, &[option as u64]);
        assert_eq!(found, NOT_PERMITTED, "{option}");
    }
}

#[test]
fn bytes_go_to_the_peer_and_signals_to_oneself() {
    let (own, other) = (u64::from(OWN), u64::from(OWN + 1));
    assert_eq!(
        worker(libc::SYS_sendto, &[1, 9, 9, 0, 0, 0]),
        Verdict::Allowed
    );
    for address in [1, 1 << 32, u64::MAX] {
        assert_eq!(
            worker(libc::SYS_sendto, &[1, 9, 9, 0, address, 16]),
            NOT_PERMITTED
        );
    }
    let abort = libc::SIGABRT as u64;
    assert_eq!(
        worker(libc::SYS_tgkill, &[own, own, abort]),
        Verdict::Allowed
    );
    assert_eq!(
        worker(libc::SYS_tgkill, &[other, other, abort]),
        NOT_PERMITTED
    );
}

#[test]
fn a_status_is_not_asked_for_whatever_the_path() {
    let here = libc::AT_FDCWD as u64;
    for flags in [
        0,
        libc::AT_SYMLINK_NOFOLLOW as u64,
        libc::AT_EMPTY_PATH as u64,
    ] {
        for file in [here, 0] {
            let old = worker(libc::SYS_newfstatat, &[file, 9, 9, flags]);
            let new = worker(libc::SYS_statx, &[file, 9, flags, 9, 9]);
            assert_eq!([old, new], [NOT_PERMITTED, NOT_PERMITTED]);
        }
    }
}

#[test]
fn the_daemon_makes_unix_and_tcp_sockets_alone() {
    let flags = libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    let stream = libc::SOCK_STREAM | flags;
    let allowed = [
        [libc::AF_UNIX, stream, 0],
        [libc::AF_UNIX, libc::SOCK_DGRAM | flags, 0],
        [libc::AF_INET, stream, 0],
        [libc::AF_INET, libc::SOCK_STREAM, libc::IPPROTO_TCP],
        [libc::AF_INET6, stream, 0],
    ];
    for socket in allowed {
        assert_eq!(daemon(&socket), Verdict::Allowed, "{socket:?}");
    }
    let mut refused = vec![
        [libc::AF_NETLINK, libc::SOCK_RAW, 0],
        [libc::AF_PACKET, libc::SOCK_RAW, 0],
        [libc::AF_VSOCK, stream, 0],
        [libc::AF_ALG, libc::SOCK_SEQPACKET, 0],
        [-1, stream, 0],
    ];
    for family in [libc::AF_INET, libc::AF_INET6] {
        refused.extend(
            (0..16)
                .filter(|kind| *kind != libc::SOCK_STREAM)
                .map(|kind| [family, kind | flags, 0]),
        );
        refused.push([family, stream, libc::IPPROTO_SCTP]);
        refused.push([family, stream, libc::IPPROTO_MPTCP]);
    }
    for socket in refused {
        let expected = Verdict::Refused(libc::EAFNOSUPPORT);
        assert_eq!(daemon(&socket), expected, "{socket:?}");
    }
    assert_eq!(
        verdict(&for_daemon().unwrap(), libc::SYS_openat, &[]),
        Verdict::Allowed
    );
}
