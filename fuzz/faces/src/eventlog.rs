//! Firmware event logs.

use earnest_evidence::HashAlgorithm;
use earnest_evidence::firmware::{AllowList, EventLog, MAX_LOG_BYTES};

/// Reads `data` as a firmware event log. A log that is taken replays to the same PCRs when
/// its event data is filtered out, and is cut nowhere but between two events.
pub fn eventlog(data: &[u8]) {
    let log = match EventLog::parse(data) {
        Ok(log) => log,
        // The message is shown to people, so making it must not fail either.
        Err(error) => return drop(error.to_string()),
    };
    assert!(data.len() <= MAX_LOG_BYTES);
    for (place, event) in log.events().iter().enumerate() {
        assert_eq!(event.index(), place);
        assert!(event.offset() < data.len());
        assert!(!event.is_extended() || event.pcr() < 24);
        assert!(event.data().len() <= data.len());
        drop(event.kind().to_string());
    }
    let filtered = log.filtered(&AllowList::standard());
    assert!(filtered.len() <= data.len());
    let again = EventLog::parse(&filtered).expect("a filtered log is a log");
    assert_eq!(again.events().len(), log.events().len());
    for algorithm in HashAlgorithm::ALL {
        let replay = log.replay(algorithm);
        assert_eq!(again.replay(algorithm), replay);
        let listed = log.algorithms().contains(&algorithm);
        assert_eq!(listed, !replay.touched().is_empty());
    }
    let last = log.events().last().expect("a log has an event");
    if last.index() > 0 {
        let shorter = EventLog::parse(&data[..last.offset()]).expect("it ends between two events");
        assert_eq!(shorter.events().len(), last.index());
    }
}
