//! The envelope of evidence.

use earnest_evidence::Evidence;
use earnest_evidence::envelope::MAX_ENVELOPE_BYTES;

/// Reads `data` as an envelope, in CBOR or JSON. Evidence that is taken goes through both
/// forms unchanged.
pub fn envelope(data: &[u8]) {
    let evidence = match Evidence::decode(data) {
        Ok(evidence) => evidence,
        // The message is shown to people, so making it must not fail either.
        Err(error) => return drop(error.to_string()),
    };
    assert!(data.len() <= MAX_ENVELOPE_BYTES);
    let cbor = evidence.to_cbor().expect("what was read is within bounds");
    assert_eq!(Evidence::decode(&cbor).as_ref(), Ok(&evidence));
    let json = evidence.to_json().expect("what was read is within bounds");
    assert_eq!(Evidence::decode(json.as_bytes()).as_ref(), Ok(&evidence));
    drop(evidence.parse_firmware_log());
    drop(evidence.parse_measured_log());
}
