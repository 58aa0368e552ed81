//! Sockets that another process bound before. Each test runs this program again, as the service
//! manager would run the daemon: with sockets open, and their number in the environment.

use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd as _, RawFd};
use std::os::unix::net::UnixListener;
use std::process::Command;

use earnest_listen::{Listeners, Place};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// Tells this program that it is the one that is run again.
const AGAIN: &str = "EARNEST_LISTEN_AGAIN";

/// What the program that is run again says of what it found.
const FOUND: &str = "found: ";

/// Says what was inherited. It is a test only so that this program can be told to run it.
#[test]
fn again() {
    if std::env::var_os(AGAIN).is_none() {
        return;
    }
    let found = match Listeners::inherited() {
        Ok(None) => "nothing".to_owned(),
        Ok(Some(listeners)) => {
            let places: Vec<String> = listeners.places().map(Place::to_string).collect();
            places.join(" ")
        }
        Err(error) => error.to_string(),
    };
    // The harness prints on the line of the test's name.
    println!("\n{FOUND}{found}");
}

/// What the program finds that inherits `count` descriptors from `first` on.
fn found(first: RawFd, variables: &[(&str, &str)]) -> String {
    let program = std::env::current_exe().expect("this program is somewhere");
    let output = Command::new(program)
        .args(["--exact", "activation::again", "--nocapture"])
        .env(AGAIN, "1")
        // systemd's own first descriptor is 3, where a test has other things.
        .env("LISTEN_FDS_FIRST_FD", first.to_string())
        .envs(variables.iter().copied())
        .output()
        .expect("this program runs");
    let said = String::from_utf8(output.stdout).expect("it prints text");
    let found = said.lines().find_map(|line| line.strip_prefix(FOUND));
    found.expect("it says what it found").to_owned()
}

fn keep_open(socket: &impl AsFd) -> RawFd {
    fcntl(socket.as_fd(), FcntlArg::F_SETFD(FdFlag::empty())).expect("it is open");
    socket.as_fd().as_raw_fd()
}

#[test]
fn sockets_of_the_service_manager_are_taken_by_name() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    let first = keep_open(&socket);
    for (name, scheme) in [("tls", "https"), ("clear", "http"), ("x.socket", "https")] {
        let variables = [("LISTEN_FDS", "1"), ("LISTEN_FDNAMES", name)];
        let expected = format!("{scheme}://127.0.0.1:{port}");
        assert_eq!(found(first, &variables), expected, "{name}");
    }
    let expected = format!("https://127.0.0.1:{port}");
    assert_eq!(found(first, &[("LISTEN_FDS", "1")]), expected);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("earnest.sock");
    let socket = UnixListener::bind(&path).unwrap();
    let first = keep_open(&socket);
    let expected = format!("unix:{}", path.display());
    assert_eq!(found(first, &[("LISTEN_FDS", "1")]), expected);
}

#[test]
fn a_socket_on_every_address_is_refused_with_its_reason() {
    let socket = TcpListener::bind("0.0.0.0:0").unwrap();
    let first = keep_open(&socket);
    let variables = [("LISTEN_FDS", "1"), ("LISTEN_FDNAMES", "tls")];
    assert_eq!(
        found(first, &variables),
        "socket 0 (\"tls\") of the service manager: 0.0.0.0 is not loopback: sound and text stay \
         on this device"
    );
}

#[test]
fn what_is_no_stream_socket_is_refused() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let first = keep_open(&socket);
    assert_eq!(
        found(first, &[("LISTEN_FDS", "1")]),
        "socket 0 (\"\") of the service manager: it is no stream socket of TCP or Unix"
    );
}

#[test]
fn sockets_for_another_process_and_none_at_all_are_none() {
    assert_eq!(found(3, &[]), "nothing");
    assert_eq!(found(3, &[("LISTEN_FDS", "0")]), "nothing");
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let first = keep_open(&socket);
    let parent = std::process::id().to_string();
    let variables = [("LISTEN_FDS", "1"), ("LISTEN_PID", &parent[..])];
    assert_eq!(found(first, &variables), "nothing");
}

#[test]
fn a_number_of_sockets_that_is_none_or_too_high_is_refused() {
    for count in ["17", "4000000000", "-1", "many", ""] {
        let expected = format!("LISTEN_FDS is {count:?}, and not a number up to 16");
        assert_eq!(found(3, &[("LISTEN_FDS", count)]), expected);
    }
}
