//! Runs the command.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Stdio};

/// What the command answered.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its exit code; -1 when a signal ended it.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Answer {
    /// The answer of a run that went well: standard error has nothing to say.
    pub(crate) fn success(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        assert_eq!(self.stderr, "", "{self:?}");
        self.stdout
    }
}

/// The command, ready for arguments.
pub(crate) fn earnest() -> Command {
    let mut command = Command::new(crate::support::program("earnest"));
    command
        .arg("transcribe")
        .env("EARNEST_MODELS", crate::support::models())
        // A daemon of this machine is none of these tests' affair.
        .env("EARNEST_SOCKET", "/nonexistent/earnest.sock")
        .stdin(Stdio::null());
    command
}

/// Runs `earnest transcribe` with `arguments`.
pub(crate) fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Answer {
    answer(earnest().args(arguments), &[])
}

/// Runs it with `input` on standard input.
pub(crate) fn run_with_input(arguments: &[&str], input: &[u8]) -> Answer {
    answer(earnest().args(arguments).stdin(Stdio::piped()), input)
}

/// Runs `command` to its end.
pub(crate) fn answer(command: &mut Command, input: &[u8]) -> Answer {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            // The command may end before it has read everything.
            stdin.map(|mut stdin| stdin.write_all(input).ok())
        });
        child.wait_with_output().unwrap()
    });
    Answer {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}
