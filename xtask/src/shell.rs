//! Other programs: how they are named, printed, run and judged.
//!
//! A [`Program`] is a value before it is a process, so that `--print` shows exactly the line
//! that would run, and so that tests can look at it.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

/// A command line: a program, its arguments and what it finds in its environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    name: String,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    directory: Option<PathBuf>,
}

impl Program {
    /// A program by name, found on `PATH`, or by path.
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            arguments: Vec::new(),
            environment: Vec::new(),
            directory: None,
        }
    }

    /// The cargo that is running this program, so that its toolchain is kept.
    pub(crate) fn cargo() -> Self {
        Self::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())).at(workspace())
    }

    /// Adds one argument.
    pub(crate) fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Adds arguments in order.
    pub(crate) fn args<I>(mut self, arguments: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Adds a variable to the environment.
    pub(crate) fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Runs in this directory.
    pub(crate) fn at(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// The same program, ended after so many seconds.
    pub(crate) fn within(self, seconds: &str) -> Self {
        let bounded = Self::new("timeout").args([seconds, self.name.as_str()]);
        Self {
            environment: self.environment,
            directory: self.directory,
            ..bounded.args(self.arguments)
        }
    }

    /// Says what runs, runs it, and fails unless it ends well.
    pub(crate) fn run(&self) -> Result<()> {
        eprintln!("+ {self}");
        self.run_quietly()
    }

    /// Runs it without a word, and fails unless it ends well.
    pub(crate) fn run_quietly(&self) -> Result<()> {
        let status = self
            .command()
            .status()
            .with_context(|| format!("cannot start `{}`", self.name))?;
        if !status.success() {
            bail!("`{self}` failed: {status}");
        }
        Ok(())
    }

    /// Runs it with the person's keys, and fails unless it ends well.
    pub(crate) fn run_at_the_terminal(&self) -> Result<()> {
        eprintln!("+ {self}");
        let status = self
            .command()
            .stdin(Stdio::inherit())
            .status()
            .with_context(|| format!("cannot start `{}`", self.name))?;
        if !status.success() {
            bail!("`{self}` failed: {status}");
        }
        Ok(())
    }

    /// Runs it and returns what it printed on standard output; its standard error is shown.
    pub(crate) fn output(&self) -> Result<String> {
        let output = self
            .command()
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("cannot start `{}`", self.name))?;
        if !output.status.success() {
            bail!("`{self}` failed: {}", output.status);
        }
        String::from_utf8(output.stdout).with_context(|| format!("`{self}` printed no UTF-8"))
    }

    /// Runs it and returns what it printed on standard output; its standard error is told only
    /// where it fails.
    pub(crate) fn output_quietly(&self) -> Result<String> {
        let output = self
            .command()
            .output()
            .with_context(|| format!("cannot start `{}`", self.name))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("`{self}` failed: {}: {}", output.status, said.trim());
        }
        String::from_utf8(output.stdout).with_context(|| format!("`{self}` printed no UTF-8"))
    }

    /// Runs it quietly, and answers the first line that it prints with the line that `answer`
    /// makes of it.
    pub(crate) fn answer(&self, answer: impl FnOnce(&str) -> Result<String>) -> Result<()> {
        let mut child = self
            .command()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start `{}`", self.name))?;
        let mut line = String::new();
        if let Some(said) = &mut child.stdout {
            BufReader::new(said).read_line(&mut line)?;
        }
        // One that ended without a word has its reason on standard error.
        if let (Some(mut input), false) = (child.stdin.take(), line.is_empty()) {
            writeln!(input, "{}", answer(&line)?)?;
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("`{self}` failed: {}: {}", output.status, said.trim());
        }
        Ok(())
    }

    /// Starts it, its standard error into `log`; whoever starts it ends it.
    pub(crate) fn start(&self, log: File) -> Result<Child> {
        self.command()
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start `{}`", self.name))
    }

    /// Starts it, what it prints into `output` and its complaints into `log`; whoever starts it
    /// ends it.
    pub(crate) fn start_into(&self, output: File, log: File) -> Result<Child> {
        self.command()
            .stdout(output)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start `{}`", self.name))
    }

    /// What it printed on standard output if it started and ended well; it may not complain.
    pub(crate) fn output_if_it_succeeds(&self) -> Option<String> {
        let output = self.command().stderr(Stdio::null()).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then_some(text)
    }

    /// Whether it starts and ends well; all that it prints is dropped.
    pub(crate) fn succeeds(&self) -> bool {
        self.command()
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.name);
        command
            .args(&self.arguments)
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        // What cargo says of this very package must not reach the next cargo: build scripts
        // look at it (ring's do), and would be run again, with all that stands on them.
        for (name, _) in std::env::vars_os() {
            if is_of_a_package(&name.to_string_lossy()) {
                command.env_remove(name);
            }
        }
        command
    }
}

impl fmt::Display for Program {
    /// Writes the line as a person would type it into a POSIX shell.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.environment {
            write!(formatter, "{name}={} ", quoted(value))?;
        }
        let name = match Path::new(&self.name).file_name().and_then(OsStr::to_str) {
            // The full path of the toolchain's cargo tells the reader nothing.
            Some("cargo") => "cargo",
            _ => &self.name,
        };
        write!(formatter, "{}", quoted(name))?;
        for argument in &self.arguments {
            write!(formatter, " {}", quoted(argument))?;
        }
        Ok(())
    }
}

/// Whether cargo sets this variable for one package's programs and scripts alone.
fn is_of_a_package(name: &str) -> bool {
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

/// Quotes an argument where a POSIX shell would not take it as it is.
fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:@,+%".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        argument.to_owned()
    } else if argument.starts_with("$(") && argument.ends_with(')') {
        // What another command prints: only ever written for a person to paste.
        format!("\"{argument}\"")
    } else {
        format!("'{}'", argument.replace('\'', r"'\''"))
    }
}

/// Whether a program of this name is on `PATH`.
pub(crate) fn on_path(name: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
    })
}

/// The root of the repository.
pub(crate) fn workspace() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// Where cargo builds to.
pub(crate) fn target_directory() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .filter(|path| !path.is_empty())
        .map_or_else(|| workspace().join("target"), |path| workspace().join(path))
}

/// Where tools that this repository installs for itself live, out of the way of a person's own.
pub(crate) fn tools_directory() -> PathBuf {
    target_directory().join("tools")
}

/// A cargo subcommand such as `cargo-deny`: the person's own where there is one, else the one
/// under [`tools_directory`], else it is built there from the registry at `version`.
pub(crate) fn cargo_tool(name: &str, version: &str) -> Result<Program> {
    if on_path(name) {
        return Ok(Program::new(name).at(workspace()));
    }
    let binary = tools_directory().join("bin").join(name);
    if !binary.is_file() {
        let root = tools_directory();
        // Unoptimised: such a tool runs for seconds, and builds in half the time this way.
        Program::cargo()
            .args([
                "install",
                "--debug",
                "--locked",
                "--version",
                version,
                "--root",
            ])
            .arg(root.to_string_lossy())
            .arg(name)
            .run()?;
    }
    Ok(Program::new(binary.to_string_lossy()).at(workspace()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_prints_as_a_shell_would_read_it() {
        let program = Program::new("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["install", "a b", "it's", ""]);
        assert_eq!(
            program.to_string(),
            r"DEBIAN_FRONTEND=noninteractive apt-get install 'a b' 'it'\''s' ''"
        );
    }

    #[test]
    fn what_another_command_prints_stays_one_argument() {
        let program = Program::new("echo").arg("$(cat a b)");
        assert_eq!(program.to_string(), "echo \"$(cat a b)\"");
    }

    #[test]
    fn the_path_of_cargo_is_left_out_of_what_is_printed() {
        let program = Program::new("/some/where/bin/cargo").arg("build");
        assert_eq!(program.to_string(), "cargo build");
    }

    #[test]
    fn a_failing_program_is_an_error_that_names_the_line() {
        let error = Program::new("false").arg("x").run_quietly().unwrap_err();
        assert!(error.to_string().contains("false x"), "{error}");
    }

    #[test]
    fn a_program_that_asks_is_answered() {
        let ask = |script: &str| Program::new("sh").args(["-c", script]);
        let asks = ask("echo seven; read answer; test \"$answer\" = 'seven again'");
        let again = |line: &str| Ok(format!("{} again", line.trim()));
        asks.answer(again).unwrap();
        assert!(asks.answer(|_| Ok("eight".to_owned())).is_err());
        let silent = ask("echo nobody is here >&2; exit 3");
        let error = silent.answer(again).unwrap_err().to_string();
        assert!(error.contains("nobody is here"), "{error}");
    }

    #[test]
    fn a_program_that_is_not_there_neither_succeeds_nor_is_found() {
        assert!(!Program::new("no-such-program-here").succeeds());
        assert!(!on_path("no-such-program-here"));
        assert!(on_path("sh"));
    }
}
