//! Nonces: each is issued for one device or for any, is good for one answer, and for a time.
//!
//! The state of one nonce is a [`NonceRecord`], which the fleet keeps as one small file by the
//! nonce's name, so that looking one up costs the same however many devices there are. What
//! happens to it is decided here, purely; that two verifiers at once do not both consume it is
//! up to whoever keeps the file (renaming it away first lets one of them win).
//!
//! ```
//! use earnest_evidence::Nonce;
//! use earnest_verifier::freshness::{FreshnessError, NonceRecord};
//!
//! let nonce = Nonce::from_bytes([7; 32]);
//! let mut record = NonceRecord::issue(nonce, Some("kitchen"), 1_000, 60);
//! assert!(record.consume("kitchen", 1_030).is_ok());
//! let again = record.consume("kitchen", 1_031);
//! assert_eq!(again, Err(FreshnessError::Replayed { nonce, consumed_at: 1_030 }));
//! ```

use earnest_evidence::Nonce;
use serde::{Deserialize, Serialize};

/// Longest JSON of a nonce's record, in bytes.
pub const MAX_RECORD_BYTES: usize = 1024;

/// Longest name of a device, in bytes: it stands in file names.
pub const MAX_DEVICE_BYTES: usize = 128;

/// A nonce that was issued, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NonceRecord {
    nonce: Nonce,
    /// Whose answer it takes; of none, anyone's, and whoever gave it stands here then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    device: Option<String>,
    issued_at: i64,
    lifetime_seconds: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    consumed_at: Option<i64>,
}

/// A nonce that was issued, not older than allowed, and not consumed before. Only
/// [`NonceRecord::consume`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreshNonce {
    nonce: Nonce,
    device: String,
}

/// Why a nonce is not fresh.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FreshnessError {
    /// Nobody issued it.
    #[error("nonce {nonce} was not issued")]
    NotIssued {
        /// The evidence's nonce.
        nonce: Nonce,
    },
    /// It was issued for another device.
    #[error("nonce {nonce} was issued for device {expected:?}, not for {found:?}")]
    OtherDevice {
        /// The nonce.
        nonce: Nonce,
        /// The device that it was issued for.
        expected: String,
        /// The device that answers.
        found: String,
    },
    /// It was consumed before.
    #[error("nonce {nonce} was answered before, at {consumed_at} (seconds since 1970)")]
    Replayed {
        /// The nonce.
        nonce: Nonce,
        /// When, in seconds since 1970.
        consumed_at: i64,
    },
    /// It is too old.
    #[error(
        "nonce {nonce} was issued at {issued_at} for {lifetime_seconds} s; it is {now} \
         (seconds since 1970)"
    )]
    Stale {
        /// The nonce.
        nonce: Nonce,
        /// When it was issued, in seconds since 1970.
        issued_at: i64,
        /// How long it was good for.
        lifetime_seconds: u32,
        /// The time that was passed in.
        now: i64,
    },
    /// It was issued later than now: a clock went back.
    #[error("nonce {nonce} was issued at {issued_at}, after {now} (seconds since 1970)")]
    FromTheFuture {
        /// The nonce.
        nonce: Nonce,
        /// When it was issued, in seconds since 1970.
        issued_at: i64,
        /// The time that was passed in.
        now: i64,
    },
    /// Its record cannot be read.
    #[error("the record of a nonce is unreadable: {reason}")]
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
}

impl FreshnessError {
    /// The reason's stable name.
    pub const fn reason(&self) -> &'static str {
        match self {
            FreshnessError::NotIssued { .. } => "nonce_not_issued",
            FreshnessError::OtherDevice { .. } => "nonce_of_other_device",
            FreshnessError::Replayed { .. } => "nonce_replayed",
            FreshnessError::Stale { .. } => "nonce_stale",
            FreshnessError::FromTheFuture { .. } => "nonce_from_the_future",
            FreshnessError::Unreadable { .. } => "nonce_unreadable",
        }
    }
}

impl NonceRecord {
    /// A nonce for `device`, or for whichever answers first, issued at `now` (seconds since
    /// 1970). The caller drew it from a random source, and takes the lifetime from the policy.
    /// That whoever answers is enrolled is up to the caller too.
    pub fn issue(
        nonce: Nonce,
        device: Option<&str>,
        now: i64,
        lifetime_seconds: u32,
    ) -> NonceRecord {
        NonceRecord {
            nonce,
            device: device.map(str::to_owned),
            issued_at: now,
            lifetime_seconds,
            consumed_at: None,
        }
    }

    /// The nonce.
    pub fn nonce(&self) -> Nonce {
        self.nonce
    }

    /// The device that it was issued for, or that answered it; none while any may.
    pub fn device(&self) -> Option<&str> {
        self.device.as_deref()
    }

    /// When it was answered, in seconds since 1970; none while it waits.
    pub fn consumed_at(&self) -> Option<i64> {
        self.consumed_at
    }

    /// Whether its time is over at `now`: then its record may be removed, after which the nonce
    /// was never issued, and is refused as that.
    pub fn is_over(&self, now: i64) -> bool {
        now >= self.end()
    }

    /// Consumes the nonce: `device` answered it at `now`. Whatever the answer is worth, there is
    /// no second one; only another device's leaves the nonce as it was, so that nobody can spend
    /// a nonce in another's place.
    ///
    /// # Errors
    ///
    /// When it is another device's, was consumed before, or is too old.
    pub fn consume(&mut self, device: &str, now: i64) -> Result<FreshNonce, FreshnessError> {
        let nonce = self.nonce;
        if let Some(expected) = self.device.as_deref().filter(|&it| it != device) {
            return Err(FreshnessError::OtherDevice {
                nonce,
                expected: expected.to_owned(),
                found: device.chars().take(MAX_DEVICE_BYTES).collect(),
            });
        }
        if let Some(consumed_at) = self.consumed_at {
            return Err(FreshnessError::Replayed { nonce, consumed_at });
        }
        self.device = Some(device.to_owned());
        self.consumed_at = Some(now);
        if now < self.issued_at {
            return Err(FreshnessError::FromTheFuture {
                nonce,
                issued_at: self.issued_at,
                now,
            });
        }
        if self.is_over(now) {
            return Err(FreshnessError::Stale {
                nonce,
                issued_at: self.issued_at,
                lifetime_seconds: self.lifetime_seconds,
                now,
            });
        }
        Ok(FreshNonce {
            nonce,
            device: device.to_owned(),
        })
    }

    /// The record as JSON.
    pub fn to_json(&self) -> String {
        // Strings and numbers alone, none of which fails to be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a record.
    ///
    /// # Errors
    ///
    /// When it is longer than [`MAX_RECORD_BYTES`] or not as [`NonceRecord::to_json`] writes it.
    pub fn from_json(text: &str) -> Result<NonceRecord, FreshnessError> {
        let unreadable = |reason: String| FreshnessError::Unreadable { reason };
        if text.len() > MAX_RECORD_BYTES {
            return Err(unreadable(format!("it has {} bytes", text.len())));
        }
        serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))
    }

    fn end(&self) -> i64 {
        self.issued_at
            .saturating_add(i64::from(self.lifetime_seconds))
    }
}

impl FreshNonce {
    /// The nonce.
    pub fn nonce(&self) -> Nonce {
        self.nonce
    }

    /// The device that answers, for which it was issued or which was the first of any.
    pub fn device(&self) -> &str {
        &self.device
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONCE: Nonce = Nonce::from_bytes([7; 32]);

    fn issued() -> NonceRecord {
        NonceRecord::issue(NONCE, Some("kitchen"), 1000, 60)
    }

    #[test]
    fn a_nonce_is_good_until_its_lifetime_is_over() {
        assert!(issued().consume("kitchen", 1000).is_ok());
        assert!(issued().consume("kitchen", 1059).is_ok());
        let stale = FreshnessError::Stale {
            nonce: NONCE,
            issued_at: 1000,
            lifetime_seconds: 60,
            now: 1060,
        };
        assert_eq!(issued().consume("kitchen", 1060), Err(stale));
        let early = FreshnessError::FromTheFuture {
            nonce: NONCE,
            issued_at: 1000,
            now: 999,
        };
        assert_eq!(issued().consume("kitchen", 999), Err(early));
    }

    #[test]
    fn a_stale_answer_consumes_the_nonce_too() {
        let mut record = issued();
        assert!(record.consume("kitchen", 2000).is_err());
        let replayed = FreshnessError::Replayed {
            nonce: NONCE,
            consumed_at: 2000,
        };
        assert_eq!(record.consume("kitchen", 1001), Err(replayed));
    }

    #[test]
    fn another_device_neither_gets_the_nonce_nor_spends_it() {
        let mut record = issued();
        let other = FreshnessError::OtherDevice {
            nonce: NONCE,
            expected: "kitchen".to_owned(),
            found: "attic".to_owned(),
        };
        assert_eq!(record.consume("attic", 1001), Err(other));
        assert!(record.consume("kitchen", 1002).is_ok());
    }

    #[test]
    fn a_nonce_for_any_device_is_the_first_ones_alone() {
        let mut record = NonceRecord::issue(NONCE, None, 1000, 60);
        assert_eq!((record.device(), record.consumed_at()), (None, None));
        let waiting = NonceRecord::from_json(&record.to_json());
        assert_eq!(waiting, Ok(record.clone()));
        assert_eq!(record.consume("attic", 1001).unwrap().device(), "attic");
        assert_eq!(record.device(), Some("attic"));
        assert_eq!(record.consumed_at(), Some(1001));
        let replayed = FreshnessError::Replayed {
            nonce: NONCE,
            consumed_at: 1001,
        };
        assert_eq!(record.consume("attic", 1002), Err(replayed));
        let other = record.consume("kitchen", 1002);
        assert!(matches!(other, Err(FreshnessError::OtherDevice { .. })));
    }

    #[test]
    fn records_go_there_and_back_and_nothing_else_is_read() {
        let mut record = issued();
        assert_eq!(
            NonceRecord::from_json(&record.to_json()),
            Ok(record.clone())
        );
        record.consume("kitchen", 1001).unwrap();
        let json = record.to_json();
        assert_eq!(NonceRecord::from_json(&json), Ok(record));
        let more = json.replace('{', r#"{"more":1,"#);
        assert!(NonceRecord::from_json(&more).is_err());
        assert!(NonceRecord::from_json(&" ".repeat(2000)).is_err());
    }
}
