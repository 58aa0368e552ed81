//! The folder of the fleet's keys, and their rotation.
//!
//! ```text
//! KEYS/
//!   keys.json               which keys are in use; what was signed last
//!   keys.lock               held by whoever changes the keys
//!   root.key.pem            the root's private key: to be kept offline
//!   root.pub.pem            what devices are provisioned with
//!   policy-1.key.pem        the policy key of the first generation
//!   policy-1.pub.pem
//!   policy-1.grant.json     the root's word for it
//!   release-1.key.pem       signs model packages
//!   release-1.pub.pem
//!   release.keys.pem        the release keys that are accepted, the one in use first
//!   result-1.key.pem        signs results
//!   result-1.pub.pem
//!   result.keys.pem         the result keys that are accepted, the one in use first
//! ```
//!
//! All of them are ECDSA on P-256. Private keys are PKCS #8 in PEM (RFC 5958, RFC 7468) and
//! readable by their owner alone, or they are refused; public keys are `SubjectPublicKeyInfo` in
//! PEM. Every public tool reads and writes both.
//!
//! - The **root** grants policy keys their power and does nothing else. It is needed when a
//!   policy key is rotated, so its private half belongs on a medium that lies in a drawer.
//! - The **policy** key approves boot states and versions. Another one takes the root's grant
//!   alone: nothing is sealed again and no device is visited. Raising the least generation
//!   ([`KeyFolder::allow_version`]) ends what older ones can do.
//! - The **release** key signs model packages, the **result** key signs results. After a rotation
//!   the earlier ones stay accepted, so that what they signed holds until it was replaced; the
//!   list of accepted keys goes to whoever checks.
//!
//! `keys.json` is written last and at once, so a rotation that is cut short leaves the old keys in
//! use.

mod folder;
mod manifest;
mod pem;
mod sign;

use std::fmt;
use std::path::PathBuf;

use earnest_evidence::sealing::{
    GrantError, PolicyKeyError, SignPolicyError, SignedPolicyError, SignedVersionError,
};
use earnest_evidence::tpm::KeyError;
use earnest_files::FileError;
use earnest_verifier::ear::KeyFileError;

pub use folder::{Fingerprint, KeyFolder};
pub use manifest::{MAX_ACCEPTED, Manifest};
pub use sign::{ApprovedVersion, SigningKey};

/// Keys that can be rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Approves boot states and versions.
    Policy,
    /// Signs model packages.
    Release,
    /// Signs results.
    Result,
}

impl Role {
    /// The name in files.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Policy => "policy",
            Role::Release => "release",
            Role::Result => "result",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// Why keys could not be read, made or used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The folder holds no keys.
    #[error("{} holds no keys: it has no keys.json", .path.display())]
    NoKeys {
        /// The folder.
        path: PathBuf,
    },
    /// The folder holds keys already.
    #[error("{} holds keys already", .path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// `keys.json` or a grant is not as it is written.
    #[error("{}: {reason}", .path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file is no private key.
    #[error("{} is no ECDSA P-256 private key in PKCS #8 and PEM: {reason}", .path.display())]
    Private {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file is no public key.
    #[error("{} is no public key in PEM", .path.display())]
    Public {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: KeyError,
    },
    /// A public key that is none of P-256.
    #[error("{} is no key on P-256", .path.display())]
    Curve {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: PolicyKeyError,
    },
    /// A private key is not that of the public key beside it.
    #[error("{} is the key {found}; expected is {expected}", .path.display())]
    OtherKey {
        /// Which file.
        path: PathBuf,
        /// SHA-256 over the expected key's `SubjectPublicKeyInfo`.
        expected: String,
        /// That of the key in the file.
        found: String,
    },
    /// The root did not grant the policy key its power.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// What was signed does not verify: a key of the folder is damaged.
    #[error(transparent)]
    SignedPolicy(#[from] SignedPolicyError),
    /// As above.
    #[error(transparent)]
    SignedVersion(#[from] SignedVersionError),
    /// Nothing or too much to approve.
    #[error(transparent)]
    States(#[from] SignPolicyError<SignFailure>),
    /// A result key that cannot be used.
    #[error(transparent)]
    Result(#[from] KeyFileError),
    /// A least version below one that was signed before.
    #[error("the least {what} may only rise: {found} is below {expected}, which was signed before")]
    Lower {
        /// Version or generation.
        what: &'static str,
        /// The least that can be signed.
        expected: u64,
        /// What was asked for.
        found: u64,
    },
    /// A least generation above that of the key in use would end that key, too.
    #[error("the least generation {found} is above {limit}, that of the policy key in use")]
    Generation {
        /// The generation of the key in use.
        limit: u64,
        /// What was asked for.
        found: u64,
    },
    /// The random source failed.
    #[error("the random source failed")]
    Random,
}

/// The random source failed while signing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the random source failed")]
pub struct SignFailure;
