//! Quotes: whether a TPM's key signed them, over which PCRs, and for which nonce.
//!
//! [`verify`] is for anybody's material: it takes raw `TPMS_ATTEST` and `TPMT_SIGNATURE` bytes
//! and a key, as `tpm2_checkquote` does, and knows nothing of enrolment or policy. The appraisal
//! goes the same way.
//!
//! Signatures are RSASSA or RSAPSS of 2048 bits and more, or ECDSA on P-256 and P-384, with
//! SHA-256 or stronger. Whoever signs with SHA-1 is refused, however right the signature is.
//!
//! ```
//! use earnest_evidence::tpm::PublicKey;
//! use earnest_verifier::quote::{self, QuoteError};
//!
//! let key = PublicKey::rsa(&[0xc5; 256], 65_537)?;
//! let refused = quote::verify(&key, b"no quote", b"no signature", b"nonce");
//! assert!(matches!(refused, Err(QuoteError::Signature(_))));
//! # Ok::<(), earnest_evidence::tpm::KeyError>(())
//! ```

use earnest_evidence::tpm::{
    Attest, Attested, ClockInfo, Curve, PcrSelection, PcrValues, PublicKey, Signature,
    StructureError,
};
use earnest_evidence::{Digest, HashAlgorithm, hex};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm};

/// A quote whose signature was checked, and that is for the nonce. Only this module makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quote {
    attest: Attest,
    selection: PcrSelection,
    pcr_digest: Digest,
}

impl Quote {
    /// Everything that the TPM signed.
    pub fn attest(&self) -> &Attest {
        &self.attest
    }

    /// The TPM's clock, and its counts of resets and restarts.
    pub fn clock(&self) -> &ClockInfo {
        &self.attest.clock_info
    }

    /// The PCRs that are quoted.
    pub fn selection(&self) -> &PcrSelection {
        &self.selection
    }

    /// The digest over their values, by the signature's hash.
    pub fn pcr_digest(&self) -> Digest {
        self.pcr_digest
    }

    /// Whether these are the values that were quoted.
    ///
    /// # Errors
    ///
    /// When they are of other PCRs, or not what the PCRs held.
    pub fn check_values(&self, values: &PcrValues) -> Result<(), PcrError> {
        let given = values.selection();
        if !self.selection.selects_the_same(&given) {
            return Err(PcrError::Selection {
                expected: self.selection.clone(),
                found: given,
            });
        }
        let found = values.digest(self.pcr_digest.algorithm());
        match found == self.pcr_digest {
            true => Ok(()),
            false => Err(PcrError::Digest(Box::new(Mismatch {
                expected: self.pcr_digest,
                found,
            }))),
        }
    }
}

/// Two digests that should be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mismatch {
    /// The one that should be.
    pub expected: Digest,
    /// The one that is.
    pub found: Digest,
}

/// Why PCR values are not those that were quoted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PcrError {
    /// Values of other PCRs.
    #[error("the quote is of PCRs {expected}; the values are of {found}")]
    Selection {
        /// Those of the quote.
        expected: PcrSelection,
        /// Those of the values.
        found: PcrSelection,
    },
    /// Other values.
    #[error("the quote is of PCRs with digest {}; the values have {}", .0.expected, .0.found)]
    Digest(Box<Mismatch>),
}

/// Why a signature is not the key's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The bytes are no signature.
    #[error("the signature is malformed")]
    Malformed(#[from] StructureError),
    /// A scheme that the key does not have.
    #[error("expected a signature by {expected}, found one by {found}")]
    Scheme {
        /// The schemes of the key's kind.
        expected: &'static str,
        /// The signature's scheme.
        found: &'static str,
    },
    /// A hash that is too weak, or that does not go with the curve.
    #[error("expected a signature with {expected}, found one with {found}")]
    Hash {
        /// What is taken.
        expected: &'static str,
        /// The signature's.
        found: HashAlgorithm,
    },
    /// The key is too small, or on a curve that nothing here checks.
    #[error("expected a key of RSA-2048 and more, P-256 or P-384; found one of {found} bits")]
    Key {
        /// The key's bits.
        found: usize,
    },
    /// The signature is wrong.
    #[error("the signature is not that of the key {key}")]
    Wrong {
        /// The fingerprint of the key: SHA-256 over its `SubjectPublicKeyInfo`.
        key: String,
    },
}

/// Why a quote is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuoteError {
    /// The signature is not the key's.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// What was signed is no attestation.
    #[error("what is signed is no attestation")]
    Malformed(#[source] StructureError),
    /// An attestation of something else.
    #[error("expected a quote, found an attestation of kind {found:#06x}")]
    NotAQuote {
        /// `TPMI_ST_ATTEST`.
        found: u16,
    },
    /// For another nonce.
    #[error("expected a quote for nonce {expected}, found one for {found}")]
    Nonce {
        /// The nonce that was asked for, in hexadecimal.
        expected: String,
        /// The quote's, in hexadecimal.
        found: String,
    },
    /// The digest over the PCRs is not as long as the signature's hash.
    #[error("expected a PCR digest by {expected}, found one of {found} bytes")]
    DigestLength {
        /// The signature's hash.
        expected: HashAlgorithm,
        /// Bytes of the digest.
        found: usize,
    },
}

/// Checks that `key` signed `attest` (raw `TPMS_ATTEST`), that it is a quote, and that it is for
/// `nonce`. `signature` is a raw `TPMT_SIGNATURE`.
///
/// # Errors
///
/// Each reason to refuse is a variant of its own. The signature is checked first: nothing is
/// read of what nobody signed.
pub fn verify(
    key: &PublicKey,
    attest: &[u8],
    signature: &[u8],
    nonce: &[u8],
) -> Result<Quote, QuoteError> {
    let signature = Signature::parse(signature).map_err(SignatureError::from)?;
    verify_signature(key, attest, &signature)?;
    let attest = Attest::parse(attest).map_err(QuoteError::Malformed)?;
    let Attested::Quote {
        selection,
        pcr_digest,
    } = &attest.attested
    else {
        return Err(QuoteError::NotAQuote {
            found: attest.attested.tag(),
        });
    };
    if *attest.extra_data != *nonce {
        return Err(QuoteError::Nonce {
            expected: hex::encode(nonce),
            found: hex::encode(&attest.extra_data),
        });
    }
    let digest =
        Digest::from_bytes(signature.hash(), pcr_digest).map_err(|_| QuoteError::DigestLength {
            expected: signature.hash(),
            found: pcr_digest.len(),
        })?;
    Ok(Quote {
        selection: selection.clone(),
        pcr_digest: digest,
        attest,
    })
}

/// Checks that `key` made `signature` over `message`.
///
/// # Errors
///
/// When scheme or hash are not taken, or the signature is wrong.
pub fn verify_signature(
    key: &PublicKey,
    message: &[u8],
    signature: &Signature,
) -> Result<(), SignatureError> {
    let genuine = match (key, signature) {
        (PublicKey::Rsa { modulus, exponent }, Signature::RsaSsa { hash, signature }) => {
            let algorithm = match hash {
                HashAlgorithm::Sha256 => &signature::RSA_PKCS1_2048_8192_SHA256,
                HashAlgorithm::Sha384 => &signature::RSA_PKCS1_2048_8192_SHA384,
                HashAlgorithm::Sha512 => &signature::RSA_PKCS1_2048_8192_SHA512,
                HashAlgorithm::Sha1 => return Err(weak(*hash)),
            };
            verify_rsa(algorithm, modulus, *exponent, message, signature)?
        }
        (PublicKey::Rsa { modulus, exponent }, Signature::RsaPss { hash, signature }) => {
            let algorithm = match hash {
                HashAlgorithm::Sha256 => &signature::RSA_PSS_2048_8192_SHA256,
                HashAlgorithm::Sha384 => &signature::RSA_PSS_2048_8192_SHA384,
                HashAlgorithm::Sha512 => &signature::RSA_PSS_2048_8192_SHA512,
                HashAlgorithm::Sha1 => return Err(weak(*hash)),
            };
            verify_rsa(algorithm, modulus, *exponent, message, signature)?
        }
        (PublicKey::Ecc { curve, .. }, Signature::Ecdsa { hash, .. }) => {
            let algorithm = ecdsa(*curve, *hash)?;
            match (key.uncompressed_point(), signature.ecdsa_fixed(*curve)) {
                (Some(point), Some(fixed)) => UnparsedPublicKey::new(algorithm, point)
                    .verify(message, &fixed)
                    .is_ok(),
                _ => false,
            }
        }
        _ => {
            return Err(SignatureError::Scheme {
                expected: match key {
                    PublicKey::Rsa { .. } => "RSASSA or RSAPSS",
                    PublicKey::Ecc { .. } => "ECDSA",
                },
                found: signature.scheme_name(),
            });
        }
    };
    match genuine {
        true => Ok(()),
        false => Err(SignatureError::Wrong {
            key: key.fingerprint(),
        }),
    }
}

fn weak(found: HashAlgorithm) -> SignatureError {
    SignatureError::Hash {
        expected: "SHA-256, SHA-384 or SHA-512",
        found,
    }
}

/// The algorithm of a curve and a hash, of which ring has those that TPMs pair.
fn ecdsa(
    curve: Curve,
    hash: HashAlgorithm,
) -> Result<&'static dyn VerificationAlgorithm, SignatureError> {
    let other = |expected| SignatureError::Hash {
        expected,
        found: hash,
    };
    match (curve, hash) {
        (Curve::P256, HashAlgorithm::Sha256) => Ok(&signature::ECDSA_P256_SHA256_FIXED),
        (Curve::P384, HashAlgorithm::Sha384) => Ok(&signature::ECDSA_P384_SHA384_FIXED),
        (Curve::P256, _) => Err(other("SHA-256, which goes with P-256")),
        (Curve::P384, _) => Err(other("SHA-384, which goes with P-384")),
        (Curve::P521, _) => Err(SignatureError::Key { found: 521 }),
    }
}

fn verify_rsa(
    algorithm: &'static signature::RsaParameters,
    modulus: &[u8],
    exponent: u32,
    message: &[u8],
    signature: &[u8],
) -> Result<bool, SignatureError> {
    // ring refuses smaller ones as well, and gives no reason.
    if modulus.len() < 256 {
        return Err(SignatureError::Key {
            found: modulus.len() * 8,
        });
    }
    let exponent = exponent.to_be_bytes();
    let zeros = exponent.iter().take_while(|byte| **byte == 0).count();
    let components = RsaPublicKeyComponents {
        n: modulus,
        e: exponent.get(zeros..).unwrap_or_default(),
    };
    Ok(components.verify(algorithm, message, signature).is_ok())
}
