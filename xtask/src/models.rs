//! `cargo xtask models`: the models on this machine.
//!
//! A model lives in a folder of its card's name. It is there exactly when every file of the
//! card is there with its digest; whatever else lies in the folder is left alone.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use earnest_package::{Card, CardFile, Registry, Source, VOICE_CARD, models_folder};

use crate::fetch;
use crate::setup::{self, Mode};

pub(crate) use earnest_package::MODELS_VARIABLE as VARIABLE;

/// Fetch, verify or list the models.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    verb: Verb,
    /// Which models.
    #[arg(long, value_enum, default_value_t = Which::All, global = true)]
    model: Which,
    /// Where they live; else $EARNEST_MODELS, else earnest/models in the user's data folder.
    #[arg(long, global = true)]
    dir: Option<PathBuf>,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Fetch what is missing or differs, pinned by SHA-256.
    Fetch {
        /// Only print the commands.
        #[arg(long)]
        print: bool,
    },
    /// Check every file against its card; fails when one is missing or differs.
    Verify,
    /// Say what models there are, where they come from and whether they are here.
    List,
}

/// A choice of models. Each of them brings the voice detector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    /// The small and fast one.
    Tiny,
    /// The larger and more accurate one.
    Base,
    /// All there are.
    All,
}

impl Which {
    /// The cards of this choice.
    pub(crate) fn cards(self) -> impl Iterator<Item = &'static Card> {
        Card::builtin()
            .iter()
            .filter(move |card| self.includes(card.name()))
    }

    fn includes(self, card: &str) -> bool {
        card == VOICE_CARD
            || match self {
                Self::Tiny => card.contains("-tiny-"),
                Self::Base => card.contains("-base-"),
                Self::All => true,
            }
    }
}

/// Runs one of the verbs.
pub(crate) fn run(options: &Options) -> Result<()> {
    let folder = match &options.dir {
        Some(folder) => folder.clone(),
        None => directory()?,
    };
    match options.verb {
        Verb::Fetch { print: false } => fetch(options.model, &folder, Mode::Act),
        Verb::Fetch { print: true } => fetch(options.model, &folder, Mode::Print),
        Verb::Verify => verify(options.model, &folder),
        Verb::List => {
            list(options.model, &folder);
            Ok(())
        }
    }
}

/// Where the models of this machine live.
pub(crate) fn directory() -> Result<PathBuf> {
    models_folder()
        .with_context(|| format!("no place for models: set {VARIABLE}, XDG_DATA_HOME or HOME"))
}

/// Fetches what is missing of the chosen models into `folder`, with the clients that it takes.
pub(crate) fn fetch(which: Which, folder: &Path, mode: Mode) -> Result<()> {
    let mut downloads: Vec<Download> = Vec::new();
    for card in which.cards() {
        let home = folder.join(card.name());
        let missing: Vec<&CardFile> = missing(card, &home).collect();
        if missing.is_empty() {
            eprintln!("  {}: verified", card.name());
        }
        for file in missing {
            add(&mut downloads, card, file, home.clone())?;
        }
    }
    let clients = [(Registry::Npm, setup::NPM), (Registry::Pypi, setup::PIP)];
    let needs: Vec<_> = clients
        .into_iter()
        .filter(|(registry, _)| {
            downloads
                .iter()
                .any(|one| one.source.registry() == *registry)
        })
        .map(|(_, need)| need)
        .collect();
    setup::install(&needs, mode)?;
    downloads.iter().try_for_each(|one| one.run(mode))
}

/// One archive and all that is taken from it, so that none is fetched twice in a run.
struct Download {
    source: &'static Source,
    files: Vec<(&'static CardFile, PathBuf)>,
}

/// Adds a file, under the archive that it comes from.
fn add(
    downloads: &mut Vec<Download>,
    card: &'static Card,
    file: &'static CardFile,
    home: PathBuf,
) -> Result<()> {
    let source = card
        .source(file.source())
        .with_context(|| format!("{} has no source for {}", card.name(), file.name()))?;
    let known = downloads
        .iter_mut()
        .find(|download| download.source.sha256() == source.sha256());
    match known {
        Some(download) => download.files.push((file, home)),
        None => downloads.push(Download {
            source,
            files: vec![(file, home)],
        }),
    }
    Ok(())
}

impl Download {
    fn run(&self, mode: Mode) -> Result<()> {
        let Self { source, files } = self;
        // Two cards may share a file of the archive; it comes out once.
        let mut distinct: Vec<&CardFile> = Vec::new();
        for (file, _) in files {
            if !distinct.iter().any(|other| other.path() == file.path()) {
                distinct.push(file);
            }
        }
        let names: Vec<&str> = distinct.iter().map(|file| file.name()).collect();
        eprintln!(
            "  {} {}: {:.1} MB for {}",
            source.name(),
            source.version(),
            source.size() as f64 / 1e6,
            names.join(", ")
        );
        let contents = fetch::files(source, &distinct, mode)?;
        for (member, bytes) in distinct.iter().zip(&contents) {
            for (file, home) in files
                .iter()
                .filter(|(file, _)| file.path() == member.path())
            {
                file.check(bytes)?;
                install(home, file.name(), bytes)?;
            }
        }
        Ok(())
    }
}

/// Puts a whole file in place or none: a reader never sees half of it, a power cut leaves
/// either the old one or the new one.
fn install(home: &Path, name: &str, bytes: &[u8]) -> Result<()> {
    let path = home.join(name);
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(home)?;
        let mut file = tempfile::Builder::new()
            .prefix(&format!(".{name}."))
            .tempfile_in(home)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        readable_by_all(file.as_file())?;
        file.persist(&path)?;
        File::open(home)?.sync_all()
    };
    write().with_context(|| format!("{} cannot be written", path.display()))
}

/// A temporary file is its owner's alone; a model is no secret on a development machine.
fn readable_by_all(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

/// The files of the card that are not there with their digest.
fn missing(card: &'static Card, home: &Path) -> impl Iterator<Item = &'static CardFile> {
    card.files()
        .iter()
        .filter(move |file| file.read(home).is_err())
}

/// Says of each file what is wrong with it.
fn verify(which: Which, folder: &Path) -> Result<()> {
    let (mut checked, mut failed) = (0_usize, 0_usize);
    for card in which.cards() {
        for file in card.files() {
            checked += 1;
            if let Err(error) = file.read(&folder.join(card.name())) {
                failed += 1;
                println!("{}: {error}", card.name());
            }
        }
    }
    if failed > 0 {
        bail!(
            "{failed} of {checked} files are missing or differ; `cargo xtask models fetch` mends that"
        );
    }
    println!(
        "{checked} files in {}: all as their cards say",
        folder.display()
    );
    Ok(())
}

/// Prints a paragraph for each card.
fn list(which: Which, folder: &Path) {
    for card in which.cards() {
        let home = folder.join(card.name());
        let missing = missing(card, &home).count();
        println!(
            "{}: {}, {}",
            card.name(),
            card.title(),
            card.licence().spdx()
        );
        for source in card.sources() {
            let (name, version) = (source.name(), source.version());
            println!("  from {}: {name} {version}", source.registry());
        }
        for file in card.files() {
            println!("  {} ({} bytes)", file.name(), file.size());
        }
        match missing {
            0 => println!("  verified in {}", home.display()),
            some => println!("  {some} of {} files not here", card.files().len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_choice_brings_the_voice_detector() {
        for (which, cards) in [(Which::Tiny, 2), (Which::Base, 2), (Which::All, 3)] {
            let names: Vec<&str> = which.cards().map(Card::name).collect();
            assert_eq!(names.len(), cards, "{names:?}");
            assert!(names.contains(&VOICE_CARD), "{names:?}");
        }
    }

    #[test]
    fn an_archive_that_two_cards_share_is_fetched_once() {
        let mut downloads = Vec::new();
        for card in Which::All.cards() {
            for file in card.files() {
                add(&mut downloads, card, file, PathBuf::from(card.name())).unwrap();
            }
        }
        let sources = Card::builtin().iter().map(|card| card.sources().len());
        assert!(downloads.len() < sources.sum());
        let files: usize = Card::builtin().iter().map(|card| card.files().len()).sum();
        let taken: usize = downloads.iter().map(|one| one.files.len()).sum();
        assert_eq!(taken, files);
    }

    #[test]
    fn a_file_is_installed_whole_over_an_old_one_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("card");
        install(&home, "a.onnx", b"old").unwrap();
        install(&home, "a.onnx", b"new").unwrap();
        assert_eq!(fs::read(home.join("a.onnx")).unwrap(), b"new");
        assert_eq!(fs::read_dir(&home).unwrap().count(), 1);
    }

    #[test]
    fn a_file_with_another_digest_counts_as_missing() {
        let folder = tempfile::tempdir().unwrap();
        let card = Card::named(VOICE_CARD).unwrap();
        let file = &card.files()[0];
        let size = usize::try_from(file.size()).unwrap();
        install(folder.path(), file.name(), &vec![0; size]).unwrap();
        assert_eq!(missing(card, folder.path()).count(), card.files().len());
    }
}
