//! Somebody who holds the line between the guard and its host, alike for both directions.

use earnest_wire::frame::checksum;
use earnest_wire::{Decoder, Frame, MAX_BODY, MAX_FRAME, MAX_RAW};

/// Frames that the attacker keeps at most.
const MOST_KEPT: usize = 32;

/// Steps of a script at most: each one may cost a whole handshake.
const MOST_STEPS: usize = 512;

/// What an end made of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A message of the session, and how many are missing before it.
    Sealed { lost: u32 },
    /// A message that anybody may send.
    Open,
    /// A handshake's end, or what else needs the key.
    Proved,
    /// No message.
    Fault,
}

/// The two ends of a line, of which one is under attack.
pub(crate) trait Ends {
    /// The next frame that the honest end says in the session.
    fn says(&mut self, what: u8) -> Frame;

    /// What the attacked end makes of bytes.
    fn hears(&mut self, bytes: &[u8]) -> Vec<Outcome>;

    /// A whole handshake, after which a new session stands.
    fn shake_hands(&mut self);

    /// A part of a handshake, which leaves the session alone.
    fn disturb(&mut self);
}

/// The bytes as they come over the line. Nothing in them is proved, how they are cut makes no
/// difference, and the frame behind them is heard.
pub(crate) fn noise(ends: &mut impl Ends, bytes: &[u8]) {
    let mut decoder = Decoder::<MAX_RAW>::new();
    let found = bytes.iter().filter_map(|byte| decoder.push(*byte)).count();
    let mut heard = Vec::new();
    for piece in bytes.chunks(7) {
        heard.extend(ends.hears(piece));
    }
    assert_eq!(heard.len(), found, "the decoder alone finds others");
    let open = |outcome: &Outcome| matches!(outcome, Outcome::Open | Outcome::Fault);
    assert!(heard.iter().all(open), "noise was believed: {heard:?}");
    let next = ends.says(0);
    let heard = ends.hears(next.as_bytes());
    assert_eq!(heard.last(), Some(&Outcome::Sealed { lost: 0 }));
}

/// The bytes as the body of an open frame, with a checksum that is right.
pub(crate) fn body(ends: &mut impl Ends, kind: u8, bytes: &[u8]) {
    let mut raw = vec![1, kind, 0, 0, 0, 0];
    raw.extend(&bytes[..bytes.len().min(MAX_BODY)]);
    let checksum = checksum(&raw).to_le_bytes();
    raw.extend(checksum);
    let heard = ends.hears(&line(&raw));
    assert!(
        matches!(heard[..], [Outcome::Open | Outcome::Fault]),
        "an open frame was believed: {heard:?}"
    );
}

/// The bytes as a script of what the attacker does with the honest end's frames. Of each step the
/// three highest bits say what, the others with which:
///
/// 0: lets a frame pass. 1: keeps it. 2: sends one that was kept. 3: changes a byte of it first; the
/// next two say how. 4: cuts it; the next one says where. 5: sends as many of the next bytes as they
/// are. 6: disturbs with a handshake. 7: lets a handshake pass.
pub(crate) fn script(ends: &mut impl Ends, bytes: &[u8]) {
    let mut bytes = bytes.iter().copied();
    let mut kept: Vec<(u32, Frame)> = Vec::new();
    // Numbers made, and the greatest taken, in this session.
    let (mut made, mut taken) = (0_u32, 0_u32);
    for _ in 0..MOST_STEPS {
        let Some(step) = bytes.next() else { break };
        let which = step & 31;
        let chosen = kept.get(usize::from(which) % kept.len().max(1)).cloned();
        match (step >> 5, chosen) {
            (0, _) => {
                made += 1;
                let frame = ends.says(which);
                let heard = ends.hears(frame.as_bytes());
                let lost = made - taken - 1;
                assert_eq!(heard.last(), Some(&Outcome::Sealed { lost }));
                taken = made;
            }
            (1, _) => {
                made += 1;
                let frame = ends.says(which);
                if kept.len() < MOST_KEPT {
                    kept.push((made, frame));
                }
            }
            (2, Some((number, frame))) => {
                let heard = ends.hears(frame.as_bytes());
                let expected = match number.checked_sub(taken + 1) {
                    Some(lost) => Outcome::Sealed { lost },
                    None => Outcome::Fault,
                };
                assert_eq!(heard.last(), Some(&expected));
                taken = taken.max(number);
            }
            (3, Some((_, frame))) => {
                let mut raw = raw(&frame);
                let index = usize::from(bytes.next().unwrap_or(0)) % raw.len();
                raw[index] ^= bytes.next().unwrap_or(0).max(1);
                let heard = ends.hears(&line(&raw));
                assert_eq!(heard.last(), Some(&Outcome::Fault));
            }
            (4, Some((_, frame))) => {
                let raw = raw(&frame);
                // Of nothing at all there is nothing to hear.
                let length = 1 + usize::from(bytes.next().unwrap_or(0)) % (raw.len() - 1);
                let heard = ends.hears(&line(&raw[..length]));
                assert_eq!(heard.last(), Some(&Outcome::Fault));
            }
            (5, _) => {
                let sent: Vec<u8> = bytes.by_ref().take(usize::from(which)).collect();
                let heard = ends.hears(&sent);
                let open = |outcome: &Outcome| matches!(outcome, Outcome::Open | Outcome::Fault);
                assert!(heard.iter().all(open), "noise was believed: {heard:?}");
            }
            (6, _) => ends.disturb(),
            (7, _) => {
                ends.shake_hands();
                kept.clear();
                (made, taken) = (0, 0);
            }
            _ => {}
        }
    }
}

/// What a frame is before it is coded.
fn raw(frame: &Frame) -> Vec<u8> {
    let coded = frame.as_bytes();
    let mut raw = [0; MAX_RAW];
    let length = cobs::decode(&coded[1..coded.len() - 1], &mut raw).expect("a frame is COBS");
    raw[..length].to_vec()
}

/// What lies on the line for these bytes.
fn line(raw: &[u8]) -> Vec<u8> {
    let mut line = vec![0; MAX_FRAME + raw.len()];
    let coded = cobs::encode(raw, &mut line[1..]);
    line.truncate(coded + 2);
    line
}
