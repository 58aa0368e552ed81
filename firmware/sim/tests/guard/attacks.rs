//! Attacks on the guard, each with the rail around it: what counts is whether sound flows.

use std::time::Duration;

use crate::kit::{Host, key};
use earnest_sim::{Bench, Firmware, Kept};
use earnest_wire::host::Event;
use earnest_wire::{Reason, Switch, Why};

const MOMENT: Duration = Duration::from_millis(50);

/// A paired guard with its switch open, a host that has its session, and no announcement.
fn ready() -> (Bench, Host) {
    let mut bench = Bench::new(Firmware::Honest, Kept::default());
    let mut host = Host::new();
    host.pair(&mut bench);
    host.meet(&mut bench);
    bench.slide(Switch::Open);
    bench.pass(MOMENT);
    host.heartbeat(&mut bench);
    assert_eq!(bench.picture().why, Why::NotAnnounced);
    (bench, host)
}

/// What of a sound comes through the microphone.
fn sound_flows(bench: &Bench) -> bool {
    let mut sound = [0.5; 16];
    bench.rail().hear(&mut sound);
    assert_eq!(bench.picture().light, sound != [0.0; 16], "the light lies");
    sound != [0.0; 16]
}

#[test]
fn the_way_to_sound_is_there_to_be_attacked() {
    let (mut bench, mut host) = ready();
    assert!(!sound_flows(&bench));
    host.announce(&mut bench);
    assert!(sound_flows(&bench));
    bench.slide(Switch::Muted);
    assert!(!sound_flows(&bench));
}

#[test]
fn a_replayed_announcement_brings_no_sound() {
    let (mut bench, mut host) = ready();
    let announcement = host.announcement();
    host.send(&mut bench, announcement.as_bytes());
    assert!(sound_flows(&bench));
    bench.slide(Switch::Muted);
    bench.slide(Switch::Open);
    bench.pass(MOMENT);
    host.send(&mut bench, announcement.as_bytes());
    assert!(!sound_flows(&bench));
    assert_eq!(bench.picture().faults.replayed, 1);
    // In the next session the same bytes are worth no more.
    host.meet(&mut bench);
    host.heartbeat(&mut bench);
    host.send(&mut bench, announcement.as_bytes());
    assert!(!sound_flows(&bench));
}

#[test]
fn an_announcement_that_its_withdrawal_overtook_brings_no_sound() {
    let (mut bench, mut host) = ready();
    let announcement = host.announcement();
    let withdrawal = host.link.announce(false).expect("there is a session");
    host.send(&mut bench, withdrawal.as_bytes());
    host.send(&mut bench, announcement.as_bytes());
    assert!(!sound_flows(&bench));
    let faults = bench.picture().faults;
    assert_eq!((faults.replayed, faults.lost), (1, 1));
}

#[test]
fn no_forged_announcement_brings_sound() {
    let (mut bench, mut host) = ready();
    let announcement = host.announcement();
    for at in 0..announcement.as_bytes().len() {
        for bit in 0..8 {
            let mut forged = announcement.as_bytes().to_vec();
            forged[at] ^= 1 << bit;
            // Ended anew, as the forgery may have eaten the end.
            forged.push(0);
            // A zero that became something else is not part of the frame, and one more zero before
            // or behind it changes nothing.
            let inside = at > 0 && at + 1 < announcement.as_bytes().len();
            if inside {
                let before = bench.picture().refused();
                host.send(&mut bench, &forged);
                assert!(!sound_flows(&bench), "bit {bit} of byte {at}");
                assert!(bench.picture().refused() > before);
            }
        }
    }
}

#[test]
fn no_truncated_announcement_brings_sound() {
    let (mut bench, mut host) = ready();
    let announcement = host.announcement();
    let whole = announcement.as_bytes();
    for length in 0..whole.len() - 1 {
        let mut truncated = whole[..length].to_vec();
        truncated.push(0);
        host.send(&mut bench, &truncated);
        assert!(!sound_flows(&bench), "the first {length} bytes");
    }
    assert!(bench.picture().refused() > 0);
    // Nothing of it stays in the way of the real one.
    host.send(&mut bench, whole);
    assert!(sound_flows(&bench));
}

#[test]
fn a_frame_of_another_version_is_refused_by_that_name() {
    let (mut bench, mut host) = ready();
    let mut announcement = host.announcement().as_bytes().to_vec();
    // A zero and COBS's first count stand before it.
    assert_eq!(announcement[2], earnest_wire::VERSION);
    announcement[2] += 1;
    let events = host.send(&mut bench, &announcement);
    assert!(!sound_flows(&bench));
    assert_eq!(bench.picture().faults.wrong_version, 1);
    let proved = false;
    let reason = Reason::Version;
    assert_eq!(events, [Event::Refused { reason, proved }]);
}

#[test]
fn a_flood_neither_brings_sound_nor_stops_the_switch() {
    let (mut bench, mut host) = ready();
    host.announce(&mut bench);
    let flood = Host::new().link.hello([9; 16]);
    for _ in 0..20_000 {
        // Nobody reads the answers either.
        bench.receive(flood.as_bytes());
    }
    assert!(sound_flows(&bench), "a flood is no reason to cut");
    bench.slide(Switch::Muted);
    assert!(!sound_flows(&bench));
    host.hear(&mut bench);
    let events = host.heartbeat(&mut bench);
    let muted = |event: &Event| matches!(event, Event::State(state) if state.why == Why::Muted);
    assert!(events.iter().any(muted), "{events:?}");
}

#[test]
fn announcements_in_a_flood_are_refused_and_counted() {
    let (mut bench, mut host) = ready();
    for _ in 0..100 {
        host.announce(&mut bench);
    }
    assert!(bench.picture().faults.refused_announcements >= 96);
}

#[test]
fn a_megabyte_of_noise_brings_no_sound_and_ends_nothing() {
    let (mut bench, mut host) = ready();
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..1_024 {
        let noise: Vec<u8> = (0..1_024).map(|_| random.u8(..)).collect();
        host.send(&mut bench, &noise);
        assert!(!sound_flows(&bench));
    }
    assert!(bench.picture().refused() > 1_000);
    host.send(&mut bench, &[0]);
    host.announce(&mut bench);
    assert!(sound_flows(&bench), "the session outlives the noise");
}

#[test]
fn firmware_that_says_unmuted_gets_no_sound_past_the_switch() {
    let mut bench = Bench::new(Firmware::Lying { key: key() }, Kept::default());
    let mut host = Host::new();
    host.meet(&mut bench);
    host.heartbeat(&mut bench);
    let events = host.announce(&mut bench);
    let live = |event: &Event| matches!(event, Event::State(state) if state.is_live());
    assert!(events.iter().any(live), "the lie is told, with proof");
    assert!(bench.rail().gate(), "and the gate is driven");
    assert!(!sound_flows(&bench));
    assert!(!bench.picture().light);
    // It may keep the microphone on while the switch is open, but not in the dark.
    bench.slide(Switch::Open);
    assert!(sound_flows(&bench));
    assert!(bench.picture().light);
    bench.slide(Switch::Muted);
    bench.pass(Duration::from_secs(60));
    assert!(!sound_flows(&bench));
}

#[test]
fn a_host_that_claims_to_be_live_without_a_heartbeat_gets_no_sound() {
    let (mut bench, mut host) = ready();
    host.announce(&mut bench);
    assert!(sound_flows(&bench));
    bench.pass(Duration::from_millis(999));
    assert!(sound_flows(&bench));
    // Whatever else it says is no heartbeat.
    host.announce(&mut bench);
    bench.pass(Duration::from_millis(1));
    assert!(!sound_flows(&bench));
    assert_eq!(bench.picture().faults.watchdog_trips, 1);
    bench.pass(Duration::from_secs(10));
    let events = host.announce(&mut bench);
    assert!(!sound_flows(&bench));
    let (reason, proved) = (Reason::NoHeartbeat, true);
    assert!(
        events.contains(&Event::Refused { reason, proved }),
        "{events:?}"
    );
    // A heartbeat alone does not bring it back either.
    host.heartbeat(&mut bench);
    assert!(!sound_flows(&bench));
    host.announce(&mut bench);
    assert!(sound_flows(&bench));
}

#[test]
fn a_reset_lets_go_of_the_microphone_and_keeps_the_counters() {
    let (mut bench, mut host) = ready();
    host.announce(&mut bench);
    host.send(&mut bench, &[0, 1, 2, 3, 0]);
    // Counters are written once a minute at most.
    bench.pass(Duration::from_secs(61));
    let before = bench.picture();
    bench.reset();
    let after = bench.picture();
    assert!(!sound_flows(&bench));
    assert!(!after.session);
    assert_eq!(after.boots, before.boots + 1);
    assert_eq!(after.faults.malformed, before.faults.malformed);
    assert_eq!(after.faults.resets, before.faults.resets + 1);
}
