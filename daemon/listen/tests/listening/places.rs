//! Where is listened, who comes, and how many.

use std::fs::{self, Permissions};
use std::num::NonZeroUsize;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;

use earnest_listen::{
    BindError, Listener, Listeners, Peer, Place, Plan, TlsIdentity, UnixPath, UnixPlan, WyomingPlan,
};
use nix::unistd::{getegid, geteuid, getpid};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::support::{Authority, PATIENCE, address, listener, server};

fn unix(path: &Path) -> Plan {
    Plan {
        unix: Some(UnixPlan {
            path: UnixPath::new(path).expect("temporary folders have short paths"),
            group: None,
        }),
        ..Plan::default()
    }
}

fn clear(address: &str) -> Plan {
    Plan {
        clear: vec![address.parse().expect("it is loopback")],
        ..Plan::default()
    }
}

fn identity() -> Arc<TlsIdentity> {
    Authority::new().identity()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder is there");
    let name = |entry: fs::DirEntry| entry.file_name().to_string_lossy().into_owned();
    entries
        .map(|entry| name(entry.expect("it is readable")))
        .collect()
}

async fn peer_of(listener: &Listener, client: TcpStream) -> (Peer, TcpStream) {
    let connection = server(listener).await.expect("clear text has no handshake");
    (*connection.peer(), client)
}

#[tokio::test]
async fn a_unix_peer_is_known_by_its_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("earnest.sock");
    let listener = listener(&unix(&path), &identity(), 8);
    assert_eq!(
        listener.place().to_string(),
        format!("unix:{}", path.display())
    );
    let mut client = UnixStream::connect(&path).await.unwrap();
    let mut server = server(&listener).await.unwrap();
    let expected = Peer::Unix {
        uid: geteuid().as_raw(),
        gid: getegid().as_raw(),
        pid: Some(getpid().as_raw()),
    };
    assert_eq!(*server.peer(), expected);
    assert!(matches!(server.place(), Place::Unix(_)));
    client.write_all(b"hello").await.unwrap();
    let mut hello = [0; 5];
    server.read_exact(&mut hello).await.unwrap();
    assert_eq!(&hello, b"hello");
}

#[tokio::test]
async fn peers_of_wyoming_are_known_by_their_user_wherever_they_come() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("wyoming.sock");
    let places = [format!("unix:{}", path.display()), "127.0.0.1:0".to_owned()];
    let plan = Plan {
        wyoming: places
            .map(|place| WyomingPlan {
                place: place.parse().unwrap(),
                group: None,
            })
            .to_vec(),
        ..Plan::default()
    };
    let bound = Listeners::bind(&plan).unwrap();
    let about = fs::symlink_metadata(&path).unwrap();
    assert_eq!(about.mode() & 0o777, 0o660);
    let most = NonZeroUsize::new(8).unwrap();
    let [unix, tcp]: [Listener; 2] = bound.open(&identity(), most).unwrap().try_into().unwrap();
    assert!(unix.place().is_wyoming() && tcp.place().is_wyoming());
    let own = Some(geteuid().as_raw());
    let _client = UnixStream::connect(&path).await.unwrap();
    let connection = server(&unix).await.unwrap();
    assert!(matches!(connection.peer(), Peer::Unix { .. }));
    assert_eq!(connection.peer().uid(), own);
    let mut client = TcpStream::connect(address(&tcp)).await.unwrap();
    let mut connection = server(&tcp).await.unwrap();
    assert_eq!(connection.peer().uid(), own);
    // There is no TLS between.
    client.write_all(b"hello").await.unwrap();
    let mut hello = [0; 5];
    connection.read_exact(&mut hello).await.unwrap();
    assert_eq!(&hello, b"hello");
}

#[tokio::test]
async fn a_loopback_peer_is_known_by_the_user_of_its_socket() {
    let own = Some(geteuid().as_raw());
    for (listens, connects) in [
        ("127.0.0.1:0", "127.0.0.1"),
        ("127.0.0.1:0", "[::ffff:127.0.0.1]"),
        ("127.8.8.8:0", "127.8.8.8"),
        ("[::ffff:127.0.0.1]:0", "127.0.0.1"),
        ("[::1]:0", "[::1]"),
    ] {
        let listener = listener(&clear(listens), &identity(), 8);
        let port = address(&listener).port();
        assert_ne!(port, 0);
        let client = TcpStream::connect(format!("{connects}:{port}"))
            .await
            .unwrap();
        let (peer, client) = peer_of(&listener, client).await;
        assert_eq!(peer.uid(), own, "{listens} from {connects}");
        let Peer::Loopback { address, .. } = peer else {
            panic!("it came by TCP")
        };
        assert_eq!(address.port(), client.local_addr().unwrap().port());
    }
}

#[tokio::test]
async fn a_peer_that_has_closed_is_nobody_and_not_root() {
    let listener = listener(&clear("127.0.0.1:0"), &identity(), 8);
    for reset in [false, true] {
        let mut client = TcpStream::connect(address(&listener)).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        if reset {
            client.set_zero_linger().unwrap();
        }
        drop(client);
        let incoming = listener.accept().await.unwrap();
        let connection = incoming.establish().await.unwrap();
        assert_eq!(connection.peer().uid(), None, "reset: {reset}");
    }
}

#[tokio::test(start_paused = true)]
async fn at_the_cap_who_comes_waits_until_another_ends() {
    let listener = listener(&clear("127.0.0.1:0"), &identity(), 2);
    let connect = || TcpStream::connect(address(&listener));
    let _clients = (connect().await.unwrap(), connect().await.unwrap());
    let first = server(&listener).await.unwrap();
    // One that is not established yet has a place, too.
    let second = listener.accept().await.unwrap();
    let mut third = connect().await.unwrap();
    third.write_all(b"third").await.unwrap();
    // Time is simulated: it passes when nothing else can happen.
    assert!(timeout(PATIENCE, listener.accept()).await.is_err());
    drop(first);
    let mut connection = server(&listener).await.unwrap();
    let mut text = [0; 5];
    connection.read_exact(&mut text).await.unwrap();
    assert_eq!(&text, b"third");
    assert!(timeout(PATIENCE, listener.accept()).await.is_err());
    drop(second);
    let _fourth = connect().await.unwrap();
    listener.accept().await.unwrap();
}

#[tokio::test]
async fn connections_outlive_their_listener() {
    let listener = listener(&clear("127.0.0.1:0"), &identity(), 2);
    let address = address(&listener);
    let mut client = TcpStream::connect(address).await.unwrap();
    let mut connection = server(&listener).await.unwrap();
    drop(listener);
    assert!(TcpStream::connect(address).await.is_err());
    connection.write_all(b"last").await.unwrap();
    drop(connection);
    let mut last = Vec::new();
    client.read_to_end(&mut last).await.unwrap();
    assert_eq!(last, b"last");
}

#[test]
fn a_unix_socket_is_there_with_its_mode_and_gone_with_its_listener() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("earnest.sock");
    let listeners = Listeners::bind(&unix(&path)).unwrap();
    let about = fs::metadata(&path).unwrap();
    assert!(about.file_type().is_socket());
    assert_eq!(about.mode() & 0o777, 0o660);
    assert_eq!(about.gid(), getegid().as_raw());
    drop(listeners);
    assert_eq!(names(folder.path()), [".earnest.sock.lock"]);
}

#[test]
fn a_unix_socket_belongs_to_the_group_of_its_plan() {
    if !geteuid().is_root() {
        println!("skipped: only root gives files to any group");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("earnest.sock");
    let mut plan = unix(&path);
    plan.unix.as_mut().unwrap().group = Some(4711);
    let _listeners = Listeners::bind(&plan).unwrap();
    let about = fs::metadata(&path).unwrap();
    assert_eq!((about.gid(), about.mode() & 0o777), (4711, 0o660));
}

#[test]
fn a_socket_on_which_nobody_answers_is_replaced_and_another_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("earnest.sock");
    let plan = unix(&path);
    // A process that is killed leaves its file behind, and one that was binding another.
    drop(UnixListener::bind(&path).unwrap());
    drop(UnixListener::bind(folder.path().join(".earnest.sock.new")).unwrap());
    let first = Listeners::bind(&plan).unwrap();
    let refused = Listeners::bind(&plan).unwrap_err();
    assert!(matches!(refused, BindError::Answered { .. }), "{refused}");
    assert!(path.exists());
    // The file of the one that came after is not removed by the one that was before.
    fs::remove_file(&path).unwrap();
    let second = Listeners::bind(&plan).unwrap();
    drop(first);
    assert!(path.exists());
    drop(second);
    assert!(!path.exists());
}

#[test]
fn a_socket_whose_queue_is_full_is_answered_by_somebody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("earnest.sock");
    let _first = Listeners::bind(&unix(&path)).unwrap();
    let mut waiting = Vec::new();
    // Nobody accepts, so that the kernel's queue fills up.
    loop {
        let probe = nix::sys::socket::socket(
            nix::sys::socket::AddressFamily::Unix,
            nix::sys::socket::SockType::Stream,
            nix::sys::socket::SockFlag::SOCK_NONBLOCK,
            None,
        );
        let probe = probe.unwrap();
        let address = nix::sys::socket::UnixAddr::new(&path).unwrap();
        let tried = nix::sys::socket::connect(std::os::fd::AsRawFd::as_raw_fd(&probe), &address);
        match tried {
            Ok(()) => waiting.push(probe),
            Err(error) => {
                assert_eq!(error, nix::errno::Errno::EAGAIN);
                break;
            }
        }
        assert!(waiting.len() < 10_000, "the queue of the kernel has an end");
    }
    let refused = Listeners::bind(&unix(&path)).unwrap_err();
    assert!(matches!(refused, BindError::Answered { .. }), "{refused}");
}

#[test]
fn what_is_no_socket_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, b"precious").unwrap();
    let link = folder.path().join("link");
    symlink(&file, &link).unwrap();
    for path in [&file, &link] {
        let refused = Listeners::bind(&unix(path)).unwrap_err();
        assert!(matches!(refused, BindError::NoSocket { .. }), "{refused}");
    }
    assert_eq!(fs::read(&file).unwrap(), b"precious");
}

#[test]
fn a_folder_in_which_others_could_put_a_socket_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("earnest.sock");
    for mode in [0o777, 0o1777, 0o702] {
        fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
        let refused = Listeners::bind(&unix(&path)).unwrap_err();
        let expected = matches!(refused, BindError::OpenFolder { found, .. } if found == mode);
        assert!(expected, "{mode:o}: {refused}");
    }
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    drop(Listeners::bind(&unix(&path)).unwrap());
    let nowhere = folder.path().join("nowhere/earnest.sock");
    let refused = Listeners::bind(&unix(&nowhere)).unwrap_err();
    assert!(matches!(refused, BindError::Folder { .. }), "{refused}");
    if geteuid().is_root() {
        chown(folder.path(), Some(4711), None).unwrap();
        let refused = Listeners::bind(&unix(&path)).unwrap_err();
        let expected = matches!(refused, BindError::OthersFolder { found: 4711, .. });
        assert!(expected, "{refused}");
    }
}

#[test]
fn every_place_of_a_plan_is_bound_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("earnest.sock");
    let taken = Listeners::bind(&clear("127.0.0.1:0")).unwrap();
    let place = taken.places().next().unwrap().clone();
    let Place::Clear(address) = place else {
        panic!("{place} is clear text")
    };
    let plan = Plan {
        tls: vec!["127.0.0.1:0".parse().unwrap(), address],
        ..unix(&path)
    };
    let refused = Listeners::bind(&plan).unwrap_err();
    let expected = format!("cannot listen on {address}: ");
    assert!(refused.to_string().starts_with(&expected), "{refused}");
    assert!(!path.exists());
    drop(taken);
    let listeners = Listeners::bind(&plan).unwrap();
    let places: Vec<String> = listeners.places().map(Place::to_string).collect();
    assert_eq!(places.len(), 3);
    assert_eq!(places[1], format!("https://{address}"));
    assert_eq!(places[2], format!("unix:{}", path.display()));
}
