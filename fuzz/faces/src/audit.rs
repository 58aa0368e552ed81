//! Segments of the audit log, and their entries.

use earnest_audit::{
    Device, Entry, Pseudonyms, SecretKey, Summary, cef, examine, ocsf, read_segment,
};

/// A segment of eight entries, which was written to the key of 32 sevens.
const SEGMENT: &[u8] = include_bytes!("../../../daemon/audit/tests/vectors/audit-00000001.log");

/// Reads `data` in the way that its first byte says:
///
/// - `e`: the rest is an entry in JSON, as it would be decrypted;
/// - `p`: the rest are edits of a genuine segment, of three bytes each: a place and what stands
///   there from now on;
/// - anything else: all of it is a segment.
///
/// What is read of an edited segment is what was written, in its order, and an entry is exported
/// as one line whatever it says.
pub fn audit(data: &[u8]) {
    match data.split_first() {
        Some((b'e', text)) => entry(text),
        Some((b'p', edits)) => edited(edits),
        _ => {
            segment(data);
        }
    }
}

/// The entries of a segment, looked at in two ways that must agree.
fn segment(bytes: &[u8]) -> Vec<Entry> {
    let (entries, error) = read_segment(bytes, &[SecretKey::from_bytes(&[7; 32])]);
    match examine(bytes) {
        Ok(examined) => match error {
            None => assert_eq!(entries.len() as u64, examined.entries),
            Some(_) => assert!(entries.len() as u64 <= examined.entries),
        },
        Err(_) => assert!(error.is_some(), "what is damaged was read without a word"),
    }
    entries
}

fn edited(edits: &[u8]) {
    let mut bytes = SEGMENT.to_vec();
    for edit in edits.chunks_exact(3) {
        let at = usize::from(u16::from_le_bytes([edit[0], edit[1]]));
        if let Some(byte) = bytes.get_mut(at) {
            *byte = edit[2];
        }
    }
    let genuine = segment(SEGMENT);
    assert_eq!(genuine.len(), 8);
    assert!(genuine.starts_with(&segment(&bytes)));
}

fn entry(text: &[u8]) {
    let Ok(entry) = serde_json::from_slice::<Entry>(text) else {
        return;
    };
    let again = serde_json::to_vec(&entry).expect("what was read can be written");
    let again = serde_json::from_slice::<Entry>(&again).expect("what was written can be read");
    assert_eq!(again, entry);
    let device = Device {
        name: "kitchen",
        version: "0.1.0",
    };
    let pseudonyms = Pseudonyms::new(&[1; 32]);
    let line = cef(&entry, &pseudonyms, device);
    assert!(line.starts_with("CEF:0|") && !line.chars().any(char::is_control));
    let object = ocsf(&entry, &pseudonyms, device);
    assert_eq!(
        object["type_uid"].as_u64(),
        object["class_uid"]
            .as_u64()
            .zip(object["activity_id"].as_u64())
            .map(|(class, activity)| class * 100 + activity)
    );
    let summary = Summary::of([entry]);
    assert_eq!(summary.entries, 1);
}
