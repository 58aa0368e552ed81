//! Requests for certificates (PKCS #10, RFC 2986): the key that is in one, and the proof that
//! whoever wrote it has the private half.
//!
//! Nothing else of a request is read: neither the name nor any extension that it asks for. What
//! a certificate says is its authority's word alone. Keys are of ECDSA on P-256 or of Ed25519,
//! which is what clients of today make and every TLS library takes.
//!
//! ```
//! use earnest_verifier::request::{RequestError, requested_key};
//!
//! let refused = requested_key(b"no request");
//! assert!(matches!(refused, Err(RequestError::Malformed { .. })));
//! ```

use ring::signature::{ECDSA_P256_SHA256_ASN1, ED25519, UnparsedPublicKey, VerificationAlgorithm};

use crate::endorsement::der::{Elements, tag};

/// Most bytes of a request: one with a name and a few extensions has some 500.
pub const MAX_REQUEST_BYTES: usize = 8 << 10;

/// The content of `AlgorithmIdentifier` of a key on P-256 (RFC 5480, section 2.1.1).
const P256_KEY: &[u8] = &[
    0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, // id-ecPublicKey
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, // secp256r1
];

/// That of ecdsa-with-SHA256 (RFC 5758, section 3.2).
const ECDSA_WITH_SHA256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];

/// That of Ed25519, keys and signatures alike (RFC 8410, section 3).
const ED25519_IDENTIFIER: &[u8] = &[0x06, 0x03, 0x2b, 0x65, 0x70];

/// The start of a point on P-256 that is written whole (SEC 1, section 2.3.3).
const UNCOMPRESSED: u8 = 0x04;

/// The key of a request whose signature was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestedKey {
    /// A point on P-256, uncompressed: 65 bytes.
    P256([u8; 65]),
    /// A key of Ed25519.
    Ed25519([u8; 32]),
}

impl RequestedKey {
    /// Its bytes, as a `subjectPublicKey` has them.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            RequestedKey::P256(point) => point,
            RequestedKey::Ed25519(key) => key,
        }
    }

    fn of(algorithm: &[u8], key: &[u8]) -> Option<RequestedKey> {
        match algorithm {
            P256_KEY => {
                let point: [u8; 65] = key.try_into().ok()?;
                (point[0] == UNCOMPRESSED).then_some(RequestedKey::P256(point))
            }
            ED25519_IDENTIFIER => Some(RequestedKey::Ed25519(key.try_into().ok()?)),
            _ => None,
        }
    }

    /// How it signs requests: the `AlgorithmIdentifier`'s content, and what checks it.
    fn scheme(&self) -> (&'static [u8], &'static dyn VerificationAlgorithm) {
        match self {
            RequestedKey::P256(_) => (ECDSA_WITH_SHA256, &ECDSA_P256_SHA256_ASN1),
            RequestedKey::Ed25519(_) => (ED25519_IDENTIFIER, &ED25519),
        }
    }
}

/// The key of this request in DER, which signed it.
///
/// # Errors
///
/// When it is no request, is longer than [`MAX_REQUEST_BYTES`], its key or signature is of
/// another kind, or the key did not sign it.
pub fn requested_key(request: &[u8]) -> Result<RequestedKey, RequestError> {
    if request.len() > MAX_REQUEST_BYTES {
        return Err(RequestError::TooLong {
            limit: MAX_REQUEST_BYTES,
            found: request.len(),
        });
    }
    let parts = Parts::read(request).map_err(|field| RequestError::Malformed { field })?;
    let key = RequestedKey::of(parts.key_algorithm, parts.key).ok_or(RequestError::Key)?;
    let (identifier, algorithm) = key.scheme();
    if parts.signature_algorithm != identifier {
        return Err(RequestError::Scheme);
    }
    UnparsedPublicKey::new(algorithm, key.as_bytes())
        .verify(parts.signed, parts.signature)
        .map_err(|_| RequestError::Signature)?;
    Ok(key)
}

/// What is looked at in a request.
struct Parts<'b> {
    /// All that the signature is over.
    signed: &'b [u8],
    key_algorithm: &'b [u8],
    key: &'b [u8],
    signature_algorithm: &'b [u8],
    signature: &'b [u8],
}

impl<'b> Parts<'b> {
    /// Reads a `CertificationRequest` (RFC 2986, section 4); on failure, the field's name.
    fn read(bytes: &'b [u8]) -> Result<Parts<'b>, &'static str> {
        let mut outer = Elements::new(bytes);
        let mut request = outer
            .enter(tag::SEQUENCE)
            .filter(|_| outer.is_empty())
            .ok_or("certificationRequest")?;
        let signed = request
            .expect(tag::SEQUENCE)
            .ok_or("certificationRequestInfo")?;
        let mut fields = Elements::new(signed.content);
        fields
            .expect(tag::INTEGER)
            .filter(|version| version.content == [0])
            .ok_or("version")?;
        fields.expect(tag::SEQUENCE).ok_or("subject")?;
        let mut key_info = fields.enter(tag::SEQUENCE).ok_or("subjectPKInfo")?;
        let key_algorithm = key_info
            .expect(tag::SEQUENCE)
            .ok_or("algorithm of the key")?;
        let key = bits(&mut key_info).ok_or("subjectPublicKey")?;
        // Attributes are required by the letter, and left out by some.
        fields.skip(tag::CONTEXT_0);
        if !fields.is_empty() || !key_info.is_empty() {
            return Err("end of certificationRequestInfo");
        }
        let signature_algorithm = request.expect(tag::SEQUENCE).ok_or("signatureAlgorithm")?;
        let signature = bits(&mut request).ok_or("signature")?;
        match request.is_empty() {
            true => Ok(Parts {
                signed: signed.whole,
                key_algorithm: key_algorithm.content,
                key,
                signature_algorithm: signature_algorithm.content,
                signature,
            }),
            false => Err("end of the request"),
        }
    }
}

/// A BIT STRING of whole bytes.
fn bits<'b>(elements: &mut Elements<'b>) -> Option<&'b [u8]> {
    elements.expect(tag::BIT_STRING)?.content.strip_prefix(&[0])
}

/// Why a request gives no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// It is longer than requests are.
    #[error("a request for a certificate has at most {limit} bytes; this has {found}")]
    TooLong {
        /// The most.
        limit: usize,
        /// Those that it has.
        found: usize,
    },
    /// It is no request.
    #[error("this is no request for a certificate (PKCS #10): {field} is not there as expected")]
    Malformed {
        /// The field that is not as RFC 2986 has it.
        field: &'static str,
    },
    /// The key is of another kind.
    #[error("the key of the request is none of ECDSA on P-256 or of Ed25519")]
    Key,
    /// The signature is of another kind than the key.
    #[error("the request is not signed with SHA-256 by a key of P-256, nor by one of Ed25519")]
    Scheme,
    /// The key did not sign it.
    #[error("the key of the request did not sign it: who sent it may not have the private key")]
    Signature,
}

#[cfg(test)]
mod tests;
