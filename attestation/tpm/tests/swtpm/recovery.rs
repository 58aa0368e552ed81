//! A TPM that dies and returns.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use earnest_tpm::{Clock, Tpm, TpmError, TrustModule as _};

use crate::devices::device;
use crate::support::{Machine, boot};

/// Longer than any pause between attempts; a test that needs it all has found a fault.
const DEADLINE: Duration = Duration::from_secs(20);

/// Calls until the TPM answers again, and meanwhile checks that each error is a passing one.
fn until_back(tpm: &Tpm) -> Clock {
    let start = Instant::now();
    loop {
        match tpm.clock() {
            Ok(clock) => return clock,
            Err(error) => assert!(error.is_passing(), "{error}"),
        }
        assert!(start.elapsed() < DEADLINE, "the TPM is not found again");
        thread::yield_now();
    }
}

#[test]
fn every_call_to_a_dead_tpm_fails_at_once_and_it_is_found_again() {
    let (mut machine, _) = device();
    let tpm = machine.open();
    let before = tpm.clock().unwrap();
    machine.software.cut_power();
    for _ in 0..50 {
        let error = tpm.quote(&[1; 32], boot()).unwrap_err();
        assert!(error.is_passing(), "{error}");
        let error = tpm.pcr_extend(14, &[1; 32]).unwrap_err();
        assert!(error.is_passing(), "{error}");
    }
    machine.software.restore_power().unwrap();
    let after = until_back(&tpm);
    assert_eq!(after.reset_count, before.reset_count + 1);
    tpm.quote(&[1; 32], boot()).unwrap();
    let handles = tpm.handles().unwrap();
    assert_eq!((handles.transient, handles.sessions), (0, 1));
}

#[test]
fn a_power_cut_between_calls_goes_unnoticed() {
    let (mut machine, _) = device();
    let tpm = machine.open();
    machine.software.cut_power();
    machine.software.restore_power().unwrap();
    tpm.quote(&[1; 32], boot()).unwrap();
}

#[test]
fn an_extend_is_never_done_twice() {
    let (mut machine, _) = device();
    let tpm = machine.open();
    machine.software.cut_power();
    machine.software.restore_power().unwrap();
    // The old session is gone, and an extend is not tried again.
    let error = tpm.pcr_extend(14, &[1; 32]).unwrap_err();
    assert!(matches!(error, TpmError::Lost { .. }), "{error}");
    let values = tpm.pcr_read(boot()).unwrap();
    assert_eq!(values.value(4), Some(&[0; 32]));
    tpm.pcr_extend(14, &[1; 32]).unwrap();
}

#[test]
fn closing_shuts_the_tpm_down_in_order_and_a_power_cut_does_not() {
    let (mut machine, _) = device();
    let cycle = |machine: &mut Machine| {
        machine.software.cut_power();
        machine.software.restore_power().unwrap();
        let tpm = machine.open();
        let clock = tpm.clock().unwrap();
        (tpm, clock)
    };
    machine.open().close().unwrap();
    let (tpm, clock) = cycle(&mut machine);
    assert!(clock.safe, "{clock:?}");
    // A TPM that was not shut down cannot know how much of its time it has lost.
    let (_, clock) = cycle(&mut machine);
    assert!(!clock.safe, "{clock:?}");
    drop(tpm);
}

#[test]
fn many_threads_share_one_tpm() {
    let (machine, _) = device();
    let tpm = Arc::new(machine.open());
    let threads: Vec<_> = (0..8_u8)
        .map(|number| {
            let tpm = Arc::clone(&tpm);
            thread::spawn(move || {
                for _ in 0..10 {
                    tpm.quote(&[number; 32], boot()).unwrap();
                    tpm.sign(&[number; 32]).unwrap();
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let handles = tpm.handles().unwrap();
    assert_eq!((handles.transient, handles.sessions), (0, 1));
}

#[test]
fn a_daemon_that_is_killed_leaves_the_tpm_usable() {
    let (machine, _) = device();
    // More connections than the TPM has places for sessions, none of them closed in order.
    for _ in 0..8 {
        let tpm = machine.open();
        tpm.quote(&[1; 32], boot()).unwrap();
        drop(tpm);
    }
    machine.open().quote(&[1; 32], boot()).unwrap();
}
