//! Disks that are full, and disks that fail.

use std::sync::atomic::Ordering;

use earnest_telemetry::Event;

use super::kit::{Kit, append, wait};
use crate::*;

/// Appends until the log refuses.
fn until_refused(log: &Log) -> (u64, AppendError) {
    for many in 0..10_000 {
        if let Err(error) = append(log, Event::Started) {
            return (many, error);
        }
    }
    panic!("the log refuses nothing");
}

#[test]
fn a_full_disk_refuses_work_says_so_at_last_and_heals_when_room_returns() {
    let kit = Kit::new();
    let (log, _) = kit.open();
    append(&log, Event::Started).unwrap();
    kit.faults.full.store(true, Ordering::SeqCst);
    let (taken, error) = until_refused(&log);
    assert_eq!(error, AppendError::Full);
    assert!(taken > 400, "the room that was set aside is used");
    assert!(!log.status().available);
    assert_eq!(append(&log, Event::Started), Err(AppendError::Full));
    log.note(Event::StateSaved);
    log.note(Event::StateSaved);
    wait(log.tend());
    assert_eq!(kit.telemetry.counters().audit_unavailable, 1);
    let head = log.head();
    assert_eq!(head.sequence, taken + 2);
    assert_eq!(kit.lines().last().unwrap(), "audit log: cannot be written");

    kit.faults.full.store(false, Ordering::SeqCst);
    let receipt = append(&log, Event::Stopping).unwrap();
    assert!(log.status().available);
    log.close();
    let lines = kit.lines();
    let last = lines.len() - 3;
    assert_eq!(
        lines[last..],
        [
            "audit log: can be written again",
            "audit log: 2 events lost",
            "stopping"
        ]
    );
    assert_eq!(receipt.sequence, head.sequence + 3);
    assert!(kit.verify(Some(head)).is_ok());
    assert!(kit.verify(Some(log.head())).is_ok());
}

#[test]
fn a_disk_that_is_full_from_the_start_is_no_reason_not_to_start() {
    let kit = Kit::new();
    kit.faults.full.store(true, Ordering::SeqCst);
    let (log, _) = kit.open();
    assert_eq!(append(&log, Event::Started), Err(AppendError::Full));
    assert_eq!(kit.files().len(), 0);
    kit.faults.full.store(false, Ordering::SeqCst);
    assert_eq!(append(&log, Event::Started).unwrap().sequence, 2);
}

#[test]
fn a_write_that_fails_is_not_acknowledged_and_leaves_no_trace() {
    for fault in 0..2 {
        let kit = Kit::new();
        let fault = match fault {
            0 => kit.faults.no_write.clone(),
            _ => kit.faults.no_synchronise.clone(),
        };
        let (log, _) = kit.open();
        append(&log, Event::Started).unwrap();
        fault.store(true, Ordering::SeqCst);
        for _ in 0..3 {
            let refused = append(&log, Event::StateSaved);
            assert_eq!(refused, Err(AppendError::Unavailable));
        }
        assert_eq!(log.head().sequence, 1);
        fault.store(false, Ordering::SeqCst);
        append(&log, Event::Stopping).unwrap();
        log.close();
        let expected = ["started", "audit log: can be written again", "stopping"];
        assert_eq!(kit.lines(), expected);
        assert_eq!(kit.verify(Some(log.head())).unwrap().entries, 3);
    }
}

#[test]
fn nothing_goes_on_after_a_write_that_failed_until_it_is_cut_off() {
    let kit = Kit::new();
    let (log, _) = kit.open();
    append(&log, Event::Started).unwrap();
    kit.faults.no_write.store(true, Ordering::SeqCst);
    assert!(append(&log, Event::StateSaved).is_err());
    kit.faults.no_write.store(false, Ordering::SeqCst);
    kit.faults.no_cut.store(true, Ordering::SeqCst);
    assert!(append(&log, Event::StateSaved).is_err());
    assert_eq!(kit.files().len(), 1);
    kit.faults.no_cut.store(false, Ordering::SeqCst);
    append(&log, Event::Stopping).unwrap();
    log.close();
    assert_eq!(kit.verify(Some(log.head())).unwrap().entries, 3);
}

#[test]
fn a_daemon_that_dies_on_a_broken_disk_leaves_a_log_that_goes_on() {
    let kit = Kit::new();
    let (log, _) = kit.open();
    append(&log, Event::Started).unwrap();
    let head = log.head();
    kit.faults.no_write.store(true, Ordering::SeqCst);
    kit.faults.no_cut.store(true, Ordering::SeqCst);
    assert!(append(&log, Event::StateSaved).is_err());
    drop(log);
    kit.faults.no_write.store(false, Ordering::SeqCst);
    kit.faults.no_cut.store(false, Ordering::SeqCst);
    let (log, recovered) = kit.open();
    assert_eq!(recovered.head, head);
    assert_eq!(recovered.cut.map(|cut| cut.segment), Some(1));
    append(&log, Event::Stopping).unwrap();
    log.close();
    assert_eq!(kit.verify(Some(head)).unwrap().entries, 3);
}
