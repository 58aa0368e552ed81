//! Tokens as text: JWS in the compact form (RFC 7515, section 7.1), HS256 and nothing else.
//!
//! The header is fixed but for the name of the key. The claims have one spelling: what is read
//! is written again and must be the same bytes. So white space, other orders, members that are
//! there twice, and members that nobody knows are all no token.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::{AppId, Audience, Fingerprint, ScopeSet};

/// Most bytes of a token: twice what the longest names take.
pub const MAX_TOKEN_BYTES: usize = 1024;

/// Random bytes in the name of a token. It is looked up, and the signature is what is not to be
/// guessed.
pub(super) const ID_BYTES: usize = 16;

/// Random bytes in the name of a key.
pub(super) const KEY_ID_BYTES: usize = 6;

/// Bytes of a signature: those of SHA-256.
pub(super) const SIGNATURE_BYTES: usize = 32;

/// Who gives tokens out.
const ISSUER: &str = "earnest";

/// The name of a token (`jti`).
pub(super) type TokenId = [u8; ID_BYTES];

/// What a token says.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) audience: Audience,
    pub(crate) app: AppId,
    pub(crate) scopes: ScopeSet,
    /// When it was given out, in seconds since 1970; for readers alone.
    pub(crate) issued: u64,
    /// When no renewal prolongs it further, in seconds since 1970; for readers alone.
    pub(crate) ends: u64,
    pub(super) id: TokenId,
    pub(crate) uid: u32,
    pub(crate) certificate: Option<Fingerprint>,
}

/// The claims as they are written (RFC 7519, section 4.1; RFC 8693, section 4.2; RFC 7800,
/// section 3.1; RFC 8705, section 3.1).
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    iss: String,
    aud: Audience,
    sub: AppId,
    scope: String,
    iat: u64,
    exp: u64,
    jti: String,
    cnf: Confirmation,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirmation {
    uid: u32,
    #[serde(rename = "x5t#S256", default, skip_serializing_if = "Option::is_none")]
    certificate: Option<Fingerprint>,
}

impl Claims {
    /// The claims in JSON.
    pub(super) fn write(&self) -> String {
        let written = Written {
            iss: ISSUER.to_owned(),
            aud: self.audience.clone(),
            sub: self.app.clone(),
            scope: self.scopes.to_string(),
            iat: self.issued,
            exp: self.ends,
            jti: URL_SAFE_NO_PAD.encode(self.id),
            cnf: Confirmation {
                uid: self.uid,
                certificate: self.certificate,
            },
        };
        // Numbers and short texts: memory does not refuse, and every key is a text.
        serde_json::to_string(&written).expect("claims can be written")
    }

    /// Reads claims that are spelt as [`Claims::write`] spells them.
    pub(super) fn read(json: &[u8]) -> Option<Claims> {
        let written: Written = serde_json::from_slice(json).ok()?;
        let mut id = [0; ID_BYTES];
        let decoded = URL_SAFE_NO_PAD.decode_slice(&written.jti, &mut id).ok()?;
        let claims = Claims {
            audience: written.aud,
            app: written.sub,
            scopes: ScopeSet::parse(&written.scope)?,
            issued: written.iat,
            ends: written.exp,
            id,
            uid: written.cnf.uid,
            certificate: written.cnf.certificate,
        };
        (decoded == ID_BYTES && claims.write().as_bytes() == json).then_some(claims)
    }
}

/// Without the name of the token.
impl fmt::Debug for Claims {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Claims")
            .field("app", &self.app)
            .field("uid", &self.uid)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

/// The header of the tokens that a key signs, encoded.
pub(super) fn header(key: &[u8; KEY_ID_BYTES]) -> String {
    let key = URL_SAFE_NO_PAD.encode(key);
    let header = format!(r#"{{"alg":"HS256","kid":"{key}","typ":"JWT"}}"#);
    URL_SAFE_NO_PAD.encode(header)
}

/// A token, taken apart and not judged.
pub(super) struct Parts<'a> {
    /// The header, encoded.
    pub(super) header: &'a str,
    /// The claims, encoded.
    pub(super) claims: &'a str,
    /// What is signed: header and claims with the dot between them.
    pub(super) signed: &'a str,
    pub(super) signature: [u8; SIGNATURE_BYTES],
}

impl<'a> Parts<'a> {
    /// Takes a text apart that has the shape of a token.
    pub(super) fn of(text: &'a str) -> Option<Parts<'a>> {
        if text.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        if claims.contains('.') {
            return None;
        }
        let mut bytes = [0; SIGNATURE_BYTES];
        let decoded = URL_SAFE_NO_PAD.decode_slice(signature, &mut bytes).ok()?;
        (decoded == SIGNATURE_BYTES).then_some(Parts {
            header,
            claims,
            signed,
            signature: bytes,
        })
    }

    /// The claims, if they are spelt rightly.
    pub(super) fn read(&self) -> Option<Claims> {
        Claims::read(&URL_SAFE_NO_PAD.decode(self.claims).ok()?)
    }
}

/// Encodes claims for the middle of a token.
pub(super) fn encode(json: &str) -> String {
    URL_SAFE_NO_PAD.encode(json)
}

pub(super) fn encode_signature(signature: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(signature)
}

/// What was encoded for the middle of a token.
#[cfg(any(test, feature = "simulation"))]
pub(super) fn decode(encoded: &str) -> String {
    let bytes = URL_SAFE_NO_PAD.decode(encoded).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
