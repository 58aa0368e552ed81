//! Firmware event logs of real machines, and `tpm2_eventlog`'s replay of them.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use earnest_evidence::HashAlgorithm;
use earnest_evidence::firmware::{AllowList, EventLog};

use crate::vectors;

/// PCR values by bank and number, in hexadecimal.
type Replayed = BTreeMap<(String, u8), String>;

/// What `tpm2_eventlog` replays a log to, or nothing if it is not there, fails, or prints no
/// PCRs, as it does for logs that it cannot read.
fn outsiders_replay(log: &[u8]) -> Option<Replayed> {
    let mut tool = Command::new("tpm2_eventlog")
        .arg("/dev/stdin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut input = tool.stdin.take().expect("the input is a pipe");
    // A tool that stops early does not read to the end.
    let _ = input.write_all(log);
    drop(input);
    let output = tool.wait_with_output().expect("the tool ends");
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let (_, pcrs) = text.split_once("\npcrs:\n")?;
    let mut bank = String::new();
    let mut replayed = Replayed::new();
    for line in pcrs.lines() {
        let (key, value) = line.split_once(':').expect("a line has a key");
        match value.trim().strip_prefix("0x") {
            None => bank = key.trim().to_owned(),
            Some(digits) => {
                let pcr = key.trim().parse().expect("a PCR has a number");
                replayed.insert((bank.clone(), pcr), digits.to_owned());
            }
        }
    }
    Some(replayed)
}

fn our_replay(log: &EventLog<'_>) -> Replayed {
    let mut replayed = Replayed::new();
    for algorithm in HashAlgorithm::ALL {
        let replay = log.replay(algorithm);
        for pcr in replay.touched().iter() {
            let value = replay.value(pcr).expect("a touched PCR has a value");
            replayed.insert((algorithm.to_string(), pcr), value.to_hex());
        }
    }
    replayed
}

#[test]
fn whatever_an_outsider_can_replay_is_read_and_replays_to_the_same_pcrs() {
    let Some(vectors) = vectors("eventlogs") else {
        return;
    };
    let mut compared = 0;
    for (name, bytes) in &vectors {
        match (EventLog::parse(bytes), outsiders_replay(bytes)) {
            (Ok(log), Some(expected)) => {
                assert_eq!(our_replay(&log), expected, "{name}");
                compared += 1;
            }
            (Ok(_), None) => println!("skipped: tpm2_eventlog is absent or fails on {name}"),
            (Err(error), None) => println!("{name} is refused: {error}"),
            (Err(error), Some(_)) => panic!("{name} is refused: {error}"),
        }
    }
    println!("{compared} of {} logs compared", vectors.len());
}

#[test]
fn a_filtered_log_replays_as_the_whole_one_and_is_shorter() {
    let Some(vectors) = vectors("eventlogs") else {
        return;
    };
    for (name, bytes) in &vectors {
        let Ok(log) = EventLog::parse(bytes) else {
            continue;
        };
        let filtered = log.filtered(&AllowList::standard());
        let again = EventLog::parse(&filtered).expect("a filtered log is a log");
        assert_eq!(our_replay(&again), our_replay(&log), "{name}");
        // The smallest hold nothing that has to stay home.
        assert!(
            filtered.len() < bytes.len() || log.events().len() <= 2,
            "{name}"
        );
    }
}

/// Bytes of a log of which every bit is flipped. Further on it is one bit of each byte, so that
/// the test takes seconds.
const WHOLLY_FLIPPED: usize = 4000;

#[test]
fn every_flipped_bit_is_read_or_refused() {
    let Some(vectors) = vectors("eventlogs") else {
        return;
    };
    for (name, bytes) in &vectors {
        let (mut read, mut refused) = (0_usize, 0_usize);
        let mut flipped = bytes.clone();
        let bits = |place: usize| match place {
            0..WHOLLY_FLIPPED => 0..8,
            _ => place % 8..place % 8 + 1,
        };
        for (place, bit) in
            (0..bytes.len()).flat_map(|place| bits(place).map(move |bit| (place, bit)))
        {
            flipped[place] ^= 1 << bit;
            match EventLog::parse(&flipped) {
                Ok(_) => read += 1,
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    refused += 1;
                }
            }
            flipped[place] ^= 1 << bit;
        }
        println!("{name}: {read} read, {refused} refused");
        assert!(read > 0 && refused > 0, "{name}");
    }
}

#[test]
fn a_truncated_log_is_refused_with_its_place_unless_it_ends_between_events() {
    let Some(vectors) = vectors("eventlogs") else {
        return;
    };
    for (name, bytes) in &vectors {
        let Ok(log) = EventLog::parse(bytes) else {
            continue;
        };
        let ends: Vec<usize> = log.events().iter().map(|event| event.offset()).collect();
        for length in 1..bytes.len() {
            let refused = EventLog::parse(&bytes[..length]).is_err();
            assert_eq!(refused, !ends.contains(&length), "{name} cut at {length}");
        }
    }
}
