//! The codes of RFC 6238.

use std::time::Duration;

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::NoRandomNumbers;

/// How long a code is the current one (RFC 6238, section 5.2).
pub const STEP: Duration = Duration::from_secs(30);

/// Steps before and after the current one whose codes are taken, too.
const SKEW_STEPS: u64 = 1;

/// Digits of a code.
const DIGITS: usize = 6;

/// One more than the largest code.
const CODES: u32 = 1_000_000;

/// Bytes of a secret: 160 bits, as RFC 4226 recommends (section 4, R6).
pub(super) const SECRET_BYTES: usize = 20;

/// What codes are made of. Nothing prints it, and memory forgets it.
#[derive(Clone, Zeroize, ZeroizeOnDrop, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Secret([u8; SECRET_BYTES]);

impl Secret {
    pub(super) fn random() -> Result<Secret, NoRandomNumbers> {
        let mut secret = Secret([0; SECRET_BYTES]);
        let filled = SystemRandom::new().fill(&mut secret.0);
        filled.map(|()| secret).map_err(|_| NoRandomNumbers)
    }

    pub(super) fn bytes(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }

    #[cfg(test)]
    pub(super) fn new(bytes: [u8; SECRET_BYTES]) -> Secret {
        Secret(bytes)
    }

    /// The code of a step (RFC 4226, section 5.3).
    pub(super) fn code(&self, step: u64) -> u32 {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let bytes = tag.as_ref();
        let place = usize::from(bytes.last().copied().unwrap_or_default() & 0x0f);
        let mut word = [0; 4];
        // The tag has 20 bytes and the place is at most 15, so that there are always four.
        for (to, from) in word.iter_mut().zip(bytes.iter().skip(place)) {
            *to = *from;
        }
        (u32::from_be_bytes(word) & 0x7fff_ffff) % CODES
    }

    /// The latest step around `wall` that has this code. All of them are computed and compared,
    /// so that the time it takes says nothing.
    pub(super) fn matching_step(&self, code: &str, wall: Duration) -> Option<u64> {
        let shown = parse(code)?;
        let current = wall.as_secs() / STEP.as_secs();
        let mut found = 0;
        let mut any = Choice::from(0);
        for step in current.saturating_sub(SKEW_STEPS)..=current.saturating_add(SKEW_STEPS) {
            let same = self.code(step).ct_eq(&shown);
            found = u64::conditional_select(&found, &step, same);
            any |= same;
        }
        bool::from(any).then_some(found)
    }
}

impl ConstantTimeEq for Secret {
    fn ct_eq(&self, other: &Secret) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

/// Exactly six digits. How a code looks is no secret.
fn parse(code: &str) -> Option<u32> {
    let plain = code.len() == DIGITS && code.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| code.parse().ok()).flatten()
}
