//! Logs that were cut, reordered, edited or rolled back, and writes that were cut short.

use std::fs;

use earnest_telemetry::Event;

use super::kit::{Kit, append, secret};
use crate::*;

/// Bytes of a record of a short entry: head, entry, tag and digest.
const RECORD: usize = 12 + 128 + 16 + 32;

/// Bytes of a header.
const HEADER: usize = 160;

fn flaws(damage: &Damage) -> Vec<(u32, u64, Flaw)> {
    let findings = damage.findings.iter();
    findings
        .map(|finding| (finding.segment, finding.after, finding.flaw))
        .collect()
}

#[test]
fn a_write_that_was_cut_short_anywhere_is_cut_off_and_all_before_it_stays() {
    // The last write of three entries lacks what comes after some byte.
    let made = Kit::new();
    let head = made.fill(4);
    for lacks in (1..3 * RECORD).step_by(11) {
        let kit = made.copy();
        let path = &kit.files()[0];
        let mut bytes = fs::read(path).unwrap();
        // What a longer write would have left: one write of three records.
        let three = forge_write(&kit, &bytes, 3);
        bytes.extend_from_slice(&three[..three.len() - lacks]);
        bytes.resize(128 << 10, 0);
        fs::write(path, &bytes).unwrap();
        assert_eq!(
            kit.verify(Some(head))
                .map(|found| found.head.sequence >= 4)
                .ok(),
            Some(true)
        );
        let (log, recovered) = kit.open();
        assert!(recovered.damaged.is_empty(), "{lacks}: {recovered:?}");
        let whole = 4 + (three.len() - lacks) as u64 / RECORD as u64;
        assert_eq!(recovered.head.sequence, whole, "{lacks}");
        let torn = (three.len() - lacks) % RECORD;
        assert_eq!(recovered.cut.is_some(), torn > 0, "{lacks}");
        append(&log, Event::Stopping).unwrap();
        log.close();
        let verified = kit.verify(Some(head)).unwrap();
        assert_eq!(verified.head, log.head());
        assert_eq!(verified.entries, log.head().sequence);
    }
}

/// The bytes of one more write of so many records after these, as the log would have made them
/// but for the encryption.
fn forge_write(kit: &Kit, bytes: &[u8], records: u64) -> Vec<u8> {
    let header = crate::segment::Header::parse(bytes).expect("it is a segment");
    let mut walk = crate::segment::Walk::new(&header, bytes);
    while walk.next().is_some() {}
    assert!(kit.path().exists());
    let mut chain = walk.digest();
    let mut made = Vec::new();
    for record in 1..=records {
        let head = crate::segment::RecordHead {
            length: 144,
            is_last: record == records,
            write: u32::try_from(walk.sequence() - header.first).expect("it is small") + 1,
            hours: 0,
        };
        chain = crate::segment::push(&mut made, chain, head, &[0xa5; 144]);
    }
    made
}

#[test]
fn a_sector_that_never_came_to_the_disk_is_a_write_cut_short() {
    // The places of sectors in a write differ with what stands before it.
    for before in 1..6 {
        lose_each_sector(before);
    }
}

fn lose_each_sector(before: u64) {
    let kit = Kit::new();
    let head = kit.fill(before);
    let path = &kit.files()[0];
    let bytes = fs::read(path).unwrap();
    let whole = bytes.len();
    let mut longer = bytes.clone();
    longer.extend(forge_write(&kit, &bytes, 20));
    for sector in whole / 512..longer.len() / 512 {
        let mut bytes = longer.clone();
        bytes[(sector * 512).max(whole)..(sector + 1) * 512].fill(0);
        fs::write(path, &bytes).unwrap();
        let (log, recovered) = kit.open();
        assert!(recovered.damaged.is_empty(), "{sector}: {recovered:?}");
        assert!(recovered.cut.is_some());
        log.close();
        assert!(kit.verify(Some(head)).is_ok());
        fs::remove_file(&kit.files()[1]).unwrap();
    }
}

#[test]
fn an_edited_byte_anywhere_is_told_with_its_place_and_the_log_goes_on() {
    let made = Kit::new();
    made.fill(4);
    made.fill(2);
    let length = HEADER + 4 * RECORD;
    for at in (0..length).step_by(13) {
        let kit = made.copy();
        let path = &kit.files()[0];
        let mut bytes = fs::read(path).unwrap();
        assert_eq!(bytes.len(), length);
        bytes[at] ^= 0x10;
        fs::write(path, &bytes).unwrap();
        let damage = kit.damage(None);
        let (segment, after, _) = flaws(&damage)[0];
        let record = at.saturating_sub(HEADER) / RECORD;
        assert_eq!((segment, after), (1, record as u64), "{at}: {damage}");
        assert!(!damage.findings[0].is_known);

        let (log, recovered) = kit.open();
        assert_eq!(recovered.damaged.len(), 1, "{at}: {recovered:?}");
        append(&log, Event::Stopping).unwrap();
        log.close();
        assert_eq!(
            fs::read(kit.path().join("audit-00000001.damaged")).unwrap(),
            bytes
        );
        let damage = kit.damage(Some(log.head()));
        assert!(damage.findings[0].is_known);
        assert_eq!(damage.findings.len(), 1, "{at}: {damage}");
        // The entries before it, and all of the other segments, are read.
        let reader = Reader::open(kit.path(), &[secret(7)]).unwrap();
        let read: Vec<u64> = reader
            .after(0)
            .flatten()
            .map(|entry| entry.sequence)
            .collect();
        // Where it is the header, nothing of the segment can be trusted.
        let whole = if at < HEADER { 0 } else { record as u64 };
        assert_eq!(read, (1..=whole).chain(5..=8).collect::<Vec<u64>>(), "{at}");
    }
}

#[test]
fn damage_in_the_newest_segment_is_named_by_the_next_and_no_number_is_used_twice() {
    let kit = Kit::new();
    let head = kit.fill(4);
    let path = &kit.files()[0];
    let mut bytes = fs::read(path).unwrap();
    bytes[HEADER + 2 * RECORD + 50] ^= 1;
    fs::write(path, &bytes).unwrap();
    let mut kit = kit;
    kit.options.anchor = Some(head);
    let (log, recovered) = kit.open();
    assert_eq!(recovered.damaged, [(1, Flaw::Chain)]);
    assert_eq!(recovered.anchored, Anchored::Missing);
    let receipt = append(&log, Event::Stopping).unwrap();
    assert_eq!(receipt.sequence, 6, "5 tells of the damage, after 4");
    log.close();
    let damage = kit.damage(Some(log.head()));
    assert_eq!(flaws(&damage), [(1, 2, Flaw::Chain)]);
    let (log, recovered) = kit.open();
    assert!(recovered.damaged.is_empty(), "it was told before");
    drop(log);
}

#[test]
fn a_cut_and_a_reordered_log_are_told_without_a_key() {
    let made = Kit::new();
    for _ in 0..3 {
        made.fill(2);
    }
    let make = || made.copy();
    // A segment is gone.
    let kit = make();
    fs::remove_file(&kit.files()[1]).unwrap();
    let (expected, found) = (3, 5);
    let gap = Flaw::Gap { expected, found };
    assert_eq!(flaws(&kit.damage(None)), [(3, 2, gap)]);
    let (log, recovered) = kit.open();
    assert_eq!(recovered.damaged, [(3, gap)]);
    drop(log);

    // Two have changed places.
    let kit = make();
    let files = kit.files();
    let spare = kit.path().join("spare");
    fs::rename(&files[0], &spare).unwrap();
    fs::rename(&files[1], &files[0]).unwrap();
    fs::rename(&spare, &files[1]).unwrap();
    let damage = kit.damage(None);
    let numbers = [
        (1, Flaw::Number { found: 2 }),
        (2, Flaw::Number { found: 1 }),
    ];
    for (finding, (segment, flaw)) in damage.findings.iter().zip(numbers) {
        assert_eq!((finding.segment, finding.flaw), (segment, flaw));
    }

    // Records have changed places.
    let kit = make();
    let path = &kit.files()[0];
    let mut bytes = fs::read(path).unwrap();
    let (first, second) = bytes[HEADER..].split_at_mut(RECORD);
    first.swap_with_slice(&mut second[..RECORD]);
    fs::write(path, &bytes).unwrap();
    assert_eq!(flaws(&kit.damage(None)), [(1, 0, Flaw::Chain)]);

    // A record is gone, and those after it have moved up.
    let kit = make();
    let path = &kit.files()[0];
    let mut bytes = fs::read(path).unwrap();
    bytes.drain(HEADER..HEADER + RECORD);
    fs::write(path, &bytes).unwrap();
    assert_eq!(flaws(&kit.damage(None))[0], (1, 0, Flaw::Chain));
}

#[test]
fn a_log_that_was_cut_at_its_end_or_rolled_back_is_told_by_the_head_in_the_evidence() {
    let kit = Kit::new();
    let early = kit.fill(2);
    let old = fs::read(&kit.files()[0]).unwrap();
    let head = kit.fill(2);
    for path in kit.files() {
        fs::remove_file(path).unwrap();
    }
    fs::write(kit.path().join("audit-00000001.log"), old).unwrap();
    assert!(kit.verify(None).is_ok(), "nothing inside of it tells");
    assert!(kit.verify(Some(early)).is_ok());
    let damage = kit.damage(Some(head));
    assert_eq!(damage.anchored, Anchored::Missing);
    assert_eq!(damage.findings, []);
    assert!(
        damage
            .to_string()
            .contains("ends with entry 2 and not with 4")
    );

    // It goes on after it, so that the numbers in the evidence never fall.
    let mut kit = kit;
    kit.options.anchor = Some(head);
    let (log, recovered) = kit.open();
    assert_eq!(recovered.anchored, Anchored::Missing);
    let receipt = append(&log, Event::Started).unwrap();
    assert_eq!(receipt.sequence, 6, "5 tells of it, after 4");
    log.close();
    let (expected, found) = (3, 5);
    let gap = Flaw::Gap { expected, found };
    assert_eq!(flaws(&kit.damage(None)), [(2, 2, gap)]);
}

#[test]
fn a_log_that_was_written_anew_is_told_by_the_head_in_the_evidence() {
    let kit = Kit::new();
    let head = kit.fill(3);
    for path in kit.files() {
        fs::remove_file(path).unwrap();
    }
    // With the public key anybody can write another one.
    kit.fill(5);
    assert!(kit.verify(None).is_ok());
    assert_eq!(kit.damage(Some(head)).anchored, Anchored::Other);
}

#[test]
fn an_entry_of_another_log_does_not_decrypt_here() {
    // Both chains are recomputed, as an attacker with the folder can; the encryption stays.
    let kit = Kit::new();
    kit.fill(2);
    let path = &kit.files()[0];
    let bytes = fs::read(path).unwrap();
    let header = crate::segment::Header::parse(&bytes).unwrap();
    let mut walk = crate::segment::Walk::new(&header, &bytes);
    let (first, second) = (walk.next().unwrap(), walk.next().unwrap());
    let mut forged = bytes[..HEADER].to_vec();
    let chain = crate::segment::push(&mut forged, header.chain(), second.head, second.sealed);
    crate::segment::push(&mut forged, chain, first.head, first.sealed);
    fs::write(path, &forged).unwrap();
    assert!(kit.verify(None).is_ok());
    let (entries, error) = read_segment(&forged, &[secret(7)]);
    assert_eq!(entries, []);
    assert!(matches!(error, Some(ReadError::Entry { sequence: 1, .. })));
}

#[test]
fn a_segment_that_never_got_its_name_and_one_without_entries_are_no_loss() {
    let kit = Kit::new();
    let head = kit.fill(2);
    fs::write(kit.path().join("audit.new"), [1; 300]).unwrap();
    let (log, recovered) = kit.open();
    assert_eq!(recovered.head, head);
    assert!(!kit.path().join("audit.new").exists());
    super::kit::wait(log.rotate(secret(8).public())).unwrap();
    log.close();
    assert_eq!(kit.files().len(), 2);
    let (log, recovered) = kit.open();
    assert_eq!(recovered.head, head);
    assert!(recovered.damaged.is_empty());
    append(&log, Event::Started).unwrap();
    log.close();
    assert_eq!(kit.verify(Some(log.head())).unwrap().entries, 3);
}
