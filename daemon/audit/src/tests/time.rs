//! What time and size ask for.

use std::time::Duration;

use earnest_telemetry::Event;

use super::kit::{BEGIN, Kit, append, refused, wait};
use crate::*;

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// An entry a day, for so many.
fn live(kit: &Kit, log: &Log, days: u32) {
    for _ in 0..days {
        append(log, Event::StateSaved).expect("there is room");
        kit.pass(DAY);
        wait(log.tend());
    }
}

#[test]
fn entries_go_when_their_time_has_come_and_that_is_written_down() {
    let kit = Kit::new();
    let (log, _) = kit.open();
    live(&kit, &log, 60);
    log.close();
    let entries = kit.entries();
    let oldest = entries[0].wall_milliseconds;
    let age = kit.wall.now() - Duration::from_millis(oldest);
    assert!(age <= 32 * DAY && age > 29 * DAY, "{age:?}");
    let verified = kit.verify(Some(log.head())).unwrap();
    assert!(verified.first.unwrap() > 20);
    // Each purge names the last entry that went, and the digest that the next segment goes on
    // from.
    let last = entries.iter().rev().find_map(|entry| match entry.event {
        Event::AuditPurged {
            through, digest, ..
        } => Some((through, digest)),
        _ => None,
    });
    let (sequence, digest) = last.unwrap();
    assert_eq!(Some(sequence + 1), verified.first);
    let purged = kit.verify(Some(Head { sequence, digest })).unwrap();
    assert_eq!(purged.anchored, Anchored::Held);
    let earlier = Head {
        sequence: sequence - 1,
        digest,
    };
    let purged = kit.verify(Some(earlier)).unwrap();
    assert_eq!(purged.anchored, Anchored::Purged);
}

#[test]
fn no_jump_of_the_wall_clock_removes_an_entry() {
    let kit = Kit::new();
    let (log, _) = kit.open();
    live(&kit, &log, 3);
    for jump in [10_000, 1, 3000, 0] {
        kit.wall.set(Duration::from_secs(BEGIN) + jump * DAY);
        wait(log.tend());
        append(&log, Event::StateSaved).unwrap();
        kit.pass(HOUR);
        wait(log.tend());
    }
    log.close();
    // An opening is no reason to believe it, either.
    kit.wall.set(Duration::from_secs(BEGIN) + 5000 * DAY);
    let (log, _) = kit.open();
    append(&log, Event::StateSaved).unwrap();
    log.close();
    assert_eq!(kit.entries().len(), 8);
}

#[test]
fn a_wall_clock_that_stays_ahead_is_believed_in_the_end() {
    let kit = Kit::new();
    let (log, _) = kit.open();
    live(&kit, &log, 3);
    kit.wall.set(kit.wall.now() + 100 * DAY);
    wait(log.tend());
    kit.pass(7 * HOUR);
    append(&log, Event::StateSaved).unwrap();
    log.close();
    assert!(kit.entries()[0].sequence > 1);
}

#[test]
fn a_device_whose_wall_clock_stands_still_forgets_all_the_same() {
    let kit = Kit::new();
    let (log, _) = kit.open();
    for _ in 0..60 {
        append(&log, Event::StateSaved).unwrap();
        kit.clock.advance(DAY);
        wait(log.tend());
    }
    log.close();
    assert!(kit.verify(None).unwrap().first.unwrap() > 20);
}

#[test]
fn many_short_days_add_up_across_openings() {
    let mut kit = Kit::new();
    kit.options.keep = 10 * DAY;
    for _ in 0..30 {
        let (log, _) = kit.open();
        append(&log, Event::Started).unwrap();
        kit.clock.advance(20 * HOUR);
        append(&log, Event::Stopping).unwrap();
        log.close();
    }
    let first = kit.verify(None).unwrap().first.unwrap();
    assert!(first > 20, "{first}");
}

#[test]
fn the_log_stays_within_its_size_by_forgetting_the_oldest() {
    let kit = Kit::new();
    let (log, _) = kit.open();
    let size = || -> u64 {
        let files = kit.files();
        files
            .iter()
            .map(|path| path.metadata().unwrap().len())
            .sum()
    };
    for _ in 0..120 {
        for _ in 0..50 {
            log.note(Event::StateSaved);
        }
        wait(log.tend());
        assert!(size() <= kit.options.most_bytes);
    }
    assert!(log.status().bytes <= kit.options.most_bytes);
    log.close();
    assert!(size() > kit.options.most_bytes / 2);
    let verified = kit.verify(Some(log.head())).unwrap();
    assert!(verified.first.unwrap() > 1);
    let purged = |entry: &Entry| matches!(entry.event, Event::AuditPurged { .. });
    assert!(kit.entries().iter().any(purged));
}

#[test]
fn counts_of_refusals_are_written_when_their_hour_is_over() {
    let kit = Kit::new();
    let (log, _) = kit.open();
    for _ in 0..5 {
        log.note(refused(1, earnest_telemetry::Refusal::Busy));
    }
    wait(log.tend());
    assert_eq!(kit.lines().len(), 3);
    kit.pass(HOUR);
    wait(log.tend());
    wait(log.tend());
    assert_eq!(
        kit.lines().last().unwrap(),
        "refused: busy (notes, uid 1) over unix x2"
    );
}
