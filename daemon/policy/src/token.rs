//! Tokens: how they look, and the table of those that are live.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use subtle::{Choice, ConstantTimeEq};
use zeroize::{Zeroize, Zeroizing};

use crate::AppId;

/// How long a token lasts where the configuration says nothing.
pub const DEFAULT_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// The shortest life of a token: less could not be renewed in time on a busy machine.
pub const MIN_LIFETIME: Duration = Duration::from_secs(10);

/// The longest life of a token. A day is bearable only because each connection's user is checked.
pub const MAX_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Most tokens at a time, for all users together. All of them are compared with each token that
/// is shown, which takes some 10 microseconds.
pub const MAX_TOKENS: usize = 256;

/// Most tokens of one user at a time, so that no user can take all of them.
pub const MAX_TOKENS_OF_A_USER: usize = 32;

/// What each token begins with, so that scanners for lost secrets know one when they see it.
const PREFIX: &str = "earnest_";

/// Random bytes in a token: 256 bits, which nobody guesses.
const SECRET_BYTES: usize = 32;

/// Characters of the secret in base64 without padding (RFC 4648, section 5).
const SECRET_CHARACTERS: usize = (SECRET_BYTES * 4).div_ceil(3);

/// Bytes of a token as text.
pub const TOKEN_BYTES: usize = PREFIX.len() + SECRET_CHARACTERS;

/// A token as its owner gets it. It is forgotten when dropped, and shown by nothing but
/// [`Token::expose`].
pub struct Token(Zeroizing<String>);

impl Token {
    /// The text to send as `Authorization: Bearer ...`.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn random() -> Result<Token, IssueError> {
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        SystemRandom::new()
            .fill(secret.as_mut())
            .map_err(|_| IssueError::NoRandomNumbers)?;
        // Sized beforehand, so that no half of it stays behind in a smaller allocation.
        let mut text = Zeroizing::new(String::with_capacity(TOKEN_BYTES));
        text.push_str(PREFIX);
        URL_SAFE_NO_PAD.encode_string(secret.as_ref(), &mut text);
        Ok(Token(text))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(...)")
    }
}

/// A token and what it is good for.
#[derive(Debug)]
pub struct Issued {
    /// The token, which is kept nowhere else.
    pub token: Token,
    /// The application that it names.
    pub app: AppId,
    /// Until when it is live, on CLOCK_BOOTTIME.
    pub until: Duration,
}

/// Whose a live token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    pub(crate) uid: u32,
    pub(crate) app: AppId,
}

/// The tokens that were given out and have not been taken back.
#[derive(Debug, Default)]
pub(crate) struct Table(Vec<Entry>);

struct Entry {
    fingerprint: Fingerprint,
    holder: Holder,
    until: Duration,
}

impl fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} until {:?}", self.holder, self.until)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.fingerprint.zeroize();
    }
}

/// The SHA-256 digest of a token. A secret of 256 random bits needs no slow hash: there is
/// nothing to guess.
type Fingerprint = [u8; digest::SHA256_OUTPUT_LEN];

impl Table {
    /// Whose live token `bearer` is.
    pub(crate) fn holder(&self, bearer: &str, now: Duration) -> Option<Holder> {
        let place = self.find(bearer)?;
        let entry = &self.0[place];
        (now < entry.until).then(|| entry.holder.clone())
    }

    pub(crate) fn issue(
        &mut self,
        uid: u32,
        app: AppId,
        now: Duration,
        until: Duration,
    ) -> Result<Issued, IssueError> {
        self.0.retain(|entry| now < entry.until);
        let of_user = self.0.iter().filter(|entry| entry.holder.uid == uid);
        let bounds = [
            (of_user.count(), MAX_TOKENS_OF_A_USER),
            (self.0.len(), MAX_TOKENS),
        ];
        for (found, expected) in bounds {
            if found >= expected {
                return Err(IssueError::TooMany { expected, found });
            }
        }
        let token = Token::random()?;
        self.0.push(Entry {
            fingerprint: fingerprint(token.expose()),
            holder: Holder {
                uid,
                app: app.clone(),
            },
            until,
        });
        Ok(Issued { token, app, until })
    }

    pub(crate) fn renew(
        &mut self,
        uid: u32,
        bearer: &str,
        now: Duration,
        until: Duration,
    ) -> Result<Duration, RenewError> {
        let place = self.find(bearer).ok_or(RenewError::BadToken)?;
        let entry = &mut self.0[place];
        if entry.holder.uid != uid || now >= entry.until {
            return Err(RenewError::BadToken);
        }
        entry.until = until.max(entry.until);
        Ok(entry.until)
    }

    pub(crate) fn revoke(&mut self, uid: u32, bearer: &str) -> bool {
        match self.find(bearer) {
            Some(place) if self.0[place].holder.uid == uid => {
                self.0.swap_remove(place);
                true
            }
            _ => false,
        }
    }

    pub(crate) fn forget_all(&mut self) -> usize {
        let count = self.0.len();
        self.0.clear();
        count
    }

    pub(crate) fn live(&self, now: Duration) -> usize {
        self.0.iter().filter(|entry| now < entry.until).count()
    }

    /// Where the token stands. Every entry is compared in whole, so that the time this takes
    /// says how many tokens there are and nothing about them.
    fn find(&self, bearer: &str) -> Option<usize> {
        // What has another length is none of ours, and the right length is no secret.
        if bearer.len() != TOKEN_BYTES {
            return None;
        }
        let shown = fingerprint(bearer);
        let mut found = None;
        for (place, entry) in self.0.iter().enumerate() {
            let same: Choice = entry.fingerprint.ct_eq(&shown);
            if same.into() {
                found = Some(place);
            }
        }
        found
    }
}

fn fingerprint(token: &str) -> Fingerprint {
    let digest = digest::digest(&digest::SHA256, token.as_bytes());
    let mut fingerprint = [0; digest::SHA256_OUTPUT_LEN];
    fingerprint.copy_from_slice(digest.as_ref());
    fingerprint
}

pub(crate) fn check_lifetime(lifetime: Duration) -> Result<(), LifetimeError> {
    match (MIN_LIFETIME..=MAX_LIFETIME).contains(&lifetime) {
        true => Ok(()),
        false => Err(LifetimeError {
            least: MIN_LIFETIME,
            most: MAX_LIFETIME,
            found: lifetime,
        }),
    }
}

/// A token would last too short or too long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a token lasts from {least:?} to {most:?}, not {found:?}")]
pub struct LifetimeError {
    /// The shortest life.
    pub least: Duration,
    /// The longest life.
    pub most: Duration,
    /// What was asked for.
    pub found: Duration,
}

/// Why no token was given out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// Only who is known by the Unix socket may have one.
    #[error("tokens are given out over the Unix socket alone")]
    NotByPeer,
    /// The table is full, for this user or for all.
    #[error("{found} tokens are live, of at most {expected}")]
    TooMany {
        /// Most tokens at a time.
        expected: usize,
        /// Tokens that are live.
        found: usize,
    },
    /// The system's source failed.
    #[error("the system has no random numbers")]
    NoRandomNumbers,
}

/// Why a token does not last longer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenewError {
    /// Only who is known by the Unix socket may prolong one.
    #[error("tokens are renewed over the Unix socket alone")]
    NotByPeer,
    /// It is no token of this user that is live.
    #[error("the token is none of this user's that is live")]
    BadToken,
}
