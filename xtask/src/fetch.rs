//! Registry packages, fetched by their own clients and opened only if they are the ones meant.
//!
//! npm and pip know how a person reaches the registries: mirrors, proxies, certificates. They
//! are only asked to download. Nothing of a package is run: `npm pack` runs no scripts of what
//! it fetches, and pip is held to wheels, which are plain archives.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use anyhow::{Context, Result, bail};
use earnest_package::{CardFile, Digest, Registry, Source};

use crate::archive::{self, Format, Wanted};
use crate::setup::Mode;
use crate::shell::Program;

/// Fetches the package that `source` names and returns the bytes of `files`, in their order.
/// Archive and files are what their digests say, or this fails.
///
/// In print mode it prints the command and returns nothing.
pub(crate) fn files(source: &Source, files: &[&CardFile], mode: Mode) -> Result<Vec<Vec<u8>>> {
    let scratch = tempfile::tempdir().context("no temporary directory can be made")?;
    let folder = match mode {
        Mode::Act => scratch.path(),
        // What a person pastes has no use for a folder that is gone by then.
        Mode::Print => Path::new("."),
    };
    mode.run(&download(source, folder))
        .with_context(|| format!("{} {} cannot be fetched", source.name(), source.version()))?;
    if mode == Mode::Print {
        return Ok(Vec::new());
    }
    let bytes = read(source, &folder.join(source.archive()))?;
    open(source, files, bytes)
}

/// The client's command that downloads the package into `folder`.
fn download(source: &Source, folder: &Path) -> Program {
    let folder = folder.to_string_lossy();
    match source.registry() {
        Registry::Npm => Program::new("npm")
            .args(["pack", "--silent", "--ignore-scripts", "--pack-destination"])
            .arg(folder)
            .arg(format!("{}@{}", source.name(), source.version())),
        Registry::Pypi => Program::new("python3")
            .args([
                "-m",
                "pip",
                "--disable-pip-version-check",
                "download",
                "--quiet",
            ])
            .args(["--no-deps", "--only-binary", ":all:", "--dest"])
            .arg(folder)
            .arg(format!("{}=={}", source.name(), source.version())),
    }
}

/// Reads the archive, at most as long as the card says and no other than it says.
fn read(source: &Source, path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path)
        .with_context(|| format!("the download has no file {}", source.archive()))?;
    let mut bytes = Vec::new();
    file.take(source.size().saturating_add(1))
        .read_to_end(&mut bytes)?;
    let found = Digest::of(&bytes);
    if bytes.len() as u64 != source.size() || found != source.sha256() {
        bail!(
            "{} is not the archive of the card: expected {} bytes with the SHA-256 {}, found {} \
             with {found}",
            source.archive(),
            source.size(),
            source.sha256(),
            if bytes.len() as u64 > source.size() {
                "more".to_owned()
            } else {
                bytes.len().to_string()
            },
        );
    }
    Ok(bytes)
}

/// Takes the files out of the archive and checks each.
fn open(source: &Source, files: &[&CardFile], archive: Vec<u8>) -> Result<Vec<Vec<u8>>> {
    let format = match source.registry() {
        Registry::Npm => Format::TarGzip,
        Registry::Pypi => Format::Zip,
    };
    let wanted: Vec<Wanted> = files
        .iter()
        .map(|file| Wanted {
            member: file.path().to_owned(),
            limit: file.size(),
        })
        .collect();
    let mut members = archive::members(Cursor::new(archive), format, &wanted)
        .with_context(|| format!("in {}", source.archive()))?;
    files
        .iter()
        .map(|file| {
            let bytes = members
                .remove(file.path())
                .with_context(|| format!("the card takes {} twice", file.path()))?;
            file.check(&bytes)?;
            Ok(bytes)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use earnest_package::Card;

    use super::*;

    fn source(card: &str, registry: Registry) -> &'static Source {
        let card = Card::named(card).unwrap();
        let found = card.sources().iter().find(|one| one.registry() == registry);
        found.unwrap()
    }

    #[test]
    fn npm_packs_the_pinned_version_and_runs_nothing_of_it() {
        let source = source("moonshine-tiny-en-int8", Registry::Npm);
        assert_eq!(
            download(source, Path::new("/t")).to_string(),
            "npm pack --silent --ignore-scripts --pack-destination /t \
             @moonshine-ai/moonshine-js@0.1.29"
        );
    }

    #[test]
    fn pip_downloads_the_pinned_wheel_and_nothing_that_would_run() {
        let source = source("silero-vad-6.2", Registry::Pypi);
        assert_eq!(
            download(source, Path::new("/t")).to_string(),
            "python3 -m pip --disable-pip-version-check download --quiet --no-deps \
             --only-binary :all: --dest /t silero-vad==6.2.3"
        );
    }

    #[test]
    fn another_archive_than_the_cards_is_refused_unopened() {
        let source = source("silero-vad-6.2", Registry::Pypi);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(source.archive());
        std::fs::write(&path, b"PK").unwrap();
        let error = read(source, &path).unwrap_err().to_string();
        assert!(error.contains("found 2 with"), "{error}");
        assert!(error.contains(&source.sha256().to_string()), "{error}");
    }

    #[test]
    fn an_archive_that_is_none_is_an_error() {
        let card = Card::named("silero-vad-6.2").unwrap();
        let files: Vec<&CardFile> = card.files().iter().collect();
        let source = source("silero-vad-6.2", Registry::Pypi);
        assert!(open(source, &files, b"no zip at all".to_vec()).is_err());
    }
}
