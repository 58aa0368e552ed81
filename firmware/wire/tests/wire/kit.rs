//! Two ends that know each other, and an attacker's tools.

use earnest_wire::{Fault, Frame, Identity, MAX_FRAME, MAX_RAW, PairingKey, Received, guard, host};

pub(crate) const KEY: [u8; 32] = [
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
    26, 27, 28, 29, 30, 31,
];

/// How often the guard has started.
pub(crate) const BOOTS: u32 = 300;

pub(crate) fn identity() -> Identity {
    Identity::of_chip(b"guard 1")
}

/// A host and a guard that have not spoken yet.
pub(crate) fn strangers() -> (host::Link, guard::Link) {
    let key = || PairingKey::new(KEY);
    let host = host::Link::new(key(), Some(identity()));
    (host, guard::Link::new(identity(), BOOTS, Some(key())))
}

/// A host and a guard in a session, and every frame that it took to get there.
pub(crate) fn acquainted() -> (host::Link, guard::Link, Vec<Frame>) {
    let (mut host, mut guard) = strangers();
    let frames = shake_hands(&mut host, &mut guard, [0xa0; 16]);
    (host, guard, frames)
}

/// A whole handshake: `Hello`, `Welcome`, `Confirm`.
pub(crate) fn shake_hands(
    host: &mut host::Link,
    guard: &mut guard::Link,
    nonce: [u8; 16],
) -> Vec<Frame> {
    let hello = host.hello(nonce);
    let [Ok(Received { event, lost: 0 })] = &to_guard(guard, hello.as_bytes())[..] else {
        panic!("the guard takes a hello");
    };
    let guard::Event::Hello { nonce } = event else {
        panic!("a hello and not {event:?}");
    };
    let welcome = guard.welcome(*nonce).expect("there is a key");
    let [Ok(Received { event, lost: 0 })] = &to_host(host, welcome.as_bytes())[..] else {
        panic!("the host takes a welcome");
    };
    let host::Event::Welcome { confirm, .. } = event.clone() else {
        panic!("a welcome and not {event:?}");
    };
    let confirmed = to_guard(guard, confirm.as_bytes());
    assert_eq!(confirmed, [Ok(happened(guard::Event::Confirmed))]);
    vec![hello, welcome, confirm]
}

pub(crate) fn happened(event: guard::Event) -> Received<guard::Event> {
    Received { event, lost: 0 }
}

pub(crate) fn to_guard(
    guard: &mut guard::Link,
    bytes: &[u8],
) -> Vec<Result<Received<guard::Event>, Fault>> {
    bytes
        .iter()
        .filter_map(|byte| guard.receive(*byte))
        .collect()
}

pub(crate) fn to_host(
    host: &mut host::Link,
    bytes: &[u8],
) -> Vec<Result<Received<host::Event>, Fault>> {
    bytes
        .iter()
        .filter_map(|byte| host.receive(*byte))
        .collect()
}

/// What a frame is before it is coded.
pub(crate) fn raw(frame: &Frame) -> Vec<u8> {
    let coded = frame.as_bytes();
    let mut raw = [0; MAX_RAW];
    let length = cobs::decode(&coded[1..coded.len() - 1], &mut raw).expect("a frame is COBS");
    raw[..length].to_vec()
}

/// What lies on the line for these bytes.
pub(crate) fn line(raw: &[u8]) -> Vec<u8> {
    let mut line = vec![0; MAX_FRAME + raw.len()];
    let coded = cobs::encode(raw, &mut line[1..]);
    line.truncate(coded + 2);
    line
}
