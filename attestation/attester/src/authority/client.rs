//! Certificates of clients: by which an app shows over TLS who it is.

use std::time::{Duration, SystemTime};

use earnest_evidence::HashAlgorithm;
use earnest_tpm::{NoRandomness, fresh_secret};
use earnest_verifier::request::{RequestError, RequestedKey, requested_key};
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData, SerialNumber,
    SignatureAlgorithm,
};
use zeroize::{Zeroize as _, Zeroizing};

use super::{
    Authority, AuthorityError, BACKDATED, Signer, in_pem, parameters_of, set_times, since_1970,
};

/// The shortest life of a client's certificate.
pub const LEAST_CLIENT_LIFE: Duration = Duration::from_secs(60);

/// The longest life of a client's certificate: its key is a file of the app's, so it is renewed
/// each quarter.
pub const MOST_CLIENT_LIFE: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Most bytes of an app's name in a certificate: a common name has at most 64 (RFC 5280,
/// appendix A.1), and `app:` takes the first four.
pub const MAX_APP_BYTES: usize = 60;

/// What the common name of an app's certificate starts with. With it, no such name is one of a
/// host.
const NAME_START: &str = "app:";

/// Most bytes of a request in PEM: a third more than in DER, and its two lines.
const MAX_PEM_BYTES: usize = 12 << 10;

/// The label of a request in PEM (RFC 7468, section 7), and an older one.
const REQUEST_LABELS: [&str; 2] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];

/// The label of a private key in PEM (RFC 7468, section 10).
const KEY_LABEL: &str = "PRIVATE KEY";

/// Bytes of a serial number: RFC 5280 (section 4.1.2.2) has at most 20.
const SERIAL_BYTES: usize = 16;

/// A client's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// It in DER.
    pub der: Vec<u8>,
    /// It in PEM.
    pub pem: String,
    /// The SHA-256 of it in DER, by which a daemon knows it.
    pub fingerprint: [u8; 32],
    /// Until when it is valid.
    pub not_after: SystemTime,
}

impl Authority<'_> {
    /// Certifies the key of this request, in PEM or DER, as one of the app's: valid from an hour
    /// before `now` and for `life` after it. Of the request the key alone counts, which must have
    /// signed it; everything else that the certificate says is said here.
    ///
    /// # Errors
    ///
    /// When the request is none or its key did not sign it, the app's name is none for a
    /// certificate, the life is shorter than [`LEAST_CLIENT_LIFE`] or longer than
    /// [`MOST_CLIENT_LIFE`], or the TPM is out of reach.
    pub fn certify_client(
        &self,
        request: &[u8],
        app: &str,
        now: SystemTime,
        life: Duration,
    ) -> Result<ClientCertificate, CertifyError> {
        if !is_app(app) {
            return Err(CertifyError::App {
                limit: MAX_APP_BYTES,
                found: app.chars().take(MAX_APP_BYTES).collect(),
            });
        }
        if !(LEAST_CLIENT_LIFE..=MOST_CLIENT_LIFE).contains(&life) {
            return Err(CertifyError::Life {
                least: LEAST_CLIENT_LIFE,
                most: MOST_CLIENT_LIFE,
                found: life,
            });
        }
        let key = requested_key(&in_der(request)?)?;
        let now = since_1970(now);
        let until = now + life.as_secs();
        let mut parameters = client_parameters(app, &fresh_serial()?);
        set_times(
            &mut parameters,
            now.saturating_sub(BACKDATED.as_secs()),
            until,
        );
        let signer = Signer::new(self.module, &self.point);
        let authority = parameters_of(&self.point).map_err(AuthorityError::Certificate)?;
        let issuer = Issuer::from_params(&authority, &signer);
        let signed = parameters.signed_by(&KeyOfClient(key), &issuer);
        let der = signed.map_err(|error| signer.reason(error))?.der().to_vec();
        let fingerprint = HashAlgorithm::Sha256.digest(&der);
        Ok(ClientCertificate {
            pem: in_pem(&der),
            fingerprint: fingerprint
                .as_bytes()
                .try_into()
                .expect("a SHA-256 has 32 bytes"),
            not_after: SystemTime::UNIX_EPOCH + Duration::from_secs(until),
            der,
        })
    }
}

/// A fresh key of P-256, as PKCS#8 in PEM, and a request to certify it, in PEM, too. The
/// request names nobody: whom the key is of, the authority is told by who brings it.
///
/// # Errors
///
/// When the system gives no random numbers.
pub fn client_request() -> Result<(Zeroizing<String>, String), AuthorityError> {
    let mut key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    let request = parameters.serialize_request(&key);
    let block = pem::Pem::new(KEY_LABEL, key.serialized_der());
    let key_pem = Zeroizing::new(pem::encode(&block));
    block.into_contents().zeroize();
    key.zeroize();
    let request = pem::Pem::new(REQUEST_LABELS[0], request?.der().to_vec());
    Ok((key_pem, pem::encode(&request)))
}

/// Whether a certificate can name this app.
fn is_app(app: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    (1..=MAX_APP_BYTES).contains(&app.len()) && app.bytes().all(plain)
}

/// The request in DER, whichever it was in: DER starts with a SEQUENCE's tag, which no text does.
fn in_der(request: &[u8]) -> Result<Vec<u8>, CertifyError> {
    if request.first() == Some(&0x30) {
        return Ok(request.to_vec());
    }
    if request.len() > MAX_PEM_BYTES {
        return Err(CertifyError::Request(RequestError::TooLong {
            limit: MAX_PEM_BYTES,
            found: request.len(),
        }));
    }
    let block = pem::parse(request).map_err(|_| CertifyError::NotPem)?;
    match REQUEST_LABELS.contains(&block.tag()) {
        true => Ok(block.into_contents()),
        false => Err(CertifyError::NotPem),
    }
}

/// A positive number that no other certificate has: one key may be certified again.
fn fresh_serial() -> Result<[u8; SERIAL_BYTES], CertifyError> {
    let random = fresh_secret()?;
    let mut serial = [0; SERIAL_BYTES];
    serial.copy_from_slice(&random[..SERIAL_BYTES]);
    // Neither a sign nor zeros in front: both would be another number's encoding.
    serial[0] = serial[0] & 0x7f | 0x40;
    Ok(serial)
}

/// A client's own part, without its times.
fn client_parameters(app: &str, serial: &[u8]) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters
        .distinguished_name
        .push(DnType::CommonName, format!("{NAME_START}{app}"));
    parameters.serial_number = Some(SerialNumber::from_slice(serial));
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    parameters.use_authority_key_identifier_extension = true;
    parameters
}

/// The key of a request, to certify.
struct KeyOfClient(RequestedKey);

impl PublicKeyData for KeyOfClient {
    fn der_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self.0 {
            RequestedKey::P256(_) => &PKCS_ECDSA_P256_SHA256,
            RequestedKey::Ed25519(_) => &PKCS_ED25519,
        }
    }
}

/// Why a client gets no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertifyError {
    /// It is neither DER nor a request in PEM.
    #[error("the request is neither DER nor PEM of a {}", REQUEST_LABELS[0])]
    NotPem,
    /// It is no request that a key signed.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// A certificate cannot name this app.
    #[error(
        "a certificate names apps by 1 to {limit} of a to z, 0 to 9, full stop, hyphen and \
         underscore; this is {found:?}"
    )]
    App {
        /// The most characters.
        limit: usize,
        /// The start of the name.
        found: String,
    },
    /// It would live too short or too long.
    #[error("a client's certificate lives for {least:?} to {most:?}; {found:?} was asked for")]
    Life {
        /// The shortest.
        least: Duration,
        /// The longest.
        most: Duration,
        /// What was asked for.
        found: Duration,
    },
    /// The system gives no random numbers.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// The authority does not sign.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

#[cfg(test)]
mod tests;
