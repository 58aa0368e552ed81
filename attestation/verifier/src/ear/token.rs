//! Results as tokens: JWS in compact form (RFC 7515, 3.1), ES256 (RFC 7518, 3.4).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SecureRandom;
use serde::{Deserialize, Serialize};

use super::{Ear, PROFILE, ResultKey, ResultVerifier};

/// Longest token, in bytes. A result of every check failed is of some 10 kB.
pub const MAX_TOKEN_BYTES: usize = 64 * 1024;

/// How far the verifier's clock may run ahead of the reader's, in seconds. It lets a result start
/// a little early, and never end late.
pub const MAX_SKEW_SECONDS: i64 = 60;

/// The one algorithm.
const ALGORITHM: &str = "ES256";
/// The media type without its `application/` (RFC 9782, RFC 7515, 4.1.9), so that no token of
/// another kind that the same key signed passes for a result.
const TYPE: &str = "eat+jwt";
/// Bytes of an ES256 signature: r and s.
const SIGNATURE_BYTES: usize = 64;

/// The protected header. Members that name or carry keys are refused with all others.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
}

/// The header's algorithm alone, so that a wrong one has its own reason whatever stands beside.
#[derive(Debug, Deserialize)]
struct AlgorithmOnly {
    alg: String,
}

/// Why a token is no result to rely on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than any result.
    #[error("a result has at most {limit} bytes; this has {found}")]
    TooLong {
        /// The bound, in bytes.
        limit: usize,
        /// Its length, in bytes.
        found: usize,
    },
    /// Not three parts with dots between.
    #[error("a token has {expected} parts; this has {found}")]
    Parts {
        /// Header, claims, signature.
        expected: usize,
        /// How many it has.
        found: usize,
    },
    /// A part is no base64url.
    #[error("the token's {part} is no base64url without padding: {reason}")]
    Base64 {
        /// Which part.
        part: &'static str,
        /// What is wrong with it.
        reason: base64::DecodeError,
    },
    /// The header is not as results have it.
    #[error("the token's header is not that of a result: {reason}")]
    Header {
        /// What is wrong with it.
        reason: String,
    },
    /// The token says that it is not signed.
    #[error("the token is not signed: its algorithm is \"none\"")]
    Unsigned,
    /// Another algorithm.
    #[error("expected a token signed with {expected}, found {found:?}")]
    Algorithm {
        /// The one algorithm.
        expected: &'static str,
        /// The token's.
        found: String,
    },
    /// Another kind of token.
    #[error("expected a token of type {expected:?}, found {found:?}")]
    Type {
        /// The type of results.
        expected: &'static str,
        /// The token's.
        found: String,
    },
    /// Signed with another key.
    #[error("expected a result signed with key {expected}, found key {found:?}")]
    Key {
        /// The thumbprint of the key that is trusted.
        expected: String,
        /// The one that the token names.
        found: String,
    },
    /// The signature is not the key's.
    #[error("the signature is not that of key {key}")]
    Signature {
        /// The thumbprint of the key that is trusted.
        key: String,
    },
    /// The claims are not as results have them.
    #[error("the claims are not those of a result: {reason}")]
    Claims {
        /// What is wrong with them.
        reason: String,
    },
    /// Another profile.
    #[error("expected profile {expected:?}, found {found:?}")]
    Profile {
        /// The one that is read.
        expected: &'static str,
        /// The token's.
        found: String,
    },
    /// The overall status is better than the device's.
    #[error("the claims contradict each other: {reason}")]
    Contradiction {
        /// In what.
        reason: &'static str,
    },
    /// Past its time.
    #[error("the result held until {expires_at}; it is {now} (seconds since 1970)")]
    Expired {
        /// Its end, in seconds since 1970.
        expires_at: i64,
        /// The time that was passed in.
        now: i64,
    },
    /// Before its time.
    #[error("the result holds from {not_before}; it is {now} (seconds since 1970)")]
    NotYetValid {
        /// Its start, in seconds since 1970.
        not_before: i64,
        /// The time that was passed in.
        now: i64,
    },
    /// The random source failed while signing.
    #[error("the random source failed")]
    Random,
}

impl Ear {
    /// The token: header, claims and signature.
    ///
    /// # Errors
    ///
    /// When the random source fails, or the token would be longer than a reader takes.
    pub fn sign(&self, key: &ResultKey, random: &dyn SecureRandom) -> Result<String, TokenError> {
        let header = Header {
            alg: ALGORITHM.to_owned(),
            kid: key.verifier().key_id().to_owned(),
            typ: TYPE.to_owned(),
        };
        let claims = |reason: serde_json::Error| TokenError::Claims {
            reason: reason.to_string(),
        };
        let header = serde_json::to_vec(&header).map_err(claims)?;
        let body = serde_json::to_vec(self).map_err(claims)?;
        let mut token = URL_SAFE_NO_PAD.encode(header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(body, &mut token);
        let signature = key
            .sign(token.as_bytes(), random)
            .ok_or(TokenError::Random)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        check_length(&token)?;
        Ok(token)
    }

    /// The result that `token` carries, if `key` signed it and it holds at `now` (seconds since
    /// 1970). White space around the token, as files have it, is passed over.
    ///
    /// # Errors
    ///
    /// Each reason to refuse is a variant of its own; see [`TokenError`].
    pub fn verify(token: &str, key: &ResultVerifier, now: i64) -> Result<Ear, TokenError> {
        let ear = Ear::verify_at_any_time(token, key)?;
        if now >= ear.expires_at {
            return Err(TokenError::Expired {
                expires_at: ear.expires_at,
                now,
            });
        }
        let start = ear.not_before.max(ear.issued_at);
        if now.saturating_add(MAX_SKEW_SECONDS) < start {
            return Err(TokenError::NotYetValid {
                not_before: start,
                now,
            });
        }
        Ok(ear)
    }

    /// As [`Ear::verify`], without a look at the clock: for showing results of the past.
    ///
    /// # Errors
    ///
    /// As [`Ear::verify`], but for the time.
    pub fn verify_at_any_time(token: &str, key: &ResultVerifier) -> Result<Ear, TokenError> {
        check_length(token)?;
        let token = token.trim_ascii();
        let parts: Vec<&str> = token.split('.').collect();
        let &[header, claims, signature] = parts.as_slice() else {
            return Err(TokenError::Parts {
                expected: 3,
                found: parts.len(),
            });
        };
        check_header(&decode("header", header)?, key)?;
        let signature = decode("signature", signature)?;
        // The dots were found, so that the signed part is the token up to the second.
        let signed = &token.as_bytes()[..header.len() + 1 + claims.len()];
        if signature.len() != SIGNATURE_BYTES || !key.verifies(signed, &signature) {
            return Err(TokenError::Signature {
                key: key.key_id().to_owned(),
            });
        }
        let ear: Ear = serde_json::from_slice(&decode("claims", claims)?).map_err(|reason| {
            TokenError::Claims {
                reason: reason.to_string(),
            }
        })?;
        ear.check()?;
        Ok(ear)
    }

    /// What holds of every result, whoever signed it.
    fn check(&self) -> Result<(), TokenError> {
        if self.profile != PROFILE {
            return Err(TokenError::Profile {
                expected: PROFILE,
                found: self.profile.chars().take(64).collect(),
            });
        }
        let device = &self.submodules.device;
        let reason = if self.status < device.status {
            "the overall status is better than the device's"
        } else if device.status < device.trust_vector.tier() {
            "the device's status is better than its trust vector"
        } else if self.nonce != device.nonce {
            "the nonce is another than the device's"
        } else if self.is_pass() && device.attester.is_none() {
            "it is a pass without a quote"
        } else if self.expires_at <= self.not_before {
            "it ends before it starts"
        } else {
            return Ok(());
        };
        Err(TokenError::Contradiction { reason })
    }
}

fn check_length(token: &str) -> Result<(), TokenError> {
    match token.len() {
        found if found > MAX_TOKEN_BYTES => Err(TokenError::TooLong {
            limit: MAX_TOKEN_BYTES,
            found,
        }),
        _ => Ok(()),
    }
}

fn decode(part: &'static str, text: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|reason| TokenError::Base64 { part, reason })
}

fn check_header(bytes: &[u8], key: &ResultVerifier) -> Result<(), TokenError> {
    let reason = |reason: serde_json::Error| TokenError::Header {
        reason: reason.to_string(),
    };
    // A text of any length may stand in a header of a stranger; some of it is enough to show.
    let shown = |text: String| text.chars().take(64).collect::<String>();
    let AlgorithmOnly { alg } = serde_json::from_slice(bytes).map_err(reason)?;
    if alg.eq_ignore_ascii_case("none") {
        return Err(TokenError::Unsigned);
    }
    if alg != ALGORITHM {
        return Err(TokenError::Algorithm {
            expected: ALGORITHM,
            found: shown(alg),
        });
    }
    let header: Header = serde_json::from_slice(bytes).map_err(reason)?;
    if header.typ != TYPE {
        return Err(TokenError::Type {
            expected: TYPE,
            found: shown(header.typ),
        });
    }
    if header.kid != key.key_id() {
        return Err(TokenError::Key {
            expected: key.key_id().to_owned(),
            found: shown(header.kid),
        });
    }
    Ok(())
}
