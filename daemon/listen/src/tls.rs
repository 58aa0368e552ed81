//! TLS 1.3 and the certificate shown in it.
//!
//! - No tickets and no store of sessions: each handshake is a whole one, with the certificate of
//!   the moment, and no secret is kept by which an old connection could be read or resumed.
//! - No early data, which could be sent again by whoever saw it.
//! - HTTP/1.1 is the only protocol, so that nothing multiplexes past the cap on connections.
//! - The certificate is the same for every name that a client asks for: which names it is good
//!   for is the client's to check, and a client that connects to an address asks for none.
//!
//! Clients show no certificate yet. Whoever adds that gives [`verifier_of_clients`] another body
//! and what the client showed to [`crate::Peer`].

use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    ClientHello, NoServerSessionStorage, ResolvesServerCert, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, version};

/// The only protocol within TLS.
const HTTP_1_1: &[u8] = b"http/1.1";

/// The certificate that TLS listeners show, and its key. All listeners share one; replacing its
/// leaf changes what every handshake from then on shows. Connections that stand go on.
#[derive(Debug)]
pub struct TlsIdentity {
    shown: Arc<Shown>,
    configuration: Arc<ServerConfig>,
}

/// What the next handshake shows.
#[derive(Debug)]
struct Shown(RwLock<Option<Arc<CertifiedKey>>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // The lock guards one assignment, which leaves nothing half-done.
        let shown = self.0.read().unwrap_or_else(PoisonError::into_inner);
        shown.clone()
    }
}

impl TlsIdentity {
    /// An identity of this leaf: its chain in DER, the leaf first, and its key in PKCS#8. The
    /// key is read and not kept in this form; the caller overwrites it.
    ///
    /// # Errors
    ///
    /// When the key is none, or not the leaf's.
    pub fn new(chain: &[Vec<u8>], key: &[u8]) -> Result<Arc<TlsIdentity>, IdentityError> {
        let leaf = certified(chain, key)?;
        TlsIdentity::shows(Some(Arc::new(leaf)))
    }

    /// An identity that shows nothing yet: every handshake fails until
    /// [`TlsIdentity::replace`] gives it a leaf. A device whose TPM is out of reach when its
    /// daemon starts can still be asked over its Unix socket what is wrong.
    ///
    /// # Errors
    ///
    /// When TLS 1.3 cannot be configured.
    pub fn without_leaf() -> Result<Arc<TlsIdentity>, IdentityError> {
        TlsIdentity::shows(None)
    }

    fn shows(leaf: Option<Arc<CertifiedKey>>) -> Result<Arc<TlsIdentity>, IdentityError> {
        let provider = Arc::new(ring::default_provider());
        let shown = Arc::new(Shown(RwLock::new(leaf)));
        let builder = ServerConfig::builder_with_provider(provider);
        let mut configuration = builder
            .with_protocol_versions(&[&version::TLS13])
            .map_err(IdentityError::Configuration)?
            .with_client_cert_verifier(verifier_of_clients())
            .with_cert_resolver(Arc::clone(&shown) as Arc<dyn ResolvesServerCert>);
        configuration.alpn_protocols = vec![HTTP_1_1.to_vec()];
        configuration.session_storage = Arc::new(NoServerSessionStorage {});
        configuration.send_tls13_tickets = 0;
        configuration.max_early_data_size = 0;
        Ok(Arc::new(TlsIdentity {
            shown,
            configuration: Arc::new(configuration),
        }))
    }

    /// Shows this leaf from now on; see [`TlsIdentity::new`]. After an error the earlier one is
    /// shown still.
    ///
    /// # Errors
    ///
    /// When the key is none, or not the leaf's.
    pub fn replace(&self, chain: &[Vec<u8>], key: &[u8]) -> Result<(), IdentityError> {
        let leaf = certified(chain, key)?;
        let mut shown = self.shown.0.write().unwrap_or_else(PoisonError::into_inner);
        *shown = Some(Arc::new(leaf));
        Ok(())
    }

    pub(crate) fn configuration(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.configuration)
    }
}

fn verifier_of_clients() -> Arc<dyn ClientCertVerifier> {
    WebPkiClientVerifier::no_client_auth()
}

fn certified(chain: &[Vec<u8>], key: &[u8]) -> Result<CertifiedKey, IdentityError> {
    if chain.is_empty() {
        return Err(IdentityError::NoCertificate);
    }
    let chain = chain.iter().cloned().map(CertificateDer::from).collect();
    // The key is borrowed, so that no copy of it stays behind.
    let key = PrivatePkcs8KeyDer::from(key);
    let key = ring::sign::any_ecdsa_type(&key.into()).map_err(IdentityError::Key)?;
    let certified = CertifiedKey::new(chain, key);
    certified.keys_match().map_err(IdentityError::Mismatch)?;
    Ok(certified)
}

/// Why there is no TLS identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The chain is empty.
    #[error("a TLS identity takes one certificate or more, and was given none")]
    NoCertificate,
    /// The key is not one of ECDSA in PKCS#8.
    #[error("the TLS key is none of ECDSA in PKCS#8: {0}")]
    Key(#[source] rustls::Error),
    /// The certificate is of another key, or none.
    #[error("the TLS certificate is not of this key: {0}")]
    Mismatch(#[source] rustls::Error),
    /// TLS 1.3 cannot be configured.
    #[error("TLS 1.3 cannot be configured: {0}")]
    Configuration(#[source] rustls::Error),
}
