//! The program itself, as a process.

use std::io::Read;
use std::process::{Command, Output, Stdio};

use earnest_fleet::Exit;
use earnest_verifier::simulation::Device;

use crate::support::{Fleet, answer, device};

fn program(fleet: &Fleet) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_earnest-fleet"));
    command.current_dir(fleet.path("")).stdin(Stdio::null());
    command
}

fn run(fleet: &Fleet, arguments: &[&str]) -> Output {
    let output = program(fleet).args(arguments).output();
    output.expect("the program can be started")
}

fn code(output: &Output) -> Option<i32> {
    output.status.code()
}

fn evidence_for(fleet: &Fleet, device: &Device) {
    let issued = run(fleet, &["challenge", "--state", "state"]);
    assert_eq!(code(&issued), Some(0));
    let nonce = String::from_utf8(issued.stdout).expect("text");
    let evidence = answer(device, nonce.trim_end().parse().expect("a nonce"));
    fleet.write("evidence", evidence.to_cbor().expect("no part is too long"));
}

const VERIFY: &[&str] = &[
    "verify",
    "evidence",
    "--reference",
    "reference.json",
    "--state",
    "state",
];

#[test]
fn it_ends_with_zero_for_a_pass_alone() {
    let (fleet, device) = (Fleet::new(), device());
    fleet.enrol(&device, false);
    fleet.reference(&device);
    evidence_for(&fleet, &device);
    let passed = run(&fleet, VERIFY);
    assert_eq!(code(&passed), Some(0), "{passed:?}");
    assert!(passed.stderr.is_empty(), "{passed:?}");
    let replayed = run(&fleet, VERIFY);
    assert_eq!(code(&replayed), Some(Exit::Refused.number().into()));
    assert!(String::from_utf8_lossy(&replayed.stdout).contains("nonce_replayed"));
    assert_eq!(code(&run(&fleet, &["verify"])), Some(2));
    assert_eq!(code(&run(&fleet, &[])), Some(2));
    assert_eq!(code(&run(&fleet, &["--help"])), Some(0));
    assert_eq!(code(&run(&fleet, &["log", "show", "none"])), Some(12));
}

#[test]
fn of_processes_that_show_the_same_evidence_at_once_one_passes() {
    let (fleet, device) = (Fleet::new(), device());
    fleet.enrol(&device, false);
    fleet.reference(&device);
    evidence_for(&fleet, &device);
    let started: Vec<_> = (0..8)
        .map(|_| {
            let mut command = program(&fleet);
            command
                .args(VERIFY)
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command.spawn().expect("the program can be started")
        })
        .collect();
    let codes = started.into_iter().map(|mut child| {
        let status = child.wait().expect("it ends");
        status.code().expect("it ends by itself")
    });
    let mut codes: Vec<i32> = codes.collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 10, 10, 10, 10, 10, 10, 10]);
}

#[test]
fn a_reader_that_closes_the_pipe_changes_no_verdict() {
    let (fleet, device) = (Fleet::new(), device());
    fleet.write("boot.log", device.log());
    for (arguments, expected) in [
        (&["log", "show", "boot.log"][..], 0),
        (&["quote", "verify", "--nonce", "0"], 2),
    ] {
        let mut command = program(&fleet);
        command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("the program can be started");
        drop(child.stdout.take());
        let status = child.wait().expect("it ends");
        assert_eq!(status.code(), Some(expected), "{arguments:?}");
    }
}

#[test]
fn help_tells_every_exit_code() {
    let fleet = Fleet::empty();
    let mut child = program(&fleet)
        .args(["verify", "--help"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program can be started");
    let mut help = String::new();
    let mut output = child.stdout.take().expect("it is piped");
    output.read_to_string(&mut help).expect("it is text");
    assert!(child.wait().expect("it ends").success());
    for code in [0, 1, 2, 10, 11, 12, 13, 14, 15] {
        assert!(help.contains(&format!("{code:>4}  ")), "{code}: {help}");
    }
}
