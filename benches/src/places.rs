//! Where the benches find what they do not carry: models, recordings, the engine beside.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use earnest_package::{MODELS_VARIABLE, models_folder};

/// The speech models that are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Model {
    /// Moonshine tiny, the default of the product.
    Tiny,
    /// Moonshine base.
    Base,
}

impl Model {
    /// Both, in the order of the tables.
    pub(crate) const ALL: [Model; 2] = [Model::Tiny, Model::Base];

    /// The name of its card.
    pub(crate) fn card(self) -> &'static str {
        match self {
            Model::Tiny => "moonshine-tiny-en-int8",
            Model::Base => "moonshine-base-en-int8",
        }
    }

    /// How people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Model::Tiny => "tiny",
            Model::Base => "base",
        }
    }
}

/// The folder of `card` in the model directory of a development machine.
pub(crate) fn model_directory(card: &str) -> Result<PathBuf> {
    let models = models_folder().with_context(|| {
        format!("no place for models: set {MODELS_VARIABLE}, XDG_DATA_HOME or HOME")
    })?;
    let directory = models.join(card);
    ensure!(
        directory.is_dir(),
        "no model at {}; run `cargo xtask models fetch`",
        directory.display()
    );
    Ok(directory)
}

/// Where `prepare` puts what only the benches need.
pub(crate) fn tools_directory() -> Result<PathBuf> {
    match env::var_os("EARNEST_BENCH_TOOLS") {
        Some(directory) => Ok(PathBuf::from(directory)),
        None => Ok(home_directory("XDG_CACHE_HOME", ".cache")?.join("earnest/benches")),
    }
}

/// The command under test: what was named, else the one built beside this binary.
pub(crate) fn earnest_command(named: Option<&Path>) -> Result<PathBuf> {
    let path = match named {
        Some(path) => path.to_owned(),
        None => env::current_exe()?
            .parent()
            .context("this program lies in no folder")?
            .join(format!("earnest{}", env::consts::EXE_SUFFIX)),
    };
    ensure!(
        path.is_file(),
        "no command at {}; build it with `cargo build --release -p earnest-cli`, or name one with --earnest",
        path.display()
    );
    Ok(path)
}

fn home_directory(variable: &str, fallback: &str) -> Result<PathBuf> {
    if let Some(directory) = env::var_os(variable).filter(|value| !value.is_empty()) {
        return Ok(PathBuf::from(directory));
    }
    let home =
        env::var_os("HOME").with_context(|| format!("neither {variable} nor HOME is set"))?;
    Ok(Path::new(&home).join(fallback))
}
