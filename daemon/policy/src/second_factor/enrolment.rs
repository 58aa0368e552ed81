//! How a person gets a second factor.

use std::fmt::{self, Write};
use std::time::Duration;

use zeroize::Zeroizing;

use super::code::{SECRET_BYTES, Secret};
use super::{SecondFactor, SecondFactorRefused};

/// How long an enrolment can be confirmed.
pub const PENDING_LIFETIME: Duration = Duration::from_secs(10 * 60);

/// Codes that an enrolment is tried with at most.
pub const PENDING_TRIES: u32 = 5;

/// Who the codes are for, as authenticators show it.
const ISSUER: &str = "Earnest";

/// Most characters of an account's name in an address; the rest is left out.
const MAX_ACCOUNT: usize = 64;

/// The alphabet of RFC 4648, section 6.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Characters of a secret in base32: 160 bits are 32 times 5, without padding.
const SECRET_CHARACTERS: usize = SECRET_BYTES * 8 / 5;

/// A secret that nobody has confirmed yet. It is no second factor, and it is not kept.
pub struct PendingFactor {
    secret: Secret,
    since: Duration,
    tries: u32,
}

impl PendingFactor {
    pub(super) fn new(secret: Secret, since: Duration) -> PendingFactor {
        PendingFactor {
            secret,
            since,
            tries: 0,
        }
    }

    /// Makes it a second factor, if the code is right: the authenticator has the secret. That
    /// code is used up. The pending one is to be dropped then.
    ///
    /// # Errors
    ///
    /// When the code is wrong, and when too much time or too many tries went by.
    pub fn confirm(
        &mut self,
        code: &str,
        wall: Duration,
        now: Duration,
    ) -> Result<SecondFactor, SecondFactorRefused> {
        if !self.is_live(now) {
            return Err(SecondFactorRefused::Ended);
        }
        match self.secret.matching_step(code, wall) {
            Some(step) => {
                self.tries = PENDING_TRIES;
                Ok(SecondFactor::confirmed(self.secret.clone(), step))
            }
            None => {
                self.tries += 1;
                Err(SecondFactorRefused::Wrong)
            }
        }
    }

    /// Whether it can still be confirmed.
    pub fn is_live(&self, now: Duration) -> bool {
        self.tries < PENDING_TRIES && now < self.since.saturating_add(PENDING_LIFETIME)
    }
}

/// Without the secret.
impl fmt::Debug for PendingFactor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PendingFactor(tried {} times)", self.tries)
    }
}

/// What a person is shown once, to put it into an authenticator.
pub struct Enrolment {
    secret: Zeroizing<String>,
    uri: Zeroizing<String>,
}

impl Enrolment {
    pub(super) fn new(secret: &Secret, account: &str) -> Enrolment {
        let secret = base32(secret.bytes());
        let mut label = String::new();
        for byte in account.bytes().take(MAX_ACCOUNT) {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => {
                    label.push(char::from(byte));
                }
                // RFC 3986, section 2.1. Writing into a text cannot fail.
                other => {
                    let _ = write!(label, "%{other:02X}");
                }
            }
        }
        let head = format!("otpauth://totp/{ISSUER}:{label}?secret=");
        let tail = format!("&issuer={ISSUER}&algorithm=SHA1&digits=6&period=30");
        // Sized beforehand, so that no half of it stays behind in a smaller allocation.
        let bytes = head.len() + secret.len() + tail.len();
        let mut uri = Zeroizing::new(String::with_capacity(bytes));
        uri.push_str(&head);
        uri.push_str(&secret);
        uri.push_str(&tail);
        Enrolment { secret, uri }
    }

    /// The secret in base32, to be typed.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// The same as an address, to be shown as a picture: `otpauth://totp/...`, as authenticators
    /// read it.
    pub fn uri(&self) -> &str {
        &self.uri
    }
}

/// Without the secret.
impl fmt::Debug for Enrolment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Enrolment(...)")
    }
}

/// Five bits a character. The length is a multiple of five bytes, so that nothing is left over.
fn base32(bytes: &[u8; SECRET_BYTES]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(SECRET_CHARACTERS));
    for group in bytes.chunks_exact(5) {
        let bits = group
            .iter()
            .fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
        for shift in (0..8).rev() {
            let place = usize::try_from(bits >> (shift * 5) & 0x1f).unwrap_or_default();
            text.push(char::from(BASE32[place]));
        }
    }
    text
}

/// The system's source of random numbers failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system has no random numbers")]
pub struct NoRandomNumbers;
