//! How a person at a browser gets in: a link that opens once, and a session in a cookie.
//!
//! A browser has neither a certificate nor the peer credentials of a Unix socket. Who proved
//! himself over that socket gets a link, opens it within [`LINK_LIFETIME`], and the browser gets
//! a session instead. Both are 256 random bits that are kept as digests alone, and both are good
//! only for the user that they were given to, at the other end of each connection, and for one
//! [`Purpose`]. The sessions of one purpose take no place from those of another.
//!
//! ```
//! use std::time::Duration;
//! use earnest_policy::{BrowserSessions, Purpose, SESSION_IDLE};
//!
//! let at = Duration::from_secs;
//! let mut sessions = BrowserSessions::default();
//! let link = sessions.link(1000, Purpose::Seeing, at(0))?;
//! let session = sessions.open(link.code.expose(), 1000, at(1))?;
//! assert!(sessions.open(link.code.expose(), 1000, at(2)).is_err());
//! let mut touch = |now| sessions.touch(session.cookie.expose(), 1000, now).cloned();
//! assert_eq!(touch(at(3)), Some(Purpose::Seeing));
//! assert_eq!(touch(at(3) + SESSION_IDLE), None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::AppId;

/// How long a link can be opened.
pub const LINK_LIFETIME: Duration = Duration::from_secs(60);

/// How long a session for seeing lasts without a request. A page of captions makes one request
/// that lasts, so its session ends with its life alone.
pub const SESSION_IDLE: Duration = Duration::from_secs(15 * 60);

/// How long a session lasts at all.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(8 * 60 * 60);

/// Most links of a purpose that wait to be opened, for all users together. A user's third replaces the first.
pub const MAX_LINKS: usize = 8;

/// Most links of one user and purpose that wait to be opened.
pub const MAX_LINKS_OF_A_USER: usize = 2;

/// Most sessions of a purpose, for all users together. A user's fifth replaces the one that rested
/// longest.
pub const MAX_SESSIONS: usize = 8;

/// Most sessions of one user and purpose.
pub const MAX_SESSIONS_OF_A_USER: usize = 4;

/// Random bytes of a code and of a cookie.
const SECRET_BYTES: usize = 32;

/// Characters of them in base64 without padding (RFC 4648, section 5).
const SECRET_CHARACTERS: usize = (SECRET_BYTES * 4).div_ceil(3);

/// A code or a cookie as its owner gets it. It is forgotten when dropped, and shown by nothing
/// but [`BrowserSecret::expose`].
pub struct BrowserSecret(Zeroizing<String>);

impl BrowserSecret {
    /// The text, of letters, digits, `-` and `_`.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn random() -> Result<BrowserSecret, SessionError> {
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        SystemRandom::new()
            .fill(secret.as_mut())
            .map_err(|_| SessionError::NoRandomNumbers)?;
        let mut text = Zeroizing::new(String::with_capacity(SECRET_CHARACTERS));
        URL_SAFE_NO_PAD.encode_string(secret.as_ref(), &mut text);
        Ok(BrowserSecret(text))
    }
}

impl fmt::Debug for BrowserSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BrowserSecret(...)")
    }
}

/// What a session is good for, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Purpose {
    /// Seeing how the device fares.
    Seeing,
    /// Listening to the microphone as this application, for captions.
    Captions {
        /// The application.
        app: AppId,
    },
}

impl Purpose {
    /// Whether both are of one kind, whatever the application.
    fn is_like(&self, other: &Purpose) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }

    /// How long its sessions last without a request.
    fn idle(&self) -> Duration {
        match self {
            Purpose::Seeing => SESSION_IDLE,
            Purpose::Captions { .. } => SESSION_LIFETIME,
        }
    }
}

/// A link that can be opened once.
#[derive(Debug)]
pub struct Link {
    /// The code in it, which is kept nowhere else.
    pub code: BrowserSecret,
    /// Until when it can be opened, on CLOCK_BOOTTIME.
    pub until: Duration,
}

/// A session that has begun.
#[derive(Debug)]
pub struct BrowserSession {
    /// What the browser shows from now on, which is kept nowhere else.
    pub cookie: BrowserSecret,
    /// When it ends at the latest, on CLOCK_BOOTTIME.
    pub until: Duration,
    /// What it is good for.
    pub purpose: Purpose,
}

/// The links that wait and the sessions that live. Nothing of it outlives the process.
#[derive(Debug, Default)]
pub struct BrowserSessions {
    links: Vec<Waiting>,
    sessions: Vec<Live>,
}

struct Waiting {
    code: Digest,
    uid: u32,
    purpose: Purpose,
    until: Duration,
}

struct Live {
    cookie: Digest,
    uid: u32,
    purpose: Purpose,
    last: Duration,
    until: Duration,
}

/// A SHA-256 digest. 256 random bits need no slow hash: there is nothing to guess.
type Digest = [u8; digest::SHA256_OUTPUT_LEN];

impl BrowserSessions {
    /// Gives `uid` a link to a session of this purpose.
    ///
    /// # Errors
    ///
    /// When too many links of other users wait, or the system has no random numbers.
    pub fn link(
        &mut self,
        uid: u32,
        purpose: Purpose,
        now: Duration,
    ) -> Result<Link, SessionError> {
        self.expire(now);
        let code = BrowserSecret::random()?;
        make_room(
            &mut self.links,
            |link| link.purpose.is_like(&purpose),
            |link| link.uid == uid,
            |link| link.until,
            MAX_LINKS_OF_A_USER,
            MAX_LINKS,
        )?;
        let until = now.saturating_add(LINK_LIFETIME);
        self.links.push(Waiting {
            code: digest_of(code.expose()),
            uid,
            purpose,
            until,
        });
        Ok(Link { code, until })
    }

    /// Opens a link for the user `uid`, which uses it up whether that is its user or not: a code
    /// that somebody else has is no secret any more.
    ///
    /// # Errors
    ///
    /// When it is no link that waits for this user, when too many sessions of other users are
    /// live, or when the system has no random numbers.
    pub fn open(
        &mut self,
        code: &str,
        uid: u32,
        now: Duration,
    ) -> Result<BrowserSession, SessionError> {
        self.expire(now);
        let place = find(&self.links, |link| &link.code, code).ok_or(SessionError::NoLink)?;
        let link = self.links.swap_remove(place);
        if link.uid != uid {
            return Err(SessionError::OtherOwner {
                owner: link.uid,
                found: uid,
            });
        }
        let cookie = BrowserSecret::random()?;
        make_room(
            &mut self.sessions,
            |session| session.purpose.is_like(&link.purpose),
            |session| session.uid == uid,
            |session| session.last,
            MAX_SESSIONS_OF_A_USER,
            MAX_SESSIONS,
        )?;
        let until = now.saturating_add(SESSION_LIFETIME);
        self.sessions.push(Live {
            cookie: digest_of(cookie.expose()),
            uid,
            purpose: link.purpose.clone(),
            last: now,
            until,
        });
        Ok(BrowserSession {
            cookie,
            until,
            purpose: link.purpose,
        })
    }

    /// What the cookie is good for, where it is a live session of this user, which then has not
    /// been idle.
    pub fn touch(&mut self, cookie: &str, uid: u32, now: Duration) -> Option<&Purpose> {
        self.expire(now);
        let place = self.session_of(cookie, uid)?;
        let session = &mut self.sessions[place];
        session.last = session.last.max(now);
        Some(&session.purpose)
    }

    /// Ends a session of this user, and says whether there was one.
    pub fn end(&mut self, cookie: &str, uid: u32) -> bool {
        let place = self.session_of(cookie, uid);
        if let Some(place) = place {
            self.sessions.swap_remove(place);
        }
        place.is_some()
    }

    /// Ends all sessions and links of a user, and says how many sessions.
    pub fn end_of(&mut self, uid: u32) -> usize {
        let before = self.sessions.len();
        self.links.retain(|link| link.uid != uid);
        self.sessions.retain(|session| session.uid != uid);
        before - self.sessions.len()
    }

    /// Ends all sessions and links, and says how many sessions.
    pub fn end_all(&mut self) -> usize {
        let count = self.sessions.len();
        self.links.clear();
        self.sessions.clear();
        count
    }

    /// Sessions that are live.
    pub fn live(&self, now: Duration) -> usize {
        let live = self.sessions.iter().filter(|session| session.is_live(now));
        live.count()
    }

    fn session_of(&self, cookie: &str, uid: u32) -> Option<usize> {
        let place = find(&self.sessions, |session| &session.cookie, cookie)?;
        (self.sessions[place].uid == uid).then_some(place)
    }

    fn expire(&mut self, now: Duration) {
        self.links.retain(|link| now < link.until);
        self.sessions.retain(|session| session.is_live(now));
    }
}

impl Live {
    fn is_live(&self, now: Duration) -> bool {
        now < self.until && now < self.last.saturating_add(self.purpose.idle())
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (uid, purpose) = (self.uid, &self.purpose);
        write!(formatter, "uid {uid}, {purpose:?}, until {:?}", self.until)
    }
}

impl fmt::Debug for Live {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (uid, purpose) = (self.uid, &self.purpose);
        write!(formatter, "uid {uid}, {purpose:?}, until {:?}", self.until)
    }
}

/// Makes room for one more among those that are alike: a user's oldest makes way for the same
/// user's newest, and nobody's for another user's.
fn make_room<T>(
    entries: &mut Vec<T>,
    alike: impl Fn(&T) -> bool,
    own: impl Fn(&T) -> bool,
    age: impl Fn(&T) -> Duration,
    most_of_one: usize,
    most: usize,
) -> Result<(), SessionError> {
    let own = |entry: &T| alike(entry) && own(entry);
    let all = entries.iter().filter(|entry| alike(entry)).count();
    let mine = entries.iter().filter(|entry| own(entry)).count();
    let full = all >= most;
    if mine >= most_of_one || (full && mine > 0) {
        let places = entries.iter().enumerate().filter(|(_, entry)| own(entry));
        if let Some((place, _)) = places.min_by_key(|(_, entry)| age(entry)) {
            entries.swap_remove(place);
        }
        return Ok(());
    }
    match full {
        true => Err(SessionError::TooMany {
            expected: most,
            found: all,
        }),
        false => Ok(()),
    }
}

/// Where the secret stands. Every entry is compared in whole, so that the time this takes says
/// how many there are and nothing about them.
fn find<T>(entries: &[T], key: impl Fn(&T) -> &Digest, shown: &str) -> Option<usize> {
    // What has another length is none of ours, and the right length is no secret.
    if shown.len() != SECRET_CHARACTERS {
        return None;
    }
    let shown = digest_of(shown);
    let mut found = None;
    for (place, entry) in entries.iter().enumerate() {
        if key(entry).ct_eq(&shown).into() {
            found = Some(place);
        }
    }
    found
}

fn digest_of(secret: &str) -> Digest {
    let digest = digest::digest(&digest::SHA256, secret.as_bytes());
    let mut bytes = [0; digest::SHA256_OUTPUT_LEN];
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

/// Why there is no link or no session. For the log: whoever opens a link is told one thing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// No link that waits has this code.
    #[error("no link that waits has this code")]
    NoLink,
    /// The link was given to another user.
    #[error("the link is user {owner}'s, not user {found}'s")]
    OtherOwner {
        /// Whose it was.
        owner: u32,
        /// Who opened it.
        found: u32,
    },
    /// There are too many of other users.
    #[error("there are {found}, of at most {expected}")]
    TooMany {
        /// Most at a time.
        expected: usize,
        /// How many there are.
        found: usize,
    },
    /// A link for captions is given out over the Unix socket alone.
    #[error("links are given out over the Unix socket alone")]
    NotByPeer,
    /// The system's source failed.
    #[error("the system has no random numbers")]
    NoRandomNumbers,
}
