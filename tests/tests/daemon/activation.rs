//! Sockets that a service manager opened before the daemon was there.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::earnestd::Earnestd;
use crate::wait::{wait_to_see, wait_until};

#[test]
fn the_sockets_of_a_service_manager_are_served_and_no_others() {
    let mut daemon = Earnestd::usual();
    daemon.signal(Signal::SIGTERM);
    assert!(daemon.wait().success());
    let (address, socket) = (format!("127.0.0.1:{}", daemon.port()), daemon.socket());
    let served = daemon.command();
    let mut manager = daemon.sides.command("systemd-socket-activate");
    manager.arg("--listen").arg(&address);
    manager.arg("--listen").arg(&socket);
    manager.arg(served.get_program()).args(served.get_args());
    let mut process = manager.spawn().expect("systemd is installed");
    wait_until("the manager listens", || socket.exists());
    // The first connection starts the daemon, which takes the manager's place.
    wait_to_see(200, || daemon.curl().get("/health").status);
    assert_eq!(daemon.curl_tls().get("/health").status, 200);
    let listeners = &daemon.status()["listeners"];
    let unix = format!("unix:{}", socket.display());
    assert_eq!(*listeners, json!([format!("https://{address}"), unix]));
    kill(Pid::from_raw(process.id() as i32), Signal::SIGTERM).expect("it is our child");
    assert!(process.wait().expect("it is our child").success());
}
