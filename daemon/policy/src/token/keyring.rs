//! The keys that sign tokens. They are made here, and exist in memory alone.

use std::fmt;

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::jws::{self, KEY_ID_BYTES, Parts};

/// Most keys at a time: one for each day that a token can be renewed, and the one of today. At
/// the bound the oldest dies, and its tokens with it.
pub const MAX_KEYS: usize = 32;

/// Bytes of a key: as long as what comes out (RFC 7518, section 3.2).
const KEY_BYTES: usize = 32;

/// The name of a key.
pub(super) type KeyId = [u8; KEY_ID_BYTES];

/// The keys, the newest last.
#[derive(Default)]
pub(super) struct Keyring(Vec<Key>);

struct Key {
    id: KeyId,
    /// The header of its tokens, encoded.
    header: String,
    secret: Zeroizing<[u8; KEY_BYTES]>,
}

/// No key: what it signed is never genuine. It stands in where a token names a key that is not
/// there, so that the same work is done.
const NOBODY: [u8; KEY_BYTES] = [0; KEY_BYTES];

impl Keyring {
    /// Signs claims by the newest key, which is made where there is none. Says the key's name.
    pub(super) fn sign(&mut self, json: &str) -> Result<(Zeroizing<String>, KeyId), NoKey> {
        if self.0.is_empty() {
            self.0.push(Key::random()?);
        }
        let key = self.0.last().ok_or(NoKey)?;
        let claims = jws::encode(json);
        Ok((key.sign(&key.header, &claims), key.id))
    }

    /// The key that signed a token, if one did. The same work is done whether the key is known
    /// and the signature right, or not.
    pub(super) fn signer(&self, parts: &Parts<'_>) -> Option<KeyId> {
        let mut named = None;
        for key in &self.0 {
            // Headers are equally long, and which keys there are is no secret.
            if key.header.as_bytes().ct_eq(parts.header.as_bytes()).into() {
                named = Some(key);
            }
        }
        let secret = named.map_or(&NOBODY, |key| &key.secret);
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let right = hmac::verify(&secret, parts.signed.as_bytes(), &parts.signature).is_ok();
        named.filter(|_| right).map(|key| key.id)
    }

    /// Makes a new key, and keeps those of the older ones that `used` holds for. Says the names
    /// of those that are gone.
    pub(super) fn rotate(&mut self, used: impl Fn(&KeyId) -> bool) -> Result<Vec<KeyId>, NoKey> {
        let key = Key::random()?;
        let mut gone = Vec::new();
        self.0.retain(|old| {
            let kept = used(&old.id);
            if !kept {
                gone.push(old.id);
            }
            kept
        });
        let over = (self.0.len() + 1).saturating_sub(MAX_KEYS);
        gone.extend(self.0.drain(..over).map(|old| old.id));
        self.0.push(key);
        Ok(gone)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Signs any claims under any header by the newest key. For tests and fuzzers.
    #[cfg(any(test, feature = "simulation"))]
    pub(super) fn sign_any(&self, header: &str, claims: &str) -> Option<Zeroizing<String>> {
        self.0.last().map(|key| key.sign(header, claims))
    }
}

impl Key {
    fn random() -> Result<Key, NoKey> {
        let mut secret = Zeroizing::new([0; KEY_BYTES]);
        let mut id = [0; KEY_ID_BYTES];
        let random = SystemRandom::new();
        random.fill(secret.as_mut()).map_err(|_| NoKey)?;
        random.fill(&mut id).map_err(|_| NoKey)?;
        Ok(Key {
            id,
            header: jws::header(&id),
            secret,
        })
    }

    /// A token of this header and these claims, both encoded.
    fn sign(&self, header: &str, claims: &str) -> Zeroizing<String> {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, self.secret.as_ref());
        let bytes = header.len() + claims.len() + 64;
        let mut token = Zeroizing::new(String::with_capacity(bytes));
        token.push_str(header);
        token.push('.');
        token.push_str(claims);
        let signature = hmac::sign(&secret, token.as_bytes());
        token.push('.');
        token.push_str(&jws::encode_signature(signature.as_ref()));
        token
    }
}

/// Without the keys.
impl fmt::Debug for Keyring {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Keyring({} keys)", self.0.len())
    }
}

/// The system's source of random numbers failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoKey;
