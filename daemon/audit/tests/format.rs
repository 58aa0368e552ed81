//! The format on the disk, which logs of earlier versions are read by. The vector was decrypted
//! and its chain followed by another implementation, which was written from the standard and from
//! the table in `segment.rs`.

use std::fs;
use std::path::Path;

use earnest_audit::{Anchored, Entry, Reader, SecretKey, examine, read_segment, verify};

/// The chain's digest after the vector's last entry.
const DIGEST: &str = "476be7d95866dd310ff496546941bb5d9d6724eae7bb97f54c070ddb4ec8783c";

fn vectors() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors"))
}

fn secret() -> SecretKey {
    SecretKey::from_bytes(&[7; 32])
}

#[test]
fn a_segment_of_the_first_version_is_read() {
    let bytes = fs::read(vectors().join("audit-00000001.log")).unwrap();
    let examined = examine(&bytes).unwrap();
    assert_eq!((examined.segment, examined.first), (1, 1));
    assert_eq!(examined.digest.to_string(), DIGEST);
    assert_eq!(examined.key.to_string(), "0f6d2553ff0c0f44");

    let (entries, error) = read_segment(&bytes, &[secret()]);
    assert!(error.is_none());
    let expected = fs::read_to_string(vectors().join("entries.jsonl")).unwrap();
    let expected: Vec<Entry> = expected
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(entries, expected);
}

#[test]
fn a_folder_of_the_first_version_is_read_and_verified() {
    let found = verify(vectors(), None).unwrap();
    assert_eq!((found.entries, found.anchored), (8, Anchored::Unknown));
    assert_eq!(found.head.digest.to_string(), DIGEST);
    assert_eq!(verify(vectors(), Some(found.head)).unwrap().entries, 8);
    let reader = Reader::open(vectors(), &[secret()]).unwrap();
    assert_eq!(reader.after(6).count(), 2);
}
