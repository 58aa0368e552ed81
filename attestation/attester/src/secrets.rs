//! Secrets of the device's own: keys of what it keeps on its disk, sealed in the TPM under the
//! same policy as the model.
//!
//! - A secret has a [`Purpose`] and a number. Rotation makes the next number; the earlier ones
//!   stay until they are destroyed, so that what they closed can be opened until it was closed
//!   anew.
//! - [`create`] gives nobody the secret, and so needs no approved state: [`open`] does, and
//!   gives it in an approved state alone.
//! - A secret may have a public half ([`create_with_public`]), which [`public`] reads in every
//!   state. The audit log is encrypted to it, at all times; reading the log needs [`open`].
//! - The newest of a purpose is in use and cannot be destroyed, so a number comes once only.
//!
//! A secret is one file of the device's folder, named `PURPOSE-NUMBER.secret`:
//!
//! ```text
//! magic, version of the format (8) | purpose (1) | number (4, big-endian)
//! public half: length (4, big-endian), bytes
//! sealed secret: length (4, big-endian), bytes as of earnest_tpm::SealedKey
//! SHA-256 of all before (32)
//! ```
//!
//! The checksum is against damage, not against forgery: whoever can write the file can write the
//! checksum. What is closed to a public half that somebody put there opens for somebody else, so
//! who opens a secret compares the public half with the one that follows from it.
//!
//! ```no_run
//! use earnest_attester::secrets::{self, Purpose};
//! # fn example(device: &earnest_attester::Device) -> Result<(), Box<dyn std::error::Error>> {
//! let (module, folder) = (device.module(), device.folder());
//! let id = match secrets::newest(folder, Purpose::State)? {
//!     Some(id) => id,
//!     None => secrets::create(module, folder, Purpose::State)?,
//! };
//! let secret = secrets::open(module, folder, id)?;
//! # let _ = secret;
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use earnest_evidence::HashAlgorithm;
use earnest_files::FileError;
use earnest_tpm::{
    NoRandomness, SealedKey, Secret, StateError, TpmError, TrustModule, UnsealError, fresh_secret,
};

use crate::content::{self, ContentError};
use crate::folder::Folder;

#[cfg(test)]
mod tests;

/// A file's first bytes; the last of them is the version of the format.
const MAGIC: [u8; 8] = *b"earnsec\x01";

/// Most bytes of a public half: those of keys of today have 32 to 65, hybrid ones 1,200.
pub const MAX_PUBLIC_BYTES: usize = 2 << 10;

/// Longest file: a sealed secret has a few hundred bytes.
const MAX_SECRET_FILE_BYTES: usize = 8 << 10;

/// Most secrets of a purpose at one time. A device that rotates every day and keeps what it
/// closed for a month has half of them.
pub const MAX_SECRETS: usize = 64;

const SUFFIX: &str = ".secret";

const CHECKSUM_BYTES: usize = 32;

/// Two that make a secret at once would make the same number: the second waits for this file.
const LOCK_FILE: &str = "secrets.lock";

/// How long it waits: sealing takes a slow TPM a second, and the TPM may be in use.
const LOCK_PATIENCE: Duration = Duration::from_secs(30);

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// What the daemon keeps about its apps and operators.
    State,
    /// Reading the audit log.
    Audit,
    /// Speaking to the guard beside the microphone.
    Guard,
}

impl Purpose {
    /// Its name, of which files are named.
    pub const fn name(self) -> &'static str {
        match self {
            Purpose::State => "state",
            Purpose::Audit => "audit",
            Purpose::Guard => "guard",
        }
    }

    /// Its number in files.
    const fn number(self) -> u8 {
        match self {
            Purpose::State => 1,
            Purpose::Audit => 2,
            Purpose::Guard => 3,
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// Which secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretId {
    /// What it is for.
    pub purpose: Purpose,
    /// Its number among those of its purpose, from 1.
    pub number: u32,
}

impl SecretId {
    fn file(self) -> String {
        format!("{self}{SUFFIX}")
    }

    /// The secret of this file's name, if it is one's.
    fn of_file(purpose: Purpose, name: &str) -> Option<SecretId> {
        let number = name.strip_suffix(SUFFIX)?.strip_prefix(purpose.name())?;
        let number = number.strip_prefix('-')?.parse().ok()?;
        let id = SecretId { purpose, number };
        // One number is written in one way.
        (number > 0 && id.file() == name).then_some(id)
    }
}

impl fmt::Display for SecretId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.purpose, self.number)
    }
}

/// Makes a secret that has no public half: the next of its purpose.
///
/// # Errors
///
/// When the TPM is out of reach, there are [`MAX_SECRETS`] already, or the file cannot be
/// written.
pub fn create(
    module: &dyn TrustModule,
    folder: &Folder,
    purpose: Purpose,
) -> Result<SecretId, SecretsError> {
    make(module, folder, purpose, |_| Ok(Vec::new()))
}

/// Makes a secret with a public half, which follows from the secret by `public`: the next of
/// its purpose. No bytes stand for a secret that has no public half, as not every 32 bytes are a
/// private key of every kind.
///
/// # Errors
///
/// As [`create`], and when the public half is empty or longer than [`MAX_PUBLIC_BYTES`].
pub fn create_with_public(
    module: &dyn TrustModule,
    folder: &Folder,
    purpose: Purpose,
    public: impl FnOnce(&Secret) -> Vec<u8>,
) -> Result<SecretId, SecretsError> {
    make(module, folder, purpose, |secret| {
        let public = public(secret);
        match public.len() {
            1..=MAX_PUBLIC_BYTES => Ok(public),
            found => Err(SecretsError::PublicLength {
                limit: MAX_PUBLIC_BYTES,
                found,
            }),
        }
    })
}

fn make(
    module: &dyn TrustModule,
    folder: &Folder,
    purpose: Purpose,
    public: impl FnOnce(&Secret) -> Result<Vec<u8>, SecretsError>,
) -> Result<SecretId, SecretsError> {
    let _alone = folder.lock(LOCK_FILE, LOCK_PATIENCE)?;
    let there = list(folder, purpose)?;
    if there.len() >= MAX_SECRETS {
        return Err(SecretsError::TooMany {
            purpose,
            limit: MAX_SECRETS,
        });
    }
    let newest = there.last().map_or(0, |newest| newest.number);
    let number = newest.checked_add(1).ok_or(SecretsError::NumbersSpent)?;
    let id = SecretId { purpose, number };
    let secret = fresh_secret()?;
    let kept = Kept {
        public: public(&secret)?,
        sealed: module.seal(&secret)?,
    };
    folder.write(&id.file(), &kept.encode(id))?;
    Ok(id)
}

/// Opens a secret: the TPM gives it in a state that the kept policy approves, and in no other.
///
/// # Errors
///
/// When there is no such secret or no policy, the TPM refuses or is out of reach, or the file
/// is damaged.
pub fn open(
    module: &dyn TrustModule,
    folder: &Folder,
    id: SecretId,
) -> Result<Secret, SecretsError> {
    let kept = read(folder, id)?;
    let policy = content::policy(folder).map_err(SecretsError::Policy)?;
    Ok(module.unseal(&kept.sealed, &policy)?)
}

/// The public half of a secret, in whatever state the device is.
///
/// # Errors
///
/// When there is no such secret, it has no public half, or the file is damaged.
pub fn public(folder: &Folder, id: SecretId) -> Result<Vec<u8>, SecretsError> {
    let public = read(folder, id)?.public;
    match public.is_empty() {
        true => Err(SecretsError::NoPublic { id }),
        false => Ok(public),
    }
}

/// The secrets of a purpose, by their numbers, the newest last.
///
/// # Errors
///
/// When the folder cannot be read.
pub fn list(folder: &Folder, purpose: Purpose) -> Result<Vec<SecretId>, SecretsError> {
    let unread = |error| FileError::Read {
        path: folder.path().to_owned(),
        error,
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder.path()).map_err(unread)? {
        let name = entry.map_err(unread)?.file_name();
        let name = name.to_str();
        found.extend(name.and_then(|name| SecretId::of_file(purpose, name)));
    }
    found.sort_unstable();
    Ok(found)
}

/// The newest secret of a purpose, which is the one in use; `None` before the first.
///
/// # Errors
///
/// When the folder cannot be read.
pub fn newest(folder: &Folder, purpose: Purpose) -> Result<Option<SecretId>, SecretsError> {
    Ok(list(folder, purpose)?.last().copied())
}

/// Removes a secret: what it closed stays closed. One that is not there is none to remove.
///
/// A disk may keep the old bytes where no file shows them. They are worth something to this TPM
/// in an approved state alone.
///
/// # Errors
///
/// When it is the newest of its purpose, or the file cannot be removed.
pub fn destroy(folder: &Folder, id: SecretId) -> Result<(), SecretsError> {
    let _alone = folder.lock(LOCK_FILE, LOCK_PATIENCE)?;
    if newest(folder, id.purpose)? == Some(id) {
        return Err(SecretsError::Newest { id });
    }
    Ok(folder.remove(&id.file())?)
}

/// What a secret's file holds.
#[derive(Debug, PartialEq, Eq)]
struct Kept {
    public: Vec<u8>,
    sealed: SealedKey,
}

impl Kept {
    fn encode(&self, id: SecretId) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(id.purpose.number());
        bytes.extend(id.number.to_be_bytes());
        for part in [&self.public, &self.sealed.encode()] {
            // Both are shorter than a file may be.
            bytes.extend((part.len() as u32).to_be_bytes());
            bytes.extend(part);
        }
        let checksum = HashAlgorithm::Sha256.digest(&bytes);
        bytes.extend(checksum.as_bytes());
        bytes
    }

    fn parse(bytes: &[u8], id: SecretId) -> Result<Kept, SecretFileError> {
        let (body, checksum) = bytes
            .split_last_chunk::<CHECKSUM_BYTES>()
            .ok_or(SecretFileError::Truncated)?;
        let (magic, rest) = body
            .split_first_chunk::<8>()
            .ok_or(SecretFileError::Truncated)?;
        if *magic != MAGIC {
            return Err(SecretFileError::Magic {
                expected: MAGIC,
                found: *magic,
            });
        }
        if HashAlgorithm::Sha256.digest(body).as_bytes() != checksum {
            return Err(SecretFileError::Damaged);
        }
        let ([purpose, number @ ..], rest) = rest
            .split_first_chunk::<5>()
            .ok_or(SecretFileError::Truncated)?;
        let found = (*purpose, u32::from_be_bytes(*number));
        let expected = (id.purpose.number(), id.number);
        if found != expected {
            return Err(SecretFileError::Another { expected, found });
        }
        let (public, rest) = part(rest)?;
        let (sealed, rest) = part(rest)?;
        match rest.len() {
            0 => Ok(Kept {
                public: public.to_vec(),
                sealed: SealedKey::parse(sealed)?,
            }),
            found => Err(SecretFileError::Trailing { found }),
        }
    }
}

/// A part behind its length, and what is behind it.
fn part(bytes: &[u8]) -> Result<(&[u8], &[u8]), SecretFileError> {
    let (length, behind) = bytes
        .split_first_chunk::<4>()
        .ok_or(SecretFileError::Truncated)?;
    let length = usize::try_from(u32::from_be_bytes(*length));
    let length = length.map_err(|_| SecretFileError::Truncated)?;
    behind
        .split_at_checked(length)
        .ok_or(SecretFileError::Truncated)
}

fn read(folder: &Folder, id: SecretId) -> Result<Kept, SecretsError> {
    let bytes = folder.read(&id.file(), MAX_SECRET_FILE_BYTES)?;
    let bytes = bytes.ok_or(SecretsError::NotThere { id })?;
    Kept::parse(&bytes, id).map_err(|source| SecretsError::Damaged {
        path: folder.path().join(id.file()),
        source,
    })
}

/// Why a secret cannot be made, opened or destroyed.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The TPM is out of reach.
    #[error(transparent)]
    Tpm(#[from] TpmError),
    /// The TPM does not open the seal.
    #[error(transparent)]
    Unseal(#[from] UnsealError),
    /// There is no policy that says when the seal may be opened, or it cannot be read.
    #[error(transparent)]
    Policy(ContentError),
    /// The system gives no random numbers.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// There is no such secret.
    #[error("the device has no secret {id}")]
    NotThere {
        /// Which.
        id: SecretId,
    },
    /// The secret has no public half.
    #[error("the secret {id} has no public half")]
    NoPublic {
        /// Which.
        id: SecretId,
    },
    /// The public half is empty or too long.
    #[error("a public half has 1 to {limit} bytes; this has {found}")]
    PublicLength {
        /// The most.
        limit: usize,
        /// Those that it has.
        found: usize,
    },
    /// The file of the secret is damaged, or another's.
    #[error("{path}: {source}", path = path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: SecretFileError,
    },
    /// There are too many.
    #[error(
        "the device has {limit} secrets of {purpose} already: destroy those that close nothing"
    )]
    TooMany {
        /// Of which purpose.
        purpose: Purpose,
        /// The most.
        limit: usize,
    },
    /// Every number was given out.
    #[error("every number of a secret was given out")]
    NumbersSpent,
    /// The newest secret is in use.
    #[error("the secret {id} is the one in use: make another first")]
    Newest {
        /// Which.
        id: SecretId,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Why a file is not that of a secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    /// It is too short, or a part goes past the end.
    #[error("the file of the secret is cut short")]
    Truncated,
    /// Another file, or another version of the format.
    #[error("a secret's file starts with {expected:02x?}; this starts with {found:02x?}")]
    Magic {
        /// What such a file starts with.
        expected: [u8; 8],
        /// What stands there.
        found: [u8; 8],
    },
    /// The checksum differs.
    #[error("the file of the secret is damaged: its checksum differs")]
    Damaged,
    /// It is another secret's.
    #[error("the file holds the secret {found:?} and not {expected:?}, by purpose and number")]
    Another {
        /// Purpose and number of the secret that was asked for.
        expected: (u8, u32),
        /// Those in the file.
        found: (u8, u32),
    },
    /// There is more behind the last part.
    #[error("{found} bytes are behind the last part of the secret's file")]
    Trailing {
        /// How many.
        found: usize,
    },
    /// The sealed secret is none.
    #[error("the sealed secret: {0}")]
    Sealed(#[from] StateError),
}
