//! The interface over real sockets, with a real gate and real worker processes.

#[path = "../house/authenticator.rs"]
mod authenticator;
#[path = "../house/mod.rs"]
mod house;

mod answers;
mod audit;
mod client;
mod contract;
mod crowds;
mod ears;
mod ends;
mod http;
mod limits;
mod listen;
mod microphone;
mod operators;
mod people;
mod realtime;
mod refusals;
mod scopes;
mod streams;
mod transcriptions;
mod wyoming;

use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;

use house::{Daemon, Setting};

/// The program that is a worker: this one. The shell gives the worker's socket to it as its
/// standard error, because the harness of tests writes to its standard output.
fn setting() -> Setting {
    let this = std::env::current_exe().expect("a test has a program");
    let script = "exec \"$0\" --exact speaks_as_a_worker --ignored --nocapture 2>&1 >/dev/null";
    let arguments = vec!["-c".into(), script.into(), this.into()];
    Setting::new(("/bin/sh".into(), arguments))
}

/// A daemon as most tests want it.
async fn daemon() -> Daemon {
    Daemon::start(setting()).await
}

#[test]
#[ignore = "a worker's process, which the other tests start"]
fn speaks_as_a_worker() {
    let stream = std::io::stderr().as_fd().try_clone_to_owned();
    let stream = UnixStream::from(stream.expect("a file can be had twice"));
    house::worker::work(&stream, &stream);
}
