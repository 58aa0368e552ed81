//! The chain from an endorsement certificate to an authority that the fleet trusts.

use std::time::Duration;

use earnest_evidence::tpm::PublicKey;
use earnest_evidence::{Digest, HashAlgorithm};
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::{EndEntityCert, KeyUsage, VerifiedPath, ring as algorithms};

use super::certificate::{Certificate, MAX_CERTIFICATE_BYTES, TpmDescription, usage};

/// `tcg-kp-EKCertificate`, 2.23.133.8.1: the purpose of an endorsement certificate (TCG EK
/// Credential Profile, 3.2.16), as an object identifier's content.
const EK_CERTIFICATE: &[u8] = &[0x67, 0x81, 0x05, 0x08, 0x01];

/// Most certificates between a TPM's and the anchor. The longest chains of makers have three.
pub const MAX_INTERMEDIATES: usize = 8;

/// The signatures that authorities may use. SHA-1 is left out.
const SIGNATURES: &[&dyn SignatureVerificationAlgorithm] = &[
    algorithms::ECDSA_P256_SHA256,
    algorithms::ECDSA_P256_SHA384,
    algorithms::ECDSA_P384_SHA256,
    algorithms::ECDSA_P384_SHA384,
    algorithms::RSA_PKCS1_2048_8192_SHA256,
    algorithms::RSA_PKCS1_2048_8192_SHA256_ABSENT_PARAMS,
    algorithms::RSA_PKCS1_2048_8192_SHA384,
    algorithms::RSA_PKCS1_2048_8192_SHA384_ABSENT_PARAMS,
    algorithms::RSA_PKCS1_2048_8192_SHA512,
    algorithms::RSA_PKCS1_2048_8192_SHA512_ABSENT_PARAMS,
    algorithms::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
    algorithms::RSA_PSS_2048_8192_SHA384_LEGACY_KEY,
    algorithms::RSA_PSS_2048_8192_SHA512_LEGACY_KEY,
];

/// An authority that the fleet trusts to certify endorsement keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustAnchor {
    name: String,
    der: Vec<u8>,
    software: bool,
    not_before: i64,
    not_after: i64,
}

impl TrustAnchor {
    /// The authority of this certificate (DER). `name` is the fleet's own word for it, and
    /// `software` its mark that what it certifies are TPMs that are programs.
    ///
    /// # Errors
    ///
    /// When the bytes are no certificate, or that of no authority.
    pub fn new(name: &str, der: &[u8], software: bool) -> Result<TrustAnchor, AnchorError> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(AnchorError::TooLarge {
                limit: MAX_CERTIFICATE_BYTES,
                found: der.len(),
            });
        }
        let certificate =
            Certificate::parse(der).map_err(|field| AnchorError::Malformed { field })?;
        // A certificate of version 1 cannot say what it is for; old roots are of that kind.
        if !certificate.version_1 && !may_sign(&certificate) {
            return Err(AnchorError::NoAuthority {
                name: name.to_owned(),
            });
        }
        webpki::anchor_from_trusted_cert(&CertificateDer::from(der)).map_err(|error| {
            AnchorError::Unusable {
                reason: error.to_string(),
            }
        })?;
        Ok(TrustAnchor {
            name: name.to_owned(),
            der: der.to_vec(),
            software,
            not_before: certificate.not_before,
            not_after: certificate.not_after,
        })
    }

    /// The fleet's word for it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its certificate.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Whether it certifies TPMs that are programs.
    pub fn is_software(&self) -> bool {
        self.software
    }

    fn is_valid_at(&self, now: i64) -> bool {
        (self.not_before..=self.not_after).contains(&now)
    }
}

/// Why a certificate is no trust anchor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnchorError {
    /// Longer than any certificate that is read.
    #[error("a certificate has at most {limit} bytes; this has {found}")]
    TooLarge {
        /// The bound, in bytes.
        limit: usize,
        /// Its length in bytes.
        found: usize,
    },
    /// No certificate.
    #[error("this is no certificate: its {field} is not as RFC 5280 has it")]
    Malformed {
        /// The first field that is wrong.
        field: &'static str,
    },
    /// A certificate that may not certify others.
    #[error("{name:?} is no authority: its certificate may not sign others")]
    NoAuthority {
        /// The fleet's word for it.
        name: String,
    },
    /// The chain's checker cannot use it.
    #[error("this certificate cannot be an anchor: {reason}")]
    Unusable {
        /// What the checker says.
        reason: String,
    },
}

/// An endorsement key whose certificate was verified. Only [`verify_chain`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndorsementKey {
    public: PublicKey,
    certificate_digest: Digest,
    tpm: TpmDescription,
    anchor: String,
    software: bool,
}

impl EndorsementKey {
    /// The key.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// SHA-256 of the certificate: the TPM's fingerprint.
    pub fn certificate_digest(&self) -> Digest {
        self.certificate_digest
    }

    /// What its maker says of the TPM.
    pub fn tpm(&self) -> &TpmDescription {
        &self.tpm
    }

    /// The fleet's word for the authority at the chain's end.
    pub fn anchor(&self) -> &str {
        &self.anchor
    }

    /// Whether the TPM is a program: its anchor is marked so, or its certificate says so.
    pub fn is_software(&self) -> bool {
        self.software
    }
}

/// Why a certificate does not prove an endorsement key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EkChainError {
    /// More bytes or certificates than are read.
    #[error("{what}: at most {limit}, found {found}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// The bound.
        limit: usize,
        /// What was found.
        found: usize,
    },
    /// No certificate.
    #[error("certificate {index} of the chain is malformed: its {field} is not as RFC 5280 has it")]
    Malformed {
        /// Which: 0 is the endorsement key's own.
        index: usize,
        /// The first field that is wrong.
        field: &'static str,
    },
    /// No chain to an authority that is trusted.
    #[error("no trusted authority vouches for the certificate; trusted are {trusted:?}")]
    UnknownAuthority {
        /// The names of those that are trusted.
        trusted: Vec<String>,
    },
    /// A signature in the chain is wrong.
    #[error("a signature in the chain is not that of the authority whose name it bears")]
    Signature,
    /// A certificate of the chain is past its time.
    #[error(
        "a certificate of the chain was valid until {not_after}; it is {now} (seconds since 1970)"
    )]
    Expired {
        /// The end of its time, in seconds since 1970.
        not_after: i64,
        /// The time that was passed in.
        now: i64,
    },
    /// A certificate of the chain is before its time.
    #[error(
        "a certificate of the chain is valid from {not_before}; it is {now} (seconds since 1970)"
    )]
    NotYetValid {
        /// The start of its time, in seconds since 1970.
        not_before: i64,
        /// The time that was passed in.
        now: i64,
    },
    /// The trusted authority's own certificate is not valid at this time.
    #[error(
        "authority {anchor:?} is valid from {not_before} until {not_after}; it is {now} (seconds since 1970)"
    )]
    AnchorOutOfTime {
        /// The fleet's word for it.
        anchor: String,
        /// The start of its time, in seconds since 1970.
        not_before: i64,
        /// The end of its time, in seconds since 1970.
        not_after: i64,
        /// The time that was passed in.
        now: i64,
    },
    /// A certificate in the chain signs others, which it may not.
    #[error(
        "a certificate of the chain is used as an authority's, and is not one that may sign others"
    )]
    NoAuthority,
    /// More authorities below one than it allows.
    #[error("the chain is longer than one of its authorities allows")]
    TooDeep,
    /// The endorsement certificate is itself an authority's.
    #[error("the certificate is an authority's, not a TPM's")]
    AuthorityAsTpm,
    /// The certificate is for something else.
    #[error("expected a certificate for purpose 2.23.133.8.1 (endorsement key), found {found:?}")]
    Purpose {
        /// The purposes that it has, as dotted numbers; none if it has no such extension.
        found: Vec<String>,
    },
    /// The key may not be used for a credential.
    #[error("expected a key usage of {expected}, found {found:#04x}")]
    KeyUsage {
        /// The usage that such a key must have.
        expected: &'static str,
        /// The usage's first eight bits.
        found: u8,
    },
    /// The key is of a kind that no template of an endorsement key has.
    #[error("the certificate's key is neither RSA nor ECC on P-256 or P-384")]
    Key,
    /// The chain's checker refuses it for another reason.
    #[error("the chain is refused: {reason}")]
    Refused {
        /// What the checker says.
        reason: String,
    },
}

/// Checks that an authority among `anchors` vouches, at `now` (seconds since 1970), for the
/// endorsement certificate `leaf` (DER), by way of any of `intermediates` (DER, in any order).
///
/// # Errors
///
/// Each reason to refuse is a variant of its own; see [`EkChainError`].
pub fn verify_chain(
    leaf: &[u8],
    intermediates: &[Vec<u8>],
    anchors: &[TrustAnchor],
    now: i64,
) -> Result<EndorsementKey, EkChainError> {
    check_sizes(leaf, intermediates)?;
    let certificate =
        Certificate::parse(leaf).map_err(|field| EkChainError::Malformed { index: 0, field })?;
    let valid: Vec<&TrustAnchor> = anchors
        .iter()
        .filter(|anchor| anchor.is_valid_at(now))
        .collect();
    let anchor = match build(leaf, intermediates, &valid, now) {
        Ok(anchor) => anchor,
        Err(EkChainError::UnknownAuthority { trusted }) => {
            // Whether it is unknown or only out of time, a person will want to know.
            let all: Vec<&TrustAnchor> = anchors.iter().collect();
            return Err(match build(leaf, intermediates, &all, now) {
                Ok(anchor) => EkChainError::AnchorOutOfTime {
                    anchor: anchor.name.clone(),
                    not_before: anchor.not_before,
                    not_after: anchor.not_after,
                    now,
                },
                Err(EkChainError::UnknownAuthority { .. }) => {
                    EkChainError::UnknownAuthority { trusted }
                }
                Err(other) => other,
            });
        }
        Err(error) => return Err(error),
    };
    let public = check_leaf(&certificate)?;
    Ok(EndorsementKey {
        public,
        certificate_digest: HashAlgorithm::Sha256.digest(leaf),
        software: anchor.software || certificate.tpm.is_software(),
        tpm: certificate.tpm,
        anchor: anchor.name.clone(),
    })
}

fn check_sizes(leaf: &[u8], intermediates: &[Vec<u8>]) -> Result<(), EkChainError> {
    let too_large = |what, limit, found| EkChainError::TooLarge { what, limit, found };
    if intermediates.len() > MAX_INTERMEDIATES {
        return Err(too_large(
            "intermediate certificates",
            MAX_INTERMEDIATES,
            intermediates.len(),
        ));
    }
    let longest = intermediates
        .iter()
        .map(Vec::len)
        .fold(leaf.len(), usize::max);
    if longest > MAX_CERTIFICATE_BYTES {
        return Err(too_large(
            "bytes of a certificate",
            MAX_CERTIFICATE_BYTES,
            longest,
        ));
    }
    Ok(())
}

/// Finds a chain, and the anchor at its end.
fn build<'a>(
    leaf: &[u8],
    intermediates: &[Vec<u8>],
    anchors: &[&'a TrustAnchor],
    now: i64,
) -> Result<&'a TrustAnchor, EkChainError> {
    let unknown = || EkChainError::UnknownAuthority {
        trusted: anchors.iter().map(|anchor| anchor.name.clone()).collect(),
    };
    let anchor_ders: Vec<CertificateDer<'_>> = anchors
        .iter()
        .map(|anchor| CertificateDer::from(anchor.der.as_slice()))
        .collect();
    // `TrustAnchor::new` has read each of these once, so that none is left out here.
    let roots: Vec<_> = anchor_ders
        .iter()
        .filter_map(|der| webpki::anchor_from_trusted_cert(der).ok())
        .collect();
    let between: Vec<CertificateDer<'_>> = intermediates
        .iter()
        .map(|der| CertificateDer::from(der.as_slice()))
        .collect();
    let leaf = CertificateDer::from(leaf);
    let entity = EndEntityCert::try_from(&leaf).map_err(|error| refusal(error, now, unknown))?;
    let seconds = u64::try_from(now).unwrap_or(0);
    let path = entity
        .verify_for_usage(
            SIGNATURES,
            &roots,
            &between,
            UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
            KeyUsage::required_if_present(EK_CERTIFICATE),
            None,
            None,
        )
        .map_err(|error| refusal(error, now, unknown))?;
    check_authorities(&path)?;
    let end = path.anchor();
    roots
        .iter()
        .position(|root| {
            root.subject == end.subject
                && root.subject_public_key_info == end.subject_public_key_info
        })
        .and_then(|index| anchors.get(index).copied())
        .ok_or_else(unknown)
}

/// Each authority between must be allowed to sign certificates.
fn check_authorities(path: &VerifiedPath<'_>) -> Result<(), EkChainError> {
    for (number, authority) in path.intermediate_certificates().enumerate() {
        let certificate =
            Certificate::parse(&authority.der()).map_err(|field| EkChainError::Malformed {
                index: number + 1,
                field,
            })?;
        if !may_sign(&certificate) {
            return Err(EkChainError::NoAuthority);
        }
    }
    Ok(())
}

/// Whether a certificate may sign others: an authority's, whose usage, if it states one, says so.
fn may_sign(certificate: &Certificate) -> bool {
    let usage = certificate.key_usage.unwrap_or(usage::CERTIFICATE_SIGN);
    certificate.authority && usage & usage::CERTIFICATE_SIGN != 0
}

/// What the endorsement certificate itself must say.
fn check_leaf(certificate: &Certificate) -> Result<PublicKey, EkChainError> {
    if certificate.authority {
        return Err(EkChainError::AuthorityAsTpm);
    }
    if !certificate
        .purposes
        .iter()
        .any(|purpose| purpose == EK_CERTIFICATE)
    {
        return Err(EkChainError::Purpose {
            found: certificate.purposes.iter().map(|oid| dotted(oid)).collect(),
        });
    }
    let public = certificate.key.clone().ok_or(EkChainError::Key)?;
    // A credential is encrypted to an RSA key, and agreed upon with an ECC key.
    let (expected, bit) = match public {
        PublicKey::Rsa { .. } => ("keyEncipherment", usage::KEY_ENCIPHERMENT),
        PublicKey::Ecc { .. } => ("keyAgreement", usage::KEY_AGREEMENT),
    };
    match certificate.key_usage {
        Some(found) if found & bit == 0 => Err(EkChainError::KeyUsage { expected, found }),
        _ => Ok(public),
    }
}

/// The checker's reasons in our own words.
fn refusal(error: webpki::Error, now: i64, unknown: impl FnOnce() -> EkChainError) -> EkChainError {
    use webpki::Error;
    let seconds = |time: UnixTime| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    match error {
        Error::UnknownIssuer => unknown(),
        Error::CertExpired { not_after, .. } => EkChainError::Expired {
            not_after: seconds(not_after),
            now,
        },
        Error::CertNotValidYet { not_before, .. } => EkChainError::NotYetValid {
            not_before: seconds(not_before),
            now,
        },
        Error::InvalidSignatureForPublicKey => EkChainError::Signature,
        Error::EndEntityUsedAsCa => EkChainError::NoAuthority,
        Error::CaUsedAsEndEntity => EkChainError::AuthorityAsTpm,
        Error::PathLenConstraintViolated | Error::MaximumPathDepthExceeded => EkChainError::TooDeep,
        Error::RequiredEkuNotFoundContext(context) => EkChainError::Purpose {
            found: context
                .present
                .iter()
                .map(|purpose| join(purpose.iter().copied()))
                .collect(),
        },
        other => EkChainError::Refused {
            reason: other.to_string(),
        },
    }
}

fn join(numbers: impl Iterator<Item = usize>) -> String {
    let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
    numbers.join(".")
}

/// An object identifier's content as dotted numbers (X.690, 8.19).
fn dotted(content: &[u8]) -> String {
    let mut numbers = Vec::new();
    let mut number = 0_usize;
    for byte in content {
        number = number << 7 | usize::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            if numbers.is_empty() {
                // The first two numbers share the first place.
                let first = (number / 40).min(2);
                numbers.push(first);
                number -= first * 40;
            }
            numbers.push(number);
            number = 0;
        }
    }
    join(numbers.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_identifiers_are_written_as_people_write_them() {
        assert_eq!(dotted(EK_CERTIFICATE), "2.23.133.8.1");
        assert_eq!(dotted(&[0x2b, 6, 1, 5, 5, 7, 3, 1]), "1.3.6.1.5.5.7.3.1");
        assert_eq!(dotted(&[]), "");
        // However long a number is, writing it does not fail.
        assert!(!dotted(&[&[0xff; 40][..], &[0x7f]].concat()).is_empty());
    }
}
