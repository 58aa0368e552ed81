//! Keys, nonces and proofs.
//!
//! Guard and host share one pairing key `K` of 32 bytes. Everything else is HMAC-SHA256 under it,
//! with a label that says what for. With the transcript `T` of 45 bytes,
//!
//! ```text
//! T = version (1) | host's nonce (16) | guard's nonce (16) | identity (8) | boots (4, little endian)
//!
//! guard's proof   = HMAC(K, "earnest guard 1 guard"    | T)
//! host's proof    = HMAC(K, "earnest guard 1 host"     | T)
//! key to guard    = HMAC(K, "earnest guard 1 to-guard" | T)
//! key to host     = HMAC(K, "earnest guard 1 to-host"  | T)
//! proof of pairing = HMAC(K, "earnest guard 1 paired"  | identity)
//! guard's nonce   = HMAC(K, "earnest guard 1 nonce"    | boots | handshakes | salt)[..16]
//! ```
//!
//! The guard's nonce needs no source of randomness: the starts are counted in memory that survives
//! them, so no two handshakes under one key have the same.

use core::fmt;

use hmac::digest::array::Array;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::VERSION;

/// Bytes of a key and of a whole MAC.
pub const KEY_BYTES: usize = 32;

/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 16;

/// Never used twice under one key by the side that chose it.
pub type Nonce = [u8; NONCE_BYTES];

/// The key that a guard and its host share. It is overwritten when dropped, compared in constant
/// time, and not shown.
#[derive(Clone, Serialize, Deserialize, Zeroize, ZeroizeOnDrop)]
pub struct PairingKey([u8; KEY_BYTES]);

impl PairingKey {
    /// A key of these bytes, which the caller took from a good source of randomness.
    pub fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes, to be sealed or kept.
    pub fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// What the guard's nonce of a handshake is.
    pub(crate) fn nonce(&self, boots: u32, handshakes: u32, salt: &Nonce) -> Nonce {
        let parts: [&[u8]; 4] = [
            b"earnest guard 1 nonce",
            &boots.to_le_bytes(),
            &handshakes.to_le_bytes(),
            salt,
        ];
        let mut nonce = [0; NONCE_BYTES];
        nonce.copy_from_slice(&mac(&self.0, &parts).finalize().into_bytes()[..NONCE_BYTES]);
        nonce
    }

    /// What a guard proves with that it keeps this key.
    pub(crate) fn paired(&self, identity: &Identity) -> Proof {
        Proof::of(mac(&self.0, &[b"earnest guard 1 paired", &identity.0]))
    }
}

impl fmt::Debug for PairingKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PairingKey(..)")
    }
}

impl PartialEq for PairingKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for PairingKey {}

/// Which guard this is: the first bytes of the SHA-256 of its chip's unique number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity(pub [u8; 8]);

impl Identity {
    /// The identity of the chip with this unique number.
    pub fn of_chip(number: &[u8]) -> Self {
        let digest = Sha256::digest(number);
        let mut identity = [0; 8];
        identity.copy_from_slice(&digest[..8]);
        Self(identity)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// Shows that its maker has the key. Compared in constant time.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Proof(pub [u8; KEY_BYTES]);

impl Proof {
    fn of(mac: Hmac<Sha256>) -> Self {
        Self(mac.finalize().into_bytes().into())
    }
}

impl PartialEq for Proof {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Proof {}

/// What both sides must have seen alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Transcript {
    pub(crate) host: Nonce,
    pub(crate) guard: Nonce,
    pub(crate) identity: Identity,
    pub(crate) boots: u32,
}

impl Transcript {
    pub(crate) fn guard_proof(&self, key: &PairingKey) -> Proof {
        Proof::of(self.mac(key, b"earnest guard 1 guard"))
    }

    pub(crate) fn host_proof(&self, key: &PairingKey) -> Proof {
        Proof::of(self.mac(key, b"earnest guard 1 host"))
    }

    pub(crate) fn key_to_guard(&self, key: &PairingKey) -> SessionKey {
        SessionKey::of(self.mac(key, b"earnest guard 1 to-guard"))
    }

    pub(crate) fn key_to_host(&self, key: &PairingKey) -> SessionKey {
        SessionKey::of(self.mac(key, b"earnest guard 1 to-host"))
    }

    fn mac(&self, key: &PairingKey, label: &[u8]) -> Hmac<Sha256> {
        let parts: [&[u8]; 6] = [
            label,
            &[VERSION],
            &self.host,
            &self.guard,
            &self.identity.0,
            &self.boots.to_le_bytes(),
        ];
        mac(&key.0, &parts)
    }
}

/// Authenticates the frames of one session in one direction.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub(crate) struct SessionKey([u8; KEY_BYTES]);

impl SessionKey {
    fn of(mac: Hmac<Sha256>) -> Self {
        Self(mac.finalize().into_bytes().into())
    }

    /// The whole MAC over the bytes, of which a frame carries the first.
    pub(crate) fn tag(&self, bytes: &[u8]) -> [u8; KEY_BYTES] {
        mac(&self.0, &[bytes]).finalize().into_bytes().into()
    }

    /// Whether the tag is the first bytes of the MAC, in constant time.
    pub(crate) fn verifies(&self, bytes: &[u8], tag: &[u8]) -> bool {
        mac(&self.0, &[bytes]).verify_truncated_left(tag).is_ok()
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SessionKey(..)")
    }
}

/// HMAC-SHA256 under a key of 32 bytes. HMAC fills a short key with zeros up to the hash's block
/// (RFC 2104, section 2), so the block is given whole and there is no length to refuse.
fn mac(key: &[u8; KEY_BYTES], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut block: hmac::digest::Key<Hmac<Sha256>> = Array::default();
    block[..KEY_BYTES].copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block);
    block.zeroize();
    parts.iter().for_each(|part| mac.update(part));
    mac
}
