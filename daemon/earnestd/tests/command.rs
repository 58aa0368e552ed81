//! The program from the outside, as far as it gets without a device.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

const EXAMPLE: &str = include_str!("../dist/earnestd.toml");

struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        Place {
            folder: tempfile::tempdir().expect("there is room for a folder"),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the daemon with this configuration.
    fn run(&self, configuration: &str, more: &[&str]) -> Output {
        let path = self.path("earnestd.toml");
        fs::write(&path, configuration).expect("the folder can be written to");
        daemon(&path, more)
    }
}

fn daemon(configuration: &Path, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_earnestd"))
        .arg("--config")
        .arg(configuration)
        .args(more)
        .env_clear()
        .output()
        .expect("the daemon can be run")
}

fn check(output: &Output, code: i32, words: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(code), "{said}");
    for word in words {
        assert!(said.contains(word), "no {word} in: {said}");
    }
}

#[test]
fn the_example_is_checked_and_told_in_plain_words() {
    let output = Place::new().run(EXAMPLE, &["--check"]);
    check(
        &output,
        0,
        &["TLS on 127.0.0.1:8473 and [::1]:8473", "nobody"],
    );
    assert!(output.stderr.is_empty());
}

#[test]
fn what_is_not_to_be_listened_on_ends_the_daemon_with_its_reason() {
    let text = "[listen]\ntls = [\"192.168.1.5:8473\"]";
    for more in [&["--check"][..], &[]] {
        let output = Place::new().run(text, more);
        let reason = "192.168.1.5 is not loopback: sound and text stay on this device";
        check(&output, 2, &["`listen.tls`", reason]);
    }
}

#[test]
fn a_configuration_that_is_not_there_or_none_ends_the_daemon() {
    let place = Place::new();
    let output = daemon(&place.path("missing.toml"), &[]);
    check(&output, 2, &["missing.toml is not there"]);
    check(&place.run("[listen", &[]), 2, &["cannot be read"]);
    check(&place.run("[listen]\nport = 1", &[]), 2, &["`port`"]);
    check(&daemon(&place.path("x"), &["--bind"]), 2, &["--bind"]);
}

#[test]
fn without_a_device_the_daemon_ends_and_says_so() {
    let place = Place::new();
    let text = format!(
        "[device]\nfolder = \"{home}/device\"\n[model]\nrelease_key = \"{home}/release.pem\"\n\
         [listen]\ntls = []\nunix = \"{home}/earnest.sock\"\n\
         [run]\nuser = \"root\"\nexposed_memory = \"warn\"\n",
        home = place.folder.path().display()
    );
    let output = place.run(&text, &[]);
    check(&output, 5, &["cannot read", "/device"]);
}

#[test]
fn root_becomes_nobody_that_is_not_there_and_does_not_stay_root_unasked() {
    let place = Place::new();
    let text = "[listen]\ntls = [\"127.0.0.1:0\"]\nunix = \"\"\n[run]\nuser = \"no-such-user\"\n\
                exposed_memory = \"warn\"\n";
    let output = place.run(text, &[]);
    match nix::unistd::geteuid().is_root() {
        true => check(&output, 3, &["no user \"no-such-user\""]),
        // Who is not root stays who they are, and lacks a device.
        false => check(&output, 5, &["device"]),
    }
}

#[test]
fn a_place_that_somebody_has_is_not_waited_for_without_end() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = taken.local_addr().expect("it is bound");
    let text = format!(
        "[listen]\ntls = [\"{address}\"]\nunix = \"\"\n[run]\nuser = \"root\"\n\
         exposed_memory = \"warn\"\n"
    );
    let output = place.run(&text, &[]);
    check(&output, 4, &["cannot listen on", &address.to_string()]);
}
