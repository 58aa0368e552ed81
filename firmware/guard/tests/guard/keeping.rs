//! What survives a reset, and what happens where it does not.

use std::collections::HashSet;

use earnest_wire::host::Event;
use earnest_wire::{Reason, Why};

use crate::kit::Bench;

#[test]
fn key_starts_and_faults_survive_a_reset_and_nothing_else_does() {
    let mut bench = Bench::live();
    bench.pass(1_000);
    let before = bench.guard.faults();
    assert_eq!((before.watchdog_trips, before.resets), (1, 0));
    assert_eq!(bench.guard.boots(), 1);
    bench.reset();
    assert!(bench.guard.is_paired() && !bench.guard.has_session() && !bench.guard.power());
    assert_eq!(bench.guard.boots(), 2);
    let after = bench.guard.faults();
    assert_eq!((after.watchdog_trips, after.resets), (1, 1));
    bench.open();
    bench.pass(50);
    assert_eq!(bench.guard.why(), Why::NoSession);
    bench.shake_hands();
    bench.heartbeat();
    bench.announce(true);
    assert!(bench.guard.power());
}

#[test]
fn a_key_is_taken_once() {
    let mut bench = Bench::new();
    bench.pair();
    assert!(matches!(bench.heard[..], [Event::Paired { .. }]));
    bench.heard.clear();
    for _ in 0..2 {
        bench.pair();
        assert_eq!(bench.refusals(), [Reason::HasKey]);
        bench.reset();
    }
}

#[test]
fn no_two_handshakes_have_one_nonce_whatever_is_reset_between() {
    let mut bench = Bench::new();
    bench.pair();
    let mut nonces = HashSet::new();
    for _ in 0..20 {
        for _ in 0..5 {
            // The same hello each time. What answers it differs by the guard's nonce alone.
            let hello = bench.host.hello([1; 16]);
            bench
                .guard
                .receive(hello.as_bytes(), bench.now, &mut bench.out);
            let mut welcome = Vec::new();
            while let Some(byte) = bench.out.pop() {
                welcome.push(byte);
            }
            assert!(welcome.len() > 60);
            assert!(nonces.insert(welcome), "a nonce came twice");
        }
        bench.reset();
    }
}

#[test]
fn a_write_cut_short_at_any_time_costs_no_key_and_no_start() {
    for left in 0..6 {
        let mut bench = Bench::live();
        bench.reset();
        bench.store.0.borrow_mut().left = left;
        // Power goes and comes while the guard starts and counts.
        for _ in 0..4 {
            bench.reset();
        }
        let boots = bench.guard.boots();
        let whole = (left / 2) as u32;
        assert!(boots > 2 + whole.saturating_sub(1), "{left}: {boots}");
        bench.store.0.borrow_mut().left = usize::MAX;
        bench.reset();
        assert!(bench.guard.is_paired(), "{left}");
        // One more than the greatest with which a handshake could have been had.
        assert!(
            bench.guard.boots() > 2 + whole,
            "{left}: {}",
            bench.guard.boots()
        );
        bench.shake_hands();
        assert!(bench.guard.has_session(), "{left}");
    }
}

#[test]
fn one_broken_place_is_made_up_for_by_the_other() {
    for place in 0..2 {
        let mut bench = Bench::live();
        bench.reset();
        bench.store.0.borrow_mut().records[place][20] ^= 1;
        bench.reset();
        assert!(bench.guard.is_paired());
        assert_eq!(bench.guard.boots(), 3, "a start is never counted twice");
    }
}

#[test]
fn with_both_places_broken_the_guard_is_as_new() {
    let mut bench = Bench::live();
    for record in &mut bench.store.0.borrow_mut().records {
        record[20] ^= 1;
    }
    bench.reset();
    assert!(!bench.guard.is_paired());
    assert_eq!(bench.guard.faults(), Default::default());
    bench.hand = earnest_wire::Switch::Muted;
    bench.heard.clear();
    bench.pair();
    assert!(matches!(bench.heard[..], [Event::Paired { .. }]));
}

#[test]
fn a_guard_whose_memory_forgets_gives_no_session_and_takes_no_key() {
    for lies in [false, true] {
        let mut bench = Bench::new();
        bench.pair();
        {
            let mut places = bench.store.0.borrow_mut();
            (places.forgets, places.left) = (lies, 0);
        }
        bench.reset();
        bench.heard.clear();
        bench.shake_hands();
        assert_eq!(bench.refusals(), [Reason::Memory]);
        bench.open();
        bench.pass(50);
        assert_eq!(bench.guard.why(), Why::Memory);
    }
    let mut bench = Bench::new();
    bench.store.0.borrow_mut().left = 0;
    bench.pair();
    assert_eq!(bench.refusals(), [Reason::Memory]);
    assert!(!bench.guard.is_paired());
}

#[test]
fn a_flood_of_faults_is_written_once_a_minute() {
    let mut bench = Bench::live();
    let before = bench.store.0.borrow().writes;
    for _ in 0..1_000 {
        bench.send(&[0, 9, 9, 0]);
        bench.pass(100);
    }
    // 100 s: at the first fault, and at 60 s.
    let writes = bench.store.0.borrow().writes - before;
    assert!((2..=3).contains(&writes), "{writes} writes");
    // What is not written yet is, once the time has come, and then there is nothing to do.
    bench.pass(60_000);
    assert_eq!(bench.guard.deadline(), None);
    let faults = bench.guard.faults();
    bench.reset();
    assert_eq!(bench.guard.faults().malformed, faults.malformed);
    assert_eq!(faults.malformed, 1_000);
}
