//! TLS 1.3 and the certificate shown in it.
//!
//! - No tickets and no store of sessions: each handshake is a whole one, with the certificate of
//!   the moment, and no secret is kept by which an old connection could be read or resumed.
//! - No early data, which could be sent again by whoever saw it.
//! - HTTP/1.1 is the only protocol, so that nothing multiplexes past the cap on connections.
//! - The certificate is the same for every name that a client asks for: which names it is good
//!   for is the client's to check, and a client that connects to an address asks for none.
//!
//! - Clients are asked for a certificate once there is an authority of theirs
//!   ([`TlsIdentity::ask_clients`]), and may have none. One that is not of this authority, not for
//!   clients, or not valid now ends the handshake; of another, [`crate::Peer`] says the digest.
//!   Which app it stands for, and whether it was revoked, is for others to know.

use std::sync::{Arc, PoisonError, RwLock};

use earnest_evidence::HashAlgorithm;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{
    ClientHello, NoServerSessionStorage, ResolvesServerCert, VerifierBuilderError,
    WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig, ServerConnection, version};

use crate::peer::Fingerprint;

/// The only protocol within TLS.
const HTTP_1_1: &[u8] = b"http/1.1";

/// The certificate that TLS listeners show, with its key, and whose certificates clients may
/// show. All listeners share one; replacing either changes every handshake from then on.
/// Connections that stand go on.
#[derive(Debug)]
pub struct TlsIdentity {
    shown: Arc<Shown>,
    /// What the next handshake is held by.
    configuration: RwLock<Arc<ServerConfig>>,
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
        let shown = Arc::new(Shown(RwLock::new(leaf)));
        let verifier = WebPkiClientVerifier::no_client_auth();
        let configuration = configuration(&shown, verifier)?;
        Ok(Arc::new(TlsIdentity {
            shown,
            configuration: RwLock::new(Arc::new(configuration)),
        }))
    }

    /// Asks clients for certificates of this authority from now on, whose own certificate is
    /// given in DER; one of an earlier authority counts no more. A client without one gets
    /// through as before. After an error whoever was asked for is asked for still.
    ///
    /// # Errors
    ///
    /// When the certificate is none that others can be held to.
    pub fn ask_clients(&self, authority: &[u8]) -> Result<(), IdentityError> {
        let verifier = verifier_of_clients(authority)?;
        let configuration = Arc::new(configuration(&self.shown, verifier)?);
        // The lock guards one assignment, which leaves nothing half-done.
        let mut current = self
            .configuration
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *current = configuration;
        Ok(())
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
        let current = self.configuration.read();
        Arc::clone(&current.unwrap_or_else(PoisonError::into_inner))
    }
}

fn configuration(
    shown: &Arc<Shown>,
    clients: Arc<dyn ClientCertVerifier>,
) -> Result<ServerConfig, IdentityError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider);
    let mut configuration = builder
        .with_protocol_versions(&[&version::TLS13])
        .map_err(IdentityError::Configuration)?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(Arc::clone(shown) as Arc<dyn ResolvesServerCert>);
    configuration.alpn_protocols = vec![HTTP_1_1.to_vec()];
    configuration.session_storage = Arc::new(NoServerSessionStorage {});
    configuration.send_tls13_tickets = 0;
    configuration.max_early_data_size = 0;
    Ok(configuration)
}

/// Holds what clients show to this authority: its signature, the purpose of clients, the time.
fn verifier_of_clients(authority: &[u8]) -> Result<Arc<dyn ClientCertVerifier>, IdentityError> {
    let mut roots = RootCertStore::empty();
    let added = roots.add(CertificateDer::from(authority.to_vec()));
    added.map_err(IdentityError::Authority)?;
    let provider = Arc::new(ring::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
        .allow_unauthenticated()
        .build()
        .map_err(IdentityError::Clients)
}

/// What the client of this connection showed and proved to have the key of.
pub(crate) fn shown_by(connection: &ServerConnection) -> Option<Fingerprint> {
    let leaf = connection.peer_certificates()?.first()?;
    HashAlgorithm::Sha256
        .digest(leaf)
        .as_bytes()
        .try_into()
        .ok()
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
    /// The certificate of the clients' authority is none.
    #[error("the certificate of the clients' authority cannot be read: {0}")]
    Authority(#[source] rustls::Error),
    /// Clients cannot be held to their authority.
    #[error("clients cannot be held to their authority: {0}")]
    Clients(#[source] VerifierBuilderError),
    /// TLS 1.3 cannot be configured.
    #[error("TLS 1.3 cannot be configured: {0}")]
    Configuration(#[source] rustls::Error),
}
