//! `cargo xtask cross`: the kernels on aarch64, under emulation.
//!
//! The kernels have a path of their own on ARM, which no x86 machine would ever run; here
//! their tests run as aarch64 programs under qemu.

use anyhow::{Context, Result};

use crate::setup::{self, Mode};
use crate::shell::Program;

/// The machine that most appliances are.
const TARGET: &str = "aarch64-unknown-linux-gnu";

/// Build for aarch64 and run the tests under qemu.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The packages to test there.
    #[arg(long = "package", default_values_t = ["earnest-kernels".to_owned()])]
    packages: Vec<String>,
    /// Arguments for the test programs, after `--`.
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Installs linker, emulator and standard library, then runs the tests.
pub(crate) fn run(options: &Options) -> Result<()> {
    setup::install(setup::CROSS, Mode::Act)?;
    Program::new("rustup")
        .args(["target", "add", TARGET])
        .at(crate::shell::workspace())
        .run()
        .with_context(|| format!("the standard library for {TARGET} cannot be had here"))?;
    let packages = options
        .packages
        .iter()
        .flat_map(|package| ["--package", package.as_str()]);
    Program::cargo()
        .args(["test", "--target", TARGET])
        .args(packages)
        .args(["--lib", "--tests", "--"])
        .args(options.arguments.iter().map(String::as_str))
        .env(
            "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER",
            "aarch64-linux-gnu-gcc",
        )
        .env(
            "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER",
            "qemu-aarch64 -L /usr/aarch64-linux-gnu",
        )
        .run()
}
