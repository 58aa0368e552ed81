//! When which key was made, and the key of pseudonyms, which is kept with it.
//!
//! Keys are rotated by the wall clock, as they outlive restarts. A clock that is set back leaves
//! keys that were made in the future: they count as made now, so that a clock cannot keep a key
//! alive.

use std::time::{Duration, SystemTime};

use earnest_telemetry::KeyKind;
use earnest_tpm::{NoRandomness, fresh_secret};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::configuration::KeySettings;

/// The version of the format.
const FORMAT: u32 = 1;

/// When which key was made, in seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    pseudonyms: Zeroizing<[u8; 32]>,
    pseudonyms_made: u64,
    audit_made: u64,
    state_made: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: u32,
    pseudonyms: [u8; 32],
    pseudonyms_made: u64,
    audit_made: u64,
    state_made: u64,
}

impl Calendar {
    /// The first one: every key is made now.
    ///
    /// # Errors
    ///
    /// When the system gives no random numbers.
    pub fn new(now: SystemTime) -> Result<Calendar, CalendarError> {
        let now = seconds(now);
        Ok(Calendar {
            pseudonyms: fresh_secret()?,
            pseudonyms_made: now,
            audit_made: now,
            state_made: now,
        })
    }

    /// Reads what [`Calendar::encode`] wrote.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn parse(bytes: &[u8]) -> Result<Calendar, CalendarError> {
        let written: Written = serde_json::from_slice(bytes)?;
        if written.format != FORMAT {
            return Err(CalendarError::Format {
                expected: FORMAT,
                found: written.format,
            });
        }
        Ok(Calendar {
            pseudonyms: Zeroizing::new(written.pseudonyms),
            pseudonyms_made: written.pseudonyms_made,
            audit_made: written.audit_made,
            state_made: written.state_made,
        })
    }

    /// Its bytes.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let written = Written {
            format: FORMAT,
            pseudonyms: *self.pseudonyms,
            pseudonyms_made: self.pseudonyms_made,
            audit_made: self.audit_made,
            state_made: self.state_made,
        };
        let json = serde_json::to_vec(&written);
        Zeroizing::new(json.expect("numbers always have a JSON form"))
    }

    /// The key that apps are renamed with.
    pub fn pseudonyms(&self) -> &Zeroizing<[u8; 32]> {
        &self.pseudonyms
    }

    /// Makes another key for pseudonyms.
    ///
    /// # Errors
    ///
    /// When the system gives no random numbers.
    pub fn renew_pseudonyms(&mut self, now: SystemTime) -> Result<(), CalendarError> {
        self.pseudonyms = fresh_secret()?;
        self.pseudonyms_made = seconds(now);
        Ok(())
    }

    /// Notes that a key was made.
    pub fn made(&mut self, which: KeyKind, now: SystemTime) {
        match which {
            KeyKind::Audit => self.audit_made = seconds(now),
            KeyKind::State => self.state_made = seconds(now),
            // The pseudonyms' key is made here; the others are held in memory alone.
            KeyKind::Pseudonyms | KeyKind::Tokens | KeyKind::Tls => {}
        }
    }

    /// The keys of this calendar whose time is over. A key from the future counts as made now.
    pub fn due(&mut self, settings: &KeySettings, now: SystemTime) -> Vec<KeyKind> {
        let now = seconds(now);
        let mut due = Vec::new();
        for (made, life, which) in [
            (&mut self.audit_made, settings.audit, KeyKind::Audit),
            (
                &mut self.pseudonyms_made,
                settings.pseudonyms,
                KeyKind::Pseudonyms,
            ),
            (&mut self.state_made, settings.state, KeyKind::State),
        ] {
            *made = now.min(*made);
            if Duration::from_secs(now - *made) >= life {
                due.push(which);
            }
        }
        due
    }
}

fn seconds(now: SystemTime) -> u64 {
    let since = now.duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or(Duration::ZERO).as_secs()
}

/// Why there is no calendar.
#[derive(Debug, thiserror::Error)]
pub enum CalendarError {
    /// The system gives no random numbers.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The file is none.
    #[error("the calendar of keys cannot be read")]
    NotJson(#[from] serde_json::Error),
    /// It is of another version.
    #[error("the calendar of keys has format {found}; expected is {expected}")]
    Format {
        /// The version of this program.
        expected: u32,
        /// The file's.
        found: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    fn settings() -> KeySettings {
        KeySettings {
            tokens: DAY,
            audit: 7 * DAY,
            pseudonyms: 30 * DAY,
            state: 90 * DAY,
        }
    }

    fn day(number: u32) -> SystemTime {
        SystemTime::UNIX_EPOCH + DAY * (20_000 + number)
    }

    #[test]
    fn each_key_is_due_when_its_time_is_over_and_not_again_once_it_was_made() {
        let mut calendar = Calendar::new(day(0)).unwrap();
        assert_eq!(calendar.due(&settings(), day(6)), []);
        assert_eq!(calendar.due(&settings(), day(7)), [KeyKind::Audit]);
        calendar.made(KeyKind::Audit, day(7));
        assert_eq!(calendar.due(&settings(), day(13)), []);
        let all = [KeyKind::Audit, KeyKind::Pseudonyms, KeyKind::State];
        assert_eq!(calendar.due(&settings(), day(90)), all);
    }

    #[test]
    fn a_clock_that_is_set_back_keeps_no_key_alive() {
        let mut calendar = Calendar::new(day(1000)).unwrap();
        assert_eq!(calendar.due(&settings(), day(0)), []);
        assert_eq!(calendar.due(&settings(), day(7)), [KeyKind::Audit]);
    }

    #[test]
    fn a_calendar_is_read_back_as_it_was_written() {
        let mut calendar = Calendar::new(day(0)).unwrap();
        let first = calendar.pseudonyms().clone();
        calendar.renew_pseudonyms(day(1)).unwrap();
        assert_ne!(*calendar.pseudonyms(), first);
        let read = Calendar::parse(&calendar.encode()).unwrap();
        assert_eq!(read, calendar);
        assert!(Calendar::parse(b"{}").is_err());
    }
}
