//! Writing, reading, and what is noted by whom.

use std::os::unix::fs::PermissionsExt as _;

use earnest_telemetry::{Action, App, Door, Event, KeyKind, Refusal, Scope};

use super::kit::{BEGIN, Kit, append, line, refused, secret, wait};
use crate::*;

#[test]
fn entries_are_read_as_they_were_written_and_numbered_across_openings() {
    let kit = Kit::new();
    let (log, recovered) = kit.open();
    assert_eq!((recovered.entries, recovered.head), (0, Head::START));
    let begun = Event::RequestBegun {
        request: 7,
        app: App::new("notes"),
        uid: 1000,
        scope: Scope::Transcribe,
        door: Door::Unix,
        trace: None,
    };
    assert_eq!(append(&log, Event::Started), Ok(Receipt { sequence: 1 }));
    let note = Note::of(begun.clone()).in_request(7);
    assert_eq!(append(&log, note), Ok(Receipt { sequence: 2 }));
    let head = log.head();
    drop(log);
    let (log, recovered) = kit.open();
    assert_eq!((recovered.entries, recovered.head), (2, head));
    assert!(recovered.damaged.is_empty() && recovered.cut.is_none());
    log.note(Event::Stopping);
    log.close();
    let entries = kit.entries();
    let expected = Entry {
        sequence: 2,
        wall_milliseconds: BEGIN * 1000,
        boot_milliseconds: 100_000,
        request: Some(7),
        times: 1,
        event: begun,
    };
    assert_eq!(entries[1], expected);
    assert_eq!(entries[2].sequence, 3);
    assert_eq!(line(&entries[2]), "stopping");
    let verified = kit.verify(Some(log.head())).unwrap();
    let counted = (verified.segments, verified.entries, verified.first);
    assert_eq!(counted, (2, 3, Some(1)));
    assert_eq!(verified.anchored, Anchored::Held);
    assert_eq!(kit.verify(Some(head)).unwrap().anchored, Anchored::Held);
}

#[test]
fn a_reader_begins_where_it_is_told_and_sees_what_is_written_meanwhile() {
    let kit = Kit::new();
    kit.fill(3);
    kit.fill(3);
    let (log, _) = kit.open();
    append(&log, Event::Stopping).unwrap();
    let reader = Reader::open(kit.path(), &[secret(7)]).unwrap();
    for after in 0..9 {
        let sequences: Vec<u64> = reader
            .after(after)
            .map(|one| one.unwrap().sequence)
            .collect();
        assert_eq!(sequences, (after + 1..=7).collect::<Vec<u64>>());
    }
    assert_eq!(kit.verify(None).unwrap().entries, 7);
}

#[test]
fn nothing_of_an_entry_is_on_the_disk_and_none_but_the_owner_reads_it() {
    let kit = Kit::new();
    let (log, _) = kit.open();
    for name in ["notes", "a-rather-long-name-of-an-application"] {
        let app = App::new(name);
        append(&log, Event::AppAdded { app }).unwrap();
    }
    log.close();
    let path = &kit.files()[0];
    let bytes = std::fs::read(path).unwrap();
    for word in ["notes", "rather", "app_added"] {
        assert!(
            !bytes
                .windows(word.len())
                .any(|part| part == word.as_bytes())
        );
    }
    // Nor does their length tell them apart.
    assert_eq!((bytes.len() - 160) % 2, 0);
    let mode = std::fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_rotated_key_reads_what_came_after_it_alone() {
    let kit = Kit::new();
    let (log, _) = kit.open();
    append(&log, Event::Started).unwrap();
    wait(log.rotate(secret(8).public())).unwrap();
    append(&log, Event::Stopping).unwrap();
    log.close();
    assert_eq!(kit.lines(), ["started", "stopping"]);
    let reader = Reader::open(kit.path(), &[secret(8)]).unwrap();
    let read: Vec<Result<Entry, ReadError>> = reader.after(0).collect();
    assert!(matches!(
        read[0],
        Err(ReadError::NoKey { segment: 1, key }) if key == secret(7).public().id()
    ));
    assert_eq!(line(read[1].as_ref().unwrap()), "stopping");
    assert_eq!(kit.verify(None).unwrap().segments, 2);
}

#[test]
fn two_do_not_write_one_log_and_a_closed_one_takes_nothing() {
    let kit = Kit::new();
    let (log, _) = kit.open();
    assert!(matches!(kit.try_open(), Err(OpenError::Held(_))));
    let other = log.clone();
    log.close();
    assert_eq!(append(&other, Event::Started), Err(AppendError::Closed));
    assert!(!other.status().available);
    assert!(kit.try_open().is_ok());
}

#[test]
fn bounds_that_contradict_each_other_are_refused() {
    let mut kit = Kit::new();
    for (segment_bytes, most_bytes) in [(1, 1 << 20), (128 << 10, 500 << 10), (1 << 40, 1 << 50)] {
        kit.options.segment_bytes = segment_bytes;
        kit.options.most_bytes = most_bytes;
        let refused = kit.try_open().unwrap_err();
        assert!(matches!(refused, OpenError::Bounds { .. }));
    }
}

#[test]
fn what_telemetry_shows_is_noted_once_and_what_others_append_is_not() {
    let kit = Kit::new();
    let (log, _) = kit.open();
    let observer = log.clone();
    assert!(
        kit.telemetry
            .attach(move |recorded| observer.observe(recorded))
    );
    let (uid, action) = (1000, Action::ReadAudit);
    kit.telemetry.record(Event::StateSaved);
    kit.telemetry.record(refused(1, Refusal::Busy));
    kit.telemetry.record(Event::OperatorAction { uid, action });
    kit.telemetry.record(Event::AuditUnavailable);
    kit.telemetry.record(Event::KeysRotated {
        which: KeyKind::Tokens,
        now: false,
    });
    log.close();
    assert_eq!(kit.lines(), ["state saved", "keys rotated: tokens"]);
}

#[test]
fn a_flood_of_refusals_takes_a_few_entries_and_loses_none() {
    let kit = Kit::new();
    let (log, _) = kit.open();
    for request in 0..5000 {
        let note = Note::of(refused(1, Refusal::BadToken)).in_request(request);
        log.note(note);
    }
    log.note(refused(2, Refusal::BadToken));
    log.close();
    let entries = kit.entries();
    let times: Vec<u32> = entries.iter().map(|entry| entry.times).collect();
    assert_eq!(times, [1, 1, 1, 3, 30, 300, 3000, 1, 1664]);
    assert_eq!(times.iter().sum::<u32>(), 5001);
}

#[test]
fn what_comes_faster_than_the_disk_is_counted_and_told() {
    let kit = Kit::new();
    let (log, _) = kit.open();
    for _ in 0..200_000 {
        log.note(Event::StateSaved);
    }
    log.close();
    let mut written = 0;
    for entry in kit.entries() {
        match entry.event {
            Event::AuditLost { events } => written += events,
            Event::StateSaved => written += 1,
            Event::AuditPurged { through, .. } => written = written.max(through),
            _ => {}
        }
    }
    let lost = log.status().lost;
    assert_eq!(kit.telemetry.counters().audit_lost, lost);
    assert!(lost > 0, "the disk kept up, so that nothing was tried");
    assert!(written <= 200_000);
    assert!(kit.verify(Some(log.head())).is_ok());
}

#[test]
fn many_who_wait_are_answered_each_with_a_number_of_its_own() {
    let kit = Kit::new();
    let (log, _) = kit.open();
    let mut numbers: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let receipts = (0..20).map(|_| append(&log, Event::Started));
                    receipts
                        .map(|receipt| receipt.expect("there is room").sequence)
                        .collect::<Vec<u64>>()
                })
            })
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined
            .flat_map(|numbers| numbers.expect("it ended well"))
            .collect()
    });
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=160).collect::<Vec<u64>>());
    assert_eq!(log.head().sequence, 160);
}
