//! Enrolment: a device's attestation key is bound to the endorsement key of a TPM that a trusted
//! authority vouches for.
//!
//! The steps, each a value of its own, so that none can be left out:
//! 1. [`Candidate::check`]: the endorsement certificate's chain, and that the attestation key is
//!    one that signs nothing but what the TPM itself made.
//! 2. [`Candidate::challenge`]: a credential, which the device's TPM opens only if both keys live
//!    in it, and the [`Pending`] enrolment that waits for the secret.
//! 3. [`Pending::confirm`]: the answer. Only then is there an [`Enrolment`].
//!
//! All of them go to files and back, so that challenge and answer can go over any channel.
//! The pending file holds a digest of the secret, so that it need not be kept secret itself.

use earnest_evidence::enrolment::{Answer, Challenge, ChallengeId, Request};
use earnest_evidence::tpm::{
    Name, ObjectAttributes, Parameters, Public, PublicKey, Scheme, StructureError,
};
use earnest_evidence::{Digest, HashAlgorithm, hex};
use ring::rand::SecureRandom;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::credential::{self, CredentialError, MAX_SECRET_BYTES};
use crate::ear::TpmClaim;
use crate::endorsement::{self, EkChainError, EndorsementKey};
use crate::freshness::MAX_DEVICE_BYTES;
use crate::policy::{Leave, Policy};

#[cfg(test)]
mod tests;

/// What the files of this format say they are.
const FORMAT: &str = "earnest-enrolment/1";
const PENDING_FORMAT: &str = "earnest-enrolment-pending/1";

/// Longest file of an enrolment, in bytes.
pub const MAX_ENROLMENT_BYTES: usize = 16 * 1024;

/// What an attestation key must be: one that the TPM drew, that never leaves it, that signs, and
/// that signs only what the TPM made.
const KEY_MUST: ObjectAttributes = ObjectAttributes::FIXED_TPM
    .union(ObjectAttributes::FIXED_PARENT)
    .union(ObjectAttributes::SENSITIVE_DATA_ORIGIN)
    .union(ObjectAttributes::RESTRICTED)
    .union(ObjectAttributes::SIGN);

/// What it must not be: a key that decrypts as well would be a parent of others.
const KEY_MUST_NOT: ObjectAttributes = ObjectAttributes::DECRYPT;

/// Why a key attests to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    /// The bytes are no public area.
    #[error("the attestation key's public area is malformed")]
    Malformed(#[from] StructureError),
    /// An attribute is missing or one too many.
    #[error(
        "expected an attestation key that is {expected} and not {unwanted}, found one that is {found}"
    )]
    Attributes {
        /// What it must be.
        expected: ObjectAttributes,
        /// What it must not be.
        unwanted: ObjectAttributes,
        /// What it is.
        found: ObjectAttributes,
    },
    /// It does not sign by a scheme with a strong hash.
    #[error(
        "expected an attestation key for RSASSA, RSAPSS or ECDSA with SHA-256 or stronger, found scheme {scheme:#06x} with {hash}"
    )]
    Scheme {
        /// `TPM_ALG_ID`.
        scheme: u16,
        /// The scheme's hash, or "no hash".
        hash: String,
    },
    /// Its name is a weak digest.
    #[error("expected an attestation key with a name by SHA-256 or stronger, found {found}")]
    NameAlgorithm {
        /// The name's algorithm.
        found: HashAlgorithm,
    },
    /// It is no key, or none that is checked here.
    #[error("expected an RSA key of 2048 bits and more or one on P-256 or P-384: {reason}")]
    Key {
        /// What it is instead.
        reason: String,
    },
}

impl KeyRefusal {
    /// The reason's stable name.
    pub const fn reason(&self) -> &'static str {
        match self {
            KeyRefusal::Malformed(_) => "key_malformed",
            KeyRefusal::Attributes { .. } => "key_not_restricted",
            KeyRefusal::Scheme { .. } => "key_scheme",
            KeyRefusal::NameAlgorithm { .. } => "key_name_algorithm",
            KeyRefusal::Key { .. } => "key_kind",
        }
    }
}

/// Checks that `public` is a key whose quotes can be believed, and gives the key.
///
/// # Errors
///
/// When it is not restricted to what the TPM made, can leave the TPM, or is weak.
pub fn check_attestation_key(public: &Public) -> Result<PublicKey, KeyRefusal> {
    let found = public.attributes;
    if !found.contains(KEY_MUST) || found.contains(KEY_MUST_NOT) {
        return Err(KeyRefusal::Attributes {
            expected: KEY_MUST,
            unwanted: KEY_MUST_NOT,
            found,
        });
    }
    if public.name_algorithm == HashAlgorithm::Sha1 {
        return Err(KeyRefusal::NameAlgorithm {
            found: public.name_algorithm,
        });
    }
    let scheme = public.parameters.scheme().unwrap_or(Scheme::Null);
    let strong = match (&public.parameters, scheme) {
        (
            _,
            Scheme::Hashed {
                hash: HashAlgorithm::Sha1,
                ..
            },
        ) => false,
        (Parameters::Rsa(_), Scheme::Hashed { scheme, .. }) => {
            scheme == Scheme::RSASSA_SHA256.id() || scheme == Scheme::RSAPSS_SHA256.id()
        }
        (Parameters::Ecc(_), Scheme::Hashed { scheme, .. }) => scheme == Scheme::ECDSA_SHA256.id(),
        _ => false,
    };
    if !strong {
        return Err(KeyRefusal::Scheme {
            scheme: scheme.id(),
            hash: match scheme {
                Scheme::Hashed { hash, .. } | Scheme::Ecdaa { hash, .. } => hash.to_string(),
                Scheme::Null | Scheme::RsaEs => "no hash".to_owned(),
            },
        });
    }
    let key = public.key().map_err(|error| KeyRefusal::Key {
        reason: error.to_string(),
    })?;
    match (&key, key.bits()) {
        (PublicKey::Rsa { .. }, 2048..) | (PublicKey::Ecc { .. }, 256 | 384) => Ok(key),
        (_, bits) => Err(KeyRefusal::Key {
            reason: format!("it has {bits} bits"),
        }),
    }
}

/// Why a device is not enrolled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnrolmentError {
    /// The device's name cannot stand in a file name.
    #[error(
        "a device's name has 1 to {limit} letters, digits, '-', '_' and '.', and starts with a letter or digit; found {found:?}"
    )]
    Device {
        /// The bound, in bytes.
        limit: usize,
        /// The name.
        found: String,
    },
    /// Nobody vouches for the endorsement key.
    #[error(transparent)]
    Chain(#[from] EkChainError),
    /// The endorsement key is not that of its certificate.
    #[error("expected endorsement key {expected}, that of the certificate; found {found}")]
    OtherEndorsementKey {
        /// The fingerprint of the certificate's key.
        expected: String,
        /// That of the key in the request.
        found: String,
    },
    /// The attestation key is not one to believe.
    #[error(transparent)]
    Key(#[from] KeyRefusal),
    /// The TPM is a program, which the policy refuses.
    #[error("policy {policy:?} refuses software TPMs; this is one, by authority {anchor:?}: {tpm}")]
    SoftwareTpm {
        /// The policy's name.
        policy: String,
        /// The authority at the chain's end.
        anchor: String,
        /// What the certificate says of it.
        tpm: String,
    },
    /// No credential was made.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The answer is not the secret: the attestation key is not in the TPM of the endorsement key.
    #[error(
        "the attestation key {ak_name} is not bound to the endorsement key: the answer to the credential is wrong"
    )]
    NotBound {
        /// The attestation key.
        ak_name: Name,
    },
    /// An answer to another challenge.
    #[error("expected an answer to challenge {expected}, found one to {found}")]
    OtherChallenge {
        /// The one that waits.
        expected: ChallengeId,
        /// The one that is answered.
        found: ChallengeId,
    },
    /// The answer came too late.
    #[error("the credential was good until {expires_at}; it is {now} (seconds since 1970)")]
    TooLate {
        /// Its end, in seconds since 1970.
        expires_at: i64,
        /// The time that was passed in.
        now: i64,
    },
    /// A file is not as enrolments are written.
    #[error("this is no enrolment: {reason}")]
    Malformed {
        /// What is wrong with it.
        reason: String,
    },
}

/// A device whose certificate and key were checked, and not yet that they belong together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    device: String,
    endorsement: EndorsementKey,
    ak_public: Public,
}

impl Candidate {
    /// Checks what a device sends to be enrolled, under the fleet's own word for it: that an
    /// authority of the policy vouches for its endorsement key, and that its attestation key is
    /// one to believe.
    ///
    /// # Errors
    ///
    /// When nobody vouches for the endorsement key, the TPM is a program and may not be, or the
    /// attestation key is not one to believe.
    pub fn check(
        device: &str,
        request: &Request,
        policy: &Policy,
        now: i64,
    ) -> Result<Candidate, EnrolmentError> {
        check_device(device)?;
        let endorsement = endorsement::verify_chain(
            request.ek_certificate(),
            request.intermediates(),
            policy.anchors(),
            now,
        )?;
        // A credential goes to the certificate's key, whatever the device says. A device that
        // says another could not open it, and should hear why.
        let claimed = request.ek_public().key().map_err(malformed)?;
        if claimed != *endorsement.public() {
            return Err(EnrolmentError::OtherEndorsementKey {
                expected: endorsement.public().fingerprint(),
                found: claimed.fingerprint(),
            });
        }
        if endorsement.is_software() && policy.software_tpm() == Leave::Refuse {
            return Err(EnrolmentError::SoftwareTpm {
                policy: policy.name().to_owned(),
                anchor: endorsement.anchor().to_owned(),
                tpm: endorsement.tpm().to_string(),
            });
        }
        check_attestation_key(request.ak_public())?;
        Ok(Candidate {
            device: device.to_owned(),
            endorsement,
            ak_public: request.ak_public().clone(),
        })
    }

    /// The endorsement key.
    pub fn endorsement(&self) -> &EndorsementKey {
        &self.endorsement
    }

    /// Makes a credential that only this TPM can open, good until `expires_at` (seconds since
    /// 1970), and what waits for its answer.
    ///
    /// # Errors
    ///
    /// When the endorsement key is not of a template's kind, or the random source fails.
    pub fn challenge(
        &self,
        expires_at: i64,
        random: &dyn SecureRandom,
    ) -> Result<(Challenge, Pending), EnrolmentError> {
        let mut secret = Zeroizing::new([0; MAX_SECRET_BYTES]);
        random
            .fill(secret.as_mut())
            .map_err(|_| CredentialError::Random)?;
        let name = self.ak_public.name();
        let credential = credential::make(
            self.endorsement.public(),
            name.as_bytes(),
            secret.as_ref(),
            random,
        )?;
        let mut id = [0; 16];
        random.fill(&mut id).map_err(|_| CredentialError::Random)?;
        let id = ChallengeId::from_bytes(id);
        let challenge = Challenge::new(id, credential.id_object, credential.encrypted_secret)
            .map_err(malformed)?;
        let pending = Pending {
            id,
            format: PENDING_FORMAT.to_owned(),
            answer: HashAlgorithm::Sha256.digest(secret.as_ref()),
            expires_at,
            enrolment: Enrolment {
                format: FORMAT.to_owned(),
                device: self.device.clone(),
                ak_public: hex::encode(&self.ak_public.marshal()),
                ak_name: name,
                endorsement_certificate: self.endorsement.certificate_digest(),
                anchor: self.endorsement.anchor().to_owned(),
                tpm: TpmClaim::new(self.endorsement.tpm(), self.endorsement.is_software()),
                enrolled_at: 0,
            },
        };
        Ok((challenge, pending))
    }
}

/// An enrolment that waits for the answer to its credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    format: String,
    id: ChallengeId,
    /// SHA-256 of the secret, which has 256 random bits, so that nobody guesses it from this.
    answer: Digest,
    expires_at: i64,
    enrolment: Enrolment,
}

impl Pending {
    /// The challenge that waits for its answer.
    pub fn id(&self) -> ChallengeId {
        self.id
    }

    /// The device that is to answer.
    pub fn device(&self) -> &str {
        &self.enrolment.device
    }

    /// When its answer is too late, in seconds since 1970.
    pub fn expires_at(&self) -> i64 {
        self.expires_at
    }

    /// Takes the secret that the device's TPM gave back, at `now` (seconds since 1970). Digests
    /// are compared, so that the time it takes tells nothing of the secret.
    ///
    /// # Errors
    ///
    /// When it is not the secret: then the keys are not in one TPM. And when it is late.
    pub fn confirm(self, answer: &Answer, now: i64) -> Result<Enrolment, EnrolmentError> {
        if answer.id() != self.id {
            return Err(EnrolmentError::OtherChallenge {
                expected: self.id,
                found: answer.id(),
            });
        }
        if now >= self.expires_at {
            return Err(EnrolmentError::TooLate {
                expires_at: self.expires_at,
                now,
            });
        }
        if HashAlgorithm::Sha256.digest(answer.secret()) != self.answer {
            return Err(EnrolmentError::NotBound {
                ak_name: self.enrolment.ak_name,
            });
        }
        Ok(Enrolment {
            enrolled_at: now,
            ..self.enrolment
        })
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        // Strings and numbers alone, none of which fails to be written.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Reads a file that [`Pending::to_json`] wrote.
    ///
    /// # Errors
    ///
    /// When it is not as that writes it.
    pub fn from_json(text: &str) -> Result<Pending, EnrolmentError> {
        let pending: Pending = read(text)?;
        check_format(PENDING_FORMAT, &pending.format)?;
        pending.enrolment.check()?;
        Ok(pending)
    }
}

/// A device whose attestation key is bound to a TPM's endorsement key. The fleet keeps one file
/// of it for each device, and trusts what is in its own files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    format: String,
    device: String,
    /// `TPMT_PUBLIC`, in hexadecimal.
    ak_public: String,
    ak_name: Name,
    endorsement_certificate: Digest,
    anchor: String,
    tpm: TpmClaim,
    enrolled_at: i64,
}

impl Enrolment {
    /// The fleet's word for the device.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// The name of its attestation key.
    pub fn ak_name(&self) -> &Name {
        &self.ak_name
    }

    /// Its TPM, as certified.
    pub fn tpm(&self) -> &TpmClaim {
        &self.tpm
    }

    /// The authority that vouches for its TPM.
    pub fn anchor(&self) -> &str {
        &self.anchor
    }

    /// SHA-256 of its endorsement certificate: the TPM's fingerprint.
    pub fn endorsement_certificate(&self) -> Digest {
        self.endorsement_certificate
    }

    /// When it was enrolled, in seconds since 1970.
    pub fn enrolled_at(&self) -> i64 {
        self.enrolled_at
    }

    /// Its attestation key.
    ///
    /// # Errors
    ///
    /// When the file was changed since: it was checked when it was read.
    pub fn ak_public(&self) -> Result<Public, EnrolmentError> {
        let bytes = hex::decode(&self.ak_public).map_err(malformed)?;
        Public::parse(&bytes).map_err(malformed)
    }

    /// The file's text.
    pub fn to_json(&self) -> String {
        // Strings and numbers alone, none of which fails to be written.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// Reads a file that [`Enrolment::to_json`] wrote.
    ///
    /// # Errors
    ///
    /// When it is not as that writes it.
    pub fn from_json(text: &str) -> Result<Enrolment, EnrolmentError> {
        let enrolment: Enrolment = read(text)?;
        enrolment.check()?;
        Ok(enrolment)
    }

    fn check(&self) -> Result<(), EnrolmentError> {
        check_format(FORMAT, &self.format)?;
        check_device(&self.device)?;
        let found = self.ak_public()?.name();
        if found != self.ak_name {
            return Err(malformed(format!(
                "expected a key of name {}, found one of {found}",
                self.ak_name
            )));
        }
        Ok(())
    }
}

fn malformed(reason: impl ToString) -> EnrolmentError {
    EnrolmentError::Malformed {
        reason: reason.to_string(),
    }
}

fn check_format(expected: &str, found: &str) -> Result<(), EnrolmentError> {
    match found == expected {
        true => Ok(()),
        false => Err(malformed(format!(
            "expected format {expected:?}, found {:?}",
            found.chars().take(64).collect::<String>()
        ))),
    }
}

fn check_device(device: &str) -> Result<(), EnrolmentError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let starts = device
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    match starts && device.len() <= MAX_DEVICE_BYTES && device.bytes().all(plain) {
        true => Ok(()),
        false => Err(EnrolmentError::Device {
            limit: MAX_DEVICE_BYTES,
            found: device.chars().take(MAX_DEVICE_BYTES).collect(),
        }),
    }
}

fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, EnrolmentError> {
    if text.len() > MAX_ENROLMENT_BYTES {
        return Err(malformed(format!(
            "expected at most {MAX_ENROLMENT_BYTES} bytes, found {}",
            text.len()
        )));
    }
    serde_json::from_str(text).map_err(malformed)
}
