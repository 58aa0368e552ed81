//! The log's promises, and its bytes.

use proptest::prelude::*;

use super::*;
use crate::{HashAlgorithm, hex};

fn sha256(bytes: &[u8]) -> Digest {
    HashAlgorithm::Sha256.digest(bytes)
}

fn start(version: &str) -> Start {
    Start::new(
        sha256(b"configuration"),
        Some(sha256(b"model")),
        SandboxLevel::Full,
        version,
    )
    .unwrap()
}

fn log(starts: usize) -> MeasuredLog {
    let mut log = MeasuredLog::new();
    for _ in 0..starts {
        log.append(start("0.1.0")).unwrap();
    }
    log
}

/// The format, byte by byte. A change of these is a new format.
#[test]
fn an_entry_has_the_bytes_of_the_golden() {
    let bytes = hex::encode(&log(1).encode());
    assert_eq!(
        bytes,
        concat!(
            "a6",
            "0001",
            "0101",
            "025820",
            "CONFIGURATION",
            "035820",
            "MODEL",
            "0402",
            "0565302e312e30"
        )
        .replace("CONFIGURATION", &sha256(b"configuration").to_hex())
        .replace("MODEL", &sha256(b"model").to_hex())
    );
}

#[test]
fn an_entry_without_a_model_says_null() {
    let start = Start::new(sha256(b"c"), None, SandboxLevel::None, "1").unwrap();
    let mut log = MeasuredLog::new();
    log.append(start).unwrap();
    let bytes = log.encode();
    assert!(hex::encode(&bytes).ends_with("03f60400056131"));
    assert_eq!(MeasuredLog::parse(&bytes), Ok(log));
}

#[test]
fn a_restart_appends_and_the_replay_goes_on() {
    let (two, three) = (log(2), log(3));
    assert_eq!(three.encode()[..two.encode().len()], two.encode());
    let reset = HashAlgorithm::Sha256.zero();
    let third = three.entries()[2].digest(HashAlgorithm::Sha256);
    assert_eq!(three.replay(&reset), two.replay(&reset).extended_by(&third));
    assert_eq!(MeasuredLog::new().replay(&reset), reset);
    let sha384 = three.replay(&HashAlgorithm::Sha384.zero());
    assert_eq!(sha384.algorithm(), HashAlgorithm::Sha384);
}

#[test]
fn two_equal_starts_have_two_digests() {
    let log = log(2);
    let digest = |place: usize| log.entries()[place].digest(HashAlgorithm::Sha256);
    assert_ne!(digest(0), digest(1), "each has its number");
}

#[test]
fn it_is_known_how_many_entries_the_pcr_was_extended_with() {
    let reset = HashAlgorithm::Sha256.zero();
    let whole = log(3);
    for starts in 0..=3 {
        let pcr = log(starts).replay(&reset);
        assert_eq!(whole.extended(&reset, &pcr), Some(starts));
    }
    assert_eq!(whole.extended(&reset, &sha256(b"other")), None);
    assert_eq!(
        whole.extended(&sha256(b"shim"), &whole.replay(&reset)),
        None
    );
}

#[test]
fn a_log_that_was_cut_while_writing_gives_back_its_whole_entries() {
    let bytes = log(2).encode();
    let first = log(1).encode().len();
    let (recovered, length, error) = MeasuredLog::recover(&bytes[..bytes.len() - 1]);
    assert_eq!((recovered, length), (log(1), first));
    let Some(MeasuredLogError::Entry { entry, offset, .. }) = error else {
        panic!("the rest is told");
    };
    assert_eq!((entry, offset), (2, first));
}

#[test]
fn entries_that_were_left_out_repeated_or_moved_are_refused() {
    let bytes = log(3).encode();
    let length = bytes.len() / 3;
    let entry = |place: usize| bytes[place * length..(place + 1) * length].to_vec();
    let check = |order: &[usize]| {
        let bytes: Vec<u8> = order.iter().flat_map(|place| entry(*place)).collect();
        let error = MeasuredLog::parse(&bytes).unwrap_err();
        assert!(
            error.to_string().contains("the entry's number is"),
            "{error}"
        );
    };
    check(&[1]);
    check(&[0, 2]);
    check(&[0, 0]);
    check(&[1, 0, 2]);
}

#[test]
fn what_says_the_same_in_other_bytes_is_refused() {
    let plain = log(1).encode();
    // The version of the format, 1, as two bytes.
    let longer = [&plain[..2], &[0x18, 0x01], &plain[3..]].concat();
    let encoding = EntryError::Encoding;
    let error = MeasuredLogError::Entry {
        entry: 1,
        offset: 0,
        source: encoding,
    };
    assert_eq!(MeasuredLog::parse(&longer), Err(error));
}

#[test]
fn a_full_log_takes_no_more_and_a_longer_one_is_refused() {
    let mut full = log(MAX_ENTRIES);
    let limit = MAX_ENTRIES;
    assert_eq!(full.append(start("0.1.0")), Err(LogFull { limit }));
    let bytes = full.encode();
    assert!(bytes.len() <= MAX_MEASURED_LOG_BYTES);
    let more = [bytes.as_slice(), &[0xa6]].concat();
    let error = MeasuredLogError::TooManyEntries { limit };
    assert_eq!(MeasuredLog::parse(&more), Err(error));
    assert_eq!(MeasuredLog::parse(&bytes), Ok(full));
}

#[test]
fn a_start_is_told_in_sha256_and_plain_text() {
    let check = |configuration: Digest, version: &str| {
        Start::new(configuration, None, SandboxLevel::None, version).unwrap_err()
    };
    let sha1 = HashAlgorithm::Sha1.digest(b"c");
    let found = HashAlgorithm::Sha1;
    assert_eq!(check(sha1, "1"), StartError::Algorithm { found });
    for version in ["", "1 2", "1\n", "é", &"1".repeat(65)] {
        let error = check(sha256(b"c"), version);
        assert!(matches!(error, StartError::Version { .. }), "{version:?}");
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        starts in proptest::collection::vec((any::<[u8; 4]>(), any::<bool>(), 0_u64..3, "[!-~]{1,64}"), 0..8)
    ) {
        let mut log = MeasuredLog::new();
        for (seed, has_model, level, version) in starts {
            let model = has_model.then(|| sha256(&seed));
            let level = SandboxLevel::from_number(level).unwrap();
            let start = Start::new(sha256(&seed), model, level, &version).unwrap();
            assert!(log.append(start).unwrap().encode().len() <= MAX_ENTRY_BYTES);
        }
        prop_assert_eq!(MeasuredLog::parse(&log.encode()), Ok(log));
    }

    #[test]
    fn any_bytes_are_a_log_in_its_one_encoding_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..300)
    ) {
        if let Ok(log) = MeasuredLog::parse(&bytes) {
            prop_assert_eq!(log.encode(), bytes);
        }
    }
}

#[test]
fn every_truncation_and_flipped_bit_is_refused_or_another_log() {
    let log = log(2);
    let bytes = log.encode();
    let first = bytes.len() / 2;
    for length in 0..bytes.len() {
        let cut = MeasuredLog::parse(&bytes[..length]);
        assert_eq!(cut.is_ok(), length == 0 || length == first, "at {length}");
    }
    let reset = HashAlgorithm::Sha256.zero();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(other) = MeasuredLog::parse(&flipped) {
            assert_ne!(other.replay(&reset), log.replay(&reset), "bit {bit}");
        }
    }
}
