//! Clients in Python, and what they are given to hear.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

use serde_json::Value;

use crate::earnestd::Earnestd;
use crate::support::program;
pub(crate) use crate::support::{SAID, sample_file as sample, sample_pcm as pcm};

/// The folder of programs that `cargo xtask test` keeps the Python clients in.
pub(crate) fn tools() -> PathBuf {
    let profile = program("earnest");
    let target = profile.ancestors().nth(2).expect("TARGET/PROFILE/earnest");
    let tools = target.join("tools/clients/bin");
    assert!(
        tools.join("python").exists(),
        "the Python clients are missing: run `cargo xtask test`, which installs them"
    );
    tools
}

/// A script in Python that `earnest run` starts for an app of this name.
pub(crate) fn python(daemon: &Earnestd, app: &str, script: &str, arguments: &[&Path]) -> Command {
    let mut command = daemon.earnest();
    command
        .args(["run", "--app", app, "--"])
        .arg(tools().join("python"))
        .args(["-c", script])
        .args(arguments)
        // The client is unmodified, and so is what it finds of this machine: no proxy, no key.
        .env_remove("OPENAI_API_KEY")
        .env_remove("HTTPS_PROXY")
        .env_remove("https_proxy")
        .env_remove("ALL_PROXY")
        .env_remove("all_proxy");
    command
}

/// Runs such a script, which must end well, and gives the object that it printed.
pub(crate) fn run_python(daemon: &Earnestd, script: &str) -> Value {
    let output = python(daemon, "notes", script, &[&sample()]).output();
    answer(&output.expect("the command is built"))
}

/// The JSON that a program printed which ended well.
pub(crate) fn answer(output: &Output) -> Value {
    let [stdout, stderr] =
        [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said));
    assert!(
        output.status.success(),
        "{}: {stdout}{stderr}",
        output.status
    );
    serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}{stderr}"))
}

/// What a program prints, which ends well, with this on its standard input.
pub(crate) fn with_input(command: &mut Command, input: Vec<u8>) -> String {
    let mut process = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program is built");
    let mut stdin = process.stdin.take().expect("it is piped");
    // One that ends before it has read everything says why in how it ends.
    let feeding = thread::spawn(move || stdin.write_all(&input).is_ok());
    let output = process.wait_with_output().expect("it is our child");
    assert!(output.status.success(), "{output:?}");
    assert!(feeding.join().expect("writing does not panic"));
    String::from_utf8(output.stdout).expect("it prints text")
}
