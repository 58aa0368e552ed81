//! `cargo xtask bench`: what the benches need, then the benches.
//!
//! The models come as everywhere else. Recordings, and the engine that Earnest is compared
//! with, are the benches' own affair: their `prepare` fetches them, pinned, without root.

use anyhow::Result;

use crate::models::{self, Which};
use crate::setup::{self, Mode};
use crate::shell::{self, Program};

/// Set up recordings, models and rivals, then run a bench in the release profile.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// What to measure and how, handed to the benches as it is; `help` lists it.
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        default_value = "help"
    )]
    arguments: Vec<String>,
}

/// Verbs of the benches that measure nothing, and so need nothing.
const SAYS_ONLY: &[&str] = &["help", "--help", "-h", "--version", "prepare"];

/// Verbs of the benches that listen: they need a microphone, and an operator's second factor for
/// the application that may.
const LISTENS: &[&str] = &["listen", "soak"];

/// Builds, installs, fetches, and hands over.
pub(crate) fn run(options: &Options) -> Result<()> {
    hand_over(&options.arguments)
}

/// The same with these arguments.
pub(crate) fn hand_over(arguments: &[String]) -> Result<()> {
    setup::install(setup::BUILD, Mode::Act)?;
    // The programs under test stand beside the benches' own program. The features are those of
    // the whole workspace, as wherever it is built.
    Program::cargo()
        .args(["build", "--release", "--workspace"])
        .args(["--bin", "earnest", "--bin", "earnest-benches"])
        .args(["--bin", "earnestd", "--bin", "earnest-fleet"])
        .run()?;
    let models = models::directory()?;
    let benches = || {
        let program = shell::target_directory().join("release/earnest-benches");
        Program::new(program.to_string_lossy()).env(models::VARIABLE, models.to_string_lossy())
    };
    let arguments = || arguments.iter().map(String::as_str);
    let verb_is_of = |verbs: &[&str]| arguments().next().is_some_and(|verb| verbs.contains(&verb));
    if verb_is_of(LISTENS) {
        setup::install(setup::SOFTWARE_TPM, Mode::Act)?;
        setup::install(setup::MICROPHONE, Mode::Act)?;
        setup::install(&[setup::AUTHENTICATOR], Mode::Act)?;
    }
    if !verb_is_of(SAYS_ONLY) {
        setup::install(&[setup::NPM, setup::PIP], Mode::Act)?;
        models::fetch(Which::All, &models, Mode::Act)?;
        benches().arg("prepare").run()?;
    }
    benches().args(arguments()).run()
}
