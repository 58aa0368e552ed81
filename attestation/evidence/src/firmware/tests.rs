//! Logs made by hand: what is read, what is refused, and where.

use proptest::prelude::*;

use super::*;
use crate::{Digest, Truncated};

/// The head of a log with SHA-1 and SHA-256.
fn head() -> Vec<u8> {
    head_of(&[(4, 20), (11, 32)], b"")
}

fn head_of(sizes: &[(u16, u16)], vendor_info: &[u8]) -> Vec<u8> {
    let mut data = b"Spec ID Event03\0".to_vec();
    data.extend([0, 0, 0, 0, 0, 2, 0, 2]);
    data.extend((sizes.len() as u32).to_le_bytes());
    for (algorithm, bytes) in sizes {
        data.extend(algorithm.to_le_bytes());
        data.extend(bytes.to_le_bytes());
    }
    data.push(vendor_info.len() as u8);
    data.extend(vendor_info);
    sha1_event(0, EventKind::NO_ACTION, &HashAlgorithm::Sha1.zero(), &data)
}

fn sha1_event(pcr: u32, kind: EventKind, digest: &Digest, data: &[u8]) -> Vec<u8> {
    let mut out = [pcr.to_le_bytes(), kind.0.to_le_bytes()].concat();
    out.extend(digest.as_bytes());
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    out
}

/// An event of the crypto-agile form with these digests.
fn agile_event(pcr: u32, kind: EventKind, digests: &[(u16, &[u8])], data: &[u8]) -> Vec<u8> {
    let mut out = [pcr.to_le_bytes(), kind.0.to_le_bytes()].concat();
    out.extend((digests.len() as u32).to_le_bytes());
    for (algorithm, digest) in digests {
        out.extend(algorithm.to_le_bytes());
        out.extend(*digest);
    }
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    out
}

/// An event that measures its data into both banks.
fn measured(pcr: u32, kind: EventKind, data: &[u8]) -> Vec<u8> {
    let sha1 = HashAlgorithm::Sha1.digest(data);
    let sha256 = HashAlgorithm::Sha256.digest(data);
    let digests = [(4, sha1.as_bytes()), (11, sha256.as_bytes())];
    agile_event(pcr, kind, &digests, data)
}

/// A log with everything that an allow-list looks at.
fn log() -> Vec<u8> {
    let mut bytes = head_of(&[(4, 20), (11, 32)], b"vendor");
    let no_digests = agile_event(
        0,
        EventKind::NO_ACTION,
        &[(4, &[0; 20]), (11, &[0; 32])],
        b"StartupLocality\0\x03",
    );
    bytes.extend(no_digests);
    bytes.extend(measured(0, EventKind::S_CRTM_VERSION, b"1.0"));
    let mut secure_boot =
        b"\x61\xdf\xe4\x8b\xca\x93\xd2\x11\xaa\x0d\x00\xe0\x98\x03\x2b\x8c".to_vec();
    secure_boot.extend([10, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    secure_boot.extend("SecureBoot".encode_utf16().flat_map(u16::to_le_bytes));
    secure_boot.push(1);
    bytes.extend(measured(
        7,
        EventKind::EFI_VARIABLE_DRIVER_CONFIG,
        &secure_boot,
    ));
    bytes.extend(measured(1, EventKind::EFI_VARIABLE_BOOT, b"disk 4711"));
    bytes.extend(measured(
        4,
        EventKind::EFI_ACTION,
        b"Calling EFI Application from Boot Option",
    ));
    bytes.extend(measured(5, EventKind::EFI_ACTION, b"for Jane"));
    bytes.extend(measured(4, EventKind::SEPARATOR, &[0; 4]));
    bytes.extend(measured(8, EventKind::IPL, b"root=UUID=0123"));
    bytes
}

#[test]
fn a_replay_is_the_chain_of_digests_of_each_pcr() {
    let bytes = log();
    let log = EventLog::parse(&bytes).unwrap();
    let replay = log.replay(HashAlgorithm::Sha256);
    assert_eq!(replay.touched().to_string(), "0,1,4,5,7,8");
    assert_eq!(replay.without_digest(), 0);
    assert_eq!(
        log.algorithms(),
        [HashAlgorithm::Sha1, HashAlgorithm::Sha256]
    );
    let sha256 = |data: &[u8]| HashAlgorithm::Sha256.digest(data);
    let action = sha256(b"Calling EFI Application from Boot Option");
    let pcr4 = HashAlgorithm::Sha256
        .zero()
        .extended_by(&action)
        .extended_by(&sha256(&[0; 4]));
    assert_eq!(replay.value(4), Some(&pcr4));
    // The TPM was started at locality 3, which is where PCR 0 starts.
    let mut start = [0; 32];
    start[31] = 3;
    let pcr0 = Digest::from_bytes(HashAlgorithm::Sha256, &start).unwrap();
    assert_eq!(replay.value(0), Some(&pcr0.extended_by(&sha256(b"1.0"))));
    assert_eq!(replay.value(16), Some(&HashAlgorithm::Sha256.zero()));
    assert_eq!(replay.value(17).unwrap().as_bytes(), [0xff; 32]);
    assert_eq!(replay.value(24), None);
}

#[test]
fn a_bank_that_events_have_no_digest_of_says_so() {
    let mut bytes = head();
    let sha256 = HashAlgorithm::Sha256.digest(b"x");
    bytes.extend(agile_event(
        4,
        EventKind::IPL,
        &[(11, sha256.as_bytes())],
        b"x",
    ));
    let log = EventLog::parse(&bytes).unwrap();
    assert_eq!(log.replay(HashAlgorithm::Sha1).without_digest(), 1);
    assert!(log.replay(HashAlgorithm::Sha1).touched().is_empty());
    assert_eq!(log.algorithms(), [HashAlgorithm::Sha256]);
}

#[test]
fn digests_of_unknown_algorithms_are_stepped_over_by_the_length_in_the_head() {
    let mut bytes = head_of(&[(11, 32), (0x12, 32)], b"");
    let sha256 = HashAlgorithm::Sha256.digest(b"x");
    let digests: [(u16, &[u8]); 2] = [(0x12, &[7; 32]), (11, sha256.as_bytes())];
    bytes.extend(agile_event(4, EventKind::IPL, &digests, b"x"));
    let log = EventLog::parse(&bytes).unwrap();
    let event = &log.events()[1];
    assert_eq!(event.digests().collect::<Vec<_>>(), [sha256]);
    assert!(event.data_is_measured(HashAlgorithm::Sha256));
    assert!(!event.data_is_measured(HashAlgorithm::Sha1));
    assert_eq!(
        log.filtered(&AllowList::standard().with_kind(EventKind::IPL)),
        bytes
    );
}

/// What event data is left after filtering, by event.
fn left(allowed: &AllowList) -> Vec<Vec<u8>> {
    let bytes = log();
    let whole = EventLog::parse(&bytes).unwrap();
    let filtered = whole.filtered(allowed);
    let log = EventLog::parse(&filtered).expect("a filtered log is a log");
    for algorithm in HashAlgorithm::ALL {
        assert_eq!(log.replay(algorithm), whole.replay(algorithm));
    }
    assert_eq!(log.filtered(allowed), filtered);
    let events = log.events().iter().skip(1);
    events.map(|event| event.data().to_vec()).collect()
}

#[test]
fn what_tells_one_machine_from_another_stays_home() {
    let data = left(&AllowList::standard());
    assert_eq!(data[0], b"StartupLocality\0\x03");
    assert!(data[1].is_empty(), "a version");
    assert_eq!(data[2].last(), Some(&1), "SecureBoot");
    assert!(data[3].is_empty(), "a boot entry");
    assert!(data[4].starts_with(b"Calling"));
    assert!(data[5].is_empty(), "an action that is not of the profile");
    assert_eq!(data[6], [0; 4]);
    assert!(data[7].is_empty(), "a command line");
    let filtered = EventLog::parse(&log())
        .unwrap()
        .filtered(&AllowList::standard());
    let log = EventLog::parse(&filtered).unwrap();
    assert!(log.specification().unwrap().vendor_info().is_empty());
}

#[test]
fn a_type_that_is_allowed_besides_is_let_out() {
    let data = left(&AllowList::standard().with_kind(EventKind::IPL));
    assert_eq!(data[7], b"root=UUID=0123");
    assert!(data[3].is_empty());
}

#[test]
fn each_refusal_says_which_event_and_where() {
    let check = |events: &[u8], expected: LogError| {
        let bytes = [
            head(),
            measured(0, EventKind::IPL, b"first"),
            events.to_vec(),
        ]
        .concat();
        assert_eq!(EventLog::parse(&bytes).unwrap_err(), expected);
    };
    let start = head().len() + measured(0, EventKind::IPL, b"first").len();
    let (event, offset) = (2, start);
    let mut far = measured(24, EventKind::IPL, b"x");
    check(
        &far,
        LogError::NoSuchPcr {
            event,
            offset,
            found: 24,
        },
    );
    far.truncate(1);
    let source = Truncated {
        field: "the PCR's number",
        offset: start,
        expected: 4,
        found: 1,
    };
    check(&far, LogError::Truncated { event, source });
    check(
        &[0; 32],
        LogError::DigestCount {
            event,
            offset,
            found: 0,
        },
    );
    let sha1 = [0; 20];
    let twice: [(u16, &[u8]); 2] = [(4, &sha1), (4, &sha1)];
    check(
        &agile_event(0, EventKind::IPL, &twice, b""),
        LogError::DigestTwice {
            event,
            offset: start + 12 + 22,
            algorithm: HashAlgorithm::Sha1,
        },
    );
    check(
        &agile_event(0, EventKind::IPL, &[(0x77, &sha1)], b""),
        LogError::UnknownAlgorithm {
            event,
            offset: start + 12,
            found: 0x77,
        },
    );
    let mut long = measured(0, EventKind::IPL, b"x");
    let size = long.len() - 5;
    long[size..size + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let source = Truncated {
        field: "the event's data",
        offset: start + size + 4,
        expected: u32::MAX as usize,
        found: 1,
    };
    check(&long, LogError::Truncated { event, source });
}

#[test]
fn a_head_that_cannot_be_is_refused() {
    let check = |bytes: &[u8], expected: LogError| {
        assert_eq!(EventLog::parse(bytes).unwrap_err(), expected);
    };
    check(b"", LogError::Empty);
    check(&head_of(&[], b""), LogError::AlgorithmCount { found: 0 });
    check(
        &head_of(&[(4, 20); 17], b""),
        LogError::AlgorithmCount { found: 17 },
    );
    check(
        &head_of(&[(4, 20); 2], b""),
        LogError::AlgorithmTwice { found: 4 },
    );
    let size = |algorithm, expected, found| LogError::AlgorithmSize {
        algorithm,
        expected,
        found,
    };
    check(&head_of(&[(11, 20)], b""), size(11, 32, 20));
    check(&head_of(&[(0x12, 65)], b""), size(0x12, 64, 65));
    let too_long = LogError::TooLong {
        limit: MAX_LOG_BYTES,
        found: MAX_LOG_BYTES + 1,
    };
    check(&vec![0; MAX_LOG_BYTES + 1], too_long);
}

#[test]
fn an_event_that_is_not_extended_may_name_any_pcr() {
    let mut bytes = head();
    bytes.extend(agile_event(
        u32::MAX,
        EventKind::NO_ACTION,
        &[],
        b"reference",
    ));
    bytes.extend(measured(0, EventKind::IPL, b"x"));
    let log = EventLog::parse(&bytes).unwrap();
    assert_eq!(log.replay(HashAlgorithm::Sha256).touched().to_string(), "0");
}

#[test]
fn a_log_of_the_sha1_form_has_that_one_bank() {
    let digest = HashAlgorithm::Sha1.digest(b"x");
    let bytes = sha1_event(4, EventKind::IPL, &digest, b"x").repeat(2);
    let log = EventLog::parse(&bytes).unwrap();
    assert!(!log.is_crypto_agile());
    let expected = HashAlgorithm::Sha1
        .zero()
        .extended_by(&digest)
        .extended_by(&digest);
    assert_eq!(log.replay(HashAlgorithm::Sha1).value(4), Some(&expected));
    assert!(log.replay(HashAlgorithm::Sha256).touched().is_empty());
}

#[test]
fn every_truncation_is_refused_or_ends_between_two_events() {
    let bytes = log();
    let whole = EventLog::parse(&bytes).unwrap();
    let ends: Vec<usize> = whole.events().iter().skip(1).map(Event::offset).collect();
    for length in 0..bytes.len() {
        let cut = EventLog::parse(&bytes[..length]);
        assert_eq!(cut.is_ok(), ends.contains(&length), "at {length}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        check_any(&bytes);
        check_any(&[head(), bytes].concat());
    }

    #[test]
    fn every_change_is_read_or_refused(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = log();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        check_any(&bytes);
    }
}

/// What holds of any bytes that are taken for a log.
fn check_any(bytes: &[u8]) {
    let Ok(log) = EventLog::parse(bytes) else {
        return;
    };
    let filtered = log.filtered(&AllowList::standard());
    assert!(filtered.len() <= bytes.len());
    let again = EventLog::parse(&filtered).expect("a filtered log is a log");
    for algorithm in HashAlgorithm::ALL {
        assert_eq!(again.replay(algorithm), log.replay(algorithm));
    }
}
