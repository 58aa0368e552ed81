//! Enrolments that wait for their answer.

use earnest_evidence::enrolment::{Answer, Challenge, ChallengeId};
use earnest_files as files;
use earnest_verifier::enrolment::{Candidate, Enrolment, MAX_ENROLMENT_BYTES, Pending};
use ring::rand::SecureRandom;

use super::{Kind, State, StateError, damaged};

/// How long a challenge can be answered, in seconds: a day, as its files may go by hand.
pub(crate) const ANSWER_SECONDS: i64 = 86_400;

impl State {
    /// Makes the challenge for a device that was checked, and remembers it until its answer
    /// comes or a day has passed.
    ///
    /// # Errors
    ///
    /// When no credential can be made, or the record cannot be written.
    pub fn begin_enrolment(
        &self,
        candidate: &Candidate,
        now: i64,
        random: &dyn SecureRandom,
    ) -> Result<Challenge, StateError> {
        let (challenge, pending) =
            candidate.challenge(now.saturating_add(ANSWER_SECONDS), random)?;
        let key = challenge.id().to_string();
        self.create_file(Kind::Pending, &key, &pending.to_json())?;
        let is_over =
            |text: &str| Pending::from_json(text).is_ok_and(|pending| now >= pending.expires_at());
        // The identifier is random, so its first byte is as good a choice of a shard as any.
        let [shard, ..] = *challenge.id().as_bytes();
        self.clear(Kind::Pending, shard, MAX_ENROLMENT_BYTES, is_over);
        Ok(challenge)
    }

    /// The enrolment that an answer proves. It is not recorded yet, and the challenge still
    /// waits: see [`State::enrol`] and [`State::end_enrolment`].
    ///
    /// # Errors
    ///
    /// When nothing waits for the answer, or it is late or wrong.
    pub fn answered(&self, answer: &Answer, now: i64) -> Result<Enrolment, StateError> {
        let key = answer.id().to_string();
        let text = self
            .read(Kind::Pending, &key, MAX_ENROLMENT_BYTES)?
            .ok_or_else(|| StateError::NotPending {
                challenge: key.clone(),
            })?;
        let pending = Pending::from_json(&text)
            .map_err(|error| damaged(&self.path(Kind::Pending, &key), &error))?;
        Ok(pending.confirm(answer, now)?)
    }

    /// Forgets a challenge, so that it can be answered no more. Tells whether it was there.
    ///
    /// # Errors
    ///
    /// When its file cannot be removed.
    pub fn end_enrolment(&self, id: ChallengeId) -> Result<bool, StateError> {
        Ok(files::remove(&self.path(Kind::Pending, &id.to_string()))?)
    }
}
