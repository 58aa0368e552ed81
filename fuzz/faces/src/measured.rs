//! Earnest's own measured log.

use earnest_evidence::HashAlgorithm;
use earnest_evidence::measured::{MAX_HEADS, MAX_MEASURED_LOG_BYTES, MAX_STARTS, MeasuredLog};

/// Reads `data` as a measured log. A log that is taken has one encoding, and its replay is
/// told from every other number of its entries.
pub fn measured(data: &[u8]) {
    let (recovered, length, error) = MeasuredLog::recover(data);
    assert_eq!(recovered.encode(), data[..length]);
    let log = match MeasuredLog::parse(data) {
        Ok(log) => log,
        Err(refused) => {
            assert_eq!(error.as_ref(), Some(&refused));
            // The message is shown to people, so making it must not fail either.
            return drop(refused.to_string());
        }
    };
    assert_eq!((&recovered, length, error), (&log, data.len(), None));
    let (starts, heads) = (log.starts().count(), log.heads().count());
    assert_eq!(starts + heads, log.entries().len());
    assert!(starts <= MAX_STARTS && heads <= MAX_HEADS && data.len() <= MAX_MEASURED_LOG_BYTES);
    let reset = HashAlgorithm::Sha256.zero();
    let replay = log.replay(&reset);
    assert_eq!(log.extended(&reset, &replay), Some(log.entries().len()));
    for (place, entry) in log.entries().iter().enumerate() {
        assert_eq!(entry.number() as usize, place + 1);
    }
}
