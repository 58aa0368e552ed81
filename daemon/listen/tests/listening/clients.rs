//! Certificates of clients: whose count, what is said of them, and who is turned away.

use std::io::ErrorKind;
use std::process::{Command, Stdio};
use std::sync::Arc;

use earnest_evidence::HashAlgorithm;
use earnest_listen::{Connection, EstablishError, IdentityError, Listener, Peer, Plan};
use rcgen::ExtendedKeyUsagePurpose;
use rustls::{ClientConfig, HandshakeKind};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::support::{Authority, HTTP, Leaf, address, connect_to, listener, server, tls_listener};

fn digest(leaf: &Leaf) -> [u8; 32] {
    let digest = HashAlgorithm::Sha256.digest(&leaf.chain[0]);
    digest
        .as_bytes()
        .try_into()
        .expect("a SHA-256 has 32 bytes")
}

/// Both ends of a connection that stands: the client has read a byte of the server's, so that
/// its certificate was taken.
async fn through(
    listener: &Listener,
    client: &Arc<ClientConfig>,
) -> (Connection, TlsStream<TcpStream>) {
    let server = async {
        let mut connection = server(listener).await.expect("it lets the client in");
        connection.write_all(b"x").await.expect("the client reads");
        connection.flush().await.expect("the client reads");
        connection
    };
    let client = async {
        let stream = connect_to(address(listener), client);
        let mut stream = stream.await.expect("it trusts the server");
        let mut byte = [0];
        stream.read_exact(&mut byte).await.expect("a byte comes");
        stream
    };
    tokio::join!(server, client)
}

/// That a client is turned away at its certificate. By TLS 1.3 it hears of it when it reads.
async fn refused(listener: &Listener, client: &Arc<ClientConfig>) -> String {
    let read = async {
        let mut stream = connect_to(address(listener), client).await?;
        stream.read(&mut [0]).await
    };
    let (server, read) = tokio::join!(server(listener), read);
    let told = read.expect_err("the client is told");
    assert!(
        matches!(
            told.kind(),
            ErrorKind::InvalidData | ErrorKind::ConnectionReset
        ),
        "{told}"
    );
    match server.expect_err("the client is turned away") {
        EstablishError::Handshake(error) => error.to_string(),
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_client_may_show_a_certificate_and_the_peer_says_which() {
    let authority = Authority::new();
    let listener = tls_listener(&authority.asking_identity());
    let leaf = authority.client_leaf();
    let (server, _client) = through(&listener, &authority.client_showing(&leaf)).await;
    assert_eq!(server.peer().certificate(), Some(&digest(&leaf)));
    let uid = nix::unistd::geteuid().as_raw();
    assert_eq!(server.peer().uid(), Some(uid));
    // Whoever has none gets through without.
    let (server, _client) = through(&listener, &authority.client(HTTP)).await;
    assert_eq!(server.peer().certificate(), None);
    assert_eq!(server.peer().uid(), Some(uid));
}

#[tokio::test]
async fn a_certificate_of_another_authority_ends_the_handshake() {
    let authority = Authority::new();
    let listener = tls_listener(&authority.asking_identity());
    let client = authority.client_showing(&Authority::new().client_leaf());
    // The authorities of these tests have one name, so that the signature alone tells.
    let said = refused(&listener, &client).await;
    assert!(said.contains("BadSignature"), "{said}");
}

#[tokio::test]
async fn a_certificate_that_is_not_for_clients_or_not_for_now_ends_the_handshake() {
    let authority = Authority::new();
    let listener = tls_listener(&authority.asking_identity());
    let now = (2020, 2050);
    for (years, purpose, expected) in [
        (
            now,
            ExtendedKeyUsagePurpose::ServerAuth,
            "for client authentication",
        ),
        ((2020, 2021), ExtendedKeyUsagePurpose::ClientAuth, "expired"),
        (
            (2049, 2050),
            ExtendedKeyUsagePurpose::ClientAuth,
            "not valid yet",
        ),
    ] {
        let leaf = authority.client_leaf_of(years, purpose);
        let said = refused(&listener, &authority.client_showing(&leaf)).await;
        assert!(said.contains(expected), "{said}");
    }
}

#[tokio::test]
async fn a_certificate_without_its_key_is_worth_nothing() {
    let authority = Authority::new();
    let listener = tls_listener(&authority.asking_identity());
    let (mine, others) = (authority.client_leaf(), authority.client_leaf());
    let stolen = Leaf {
        chain: others.chain,
        key: mine.key,
    };
    let chain = stolen.chain.iter().cloned().map(Into::into).collect();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(stolen.key);
    let key = rustls::crypto::ring::sign::any_ecdsa_type(&key.into()).unwrap();
    let shown = Arc::new(rustls::sign::CertifiedKey::new(chain, key));
    let mut client = ClientConfig::clone(&authority.client(HTTP));
    client.client_auth_cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(shown));
    let said = refused(&listener, &Arc::new(client)).await;
    assert!(said.contains("BadSignature"), "{said}");
}

#[tokio::test]
async fn nobody_is_asked_before_there_is_an_authority() {
    let authority = Authority::new();
    let identity = authority.identity();
    let listener = tls_listener(&identity);
    let leaf = authority.client_leaf();
    let client = authority.client_showing(&leaf);
    let (server, _client) = through(&listener, &client).await;
    assert_eq!(server.peer().certificate(), None);
    identity.ask_clients(authority.certificate()).unwrap();
    let (server, _client) = through(&listener, &client).await;
    assert_eq!(server.peer().certificate(), Some(&digest(&leaf)));
}

#[tokio::test]
async fn the_authority_is_replaced_while_the_listener_runs_and_connections_go_on() {
    let (first, second) = (Authority::new(), Authority::new());
    let identity = first.asking_identity();
    let listener = tls_listener(&identity);
    let (old, new) = (first.client_leaf(), second.client_leaf());
    let (old, new) = (first.client_showing(&old), first.client_showing(&new));
    let (mut early_server, mut early_client) = through(&listener, &old).await;
    refused(&listener, &new).await;

    identity.ask_clients(second.certificate()).unwrap();
    refused(&listener, &old).await;
    let (server, _client) = through(&listener, &new).await;
    assert!(server.peer().certificate().is_some());

    let wrong = identity.ask_clients(b"no certificate").unwrap_err();
    assert!(matches!(wrong, IdentityError::Authority(_)), "{wrong}");
    let (server, _client) = through(&listener, &new).await;
    assert!(server.peer().certificate().is_some());
    // The leaf that servers show is replaced as before.
    let leaf = first.leaf();
    identity.replace(&leaf.chain, &leaf.key).unwrap();
    let (server, _client) = through(&listener, &new).await;
    assert!(server.peer().certificate().is_some());

    early_client.write_all(b"y").await.unwrap();
    early_client.flush().await.unwrap();
    let mut still = [0];
    early_server.read_exact(&mut still).await.unwrap();
    assert_eq!(&still, b"y");
}

/// A session that was resumed would speak for the certificate of the one before it.
#[tokio::test]
async fn no_connection_is_resumed_under_anybodys_certificate() {
    let authority = Authority::new();
    let listener = tls_listener(&authority.asking_identity());
    let leaves = [authority.client_leaf(), authority.client_leaf()];
    let showing = leaves.each_ref().map(|leaf| authority.client_showing(leaf));
    let mut plain = ClientConfig::clone(&authority.client(HTTP));
    // These two clients share what they remember of sessions.
    plain.resumption = showing[0].resumption.clone();
    let plain = Arc::new(plain);
    for (client, expected) in [
        (&showing[0], Some(digest(&leaves[0]))),
        (&plain, None),
        (&showing[1], Some(digest(&leaves[1]))),
        (&showing[0], Some(digest(&leaves[0]))),
    ] {
        let (server, stream) = through(&listener, client).await;
        assert_eq!(server.peer().certificate(), expected.as_ref());
        let session = stream.get_ref().1;
        assert_eq!(session.handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(session.tls13_tickets_received(), 0);
    }
}

#[tokio::test]
async fn in_clear_text_nobody_shows_anything() {
    let plan = Plan {
        clear: vec!["127.0.0.1:0".parse().unwrap()],
        ..Plan::default()
    };
    let listener = listener(&plan, &Authority::new().asking_identity(), 8);
    let client = TcpStream::connect(address(&listener));
    let (server, _client) = tokio::join!(server(&listener), client);
    let server = server.unwrap();
    assert!(matches!(
        server.peer(),
        Peer::Loopback {
            certificate: None,
            ..
        }
    ));
}

#[tokio::test]
async fn openssl_shows_its_certificate_too() {
    let authority = Authority::new();
    let listener = tls_listener(&authority.asking_identity());
    let place = tempfile::tempdir().unwrap();
    let leaf = authority.client_leaf();
    for (name, bytes) in [("leaf.der", &leaf.chain[0]), ("key.der", &leaf.key)] {
        std::fs::write(place.path().join(name), bytes).unwrap();
    }
    let (address, folder) = (address(&listener).to_string(), place.path().to_owned());
    let client = tokio::task::spawn_blocking(move || {
        Command::new("openssl")
            .args(["s_client", "-connect", &address, "-tls1_3"])
            .args(["-certform", "DER", "-keyform", "DER"])
            .args(["-cert", "leaf.der", "-key", "key.der"])
            .current_dir(folder)
            .stdin(Stdio::null())
            .output()
    });
    if Command::new("openssl").arg("version").output().is_err() {
        println!("skipped: there is no openssl here");
        return;
    }
    let server = async {
        let connection = server(&listener).await.unwrap();
        connection.peer().certificate().copied()
    };
    let (shown, client) = tokio::join!(server, client);
    assert_eq!(shown, Some(digest(&leaf)), "{client:?}");
}
