//! `cargo xtask test`: everything that must hold before a change lands.
//!
//! The steps share one profile and one selection of packages, so that nothing is built twice.
//! The tests come last, so that the runner's own summary is the last thing printed.

use std::time::Instant;

use anyhow::Result;

use crate::clients;
use crate::firmware;
use crate::models::{self, Which};
use crate::policy;
use crate::setup::{self, Mode};
use crate::shell::{self, Program};

/// Set up, then check format, lints, dependencies, documentation and behaviour.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Only format, lints and tests: for the minutes between two edits.
    #[arg(long)]
    fast: bool,
}

/// A step: what it is called, whether `--fast` keeps it, and what it does.
struct Step {
    name: &'static str,
    fast: bool,
    run: fn() -> Result<()>,
}

const STEPS: &[Step] = &[
    Step {
        name: "set-up",
        fast: true,
        run: set_up,
    },
    Step {
        name: "format",
        fast: true,
        run: format,
    },
    Step {
        name: "lints",
        fast: true,
        run: lints,
    },
    Step {
        name: "dependency policy",
        fast: false,
        run: policy::check,
    },
    Step {
        name: "firmware",
        fast: false,
        run: firmware::test,
    },
    Step {
        name: "documentation",
        fast: false,
        run: documentation,
    },
    Step {
        name: "build",
        fast: true,
        run: build,
    },
    Step {
        name: "documentation's examples",
        fast: false,
        run: examples,
    },
    Step {
        name: "tests",
        fast: true,
        run: tests,
    },
];

/// Runs the steps in order, up to the first that fails.
pub(crate) fn run(options: &Options) -> Result<()> {
    for step in STEPS.iter().filter(|step| step.fast || !options.fast) {
        eprintln!("== {}", step.name);
        let started = Instant::now();
        (step.run)()?;
        let is_last = step.name == STEPS[STEPS.len() - 1].name;
        if !is_last {
            eprintln!("== {}: {:.0} s", step.name, started.elapsed().as_secs_f64());
        }
    }
    Ok(())
}

/// What the tests need of the machine.
pub(crate) fn set_up() -> Result<()> {
    let needs = [
        setup::BUILD,
        setup::SOFTWARE_TPM,
        setup::OUTSIDERS,
        setup::CLIENTS,
        setup::MICROPHONE,
        &[setup::EMULATOR],
    ];
    setup::install(&needs.concat(), Mode::Act)?;
    clients::install(Mode::Act)?;
    models::fetch(Which::All, &models::directory()?, Mode::Act)
}

fn format() -> Result<()> {
    Program::cargo().args(["fmt", "--all", "--check"]).run()
}

fn lints() -> Result<()> {
    Program::cargo()
        .args(["clippy", "--workspace", "--all-targets"])
        .args(["--", "--deny", "warnings"])
        .run()
}

fn documentation() -> Result<()> {
    Program::cargo()
        .args([
            "doc",
            "--workspace",
            "--no-deps",
            "--document-private-items",
        ])
        .env("RUSTDOCFLAGS", "--deny warnings")
        .run()
}

/// Builds the command that the end-to-end tests run, with the whole workspace's features, so
/// that the tests' own build finds every dependency done.
fn build() -> Result<()> {
    Program::cargo()
        .args(["build", "--workspace", "--bins", "--tests"])
        .run()
}

fn examples() -> Result<()> {
    with_models(Program::cargo().args(["test", "--workspace", "--doc"]))?.run()
}

fn tests() -> Result<()> {
    let runner = if shell::on_path("cargo-nextest") {
        Program::cargo().args(["nextest", "run", "--workspace", "--no-fail-fast"])
    } else {
        Program::cargo().args(["test", "--workspace", "--all-targets", "--no-fail-fast"])
    };
    firmware::for_tests(with_models(runner)?)?.run()
}

/// Tells the tests where the models are, whatever the way they were found.
fn with_models(program: Program) -> Result<Program> {
    Ok(program.env(models::VARIABLE, models::directory()?.to_string_lossy()))
}
