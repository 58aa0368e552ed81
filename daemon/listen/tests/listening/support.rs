//! An authority that clients trust, leaves of it, and both ends of a connection.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use earnest_listen::{Connection, EstablishError, Listener, Listeners, Place, Plan, TlsIdentity};
use rcgen::{
    BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// What takes longer on loopback has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// An authority that clients trust.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

/// A leaf: its chain, and its key in PKCS#8.
pub(crate) struct Leaf {
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) key: Vec<u8>,
}

fn fresh_key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("random numbers")
}

impl Authority {
    pub(crate) fn new() -> Authority {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = fresh_key();
        let certificate = parameters.self_signed(&key).expect("it is its own issuer");
        Authority {
            certificate: certificate.der().clone(),
            issuer: Issuer::new(parameters, key),
        }
    }

    pub(crate) fn leaf(&self) -> Leaf {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let parameters = CertificateParams::new(names).expect("they are names");
        let key = fresh_key();
        let leaf = parameters.signed_by(&key, &self.issuer).expect("it signs");
        Leaf {
            chain: vec![leaf.der().to_vec()],
            key: key.serialize_der(),
        }
    }

    /// An identity with a new leaf of this authority.
    pub(crate) fn identity(&self) -> Arc<TlsIdentity> {
        let leaf = self.leaf();
        TlsIdentity::new(&leaf.chain, &leaf.key).expect("leaf and key belong together")
    }

    /// A client that trusts this authority and speaks these protocols.
    pub(crate) fn client(&self, protocols: &[&[u8]]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots
            .add(self.certificate.clone())
            .expect("it is an authority");
        let mut configuration = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        configuration.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        Arc::new(configuration)
    }
}

/// The only protocol that is offered.
pub(crate) const HTTP: &[&[u8]] = &[b"http/1.1"];

/// A listener of this plan, with room for so many.
pub(crate) fn listener(plan: &Plan, identity: &Arc<TlsIdentity>, most: usize) -> Listener {
    let bound = Listeners::bind(plan).expect("the place is free");
    let most = NonZeroUsize::new(most).expect("some are let in");
    let mut listeners = bound.open(identity, most).expect("a runtime is here");
    assert_eq!(listeners.len(), 1);
    listeners.remove(0)
}

/// A TLS listener on a port of the system's choice.
pub(crate) fn tls_listener(identity: &Arc<TlsIdentity>) -> Listener {
    let plan = Plan {
        tls: vec!["127.0.0.1:0".parse().expect("it is loopback")],
        ..Plan::default()
    };
    listener(&plan, identity, 8)
}

/// The address of a listener over TCP.
pub(crate) fn address(listener: &Listener) -> SocketAddr {
    match listener.place() {
        Place::Tls(address) | Place::Clear(address) => address.socket(),
        Place::Unix(path) => panic!("{path} is no address"),
    }
}

/// Accepts and establishes one connection.
pub(crate) async fn server(listener: &Listener) -> Result<Connection, EstablishError> {
    let incoming = listener.accept().await.expect("the listener is whole");
    incoming.establish().await
}

/// Connects with TLS to a name.
pub(crate) async fn connect_to(
    address: SocketAddr,
    client: &Arc<ClientConfig>,
) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::IpAddress(address.ip().into());
    TlsConnector::from(Arc::clone(client))
        .connect(name, stream)
        .await
}

/// The leaf that a client was shown.
pub(crate) fn shown(connection: &ClientConnection) -> &[u8] {
    let chain = connection.peer_certificates().expect("servers show one");
    &chain[0]
}
