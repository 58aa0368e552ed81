//! An authority that clients trust, leaves of it, and both ends of a connection.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use earnest_listen::{
    Connection, EstablishError, Listener, Listeners, Place, Plan, TlsIdentity, WyomingPlace,
};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
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

    /// A leaf for clients that is valid from the one year to the other and of this purpose.
    pub(crate) fn client_leaf_of(
        &self,
        years: (i32, i32),
        purpose: ExtendedKeyUsagePurpose,
    ) -> Leaf {
        let mut parameters = CertificateParams::default();
        parameters.extended_key_usages = vec![purpose];
        parameters.not_before = date_time_ymd(years.0, 1, 1);
        parameters.not_after = date_time_ymd(years.1, 1, 1);
        let key = fresh_key();
        let leaf = parameters.signed_by(&key, &self.issuer).expect("it signs");
        Leaf {
            chain: vec![leaf.der().to_vec()],
            key: key.serialize_der(),
        }
    }

    /// A leaf for clients that is valid now.
    pub(crate) fn client_leaf(&self) -> Leaf {
        self.client_leaf_of((2020, 2050), ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// Its own certificate.
    pub(crate) fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// An identity with a new leaf of this authority, which asks clients for certificates of it.
    pub(crate) fn asking_identity(&self) -> Arc<TlsIdentity> {
        let identity = self.identity();
        let asked = identity.ask_clients(&self.certificate);
        asked.expect("it is an authority's certificate");
        identity
    }

    /// An identity with a new leaf of this authority.
    pub(crate) fn identity(&self) -> Arc<TlsIdentity> {
        let leaf = self.leaf();
        TlsIdentity::new(&leaf.chain, &leaf.key).expect("leaf and key belong together")
    }

    /// A client that trusts this authority and shows this leaf.
    pub(crate) fn client_showing(&self, leaf: &Leaf) -> Arc<ClientConfig> {
        let chain = leaf.chain.iter().cloned().map(CertificateDer::from);
        let key = PrivatePkcs8KeyDer::from(leaf.key.clone());
        let mut configuration = ClientConfig::builder()
            .with_root_certificates(self.roots())
            .with_client_auth_cert(chain.collect(), key.into())
            .expect("leaf and key belong together");
        configuration.alpn_protocols = HTTP.iter().map(|name| name.to_vec()).collect();
        Arc::new(configuration)
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots
            .add(self.certificate.clone())
            .expect("it is an authority");
        roots
    }

    /// A client that trusts this authority and speaks these protocols.
    pub(crate) fn client(&self, protocols: &[&[u8]]) -> Arc<ClientConfig> {
        let mut configuration = ClientConfig::builder()
            .with_root_certificates(self.roots())
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
        Place::Tls(address)
        | Place::Clear(address)
        | Place::Wyoming(WyomingPlace::Tcp(address)) => address.socket(),
        Place::Unix(path) | Place::Wyoming(WyomingPlace::Unix(path)) => {
            panic!("{path} is no address")
        }
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
