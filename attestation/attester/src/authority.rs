//! The device's own certificate authority: its key never leaves the TPM, and what it signs is
//! good for this machine alone.
//!
//! - Its certificate is made once and kept in the device's folder as `authority.pem`; a client
//!   that trusts it keeps trusting the device. It is made again where the file is damaged or of
//!   another key, or a later version of Earnest writes another certificate.
//! - Name constraints (RFC 5280, section 4.2.1.10) permit `localhost`, 127.0.0.0/8 and `::1`,
//!   and the purposes are those of TLS: whoever trusts it trusts nothing about the rest of the
//!   world, even where somebody gets the TPM to sign.
//! - It is valid from 1970 to the end of 9999, which RFC 5280 (section 4.1.2.5) gives to
//!   certificates with no end of their own. Devices without a battery start in 1970, and a
//!   certificate that is not yet valid would lock out whoever comes before the clock is set. It
//!   ends with its key, which ends with the TPM's owner.
//! - A leaf has a fresh key that lives in memory, for a day unless told otherwise, so that a
//!   handshake never waits for the TPM and what leaks is soon worth nothing.
//!
//! - A client's certificate is of a key that the client made and shows a signature of
//!   ([`Authority::certify_client`]). It names an app, and is good for clients of TLS alone: nobody
//!   can serve with it. The daemon goes by its digest, not by its name.
//!
//! ```no_run
//! use std::time::SystemTime;
//!
//! use earnest_attester::authority::{Authority, DEFAULT_LIFE};
//! # fn example(device: &earnest_attester::Device) -> Result<(), Box<dyn std::error::Error>> {
//! let authority = Authority::open(device.module(), device.folder())?;
//! let leaf = authority.issue(SystemTime::now(), DEFAULT_LIFE)?;
//! assert!(!leaf.is_due(SystemTime::now()));
//! println!("{}", authority.certificate_pem());
//! # Ok(())
//! # }
//! ```

use std::cell::Cell;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};

use earnest_evidence::HashAlgorithm;
use earnest_evidence::hex;
use earnest_evidence::tpm::{Curve, KeyError, Public, PublicKey, Signature, StructureError};
use earnest_files::FileError;
use earnest_tpm::{EcdsaSignature, TpmError, TrustModule};
use earnest_verifier::quote::verify_signature;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType, SignatureAlgorithm, SigningKey, date_time_ymd,
};
use zeroize::{Zeroize as _, Zeroizing};

use crate::folder::Folder;

mod client;
#[cfg(test)]
mod tests;

pub use client::{
    CertifyError, ClientCertificate, LEAST_CLIENT_LIFE, MAX_APP_BYTES, MOST_CLIENT_LIFE,
    client_request,
};

/// The authority's certificate, in the device's folder.
pub const CERTIFICATE_FILE: &str = "authority.pem";

/// The certificate has some 700 bytes in PEM.
const MAX_CERTIFICATE_BYTES: usize = 16 << 10;

/// How long a leaf lives unless told otherwise.
pub const DEFAULT_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// The shortest life of a leaf: TPMs are slow, and a daemon that renews all the time does
/// nothing else.
pub const LEAST_LIFE: Duration = Duration::from_secs(60);

/// The longest life of a leaf.
pub const MOST_LIFE: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long before its making a leaf is valid: the clock of the device may be set back a little
/// while it lives.
const BACKDATED: Duration = Duration::from_secs(60 * 60);

/// Seconds from 1970 to the end of the year 9999, beyond which certificates have no time.
const END_OF_TIME: u64 = 253_402_300_799;

/// How many bytes of the key's identifier its name shows.
const SHOWN_BYTES: usize = 4;

/// The name that a leaf is for, beside the addresses of loopback.
const LOCALHOST: &str = "localhost";

const PEM_LABEL: &str = "CERTIFICATE";

/// The device's certificate authority, its certificate at hand.
#[derive(Clone)]
pub struct Authority<'a> {
    module: &'a dyn TrustModule,
    point: Vec<u8>,
    certificate: Vec<u8>,
}

impl fmt::Debug for Authority<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Authority({})", self.fingerprint())
    }
}

impl<'a> Authority<'a> {
    /// The authority of this device. The TPM signs only where the folder has no certificate of
    /// it yet.
    ///
    /// # Errors
    ///
    /// When the certificate cannot be read or written, or has to be made and the TPM is out of
    /// reach.
    pub fn open(
        module: &'a dyn TrustModule,
        folder: &Folder,
    ) -> Result<Authority<'a>, AuthorityError> {
        let key = Public::parse(&module.identity().authority_public)?.key()?;
        let point = match &key {
            PublicKey::Ecc {
                curve: Curve::P256, ..
            } => key.uncompressed_point(),
            _ => None,
        };
        let point = point.ok_or(AuthorityError::OtherKey { found: key.bits() })?;
        let kept = match folder.read(CERTIFICATE_FILE, MAX_CERTIFICATE_BYTES) {
            // What is too long is as damaged as what is none.
            Err(FileError::TooLong { .. }) => None,
            read => read?,
        };
        let kept = kept
            .and_then(|pem| pem::parse(pem).ok())
            .map(pem::Pem::into_contents);
        let certificate = match kept {
            Some(kept) if is_certificate_of(&kept, &key, &point)? => kept,
            _ => {
                let signer = Signer::new(module, &point);
                let made = certificate_of(&point, &signer);
                let made = made.map_err(|error| signer.reason(error))?;
                folder.write(CERTIFICATE_FILE, in_pem(&made).as_bytes())?;
                made
            }
        };
        Ok(Authority {
            module,
            point,
            certificate,
        })
    }

    /// Its certificate in DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// Its certificate in PEM, for clients to trust.
    pub fn certificate_pem(&self) -> String {
        in_pem(&self.certificate)
    }

    /// The SHA-256 of its certificate, in hexadecimal: by which people compare it.
    pub fn fingerprint(&self) -> String {
        hex::encode(HashAlgorithm::Sha256.digest(&self.certificate).as_bytes())
    }

    /// Makes a leaf for `localhost`, 127.0.0.1 and `::1` with a fresh key, valid from an hour
    /// before `now` and for `life` after it.
    ///
    /// # Errors
    ///
    /// When the TPM is out of reach, the life is shorter than [`LEAST_LIFE`] or longer than
    /// [`MOST_LIFE`], or the system gives no random numbers.
    pub fn issue(&self, now: SystemTime, life: Duration) -> Result<Leaf, AuthorityError> {
        if !(LEAST_LIFE..=MOST_LIFE).contains(&life) {
            return Err(AuthorityError::Life {
                least: LEAST_LIFE,
                most: MOST_LIFE,
                found: life,
            });
        }
        let now = since_1970(now);
        let (from, until) = (
            now.saturating_sub(BACKDATED.as_secs()),
            now + life.as_secs(),
        );
        let mut key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let signer = Signer::new(self.module, &self.point);
        let authority = parameters_of(&self.point)?;
        let signed = leaf_parameters(from, until)
            .and_then(|leaf| leaf.signed_by(&key, &Issuer::from_params(&authority, &signer)));
        let pkcs8 = Zeroizing::new(key.serialized_der().to_vec());
        key.zeroize();
        let certificate = signed.map_err(|error| signer.reason(error))?;
        Ok(Leaf {
            chain: vec![certificate.der().to_vec()],
            key: pkcs8,
            from,
            made: now,
            until,
        })
    }
}

/// A certificate for TLS on loopback, and its key, which is overwritten when it is dropped.
pub struct Leaf {
    chain: Vec<Vec<u8>>,
    key: Zeroizing<Vec<u8>>,
    from: u64,
    made: u64,
    until: u64,
}

impl Leaf {
    /// What a server shows, in DER: the leaf. Its authority's certificate is the one that
    /// clients have.
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// Its private key in PKCS#8.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Until when it is valid.
    pub fn valid_until(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.until)
    }

    /// Whether it is time for another: half its life is over, or the clock was set to a time
    /// at which it is not valid.
    pub fn is_due(&self, now: SystemTime) -> bool {
        let halfway = self.made + (self.until - self.made) / 2;
        !(self.from..halfway).contains(&since_1970(now))
    }
}

impl fmt::Debug for Leaf {
    /// Without its key.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Leaf")
            .field("from", &self.from)
            .field("until", &self.until)
            .finish_non_exhaustive()
    }
}

/// Seconds since 1970, within what certificates can say for whatever lives longest.
fn since_1970(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    let since = since.map_or(0, |since| since.as_secs());
    since.min(END_OF_TIME - MOST_CLIENT_LIFE.as_secs())
}

/// Everything about the authority's certificate but its signature; it follows from the key.
fn parameters_of(point: &[u8]) -> Result<CertificateParams, rcgen::Error> {
    let mut parameters = CertificateParams::default();
    let identifier = parameters.key_identifier(&KeyOf(point));
    let shown = hex::encode(&identifier[..SHOWN_BYTES]);
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(
        DnType::CommonName,
        format!("Earnest device authority {shown}"),
    );
    parameters.not_before = date_time_ymd(1970, 1, 1);
    parameters.not_after = parameters.not_before + Duration::from_secs(END_OF_TIME);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    parameters.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    let net =
        |address, prefix| GeneralSubtree::IpAddress(CidrSubnet::from_addr_prefix(address, prefix));
    parameters.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName(LOCALHOST.to_owned()),
            net(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8),
            net(IpAddr::V6(Ipv6Addr::LOCALHOST), 128),
        ],
        excluded_subtrees: Vec::new(),
    });
    Ok(parameters)
}

/// A leaf's own part. The times are seconds since 1970, none after the end of time.
fn leaf_parameters(from: u64, until: u64) -> Result<CertificateParams, rcgen::Error> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters
        .distinguished_name
        .push(DnType::CommonName, LOCALHOST);
    set_times(&mut parameters, from, until);
    parameters.subject_alt_names = vec![
        SanType::DnsName(LOCALHOST.try_into()?),
        SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
    ];
    parameters.is_ca = IsCa::ExplicitNoCa;
    parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    parameters.use_authority_key_identifier_extension = true;
    Ok(parameters)
}

/// From when and until when, in seconds since 1970.
fn set_times(parameters: &mut CertificateParams, from: u64, until: u64) {
    let time = |seconds| date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds);
    parameters.not_before = time(from);
    parameters.not_after = time(until);
}

fn certificate_of(point: &[u8], signer: &impl SigningKey) -> Result<Vec<u8>, rcgen::Error> {
    let certificate = parameters_of(point)?.self_signed(signer)?;
    Ok(certificate.der().to_vec())
}

fn in_pem(certificate: &[u8]) -> String {
    pem::encode(&pem::Pem::new(PEM_LABEL, certificate))
}

/// Whether these bytes are the certificate that would be made of this key, up to the signature,
/// which is different each time and must be right.
fn is_certificate_of(bytes: &[u8], key: &PublicKey, point: &[u8]) -> Result<bool, AuthorityError> {
    let unsigned = Unsigned {
        key: KeyOf(point),
        message: Cell::default(),
    };
    certificate_of(point, &unsigned)?;
    let message = unsigned.message.take();
    let genuine = signature_behind(&message, bytes)
        .and_then(|fixed| Signature::from_ecdsa_fixed(HashAlgorithm::Sha256, &fixed))
        .is_some_and(|signature| verify_signature(key, &message, &signature).is_ok());
    Ok(genuine)
}

/// `AlgorithmIdentifier` of ecdsa-with-SHA256 (RFC 5758, section 3.2).
const ECDSA_WITH_SHA256: [u8; 12] = [
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02,
];

/// The signature as r and s, where `bytes` are all of a `Certificate` (RFC 5280, section 4.1)
/// with this `tbsCertificate`.
fn signature_behind(message: &[u8], bytes: &[u8]) -> Option<[u8; 64]> {
    let (start, inside) = bytes.split_at_checked(4)?;
    let length = u16::try_from(inside.len()).ok()?.to_be_bytes();
    if start != [0x30, 0x82, length[0], length[1]] {
        return None;
    }
    let behind = inside.strip_prefix(message)?;
    let behind = behind.strip_prefix(&ECDSA_WITH_SHA256)?;
    match behind {
        [0x03, length, 0, der @ ..] if usize::from(*length) == der.len() + 1 => fixed(der),
        _ => None,
    }
}

/// r and s of a signature in DER, which is read in the one encoding that it has.
pub(crate) fn fixed(der: &[u8]) -> Option<[u8; 64]> {
    let [0x30, _, numbers @ ..] = der else {
        return None;
    };
    let (r, behind) = number(numbers)?;
    let (s, _) = number(behind)?;
    let signature = EcdsaSignature { r, s };
    (signature.to_der() == der).then(|| signature.to_fixed())
}

/// A number of up to 256 bits in DER, and what is behind it.
fn number(der: &[u8]) -> Option<([u8; 32], &[u8])> {
    let [0x02, length, behind @ ..] = der else {
        return None;
    };
    let (digits, behind) = behind.split_at_checked(usize::from(*length))?;
    let digits = digits.strip_prefix(&[0]).unwrap_or(digits);
    let mut number = [0; 32];
    let zeros = number.len().checked_sub(digits.len())?;
    number[zeros..].copy_from_slice(digits);
    Some((number, behind))
}

/// A public key of P-256 alone.
struct KeyOf<'a>(&'a [u8]);

impl PublicKeyData for KeyOf<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

/// Signs with the TPM. A certificate's library knows no errors of TPMs, so they wait here.
struct Signer<'a> {
    module: &'a dyn TrustModule,
    key: KeyOf<'a>,
    error: Cell<Option<TpmError>>,
}

impl<'a> Signer<'a> {
    fn new(module: &'a dyn TrustModule, point: &'a [u8]) -> Signer<'a> {
        Signer {
            module,
            key: KeyOf(point),
            error: Cell::default(),
        }
    }

    /// What went wrong: the TPM's own error where it was the TPM.
    fn reason(&self, error: rcgen::Error) -> AuthorityError {
        match self.error.take() {
            Some(error) => AuthorityError::Tpm(error),
            None => AuthorityError::Certificate(error),
        }
    }
}

impl PublicKeyData for Signer<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.key.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.key.algorithm()
    }
}

impl SigningKey for Signer<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let digest = HashAlgorithm::Sha256.digest(message);
        let digest = digest.as_bytes().try_into();
        match self.module.sign(digest.expect("a SHA-256 has 32 bytes")) {
            Ok(signature) => Ok(signature.to_der()),
            Err(error) => {
                self.error.set(Some(error));
                Err(rcgen::Error::RemoteKeyError)
            }
        }
    }
}

/// Signs nothing, and keeps what it was to sign.
struct Unsigned<'a> {
    key: KeyOf<'a>,
    message: Cell<Vec<u8>>,
}

impl PublicKeyData for Unsigned<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.key.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.key.algorithm()
    }
}

impl SigningKey for Unsigned<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.message.set(message.to_vec());
        Ok(Vec::new())
    }
}

/// Why the device's authority signs nothing.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The TPM is out of reach.
    #[error(transparent)]
    Tpm(#[from] TpmError),
    /// The TPM's public area of the authority is none.
    #[error("the authority's public area: {0}")]
    Public(#[from] StructureError),
    /// The authority's public area holds no key.
    #[error("the authority's public area: {0}")]
    Key(#[from] KeyError),
    /// The authority's key is of another kind.
    #[error("the authority's key is one of {found} bits, not one of P-256")]
    OtherKey {
        /// Its bits.
        found: usize,
    },
    /// A leaf would live too short or too long.
    #[error("a leaf lives for {least:?} to {most:?}; {found:?} was asked for")]
    Life {
        /// The shortest.
        least: Duration,
        /// The longest.
        most: Duration,
        /// What was asked for.
        found: Duration,
    },
    /// The certificate cannot be written down.
    #[error("the certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The authority's certificate cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}
