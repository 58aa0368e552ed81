//! What a host and its guard go through.

use std::time::Duration;

use earnest_wire::Switch;

use super::kit::*;
use crate::{Cut, GuardState};

#[test]
fn it_is_found_announced_muted_and_unmuted_without_a_word_of_anybody() {
    let mut bench = Bench::paired();
    assert_eq!(bench.state(), GuardState::Connecting);
    bench.open();
    bench.run(50);
    assert_eq!(bench.state(), GuardState::Cut(Cut::Idle));
    assert_eq!(bench.host.report().identity, Some(identity()));
    assert!(!bench.rail() && !bench.host.report().light);
    bench.want(true);
    bench.run(100);
    assert_eq!(bench.state(), GuardState::Live);
    assert!(bench.rail() && bench.host.report().light);

    bench.switch = Switch::Muted;
    bench.run(3);
    assert_eq!(bench.state(), GuardState::Muted);
    assert!(!bench.host.report().light);
    bench.run(10_000);
    assert_eq!(bench.state(), GuardState::Muted);
    bench.switch = Switch::Open;
    bench.run(1_000);
    assert_eq!(bench.state(), GuardState::Live);

    bench.want(false);
    assert_eq!(bench.state(), GuardState::Cut(Cut::Idle));
    bench.run(5);
    assert!(!bench.rail() && !bench.host.report().light);
    let line = bench.host.report().line;
    assert_eq!(
        (line.noise, line.forged, line.replayed, line.lost),
        (0, 0, 0, 0)
    );
    assert_eq!(bench.host.report().faults.refused_announcements, 0);
}

#[test]
fn a_guard_that_falls_silent_is_live_no_more_and_found_again() {
    let mut bench = Bench::live();
    bench.beat();
    bench.runs = false;
    bench.run(990);
    bench.seen.clear();
    bench.run(20);
    assert_eq!(bench.seen, [GuardState::Live, GuardState::Connecting]);
    bench.run(3_000);
    assert_eq!(bench.state(), GuardState::Absent);
    bench.runs = true;
    // The longest pause between two greetings, and a moment.
    bench.run(5_200);
    assert_eq!(bench.state(), GuardState::Live);
    assert_eq!(bench.host.report().sessions, 2);
}

#[test]
fn a_guard_that_was_reset_is_greeted_anew() {
    let mut bench = Bench::live();
    bench.switch = Switch::Muted;
    bench.run(10);
    bench.reset();
    bench.switch = Switch::Open;
    bench.run(2_000);
    assert_eq!(bench.state(), GuardState::Live);
    assert_eq!(bench.host.report().sessions, 2);
    assert!(
        !bench.seen.contains(&GuardState::Absent),
        "{:?}",
        bench.seen
    );
}

#[test]
fn a_host_that_stood_still_learns_of_the_cut_and_announces_again() {
    let mut bench = Bench::live();
    bench.beat();
    bench.host_runs = false;
    bench.run(990);
    assert!(bench.rail());
    bench.run(20);
    assert!(!bench.rail());
    bench.run(2_000);
    bench.seen.clear();
    bench.host_runs = true;
    bench.run(1);
    assert_eq!(bench.state(), GuardState::Cut(Cut::Watchdog));
    assert_eq!(bench.host.report().trips, 1);
    bench.run(500);
    assert_eq!(bench.state(), GuardState::Live);
    // The same session: nobody was gone.
    assert_eq!(bench.host.report().sessions, 1);
}

#[test]
fn a_line_that_breaks_is_absent_at_once_and_begins_anew() {
    let mut bench = Bench::live();
    bench.host.lost();
    assert_eq!(bench.state(), GuardState::Absent);
    assert!(bench.host.outgoing().is_empty() && bench.host.deadline().is_none());
    bench.run(2_000);
    assert!(!bench.rail());
    bench.open();
    bench.run(500);
    assert_eq!(bench.state(), GuardState::Live);
}

#[test]
fn who_knows_no_key_or_another_is_unpaired() {
    let mut bench = Bench::unpaired();
    bench.open();
    bench.run(100);
    assert_eq!(bench.state(), GuardState::Unpaired);
    assert!(bench.to_guard.is_empty());
    // A key here, and none there.
    bench.host.pair(key(), None, bench.now);
    bench.run(1_000);
    assert_eq!(bench.state(), GuardState::Unpaired);

    let mut bench = Bench::paired();
    let other = earnest_wire::PairingKey::new([8; 32]);
    bench.host.pair(other, None, bench.now);
    bench.open();
    bench.run(5_000);
    assert_eq!(bench.state(), GuardState::Unpaired);
    // The right one comes.
    bench.host.pair(key(), Some(identity()), bench.now);
    bench.run(500);
    assert_eq!(bench.state(), GuardState::Cut(Cut::Idle));

    // Another guard with the right key.
    let mut bench = Bench::paired();
    let other = earnest_wire::Identity::of_chip(b"chip 2");
    bench.host.pair(key(), Some(other), bench.now);
    bench.open();
    bench.run(5_000);
    assert_eq!(bench.state(), GuardState::Unpaired);
}

#[test]
fn too_many_announcements_are_waited_out() {
    let mut bench = Bench::live();
    for _ in 0..12 {
        bench.want(false);
        bench.run(5);
        bench.want(true);
        bench.run(320);
    }
    assert!(!bench.rail());
    bench.run(3_000);
    assert_eq!(bench.state(), GuardState::Live);
    assert!(
        bench.seen.contains(&GuardState::Cut(Cut::Refused)),
        "{:?}",
        bench.seen
    );
}

#[test]
fn heartbeats_are_four_a_second_and_the_line_is_quiet_otherwise() {
    let mut bench = Bench::live();
    bench.run(1_000);
    bench.to_guard.clear();
    bench.run(9_000);
    // Zeros around each frame; two of them asks.
    let frames = bench.to_guard.iter().filter(|byte| **byte == 0).count() / 2;
    assert!((36..=39).contains(&frames), "{frames}");
}

#[test]
fn nobody_is_waited_for_who_does_not_read() {
    let mut host = core();
    let mut now = Duration::ZERO;
    host.pair(key(), None, now);
    host.opened(now);
    // An hour of greetings that nobody takes.
    while let Some(at) = host.deadline() {
        if at > Duration::from_secs(3_600) || host.is_stuck() {
            break;
        }
        now = now.max(at);
        host.tick(now);
    }
    assert!(host.is_stuck());
    host.lost();
    assert!(host.outgoing().is_empty());
}
