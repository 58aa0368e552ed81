//! TLS: what is spoken, what is shown, and who is turned away.

use std::io::ErrorKind;
use std::process::{Command, Stdio};

use earnest_listen::{EstablishError, HANDSHAKE_LIMIT, IdentityError, Peer, TlsIdentity};
use rustls::{HandshakeKind, ProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::support::{Authority, HTTP, PATIENCE, address, connect_to, server, shown, tls_listener};

#[tokio::test]
async fn a_client_that_trusts_the_authority_speaks_tls_1_3_and_http_1_1() {
    let authority = Authority::new();
    let listener = tls_listener(&authority.identity());
    let client = authority.client(&[b"h2", b"http/1.1"]);
    let (server, client) = tokio::join!(server(&listener), connect_to(address(&listener), &client));
    let (mut server, mut client) = (server.unwrap(), client.unwrap());
    let session = client.get_ref().1;
    assert_eq!(session.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(server.place().is_tls());
    let (peer, uid) = match *server.peer() {
        Peer::Loopback { address, uid, .. } => (address, uid),
        Peer::Unix { .. } => panic!("it came by TCP"),
    };
    assert_eq!(peer, client.get_ref().0.local_addr().unwrap());
    assert_eq!(uid, Some(nix::unistd::geteuid().as_raw()));
    client.write_all(b"question").await.unwrap();
    client.flush().await.unwrap();
    let mut question = [0; 8];
    server.read_exact(&mut question).await.unwrap();
    assert_eq!(&question, b"question");
    server.write_all(b"answer").await.unwrap();
    server.shutdown().await.unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer, b"answer");
}

#[tokio::test]
async fn nothing_is_resumed() {
    let authority = Authority::new();
    let listener = tls_listener(&authority.identity());
    // This client would resume if it had been given a ticket.
    let client = authority.client(HTTP);
    for _ in 0..3 {
        let (server, stream) =
            tokio::join!(server(&listener), connect_to(address(&listener), &client));
        let (mut server, mut stream) = (server.unwrap(), stream.unwrap());
        server.write_all(b"x").await.unwrap();
        server.shutdown().await.unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
        let session = stream.get_ref().1;
        assert_eq!(session.handshake_kind(), Some(HandshakeKind::Full));
        assert_eq!(session.tls13_tickets_received(), 0);
    }
}

#[tokio::test]
async fn a_client_of_another_authority_refuses_us() {
    let listener = tls_listener(&Authority::new().identity());
    let client = Authority::new().client(HTTP);
    let (server, client) = tokio::join!(server(&listener), connect_to(address(&listener), &client));
    let refused = client.unwrap_err().to_string();
    assert!(refused.contains("invalid peer certificate"), "{refused}");
    assert!(matches!(server, Err(EstablishError::Handshake(_))));
}

#[tokio::test]
async fn a_client_that_speaks_no_http_1_1_is_turned_away() {
    let authority = Authority::new();
    let listener = tls_listener(&authority.identity());
    let client = authority.client(&[b"h2"]);
    let (server, client) = tokio::join!(server(&listener), connect_to(address(&listener), &client));
    assert!(matches!(server, Err(EstablishError::Handshake(_))));
    assert!(client.is_err());
}

/// A `ClientHello` of TLS 1.2 (RFC 5246, section 7.4.1.2) with a suite that servers had.
const TLS_1_2_HELLO: &[u8] = &[
    0x16, 0x03, 0x01, 0x00, 0x47, 0x01, 0x00, 0x00, 0x43, 0x03,
    0x03, // Record, hello, version.
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    0x00, // No session.
    0x00, 0x02, 0xc0, 0x2b, 0x01, 0x00, // ECDHE with ECDSA and AES-128-GCM; no compression.
    0x00, 0x18, // Extensions: groups, formats of points, signatures.
    0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00, 0x17, //
    0x00, 0x0b, 0x00, 0x02, 0x01, 0x00, //
    0x00, 0x0d, 0x00, 0x06, 0x00, 0x04, 0x04, 0x03, 0x04, 0x01,
];

/// A fatal alert, `protocol_version` (RFC 5246, section 7.2).
const PROTOCOL_VERSION_ALERT: &[u8] = &[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 70];

#[tokio::test]
async fn tls_1_2_is_refused() {
    let listener = tls_listener(&Authority::new().identity());
    let client = async {
        let mut stream = TcpStream::connect(address(&listener)).await.unwrap();
        stream.write_all(TLS_1_2_HELLO).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answer
    };
    let (server, answer) = tokio::join!(server(&listener), client);
    assert!(matches!(server, Err(EstablishError::Handshake(_))));
    assert_eq!(answer, PROTOCOL_VERSION_ALERT);
}

#[tokio::test]
async fn openssl_gets_through_by_tls_1_3_alone() {
    if Command::new("openssl").arg("version").output().is_err() {
        println!("skipped: there is no openssl here");
        return;
    }
    let authority = Authority::new();
    let listener = tls_listener(&authority.identity());
    for (version, taken) in [("-tls1_2", false), ("-tls1_3", true)] {
        let address = address(&listener).to_string();
        let client = tokio::task::spawn_blocking(move || {
            Command::new("openssl")
                .args(["s_client", "-connect", &address, version])
                .stdin(Stdio::null())
                .output()
                .unwrap()
        });
        let server = async {
            let connection = server(&listener).await;
            let is_ok = connection.is_ok();
            drop(connection);
            is_ok
        };
        let (server, client) = tokio::join!(server, client);
        assert_eq!(server, taken, "{version}: {:?}", client.unwrap());
    }
}

#[tokio::test]
async fn a_leaf_is_replaced_while_the_listener_runs_and_connections_go_on() {
    let authority = Authority::new();
    let (first, second, other) = (authority.leaf(), authority.leaf(), authority.leaf());
    let identity = TlsIdentity::new(&first.chain, &first.key).unwrap();
    let listener = tls_listener(&identity);
    let client = authority.client(HTTP);
    let connect = async || {
        let (server, stream) =
            tokio::join!(server(&listener), connect_to(address(&listener), &client));
        (server.unwrap(), stream.unwrap())
    };
    let (mut early_server, mut early_client) = connect().await;
    assert_eq!(shown(early_client.get_ref().1), first.chain[0]);

    identity.replace(&second.chain, &second.key).unwrap();
    let (_server, stream) = connect().await;
    assert_eq!(shown(stream.get_ref().1), second.chain[0]);

    let refused = identity.replace(&other.chain, &first.key).unwrap_err();
    assert!(matches!(refused, IdentityError::Mismatch(_)), "{refused}");
    let refused = identity.replace(&other.chain, b"no key").unwrap_err();
    assert!(matches!(refused, IdentityError::Key(_)), "{refused}");
    let refused = identity.replace(&[], &other.key).unwrap_err();
    assert!(matches!(refused, IdentityError::NoCertificate), "{refused}");
    let (_server, stream) = connect().await;
    assert_eq!(shown(stream.get_ref().1), second.chain[0]);

    early_client.write_all(b"still").await.unwrap();
    early_client.flush().await.unwrap();
    let mut still = [0; 5];
    early_server.read_exact(&mut still).await.unwrap();
    assert_eq!(&still, b"still");
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_turned_away_after_a_while() {
    let listener = tls_listener(&Authority::new().identity());
    let mut silent = TcpStream::connect(address(&listener)).await.unwrap();
    let start = Instant::now();
    let refused = server(&listener).await.unwrap_err();
    assert!(
        matches!(refused, EstablishError::TooSlow { .. }),
        "{refused}"
    );
    assert_eq!(start.elapsed().as_secs(), HANDSHAKE_LIMIT.as_secs());
    let mut end = [0];
    match silent.read(&mut end).await {
        Ok(read) => assert_eq!(read, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

#[tokio::test]
async fn a_slow_client_keeps_nobody_else_waiting() {
    let authority = Authority::new();
    let listener = tls_listener(&authority.identity());
    let silent = TcpStream::connect(address(&listener)).await.unwrap();
    let first = listener.accept().await.unwrap();
    let first = tokio::spawn(first.establish());
    let client = authority.client(HTTP);
    let both = async { tokio::join!(server(&listener), connect_to(address(&listener), &client)) };
    let (server, client) = timeout(PATIENCE, both).await.unwrap();
    assert!(server.is_ok() && client.is_ok());
    drop(silent);
    assert!(first.await.unwrap().is_err());
}

#[tokio::test]
async fn without_a_leaf_nobody_gets_through_until_there_is_one() {
    let authority = Authority::new();
    let identity = TlsIdentity::without_leaf().unwrap();
    let listener = tls_listener(&identity);
    let client = authority.client(HTTP);
    let both = async || tokio::join!(server(&listener), connect_to(address(&listener), &client));
    let (server, client) = both().await;
    assert!(matches!(server, Err(EstablishError::Handshake(_))));
    assert!(client.is_err());
    let leaf = authority.leaf();
    identity.replace(&leaf.chain, &leaf.key).unwrap();
    let (server, client) = both().await;
    assert!(server.is_ok());
    assert_eq!(shown(client.unwrap().get_ref().1), leaf.chain[0]);
}
