//! Frames, byte by byte. The bytes were calculated apart from this code, with Python's `hmac`,
//! `hashlib` and `zlib`, from the formulas in the documentation of `frame` and `key`: the key is
//! the bytes 0 to 31, the chip's number "guard 1", the host's nonce the bytes a0 to af, and the
//! guard has started 300 times.

use earnest_wire::guard::Event as ToGuard;
use earnest_wire::host::Event as ToHost;
use earnest_wire::{
    Faults, Frame, PairingKey, Reason, Received, State, Switch, Trip, Why, guard, host,
};

use crate::kit::{BOOTS, KEY, happened, identity, strangers, to_guard, to_host};

const HELLO: &str = "000301010101010115a0a1a2a3a4a5a6a7a8a9aaabacadaeaf6ac565a000";
const WELCOME: &str = concat!(
    "00030181010101013f516d8a57f7e7284bc6f26ef5c3958d3a7b4f88b2c69937b7ac02c03cba520e687214b2931db2",
    "e2aff09f567e11b8248848164485700ca7ee9287cb9adba400"
);
const CONFIRM: &str =
    "000301010101012601039f389c24d07f1e291b25308357cdb7794f629ad08f4263c7f1696228da54fcac8ed03100";
const PAIR: &str =
    "000301010101010202240102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1faa083aa600";
const PAIRED: &str = concat!(
    "000301810101012e01516d8a57f7e7284b31f182d1fd0242fc69318c64a888599636f1eaea0a1cef011bb9e6c6ed65",
    "a6348105840b00"
);
const REFUSED_OPENLY: &str = "0003018101010107050162fa998d00";
const HEARTBEAT: &str = "000401020101011203ce4d0b4f92032d5b13b5e879ad484a6600";
const ANNOUNCE: &str = "000401020201011304015dce9f3ff62fe46d151c8f50fdd08d7f00";
const ASK: &str = "000401020301011205074c7d0c3462d038685b137fe3f91c8d00";
const STATE: &str = "00040182010101020205010101071103a97d0562a97f32139cf01afe15aa6600";
const TRIP: &str = "000401820201011503e807071190682aeca8cc504d3874468615858e00";
const FAULTS: &str =
    "00040182030101220401020304050607ac02ffffffff0f0a0b520e08dcaad5b83ba452184bbe35170a00";
const REFUSED: &str = "00040182040101130509ba3baa173ed55d11c897c629e6aba1c100";

fn hex(frame: &Frame) -> String {
    let bytes = frame.as_bytes().iter();
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_whole_session_is_these_bytes() {
    let (mut host, mut guard) = strangers();

    let hello = host.hello(core::array::from_fn(|index| 0xa0 + index as u8));
    assert_eq!(hex(&hello), HELLO);
    let heard = to_guard(&mut guard, hello.as_bytes());
    let nonce = core::array::from_fn(|index| 0xa0 + index as u8);
    assert_eq!(heard, [Ok(happened(ToGuard::Hello { nonce }))]);

    let welcome = guard.welcome(nonce).expect("there is a key");
    assert_eq!(hex(&welcome), WELCOME);
    let heard = to_host(&mut host, welcome.as_bytes());
    let [
        Ok(Received {
            event:
                ToHost::Welcome {
                    identity: found,
                    boots,
                    confirm,
                },
            ..
        }),
    ] = &heard[..]
    else {
        panic!("a welcome, and not {heard:?}");
    };
    assert_eq!((*found, *boots), (identity(), BOOTS));
    assert_eq!(hex(confirm), CONFIRM);
    let heard = to_guard(&mut guard, confirm.as_bytes());
    assert_eq!(heard, [Ok(happened(ToGuard::Confirmed))]);

    for (frame, bytes, event) in [
        (host.heartbeat(), HEARTBEAT, ToGuard::Heartbeat),
        (
            host.announce(true),
            ANNOUNCE,
            ToGuard::Announce { live: true },
        ),
        (host.ask(), ASK, ToGuard::Ask),
    ] {
        let frame = frame.expect("there is a session");
        assert_eq!(hex(&frame), bytes);
        assert_eq!(
            to_guard(&mut guard, frame.as_bytes()),
            [Ok(happened(event))]
        );
    }

    let (state, trip, faults) = (
        state(),
        Trip {
            silent: 1_000,
            count: 7,
        },
        faults(),
    );
    let refused = ToHost::Refused {
        reason: Reason::Rate,
        proved: true,
    };
    for (frame, bytes, event) in [
        (guard.state(state), STATE, ToHost::State(state)),
        (guard.trip(trip), TRIP, ToHost::Trip(trip)),
        (guard.faults(faults), FAULTS, ToHost::Faults(faults)),
        (guard.refused(Reason::Rate), REFUSED, refused),
    ] {
        let frame = frame.expect("there is a session");
        assert_eq!(hex(&frame), bytes);
        let received = Received { event, lost: 0 };
        assert_eq!(to_host(&mut host, frame.as_bytes()), [Ok(received)]);
    }
}

#[test]
fn pairing_is_these_bytes() {
    let key = || PairingKey::new(KEY);
    let mut host = host::Link::new(key(), None);
    let mut guard = guard::Link::new(identity(), 1, None);
    let pair = host.pair();
    assert_eq!(hex(&pair), PAIR);
    let heard = to_guard(&mut guard, pair.as_bytes());
    assert_eq!(heard, [Ok(happened(ToGuard::Pair { key: key() }))]);
    let paired = guard.pair(key());
    assert_eq!(hex(&paired), PAIRED);
    let event = ToHost::Paired {
        identity: identity(),
    };
    let heard = to_host(&mut host, paired.as_bytes());
    assert_eq!(heard, [Ok(Received { event, lost: 0 })]);
    assert!(guard.has_key() && !guard.has_session());
}

#[test]
fn a_refusal_outside_a_session_is_these_bytes_and_proves_nothing() {
    let (mut host, guard) = strangers();
    let refused = guard.refused_openly(Reason::NoKey);
    assert_eq!(hex(&refused), REFUSED_OPENLY);
    let event = ToHost::Refused {
        reason: Reason::NoKey,
        proved: false,
    };
    let heard = to_host(&mut host, refused.as_bytes());
    assert_eq!(heard, [Ok(Received { event, lost: 0 })]);
}

#[test]
fn an_identity_is_the_beginning_of_a_digest() {
    assert_eq!(identity().to_string(), "516d8a57f7e7284b");
}

fn state() -> State {
    State {
        switch: Switch::Open,
        power: true,
        light: true,
        announced: true,
        why: Why::Live,
        contradiction: false,
    }
}

fn faults() -> Faults {
    Faults {
        crc: 1,
        mac: 2,
        replayed: 3,
        lost: 4,
        malformed: 5,
        wrong_version: 6,
        overflow: 7,
        refused_announcements: 300,
        watchdog_trips: u32::MAX,
        contradictions: 10,
        resets: 11,
    }
}
