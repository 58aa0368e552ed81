//! Times, rates, the rail, and what is told when.

use earnest_guard::OUTBOX_BYTES;
use earnest_wire::host::Event;
use earnest_wire::{Reason, Switch, Trip, Why};
use embassy_time::{Duration, Instant};

use crate::kit::Bench;

#[test]
fn muting_counts_at_the_first_edge_and_opening_after_fifty_milliseconds_without_one() {
    let mut bench = Bench::live();
    bench.mute();
    assert!(!bench.guard.power());
    assert_eq!(bench.told().map(|state| state.why), Some(Why::Muted));
    // The contacts bounce: each edge to mute begins anew.
    for _ in 0..5 {
        bench.open();
        bench.pass(49);
        assert_eq!(bench.guard.why(), Why::Settling);
        bench.mute();
    }
    bench.open();
    bench.pass(49);
    assert_eq!(bench.state().switch, Switch::Muted);
    bench.pass(1);
    assert_eq!(bench.state().switch, Switch::Open);
}

#[test]
fn a_bounce_while_live_costs_the_announcement() {
    let mut bench = Bench::live();
    bench.mute();
    bench.open();
    bench.pass(50);
    bench.heartbeat();
    assert_eq!(bench.guard.why(), Why::NotAnnounced);
    bench.announce(true);
    assert!(bench.guard.power());
}

#[test]
fn the_watchdog_cuts_at_its_time_and_not_before() {
    let mut bench = Bench::live();
    bench.pass(999);
    assert!(bench.guard.power());
    bench.heartbeat();
    assert_eq!(
        bench.guard.deadline(),
        Some(bench.now + Duration::from_millis(1_000))
    );
    bench.pass(999);
    assert!(bench.guard.power());
    bench.heard.clear();
    bench.pass(1);
    assert!(!bench.guard.power());
    let state = bench.state();
    let trip = Trip {
        silent: 1_000,
        count: 1,
    };
    assert_eq!(bench.heard[0], Event::Trip(trip));
    assert_eq!(bench.told(), Some(state));
    assert_eq!(state.why, Why::NoHeartbeat);
    // A heartbeat alone brings nothing back.
    bench.heartbeat();
    assert_eq!(bench.guard.why(), Why::NotAnnounced);
    bench.announce(true);
    assert!(bench.guard.power());
}

#[test]
fn a_guard_that_was_called_late_cuts_before_it_takes_the_late_heartbeat() {
    let mut bench = Bench::live();
    let heartbeat = bench.host.heartbeat().expect("a session");
    bench.now += Duration::from_millis(5_000);
    bench.say(&heartbeat);
    assert_eq!(bench.guard.why(), Why::NotAnnounced);
    assert!(bench.heard.contains(&Event::Trip(Trip {
        silent: 5_000,
        count: 1
    })));
}

#[test]
fn time_that_goes_back_stands_still() {
    let mut bench = Bench::live();
    bench.pass(900);
    let now = bench.now;
    bench.now = Instant::from_millis(0);
    bench.settle();
    assert!(bench.guard.power());
    bench.now = now + Duration::from_millis(100);
    bench.settle();
    assert!(!bench.guard.power());
}

#[test]
fn announcements_come_four_at_once_and_then_one_a_second() {
    let mut bench = Bench::live();
    for _ in 0..3 {
        bench.announce(false);
        bench.announce(true);
        assert!(bench.guard.power());
    }
    bench.heard.clear();
    for refused in 1..20 {
        // Taking back is never refused.
        bench.announce(false);
        bench.announce(true);
        assert!(!bench.guard.power());
        assert_eq!(bench.refusals(), [Reason::Rate]);
        assert_eq!(bench.guard.faults().refused_announcements, refused);
    }
    for _ in 0..4 {
        bench.pass(250);
        bench.heartbeat();
    }
    bench.announce(true);
    assert!(bench.guard.power());
    bench.announce(true);
    assert_eq!(bench.refusals(), [Reason::Rate]);
    // What was refused takes nothing back.
    assert!(bench.guard.power());
}

#[test]
fn a_rail_that_carries_power_against_the_command_is_told_and_counted_once() {
    let mut bench = Bench::live();
    bench.mute();
    bench.heard.clear();
    // Somebody bridges the switch.
    bench.guard.rail(true, bench.now, &mut bench.out);
    let begins = bench.now + Duration::from_millis(20);
    assert!(bench.guard.deadline().is_some_and(|at| at <= begins));
    for (milliseconds, expected) in [(19, false), (1, true), (100, true)] {
        bench.now += Duration::from_millis(milliseconds);
        bench.guard.tick(bench.now, &mut bench.out);
        bench.listen();
        assert_eq!(bench.state().contradiction, expected);
    }
    let state = bench.told().expect("the host is told");
    assert!(state.contradiction && state.power && state.light && !state.is_live());
    assert_eq!(bench.guard.faults().contradictions, 1);
    bench.settle();
    assert!(!bench.state().contradiction);
    bench.guard.rail(true, bench.now, &mut bench.out);
    bench.now += Duration::from_millis(20);
    bench.guard.tick(bench.now, &mut bench.out);
    assert_eq!(bench.guard.faults().contradictions, 2);
}

#[test]
fn a_rail_that_stays_dark_against_the_command_is_not_live() {
    let mut bench = Bench::live();
    bench.guard.rail(false, bench.now, &mut bench.out);
    bench.now += Duration::from_millis(20);
    bench.guard.tick(bench.now, &mut bench.out);
    let state = bench.state();
    assert!(state.contradiction && !state.power && !state.is_live());
    assert!(
        bench.guard.power(),
        "the command stands: who cut the rail may let go of it"
    );
}

#[test]
fn a_new_session_begins_without_announcement_and_heartbeat() {
    let mut bench = Bench::live();
    let hello = bench.host.hello([99; 16]);
    bench.say(&hello);
    assert!(
        bench.guard.power(),
        "a hello proves nothing, so it changes nothing"
    );
    let Some(Event::Welcome { confirm, .. }) = bench.heard.last().cloned() else {
        panic!("a welcome");
    };
    bench.say(&confirm);
    assert_eq!(bench.guard.why(), Why::NoHeartbeat);
    assert_eq!(bench.told().map(|state| state.why), Some(Why::NoHeartbeat));
}

#[test]
fn whoever_asks_is_told_state_and_faults() {
    let mut bench = Bench::live();
    let ask = bench.host.ask().expect("a session");
    bench.say(&ask);
    let faults = bench.guard.faults();
    let state = bench.state();
    assert_eq!(bench.heard, [Event::State(state), Event::Faults(faults)]);
}

#[test]
fn where_there_is_no_room_to_tell_it_is_told_later_and_no_number_is_left_out() {
    let mut bench = Bench::live();
    // The line takes nothing, and the host goes on.
    let heartbeats = [(); 100].map(|()| bench.host.heartbeat().expect("a session"));
    for heartbeat in &heartbeats {
        bench
            .guard
            .receive(heartbeat.as_bytes(), bench.now, &mut bench.out);
        assert!(bench.out.len() <= OUTBOX_BYTES);
    }
    bench.hand = Switch::Muted;
    bench.guard.switch(bench.hand, bench.now, &mut bench.out);
    assert!(!bench.guard.power());
    // The bench holds the guard to its numbers.
    bench.settle();
    assert_eq!(bench.told(), Some(bench.state()));
    assert_eq!(bench.state().why, Why::Muted);
    assert_eq!(bench.faults, []);
}
