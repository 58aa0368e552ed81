//! Nonces: each is issued once and answered once, however many processes try.

use std::fs;

use earnest_evidence::Nonce;
use earnest_files::FileError;
use earnest_verifier::freshness::{FreshNonce, FreshnessError, MAX_RECORD_BYTES, NonceRecord};
use ring::rand::SecureRandom;

use super::{Kind, State, StateError, damaged};

/// How long the record of a nonce is kept after its time, in seconds, so that a late or second
/// answer is told what it is. After that the nonce was never issued, which is refused as well.
const KEPT_SECONDS: i64 = 3_600;

impl State {
    /// Issues a nonce at `now` (seconds since 1970), for one device or for any that is enrolled,
    /// and clears away old ones of one shard.
    ///
    /// # Errors
    ///
    /// When the random source fails, or the record cannot be written.
    pub fn issue(
        &self,
        device: Option<&str>,
        lifetime_seconds: u32,
        now: i64,
        random: &dyn SecureRandom,
    ) -> Result<NonceRecord, StateError> {
        let mut bytes = [0; earnest_evidence::NONCE_BYTES];
        random.fill(&mut bytes).map_err(|_| StateError::Random)?;
        let nonce = Nonce::from_bytes(bytes);
        let challenge = NonceRecord::issue(nonce, device, now, lifetime_seconds);
        let key = nonce.to_string();
        self.create_file(Kind::Nonces, &key, &challenge.to_json())?;
        let is_over = |text: &str| {
            NonceRecord::from_json(text)
                .is_ok_and(|challenge| challenge.is_over(now.saturating_sub(KEPT_SECONDS)))
        };
        // The nonce's own first byte is as good a random choice of a shard as any. What waits goes
        // before what is spent, so that nothing spent is ever taken for waiting.
        for kind in [Kind::Nonces, Kind::Spent] {
            self.clear(kind, bytes[0], MAX_RECORD_BYTES, is_over);
        }
        Ok(challenge)
    }

    /// Consumes a nonce that `device` answers at `now` (seconds since 1970). Whatever the answer
    /// is worth, there is no second one: that it is spent is on the disk before this returns, and
    /// of several that try at once, one creates that file. Only the answer of a device that the
    /// nonce is not for leaves it as it was.
    ///
    /// # Errors
    ///
    /// [`StateError::Freshness`] when the nonce is not fresh; others when the state fails, which
    /// is no reason to take the nonce for fresh either.
    pub fn consume(&self, nonce: &Nonce, device: &str, now: i64) -> Result<FreshNonce, StateError> {
        let key = nonce.to_string();
        let Some(mut challenge) = self.challenge(Kind::Nonces, &key)? else {
            return Err(self.answered_before(nonce, now)?.into());
        };
        let outcome = challenge.consume(device, now);
        if let Err(error @ FreshnessError::OtherDevice { .. }) = outcome {
            return Err(error.into());
        }
        match self.create_file(Kind::Spent, &key, &challenge.to_json()) {
            Ok(()) => {}
            Err(FileError::Exists { .. }) => return Err(self.answered_before(nonce, now)?.into()),
            Err(error) => return Err(error.into()),
        }
        // Whether this outlives a power cut does not matter: the file of the spent nonce does.
        let _ = fs::remove_file(self.path(Kind::Nonces, &key));
        Ok(outcome?)
    }

    /// Why a nonce that does not wait for an answer is refused.
    fn answered_before(&self, nonce: &Nonce, now: i64) -> Result<FreshnessError, StateError> {
        let nonce = *nonce;
        Ok(match self.challenge(Kind::Spent, &nonce.to_string())? {
            None => FreshnessError::NotIssued { nonce },
            // What is spent says when. If it does not, it is spent all the same.
            Some(spent) => FreshnessError::Replayed {
                nonce,
                consumed_at: spent.consumed_at().unwrap_or(now),
            },
        })
    }

    fn challenge(&self, kind: Kind, key: &str) -> Result<Option<NonceRecord>, StateError> {
        match self.read(kind, key, MAX_RECORD_BYTES)? {
            None => Ok(None),
            Some(text) => NonceRecord::from_json(&text)
                .map(Some)
                .map_err(|error| damaged(&self.path(kind, key), &error)),
        }
    }
}
