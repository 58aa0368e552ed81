//! Clients of other people that the daemon is tried with: `openai`, `wyoming` and schemathesis,
//! in a Python environment of their own.
//!
//! `xtask/clients/requirements.txt` pins every package of them by version and SHA-256. The
//! environment is made once, and anew when that file changes. pip is held to wheels, which are
//! plain archives, so that installing runs nothing of a package.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use earnest_package::Digest;

use crate::setup::{self, Mode};
use crate::shell::{self, Program};

/// Debian's own Python where there is one, because Debian's package is what makes environments:
/// a person's other Pythons may lack what that takes.
const SYSTEM_PYTHON: &str = "/usr/bin/python3";

/// The file that says what an environment was made of, written last.
const STAMP: &str = "made-of";

/// Makes the environment if it is not there, or is of other packages than are pinned now.
pub(crate) fn install(mode: Mode) -> Result<()> {
    let requirements = shell::workspace().join("xtask/clients/requirements.txt");
    let pinned = fs::read(&requirements)
        .with_context(|| format!("{} cannot be read", requirements.display()))?;
    let wanted = Digest::of(&pinned).to_string();
    let stamp = folder().join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(());
    }
    setup::install(&[setup::VENV], mode)?;
    for command in commands(&folder(), &requirements) {
        mode.run(&command)
            .context("the clients that the daemon is tried with cannot be installed")?;
    }
    match mode {
        Mode::Act => fs::write(&stamp, wanted).context("the environment cannot be marked as made"),
        Mode::Print => Ok(()),
    }
}

/// The environment's Python, once it is installed.
pub(crate) fn python() -> String {
    folder().join("bin/python").to_string_lossy().into_owned()
}

fn folder() -> PathBuf {
    shell::tools_directory().join("clients")
}

/// What makes the environment.
fn commands(folder: &Path, requirements: &Path) -> [Program; 2] {
    let system = match Path::new(SYSTEM_PYTHON).is_file() {
        true => SYSTEM_PYTHON,
        false => "python3",
    };
    let python = folder.join("bin/python");
    [
        Program::new(system)
            .args(["-m", "venv", "--clear"])
            .arg(folder.to_string_lossy()),
        Program::new(python.to_string_lossy())
            .args(["-m", "pip", "--disable-pip-version-check", "install"])
            .args(["--quiet", "--require-hashes", "--only-binary", ":all:"])
            .arg("--requirement")
            .arg(requirements.to_string_lossy()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_installed_is_pinned_and_runs_nothing_while_it_is() {
        let [_, install] = commands(Path::new("/t"), Path::new("/r.txt"));
        assert_eq!(
            install.to_string(),
            "/t/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes \
             --only-binary :all: --requirement /r.txt"
        );
    }

    #[test]
    fn every_package_is_pinned_by_version_and_hash() {
        let path = shell::workspace().join("xtask/clients/requirements.txt");
        let pinned = fs::read_to_string(path).unwrap().replace("\\\n", " ");
        let packages = || {
            let lines = pinned.lines().map(str::trim);
            lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
        };
        for package in packages() {
            assert!(package.contains("=="), "{package}");
            assert!(package.contains("--hash=sha256:"), "{package}");
        }
        for client in ["openai==", "schemathesis==", "websockets==", "wyoming=="] {
            assert!(packages().any(|package| package.starts_with(client)));
        }
    }
}
