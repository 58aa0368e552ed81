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

fn head(sequence: u64) -> Head {
    let chain = sha256(&sequence.to_be_bytes());
    Head::new(sequence, chain.as_bytes().try_into().unwrap())
}

/// A start, heads, another start and a head.
fn mixed() -> MeasuredLog {
    let mut log = log(1);
    log.append(head(3)).unwrap();
    log.append(head(7)).unwrap();
    log.append(start("0.2.0")).unwrap();
    log.append(head(1 << 40)).unwrap();
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

/// The format of a head, behind a start.
#[test]
fn a_head_has_the_bytes_of_the_golden() {
    let mut log = log(1);
    let behind = log.encode().len();
    let entry = log.append(head(500)).unwrap();
    assert_eq!(
        (entry.number(), entry.head(), entry.start()),
        (2, Some(&head(500)), None)
    );
    let golden = "a40002010202 1901f4 035820 CHAIN".replace(' ', "");
    let chain = sha256(&500_u64.to_be_bytes()).to_hex();
    assert_eq!(
        hex::encode(&log.encode()[behind..]),
        golden.replace("CHAIN", &chain)
    );
    assert_eq!(MeasuredLog::parse(&log.encode()), Ok(log));
}

/// What was written before there were heads: the bytes of the first release's log.
#[test]
fn a_log_of_starts_alone_reads_as_before() {
    let first = "a6000101010258 20CONFIGURATION 03f6 0402 056131";
    let second = "a6000101020258 20CONFIGURATION 035820MODEL 0400 056132";
    let old = [first, second].concat().replace(' ', "");
    let old = old.replace("CONFIGURATION", &"6d".repeat(32));
    let bytes = hex::decode(&old.replace("MODEL", &"c0".repeat(32))).unwrap();
    let log = MeasuredLog::parse(&bytes).unwrap();
    let versions: Vec<&str> = log.starts().map(Start::version).collect();
    assert_eq!(versions, ["1", "2"]);
    assert_eq!(log.heads().count(), 0);
    assert_eq!(log.encode(), bytes);
}

#[test]
fn starts_and_heads_are_told_apart_and_keep_their_order() {
    let log = mixed();
    let numbers: Vec<u32> = log.entries().iter().map(Entry::number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    let versions: Vec<&str> = log.starts().map(Start::version).collect();
    assert_eq!(versions, ["0.1.0", "0.2.0"]);
    let heads: Vec<Head> = log.heads().copied().collect();
    assert_eq!(heads, [head(3), head(7), head(1 << 40)]);
    assert_eq!(MeasuredLog::parse(&log.encode()), Ok(log));
}

#[test]
fn an_entry_of_no_known_kind_is_refused() {
    let check = |head: &str, expected: EntryError| {
        let bytes = hex::decode(head).unwrap();
        let error = MeasuredLogError::Entry {
            entry: 1,
            offset: 0,
            source: expected,
        };
        assert_eq!(MeasuredLog::parse(&bytes), Err(error), "{head}");
    };
    check("a40003", EntryError::Format { found: 3 });
    check("a40000", EntryError::Format { found: 0 });
    let fields = |expected, found| EntryError::Number {
        field: "the number of fields",
        expected,
        found,
    };
    check("a60002", fields(4, 6));
    check("a40001", fields(6, 4));
    check("bf0002", fields(4, 0));
}

#[test]
fn a_head_follows_one_of_fewer_entries_or_itself() {
    let check = |later: Head, earlier: Head, expected: bool| {
        assert_eq!(later.follows(&earlier), expected, "{later} after {earlier}");
    };
    check(head(2), head(1), true);
    check(head(2), head(2), true);
    check(head(1), head(2), false);
    check(Head::new(2, [0; 32]), head(2), false);
}

#[test]
fn a_head_in_json_is_of_sha256() {
    let head = head(5);
    let json = serde_json::to_string(&head).unwrap();
    let expected = format!(r#"{{"sequence":5,"digest":"{}"}}"#, head.digest());
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_str::<Head>(&json).unwrap(), head);
    let sha1 = HashAlgorithm::Sha1.digest(b"c");
    let other = format!(r#"{{"sequence":5,"digest":"{sha1}"}}"#);
    let refused = serde_json::from_str::<Head>(&other).unwrap_err();
    assert!(refused.to_string().contains("not sha1"), "{refused}");
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

/// Neither kind crowds out the other.
#[test]
fn a_log_full_of_a_kind_takes_no_more_of_it_and_a_longer_one_is_refused() {
    let starts = log(MAX_STARTS);
    let mut heads = log(1);
    for sequence in 1..=MAX_HEADS as u64 {
        heads
            .append(head(u64::MAX - MAX_HEADS as u64 + sequence))
            .unwrap();
    }
    let (one_start, one_head) = (Measured::from(start("0.1.0")), Measured::from(head(1)));
    for (mut full, kind, more, other) in [
        (
            starts,
            EntryKind::Start,
            one_start.clone(),
            one_head.clone(),
        ),
        (heads, EntryKind::Head, one_head, one_start),
    ] {
        let limit = kind.limit();
        assert_eq!(full.append(more.clone()), Err(LogFull { kind, limit }));
        let bytes = full.encode();
        let longer = Entry::new(full.next_number(), more).encode();
        let longer = [&bytes[..], &longer].concat();
        let error = MeasuredLogError::TooManyEntries { kind, limit };
        assert_eq!(MeasuredLog::parse(&longer), Err(error));
        assert_eq!(MeasuredLog::parse(&bytes), Ok(full.clone()));
        full.append(other).unwrap();
        assert!(full.encode().len() <= MAX_MEASURED_LOG_BYTES);
        assert_eq!(MeasuredLog::parse(&full.encode()), Ok(full));
    }
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

fn any_start() -> impl Strategy<Value = Measured> {
    let told = (any::<[u8; 4]>(), any::<bool>(), 0_u64..3, "[!-~]{1,64}");
    told.prop_map(|(seed, has_model, level, version)| {
        let model = has_model.then(|| sha256(&seed));
        let level = SandboxLevel::from_number(level).unwrap();
        let start = Start::new(sha256(&seed), model, level, &version);
        start.unwrap().into()
    })
}

fn any_head() -> impl Strategy<Value = Measured> {
    // Small numbers and large ones: each length has its own encoding.
    let sequence = (any::<u64>(), 0..64_u32).prop_map(|(number, bits)| number >> bits);
    let head = (sequence, any::<[u8; 32]>());
    head.prop_map(|(sequence, digest)| Head::new(sequence, digest).into())
}

proptest! {
    #[test]
    fn what_is_written_is_read(
        entries in proptest::collection::vec(prop_oneof![any_start(), any_head()], 0..8)
    ) {
        let mut log = MeasuredLog::new();
        for measured in entries {
            let entry = log.append(measured).unwrap();
            let most = match entry.kind() {
                EntryKind::Start => MAX_ENTRY_BYTES,
                EntryKind::Head => MAX_HEAD_BYTES,
            };
            assert!(entry.encode().len() <= most);
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
    let log = mixed();
    let bytes = log.encode();
    let mut ends = vec![0];
    for entry in log.entries() {
        ends.push(ends[ends.len() - 1] + entry.encode().len());
    }
    for length in 0..bytes.len() {
        let cut = MeasuredLog::parse(&bytes[..length]);
        assert_eq!(cut.is_ok(), ends.contains(&length), "at {length}");
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
