//! Somebody holds the line: hears every byte, sends any, keeps what they like. They never have
//! the key.

use earnest_wire::frame::checksum;
use earnest_wire::guard::Event as ToGuard;
use earnest_wire::host::Event as ToHost;
use earnest_wire::{
    Fault, Identity, LineFault, MAX_RAW, PairingKey, Reason, Received, guard, host,
};
use fastrand::Rng;

use crate::kit::{
    BOOTS, KEY, acquainted, happened, identity, line, raw, shake_hands, strangers, to_guard,
    to_host,
};

#[test]
fn a_replayed_frame_is_told_from_a_new_one() {
    let (mut host, mut guard, _) = acquainted();
    let first = host.announce(true).expect("a session");
    let second = host.heartbeat().expect("a session");
    assert!(to_guard(&mut guard, first.as_bytes())[0].is_ok());
    let replayed = Fault::Replayed { last: 1, found: 1 };
    assert_eq!(to_guard(&mut guard, first.as_bytes()), [Err(replayed)]);
    assert!(to_guard(&mut guard, second.as_bytes())[0].is_ok());
    let replayed = Fault::Replayed { last: 2, found: 1 };
    assert_eq!(to_guard(&mut guard, first.as_bytes()), [Err(replayed)]);
}

#[test]
fn a_session_cannot_be_played_again_to_the_guard_not_even_after_a_reset() {
    let (mut host, mut guard, frames) = acquainted();
    let announce = host.announce(true).expect("a session");
    assert!(to_guard(&mut guard, announce.as_bytes())[0].is_ok());
    let reset = guard::Link::new(identity(), BOOTS + 1, Some(PairingKey::new(KEY)));
    for (mut guard, unasked) in [(guard, Fault::Mac), (reset, Fault::NoSession)] {
        // The same hello, but the guard's nonce is another one, so the same proof is none.
        let heard = to_guard(&mut guard, frames[0].as_bytes());
        assert_eq!(heard, [Ok(happened(ToGuard::Hello { nonce: [0xa0; 16] }))]);
        guard.welcome([0xa0; 16]).expect("there is a key");
        let heard = to_guard(&mut guard, frames[2].as_bytes());
        assert_eq!(heard, [Err(Fault::Proof)]);
        let heard = to_guard(&mut guard, announce.as_bytes());
        let replayed = Fault::Replayed { last: 1, found: 1 };
        // The session of before still stands where there was no reset.
        assert!(
            heard == [Err(replayed)] || heard == [Err(unasked)],
            "{heard:?}"
        );
        assert_eq!(guard.has_session(), heard == [Err(replayed)]);
    }
}

#[test]
fn a_session_cannot_be_played_again_to_the_host() {
    let (mut host, mut guard, frames) = acquainted();
    let refused = guard.refused(Reason::Rate).expect("a session");
    assert!(to_host(&mut host, refused.as_bytes())[0].is_ok());
    // Nobody asks for the welcome.
    let heard = to_host(&mut host, frames[1].as_bytes());
    assert_eq!(heard, [Err(Fault::Unasked)]);
    // Somebody does, with another nonce.
    host.hello([0xa1; 16]);
    let heard = to_host(&mut host, frames[1].as_bytes());
    assert_eq!(heard, [Err(Fault::Proof)]);
    let heard = to_host(&mut host, refused.as_bytes());
    assert_eq!(heard, [Err(Fault::NoSession)]);
}

#[test]
fn a_confirmation_opens_one_session_and_no_second() {
    let (mut host, mut guard, frames) = acquainted();
    let announce = host.announce(true).expect("a session");
    assert!(to_guard(&mut guard, announce.as_bytes())[0].is_ok());
    let heard = to_guard(&mut guard, frames[2].as_bytes());
    assert_eq!(heard, [Err(Fault::Unasked)]);
    // Had it begun anew, the number would be taken again.
    assert!(to_guard(&mut guard, announce.as_bytes())[0].is_err());
}

#[test]
fn frames_of_an_old_session_are_worth_nothing_in_a_new_one() {
    let (mut host, mut guard, _) = acquainted();
    let old = host.announce(true).expect("a session");
    let answer = guard.refused(Reason::Rate).expect("a session");
    // The same nonce of the host, as after a restart without randomness.
    shake_hands(&mut host, &mut guard, [0xa0; 16]);
    assert_eq!(to_guard(&mut guard, old.as_bytes()), [Err(Fault::Mac)]);
    assert_eq!(to_host(&mut host, answer.as_bytes()), [Err(Fault::Mac)]);
}

#[test]
fn reordered_frames_are_taken_once_and_forwards_only() {
    let (mut host, mut guard, _) = acquainted();
    let frames = [(); 5].map(|()| host.heartbeat().expect("a session"));
    let mut heard = Vec::new();
    for index in [1, 0, 4, 2, 3] {
        heard.extend(to_guard(&mut guard, frames[index].as_bytes()));
    }
    let taken = |lost| {
        let event = ToGuard::Heartbeat;
        Ok(Received { event, lost })
    };
    let late = |last, found| Err(Fault::Replayed { last, found });
    assert_eq!(
        heard,
        [taken(1), late(2, 1), taken(2), late(5, 3), late(5, 4)]
    );
}

#[test]
fn no_changed_byte_of_a_frame_survives() {
    let (mut host, mut guard, _) = acquainted();
    let frame = raw(&host.announce(false).expect("a session"));
    for index in 0..frame.len() {
        for bit in 0..8 {
            let mut forged = frame.clone();
            forged[index] ^= 1 << bit;
            let heard = to_guard(&mut guard, &line(&forged));
            assert!(
                matches!(heard[..], [Err(_)]),
                "byte {index}, bit {bit}: {heard:?}"
            );
        }
    }
    // They left no trace: the frame itself is the first of the session.
    let heard = to_guard(&mut guard, &line(&frame));
    assert_eq!(heard, [Ok(happened(ToGuard::Announce { live: false }))]);
}

#[test]
fn a_frame_forged_without_the_key_is_refused() {
    let (mut host, mut guard, _) = acquainted();
    let body = [4, 1];
    for tag in [&[][..], &[0; 16], &[0xff; 16]] {
        let mut forged = vec![1, 2, 9, 0, 0, 0];
        forged.extend(body);
        forged.extend(tag);
        let heard = to_guard(&mut guard, &line(&forged));
        let expected = if tag.is_empty() {
            Fault::Line(LineFault::Length { found: 8 })
        } else {
            Fault::Mac
        };
        assert_eq!(heard, [Err(expected)]);
    }
    // What has to be sealed is not taken in the open, however right its checksum is.
    for (kind, body) in [(0x01, &[4, 1][..]), (0x81, &[2, 0, 1, 1, 1, 7, 0])] {
        let mut forged = vec![1, kind, 0, 0, 0, 0];
        forged.extend(body);
        forged.extend(checksum(&forged).to_le_bytes());
        let heard = if kind == 0x01 {
            to_guard(&mut guard, &line(&forged))
                .pop()
                .map(|heard| heard.err())
        } else {
            to_host(&mut host, &line(&forged))
                .pop()
                .map(|heard| heard.err())
        };
        assert_eq!(heard, Some(Some(Fault::Message)));
    }
}

/// A frame of a kind that goes the other way.
fn backwards<M>(found: u8) -> Result<M, Fault> {
    Err(Fault::Line(LineFault::Kind { found }))
}

#[test]
fn a_frame_sent_back_to_its_sender_is_refused() {
    let (mut host, mut guard, frames) = acquainted();
    let heartbeat = host.heartbeat().expect("a session");
    let refused = guard.refused(Reason::Rate).expect("a session");
    assert_eq!(to_host(&mut host, heartbeat.as_bytes()), [backwards(0x02)]);
    assert_eq!(to_guard(&mut guard, refused.as_bytes()), [backwards(0x82)]);
    assert_eq!(to_host(&mut host, frames[0].as_bytes()), [backwards(0x01)]);
    assert_eq!(
        to_guard(&mut guard, frames[1].as_bytes()),
        [backwards(0x81)]
    );
    // With the direction's byte turned around, too.
    let mut turned = raw(&refused);
    turned[1] = 0x02;
    assert_eq!(to_guard(&mut guard, &line(&turned)), [Err(Fault::Mac)]);
}

#[test]
fn every_truncated_frame_is_refused_and_the_next_one_taken() {
    let (mut host, mut guard, frames) = acquainted();
    for confirm in [true, false] {
        let frame = if confirm {
            frames[2].clone()
        } else {
            host.heartbeat().expect("a session")
        };
        let bytes = frame.as_bytes();
        for length in 1..bytes.len() - 1 {
            // The line is cut within the frame, and the next one begins.
            let heard = to_guard(&mut guard, &bytes[..length]);
            assert_eq!(heard, []);
            let next = host.heartbeat().expect("a session");
            let heard = to_guard(&mut guard, next.as_bytes());
            let (last, broken) = heard.split_last().expect("the next one");
            assert!(last.is_ok(), "{length}: {heard:?}");
            assert!(
                broken.iter().all(|fault| fault.is_err()),
                "{length}: {heard:?}"
            );
            assert_eq!(broken.len(), usize::from(length > 1));
        }
    }
}

#[test]
fn another_version_is_told_as_one() {
    let (mut host, mut guard, frames) = acquainted();
    for (frame, version) in [(&frames[0], 0), (&frames[2], 2), (&frames[1], 255)] {
        let mut other = raw(frame);
        let signed = other.len() - 4;
        other[0] = version;
        let checksum = checksum(&other[..signed]);
        other[signed..].copy_from_slice(&checksum.to_le_bytes());
        let fault = Fault::Line(LineFault::Version { found: version });
        assert_eq!(to_guard(&mut guard, &line(&other)), [Err(fault)]);
        let heard = to_host(&mut host, &line(&other));
        assert_eq!(heard, [Err(fault)]);
    }
}

#[test]
fn a_flood_of_handshakes_leaves_the_session_alone() {
    let (mut host, mut guard, frames) = acquainted();
    let mut nonces = std::collections::HashSet::new();
    for _ in 0..1_000 {
        assert!(to_guard(&mut guard, frames[0].as_bytes())[0].is_ok());
        let welcome = guard.welcome([0xa0; 16]).expect("there is a key");
        assert!(
            nonces.insert(raw(&welcome)[15..31].to_vec()),
            "a nonce came twice"
        );
        assert!(to_guard(&mut guard, frames[2].as_bytes())[0].is_err());
        assert!(to_host(&mut host, welcome.as_bytes())[0].is_err());
    }
    let heartbeat = host.heartbeat().expect("a session");
    let heard = to_guard(&mut guard, heartbeat.as_bytes());
    assert_eq!(heard, [Ok(happened(ToGuard::Heartbeat))]);
}

#[test]
fn a_megabyte_of_random_bytes_changes_nothing() {
    let (mut host, mut guard, _) = acquainted();
    let mut random = Rng::with_seed(1);
    let mut faults = 0;
    for _ in 0..1 << 20 {
        let byte = random.u8(..);
        for heard in [
            guard.receive(byte).map(|heard| heard.err()),
            host.receive(byte).map(|heard| heard.err()),
        ]
        .into_iter()
        .flatten()
        {
            assert!(heard.is_some(), "random bytes were taken for a message");
            faults += 1;
        }
    }
    // A zero comes each 256 bytes, at both ends.
    assert!((4_000..12_000).contains(&faults), "{faults} faults");
    for _ in 0..2 {
        let heartbeat = host.heartbeat().expect("a session");
        let heard = to_guard(&mut guard, heartbeat.as_bytes());
        let taken = Ok(happened(ToGuard::Heartbeat));
        // The zero before the frame ends what the noise had begun.
        assert_eq!(heard.last(), Some(&taken));
    }
}

#[test]
fn a_megabyte_without_a_zero_is_one_fault_and_keeps_nothing() {
    let (mut host, mut guard, _) = acquainted();
    let flood = vec![0x55; 1 << 20];
    let overflow = Err(Fault::Line(LineFault::Overflow));
    assert_eq!(to_guard(&mut guard, &flood), [overflow]);
    let heartbeat = host.heartbeat().expect("a session");
    let heard = to_guard(&mut guard, heartbeat.as_bytes());
    assert_eq!(heard, [Ok(happened(ToGuard::Heartbeat))]);
}

#[test]
fn the_longest_frame_fits_and_one_byte_more_does_not() {
    let (_, mut guard, _) = acquainted();
    let sealed = |length: usize| {
        let mut raw = vec![1, 2, 9, 0, 0, 0];
        raw.resize(length, 0x55);
        line(&raw)
    };
    assert_eq!(to_guard(&mut guard, &sealed(MAX_RAW)), [Err(Fault::Mac)]);
    let overflow = Err(Fault::Line(LineFault::Overflow));
    assert_eq!(to_guard(&mut guard, &sealed(MAX_RAW + 1)), [overflow]);
}

#[test]
fn another_guard_with_the_same_key_is_not_the_one_that_the_host_knows() {
    let (mut host, _) = strangers();
    let other = Identity::of_chip(b"guard 2");
    let mut guard = guard::Link::new(other, BOOTS, Some(PairingKey::new(KEY)));
    host.hello([0xa0; 16]);
    let welcome = guard.welcome([0xa0; 16]).expect("there is a key");
    let fault = Fault::Identity {
        expected: identity(),
        found: other,
    };
    assert_eq!(to_host(&mut host, welcome.as_bytes()), [Err(fault)]);
    assert!(!host.has_session());
}

#[test]
fn who_has_another_key_gets_no_session_on_either_side() {
    let (mut host, mut guard) = strangers();
    let wrong = || PairingKey::new([9; 32]);
    let mut impostor = guard::Link::new(identity(), BOOTS, Some(wrong()));
    host.hello([0xa0; 16]);
    let welcome = impostor.welcome([0xa0; 16]).expect("there is a key");
    assert_eq!(to_host(&mut host, welcome.as_bytes()), [Err(Fault::Proof)]);

    // An impostor of a host has to make its proof from a welcome that it cannot check.
    let mut impostor = host::Link::new(wrong(), Some(identity()));
    let mut accomplice = guard::Link::new(identity(), BOOTS, Some(wrong()));
    impostor.hello([0xa0; 16]);
    guard.welcome([0xa0; 16]).expect("there is a key");
    let welcome = accomplice.welcome([0xa0; 16]).expect("there is a key");
    let heard = to_host(&mut impostor, welcome.as_bytes());
    let [
        Ok(Received {
            event: ToHost::Welcome { confirm, .. },
            ..
        }),
    ] = &heard[..]
    else {
        panic!("a welcome, and not {heard:?}");
    };
    assert_eq!(
        to_guard(&mut guard, confirm.as_bytes()),
        [Err(Fault::Proof)]
    );
    assert!(!guard.has_session());
}

#[test]
fn a_key_that_arrived_wrong_is_not_taken_for_the_right_one() {
    let mut host = host::Link::new(PairingKey::new(KEY), None);
    let mut guard = guard::Link::new(identity(), 1, None);
    let unasked = guard.pair(PairingKey::new(KEY));
    assert_eq!(
        to_host(&mut host, unasked.as_bytes()),
        [Err(Fault::Unasked)]
    );
    host.pair();
    let other = guard.pair(PairingKey::new([9; 32]));
    assert_eq!(to_host(&mut host, other.as_bytes()), [Err(Fault::Proof)]);
}
