//! Any bytes are taken for a segment.

use std::fs;
use std::sync::OnceLock;

use earnest_telemetry::Event;
use proptest::prelude::*;

use super::kit::{Kit, secret};
use crate::*;

/// A segment of three entries.
fn segment() -> &'static [u8] {
    static SEGMENT: OnceLock<Vec<u8>> = OnceLock::new();
    SEGMENT.get_or_init(|| {
        let kit = Kit::new();
        kit.fill(3);
        fs::read(&kit.files()[0]).expect("it was written")
    })
}

/// Looks at bytes in every way, and checks that the ways agree.
fn look(bytes: &[u8]) {
    let examined = examine(bytes);
    let (entries, error) = read_segment(bytes, &[secret(7)]);
    match examined {
        Ok(examined) => {
            assert!(entries.len() as u64 <= examined.entries);
            if error.is_none() {
                assert_eq!(entries.len() as u64, examined.entries);
            }
        }
        Err(_) => assert!(error.is_some()),
    }
}

#[test]
fn a_segment_is_what_it_is() {
    let examined = examine(segment()).unwrap();
    assert_eq!(
        (examined.segment, examined.first, examined.entries),
        (1, 1, 3)
    );
    assert_eq!(examined.key, secret(7).public().id());
    let (entries, error) = read_segment(segment(), &[secret(7)]);
    assert!(error.is_none());
    assert!(entries.iter().all(|entry| entry.event == Event::Started));
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes: Vec<u8>, begins: bool) {
        let mut whole = if begins { segment()[..160].to_vec() } else { Vec::new() };
        whole.extend(bytes);
        look(&whole);
    }

    #[test]
    fn edits_of_a_segment_are_survived_and_told(
        edits in proptest::collection::vec((0..724_usize, any::<u8>()), 1..4),
        length in 0..730_usize,
    ) {
        let mut bytes = segment().to_vec();
        prop_assert_eq!(bytes.len(), 724);
        for (at, value) in edits {
            bytes[at] = value;
        }
        bytes.resize(length, 0);
        look(&bytes);
        if let Ok(examined) = examine(&bytes) {
            let records = examined.entries as usize;
            prop_assert_eq!(&bytes[..160 + 188 * records], &segment()[..160 + 188 * records]);
        }
    }
}
