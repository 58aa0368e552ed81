//! Attacks on the line, with the microphone live and with the switch at mute: nothing is believed,
//! nothing is left standing, everything is counted.

use earnest_wire::frame::checksum;
use earnest_wire::{Faults, Frame, MAX_FRAME, MAX_RAW, Reason, Why};
use fastrand::Rng;

use crate::kit::Bench;

/// Plays an attack on a live guard, on a muted one, and on one that was unmuted and knows of no
/// announcement; expects it to change none, to leave the line in working order, and to be counted.
fn check(attack: impl Fn(&mut Bench), count: impl Fn(&Faults) -> u32, least: u32) {
    for stage in 0..3 {
        let mut bench = Bench::live();
        if stage > 0 {
            bench.mute();
        }
        if stage > 1 {
            bench.open();
            bench.pass(50);
        }
        let (before, counted) = (bench.state(), count(&bench.guard.faults()));
        attack(&mut bench);
        assert_eq!(bench.state(), before, "stage {stage}");
        assert_eq!(bench.guard.power(), stage == 0);
        let counted = count(&bench.guard.faults()) - counted;
        assert!(counted >= least, "stage {stage}: counted {counted}");
        bench.heard.clear();
        bench.heartbeat();
        assert_eq!(bench.told(), Some(before), "stage {stage}");
    }
}

/// What a frame is before it is coded.
fn raw(frame: &Frame) -> Vec<u8> {
    let coded = frame.as_bytes();
    let mut raw = [0; MAX_RAW];
    let length = cobs::decode(&coded[1..coded.len() - 1], &mut raw).expect("a frame is COBS");
    raw[..length].to_vec()
}

fn line(raw: &[u8]) -> Vec<u8> {
    let mut line = vec![0; MAX_FRAME];
    let coded = cobs::encode(raw, &mut line[1..]);
    line.truncate(coded + 2);
    line
}

#[test]
fn replayed_frames() {
    // The attacker has heard a whole course, announcement and all.
    let attack = |bench: &mut Bench| {
        let announce = bench.host.announce(true).expect("a session");
        let frames: Vec<Frame> = (0..10)
            .map(|_| bench.host.heartbeat().expect("a session"))
            .collect();
        // The last one passes, the others come late, all of them many times.
        bench.say(&frames[9]);
        for _ in 0..5 {
            bench.say(&announce);
            frames.iter().for_each(|frame| bench.say(frame));
        }
    };
    check(attack, |faults| faults.replayed, 55);
}

#[test]
fn reordered_frames() {
    let attack = |bench: &mut Bench| {
        let announce = bench.host.announce(true).expect("a session");
        let withdraw = bench.host.announce(false).expect("a session");
        let restored = bench.state().announced;
        // Out of order, the older one is nothing; the newer one takes back.
        bench.say(&withdraw);
        bench.say(&announce);
        assert!(!bench.guard.power());
        if restored {
            bench.announce(true);
        }
    };
    check(attack, |faults| faults.replayed, 1);
    check(attack, |faults| faults.lost, 1);
}

#[test]
fn forged_frames() {
    let attack = |bench: &mut Bench| {
        for number in 0..200_u32 {
            for body in [&[3][..], &[4, 1], &[4, 0], &[5]] {
                let mut forged = vec![1, 2];
                forged.extend((number + 10).to_le_bytes());
                forged.extend(body);
                forged.extend([number as u8; 16]);
                bench.send(&line(&forged));
            }
        }
    };
    check(attack, |faults| faults.mac, 800);
    // A real one, with each bit of it turned.
    let attack = |bench: &mut Bench| {
        let frame = raw(&bench.host.announce(true).expect("a session"));
        for bit in 0..8 * frame.len() {
            let mut forged = frame.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            bench.send(&line(&forged));
        }
        // It has never arrived, so its number is missing.
        bench.heartbeat();
        bench.heard.clear();
    };
    check(attack, |faults| faults.mac, 100);
}

#[test]
fn truncated_frames() {
    let attack = |bench: &mut Bench| {
        let frame = raw(&bench.host.announce(true).expect("a session"));
        for length in 1..frame.len() {
            bench.send(&line(&frame[..length]));
        }
    };
    check(attack, |faults| faults.malformed + faults.mac, 23);
}

#[test]
fn another_version() {
    let attack = |bench: &mut Bench| {
        for version in [0, 2, 255] {
            let mut frame = raw(&bench.host.announce(true).expect("a session"));
            frame[0] = version;
            bench.send(&line(&frame));
            assert_eq!(bench.refusals(), [Reason::Version]);
        }
    };
    check(attack, |faults| faults.wrong_version, 3);
}

#[test]
fn a_flood_of_frames() {
    let attack = |bench: &mut Bench| {
        for number in 0..2_000_u32 {
            let mut hello = vec![1, 1, 0, 0, 0, 0, 0];
            hello.extend([number as u8; 16]);
            hello.extend(checksum(&hello).to_le_bytes());
            let mut confirm = vec![1, 1, 0, 0, 0, 0, 1];
            confirm.extend([number as u8; 32]);
            confirm.extend(checksum(&confirm).to_le_bytes());
            // Without ever reading what is answered.
            for raw in [hello, confirm] {
                bench.guard.receive(&line(&raw), bench.now, &mut bench.out);
            }
        }
        bench.settle();
    };
    check(attack, |faults| faults.mac, 2_000);
}

#[test]
fn a_megabyte_of_random_bytes() {
    let attack = |bench: &mut Bench| {
        let mut random = Rng::with_seed(7);
        let bytes: Vec<u8> = (0..1 << 20).map(|_| random.u8(..)).collect();
        for piece in bytes.chunks(64) {
            bench.guard.receive(piece, bench.now, &mut bench.out);
        }
        bench.settle();
    };
    check(
        attack,
        |faults| faults.malformed + faults.wrong_version,
        1_000,
    );
}

#[test]
fn a_megabyte_without_a_zero() {
    let attack = |bench: &mut Bench| {
        let flood = vec![0x55; 1 << 20];
        bench.guard.receive(&flood, bench.now, &mut bench.out);
        bench.settle();
    };
    check(attack, |faults| faults.overflow, 1);
}

#[test]
fn a_host_that_claims_to_be_live_without_a_heartbeat_gets_no_power() {
    let mut bench = Bench::live();
    bench.pass(1_000);
    bench.heard.clear();
    for _ in 0..10 {
        bench.announce(true);
        assert!(!bench.guard.power());
        bench.pass(1_000);
    }
    assert_eq!(bench.refusals(), [Reason::NoHeartbeat; 10]);
    assert_eq!(bench.guard.why(), Why::NoHeartbeat);
    assert_eq!(bench.guard.faults().refused_announcements, 10);
}

#[test]
fn a_host_with_another_key_gets_nothing() {
    let mut bench = Bench::live();
    let mut stranger = earnest_wire::host::Link::new(earnest_wire::PairingKey::new([9; 32]), None);
    let hello = stranger.hello([3; 16]);
    bench
        .guard
        .receive(hello.as_bytes(), bench.now, &mut bench.out);
    let mut faults = 0;
    while let Some(byte) = bench.out.pop() {
        faults += usize::from(matches!(stranger.receive(byte), Some(Err(_))));
    }
    assert_eq!(faults, 1);
    let pair = stranger.pair();
    bench.mute();
    bench.heard.clear();
    bench.say(&pair);
    assert_eq!(bench.refusals(), [Reason::HasKey]);
}
