//! The interface as its document tells it, tried by a fuzzer that reads the document.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::{io, thread};

use crate::client::{sample, tools};
use crate::earnestd::{Earnestd, NOBODY_WATCHES, Wish};

/// For how many seconds the interface is tried; `cargo xtask soak contract` sets it.
const SECONDS: &str = "EARNEST_SOAK_SECONDS";

/// Where nothing is set.
const FEW_SECONDS: u64 = 16;

/// What is not held against the daemon: sound that cannot be decoded is refused although the
/// document, which knows bytes alone, allows it.
const NOT_OF_SOUND: &str = "positive_data_acceptance";

/// And over the Unix socket, where the kernel tells who asks, and no header; and where what is
/// wrong on purpose may be mended by what is filled in.
const NOT_OF_PEERS: &str =
    "positive_data_acceptance,ignored_auth,missing_required_header,negative_data_rejection";

/// What is not held against the document: that random requests seldom fit it.
const HEALTH: &str = "all";

/// A door of the daemon, as the fuzzer finds it.
struct Door {
    name: &'static str,
    /// For the shell that `earnest run` starts.
    url: String,
    options: &'static str,
    left_out: &'static str,
    /// A file of sound, where the fuzzer is to be helped past the first refusal.
    filled_in: Option<PathBuf>,
}

/// Tries the interface by this door for so long.
fn check(daemon: &Earnestd, door: &Door, seconds: u64) {
    let script = format!(
        "exec '{tool}' run \"{url}/openapi.json\" {options} --checks all \
         --exclude-checks {left_out} --suppress-health-check {HEALTH} --max-time {seconds} \
         --workers 1",
        tool = tools().join("schemathesis").display(),
        url = door.url,
        options = door.options,
        left_out = door.left_out,
    );
    // What it cannot know of the document; see the file.
    let hooks = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/daemon/contract.py");
    let mut command = daemon.earnest();
    command
        .args(["run", "--app", "contract", "--", "sh", "-c", &script])
        .env("SCHEMATHESIS_HOOKS", hooks)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        // Whatever it leaves behind goes with the test.
        .current_dir(daemon.sides.path("run"));
    if let Some(sound) = &door.filled_in {
        command.env("CONTRACT_SOUND", sound);
    }
    let output = command.output().expect("the command is built");
    let [stdout, stderr] =
        [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said));
    println!("{}: {stdout}", door.name);
    assert!(output.status.success(), "{}: {stdout}{stderr}", door.name);
    // The daemon is none the worse for it.
    assert_eq!(daemon.count("workers_failed"), 0, "{}", daemon.log());
    assert_eq!(daemon.count("requests_failed"), 0, "{}", daemon.log());
    assert_eq!(daemon.count("gate_closed"), 0, "{}", daemon.log());
    assert_eq!(daemon.curl().get("/health").status, 200);
}

#[test]
fn answers_are_what_the_document_says() {
    let seconds = match std::env::var(SECONDS) {
        Ok(told) => told.parse().expect("a number of seconds"),
        Err(_) => FEW_SECONDS,
    };
    let daemon = Earnestd::start(Wish {
        tables: NOBODY_WATCHES.to_owned(),
        ..Wish::default()
    });
    let over_tls = Door {
        name: "over TLS, as apps ask",
        url: "${OPENAI_BASE_URL%/v1}".to_owned(),
        options: "--tls-verify \"$SSL_CERT_FILE\" \
                  --header \"Authorization: Bearer $OPENAI_API_KEY\"",
        left_out: NOT_OF_SOUND,
        filled_in: None,
    };
    check(&daemon, &over_tls, seconds / 2);
    // The fuzzer knows no Unix sockets, so somebody passes on what it says.
    let over_unix = Door {
        name: "over the Unix socket, as operators ask",
        url: format!("http://127.0.0.1:{}", passed_on(daemon.socket())),
        options: "",
        left_out: NOT_OF_PEERS,
        filled_in: Some(sample()),
    };
    check(&daemon, &over_unix, seconds / 2);
    // The fuzzer came past the form: some of what it sent was heard.
    assert_ne!(daemon.count("sound_milliseconds"), 0);
}

/// A port of loopback at which connections are passed on to this socket, for as long as the test
/// runs.
fn passed_on(socket: PathBuf) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let port = listener.local_addr().expect("it listens").port();
    thread::spawn(move || {
        for visitor in listener.incoming().flatten() {
            let Ok(daemon) = UnixStream::connect(&socket) else {
                return;
            };
            thread::spawn(move || join(&visitor, &daemon));
        }
    });
    port
}

/// Joins both until both have ended.
fn join(visitor: &TcpStream, daemon: &UnixStream) {
    use std::net::Shutdown;

    thread::scope(|scope| {
        scope.spawn(move || {
            let _ = io::copy(&mut &*visitor, &mut &*daemon);
            let _ = daemon.shutdown(Shutdown::Write);
        });
        let _ = io::copy(&mut &*daemon, &mut &*visitor);
        let _ = visitor.shutdown(Shutdown::Both);
    });
}
