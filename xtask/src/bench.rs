//! `cargo xtask bench`: what the benches need, then the benches.

use anyhow::Result;

use crate::models::{self, Which};
use crate::setup::{self, Mode};
use crate::shell::Program;

/// Set up recordings and models, then run a bench in the release profile.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// What to measure and how, handed to the benches as it is; `--help` lists it.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// Installs, fetches, and hands over.
pub(crate) fn run(options: &Options) -> Result<()> {
    let models = models::directory()?;
    setup::install(setup::BENCH, Mode::Act)?;
    models::fetch(Which::All, &models, Mode::Act)?;
    Program::cargo()
        .args(["run", "--release", "--package", "earnest-benches", "--"])
        .args(options.arguments.iter().map(String::as_str))
        .env(models::VARIABLE, models.to_string_lossy())
        .run()
}
