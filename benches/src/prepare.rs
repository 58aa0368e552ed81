//! Fetches what only the benches need: ONNX Runtime, Whisper's normaliser, Moonshine's library,
//! recordings.
//!
//! Everything comes through the package managers that a person has configured, into one
//! cache folder, without root. The runtime and the Python packages are pinned by SHA-256
//! here; the recordings are pinned by the digest of what is read of them (see `corpus`),
//! since distributions repack them.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};
use flate2::read::GzDecoder;
use ring::digest::{Context, SHA256};

use crate::places;

/// The npm package that carries ONNX Runtime's shared library.
const RUNTIME_PACKAGE: &str = "onnxruntime-node";
pub(crate) const RUNTIME_VERSION: &str = "1.30.0";

/// The library in that package for each machine: architecture, path, SHA-256.
const RUNTIME_LIBRARIES: [(&str, &str, &str); 2] = [
    (
        "x86_64",
        "package/bin/napi-v6/linux/x64/libonnxruntime.so.1",
        "ffb75a925ba05e47b235bb66e3e3911714a80b328a9c9425539feb204aa32a23",
    ),
    (
        "aarch64",
        "package/bin/napi-v6/linux/arm64/libonnxruntime.so.1",
        "1f549d46250b005580b597f4164984aaf75b3bcb9f3aeb07c7f8a8fe60b23c76",
    ),
];

/// Python packages with all that they import, pinned by version and by their wheels' digests.
pub(crate) struct Wheels {
    what: &'static str,
    pins: &'static str,
}

/// Whisper's normaliser.
pub(crate) const NORMALISER: Wheels = Wheels {
    what: "Whisper's normaliser",
    pins: include_str!("../normaliser-requirements.txt"),
};

/// Moonshine's own library for live speech.
pub(crate) const MOONSHINE: Wheels = Wheels {
    what: "Moonshine's library",
    pins: include_str!("../moonshine-requirements.txt"),
};

impl Wheels {
    /// The folder that they are in once fetched. Its name carries their pins, so that a change of
    /// one is a change of folder.
    pub(crate) fn folder(&self) -> Result<PathBuf> {
        let pins = hex(ring::digest::digest(&SHA256, self.pins.as_bytes()).as_ref());
        Ok(places::tools_directory()?.join(format!("python-{}", &pins[..12])))
    }
}

/// Debian packages with recordings and what was said in them.
const RECORDINGS: [&str; 3] = [
    "asterisk-core-sounds-en",
    "asterisk-core-sounds-en-wav",
    "pocketsphinx-testdata",
];

/// Debian packages with sound in which no phrase is said, and with texts to be read aloud.
const NEGATIVES: [&str; 9] = [
    "asterisk-core-sounds-es-wav",
    "asterisk-core-sounds-fr-wav",
    "asterisk-core-sounds-it-wav",
    "asterisk-core-sounds-ru-wav",
    "asterisk-moh-opsound-wav",
    "fortunes",
    "fortunes-de",
    "fortunes-es",
    "fortunes-it",
];

/// Where the shared library lies once fetched.
pub(crate) fn runtime_library() -> Result<PathBuf> {
    Ok(places::tools_directory()?.join(format!(
        "{RUNTIME_PACKAGE}-{RUNTIME_VERSION}/libonnxruntime.so"
    )))
}

/// The root under which the recordings' packages are unpacked.
pub(crate) fn recordings_root() -> Result<PathBuf> {
    Ok(places::tools_directory()?.join("recordings"))
}

/// The root under which the packages of sound without phrases are unpacked.
pub(crate) fn negatives_root() -> Result<PathBuf> {
    Ok(places::tools_directory()?.join("negatives"))
}

/// Fetches what is missing; with `print_only` says what it would run.
pub(crate) fn run(print_only: bool) -> Result<()> {
    let fetcher = Fetcher { print_only };
    fetcher.runtime().context("ONNX Runtime from npm")?;
    for wheels in [NORMALISER, MOONSHINE] {
        let what = format!("{} from PyPI", wheels.what);
        fetcher.python(&wheels).context(what)?;
    }
    fetcher
        .debian("recordings", &RECORDINGS, &recordings_root()?)
        .context("recordings from Debian")?;
    fetcher
        .debian("sound without phrases", &NEGATIVES, &negatives_root()?)
        .context("sound without phrases from Debian")?;
    Ok(())
}

struct Fetcher {
    print_only: bool,
}

impl Fetcher {
    fn runtime(&self) -> Result<()> {
        let target = runtime_library()?;
        if target.is_file() {
            return done("ONNX Runtime", &target);
        }
        let architecture = std::env::consts::ARCH;
        let Some((_, path, digest)) = RUNTIME_LIBRARIES
            .iter()
            .find(|(name, _, _)| *name == architecture)
        else {
            bail!("{RUNTIME_PACKAGE} has no Linux library for {architecture}");
        };
        let folder = tempfile::tempdir()?;
        let package = format!("{RUNTIME_PACKAGE}@{RUNTIME_VERSION}");
        self.command("npm", &["pack", "--silent", &package], folder.path())?;
        if self.print_only {
            return Ok(());
        }
        let archive = folder
            .path()
            .join(format!("{RUNTIME_PACKAGE}-{RUNTIME_VERSION}.tgz"));
        let library = extract(&archive, path)?;
        let found = hex(ring::digest::digest(&SHA256, &library).as_ref());
        ensure!(
            found == *digest,
            "{path} of {package} has SHA-256 {found}, expected {digest}"
        );
        write_whole(&target, &library)?;
        done("ONNX Runtime", &target)
    }

    fn python(&self, wheels: &Wheels) -> Result<()> {
        let target = wheels.folder()?;
        if target.is_dir() {
            return done(wheels.what, &target);
        }
        let parent = places::tools_directory()?;
        let folder = self.staging(&parent)?;
        let requirements = folder.join("requirements.txt");
        if !self.print_only {
            fs::write(&requirements, wheels.pins)?;
        }
        let staged = folder.join("packages");
        self.command(
            "python3",
            &[
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--only-binary=:all:",
                "--require-hashes",
                "--disable-pip-version-check",
                "--root-user-action=ignore",
                "--requirement",
                &requirements.to_string_lossy(),
                "--target",
                &staged.to_string_lossy(),
            ],
            &parent,
        )?;
        if self.print_only {
            return Ok(());
        }
        fs::rename(&staged, &target)?;
        fs::remove_dir_all(&folder)?;
        done(wheels.what, &target)
    }

    /// Unpacks Debian's packages under `target`.
    fn debian(&self, what: &str, packages: &[&str], target: &Path) -> Result<()> {
        if target.is_dir() {
            return done(what, target);
        }
        let parent = places::tools_directory()?;
        let folder = self.staging(&parent)?;
        let mut download = vec!["download"];
        download.extend(packages);
        self.command("apt-get", &download, &folder)
            .context("apt-get knows the packages only after `apt-get update`")?;
        if self.print_only {
            println!("dpkg-deb --extract FILE.deb {}", target.display());
            return Ok(());
        }
        let staged = folder.join("root");
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "deb") {
                let arguments = [
                    "--extract",
                    &path.to_string_lossy(),
                    &staged.to_string_lossy(),
                ];
                self.command("dpkg-deb", &arguments, &folder)?;
            }
        }
        fs::rename(&staged, target)?;
        fs::remove_dir_all(&folder)?;
        done(what, target)
    }

    /// A folder to fetch into, on the file system of the target, so that a rename is whole.
    fn staging(&self, parent: &Path) -> Result<PathBuf> {
        if self.print_only {
            return Ok(parent.join("staging"));
        }
        fs::create_dir_all(parent)?;
        Ok(tempfile::tempdir_in(parent)?.keep())
    }

    fn command(&self, program: &str, arguments: &[&str], folder: &Path) -> Result<()> {
        println!("{program} {}", arguments.join(" "));
        if self.print_only {
            return Ok(());
        }
        let status = Command::new(program)
            .args(arguments)
            .current_dir(folder)
            .status()
            .with_context(|| format!("cannot run {program}"))?;
        ensure!(status.success(), "{program} ended with {status}");
        Ok(())
    }
}

fn done(what: &str, path: &Path) -> Result<()> {
    println!("{what}: {}", path.display());
    Ok(())
}

/// One file of a gzipped tar.
fn extract(archive: &Path, path: &str) -> Result<Vec<u8>> {
    let file = File::open(archive).with_context(|| format!("cannot open {}", archive.display()))?;
    let mut archive = tar::Archive::new(GzDecoder::new(file));
    for entry in archive.entries()? {
        let mut entry = entry?;
        if entry.path()?.as_ref() == Path::new(path) {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            return Ok(bytes);
        }
    }
    bail!("the archive holds no {path}")
}

/// Writes beside the target and renames, so that a half-written file is never taken for one.
fn write_whole(target: &Path, bytes: &[u8]) -> Result<()> {
    let folder = target.parent().context("a target lies in a folder")?;
    fs::create_dir_all(folder)?;
    let mut staged = tempfile::NamedTempFile::new_in(folder)?;
    std::io::Write::write_all(&mut staged, bytes)?;
    staged.persist(target)?;
    Ok(())
}

/// SHA-256 over a list of parts, each framed by its length.
pub(crate) fn digest_of_parts<'a>(parts: impl Iterator<Item = &'a [u8]>) -> String {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_le_bytes());
        context.update(part);
    }
    hex(context.finish().as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_part_ends_changes_the_digest() {
        let one = digest_of_parts([&b"ab"[..], b"c"].into_iter());
        let other = digest_of_parts([&b"a"[..], b"bc"].into_iter());
        assert_ne!(one, other);
        assert_eq!(one.len(), 64);
    }

    #[test]
    fn every_python_package_is_pinned_by_version_and_digest() {
        for (wheels, packages) in [(NORMALISER, 3), (MOONSHINE, 9)] {
            let text = wheels.pins.replace("\\\n", " ");
            let is_pin = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
            let lines: Vec<&str> = text.lines().filter(is_pin).collect();
            assert_eq!(lines.len(), packages);
            for line in lines {
                assert!(line.contains("=="), "{line}");
                assert!(line.contains("--hash=sha256:"), "{line}");
            }
        }
    }
}
