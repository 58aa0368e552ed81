//! Whoever has the line.

use earnest_wire::{PairingKey, Switch};
use proptest::prelude::*;

use super::kit::*;
use crate::GuardState;

/// The frames in what went over the line, with the zeros around each.
fn frames(bytes: &[u8]) -> Vec<Vec<u8>> {
    let frames = bytes.split(|byte| *byte == 0);
    frames
        .filter(|frame| !frame.is_empty())
        .map(|frame| [&[0], frame, &[0]].concat())
        .collect()
}

#[test]
fn what_was_said_before_unmutes_nothing() {
    let mut bench = Bench::live();
    bench.run(2_000);
    let said = frames(&bench.to_host);
    assert!(said.len() > 5);
    bench.switch = Switch::Muted;
    bench.run(100);
    assert_eq!(bench.state(), GuardState::Muted);
    for frame in said.iter().chain(said.iter().rev()) {
        bench.hear(frame);
        assert_eq!(bench.state(), GuardState::Muted);
    }
    assert!(bench.host.report().line.replayed > 5);
    // Nor does it in the next session.
    bench.host.lost();
    bench.open();
    for frame in &said {
        bench.hear(frame);
        assert_eq!(bench.state(), GuardState::Connecting);
    }
    bench.run(500);
    assert_eq!(bench.state(), GuardState::Muted);
}

#[test]
fn a_bit_that_is_changed_makes_a_frame_nobodys() {
    let mut bench = Bench::live();
    bench.to_host.clear();
    bench.switch = Switch::Muted;
    // The guard says it, and a tapped line changes it before the host hears.
    bench.host_runs = false;
    bench.run(3);
    bench.host_runs = true;
    bench.run(1);
    assert_eq!(bench.state(), GuardState::Muted);
    for frame in frames(&bench.to_host.clone()) {
        for place in 0..frame.len() {
            for bit in 0..8 {
                let mut frame = frame.clone();
                frame[place] ^= 1 << bit;
                bench.hear(&frame);
                bench.hear(&[0]);
                assert_eq!(bench.state(), GuardState::Muted);
            }
        }
    }
}

#[test]
fn a_guard_with_another_key_says_nothing_that_counts() {
    let mut bench = Bench::live();
    let forger = PairingKey::new([9; 32]);
    let mut guard = earnest_wire::guard::Link::new(identity(), 1, Some(forger.clone()));
    // It answers a greeting of the host's with its own key, again and again.
    bench.host.lost();
    bench.runs = false;
    bench.open();
    for _ in 0..20 {
        let welcome = guard.welcome([3; 16]).unwrap();
        bench.hear(welcome.as_bytes());
        assert!(!bench.host.has_session());
    }
    assert_eq!(bench.state(), GuardState::Unpaired);
    assert_eq!(bench.host.report().line.forged, 20);
}

#[test]
fn noise_and_floods_cost_a_session_nothing() {
    let mut bench = Bench::live();
    let mut dice = fastrand::Rng::with_seed(7);
    for _ in 0..1_000 {
        let noise: Vec<u8> = std::iter::repeat_with(|| dice.u8(..)).take(1_024).collect();
        bench.hear(&noise);
        // What was under way when the noise came is lost with it.
        bench.hear(&[0]);
        bench.run(5);
        assert!(bench.host.outgoing().len() <= crate::core::MOST_WAITING);
    }
    assert_eq!(bench.state(), GuardState::Live);
    assert_eq!(bench.host.report().sessions, 1);
    assert!(bench.host.report().line.noise > 1_000);
}

proptest! {
    #[test]
    fn no_bytes_make_a_guard_live(
        pieces in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..80), 0_u64..400), 0..40)
    ) {
        let mut host = core();
        let mut now = std::time::Duration::ZERO;
        host.pair(key(), None, now);
        host.want(true, now);
        host.opened(now);
        for (bytes, passed) in pieces {
            now += std::time::Duration::from_millis(passed);
            host.receive(&bytes, now);
            host.tick(now);
            let sent = host.outgoing().len();
            host.sent(sent);
            prop_assert!(!host.report().state.is_there());
            prop_assert!(host.deadline().is_some());
        }
    }

    /// Live is said while the rail carries power, or did so within the last second.
    #[test]
    fn live_is_never_said_long_after_the_rail_went_dead(
        steps in prop::collection::vec((0_u8..7, 1_u64..700), 1..60)
    ) {
        let mut bench = Bench::paired();
        bench.open();
        let mut dead = 0;
        for (what, passed) in steps {
            match what {
                0 => bench.want(true),
                1 => bench.want(false),
                2 => bench.switch = Switch::Open,
                3 => bench.switch = Switch::Muted,
                4 => bench.runs = !bench.runs,
                5 => { bench.host.lost(); bench.open(); }
                _ => {}
            }
            for _ in 0..passed {
                bench.run(1);
                dead = if bench.rail() { 0 } else { dead + 1 };
                prop_assert!(bench.state() != GuardState::Live || dead <= 1_002, "{dead}");
            }
        }
    }
}
