//! Runs the command.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

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
    let mut command = Command::new(binary());
    command
        .arg("transcribe")
        .env("EARNEST_MODELS", crate::support::models())
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

/// The command of the profile that this test was built in, built once.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        // This test is TARGET/PROFILE/deps/transcribe-HASH.
        let test = std::env::current_exe().unwrap();
        let profile = test.ancestors().nth(2).expect("tests are built into deps");
        let target = profile.parent().expect("a profile has a target folder");
        let name = match profile.file_name().and_then(OsStr::to_str) {
            Some("debug") => "dev",
            Some(other) => other,
            None => panic!("no profile in {}", test.display()),
        };
        // The same selection as the tests' own build, so that nothing is built twice.
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--workspace", "--bin", "earnest"])
            .args(["--profile", name, "--target-dir"])
            .arg(target)
            .status()
            .unwrap();
        assert!(status.success(), "the command does not build");
        profile.join(format!("earnest{}", std::env::consts::EXE_SUFFIX))
    })
}
